# SPDX-License-Identifier: Apache-2.0
"""Ask what the driver says it can do, before anything is tried."""

from typing import Any

from vkzircon_cli import driver
from vkzircon_cli.facts import ExternalMemoryProperties, Identity
from vkzircon_cli.offer import has_vulkan_1_1
from vkzircon_cli.vocabulary import FEATURE_BITS, HANDLE_TYPE_BITS, flags

# Has bits that no feature and no handle type has: found again it means that the driver wrote nothing.
_SENTINEL = 0xA5A5A5A5
UNWRITTEN = flags(_SENTINEL, FEATURE_BITS)


def probe_external_buffer(
    instance: driver.Instance, physical: Any, identity: Identity, usage: int, handle_type: int
) -> ExternalMemoryProperties:
    """Ask vkGetPhysicalDeviceExternalBufferProperties, or its KHR name of a Vulkan 1.0 device."""
    vulkan = instance.vulkan
    info = vulkan.struct(
        "VkPhysicalDeviceExternalBufferInfo",
        "PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO",
        usage=usage,
        handleType=handle_type,
    )
    found = vulkan.struct("VkExternalBufferProperties", "EXTERNAL_BUFFER_PROPERTIES")
    expected = found.sType
    properties = found.externalMemoryProperties
    properties.externalMemoryFeatures = _SENTINEL
    properties.exportFromImportedHandleTypes = properties.compatibleHandleTypes = _SENTINEL
    name = "vkGetPhysicalDeviceExternalBufferProperties" + ("" if has_vulkan_1_1(identity) else "KHR")
    vulkan.call_void(name, instance.function(name), physical, info, found)
    return ExternalMemoryProperties(
        features=flags(properties.externalMemoryFeatures, FEATURE_BITS),
        export_from_imported_handle_types=flags(properties.exportFromImportedHandleTypes, HANDLE_TYPE_BITS),
        compatible_handle_types=flags(properties.compatibleHandleTypes, HANDLE_TYPE_BITS),
        header_kept=found.sType == expected and found.pNext == vulkan.ffi.NULL,
    )
