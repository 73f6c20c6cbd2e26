# SPDX-License-Identifier: Apache-2.0
"""Move bytes: write whole buffers on one side of a shared VMO and read them on every other."""

from collections.abc import Callable
from functools import partial

from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.model.base import record
from vkzircon_cli.model.queries import is_host_coherent
from vkzircon_cli.model.vmo import Comparison, Form, ImportKind, RoundTrip, Write
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.commands import copy, fill
from vkzircon_cli.probe.imports import ImportProbe, Shared
from vkzircon_cli.probe.patterns import Pattern, new_pattern, new_word
from vkzircon_cli.probe.resources import external_buffer, host_buffer
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.events import answer_of


@record
class DataProbe:
    """Makes the round trips of one device, of *size* bytes each."""

    target: Target
    imports: ImportProbe
    size: int

    def round_trip(self, write: Write, form: Form, memory_type: int) -> RoundTrip:
        """Write all bytes in one way and read them in every other way.

        Raises:
            Refused: the driver refused a call on the way.
            NotAsked: this way to write is not possible here.
        """
        with external_buffer(self.target.device, self.size) as buffer:
            shape = Shape(form, size=self.size, image=None, needs=buffer.needs)
        with self.imports.shared(ImportKind.SAME_DEVICE, shape, memory_type) as shared:
            written = self._write(write, shared)
            return RoundTrip(
                size=written.size,
                through_export_map=answer_of(partial(self.target.compare, shared.exported, written)),
                through_import_map=answer_of(partial(self.target.compare, shared.imported, written)),
                through_vmo_read=answer_of(partial(self._through_vmo, shared, written, _read_vmo)),
                through_vmo_map=answer_of(partial(self._through_vmo, shared, written, _map_vmo)),
            )

    def _write(self, write: Write, shared: Shared) -> Pattern:
        device = self.target.device
        if write is Write.GPU_FILL:
            pattern = new_word(self.size)
            fill(device, shared.resource.handle, int.from_bytes(pattern.period, "little"))
            return pattern
        pattern = new_pattern(self.size)
        if write is Write.GPU_COPY:
            with host_buffer(device, self.size, self.target.visible_types()) as (buffer, memory):
                self.target.put(memory, pattern)
                copy(device, buffer, shared.resource.handle, self.size)
            return pattern
        return self.target.put(shared.exported if write is Write.HOST_MAP else shared.imported, pattern)

    def _through_vmo(
        self, shared: Shared, written: Pattern, look: Callable[[Zircon, int, Pattern], Comparison]
    ) -> Comparison:
        # The spec does not define what the host sees of a VMO whose memory it cannot map.
        self.target.must_be_visible(shared.exported.memory_type)
        kernel, value = shared.handle.kernel("READ", "MAP")
        if not is_host_coherent(self.target.types[shared.exported.memory_type]):
            kernel.clean_and_invalidate(value, written.size)
        return look(kernel, value, written)


def _read_vmo(kernel: Zircon, value: int, written: Pattern) -> Comparison:
    return written.compare_chunks(lambda offset, size: kernel.read(value, offset, size))


def _map_vmo(kernel: Zircon, value: int, written: Pattern) -> Comparison:
    with kernel.mapped(value, written.size) as view:
        return written.compare(view)
