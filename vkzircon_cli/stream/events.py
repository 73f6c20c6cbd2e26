# SPDX-License-Identifier: Apache-2.0
"""The event stream: one JSON line an event, and its fold back into `Facts`.

The same lines serve the progress display, the child process, the crash journal and partial reports:

    {"event": "header", "schema_version": "1.0", "tool": {...}, "environment": {...}, ...}
    {"event": "begin", "step": "device0/type2/export.plain", "fact": "exports", "device": 0, "key": {...}, "ms": 12.3}
    {"event": "end", "step": "device0/type2/export.plain", "answer": {"value": ..., "missing": ...}, "ms": 12.9}
    {"event": "select", "devices": [0]}
    {"event": "message", "severity": "error", "text": "..."}
    {"event": "error", "cause": "no-loader", "message": "...", "hint": "...", "exit_code": 4}
    {"event": "output", "text": "...", "dropped": 0}
    {"event": "culprit", "kind": "driver", "path": "...", "sentence": "...", "command": "...", "left_out": true}
    {"event": "again"}
    {"event": "done"}

What comes after ``again`` replaces the steps before it: the culprits were left out, and all was asked once more. A fact
is the name of a field of `Facts` or `Device`: either one answer, or a row of a table that *key* identifies. `hearing`
declares which of them a child may write, and refuses the rest.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin

from vkzircon_cli.errors import ERROR_EXITS, Crashed, NotAsked, Refused, Stop, TimedOut
from vkzircon_cli.model.base import NEVER_REACHED, Answer, Milliseconds, Missing, MissingKind, plain, record
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.stream.decoding import decode, shape_of_answer

Event = dict[str, Any]
T = TypeVar("T")
Asking = Generator[Event, None, Answer[T]]


class Asker:
    """Puts questions as events. *answered* holds the answers, as JSON, that an earlier process got before it died.

    *of_device* is the dataclass whose fields the facts of a device are.
    """

    def __init__(self, answered: Mapping[str, Any] | None = None, of_device: type = Device) -> None:
        self._answered = answered or {}
        self._of_device = of_device

    @property
    def resumes(self) -> bool:
        """Tell whether an earlier process got some way."""
        return bool(self._answered)

    def knows(self, step: str) -> bool:
        """Tell whether *step* was asked by an earlier process, whatever came of it."""
        return step in self._answered

    def __call__(
        self,
        step: str,
        fact: str,
        question: Callable[[], T],
        *,
        device: int | None = None,
        live: bool = False,
        **key: Any,
    ) -> Asking[T]:
        """Yield the two events around *question* and return its answer; a refusal is an answer, all else our fault.

        A step that is known yields nothing; if it was answered and is *live* (it opens what later steps need), its
        question is put again, since what it opened died with the earlier process.
        """
        if step in self._answered:
            shape = shape_of_answer(fact, Facts if device is None else self._of_device)
            known: Answer[T] = decode(shape, self._answered[step])
            if not live or known.value is None:
                return known
            answer = answer_of(question)
            if answer.missing is not None:
                text = (
                    f"{step} was not answered again after the crash ({answer.missing.reason or answer.missing.result})"
                )
                yield {"event": "message", "severity": "error", "text": f"{text}: what rests on it was not asked"}
            return answer
        of = {name: plain(value) for name, value in key.items()}
        yield {"event": "begin", "step": step, "fact": fact, "device": device, "key": of}
        answer = answer_of(question)
        yield {"event": "end", "step": step, "answer": plain(answer)}
        return answer


def answer_of(question: Callable[[], T]) -> Answer[T]:
    """Call *question* and turn what stops it into data."""
    try:
        return Answer(question())
    except (Refused, NotAsked, Crashed, TimedOut) as stopped:
        return Answer(None, stopped.missing)


def ended(step: str, missing: Missing) -> Event:
    """Make the end of a *step* whose process did not live to write it."""
    return {"event": "end", "step": step, "answer": plain(Answer(None, missing)), "ms": elapsed_ms()}


def error(stop: Stop, cause: str) -> Event:
    """Make the event of what stopped the probe; `failure` reads it back."""
    return {
        "event": "error",
        "cause": cause,
        "message": stop.message,
        "hint": stop.hint,
        "exit_code": int(stop.exit_code),
    }


def to_line(event: Event) -> bytes:
    """Write *event* as one line of ASCII JSON."""
    return json.dumps(event, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


@record
class Failure:
    """What ended the probe before it could ask: a stable word, a sentence, what to do, and the exit code."""

    cause: str
    message: str
    hint: str
    exit_code: int


def decode_failure(event: Event) -> Failure:
    """Rebuild what an ``error`` event tells.

    Raises:
        ValueError, KeyError: it is not of that shape, or its exit code is none that an error may have, as 0 is.
    """
    failure: Failure = decode(Failure, event)
    if failure.exit_code not in ERROR_EXITS:
        raise ValueError(f"no error ends with exit code {failure.exit_code}")
    return failure


@record
class Message:
    """A line that the loader or a layer gave to the debug messenger."""

    severity: str
    text: str
    text_hex: str | None = None


@record
class Output:
    """What driver and layers printed while they were asked, bounded; *dropped* counts bytes that are not here."""

    text: str
    dropped: int
    text_hex: str | None = None


@record
class Culprit:
    """A manifest that kept the loader from working, and the command that mends it; *left_out* if the rest was asked."""

    kind: str
    path: str
    sentence: str
    command: str
    left_out: bool


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
