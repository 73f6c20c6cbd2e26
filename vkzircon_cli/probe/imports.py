# SPDX-License-Identifier: Apache-2.0
"""Import exported VMOs: the form follows the export, the type both masks, the size the original."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import MemoryType
from vkzircon_cli.model.queries import is_host_visible
from vkzircon_cli.model.vmo import Comparison, Form, Imported, ImportKind, Released
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.export import compared, write
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, exported_handle, owned, taking, types_taking
from vkzircon_cli.probe.import_targets import Places
from vkzircon_cli.probe.memory import Memory, Resource, bind, mapped
from vkzircon_cli.probe.patterns import Pattern, both, new_pattern
from vkzircon_cli.probe.peer import FarImport, SecondProcess
from vkzircon_cli.stream.events import answer_of

_RELEASE_S = 1.0
_OURS = 2  # handles to a VMO while it waits to be imported: the one to be taken, and the one to look with


@record
class Shared:
    """One VMO as two allocations: the exporter's memory, the importer's memory and what is bound to it.

    *handle* is a second handle to the VMO that stays ours. *sees* tells whether the importer's memory is HOST_VISIBLE.
    """

    exporter: Device
    importer: Device
    exported: Memory
    imported: Memory
    resource: Resource
    candidates: int
    handle: OwnedHandle
    sees: bool
    kept: Answer[Comparison]


def choose_type(bits: int, taken: int, preferred: int, types: Sequence[MemoryType]) -> tuple[int, int]:
    """Choose the importing memory type, *preferred* if it may, and give all candidates as a mask.

    Raises:
        NotAsked: none of the importer's *types* is in both masks, the VMO's *bits* and those *taken* by the resource.
    """
    candidates = bits & taken & ((1 << len(types)) - 1)
    if not candidates:
        raise NotAsked(f"no memory type takes both the VMO (0x{bits:x}) and what is bound to it (0x{taken:x})")
    lowest = (candidates & -candidates).bit_length() - 1
    return (preferred if candidates >> preferred & 1 else lowest), candidates


class ImportProbe:
    """Imports what one device exports, everywhere and in every way."""

    def __init__(
        self,
        device: Device,
        kernel: Zircon | None,
        places: Places,
        types: Sequence[MemoryType],
        *,
        can_export_again: Mapping[Form, bool],
    ) -> None:
        self._device = device
        self._kernel = kernel
        self._places = places
        self._types = types
        self._can_export_again = can_export_again

    def probe(self, kind: ImportKind, shape: Shape, memory_type: int) -> Imported:
        """Import once the way of *kind* and look whether memory is shared both ways.

        Raises:
            NotAsked: it did not come to an import; what was refused before one is no import's fault.
            Refused: the import, or binding to it.
        """
        if kind is ImportKind.OWN_VMO:
            return self._own_vmo(shape, memory_type)
        with self.shared(kind, shape, memory_type) as shared:
            return self._imported(shared, answer_of(lambda: self._seen(kind, shape, shared)))

    @contextmanager
    def shared(self, kind: ImportKind, shape: Shape, memory_type: int) -> Iterator[Shared]:
        """Export, import and bind in the order that *kind* asks for; raises as `probe`."""
        if kind in _PLAIN_ONLY and shape.is_dedicated:
            raise NotAsked("dedicated memory is bound at its start and has its resource's size")
        if kind is ImportKind.RE_EXPORT and not self._can_export_again[shape.form]:
            raise NotAsked("exportFromImportedHandleTypes does not have ZIRCON_VMO")
        importer, types = self._places.find(kind)
        used = shape.with_room() if kind is ImportKind.BIND_OFFSET else shape
        with ExitStack() as stack:
            try:
                exported, handle, kept_handle, source = self._export(stack, kind, used, memory_type)
                resource = stack.enter_context(used.resource(importer))
            except Refused as refused:
                raise NotAsked(f"{refused.said}, before an import") from refused
            size = self._size_to_import(kind, handle, exported.size)
            bits = types_taking(importer, handle)
            import_type, candidates = choose_type(bits, resource.needs.memory_type_bits, memory_type, types)
            sees = is_host_visible(types[import_type])
            written = answer_of(lambda: self._write_before(exported))
            again = kind is ImportKind.RE_EXPORT
            importing = used.imported(importer, handle.value, import_type, resource, size=size, export=again)
            imported = stack.enter_context(taking(handle, importing))
            if kind is ImportKind.EXPORT_IMPORT_BIND_BIND:
                bind(self._device, source, exported)
            bind(importer, resource, imported, used.room)
            yield Shared(
                exporter=self._device,
                importer=importer,
                exported=exported,
                imported=imported,
                resource=resource,
                candidates=candidates,
                handle=kept_handle,
                sees=sees,
                kept=answer_of(lambda: self._still(importer, imported, written, sees=sees)),
            )

    def _export(
        self, stack: ExitStack, kind: ImportKind, shape: Shape, memory_type: int
    ) -> tuple[Memory, OwnedHandle, OwnedHandle, Resource]:
        exported, source = stack.enter_context(shape.exportable(self._device, memory_type))
        if kind in _BINDS_SOURCE and not source.needs.memory_type_bits >> memory_type & 1:
            raise NotAsked("what is bound does not take this memory type")  # VUID-vkBindBufferMemory-memory-01035
        if kind is ImportKind.BIND_EXPORT_IMPORT_BIND:
            bind(self._device, source, exported)
        handle = stack.enter_context(exported_handle(self._device, self._kernel, exported))
        if kind is ImportKind.EXPORT_BIND_IMPORT_BIND:
            bind(self._device, source, exported)
        kept = stack.enter_context(self._second_handle(exported, handle))
        return exported, handle, kept, source

    @contextmanager
    def _second_handle(self, exported: Memory, handle: OwnedHandle) -> Iterator[OwnedHandle]:
        """Make a handle to look into the VMO with while the import has the other: a duplicate, or another get."""
        if self._kernel is not None and handle.has_right("DUPLICATE"):
            with owned(self._kernel, self._kernel.duplicate(handle.usable())) as duplicate:
                yield duplicate
        else:
            with exported_handle(self._device, self._kernel, exported) as second:
                yield second

    def _size_to_import(self, kind: ImportKind, handle: OwnedHandle, size: int) -> int:
        """Keep to VUID-VkMemoryAllocateInfo-allocationSize-07903: an import never asks for more than the VMO holds."""
        value = handle.usable()
        if self._kernel is None:
            if kind is ImportKind.WHOLE_SIZE:
                raise NotAsked(NO_KERNEL)
            return size
        held = self._kernel.vmo_size(value)
        if held < size:
            raise NotAsked(f"the VMO holds {held} bytes, less than the {size} that were allocated")
        return held if kind is ImportKind.WHOLE_SIZE else size

    def _sees(self, exported: Memory) -> bool:
        return is_host_visible(self._types[exported.memory_type])

    def _write_before(self, exported: Memory) -> Pattern:
        _must_see(self._sees(exported))
        return _put(self._device, exported)

    def _still(self, importer: Device, imported: Memory, written: Answer[Pattern], *, sees: bool) -> Comparison:
        """Compare what was written before the import with what the import reads: it must not change the contents."""
        if written.value is None:
            raise NotAsked(written.missing.reason if written.missing else "nothing was written before")
        _must_see(sees)
        with mapped(importer, imported) as view:
            return written.value.compare(view)

    def _seen(self, kind: ImportKind, shape: Shape, shared: Shared) -> Comparison:
        """Write through the import and read on every other side, and through a second import or export where asked."""
        _must_see(self._sees(shared.exported) and shared.sees)
        if kind is ImportKind.TWICE:
            with self._again(shape, shared) as second:
                written = _put(shared.importer, second)
                return both(self._in_exported(shared, written), _look(shared.importer, shared.imported, written))
        written = _put(shared.importer, shared.imported)
        seen = self._in_exported(shared, written)
        if kind is ImportKind.RE_EXPORT:
            with exported_handle(shared.importer, self._kernel, shared.imported) as again:
                return both(seen, compared(again, written))
        return seen

    def _in_exported(self, shared: Shared, written: Pattern) -> Comparison:
        return _look(shared.exporter, shared.exported, written)

    @contextmanager
    def _again(self, shape: Shape, shared: Shared) -> Iterator[Memory]:
        """Import the same VMO a second time on the same device."""
        with (
            shape.resource(shared.importer) as resource,
            exported_handle(self._device, self._kernel, shared.exported) as handle,
            taking(
                handle,
                shape.imported(
                    shared.importer, handle.usable(), shared.imported.memory_type, resource, size=shared.imported.size
                ),
            ) as second,
        ):
            bind(shared.importer, resource, second)
            yield second

    def _imported(self, shared: Shared, seen: Answer[Comparison]) -> Imported:
        return Imported(
            memory_type=shared.imported.memory_type,
            candidates=shared.candidates,
            allocation_size=shared.imported.size,
            kept=shared.kept,
            shared=seen,
        )

    def in_second_process(self, shape: Shape, memory_type: int, second: SecondProcess) -> Imported:
        """Have another process import what is exported here: it sees our bytes, and we see its own; raises as `probe`.

        It has freed its memory again by the time that we look: what it wrote is in the VMO.
        """
        kind = ImportKind.SECOND_PROCESS
        second.must_be_there()
        with ExitStack() as stack:
            try:
                exported, handle, _, _ = self._export(stack, kind, shape, memory_type)
                size = self._size_to_import(kind, handle, exported.size)
            except Refused as refused:
                raise NotAsked(f"{refused.said}, before an import") from refused
            before, after = answer_of(lambda: self._write_before(exported)).value, new_pattern(exported.size)
            asked = FarImport(
                form=shape.form,
                memory_type=memory_type,
                allocation_size=size,
                size=shape.size,
                image=shape.image,
                before=before.period.hex() if before is not None else "",
                after=after.period.hex(),
            )
            found = second.imports(asked, handle)
            if found.shared.value is None:
                return found
            return replace(found, shared=answer_of(lambda: self._seen_here(exported, after)))

    def _seen_here(self, exported: Memory, written: Pattern) -> Comparison:
        _must_see(self._sees(exported))
        return _look(self._device, exported, written)

    def _own_vmo(self, shape: Shape, memory_type: int) -> Imported:
        """Import a VMO that never came from Vulkan, one page larger than what is asked for."""
        if shape.is_dedicated:
            raise NotAsked("a VMO of our own was never a dedicated allocation")
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        size = shape.needs.size
        made = self._kernel.create(size + self._kernel.page_size())
        with owned(self._kernel, made) as handle, shape.resource(self._device) as resource:
            bits = types_taking(self._device, handle)
            import_type, candidates = choose_type(bits, resource.needs.memory_type_bits, memory_type, self._types)
            with owned(self._kernel, self._kernel.duplicate(made)) as kept:
                written = new_pattern(size)
                write(kept, written)
                importing = shape.imported(self._device, handle.value, import_type, resource, size=size)
                with taking(handle, importing) as imported:
                    bind(self._device, resource, imported)
                    still = answer_of(
                        lambda: self._still(self._device, imported, Answer(written), sees=self._sees(imported))
                    )
                    seen = answer_of(lambda: self._into_own(imported, kept))
                    return Imported(import_type, candidates, size, still, seen)

    def _into_own(self, imported: Memory, kept: OwnedHandle) -> Comparison:
        _must_see(self._sees(imported))
        return compared(kept, _put(self._device, imported))

    def releases(self, shape: Shape, memory_type: int) -> Released:
        """Count the VMO's handles before an import and after its memory was freed; the number itself tells nothing."""
        with ExitStack() as stack:
            try:
                exported, _ = stack.enter_context(shape.exportable(self._device, memory_type))
                handle = stack.enter_context(exported_handle(self._device, self._kernel, exported))
                kept = stack.enter_context(self._second_handle(exported, handle))
            except Refused as refused:
                raise NotAsked(f"{refused.said}, before an import") from refused
            kernel, value = kept.kernel("INSPECT")
            before = kernel.handle_count(value)
            if before < _OURS:  # a copy was looked at, or this kernel does not count
                raise NotAsked(f"the kernel counts {before} of the {_OURS} handles that are open")
            size = self._size_to_import(ImportKind.SAME_DEVICE, handle, exported.size)
            with shape.resource(self._device) as resource:
                taken = resource.needs.memory_type_bits
                import_type, _ = choose_type(types_taking(self._device, handle), taken, memory_type, self._types)
                importing = shape.imported(self._device, handle.value, import_type, resource, size=size)
                with taking(handle, importing):
                    pass
            return Released(before, _settled(kernel, value, before - 1))


def _must_see(sees: bool) -> None:
    if not sees:
        raise NotAsked("the memory type is not HOST_VISIBLE")


_BINDS_SOURCE = (
    ImportKind.BIND_EXPORT_IMPORT_BIND,
    ImportKind.EXPORT_BIND_IMPORT_BIND,
    ImportKind.EXPORT_IMPORT_BIND_BIND,
)
_PLAIN_ONLY = (ImportKind.WHOLE_SIZE, ImportKind.BIND_OFFSET)


def _put(device: Device, memory: Memory) -> Pattern:
    """Write a new pattern over all of *memory*."""
    written = new_pattern(memory.size)
    with mapped(device, memory) as view:
        written.put(view)
    return written


def _look(device: Device, memory: Memory, written: Pattern) -> Comparison:
    """Compare *written* with *memory*, as far as that goes."""
    with mapped(device, memory) as view:
        return Pattern(written.period, min(written.size, memory.size)).compare(view)


def _settled(kernel: Zircon, handle: int, wanted: int) -> int:
    """Ask for the count until it is *wanted*, a second long: a driver may free behind a thread of its own."""
    deadline = time.monotonic() + _RELEASE_S
    while (count := kernel.handle_count(handle)) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return count
