# SPDX-License-Identifier: Apache-2.0
"""Move bytes: write whole buffers on one side of a shared VMO and read them on every other."""

from collections.abc import Callable, Sequence

from vkzircon_cli.answers import Answer
from vkzircon_cli.driver import Device
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.events import answer_of
from vkzircon_cli.facts import MemoryType
from vkzircon_cli.offer import is_host_coherent, is_host_visible
from vkzircon_cli.probe.bytes import compare, new_pattern, new_word, words
from vkzircon_cli.probe.commands import fill
from vkzircon_cli.probe.export import TEST_SIZE
from vkzircon_cli.probe.imports import Shared, shared_memory
from vkzircon_cli.probe.memory import Memory, mapped
from vkzircon_cli.vmo_facts import Comparison, RoundTrip, Write
from vkzircon_cli.zircon import Zircon


class DataProbe:
    """Makes the round trips of one device."""

    def __init__(self, device: Device, kernel: Zircon | None, types: Sequence[MemoryType]) -> None:
        self._device = device
        self._kernel = kernel
        self._types = types

    def round_trip(self, write: Write, memory_type: int) -> RoundTrip:
        """Write all bytes the one way and read them every other way.

        Raises:
            Refused: the driver refused a call on the way.
            NotAsked: there is no way to write so here.
        """
        with shared_memory(self._device, self._kernel, memory_type) as shared:
            written = self._write(write, shared)
            return RoundTrip(
                size=len(written),
                through_export_map=self._through_map(shared.exported, written),
                through_import_map=self._through_map(shared.imported, written),
                through_vmo_read=self._through_vmo(shared, written, _read_vmo),
                through_vmo_map=self._through_vmo(shared, written, _map_vmo),
            )

    def _write(self, write: Write, shared: Shared) -> bytes:
        if write is Write.GPU_FILL:
            word = new_word()
            fill(self._device, shared.buffer, word)
            return words(TEST_SIZE, word)
        self._must_be_visible(shared.exported)
        written = new_pattern(TEST_SIZE)
        with mapped(self._device, shared.exported) as view:
            view[: len(written)] = written
        return written

    def _must_be_visible(self, memory: Memory) -> None:
        if not is_host_visible(self._types[memory.memory_type]):
            raise NotAsked("the memory type is not HOST_VISIBLE")

    def _through_map(self, memory: Memory, written: bytes) -> Answer[Comparison]:
        def look() -> Comparison:
            self._must_be_visible(memory)
            with mapped(self._device, memory) as view:
                return compare(written, view)

        return answer_of(look)

    def _through_vmo(
        self, shared: Shared, written: bytes, look: Callable[[Zircon, int, bytes], Comparison]
    ) -> Answer[Comparison]:
        def ask() -> Comparison:
            # What the host sees of a VMO whose memory it cannot map is the driver's business, not the spec's.
            self._must_be_visible(shared.exported)
            kernel, value = shared.handle.kernel("READ", "MAP")
            if not is_host_coherent(self._types[shared.exported.memory_type]):
                kernel.clean_and_invalidate(value, len(written))
            return look(kernel, value, written)

        return answer_of(ask)


def _read_vmo(kernel: Zircon, value: int, written: bytes) -> Comparison:
    return compare(written, kernel.read(value, 0, len(written)))


def _map_vmo(kernel: Zircon, value: int, written: bytes) -> Comparison:
    with kernel.mapped(value, len(written)) as view:
        return compare(written, view)
