# SPDX-License-Identifier: Apache-2.0
"""Ask what the driver says it can do, before anything is tried."""

from typing import Any

from vkzircon_cli import driver
from vkzircon_cli.facts import ExternalMemoryProperties, Identity
from vkzircon_cli.offer import has_vulkan_1_1
from vkzircon_cli.vocabulary import FEATURE_BITS, HANDLE_TYPE_BITS, flags

_SENTINEL = 0xA5A5A5A5
_CALL = "vkGetPhysicalDeviceExternalBufferProperties"


def probe_external_buffer(
    instance: driver.Instance, physical: Any, identity: Identity, usage: int, handle_type: int
) -> ExternalMemoryProperties:
    """Ask vkGetPhysicalDeviceExternalBufferProperties, or its KHR name of a Vulkan 1.0 device.

    It cannot say no, so it is asked twice with complementary sentinels: that shows whether anything was written.
    """
    name = _CALL if has_vulkan_1_1(identity) and instance.has_function(_CALL) else _CALL + "KHR"
    vulkan = instance.vulkan
    info = vulkan.struct(
        "VkPhysicalDeviceExternalBufferInfo",
        "PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO",
        usage=usage,
        handleType=handle_type,
    )

    def ask(sentinel: int) -> tuple[tuple[int, int, int], bool]:
        found = vulkan.struct("VkExternalBufferProperties", "EXTERNAL_BUFFER_PROPERTIES")
        expected, words = found.sType, found.externalMemoryProperties
        words.externalMemoryFeatures = sentinel
        words.exportFromImportedHandleTypes = words.compatibleHandleTypes = sentinel
        vulkan.call_void(name, instance.function(name), physical, info, found)
        answer = (words.externalMemoryFeatures, words.exportFromImportedHandleTypes, words.compatibleHandleTypes)
        return answer, found.sType == expected and found.pNext == vulkan.ffi.NULL

    first, first_kept = ask(_SENTINEL)
    second, second_kept = ask(_SENTINEL ^ 0xFFFFFFFF)
    return ExternalMemoryProperties(
        features=flags(second[0], FEATURE_BITS),
        export_from_imported_handle_types=flags(second[1], HANDLE_TYPE_BITS),
        compatible_handle_types=flags(second[2], HANDLE_TYPE_BITS),
        written=first == second,
        header_kept=first_kept and second_kept,
    )
