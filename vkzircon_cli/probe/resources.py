# SPDX-License-Identifier: Apache-2.0
"""Buffers, memory, handles and command buffers for as long as a `with` block lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vkzircon_cli.driver import FENCE_TIMEOUT_NS, Device, zircon_ffi
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.facts import BufferRequirements, Handle, not_asked
from vkzircon_cli.vocabulary import (
    USAGE_TRANSFER_DST,
    USAGE_TRANSFER_SRC,
    ZIRCON_VMO,
    handle_text,
    looks_like_handle,
)
from vkzircon_cli.zircon import Zircon, undescribed

_S_TYPE_IMPORT, _S_TYPE_PROPERTIES, _S_TYPE_GET = 1000364000, 1000364001, 1000364002
# No handle has both low bits clear, so a driver that wrote nothing is told from one that wrote a handle.
_UNWRITTEN_HANDLE = 0xFFFFFFFC
BUFFER_USAGE = USAGE_TRANSFER_SRC | USAGE_TRANSFER_DST


class Memory:
    """A VkDeviceMemory and how it came about."""

    def __init__(self, handle: Any, size: int, memory_type: int) -> None:
        self.handle = handle
        self.size = size
        self.memory_type = memory_type


class OwnedHandle:
    """A handle that the export gave us. Once *taken* by an import it is not ours: not closed, not asked about."""

    def __init__(self, value: int, written: bool) -> None:
        self.value = value
        self.written = written
        self.taken = False

    def usable(self, kernel: Zircon | None) -> int:
        """Give the number for the next call.

        Raises:
            NotAsked: it is not a handle, so no call may have it.
        """
        if not self.written or not looks_like_handle(self.value) or (kernel and not kernel.valid(self.value)):
            raise NotAsked(f"the exported {handle_text(self.value)} is not a handle")
        return self.value


@contextmanager
def external_buffer(device: Device, size: int) -> Iterator[tuple[Any, BufferRequirements]]:
    """Create a transfer buffer for exported or imported memory (VUID-vkBindBufferMemory-memory-02726)."""
    vulkan = device.vulkan
    external = vulkan.struct(
        "VkExternalMemoryBufferCreateInfo", "EXTERNAL_MEMORY_BUFFER_CREATE_INFO", handleTypes=ZIRCON_VMO
    )
    info = vulkan.struct("VkBufferCreateInfo", "BUFFER_CREATE_INFO", external, size=size, usage=BUFFER_USAGE)
    made = vulkan.ffi.new("VkBuffer *")
    device.call("vkCreateBuffer", device.handle, info, vulkan.ffi.NULL, made)
    try:
        found = vulkan.ffi.new("VkMemoryRequirements *")
        device.get("vkGetBufferMemoryRequirements", device.handle, made[0], found)
        yield made[0], BufferRequirements(size, found.size, found.alignment, found.memoryTypeBits)
    finally:
        device.get("vkDestroyBuffer", device.handle, made[0], vulkan.ffi.NULL)


@contextmanager
def exportable_memory(device: Device, size: int, memory_type: int) -> Iterator[Memory]:
    """Allocate memory that may be exported: asked for the VMO type alone, as one driver refuses any union."""
    export = device.vulkan.struct("VkExportMemoryAllocateInfo", "EXPORT_MEMORY_ALLOCATE_INFO", handleTypes=ZIRCON_VMO)
    with _memory(device, export, size, memory_type) as memory:
        yield memory


@contextmanager
def imported_memory(device: Device, handle: OwnedHandle, size: int, memory_type: int) -> Iterator[Memory]:
    """Allocate memory out of a VMO. Success takes *handle*; a failure leaves it with us."""
    info = zircon_ffi.new("VkImportMemoryZirconHandleInfoFUCHSIA *")
    info.sType, info.handleType, info.handle = _S_TYPE_IMPORT, ZIRCON_VMO, handle.value
    with _memory(device, info, size, memory_type) as memory:
        handle.taken = True
        yield memory


@contextmanager
def _memory(device: Device, chained: Any, size: int, memory_type: int) -> Iterator[Memory]:
    vulkan = device.vulkan
    info = vulkan.struct(
        "VkMemoryAllocateInfo", "MEMORY_ALLOCATE_INFO", chained, allocationSize=size, memoryTypeIndex=memory_type
    )
    made = vulkan.ffi.new("VkDeviceMemory *")
    device.call("vkAllocateMemory", device.handle, info, vulkan.ffi.NULL, made)
    try:
        yield Memory(made[0], size, memory_type)
    finally:
        device.get("vkFreeMemory", device.handle, made[0], vulkan.ffi.NULL)


def bind(device: Device, buffer: Any, memory: Memory) -> None:
    """Bind *buffer* to the start of *memory*."""
    device.call("vkBindBufferMemory", device.handle, buffer, memory.handle, 0)


@contextmanager
def exported_handle(device: Device, kernel: Zircon | None, memory: Memory) -> Iterator[OwnedHandle]:
    """Get a handle to *memory*'s VMO and close it, unless an import took it."""
    vulkan = device.vulkan
    info = zircon_ffi.new("VkMemoryGetZirconHandleInfoFUCHSIA *")
    info.sType, info.handleType = _S_TYPE_GET, ZIRCON_VMO
    info.memory = int(vulkan.ffi.cast("uintptr_t", memory.handle))
    value = zircon_ffi.new("zx_handle_t *", _UNWRITTEN_HANDLE)
    own_device = zircon_ffi.cast("void *", int(vulkan.ffi.cast("uintptr_t", device.handle)))
    device.call("vkGetMemoryZirconHandleFUCHSIA", own_device, info, value)
    handle = OwnedHandle(int(value[0]), value[0] != _UNWRITTEN_HANDLE)
    try:
        yield handle
    finally:
        if not handle.taken:
            _give_up(device, kernel, handle, memory)


