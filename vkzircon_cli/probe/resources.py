# SPDX-License-Identifier: Apache-2.0
"""Buffers, images and device memory, each for as long as a `with` block lasts, and the forms that are shared."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from vkzircon_cli.bindings.caller import Later
from vkzircon_cli.bindings.memory import Memory as MappedMemory
from vkzircon_cli.bindings.vk import Device, zircon_ffi
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import bits_of
from vkzircon_cli.model.spec import USAGE_TRANSFER_DST, USAGE_TRANSFER_SRC, ZIRCON_VMO
from vkzircon_cli.model.vmo import Form, MemoryRequirements, ResourceKind, Tiling

TRANSFER = USAGE_TRANSFER_SRC | USAGE_TRANSFER_DST
BIND_BUFFER, BIND_IMAGE = "vkBindBufferMemory", "vkBindImageMemory"
_S_TYPE_IMPORT = 1000364000
_WHOLE_SIZE = (1 << 64) - 1
TILINGS = {Tiling.OPTIMAL: 0, Tiling.LINEAR: 1}


@record
class ImageSpec:
    """A 2D image with one level, layer and sample, for transfers only."""

    format: int
    tiling: Tiling
    width: int = 64
    height: int = 64

    @property
    def vk_tiling(self) -> int:
        """Return the VkImageTiling."""
        return TILINGS[self.tiling]


@record
class Resource:
    """A buffer or an image that may be bound to exported or imported memory."""

    kind: ResourceKind
    handle: Any
    needs: MemoryRequirements


Bound = tuple[Resource, int]  # a resource, and the offset in memory at which it is bound


@record
class Memory:
    """A VkDeviceMemory of *size* bytes of one memory type."""

    handle: Any
    size: int
    memory_type: int


@contextmanager
def external_buffer(device: Device, size: int) -> Iterator[Resource]:
    """Create a transfer buffer for exported or imported memory (VUID-vkBindBufferMemory-memory-02726)."""
    external = device.vulkan.struct("VkExternalMemoryBufferCreateInfo", handleTypes=ZIRCON_VMO)
    with _buffer(device, size, external) as (handle, needs):
        yield Resource(ResourceKind.BUFFER, handle, needs)


def _buffer(device: Device, size: int, chained: Any) -> AbstractContextManager[tuple[Any, MemoryRequirements]]:
    return _made(device, "Buffer", device.vulkan.struct("VkBufferCreateInfo", chained, size=size, usage=TRANSFER))


@contextmanager
def host_buffer(device: Device, size: int, host_visible: int) -> Iterator[tuple[Any, Memory]]:
    """Create a buffer of ordinary memory that the host can map; *host_visible* is the mask of such types."""
    with _buffer(device, size, None) as (handle, needs):
        bits = needs.memory_type_bits & host_visible
        if not bits:
            raise NotAsked("no memory type that the host can map takes a buffer")
        bound = Resource(ResourceKind.BUFFER, handle, needs), 0
        with _memory(device, None, needs.size, bits_of(bits)[0], bound=bound) as memory:
            yield handle, memory


@contextmanager
def external_image(device: Device, spec: ImageSpec) -> Iterator[Resource]:
    """Create an image for shared memory, which starts UNDEFINED (VUID-VkImageCreateInfo-pNext-01443)."""
    vulkan = device.vulkan
    external = vulkan.struct("VkExternalMemoryImageCreateInfo", handleTypes=ZIRCON_VMO)
    info = vulkan.struct(
        "VkImageCreateInfo",
        external,
        imageType=vulkan.lib.VK_IMAGE_TYPE_2D,
        format=spec.format,
        extent={"width": spec.width, "height": spec.height, "depth": 1},
        mipLevels=1,
        arrayLayers=1,
        samples=1,
        tiling=spec.vk_tiling,
        usage=TRANSFER,
    )
    with _made(device, "Image", info) as (handle, needs):
        yield Resource(ResourceKind.IMAGE, handle, needs)


@contextmanager
def _made(device: Device, kind: str, create: Any) -> Iterator[tuple[Any, MemoryRequirements]]:
    """Create a buffer or an image, and ask for its requirements.

    The version-2 query is used if the device has it: only that query reports dedicated allocations.
    """
    vulkan = device.vulkan
    name = f"vkGet{kind}MemoryRequirements2"
    if not device.has_function(name):
        found = vulkan.new("VkMemoryRequirements *")
        with device.made(kind, create) as handle:
            device.get(f"vkGet{kind}MemoryRequirements", device.handle, handle[0], found)
            yield handle[0], MemoryRequirements(found.size, found.alignment, found.memoryTypeBits, None)
        return
    dedicated = vulkan.struct("VkMemoryDedicatedRequirements")
    both = vulkan.struct("VkMemoryRequirements2", dedicated)
    info = vulkan.struct(f"Vk{kind}MemoryRequirementsInfo2")
    # The driver writes the handle into the query's structure, so the query can be sent together with the creation.
    handle = vulkan.ffi.addressof(info, kind.lower())
    with device.made(kind, create, handle=handle, then=((name, device.handle, info, both),)):
        found = both.memoryRequirements
        requires = bool(dedicated.requiresDedicatedAllocation)
        yield handle[0], MemoryRequirements(found.size, found.alignment, found.memoryTypeBits, requires)


def imported_memory(
    device: Device,
    handle: int,
    size: int,
    memory_type: int,
    dedicated: Resource | None,
    *,
    export: bool = False,
    handle_type: int = ZIRCON_VMO,
    bound: Bound | None = None,
) -> AbstractContextManager[Memory]:
    """Allocate memory from a VMO. Inside the block the driver owns the handle; after a refusal the caller does.

    With *export* the memory may be exported again (VUID-...-handleType-04776). A resource may be *bound* to it at once.
    """
    chained = _dedicated(device, dedicated)
    info = device.vulkan.new_zircon("VkImportMemoryZirconHandleInfoFUCHSIA *")
    info.sType, info.handleType, info.handle = _S_TYPE_IMPORT, handle_type, handle
    last = _export(device, chained) if export else chained
    if last is not None:
        info.pNext = zircon_ffi.cast("void *", int(device.vulkan.ffi.cast("uintptr_t", last)))
    return _memory(device, info, size, memory_type, kept=last, bound=bound)


def _dedicated(device: Device, resource: Resource | None) -> Any:
    if resource is None:
        return None
    one = {str(resource.kind): resource.handle}
    return device.vulkan.struct("VkMemoryDedicatedAllocateInfo", **one)


def _export(device: Device, chained: Any) -> Any:
    return device.vulkan.struct("VkExportMemoryAllocateInfo", chained, handleTypes=ZIRCON_VMO)


@contextmanager
def _memory(
    device: Device, chained: Any, size: int, memory_type: int, *, kept: Any = None, bound: Bound | None = None
) -> Iterator[Memory]:
    """Allocate memory; *chained* points to *kept*, which must stay alive as long."""
    info = device.vulkan.struct("VkMemoryAllocateInfo", chained, allocationSize=size, memoryTypeIndex=memory_type)
    handle = device.vulkan.new("VkDeviceMemory *")
    then = [_binding(device, bound[0], Later(handle), bound[1])] if bound is not None else []
    for name, *_ in then:
        device.vulkan.on_call.must_return(name)  # checked first: later, an import would already have taken its handle
    with device.made("DeviceMemory", info, by="Allocate", freed_by="Free", handle=handle, then=then):
        del kept
        yield Memory(handle[0], size, memory_type)


def bind(device: Device, resource: Resource, memory: Memory, offset: int = 0) -> None:
    """Bind *resource* to *memory* at *offset*."""
    device.call(*_binding(device, resource, memory.handle, offset))


def _binding(device: Device, resource: Resource, memory: Any, offset: int) -> tuple[Any, ...]:
    name = BIND_BUFFER if resource.kind is ResourceKind.BUFFER else BIND_IMAGE
    return name, device.handle, resource.handle, memory, offset


@contextmanager
def mapped(device: Device, memory: Memory, *, is_coherent: bool) -> Iterator[MappedMemory]:
    """Map all of *memory* for the host, and unless it *is_coherent*, invalidate at the block's start, flush at its end.

    Coherent memory needs neither (memory.adoc, VK_MEMORY_PROPERTY_HOST_COHERENT_BIT).
    """
    vulkan = device.vulkan
    address = vulkan.new("void **")
    device.call("vkMapMemory", device.handle, memory.handle, 0, memory.size, 0, address)
    try:
        if not is_coherent:
            invalidate(device, memory)
        yield vulkan.caller.memory(vulkan.ffi, int(vulkan.ffi.cast("uintptr_t", address[0])), memory.size)
        if not is_coherent:
            flush(device, memory)
    finally:
        device.get("vkUnmapMemory", device.handle, memory.handle)


def flush(device: Device, memory: Memory, call: str = "vkFlushMappedMemoryRanges") -> None:
    """Make the host's writes to mapped *memory* visible to the device; does nothing if the memory is coherent."""
    area = device.vulkan.struct("VkMappedMemoryRange", memory=memory.handle, size=_WHOLE_SIZE)
    device.call(call, device.handle, 1, area)


