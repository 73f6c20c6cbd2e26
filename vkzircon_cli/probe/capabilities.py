# SPDX-License-Identifier: Apache-2.0
"""Ask which external memory and semaphores the driver reports, before anything is tried."""

from collections.abc import Callable
from functools import partial
from typing import Any

from vkzircon_cli.bindings.vk import PhysicalDevice
from vkzircon_cli.model import spec
from vkzircon_cli.model.facts import ExternalMemoryProperties, ExternalSemaphore, Identity
from vkzircon_cli.model.queries import has_vulkan_1_1
from vkzircon_cli.probe.resources import ImageSpec

_SENTINEL = 0xA5A5A5A5
_MEMORY_MASKS = ("externalMemoryFeatures", "exportFromImportedHandleTypes", "compatibleHandleTypes")
_SEMAPHORE_MASKS = ("externalSemaphoreFeatures", "exportFromImportedHandleTypes", "compatibleHandleTypes")
_CALL = "vkGetPhysicalDeviceExternalBufferProperties"


def probe_external_buffer(
    physical: PhysicalDevice, identity: Identity, usage: int, handle_type: int
) -> ExternalMemoryProperties:
    """Ask vkGetPhysicalDeviceExternalBufferProperties, or its KHR name on a Vulkan 1.0 device.

    The call returns no result, so only sentinels show whether it wrote an answer.
    """
    name = _CALL if has_vulkan_1_1(identity) and physical.has_function(_CALL) else _CALL + "KHR"
    info = physical.vulkan.struct("VkPhysicalDeviceExternalBufferInfo", usage=usage, handleType=handle_type)
    masks, kept = _asked_twice(physical, "VkExternalBufferProperties", partial(physical.get, name, info))
    return external_memory(*masks, **kept)


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

    masks, kept = _asked_twice(physical, "VkExternalImageFormatProperties", ask)
    return external_memory(*masks, **kept)


def probe_external_semaphore(physical: PhysicalDevice) -> ExternalSemaphore:
    """Ask vkGetPhysicalDeviceExternalSemaphoreProperties for ZIRCON_EVENT."""
    info = physical.vulkan.struct("VkPhysicalDeviceExternalSemaphoreInfo", handleType=spec.ZIRCON_EVENT)
    ask = partial(physical.get, "vkGetPhysicalDeviceExternalSemaphoreProperties", info)
    (features, from_imported, compatible), kept = _asked_twice(physical, "VkExternalSemaphoreProperties", ask)
    return ExternalSemaphore(
        features=spec.flags(features, spec.SEMAPHORE_FEATURE_BITS),
        export_from_imported_handle_types=spec.flags(from_imported, spec.SEMAPHORE_HANDLE_BITS),
        compatible_handle_types=spec.flags(compatible, spec.SEMAPHORE_HANDLE_BITS),
        **kept,
    )


def _asked_twice(
    physical: PhysicalDevice, struct: str, ask: Callable[[Any], object]
) -> tuple[tuple[int, int, int], dict[str, bool]]:
    """Ask with complementary sentinels in *struct*, which shows whether anything was written.

    Returns features, exportFromImportedHandleTypes and compatibleHandleTypes, and `written` and `header_kept`.
    """
    sentinels = (_SENTINEL, _SENTINEL ^ 0xFFFFFFFF)
    answers, header_kept = [], True
    for sentinel in sentinels:
        found = physical.vulkan.struct(struct)
        expected, words, masks = found.sType, found, _SEMAPHORE_MASKS
        if struct != "VkExternalSemaphoreProperties":
            words, masks = found.externalMemoryProperties, _MEMORY_MASKS
        for mask in masks:
            setattr(words, mask, sentinel)
        ask(found)
        first, second, third = (getattr(words, mask) for mask in masks)
        answers.append((first, second, third))
        header_kept = header_kept and found.sType == expected and found.pNext == physical.vulkan.ffi.NULL
    first, second = answers
    written = sentinels not in zip(first, second, strict=True)  # two answers that differ were written too
    return second, {"written": written, "header_kept": header_kept}


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
