# SPDX-License-Identifier: Apache-2.0
"""The questions about each memory type. Each step makes and frees its own objects, so any step can be left out."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.request import DEFAULT_SIZE
from vkzircon_cli.model.spec import OBJECT_TYPE_VMO, looks_like_handle
from vkzircon_cli.model.vmo import Form, Handle, Imported, ImportKind, RoundTrip, Trial, Write
from vkzircon_cli.probe import wrong_inputs
from vkzircon_cli.probe.export import ExportProbe
from vkzircon_cli.probe.imports import BIND_ORDERS, PASSES, ImportProbe
from vkzircon_cli.probe.leaks import StressProbe
from vkzircon_cli.probe.peer import Peer
from vkzircon_cli.probe.physical_device import DeviceOpener
from vkzircon_cli.probe.resources import Shape
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.events import Asking, Event

Ask = Callable[..., Asking[Any]]


def is_usable(handle: Handle) -> bool:
    """Whether the driver returned a handle to a VMO; without a kernel, whether it looks like a handle."""
    if handle.valid.value is None:
        return handle.written and looks_like_handle(int(handle.value, 16))
    return handle.basic.value is not None and handle.basic.value.type.value == OBJECT_TYPE_VMO


def _kinds(form: Form) -> Sequence[ImportKind]:
    """Return the ways of importing a form: how plain memory is bound differs by resource, the rest does not."""
    return BIND_ORDERS if form is Form.PLAIN_IMAGE else tuple(ImportKind)


@record
class MemoryTypeProbe:
    """Exports from each memory type in every form, examines the VMO, imports it and moves bytes.

    Round trips are of *size* bytes each, if so many can be shared; *exported* lists the memory types and forms that
    exported, in the order of the questions.
    """

    ask: Ask
    target: Target
    opener: DeviceOpener
    shapes: Mapping[Form, Shape]
    imports: ImportProbe
    peer: Peer
    size: int
    exported: list[tuple[int, Form]]

    def probe(self, memory_type: int, reasons: Mapping[Form, str]) -> Iterator[Event]:
        """Test one memory type, except for the forms in *reasons*; a form that does not export is tested no further."""
        forms = []
        for form, shape in self.shapes.items():
            answer: Answer[Handle] = yield from self.ask(
                f"type{memory_type}/export.{form}",
                "exports",
                partial(self._export, shape, memory_type, reasons.get(form)),
                form=form,
                memory_type=memory_type,
                allocation_size=shape.needs.size,
            )
            if answer.value is not None and is_usable(answer.value):
                forms.append(form)
        if not forms:
            return
        self.exported.extend((memory_type, form) for form in forms)
        yield from self._looked_into(self.shapes[forms[0]], memory_type)
        for form in forms:
            for kind in _kinds(form):
                if kind is not ImportKind.SECOND_PROCESS:  # asked last: the process takes a while to start
                    yield from self._import(self.imports.probe, kind, form, memory_type)
        yield from self._moved(memory_type, [form for form in forms if not form.is_image])

    def _export(self, shape: Shape, memory_type: int, reason: str | None) -> Handle:
        if reason is not None:
            raise NotAsked(reason)
        return ExportProbe(self.target, self.opener, shape, memory_type).export()

    def _looked_into(self, shape: Shape, memory_type: int) -> Iterator[Event]:
        closer = ExportProbe(self.target, self.opener, shape, memory_type)
        asked: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("export.two-gets", "two_gets", closer.two_gets),
            ("export.two-exports", "two_exports", closer.two_exports),
            ("export.fresh-bytes", "fresh_bytes", closer.fresh_bytes),
            ("export.outlives", "outlives", closer.outlives),
            ("export.through-channel", "through_channel", closer.through_channel),
            ("properties", "properties", closer.properties),
            ("import.releases-handle", "releases", partial(self.imports.releases, shape, memory_type)),
        )
        for name, fact, question in asked:
            yield from self.ask(f"type{memory_type}/{name}", fact, question, memory_type=memory_type)

    def _import(
        self, probe: Callable[[ImportKind, Shape, int], Imported], kind: ImportKind, form: Form, memory_type: int
    ) -> Asking[Imported]:
        step, question = f"type{memory_type}/import.{kind}.{form}", partial(probe, kind, self.shapes[form], memory_type)
        return self.ask(step, "imports", question, kind=kind, form=form, memory_type=memory_type)

    def second_process(self) -> Iterator[Event]:
        """Have a second process import a VMO of every memory type in every form."""
        for memory_type, form in self.exported:
            if ImportKind.SECOND_PROCESS not in _kinds(form):
                continue
            probe = partial(self.imports.in_second_process, self.peer)
            yield from self._import(probe, ImportKind.SECOND_PROCESS, form, memory_type)

    def _moved(self, memory_type: int, buffers: Sequence[Form]) -> Iterator[Event]:
        size = yield from self._possible_size(memory_type, buffers)
        moves = PASSES * size
        for write in Write:
            question = partial(self._round_trip, write, buffers, memory_type, size)
            yield from self.ask(
                f"type{memory_type}/data.{write}", "data", question, moves=moves, write=write, memory_type=memory_type
            )

    def _possible_size(self, memory_type: int, buffers: Sequence[Form]) -> Generator[Event, None, int]:
        """Return the size of round trips: the one that was asked for, or the usual one if the driver refuses that."""
        if self.size == DEFAULT_SIZE or not buffers:
            return self.size
        question = partial(self.imports.largest, buffers[0], memory_type, self.size)
        step, moves = f"type{memory_type}/size", PASSES * self.size
        answer: Answer[Trial] = yield from self.ask(
            step, "asked_sizes", question, moves=moves, memory_type=memory_type, asked=self.size
        )
        return self.size if answer.value is not None and not answer.value.refusal else DEFAULT_SIZE

    def _round_trip(self, write: Write, buffers: Sequence[Form], memory_type: int, size: int) -> RoundTrip:
        if not buffers:
            raise NotAsked("no buffer's memory was exported")
        return self.imports.round_trip(write, buffers[0], memory_type, size)

    def stress(self, limit_s: float) -> Iterator[Event]:
        """Repeat imports and whole rounds, each *limit_s* long at most, with the first type and form that exported."""
        for memory_type, form in self.exported[:1]:
            probe = StressProbe(self.target, self.shapes[form], memory_type, limit_s)
            for what, question in (("imports", probe.imports), ("rounds", probe.rounds)):
                step = f"type{memory_type}/stress.{what}"
                yield from self.ask(step, "stress", question, what=what, memory_type=memory_type)

    def negative(self) -> Iterator[Event]:
        """Call the driver with inputs that it must refuse; this comes last, since the driver may crash."""
        for memory_type, form in self.exported[:1]:
            probe = wrong_inputs.NegativeProbe(self.target, self.shapes[form], memory_type)
            for call in wrong_inputs.CALLS:
                for what, question in probe.cases().items():
                    step = f"negative.{'import' if call == wrong_inputs.IMPORT else 'properties'}.{what}"
                    yield from self.ask(step, "negative", partial(question, call), what=what, call=call)
            for what, get in probe.gets().items():
                yield from self.ask(f"negative.get.{what}", "negative", get, what=what, call=wrong_inputs.GET)
