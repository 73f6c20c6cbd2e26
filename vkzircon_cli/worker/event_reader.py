# SPDX-License-Identifier: Apache-2.0
"""Reads events from a worker's pipe: the shape of each, and the order in which they may come.

A driver can write to every descriptor of its process, so a line may not be the worker's: a line without a shape that is
declared here, or at the wrong moment, is refused and counted.
"""

import json
from collections.abc import Iterator
from typing import Any

from vkzircon_cli.model.base import Milliseconds, Size, plain, record
from vkzircon_cli.model.facts import Facts
from vkzircon_cli.stream.decoding import decode, fact_of
from vkzircon_cli.stream.events import Event, Message, decode_failure

_MOST_BYTES = 16 << 20  # bytes of a line; every answer is far shorter


@record
class Begin:
    """A step begins; *key* is that of its row in the table of *fact*; *moves* is the number of bytes that it moves."""

    step: str
    fact: str
    device: int | None
    key: dict[str, Any]
    moves: Size = 0


@record
class End:
    """A step ends with its answer."""

    step: str
    answer: dict[str, Any]


@record
class Select:
    """The devices that are asked for more than their identity: the selected ones."""

    devices: tuple[int, ...]


_BETWEEN_STEPS = ("begin", "select", "message", "error", "done")
_IN_A_STEP = ("end", "error")
_BEHIND_AN_ERROR = ("done",)


class EventReader:
    """Turns a pipe's bytes into events; *of_device* is the dataclass of the facts of a device.

    *step* is the worker's current step; *refused* counts the lines that are not events of a worker.
    """

    def __init__(self, of_device: type) -> None:
        self.step: str | None = None
        self.refused = 0
        self._of_device = of_device
        self._answer: Any = None  # the shape of the answer to the step
        self._begun: set[str] = set()
        self._has_failed = False
        self._rest = bytearray()
        self._is_too_long = False

    def events(self, data: bytes) -> Iterator[Event]:
        """Yield the events whose lines end in *data*."""
        for line in self._lines(data):
            if (event := self._event(line)) is not None:
                yield event

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the lines that end in *data*; keep the rest, but no more of it than a line may have."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"" if self._is_too_long else bytes(self._rest) + lines[0]
            self._rest.clear()
            self._is_too_long = False
        self._rest += rest
        if len(self._rest) > _MOST_BYTES and not self._is_too_long:
            self._is_too_long = True
            self.refused += 1
        if self._is_too_long:
            self._rest.clear()
        return [line for line in lines if line]

    def _event(self, line: bytes) -> Event | None:
        """Parse *line* into an event with the declared fields; return None for any other line."""
        try:
            read = json.loads(line.decode("ascii"))
            event = self._declared(read["event"], read)
            if b"\\u" in line:
                json.dumps(event, ensure_ascii=False).encode()  # raises on a lone surrogate
        except (KeyError, TypeError, ValueError, RecursionError):
            self.refused += 1
            return None
        self._note(event)
        return event

    def _declared(self, kind: Any, read: Event) -> Event:
        """Rebuild the declared fields of an event of this *kind*.

        Raises:
            KeyError, TypeError, ValueError: it has another shape, or comes at the wrong moment.
        """
        now = _BETWEEN_STEPS if self.step is None else _IN_A_STEP
        if kind not in (_BEHIND_AN_ERROR if self._has_failed else now):
            raise ValueError("it cannot come now")
        event: Event = {"event": kind}
        if kind == "begin":
            event |= self._begin(decode(Begin, read))
        elif kind == "end":
            event |= self._end(decode(End, read))
        elif kind == "error":
            event |= plain(decode_failure(read))
        elif kind != "done":
            event |= plain(decode({"select": Select, "message": Message}[kind], read))
        return event | ({"ms": decode(Milliseconds, read["ms"])} if "ms" in read else {})

    def _begin(self, begin: Begin) -> Event:
        if begin.step in self._begun:
            raise ValueError("a step cannot begin twice")
        key = fact_of(self._owner(begin.device), begin.fact).decode_key(begin.key)
        return {**plain(begin), "key": {name: plain(value) for name, value in key.items()}}

    def _end(self, end: End) -> Event:
        if end.step != self.step:
            raise ValueError("another step ends")
        return {"step": end.step, "answer": plain(decode(self._answer, end.answer))}

    def _owner(self, device: int | None) -> type:
        return Facts if device is None else self._of_device

    def _note(self, event: Event) -> None:
        if event["event"] == "begin":
            self.step = event["step"]
            self._begun.add(event["step"])
            self._answer = fact_of(self._owner(event["device"]), event["fact"]).answer
        elif event["event"] == "end":
            self.step = None
        elif event["event"] == "error":
            self._has_failed = True
