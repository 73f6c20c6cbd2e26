# SPDX-License-Identifier: Apache-2.0
"""Command buffers for as long as a `with` block lasts, and what they are used for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vkzircon_cli.driver import FENCE_TIMEOUT_NS, Device
from vkzircon_cli.errors import NotAsked

_WHOLE_SIZE = (1 << 64) - 1


@contextmanager
def _command_pool(device: Device) -> Iterator[Any]:
    vulkan = device.vulkan
    info = vulkan.struct("VkCommandPoolCreateInfo", "COMMAND_POOL_CREATE_INFO", queueFamilyIndex=device.queue_family)
    made = vulkan.ffi.new("VkCommandPool *")
    device.call("vkCreateCommandPool", device.handle, info, vulkan.ffi.NULL, made)
    try:
        yield made[0]
    finally:
        device.get("vkDestroyCommandPool", device.handle, made[0], vulkan.ffi.NULL)


@contextmanager
def _fence(device: Device) -> Iterator[Any]:
    vulkan = device.vulkan
    made = vulkan.ffi.new("VkFence *")
    info = vulkan.struct("VkFenceCreateInfo", "FENCE_CREATE_INFO")
    device.call("vkCreateFence", device.handle, info, vulkan.ffi.NULL, made)
    try:
        yield made
    finally:
        device.get("vkDestroyFence", device.handle, made[0], vulkan.ffi.NULL)


@contextmanager
def commands(device: Device) -> Iterator[Any]:
    """Record one command buffer in the block; at its end submit it and wait until the device has run it.

    Raises:
        NotAsked: the device has no queue, or its driver no commands.
    """
    if device.queue_family is None:
        raise NotAsked("the device has no queue that can transfer")
    if not device.has_function("vkQueueSubmit"):
        raise NotAsked("the driver has no vkQueueSubmit")
    vulkan = device.vulkan
    with _command_pool(device) as pool:
        info = vulkan.struct(
            "VkCommandBufferAllocateInfo", "COMMAND_BUFFER_ALLOCATE_INFO", commandPool=pool, commandBufferCount=1
        )
        made = vulkan.ffi.new("VkCommandBuffer *")
        device.call("vkAllocateCommandBuffers", device.handle, info, made)
        device.call(
            "vkBeginCommandBuffer", made[0], vulkan.struct("VkCommandBufferBeginInfo", "COMMAND_BUFFER_BEGIN_INFO")
        )
        yield made[0]
        device.call("vkEndCommandBuffer", made[0])
        _submit(device, made)


def _submit(device: Device, command_buffers: Any) -> None:
    vulkan = device.vulkan
    queue = vulkan.ffi.new("VkQueue *")
    device.get("vkGetDeviceQueue", device.handle, device.queue_family, 0, queue)
    info = vulkan.struct("VkSubmitInfo", "SUBMIT_INFO", commandBufferCount=1, pCommandBuffers=command_buffers)
    with _fence(device) as fence:
        device.call("vkQueueSubmit", queue[0], 1, info, fence[0])
        device.call("vkWaitForFences", device.handle, 1, fence, 1, FENCE_TIMEOUT_NS)


def fill(device: Device, buffer: Any, word: int) -> None:
    """Let the device fill the whole *buffer* with a 32-bit *word*, visible to the host afterwards."""
    vulkan = device.vulkan
    with commands(device) as recording:
        device.get("vkCmdFillBuffer", recording, buffer, 0, _WHOLE_SIZE, word)
        # A fence alone does not make writes visible to the host: that takes a barrier to HOST (synchronization.adoc).
        barrier = vulkan.struct(
            "VkMemoryBarrier",
            "MEMORY_BARRIER",
            srcAccessMask=vulkan.lib.VK_ACCESS_TRANSFER_WRITE_BIT,
            dstAccessMask=vulkan.lib.VK_ACCESS_HOST_READ_BIT,
        )
        source, destination = vulkan.lib.VK_PIPELINE_STAGE_TRANSFER_BIT, vulkan.lib.VK_PIPELINE_STAGE_HOST_BIT
        null = vulkan.ffi.NULL
        device.get("vkCmdPipelineBarrier", recording, source, destination, 0, 1, barrier, 0, null, 0, null)
