# SPDX-License-Identifier: Apache-2.0
"""Ask what the driver says it can do, before anything is tried."""

from collections.abc import Callable
from typing import Any

from vkzircon_cli.bindings import vk
from vkzircon_cli.model.facts import ExternalMemoryProperties, ExternalSemaphore, Identity
from vkzircon_cli.model.queries import has_vulkan_1_1
from vkzircon_cli.model.spec import (
    FEATURE_BITS,
    HANDLE_TYPE_BITS,
    SEMAPHORE_FEATURE_BITS,
    SEMAPHORE_HANDLE_BITS,
    ZIRCON_EVENT,
    flags,
)
from vkzircon_cli.probe.memory import ImageSpec

_SENTINEL = 0xA5A5A5A5
_CALL = "vkGetPhysicalDeviceExternalBufferProperties"


def probe_external_buffer(
    instance: vk.Instance, physical: Any, identity: Identity, usage: int, handle_type: int
) -> ExternalMemoryProperties:
    """Ask vkGetPhysicalDeviceExternalBufferProperties, or its KHR name of a Vulkan 1.0 device.

    It cannot say no, so only sentinels show whether it answered.
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
        return _words(words), found.sType == expected and found.pNext == vulkan.ffi.NULL

    return _twice(ask)


def probe_external_image(
    instance: vk.Instance, physical: Any, spec: ImageSpec, usage: int, handle_type: int
) -> ExternalMemoryProperties:
    """Ask vkGetPhysicalDeviceImageFormatProperties2 for one kind of 2D image.

    Raises:
        Refused: the driver does not support such images (FORMAT_NOT_SUPPORTED), or the call fails.
    """
    vulkan = instance.vulkan
    external = vulkan.struct(
        "VkPhysicalDeviceExternalImageFormatInfo",
        "PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO",
        handleType=handle_type,
    )
    info = vulkan.struct(
        "VkPhysicalDeviceImageFormatInfo2",
        "PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2",
        external,
        format=spec.format,
        type=vulkan.lib.VK_IMAGE_TYPE_2D,
        tiling=spec.vk_tiling,
        usage=usage,
    )
    name = "vkGetPhysicalDeviceImageFormatProperties2"
    name = name if instance.has_function(name) else name + "KHR"

    def ask(sentinel: int) -> tuple[tuple[int, int, int], bool]:
        found = vulkan.struct("VkExternalImageFormatProperties", "EXTERNAL_IMAGE_FORMAT_PROPERTIES")
        everything = vulkan.struct("VkImageFormatProperties2", "IMAGE_FORMAT_PROPERTIES_2", found)
        expected, words = found.sType, found.externalMemoryProperties
        words.externalMemoryFeatures = sentinel
        words.exportFromImportedHandleTypes = words.compatibleHandleTypes = sentinel
        vulkan.call(name, instance.function(name), physical, info, everything)
        return _words(words), found.sType == expected and found.pNext == vulkan.ffi.NULL

    return _twice(ask)


def probe_external_semaphore(instance: vk.Instance, physical: Any) -> ExternalSemaphore:
    """Ask vkGetPhysicalDeviceExternalSemaphoreProperties for ZIRCON_EVENT."""
    vulkan = instance.vulkan
    info = vulkan.struct(
        "VkPhysicalDeviceExternalSemaphoreInfo", "PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO", handleType=ZIRCON_EVENT
    )
    found = vulkan.struct("VkExternalSemaphoreProperties", "EXTERNAL_SEMAPHORE_PROPERTIES")
    name = "vkGetPhysicalDeviceExternalSemaphoreProperties"
    vulkan.call_void(name, instance.function(name), physical, info, found)
    return ExternalSemaphore(
        features=flags(found.externalSemaphoreFeatures, SEMAPHORE_FEATURE_BITS),
        export_from_imported_handle_types=flags(found.exportFromImportedHandleTypes, SEMAPHORE_HANDLE_BITS),
        compatible_handle_types=flags(found.compatibleHandleTypes, SEMAPHORE_HANDLE_BITS),
    )


def _words(words: Any) -> tuple[int, int, int]:
    return words.externalMemoryFeatures, words.exportFromImportedHandleTypes, words.compatibleHandleTypes


def _twice(ask: Callable[[int], tuple[tuple[int, int, int], bool]]) -> ExternalMemoryProperties:
    """Ask with complementary sentinels, which shows whether anything was written."""
    first, first_kept = ask(_SENTINEL)
    second, second_kept = ask(_SENTINEL ^ 0xFFFFFFFF)
    return ExternalMemoryProperties(
        features=flags(second[0], FEATURE_BITS),
        export_from_imported_handle_types=flags(second[1], HANDLE_TYPE_BITS),
        compatible_handle_types=flags(second[2], HANDLE_TYPE_BITS),
        written=first == second,
        header_kept=first_kept and second_kept,
    )
