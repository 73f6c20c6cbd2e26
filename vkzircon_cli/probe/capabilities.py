# SPDX-License-Identifier: Apache-2.0
"""Ask which external memory and semaphores the driver reports, before anything is tried."""

from collections.abc import Callable
from typing import Any

from vkzircon_cli.bindings.vk import PhysicalDevice
from vkzircon_cli.model import spec
from vkzircon_cli.model.facts import ExternalMemoryProperties, ExternalSemaphore, Identity
from vkzircon_cli.model.queries import has_vulkan_1_1
from vkzircon_cli.probe.resources import ImageSpec

_SENTINEL = 0xA5A5A5A5
_CALL = "vkGetPhysicalDeviceExternalBufferProperties"


def probe_external_buffer(
    physical: PhysicalDevice, identity: Identity, usage: int, handle_type: int
) -> ExternalMemoryProperties:
    """Ask vkGetPhysicalDeviceExternalBufferProperties, or its KHR name on a Vulkan 1.0 device.

    The call returns no result, so only sentinels show whether it wrote an answer.
    """
    name = _CALL if has_vulkan_1_1(identity) and physical.has_function(_CALL) else _CALL + "KHR"
    info = physical.vulkan.struct("VkPhysicalDeviceExternalBufferInfo", usage=usage, handleType=handle_type)
    return _asked_twice(physical, "VkExternalBufferProperties", lambda written: physical.get(name, info, written))


def probe_external_image(
    physical: PhysicalDevice, image: ImageSpec, usage: int, handle_type: int
) -> ExternalMemoryProperties:
    """Ask vkGetPhysicalDeviceImageFormatProperties2 for one kind of 2D image.

    Raises `Refused` if the driver does not support such images (FORMAT_NOT_SUPPORTED), or the call fails.
    """
    vulkan = physical.vulkan
    external = vulkan.struct("VkPhysicalDeviceExternalImageFormatInfo", handleType=handle_type)
    info = vulkan.struct(
        "VkPhysicalDeviceImageFormatInfo2",
        external,
        format=image.format,
        type=vulkan.lib.VK_IMAGE_TYPE_2D,
        tiling=image.vk_tiling,
        usage=usage,
    )
    name = "vkGetPhysicalDeviceImageFormatProperties2"
    name = name if physical.has_function(name) else name + "KHR"

    def ask(written: Any) -> None:
        everything = vulkan.struct("VkImageFormatProperties2", written)
        physical.call(name, info, everything)

    return _asked_twice(physical, "VkExternalImageFormatProperties", ask)


def probe_external_semaphore(physical: PhysicalDevice) -> ExternalSemaphore:
    """Ask vkGetPhysicalDeviceExternalSemaphoreProperties for ZIRCON_EVENT."""
    vulkan = physical.vulkan
    info = vulkan.struct("VkPhysicalDeviceExternalSemaphoreInfo", handleType=spec.ZIRCON_EVENT)
    found = vulkan.struct("VkExternalSemaphoreProperties")
    physical.get("vkGetPhysicalDeviceExternalSemaphoreProperties", info, found)
    return ExternalSemaphore(
        features=spec.flags(found.externalSemaphoreFeatures, spec.SEMAPHORE_FEATURE_BITS),
        export_from_imported_handle_types=spec.flags(found.exportFromImportedHandleTypes, spec.SEMAPHORE_HANDLE_BITS),
        compatible_handle_types=spec.flags(found.compatibleHandleTypes, spec.SEMAPHORE_HANDLE_BITS),
    )


def _asked_twice(physical: PhysicalDevice, struct: str, ask: Callable[[Any], None]) -> ExternalMemoryProperties:
    """Ask with complementary sentinels in *struct*, which shows whether everything was written."""
    sentinels = (_SENTINEL, _SENTINEL ^ 0xFFFFFFFF)
    answers, header_kept = [], True
    for sentinel in sentinels:
        found = physical.vulkan.struct(struct)
        expected, words = found.sType, found.externalMemoryProperties
        words.externalMemoryFeatures = sentinel
        words.exportFromImportedHandleTypes = words.compatibleHandleTypes = sentinel
        ask(found)
        answers.append((words.externalMemoryFeatures, words.exportFromImportedHandleTypes, words.compatibleHandleTypes))
        header_kept = header_kept and found.sType == expected and found.pNext == physical.vulkan.ffi.NULL
    first, second = answers
    written = sentinels not in zip(first, second, strict=True)  # two answers that differ were written too
    return external_memory(*second, written=written, header_kept=header_kept)


def external_memory(
    features: int, from_imported: int, compatible: int, *, written: bool, header_kept: bool
) -> ExternalMemoryProperties:
    """Name the bits of a VkExternalMemoryProperties."""
    return ExternalMemoryProperties(
        features=spec.flags(features, spec.FEATURE_BITS),
        export_from_imported_handle_types=spec.flags(from_imported, spec.HANDLE_TYPE_BITS),
        compatible_handle_types=spec.flags(compatible, spec.HANDLE_TYPE_BITS),
        written=written,
        header_kept=header_kept,
    )