def invalidate(device: Device, memory: Memory) -> None:
    """Make the device's writes visible to the host, which has *memory* mapped."""
    flush(device, memory, "vkInvalidateMappedMemoryRanges")


@record
class Shape:
    """One form of memory, with a buffer of *size* bytes or an *image*, and *room* to bind it after the start.

    Exporter and importer create the resource with identical create-info, which dedicated forms require
    (VUID-VkMemoryDedicatedAllocateInfo-image-04751 and -buffer-04752).
    """

    form: Form
    size: int
    image: ImageSpec | None
    needs: MemoryRequirements
    room: int = 0

    @property
    def kind(self) -> ResourceKind:
        """Return the kind of resource that is bound to memory of this form."""
        return ResourceKind.IMAGE if self.form.is_image else ResourceKind.BUFFER

    @property
    def is_dedicated(self) -> bool:
        """Whether the memory is for one resource only."""
        return self.form.is_dedicated

    def _dedicated(self, resource: Resource) -> Resource | None:
        return resource if self.is_dedicated else None

    def takes(self, memory_type: int) -> bool:
        """Whether the resource can be bound to memory of this type."""
        return bool(self.needs.memory_type_bits >> memory_type & 1)

    def resource(self, device: Device) -> AbstractContextManager[Resource]:
        """Create the buffer or image."""
        if self.kind is ResourceKind.IMAGE and self.image is not None:
            return external_image(device, self.image)
        return external_buffer(device, self.size)

    @contextmanager
    def exportable(self, device: Device, memory_type: int) -> Iterator[tuple[Memory, Resource]]:
        """Create the resource and memory for it that may be exported; nothing is bound yet."""
        with self.resource(device) as resource, self.exportable_for(device, memory_type, resource) as memory:
            yield memory, resource

    def exportable_for(self, device: Device, memory_type: int, resource: Resource) -> AbstractContextManager[Memory]:
        """Allocate memory for a *resource* that exists already.

        It can be exported as a VMO only: one driver refuses any union of handle types.
        """
        chained = _export(device, _dedicated(device, self._dedicated(resource)))
        return _memory(device, chained, self.needs.size + self.room, memory_type)

    @contextmanager
    def memory(self, device: Device, memory_type: int) -> Iterator[Memory]:
        """Allocate memory that may be exported."""
        with self.exportable(device, memory_type) as (memory, _):
            yield memory

    def unexportable(self, device: Device, memory_type: int) -> AbstractContextManager[Memory]:
        """Allocate memory without an export struct."""
        return _memory(device, None, self.needs.size, memory_type)

    def imported(
        self, device: Device, handle: int, memory_type: int, resource: Resource, *, size: int, **how: Any
    ) -> AbstractContextManager[Memory]:
        """Import for *resource* as `imported_memory`; dedicated memory has the resource's size (VUID-02964, -02965)."""
        return imported_memory(device, handle, size, memory_type, self._dedicated(resource), **how)
