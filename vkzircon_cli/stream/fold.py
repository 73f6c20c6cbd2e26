# SPDX-License-Identifier: Apache-2.0
"""The fold of an event stream into `Facts`, and into all else that a document is made of."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin

from vkzircon_cli.model.base import NEVER_REACHED, Answer, Milliseconds, Missing, MissingKind, record
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Culprit, Event, Failure, Message, Output, decode_failure

T = TypeVar("T")


@record
class StepTime:
    """When a step began, and how long it took; *duration_ms* is None for one that never ended."""

    step: str
    began_ms: Milliseconds
    duration_ms: Milliseconds | None


@record
class Transcript:
    """An event stream, folded.

    A stream *is_broken_off* that ends in the middle of a line, as no process leaves it: the file was cut later.
    A stream *is_cut* that has neither its end nor a failure; *stopped_in* is the step it stops in, *ended_ms* its last
    time.
    """

    facts: Facts
    failure: Failure | None
    messages: tuple[Message, ...]
    steps: tuple[StepTime, ...]
    header: Event | None
    output: Output
    is_cut: bool
    stopped_in: str | None
    ended_ms: Milliseconds
    culprits: tuple[Culprit, ...] = ()
    is_broken_off: bool = False


_BROKEN_OFF = Missing(MissingKind.NOT_ASKED, "", "", "the file ends in this step")
_CUT = Missing(MissingKind.CRASHED, "", "", "the trace stops in this step")


@dataclass(slots=True)
class _Open:
    """A step that began."""

    begin: Event
    answer: dict[str, Any] | None = None
    end_ms: float | None = None


_Asked = defaultdict[tuple[int | None, str], list[_Open]]


@dataclass(slots=True)
class Fold:
    """Collects events in order; `transcript` may be asked at any moment, also in the middle of a step."""

    _steps: dict[str, _Open] = field(default_factory=dict)
    _selected: frozenset[int] | None = None
    _failure: Failure | None = None
    _messages: list[Message] = field(default_factory=list)
    _header: Event | None = None
    _output: Output = field(default_factory=lambda: Output("", 0))
    _culprits: list[Culprit] = field(default_factory=list)
    _ended_ms: float = 0.0
    _is_done: bool = False
    is_broken_off: bool = False

    def add(self, event: Event) -> None:
        """Take one event; kinds that are not known are passed over, so that an older reader reads a newer stream."""
        self._ended_ms = event.get("ms", self._ended_ms)
        self._add_asked(event["event"], event)
        self._add_told(event["event"], event)

    def _add_asked(self, kind: str, event: Event) -> None:
        if kind == "begin":
            self._steps[event["step"]] = _Open(event)
        elif kind == "end":
            step = self._steps[event["step"]]
            step.answer, step.end_ms = event["answer"], event.get("ms")
        elif kind == "select":
            self._selected = frozenset(event["devices"])
        elif kind == "again":
            self._steps, self._selected, self._failure = {}, None, None

    def _add_told(self, kind: str, event: Event) -> None:
        if kind == "message":
            self._messages.append(decode(Message, event))
        elif kind == "error":
            self._failure = self._failure or decode_failure(event)
        elif kind == "output":
            self._output = _joined(self._output, decode(Output, event))
        elif kind == "culprit":
            self._culprits.append(decode(Culprit, event))
        elif kind == "header":
            self._header = event
        elif kind == "done":
            self._is_done = True

    def transcript(self) -> Transcript:
        """Fold what came so far. A step without an end stands as never reached, in a stream that was cut as crashed."""
        return Transcript(
            facts=self._facts(),
            failure=self._failure,
            messages=tuple(self._messages),
            steps=tuple(self._times()),
            header=self._header,
            is_cut=self._is_cut,
            output=self._output,
            stopped_in=next((name for name, step in self._steps.items() if step.answer is None), None),
            ended_ms=self._ended_ms,
            culprits=tuple(self._culprits),
            is_broken_off=self.is_broken_off,
        )

    @property
    def _is_cut(self) -> bool:
        return not self._is_done and self._failure is None

    def _facts(self) -> Facts:
        asked = self._asked()
        answers = {
            f.name: self._answer(f.type, asked[None, f.name]) for f in fields(Facts) if get_origin(f.type) is Answer
        }
        return Facts(devices=self.devices(Device), **answers)

    def devices(self, shape: type[T]) -> tuple[T, ...]:
        """Fold what was asked of each device into a *shape*: a dataclass with answers and tables of rows."""
        asked = self._asked()
        found = sorted({device for device, _ in asked if device is not None})
        return tuple(self._device(shape, index, asked) for index in found)

    def _asked(self) -> "_Asked":
        """Sort the steps by what they are about, once: a trace may have thousands of devices."""
        asked: _Asked = defaultdict(list)
        for step in self._steps.values():
            asked[step.begin["device"], step.begin["fact"]].append(step)
        return asked

    def _device(self, shape: type[T], index: int, asked: "_Asked") -> T:
        found: dict[str, Any] = {"index": index, "selected": self._selected is None or index in self._selected}
        for f in fields(shape):  # type: ignore[arg-type]
            if get_origin(f.type) is Answer:
                found[f.name] = self._answer(f.type, asked[index, f.name])
            elif get_origin(f.type) is tuple:
                found[f.name] = tuple(self._row(get_args(f.type)[0], step) for step in asked[index, f.name])
        return shape(**found)

    def _answer(self, shape: Any, steps: Sequence[_Open]) -> Answer[Any]:
        return self._decoded(shape, steps[0]) if steps else Answer(None, NEVER_REACHED)

    def _decoded(self, shape: Any, step: _Open) -> Answer[Any]:
        if step.answer is None:
            cut = _BROKEN_OFF if self.is_broken_off else _CUT
            return Answer(None, cut if self._is_cut else NEVER_REACHED)
        answer: Answer[Any] = decode(shape, step.answer)
        return answer

    def _row(self, row: Any, step: _Open) -> Any:
        """Make a table's row: the key from the step's begin, the one answer from its end."""
        keys = step.begin["key"]
        cells = {f.name: decode(f.type, keys[f.name]) for f in fields(row) if get_origin(f.type) is not Answer}
        answers = {f.name: self._decoded(f.type, step) for f in fields(row) if get_origin(f.type) is Answer}
        return row(**cells, **answers)

    def _times(self) -> Iterable[StepTime]:
        for name, step in self._steps.items():
            began = step.begin.get("ms", 0.0)
            yield StepTime(name, began, None if step.end_ms is None else round(step.end_ms - began, 3))


def _joined(before: Output, more: Output) -> Output:
    """Put what was printed in two probes together."""
    parts = (before, more)
    all_hex = "".join(part.text_hex or part.text.encode().hex() for part in parts)
    in_hex = all_hex if before.text_hex or more.text_hex else None
    return Output(before.text + more.text, before.dropped + more.dropped, in_hex)


def fold(events: Iterable[Event]) -> Transcript:
    """Fold a whole stream."""
    state = Fold()
    for event in events:
        state.add(event)
    return state.transcript()
