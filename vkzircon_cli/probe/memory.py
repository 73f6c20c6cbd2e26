# SPDX-License-Identifier: Apache-2.0
"""Buffers and device memory for as long as a `with` block lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vkzircon_cli.driver import Device, zircon_ffi
from vkzircon_cli.vmo_facts import BufferRequirements
from vkzircon_cli.vocabulary import USAGE_TRANSFER_DST, USAGE_TRANSFER_SRC, ZIRCON_VMO

BUFFER_USAGE = USAGE_TRANSFER_SRC | USAGE_TRANSFER_DST
_S_TYPE_IMPORT = 1000364000
_WHOLE_SIZE = (1 << 64) - 1


class Memory:
    """A VkDeviceMemory and how it came about."""

    def __init__(self, handle: Any, size: int, memory_type: int) -> None:
        self.handle = handle
        self.size = size
        self.memory_type = memory_type


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
def imported_memory(device: Device, handle: int, size: int, memory_type: int) -> Iterator[Memory]:
    """Allocate memory out of a VMO. Inside the block *handle* is the driver's; a refusal leaves it the caller's."""
    info = zircon_ffi.new("VkImportMemoryZirconHandleInfoFUCHSIA *")
    info.sType, info.handleType, info.handle = _S_TYPE_IMPORT, ZIRCON_VMO, handle
    with _memory(device, info, size, memory_type) as memory:
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
    area = vulkan.struct("VkMappedMemoryRange", "MAPPED_MEMORY_RANGE", memory=memory.handle, size=_WHOLE_SIZE)
    device.call(call, device.handle, 1, area)
