# SPDX-License-Identifier: Apache-2.0
"""Command buffers, each for as long as a `with` block lasts: fill, clear and copy on the device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from vkzircon_cli.bindings.vk import FENCE_TIMEOUT_NS, Device
from vkzircon_cli.errors import NotAsked

_WHOLE_SIZE = (1 << 64) - 1
_EXTERNAL = (1 << 32) - 2  # VK_QUEUE_FAMILY_EXTERNAL
_IGNORED = (1 << 32) - 1  # VK_QUEUE_FAMILY_IGNORED


def _fence(device: Device) -> AbstractContextManager[Any]:
    return device.made("Fence", device.vulkan.struct("VkFenceCreateInfo"))


@contextmanager
def commands(device: Device) -> Iterator[Any]:
    """Record one command buffer in the block; at its end submit it and wait until the device has run it.

    Raises:
        NotAsked: the device has no queue, or its driver no commands.
    """
    _must_have_queue(device)
    with _command_buffer(device) as buffers:
        yield buffers[0]
        device.call("vkEndCommandBuffer", buffers[0])
        with _fence(device) as fence:
            _submit(device, buffers, fence)


@contextmanager
def _command_buffer(device: Device) -> Iterator[Any]:
    """Begin one command buffer from a pool of its own; yield it as an array of one."""
    vulkan = device.vulkan
    pool_info = vulkan.struct("VkCommandPoolCreateInfo", queueFamilyIndex=device.queue_family)
    with device.made("CommandPool", pool_info) as pool:
        info = vulkan.struct("VkCommandBufferAllocateInfo", commandPool=pool[0], commandBufferCount=1)
        made = vulkan.ffi.new("VkCommandBuffer *")
        device.call("vkAllocateCommandBuffers", device.handle, info, made)
        device.call("vkBeginCommandBuffer", made[0], vulkan.struct("VkCommandBufferBeginInfo"))
        yield made


def _must_have_queue(device: Device) -> None:
    if device.queue_family is None:
        raise NotAsked("the device has no queue that can transfer")
    if not device.has_function("vkQueueSubmit"):
        raise NotAsked("the driver has no vkQueueSubmit")
    # Without waiting for submitted work, objects would be destroyed that the device still uses.
    device.vulkan.on_call.must_return("vkWaitForFences")


@contextmanager
def copies(device: Device, source: Any, destination: Any, size: int, *, shared: bool) -> Iterator[Callable[[], None]]:
    """Record a copy of *size* bytes once; yield a function that submits it and waits until it is done.

    A *shared* destination is acquired from EXTERNAL before each copy and released to it afterwards.

    Raises:
        NotAsked: the device has no queue, or its driver no commands.
    """
    _must_have_queue(device)
    with _command_buffer(device) as buffers, _fence(device) as fence:
        if shared:
            _acquire(device, buffers[0], destination)
        region = device.vulkan.struct_of("VkBufferCopy", size=size)
        device.get("vkCmdCopyBuffer", buffers[0], source, destination, 1, region)
        if shared:
            _release(device, buffers[0], destination)
        _to_host(device, buffers[0])
        device.call("vkEndCommandBuffer", buffers[0])

        def run() -> None:
            device.call("vkResetFences", device.handle, 1, fence)
            _submit(device, buffers, fence)

        yield run


def _submit(device: Device, command_buffers: Any, fence: Any) -> None:
    """Submit and wait for *fence*, which is not signaled yet."""
    vulkan = device.vulkan
    queue = vulkan.ffi.new("VkQueue *")
    device.get("vkGetDeviceQueue", device.handle, device.queue_family, 0, queue)
    info = vulkan.struct("VkSubmitInfo", commandBufferCount=1, pCommandBuffers=command_buffers)
    device.call("vkQueueSubmit", queue[0], 1, info, fence[0])
    device.call("vkWaitForFences", device.handle, 1, fence, 1, FENCE_TIMEOUT_NS)


def fill(device: Device, buffer: Any, word: int) -> None:
    """Fill the whole *buffer* with a 32-bit *word* on the device, visible to the host afterwards."""
    with commands(device) as recording:
        _acquire(device, recording, buffer)
        device.get("vkCmdFillBuffer", recording, buffer, 0, _WHOLE_SIZE, word)
        _release(device, recording, buffer)
        _to_host(device, recording)


def copy(device: Device, source: Any, destination: Any, size: int) -> None:
    """Copy *size* bytes between buffers on the device, visible to the host afterwards."""
    with commands(device) as recording:
        region = device.vulkan.struct_of("VkBufferCopy", size=size)
        _acquire(device, recording, destination)
        device.get("vkCmdCopyBuffer", recording, source, destination, 1, region)
        _release(device, recording, destination)
        _to_host(device, recording)


def _to_host(device: Device, recording: Any) -> None:
    """Make the device's writes visible to the host: a fence alone does not (synchronization.adoc)."""
    vulkan = device.vulkan
    barrier = vulkan.struct(
        "VkMemoryBarrier",
        srcAccessMask=vulkan.lib.VK_ACCESS_TRANSFER_WRITE_BIT,
        dstAccessMask=vulkan.lib.VK_ACCESS_HOST_READ_BIT,
    )
    source, destination = vulkan.lib.VK_PIPELINE_STAGE_TRANSFER_BIT, vulkan.lib.VK_PIPELINE_STAGE_HOST_BIT
    null = vulkan.ffi.NULL
    device.get("vkCmdPipelineBarrier", recording, source, destination, 0, 1, barrier, 0, null, 0, null)


