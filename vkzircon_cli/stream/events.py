# SPDX-License-Identifier: Apache-2.0
"""The event stream: one line of JSON for each event. `fold` turns it into facts.

The progress display, the probe's worker, the crash journal and saved traces use the same lines:

    {"event": "header", "schema_version": "1.0", "tool": {...}, "environment": {...}, ...}
    {"event": "begin", "step": "device0/type2/export.plain", "fact": "exports", "device": 0, "key": {...}, "moves": 0,
     "ms": 12.3}
    {"event": "end", "step": "device0/type2/export.plain", "answer": {"value": ..., "missing": ...}, "ms": 12.9}
    {"event": "select", "devices": [0]}
    {"event": "message", "severity": "error", "text": "..."}
    {"event": "error", "cause": "no-loader", "message": "...", "hint": "...", "exit_code": 4}
    {"event": "output", "text": "...", "dropped": 0}
    {"event": "culprit", "kind": "driver", "path": "...", "sentence": "...", "command": "...", "left_out": true}
    {"event": "again"}
    {"event": "done"}

The steps after ``again`` replace those before it: the culprits were left out, and the probe ran once more. A fact is
the name of a field of `Facts` or `Device`: either one answer, or a row of a table that *key* identifies. *moves* counts
the bytes that the step moves, by which its time limit grows.
`worker.event_reader` declares which events a worker may write, and refuses others.
"""

import json
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, TypeVar

from vkzircon_cli.errors import ERROR_EXITS, Stop, Unanswered
from vkzircon_cli.model.base import Answer, Missing, plain, record
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.text import printable_json
from vkzircon_cli.stream.decoding import decode, fact_of

Event = dict[str, Any]
T = TypeVar("T")
Asking = Generator[Event, None, Answer[T]]


class Asker:
    """Asks questions, each as a pair of events.

    *answered* holds the answers, as JSON, that an earlier worker got before it ended. *of_device* is the dataclass
    whose fields are the facts of a device. *around* gets a question that returns its answer, and the bytes that it
    moves, and calls it.
    """

    def __init__(
        self,
        answered: Mapping[str, Any] | None = None,
        of_device: type = Device,
        around: Callable[[Callable[[], Any], int], Any] | None = None,
    ) -> None:
        self._answered = answered or {}
        self._around = around or (lambda ask, _moves: ask())
        self._of_device = of_device

    @property
    def resumes(self) -> bool:
        """Whether an earlier worker got any answer."""
        return bool(self._answered)

    def knows(self, step: str) -> bool:
        """Whether an earlier worker asked *step*, with any result."""
        return step in self._answered

    def __call__(
        self,
        step: str,
        fact: str,
        question: Callable[[], T],
        *,
        device: int | None = None,
        live: bool = False,
        moves: int = 0,
        **key: Any,
    ) -> Asking[T]:
        """Yield the two events around *question* and return its answer; a refusal is an answer, other exceptions pass.

        A step that is known yields nothing. If it was answered and is *live* (later steps use an object that it opens),
        its question is asked again, because the object was lost with the earlier worker.
        """
        if step in self._answered:
            owner = Facts if device is None else self._of_device
            known: Answer[T] = decode(fact_of(owner, fact).answer, self._answered[step])
            if not live or known.value is None:
                return known
            answer: Answer[T] = self._around(partial(answer_of, question), moves)
            if answer.missing is not None:
                why = answer.missing.reason or answer.missing.result
                text = f"{step} was not answered again after the crash ({why}): the steps that need it were not asked"
                yield own_message("error", text)
            return answer
        of = {name: plain(value) for name, value in key.items()}
        yield {"event": "begin", "step": step, "fact": fact, "device": device, "key": of, "moves": moves}
        asked: Answer[T] = self._around(partial(answer_of, question), moves)
        yield {"event": "end", "step": step, "answer": plain(asked)}
        return asked


def answer_of(question: Callable[[], T]) -> Answer[T]:
    """Call *question* and turn an `Unanswered` into data."""
    try:
        return Answer(question())
    except Unanswered as stopped:
        return Answer(None, stopped.missing)


def ended(step: str, missing: Missing) -> Event:
    """Return the end of a *step* whose process died before it could write one."""
    return {"event": "end", "step": step, "answer": plain(Answer(None, missing)), "ms": elapsed_ms()}


def error(stop: Stop, cause: str) -> Event:
    """Return the event for the error that stopped the probe; `decode_failure` reads it back."""
    failure = Failure(cause, stop.message, stop.hint, int(stop.exit_code))
    return {"event": "error", **plain(failure)}


def own_message(severity: str, text: str) -> Event:
    """Return the event for a message of vkzircon's own."""
    return {"event": "message", **plain(Message(severity, text, own=True))}


def to_line(event: Event) -> bytes:
    """Format *event* as one line of ASCII JSON."""
    text = json.dumps(event, allow_nan=False, separators=(",", ":"))
    return printable_json(text).encode("ascii") + b"\n"


@record
class Failure:
    """The error that ended the probe too early: a stable word, a sentence, the advice, and the exit code."""

    cause: str
    message: str
    hint: str
    exit_code: int


def decode_failure(event: Event) -> Failure:
    """Rebuild the failure in an ``error`` event.

    Raises:
        ValueError, KeyError: it has another shape, or an exit code that no error has, as 0.
    """
    failure: Failure = decode(Failure, event)
    if failure.exit_code not in ERROR_EXITS:
        raise ValueError(f"no error ends with exit code {failure.exit_code}")
    return failure


@record
class Message:
    """A line that the loader or a layer sent to the debug messenger, or that vkzircon itself wrote (*own*)."""

    severity: str
    text: str
    text_hex: str | None = None
    own: bool = False


@record
class Output:
    """The output of driver and layers during the probe, bounded; *dropped* counts the bytes that were not kept."""

    text: str
    dropped: int
    text_hex: str | None = None


@record
class Culprit:
    """A manifest that stopped the loader, and the command that repairs it; *left_out*: the probe ran without it."""

    kind: str
    path: str
    sentence: str
    command: str
    left_out: bool
