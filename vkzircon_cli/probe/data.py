# SPDX-License-Identifier: Apache-2.0
"""Move bytes: write whole buffers on one side of a shared VMO and read them on every other."""

from collections.abc import Callable, Sequence

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import MemoryType
from vkzircon_cli.model.queries import is_host_coherent, is_host_visible
from vkzircon_cli.model.vmo import Comparison, Form, ImportKind, RoundTrip, Write
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.commands import copy, fill
from vkzircon_cli.probe.imports import ImportProbe, Shared
from vkzircon_cli.probe.memory import Memory, external_buffer, host_buffer, mapped
from vkzircon_cli.probe.patterns import Pattern, new_pattern, new_word
from vkzircon_cli.stream.events import answer_of


class DataProbe:
    """Makes the round trips of one device, of *size* bytes each."""

    def __init__(self, device: Device, imports: ImportProbe, types: Sequence[MemoryType], size: int) -> None:
        self._device = device
        self._imports = imports
        self._types = types
        self._size = size

    def round_trip(self, write: Write, form: Form, memory_type: int) -> RoundTrip:
        """Write all bytes the one way and read them every other way.

        Raises:
            Refused: the driver refused a call on the way.
            NotAsked: there is no way to write so here.
        """
        with external_buffer(self._device, self._size) as buffer:
            shape = Shape(form, size=self._size, image=None, needs=buffer.needs)
        with self._imports.shared(ImportKind.SAME_DEVICE, shape, memory_type) as shared:
            written = self._write(write, shared)
            return RoundTrip(
                size=written.size,
                through_export_map=self._through_map(shared.exported, written),
                through_import_map=self._through_map(shared.imported, written),
                through_vmo_read=self._through_vmo(shared, written, _read_vmo),
                through_vmo_map=self._through_vmo(shared, written, _map_vmo),
            )

    def _write(self, write: Write, shared: Shared) -> Pattern:
        if write is Write.GPU_FILL:
            pattern = new_word(self._size)
            fill(self._device, shared.resource.handle, int.from_bytes(pattern.period, "little"))
            return pattern
        pattern = new_pattern(self._size)
        if write is Write.GPU_COPY:
            visible = sum(1 << memory_type.index for memory_type in self._types if is_host_visible(memory_type))
            with host_buffer(self._device, self._size, visible) as (buffer, memory):
                self._put(memory, pattern)
                copy(self._device, buffer, shared.resource.handle, self._size)
            return pattern
        self._put(shared.exported if write is Write.HOST_MAP else shared.imported, pattern)
        return pattern

    def _put(self, memory: Memory, pattern: Pattern) -> None:
        self._must_be_visible(memory)
        with mapped(self._device, memory) as view:
            pattern.put(view)

    def _must_be_visible(self, memory: Memory) -> None:
        if not is_host_visible(self._types[memory.memory_type]):
            raise NotAsked("the memory type is not HOST_VISIBLE")

    def _through_map(self, memory: Memory, written: Pattern) -> Answer[Comparison]:
        def look() -> Comparison:
            self._must_be_visible(memory)
            with mapped(self._device, memory) as view:
                return written.compare(view)

        return answer_of(look)

    def _through_vmo(
        self, shared: Shared, written: Pattern, look: Callable[[Zircon, int, Pattern], Comparison]
    ) -> Answer[Comparison]:
        def ask() -> Comparison:
            # What the host sees of a VMO whose memory it cannot map is the driver's business, not the spec's.
            self._must_be_visible(shared.exported)
            kernel, value = shared.handle.kernel("READ", "MAP")
            if not is_host_coherent(self._types[shared.exported.memory_type]):
                kernel.clean_and_invalidate(value, written.size)
            return look(kernel, value, written)

        return answer_of(ask)


def _read_vmo(kernel: Zircon, value: int, written: Pattern) -> Comparison:
    return written.compare_chunks(lambda offset, size: kernel.read(value, offset, size))


def _map_vmo(kernel: Zircon, value: int, written: Pattern) -> Comparison:
    with kernel.mapped(value, written.size) as view:
        return written.compare(view)
