# SPDX-License-Identifier: Apache-2.0
"""What a child that probes may say: the shape of each event, and which may follow which.

A driver can write to every descriptor of its process, so a line need not be the child's: what has no shape that is
declared here, or comes where it cannot, is refused and counted.
"""

import json
from typing import Any

from vkzircon_cli.model.base import Milliseconds, plain, record
from vkzircon_cli.model.facts import Facts
from vkzircon_cli.stream.decoding import decode, decode_key, shape_of_answer
from vkzircon_cli.stream.events import Event, Message, decode_failure

_MOST_BYTES = 16 << 20  # of a line; no answer comes near it


@record
class Begin:
    """A question is about to be put; *key* is that of its row in the table of *fact*."""

    step: str
    fact: str
    device: int | None
    key: dict[str, Any]


@record
class End:
    """What came of a question."""

    step: str
    answer: dict[str, Any]


@record
class Select:
    """Which devices are asked more than who they are."""

    devices: tuple[int, ...]


_BETWEEN_STEPS = ("begin", "select", "message", "error", "done")
_IN_A_STEP = ("end", "error")
_BEHIND_AN_ERROR = ("done",)


class Hearing:
    """Makes events of what comes through a child's pipe; *of_device* is the dataclass of the facts of a device.

    *step* is the one that the child is in, *refused* counts the lines that are none of its events.
    """

    def __init__(self, of_device: type) -> None:
        self.step: str | None = None
        self.refused = 0
        self._of_device = of_device
        self._answer: Any = None  # the shape of what the step will be answered with
        self._begun: set[str] = set()
        self._has_failed = False
        self._rest = bytearray()
        self._is_too_long = False

    def lines(self, data: bytes) -> list[bytes]:
        """Return the lines that end in *data*. The rest is kept, but no more of it than a line may have."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            if self._is_too_long:
                lines[0] = b""
            self._rest.clear()
            self._is_too_long = False
        self._rest += rest
        if len(self._rest) > _MOST_BYTES and not self._is_too_long:
            self._is_too_long = True
            self.refused += 1
        if self._is_too_long:
            self._rest.clear()
        return [line for line in lines if line]

    def event(self, line: bytes) -> Event | None:
        """Return the event that a *line* is, with what is declared of it and no more; None of any other."""
        try:
            event = json.loads(line.decode("ascii"))
            said = self._declared(event["event"], event)
            if b"\\u" in line:
                json.dumps(said, ensure_ascii=False).encode()  # which half of a character is not
        except (KeyError, TypeError, ValueError, RecursionError):
            self.refused += 1
            return None
        self._note(said)
        return said

    def _declared(self, kind: Any, event: Event) -> Event:
        """Rebuild what is declared of an *event* of this *kind*.

        Raises:
            KeyError, TypeError, ValueError: it has another shape, or cannot come now.
        """
        now = _BETWEEN_STEPS if self.step is None else _IN_A_STEP
        if kind not in (_BEHIND_AN_ERROR if self._has_failed else now):
            raise ValueError("it cannot come now")
        said: Event = {"event": kind}
        if kind == "begin":
            said |= self._begin(decode(Begin, event))
        elif kind == "end":
            said |= self._end(decode(End, event))
        elif kind == "error":
            said |= plain(decode_failure(event))
        elif kind != "done":
            said |= plain(decode({"select": Select, "message": Message}[kind], event))
        return said | ({"ms": decode(Milliseconds, event["ms"])} if "ms" in event else {})

    def _begin(self, begin: Begin) -> Event:
        if begin.step in self._begun:
            raise ValueError("no step begins twice")
        owner = self._owner(begin.device)
        shape_of_answer(begin.fact, owner)  # which raises where there is no such fact
        key = decode_key(begin.fact, owner, begin.key)
        return {**plain(begin), "key": {name: plain(value) for name, value in key.items()}}

    def _end(self, end: End) -> Event:
        if end.step != self.step:
            raise ValueError("another step ends")
        return {"step": end.step, "answer": plain(decode(self._answer, end.answer))}

    def _owner(self, device: int | None) -> type:
        return Facts if device is None else self._of_device

    def _note(self, said: Event) -> None:
        if said["event"] == "begin":
            self.step = said["step"]
            self._begun.add(said["step"])
            self._answer = shape_of_answer(said["fact"], self._owner(said["device"]))
        elif said["event"] == "end":
            self.step = None
        elif said["event"] == "error":
            self._has_failed = True
