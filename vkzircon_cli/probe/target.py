# SPDX-License-Identifier: Apache-2.0
"""An open device as the steps on it use it: export, import, and look at memory."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import MemoryType
from vkzircon_cli.model.queries import is_host_visible
from vkzircon_cli.model.vmo import Comparison
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, exported_handle, taking, types_taking
from vkzircon_cli.probe.patterns import Pattern, new_pattern
from vkzircon_cli.probe.resources import Memory, Resource, mapped

NOT_VISIBLE = "the memory type is not HOST_VISIBLE"


def choose_type(bits: int, taken: int, preferred: int, types: Sequence[MemoryType]) -> tuple[int, int]:
    """Choose the importing memory type, *preferred* if possible, and return it with all candidates as a mask.

    Raises:
        NotAsked: none of the importer's *types* is in both masks, the VMO's *bits* and those *taken* by the resource.
    """
    candidates = bits & taken & ((1 << len(types)) - 1)
    if not candidates:
        raise NotAsked(f"no memory type takes both the VMO (0x{bits:x}) and what is bound to it (0x{taken:x})")
    lowest = (candidates & -candidates).bit_length() - 1
    return (preferred if candidates >> preferred & 1 else lowest), candidates


@record
class Target:
    """An open device, its memory types, and the *kernel* for a look into VMOs, None where there is no libzircon."""

    device: Device
    types: Sequence[MemoryType]
    kernel: Zircon | None

    def must_have_kernel(self) -> Zircon:
        """Return the kernel.

        Raises:
            NotAsked: there is none.
        """
        if self.kernel is None:
            raise NotAsked(NO_KERNEL)
        return self.kernel

    def is_visible(self, memory_type: int) -> bool:
        """Whether the host can map memory of this type."""
        return is_host_visible(self.types[memory_type])

    def must_be_visible(self, memory_type: int) -> None:
        """Refuse a step that maps memory which the host cannot map.

        Raises:
            NotAsked: the memory type is not HOST_VISIBLE.
        """
        if not self.is_visible(memory_type):
            raise NotAsked(NOT_VISIBLE)

    def visible_types(self) -> int:
        """Return the mask of the memory types that the host can map."""
        return sum(1 << memory_type.index for memory_type in self.types if is_host_visible(memory_type))

    def exported(self, memory: Memory) -> AbstractContextManager[OwnedHandle]:
        """Get a handle to *memory*'s VMO and close it, unless an import took it."""
        return exported_handle(self.device, self.kernel, memory)

    @contextmanager
    def export(self, shape: Shape, memory_type: int) -> Iterator[OwnedHandle]:
        """Allocate memory of *shape* and get a handle to its VMO; then close the one and free the other."""
        with shape.memory(self.device, memory_type) as memory, self.exported(memory) as handle:
            yield handle

    def import_type(self, handle: OwnedHandle, resource: Resource, preferred: int) -> tuple[int, int]:
        """Ask which memory types may import *handle* for *resource*; return as `choose_type` does, and raise as it."""
        bits = types_taking(self.device, handle)
        return choose_type(bits, resource.needs.memory_type_bits, preferred, self.types)

    def imported(
        self,
        shape: Shape,
        handle: OwnedHandle,
        resource: Resource,
        memory_type: int,
        *,
        size: int,
        export: bool = False,
    ) -> AbstractContextManager[Memory]:
        """Import *handle* for *resource*, which is not bound yet: success takes the handle."""
        importing = shape.imported(self.device, handle.usable(), memory_type, resource, size=size, export=export)
        return taking(handle, importing)

    def put(self, memory: Memory, pattern: Pattern | None = None) -> Pattern:
        """Write *pattern*, or a new one over all of *memory*, through a mapping; return what was written.

        Raises:
            NotAsked: the host cannot map the memory.
        """
        self.must_be_visible(memory.memory_type)
        written = pattern or new_pattern(memory.size)
        with mapped(self.device, memory) as view:
            written.put(view)
        return written

    def compare(self, memory: Memory, written: Pattern) -> Comparison:
        """Compare *written* with *memory* through a mapping, up to the end of the shorter one; raises as `put`."""
        self.must_be_visible(memory.memory_type)
        with mapped(self.device, memory) as view:
            return Pattern(written.period, min(written.size, memory.size)).compare(view)
