# SPDX-License-Identifier: Apache-2.0
"""Import exported VMOs, and move bytes between the two sides.

An import has the form of the export, a memory type that is in both masks, and the size of the original.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.queries import is_host_coherent
from vkzircon_cli.model.request import DEFAULT_SIZE
from vkzircon_cli.model.vmo import Comparison, Form, Imported, ImportKind, Released, RoundTrip, Trial, Write
from vkzircon_cli.probe.commands import copy, fill
from vkzircon_cli.probe.export import compared, compared_by_read, write
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, duplicated, owned
from vkzircon_cli.probe.patterns import Pattern, both, new_pattern, new_word
from vkzircon_cli.probe.peer import FarImport, Peer
from vkzircon_cli.probe.resources import Memory, Resource, Shape, bind, external_buffer, host_buffer
from vkzircon_cli.probe.target import ImportTargets, Target, before_import
from vkzircon_cli.stream.events import answer_of

_RELEASE_S, _LEAST_PAUSES = 1.0, 5
_SMALL = 1024  # bytes, less than a page, as in the conformance tests (zircon_vmo)
_TRIALS = 4  # sizes to try between one that works and its double, to find the largest
# How often a round trip moves its bytes at most: two new buffers, two writes and a copy, five comparisons.
PASSES = 10
_OURS = 2  # handles to a VMO before its import: one for the import, one to examine the VMO
BIND_ORDERS = (
    ImportKind.BIND_EXPORT_IMPORT_BIND,
    ImportKind.EXPORT_BIND_IMPORT_BIND,
    ImportKind.EXPORT_IMPORT_BIND_BIND,
)
_OWN_VMO = (ImportKind.OWN_VMO, ImportKind.OWN_VMO_EXACT)
_PLAIN_ONLY = (ImportKind.WHOLE_SIZE, ImportKind.BIND_OFFSET)


@record
class Shared:
    """One VMO as two allocations: *exported* memory, and memory *imported* on the *importer* with its resource.

    *handle* is a second handle to the VMO, which this process keeps.
    """

    importer: Target
    exported: Memory
    imported: Memory
    resource: Resource
    candidates: int
    handle: OwnedHandle
    kept: Answer[Comparison]


@record
class ImportProbe:
    """Imports what one device exports, on every device and in every way."""

    target: Target
    elsewhere: ImportTargets
    can_export_again: Mapping[Form, bool]

    def probe(self, kind: ImportKind, shape: Shape, memory_type: int) -> Imported:
        """Import once in the way of *kind*, and compare the bytes on both sides.

        Raises:
            NotAsked: a step before the import failed, which is not the import's fault.
            Refused: the import or the binding failed.
        """
        if kind in _OWN_VMO:
            return self._own_vmo(kind, shape, memory_type)
        with self.shared(kind, shape, memory_type) as shared:
            return Imported(
                memory_type=shared.imported.memory_type,
                candidates=shared.candidates,
                allocation_size=shared.imported.size,
                kept=shared.kept,
                shared=answer_of(partial(self._seen, kind, shape, shared)),
            )

    @contextmanager
    def shared(self, kind: ImportKind, shape: Shape, memory_type: int) -> Iterator[Shared]:
        """Export, import and bind in the order of *kind*; raises as `probe`."""
        if kind in _PLAIN_ONLY and shape.is_dedicated:
            raise NotAsked("dedicated memory is bound at its start and has its resource's size")
        if kind is ImportKind.RE_EXPORT and not self.can_export_again[shape.form]:
            raise NotAsked("exportFromImportedHandleTypes does not have ZIRCON_VMO")
        importer, used = self.elsewhere.find(kind), self._used(kind, shape)
        with ExitStack() as stack:
            export = partial(self._export, stack, kind, used, memory_type)
            # Memory of the usual size was exported before; this kind tests whether the driver refuses less.
            exported, handle, kept_handle, source = export() if kind is ImportKind.SMALL else before_import(export)
            resource = before_import(lambda: stack.enter_context(used.resource(importer.device)))
            size = self._size_to_import(kind, handle, exported.size)
            import_type, candidates = importer.import_type(handle, resource, memory_type)
            written = answer_of(partial(self.target.put, exported))
            again, is_last = kind is ImportKind.RE_EXPORT, kind is ImportKind.EXPORT_IMPORT_BIND_BIND
            how = {"size": size, "export": again, "bound": None if is_last else (resource, used.room)}
            imported = stack.enter_context(importer.imported(used, handle, resource, import_type, **how))
            if is_last:
                bind(self.target.device, source, exported)
                bind(importer.device, resource, imported)
            yield Shared(
                importer=importer,
                exported=exported,
                imported=imported,
                resource=resource,
                candidates=candidates,
                handle=kept_handle,
                kept=answer_of(partial(_still, importer, imported, written)),
            )

    def _used(self, kind: ImportKind, shape: Shape) -> Shape:
        """Return the shape to share in the way of *kind*."""
        if kind is ImportKind.BIND_OFFSET:
            return replace(shape, room=shape.needs.alignment)
        if kind is not ImportKind.SMALL:
            return shape
        if shape.form.is_image:
            raise NotAsked("the size of an image follows from its format")
        return self._sized(shape.form, _SMALL)

    def _sized(self, form: Form, size: int) -> Shape:
        """Return the shape of a buffer of *size* bytes."""
        with external_buffer(self.target.device, size) as buffer:
            return Shape(form, size, None, buffer.needs)

    def _export(
        self, stack: ExitStack, kind: ImportKind, shape: Shape, memory_type: int
    ) -> tuple[Memory, OwnedHandle, OwnedHandle, Resource]:
        exported, source = stack.enter_context(shape.exportable(self.target.device, memory_type))
        if kind in BIND_ORDERS and not source.needs.memory_type_bits >> memory_type & 1:
            raise NotAsked("the resource does not take this memory type")  # VUID-vkBindBufferMemory-memory-01035
        if kind is ImportKind.BIND_EXPORT_IMPORT_BIND:
            bind(self.target.device, source, exported)
        handle = stack.enter_context(self.target.exported(exported))
        if kind is ImportKind.EXPORT_BIND_IMPORT_BIND:
            bind(self.target.device, source, exported)
        kept = stack.enter_context(self._second_handle(exported, handle))
        return exported, handle, kept, source

    @contextmanager
    def _second_handle(self, exported: Memory, handle: OwnedHandle) -> Iterator[OwnedHandle]:
        """Make a handle to examine the VMO while the import owns the other: a duplicate, or a second export."""
        kernel = self.target.kernel
        if kernel is not None and handle.has_right("DUPLICATE"):
            with duplicated(kernel, handle.usable()) as duplicate:
                yield duplicate
        else:
            with self.target.exported(exported) as second:
                yield second

    def _size_to_import(self, kind: ImportKind, handle: OwnedHandle, size: int) -> int:
        """Keep to VUID-VkMemoryAllocateInfo-allocationSize-07903: an import is never larger than the VMO."""
        value = handle.usable()
        if self.target.kernel is None:
            if kind is ImportKind.WHOLE_SIZE:
                raise NotAsked(NO_KERNEL)
            return size
        held = self.target.kernel.vmo_size(value)
        if held < size:
            raise NotAsked(f"the VMO holds {held} bytes, less than the {size} that were allocated")
        return held if kind is ImportKind.WHOLE_SIZE else size

    def _seen(self, kind: ImportKind, shape: Shape, shared: Shared) -> Comparison:
        """Write through the import and read on every other side, also through a second import or export of *kind*."""
        importer = shared.importer
        self.target.must_be_visible(shared.exported.memory_type)
        importer.must_be_visible(shared.imported.memory_type)
        if kind is ImportKind.TWICE:
            with self._again(shape, shared) as second:
                written = importer.put(second)
                return both(self.target.compare(shared.exported, written), importer.compare(shared.imported, written))
        written = importer.put(shared.imported)
        seen = self.target.compare(shared.exported, written)
        if kind is ImportKind.RE_EXPORT:
            with importer.exported(shared.imported) as again:
                return both(seen, compared(again, written))
        return seen

    @contextmanager
    def _again(self, shape: Shape, shared: Shared) -> Iterator[Memory]:
        """Import the same VMO a second time on the same device."""
        importer, first = shared.importer, shared.imported
        with (
            shape.resource(importer.device) as resource,
            self.target.exported(shared.exported) as handle,
            importer.imported(
                shape, handle, resource, first.memory_type, size=first.size, bound=(resource, 0)
            ) as second,
        ):
            yield second

    def in_second_process(self, peer: Peer, kind: ImportKind, shape: Shape, memory_type: int) -> Imported:
        """Have another process import the exported VMO; each compares what the other wrote; raises as `probe`.

        The other process frees its memory before this one compares: the bytes that it wrote must be in the VMO.
        """
        target = self.target
        peer.must_be_there()
        with ExitStack() as stack:
            exported, handle, _, _ = before_import(partial(self._export, stack, kind, shape, memory_type))
            size = before_import(partial(self._size_to_import, kind, handle, exported.size))
            before, after = answer_of(partial(target.put, exported)).value, new_pattern(exported.size)
            periods = before.period.hex() if before is not None else "", after.period.hex()
            found = peer.imports(FarImport(shape.form, memory_type, size, shape.size, shape.image, *periods), handle)
            if found.shared.value is None:
                return found
            return replace(found, shared=answer_of(partial(target.compare, exported, after)))

    def _own_vmo(self, kind: ImportKind, shape: Shape, memory_type: int) -> Imported:
        """Import a VMO that Vulkan did not export."""
        if shape.is_dedicated:
            raise NotAsked("a VMO of our own was never a dedicated allocation")
        kernel, target, size = self.target.must_have_kernel(), self.target, shape.needs.size
        made = kernel.create(size + (kernel.page_size() if kind is ImportKind.OWN_VMO else 0))
        with owned(kernel, made) as handle, shape.resource(target.device) as resource:
            import_type, candidates = target.import_type(handle, resource, memory_type)
            with duplicated(kernel, made) as kept:
                written = new_pattern(size)
                write(kept, written)
                how = {"size": size, "bound": (resource, 0)}
                with target.imported(shape, handle, resource, import_type, **how) as imported:
                    still = answer_of(partial(_still, target, imported, Answer(written)))
                    seen = answer_of(lambda: compared(kept, target.put(imported)))
                    return Imported(import_type, candidates, size, still, seen)

    def releases(self, shape: Shape, memory_type: int) -> Released:
        """Count the VMO's handles before an import and after its memory was freed: one must be closed by then.

        A service may open its own handle late (magma does when it reads its message). So a second import, after a
        wait, must confirm an unexpected count.
        """
        with ExitStack() as stack:
            exported, handle, kept, _ = before_import(
                partial(self._export, stack, ImportKind.SAME_DEVICE, shape, memory_type)
            )
            size = self._size_to_import(ImportKind.SAME_DEVICE, handle, exported.size)
            import_once = partial(self._import_once, shape, memory_type, size)
            found = _released(kept, partial(import_once, handle))
            if found.settled and found.after != found.before - 1:
                with self._second_handle(exported, kept) as again:
                    found = _released(kept, partial(import_once, again))
            return found

    def _import_once(self, shape: Shape, memory_type: int, size: int, handle: OwnedHandle) -> None:
        with shape.resource(self.target.device) as resource:
            import_type, _ = self.target.import_type(handle, resource, memory_type)
            with self.target.imported(shape, handle, resource, import_type, size=size):
                pass

    def largest(self, form: Form, memory_type: int, asked: int) -> Trial:
        """Try to share *asked* bytes; if they are refused, halve the size until it works, then try sizes in between.

        Raises `NotAsked` if the usual size is refused too: then the size is not the reason.
        """
        refused = self._refusal(form, memory_type, asked)
        if not refused:
            return Trial(asked, "")
        if self._refusal(form, memory_type, DEFAULT_SIZE):
            raise NotAsked("memory of the usual size cannot be shared either")
        least, most = asked // 2, asked
        while least > DEFAULT_SIZE and self._refusal(form, memory_type, least):
            least, most = least // 2, least
        least = max(least, DEFAULT_SIZE)
        for _ in range(_TRIALS):
            middle = (least + most) // 2 & -_SMALL
            if middle <= least:
                break
            least, most = (least, middle) if self._refusal(form, memory_type, middle) else (middle, most)
        return Trial(least, refused)

    def _refusal(self, form: Form, memory_type: int, size: int) -> str:
        """Export and import *size* bytes without touching them; return what was refused, '' if nothing was."""
        device = self.target.device
        try:
            shape = self._sized(form, size)
            with self.target.export(shape, memory_type) as handle, shape.resource(device) as resource:
                import_type, _ = self.target.import_type(handle, resource, memory_type)
                with self.target.imported(shape, handle, resource, import_type, size=shape.needs.size):
                    return ""
        except Refused as refused:
            return refused.said

    def round_trip(self, write: Write, form: Form, memory_type: int, size: int) -> RoundTrip:
        """Write *size* bytes in one way and read them in every other way.

        Raises `NotAsked` if that way cannot be used.
        """
        shape = self._sized(form, size)
        with self.shared(ImportKind.SAME_DEVICE, shape, memory_type) as shared:
            written = self._write(write, shared, size)
            return RoundTrip(
                size=written.size,
                through_export_map=answer_of(partial(self.target.compare, shared.exported, written)),
                through_import_map=answer_of(partial(self.target.compare, shared.imported, written)),
                through_vmo_read=answer_of(partial(self._through_vmo, shared, written, by_map=False)),
                through_vmo_map=answer_of(partial(self._through_vmo, shared, written, by_map=True)),
            )

    def _write(self, write: Write, shared: Shared, size: int) -> Pattern:
        device = self.target.device
        if write is Write.GPU_FILL:
            pattern = new_word(size)
            fill(device, shared.resource.handle, int.from_bytes(pattern.period, "little"))
            return pattern
        pattern = new_pattern(size)
        if write is Write.GPU_COPY:
            with host_buffer(device, size, self.target.visible_types()) as (buffer, memory):
                self.target.put(memory, pattern)
                copy(device, buffer, shared.resource.handle, size)
            return pattern
        return self.target.put(shared.exported if write is Write.HOST_MAP else shared.imported, pattern)

    def _through_vmo(self, shared: Shared, written: Pattern, *, by_map: bool) -> Comparison:
        # The spec does not define what the host sees of a VMO whose memory it cannot map.
        self.target.must_be_visible(shared.exported.memory_type)
        kernel, value = shared.handle.kernel("READ", "MAP")
        if not is_host_coherent(self.target.types[shared.exported.memory_type]):
            kernel.clean_and_invalidate(value, written.size)
        if not by_map:
            return compared_by_read(shared.handle, written)
        with kernel.mapped(value, written.size) as view:
            return written.compare(view)


def _still(importer: Target, imported: Memory, written: Answer[Pattern]) -> Comparison:
    """Compare the bytes from before the import with those of the import: it must not change the contents."""
    if written.value is None:
        raise NotAsked(written.missing.reason if written.missing else "nothing was written before")
    return importer.compare(imported, written.value)


def _released(kept: OwnedHandle, import_once: Callable[[], None]) -> Released:
    """Count the handles of *kept*'s VMO before *import_once*, which takes one of them, and after it."""
    kernel, value = kept.kernel("INSPECT")
    before, was_settled = _settled(kernel, value)
    if before < _OURS:  # the VMO is a copy, or this kernel does not count
        raise NotAsked(f"the kernel counts {before} of the {_OURS} handles that are open")
    import_once()
    after, is_settled = _settled(kernel, value, before - 1)
    return Released(before, after, was_settled and is_settled)


def _settled(kernel: Zircon, handle: int, wanted: int | None = None) -> tuple[int, bool]:
    """Query the count until two in a row are equal, and are *wanted* if that is set, but for about a second at most.

    Returns the count, and whether the last two were equal.

    A driver may free memory in a thread of its own, and a service may take or close a handle late. A few queries are
    made even if a slow line to an agent uses up the time.
    """
    deadline, pauses = time.monotonic() + _RELEASE_S, 0
    last, count = kernel.handle_count(handle), kernel.handle_count(handle)
    while (count != last or wanted not in (None, count)) and (pauses < _LEAST_PAUSES or time.monotonic() < deadline):
        time.sleep(0.01)
        pauses += 1
        last, count = count, kernel.handle_count(handle)
    return count, count == last
