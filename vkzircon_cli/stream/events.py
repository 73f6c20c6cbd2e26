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
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from vkzircon_cli.errors import ERROR_EXITS, Crashed, NotAsked, Refused, Stop, TimedOut
from vkzircon_cli.model.base import Answer, Missing, plain, record
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