def _give_up(device: Device, kernel: Zircon | None, handle: OwnedHandle, memory: Memory) -> None:
    """Close a handle; where no kernel is at hand an import, freed at once, is the only way to be rid of it."""
    if kernel is not None:
        kernel.close(handle.value)
    elif handle.written and looks_like_handle(handle.value):
        try:
            with imported_memory(device, handle, memory.size, memory.memory_type):
                pass
        except Refused:
            handle.taken = False


def describe(kernel: Zircon | None, handle: OwnedHandle) -> Handle:
    """Collect what the kernel says of *handle*, or why there is nobody to ask."""
    if kernel is None:
        reason = "no libzircon"
        return undescribed(handle.value, handle.written, not_asked(reason), reason)
    return kernel.describe(handle.value, handle.written)


class PropertiesCall:
    """One vkGetMemoryZirconHandlePropertiesFUCHSIA: the bits, and whether the structure's header was left alone."""

    def __init__(self, device: Device, handle: int, sentinel: int) -> None:
        found = zircon_ffi.new("VkMemoryZirconHandlePropertiesFUCHSIA *")
        found.sType, found.memoryTypeBits = _S_TYPE_PROPERTIES, sentinel
        own_device = zircon_ffi.cast("void *", int(device.vulkan.ffi.cast("uintptr_t", device.handle)))
        device.call("vkGetMemoryZirconHandlePropertiesFUCHSIA", own_device, ZIRCON_VMO, handle, found)
        self.bits = int(found.memoryTypeBits)
        self.header_kept = found.sType == _S_TYPE_PROPERTIES and found.pNext == zircon_ffi.NULL


@contextmanager
def mapped(device: Device, memory: Memory) -> Iterator[memoryview]:
    """Map all of *memory* for the host; what was written before is made visible first, what is written here last."""
    ffi = device.vulkan.ffi
    address = ffi.new("void **")
    device.call("vkMapMemory", device.handle, memory.handle, 0, memory.size, 0, address)
    try:
        _mapped_range(device, "vkInvalidateMappedMemoryRanges", memory)
        yield memoryview(ffi.buffer(ffi.cast("uint8_t *", address[0]), memory.size))
        _mapped_range(device, "vkFlushMappedMemoryRanges", memory)
    finally:
        device.get("vkUnmapMemory", device.handle, memory.handle)


def _mapped_range(device: Device, call: str, memory: Memory) -> None:
    """Flush or invalidate; harmless where memory is coherent, and what makes the bytes real where it is not."""
    vulkan = device.vulkan
    whole = (1 << 64) - 1
    area = vulkan.struct("VkMappedMemoryRange", "MAPPED_MEMORY_RANGE", memory=memory.handle, size=whole)
    device.call(call, device.handle, 1, area)


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
        device.get("vkCmdFillBuffer", recording, buffer, 0, (1 << 64) - 1, word)
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