def _acquire(device: Device, recording: Any, buffer: Any) -> None:
    _buffer_transfer(device, recording, buffer, _EXTERNAL, device.queue_family)


def _release(device: Device, recording: Any, buffer: Any) -> None:
    _buffer_transfer(device, recording, buffer, device.queue_family, _EXTERNAL)


def _buffer_transfer(device: Device, recording: Any, buffer: Any, giver: int | None, taker: int | None) -> None:
    """Hand *buffer* from one queue family to another: shared memory belongs to EXTERNAL while others use it."""
    vulkan, lib = device.vulkan, device.vulkan.lib
    barrier = vulkan.struct(
        "VkBufferMemoryBarrier",
        srcAccessMask=lib.VK_ACCESS_TRANSFER_WRITE_BIT if taker == _EXTERNAL else 0,
        dstAccessMask=0 if taker == _EXTERNAL else lib.VK_ACCESS_TRANSFER_WRITE_BIT,
        srcQueueFamilyIndex=giver,
        dstQueueFamilyIndex=taker,
        buffer=buffer,
        size=_WHOLE_SIZE,
    )
    stage, null = lib.VK_PIPELINE_STAGE_TRANSFER_BIT, vulkan.ffi.NULL
    device.get("vkCmdPipelineBarrier", recording, stage, stage, 0, 0, null, 1, barrier, 0, null)


def clear_image(device: Device, image: Any, words: Sequence[int]) -> None:
    """Clear the whole *image* on the device to a colour of four 32-bit *words*, and release it to EXTERNAL."""
    lib = device.vulkan.lib
    with commands(device) as recording:
        undefined, target = lib.VK_IMAGE_LAYOUT_UNDEFINED, lib.VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL
        _image_barrier(device, recording, image, (undefined, target), (_IGNORED, _IGNORED))
        color = device.vulkan.struct_of("VkClearColorValue", uint32=list(words))
        device.get("vkCmdClearColorImage", recording, image, target, color, 1, _whole_image(device))
        # Both halves of an ownership transfer name the same layouts, so the layout changes before the transfer.
        general = lib.VK_IMAGE_LAYOUT_GENERAL
        _image_barrier(device, recording, image, (target, general), (_IGNORED, _IGNORED))
        _image_barrier(device, recording, image, (general, general), (device.queue_family, _EXTERNAL))


def read_image(device: Device, image: Any, buffer: Any, width: int, height: int) -> None:
    """Acquire *image* from EXTERNAL on the device, and copy all of its pixels, tightly packed, into *buffer*."""
    vulkan, lib = device.vulkan, device.vulkan.lib
    with commands(device) as recording:
        source, general = lib.VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, lib.VK_IMAGE_LAYOUT_GENERAL
        _image_barrier(device, recording, image, (general, general), (_EXTERNAL, device.queue_family))
        _image_barrier(device, recording, image, (general, source), (_IGNORED, _IGNORED))
        region = vulkan.struct_of(
            "VkBufferImageCopy",
            imageSubresource={"aspectMask": lib.VK_IMAGE_ASPECT_COLOR_BIT, "layerCount": 1},
            imageExtent={"width": width, "height": height, "depth": 1},
        )
        device.get("vkCmdCopyImageToBuffer", recording, image, source, buffer, 1, region)
        _to_host(device, recording)


def _image_barrier(
    device: Device, recording: Any, image: Any, layouts: tuple[int, int], families: tuple[int | None, int | None]
) -> None:
    vulkan, lib = device.vulkan, device.vulkan.lib
    access = lib.VK_ACCESS_TRANSFER_WRITE_BIT | lib.VK_ACCESS_TRANSFER_READ_BIT
    barrier = vulkan.struct(
        "VkImageMemoryBarrier",
        srcAccessMask=0 if families[0] == _EXTERNAL else access,
        dstAccessMask=0 if families[1] == _EXTERNAL else access,
        oldLayout=layouts[0],
        newLayout=layouts[1],
        srcQueueFamilyIndex=families[0],
        dstQueueFamilyIndex=families[1],
        image=image,
        subresourceRange=_whole_image(device)[0],
    )
    stage, null = lib.VK_PIPELINE_STAGE_TRANSFER_BIT, vulkan.ffi.NULL
    device.get("vkCmdPipelineBarrier", recording, stage, stage, 0, 0, null, 0, null, 1, barrier)


def _whole_image(device: Device) -> Any:
    vulkan = device.vulkan
    aspect = vulkan.lib.VK_IMAGE_ASPECT_COLOR_BIT
    return vulkan.struct_of("VkImageSubresourceRange", aspectMask=aspect, levelCount=1, layerCount=1)
