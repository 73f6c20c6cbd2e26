# SPDX-License-Identifier: Apache-2.0
"""What is asked of each memory type. Each step makes and frees what it needs, so that any step can be left out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.spec import OBJECT_TYPE_VMO, looks_like_handle
from vkzircon_cli.model.vmo import Form, Handle, ImportKind, RoundTrip, Write
from vkzircon_cli.probe import wrong_inputs
from vkzircon_cli.probe.export import ExportProbe
from vkzircon_cli.probe.imports import DataProbe, ImportProbe
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


@record
class Tools:
    """What the steps of all memory types of one open device use."""

    target: Target
    opener: DeviceOpener
    shapes: Mapping[Form, Shape]
    imports: ImportProbe
    data: DataProbe
    peer: Peer


class MemoryTypeProbe:
    """Exports from each memory type in every form, looks at what was exported, imports it and moves bytes."""

    def __init__(self, ask: Ask, tools: Tools) -> None:
        self._ask = ask
        self._tools = tools
        self._first: tuple[int, Form] | None = None
        self._exported: list[tuple[int, Form]] = []

    def probe(self, memory_type: int, reasons: Mapping[Form, str]) -> Iterator[Event]:
        """Ask one memory type, except for the forms in *reasons*; a form that does not export is asked no further."""
        step = f"type{memory_type}"
        exported = []
        for form, shape in self._tools.shapes.items():
            answer: Answer[Handle] = yield from self._ask(
                f"{step}/export.{form}",
                "exports",
                partial(self._export, shape, memory_type, reasons.get(form)),
                form=form,
                memory_type=memory_type,
                allocation_size=shape.needs.size,
            )
            if answer.value is not None and is_usable(answer.value):
                exported.append(form)
        self._exported += [(memory_type, form) for form in exported]
        if exported:
            self._first = self._first or (memory_type, exported[0])
            yield from self._looked_into(step, self._tools.shapes[exported[0]], memory_type)
        for form in exported:
            yield from self._imports(step, self._tools.shapes[form], memory_type)
        if exported:
            yield from self._moved(step, memory_type, exported)

    def _export(self, shape: Shape, memory_type: int, reason: str | None) -> Handle:
        if reason is not None:
            raise NotAsked(reason)
        return ExportProbe(self._tools.target, self._tools.opener, shape, memory_type).export()

    def _looked_into(self, step: str, shape: Shape, memory_type: int) -> Iterator[Event]:
        tools = self._tools
        closer = ExportProbe(tools.target, tools.opener, shape, memory_type)
        asked: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("export.two-gets", "two_gets", closer.two_gets),
            ("export.two-exports", "two_exports", closer.two_exports),
            ("export.fresh-bytes", "fresh_bytes", closer.fresh_bytes),
            ("export.outlives", "outlives", closer.outlives),
            ("export.through-channel", "through_channel", closer.through_channel),
            ("properties", "properties", closer.properties),
            ("import.releases-handle", "releases", partial(tools.imports.releases, shape, memory_type)),
        )
        for name, fact, question in asked:
            yield from self._ask(f"{step}/{name}", fact, question, memory_type=memory_type)

    def _imports(self, step: str, shape: Shape, memory_type: int) -> Iterator[Event]:
        for kind in ImportKind:
            if kind is ImportKind.SECOND_PROCESS:
                continue  # asked last: the process takes a while to start
            yield from self._ask(
                f"{step}/import.{kind}.{shape.form}",
                "imports",
                partial(self._tools.imports.probe, kind, shape, memory_type),
                kind=kind,
                form=shape.form,
                memory_type=memory_type,
            )

    def second_process(self) -> Iterator[Event]:
        """Have a second process import what every memory type exports in every form."""
        tools, kind = self._tools, ImportKind.SECOND_PROCESS
        for memory_type, form in self._exported:
            yield from self._ask(
                f"type{memory_type}/import.{kind}.{form}",
                "imports",
                partial(tools.imports.in_second_process, tools.shapes[form], memory_type, tools.peer),
                kind=kind,
                form=form,
                memory_type=memory_type,
            )

    def _moved(self, step: str, memory_type: int, exported: list[Form]) -> Iterator[Event]:
        buffers = [form for form in exported if form is not Form.DEDICATED_IMAGE]
        for write in Write:
            yield from self._ask(
                f"{step}/data.{write}",
                "data",
                partial(self._round_trip, write, buffers, memory_type),
                write=write,
                memory_type=memory_type,
            )

    def _round_trip(self, write: Write, buffers: Sequence[Form], memory_type: int) -> RoundTrip:
        if not buffers:
            raise NotAsked("no buffer's memory was exported")
        return self._tools.data.round_trip(write, buffers[0], memory_type)

    def stress(self, limit_s: float) -> Iterator[Event]:
        """Repeat imports and whole rounds, each *limit_s* long at most, with the first type and form that exported."""
        if self._first is None:
            return
        memory_type, form = self._first
        probe = StressProbe(self._tools.target, self._tools.shapes[form], memory_type, limit_s)
        for what, question in (("imports", probe.imports), ("rounds", probe.rounds)):
            step = f"type{memory_type}/stress.{what}"
            yield from self._ask(step, "stress", question, what=what, memory_type=memory_type)

    def negative(self) -> Iterator[Event]:
        """Call the driver with what it must refuse; asked last, since the driver may crash."""
        if self._first is None:
            return
        memory_type, form = self._first
        probe = wrong_inputs.NegativeProbe(self._tools.target, self._tools.shapes[form], memory_type)
        for call in wrong_inputs.CALLS:
            for what, question in probe.cases().items():
                step = f"negative.{'import' if call == wrong_inputs.IMPORT else 'properties'}.{what}"
                yield from self._ask(step, "negative", partial(question, call), what=what, call=call)
