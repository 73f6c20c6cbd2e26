# SPDX-License-Identifier: Apache-2.0
"""Command buffers, each for as long as a `with` block lasts: fill, clear and copy on the device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from vkzircon_cli.bindings.caller import Later
from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.errors import NotAsked

_NS_PER_S = 1_000_000_000
_WHOLE_SIZE = (1 << 64) - 1
_EXTERNAL = (1 << 32) - 2  # VK_QUEUE_FAMILY_EXTERNAL
_IGNORED = (1 << 32) - 1  # VK_QUEUE_FAMILY_IGNORED


@contextmanager
def commands(device: Device) -> Iterator[Any]:
    """Record one command buffer in the block; at its end submit it and wait until the device has run it.

    Raises `NotAsked` if the device has no queue, or its driver lacks the commands.
    """
    with _command_buffer(device) as buffers:
        yield buffers[0]
        fence = device.vulkan.new("VkFence *")
        then = (("vkEndCommandBuffer", buffers[0]), *_submission(device, buffers, fence))
        with device.made("Fence", device.vulkan.struct("VkFenceCreateInfo"), handle=fence, then=then):
            pass


@contextmanager
def _command_buffer(device: Device) -> Iterator[Any]:
    """Begin one command buffer from a pool of its own; yield it as an array of one."""
    if device.queue_family is None:
        raise NotAsked("the device has no queue that can transfer")
    if not device.has_function("vkQueueSubmit"):
        raise NotAsked("the driver has no vkQueueSubmit")
    vulkan = device.vulkan
    # Without waiting for submitted work, objects that the device still uses would be destroyed.
    vulkan.on_call.must_return("vkWaitForFences")
    pool_info = vulkan.struct("VkCommandPoolCreateInfo", queueFamilyIndex=device.queue_family)
    info = vulkan.struct("VkCommandBufferAllocateInfo", commandBufferCount=1)
    pool = vulkan.ffi.addressof(info, "commandPool")  # the driver writes the pool's handle there
    made = vulkan.new("VkCommandBuffer *")
    then = (
        ("vkAllocateCommandBuffers", device.handle, info, made),
        ("vkBeginCommandBuffer", Later(made), vulkan.struct("VkCommandBufferBeginInfo")),
    )
    with device.made("CommandPool", pool_info, handle=pool, then=then):
        yield made


@contextmanager
def copies(device: Device, source: Any, destination: Any, size: int, *, shared: bool) -> Iterator[Callable[[], None]]:
    """Record a copy of *size* bytes once; yield a function that submits it and waits until it is done.

    A *shared* destination is acquired from EXTERNAL before each copy and released to it afterwards.

    Raises `NotAsked` if the device has no queue, or its driver lacks the commands.
    """
    fence_info = device.vulkan.struct("VkFenceCreateInfo")
    with _command_buffer(device) as buffers, device.made("Fence", fence_info) as fence:
        with _acquired(device, buffers[0], destination, shared=shared):
            _copy(device, buffers[0], source, destination, size)
        device.call("vkEndCommandBuffer", buffers[0])

        def run() -> None:
            device.in_turn(("vkResetFences", device.handle, 1, fence), *_submission(device, buffers, fence))

        yield run


def _submission(device: Device, command_buffers: Any, fence: Any) -> tuple[tuple[Any, ...], ...]:
    """Return the calls that submit and wait for *fence*, which is not signaled yet."""
    info = device.vulkan.struct("VkSubmitInfo", commandBufferCount=1, pCommandBuffers=command_buffers)
    limit_ns = int(device.fence_limit_s * _NS_PER_S)
    return (
        ("vkQueueSubmit", device.queue(), 1, info, Later(fence)),
        ("vkWaitForFences", device.handle, 1, fence, 1, limit_ns),
    )


def fill(device: Device, buffer: Any, word: int) -> None:
    """Fill the whole *buffer* with a 32-bit *word* on the device, visible to the host afterwards."""
    with commands(device) as recording, _acquired(device, recording, buffer):
        device.get("vkCmdFillBuffer", recording, buffer, 0, _WHOLE_SIZE, word)


def copy(device: Device, source: Any, destination: Any, size: int) -> None:
    """Copy *size* bytes between buffers on the device, visible to the host afterwards."""
    with commands(device) as recording, _acquired(device, recording, destination):
        _copy(device, recording, source, destination, size)


def _copy(device: Device, recording: Any, source: Any, destination: Any, size: int) -> None:
    region = device.vulkan.struct_of("VkBufferCopy", size=size)
    device.get("vkCmdCopyBuffer", recording, source, destination, 1, region)


@contextmanager
def _acquired(device: Device, recording: Any, buffer: Any, *, shared: bool = True) -> Iterator[None]:
    """Acquire a *shared* buffer from EXTERNAL at the start; at the end release it, and make it visible to the host."""
    access, families = device.vulkan.lib.VK_ACCESS_TRANSFER_WRITE_BIT, (_EXTERNAL, device.queue_family)
    of_buffer = {"buffer": buffer, "size": _WHOLE_SIZE}
    if shared:
        _transfer(device, recording, "Buffer", families, access, **of_buffer)
    yield
    if shared:
        _transfer(device, recording, "Buffer", families[::-1], access, **of_buffer)
    _to_host(device, recording)


def _to_host(device: Device, recording: Any) -> None:
    """Make the device's writes visible to the host: a fence alone does not (synchronization.adoc)."""
    lib = device.vulkan.lib
    access = {"srcAccessMask": lib.VK_ACCESS_TRANSFER_WRITE_BIT, "dstAccessMask": lib.VK_ACCESS_HOST_READ_BIT}
    _barrier(device, recording, "", lib.VK_PIPELINE_STAGE_HOST_BIT, **access)


def _transfer(
    device: Device, recording: Any, kind: str, families: tuple[int | None, ...], access: int, **fields: Any
) -> None:
    """Transfer memory from one queue family to another: EXTERNAL owns shared memory while others use it."""
    fields["srcAccessMask"], fields["dstAccessMask"] = (0 if family == _EXTERNAL else access for family in families)
    fields["srcQueueFamilyIndex"], fields["dstQueueFamilyIndex"] = families
    _barrier(device, recording, kind, **fields)


def _barrier(device: Device, recording: Any, kind: str, until: int | None = None, **fields: Any) -> None:
    """Record one Vk*kind*MemoryBarrier after transfers and before the stage *until*, other transfers by default."""
    vulkan = device.vulkan
    made, transfer = vulkan.struct(f"Vk{kind}MemoryBarrier", **fields), vulkan.lib.VK_PIPELINE_STAGE_TRANSFER_BIT
    lists = [(1, made) if each == kind else (0, vulkan.ffi.NULL) for each in ("", "Buffer", "Image")]
    device.get("vkCmdPipelineBarrier", recording, transfer, until or transfer, 0, *chain.from_iterable(lists))


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
    lib = device.vulkan.lib
    access = lib.VK_ACCESS_TRANSFER_WRITE_BIT | lib.VK_ACCESS_TRANSFER_READ_BIT
    of_image = {"image": image, "subresourceRange": _whole_image(device)[0]}
    before, after = layouts
    _transfer(device, recording, "Image", families, access, oldLayout=before, newLayout=after, **of_image)


def _whole_image(device: Device) -> Any:
    vulkan = device.vulkan
    aspect = vulkan.lib.VK_IMAGE_ASPECT_COLOR_BIT
    return vulkan.struct_of("VkImageSubresourceRange", aspectMask=aspect, levelCount=1, layerCount=1)
