# SPDX-License-Identifier: Apache-2.0
"""Folds an event stream into facts and the other parts of a document."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vkzircon_cli.model.base import NEVER_REACHED, Answer, Milliseconds, Missing, MissingKind, record
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.stream.decoding import Fact, decode, facts_of
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

    *is_cut*: the stream has neither its end nor a failure; *stopped_in* is its last, unfinished step, *ended_ms* its
    last time. *is_broken_off*: it ends in the middle of a line, which no process writes, so the file was cut later.
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
class _Step:
    """A step that began, and its answer if it ended; of a fact that is not known here, no answer is kept."""

    device: int | None
    name: str
    fact: Fact | None
    key: dict[str, Any]
    began_ms: float
    has_ended: bool = False
    answer: Answer[Any] | None = None
    end_ms: float | None = None


_Steps = defaultdict[tuple[int | None, str], list[_Step]]


@dataclass(slots=True)
class Fold:
    """Collects events in order; `transcript` may be called at any time, even in the middle of a step.

    *of_device* is the dataclass of a device's facts. Each answer is decoded when it comes: the probe runs on meanwhile,
    and a record takes a fraction of the memory that its JSON does.
    """

    of_device: Any = Device
    _steps: dict[str, _Step] = field(default_factory=dict)
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
        """Add one event; unknown kinds are ignored, so that an older reader reads a newer stream.

        Raises:
            ValueError, KeyError: it does not have the form of its kind.
        """
        self._ended_ms = event.get("ms", self._ended_ms)
        self._add_step(event["event"], event)
        self._add_rest(event["event"], event)

    def _add_step(self, kind: str, event: Event) -> None:
        if kind == "begin":
            device, name = event["device"], event["fact"]
            fact = facts_of(Facts if device is None else self.of_device).get(name)
            key = {} if fact is None else fact.decode_key(event["key"])
            self._steps[event["step"]] = _Step(device, name, fact, key, event.get("ms", 0.0))
        elif kind == "end":
            step = self._steps[event["step"]]
            step.has_ended, step.end_ms = True, event.get("ms")
            step.answer = None if step.fact is None else decode(step.fact.answer, event["answer"])
        elif kind == "select":
            self._selected = frozenset(event["devices"])
        elif kind == "again":
            self._steps, self._selected, self._failure = {}, None, None

    def _add_rest(self, kind: str, event: Event) -> None:
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
        """Fold the events so far. A step without an end counts as never reached, or as crashed if the stream is cut."""
        return Transcript(
            facts=self._filled(Facts, self._sorted(), None, {"devices": self.devices(Device)}),
            failure=self._failure,
            messages=tuple(self._messages),
            steps=tuple(self._times()),
            header=self._header,
            is_cut=self._is_cut,
            output=self._output,
            stopped_in=next((name for name, step in self._steps.items() if not step.has_ended), None),
            ended_ms=self._ended_ms,
            culprits=tuple(self._culprits),
            is_broken_off=self.is_broken_off,
        )

    @property
    def _is_cut(self) -> bool:
        return not self._is_done and self._failure is None

    def devices(self, shape: type[T]) -> tuple[T, ...]:
        """Fold the answers of each device into a *shape*: a dataclass with answers and tables of rows."""
        steps = self._sorted()
        found = sorted({device for device, _ in steps if device is not None})
        chosen = found if self._selected is None else self._selected
        return tuple(
            self._filled(shape, steps, index, {"index": index, "selected": index in chosen}) for index in found
        )

    def _sorted(self) -> _Steps:
        """Sort the steps by device and fact, once: a trace may have thousands of devices."""
        steps: _Steps = defaultdict(list)
        for step in self._steps.values():
            steps[step.device, step.name].append(step)
        return steps

    def _filled(self, shape: type[T], steps: _Steps, device: int | None, known: dict[str, Any]) -> T:
        """Fill the facts of *shape* with the answers of *steps*, beside the fields that are *known*."""
        owner: Any = shape
        for name, fact in facts_of(owner).items():
            asked = steps[device, name]
            if fact.row is not None:
                known[name] = tuple(fact.row(**step.key, **{fact.name: self._answer(step)}) for step in asked)
            else:
                known[name] = self._answer(asked[0]) if asked else Answer(None, NEVER_REACHED)
        return shape(**known)

    def _answer(self, step: _Step) -> Answer[Any]:
        if step.answer is None:
            cut = _BROKEN_OFF if self.is_broken_off else _CUT
            return Answer(None, cut if self._is_cut else NEVER_REACHED)
        return step.answer

    def _times(self) -> Iterable[StepTime]:
        for name, step in self._steps.items():
            took = None if step.end_ms is None else round(step.end_ms - step.began_ms, 3)
            yield StepTime(name, step.began_ms, took)


def _joined(before: Output, more: Output) -> Output:
    """Join the output of two probes."""
    parts = (before, more)
    all_hex = "".join(part.text_hex or part.text.encode().hex() for part in parts)
    in_hex = all_hex if before.text_hex or more.text_hex else None
    return Output(before.text + more.text, before.dropped + more.dropped, in_hex)
