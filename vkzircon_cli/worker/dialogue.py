# SPDX-License-Identifier: Apache-2.0
"""Listens to a child: its events as they come, ticks while none comes, and what cut it short."""

import json
import os
import select
import time
from collections.abc import Iterator

from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.stream.events import Event
from vkzircon_cli.worker.capture import Capture
from vkzircon_cli.worker.process import signal_name
from vkzircon_cli.worker.worker import Child

_CHUNK = 64 * 1024
_MOST_CHUNKS = 64
_TICK_S = 0.2  # how often a silent child is looked after: a grandchild may keep its pipes open


class Dialogue:
    """Hears a *child* that was asked, each step of whose answer may take *timeout_s*.

    *step* is the one that it is in, *fate* is what cut it short, None while nothing did.
    """

    def __init__(self, child: Child, timeout_s: float) -> None:
        self.fate: Missing | None = None
        self.step: str | None = None
        self._child = child
        self._timeout_s = timeout_s

    def events(self, capture: Capture) -> Iterator[Event]:
        """Yield the child's events, and a ``tick`` now and then while there is none; see *fate* at the end."""
        child = self._child
        rest = b""
        deadline = time.monotonic() + self._timeout_s
        open_pipes = {child.events, child.output}
        while child.events in open_pipes:
            ready, _, _ = select.select(list(open_pipes), [], [], min(_TICK_S, max(0.0, deadline - time.monotonic())))
            if child.output in ready and not self._take_output(capture):
                open_pipes.discard(child.output)
            if child.events in ready:
                data = os.read(child.events, _CHUNK)
                if not data:
                    open_pipes.discard(child.events)
                *lines, rest = (rest + data).split(b"\n")
                for event in filter(None, map(_event, lines)):
                    deadline = time.monotonic() + self._timeout_s
                    self._note(event)
                    yield event
                    if event["event"] == "done":
                        self._drain(capture)
                        return
            elif time.monotonic() >= deadline:
                self.fate = Missing(MissingKind.TIMED_OUT, child.call, "", f"no answer within {self._timeout_s:g} s")
                return
            elif not ready:
                if child.process.exit_code() is not None and not select.select([child.events], [], [], 0)[0]:
                    break
                yield {"event": "tick"}
        self._drain(capture)
        self.fate = self._death()

    def _note(self, event: Event) -> None:
        if event["event"] == "begin":
            self.step = event["step"]
        elif event["event"] == "end":
            self.step = None

    def _take_output(self, capture: Capture) -> bool:
        data = os.read(self._child.output, _CHUNK)
        capture.add(data)
        return bool(data)

    def _drain(self, capture: Capture) -> None:
        for _ in range(_MOST_CHUNKS):  # what a driver left behind may print without end
            if not (select.select([self._child.output], [], [], 0)[0] and self._take_output(capture)):
                break

    def _death(self) -> Missing:
        code = self._child.process.exit_code(self._timeout_s)
        if code is None:
            return Missing(MissingKind.TIMED_OUT, self._child.call, "", "the process hangs while it ends")
        result = signal_name(-code) if code < 0 else ""
        reason = f"killed by {result}" if code < 0 else f"the process left with exit code {code}"
        return Missing(MissingKind.CRASHED, self._child.call, result, reason)


def _event(line: bytes) -> Event | None:
    """Read an event, None of anything else: a driver may write to any descriptor that is open."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
