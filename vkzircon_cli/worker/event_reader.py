# SPDX-License-Identifier: Apache-2.0
"""Reads events from a worker's pipe: the shape of each, and the order in which they may come.

Only frames with the worker's key are read. Even such an event is refused and counted if it has another shape than is
declared here, or comes at the wrong moment.
"""

import json
from collections.abc import Iterator
from typing import Any

from vkzircon_cli.model.base import Milliseconds, Size, plain, record
from vkzircon_cli.model.facts import Facts
from vkzircon_cli.stream.decoding import decode, fact_of
from vkzircon_cli.stream.events import Event, Message, decode_failure
from vkzircon_cli.worker.frames import FrameReader


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
    """Turns the bytes of the pipe of the worker with this *key* into events.

    *of_device* is the dataclass of the facts of a device. *step* is the worker's current step.
    """

    def __init__(self, of_device: type, key: bytes) -> None:
        self.step: str | None = None
        self._frames = FrameReader(key)
        self._refused = 0
        self._of_device = of_device
        self._answer: Any = None  # the shape of the answer to the step
        self._begun: set[str] = set()
        self._has_failed = False

    @property
    def refused(self) -> int:
        """The number of lines that are not events of the worker."""
        return self._frames.refused + self._refused

    def events(self, data: bytes) -> Iterator[Event]:
        """Yield the events whose frames end in *data*."""
        for text in self._frames.texts(data):
            if (event := self._event(text)) is not None:
                yield event

    def _event(self, text: bytes) -> Event | None:
        """Parse *text* into an event with the declared fields; return None for any other text."""
        try:
            read = json.loads(text.decode("ascii"))
            event = self._declared(read["event"], read)
            if b"\\u" in text:
                json.dumps(event, ensure_ascii=False).encode()  # raises on a lone surrogate
        except (KeyError, TypeError, ValueError, RecursionError):
            self._refused += 1
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
