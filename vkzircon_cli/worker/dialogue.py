# SPDX-License-Identifier: Apache-2.0
"""Listens to a child: its events as they come, ticks while none comes, and what cut it short."""

import os
import select
import time
from collections.abc import Iterator

from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.stream.events import Event
from vkzircon_cli.worker.capture import Capture
from vkzircon_cli.worker.hearing import Hearing
from vkzircon_cli.worker.process import signal_name
from vkzircon_cli.worker.worker import Child

_CHUNK = 64 * 1024
_MOST_CHUNKS = 64
_NOT_OURS = "The driver or a layer wrote to vkzircon's own pipe. Refused: "
_TICK_S = 0.2  # how often a silent child is looked after: a grandchild may keep its pipes open


class Dialogue:
    """Hears a *child* that was asked, each step of whose answer may take *timeout_s*.

    *step* is the one that it is in, *fate* is what cut it short, None while nothing did. *of_device* is the dataclass
    of the facts of a device.
    """

    def __init__(self, child: Child, timeout_s: float, of_device: type) -> None:
        self.fate: Missing | None = None
        self._child = child
        self._timeout_s = timeout_s
        self._hearing = Hearing(of_device)
        self._deadline = 0.0
        self._is_done = False

    @property
    def step(self) -> str | None:
        """Name the step that the child is in."""
        return self._hearing.step

    def events(self, capture: Capture) -> Iterator[Event]:
        """Yield the child's events, and a ``tick`` now and then while there is none; see *fate* at the end."""
        yield from self._listen(capture)
        if self._hearing.refused:
            text = f"{_NOT_OURS}{counted(self._hearing.refused, 'line')}."
            yield {"event": "message", "severity": "error", "text": text}

    def _listen(self, capture: Capture) -> Iterator[Event]:
        child = self._child
        self._allow_time()
        open_pipes = {child.events, child.output}
        while child.events in open_pipes and not self._is_done:
            left = max(0.0, self._deadline - time.monotonic())
            ready, _, _ = select.select(list(open_pipes), [], [], min(_TICK_S, left))
            if child.output in ready and not self._take_output(capture):
                open_pipes.discard(child.output)
            if child.events in ready:
                data = os.read(child.events, _CHUNK)
                if not data:
                    open_pipes.discard(child.events)
                yield from self._heard(data)
            elif not ready:
                if child.process.exit_code() is not None and not select.select([child.events], [], [], 0)[0]:
                    break
                yield {"event": "tick"}
            if time.monotonic() >= self._deadline:
                self.fate = Missing(MissingKind.TIMED_OUT, child.call, "", f"no answer within {self._timeout_s:g} s")
                return
        self._drain(capture)
        if not self._is_done:
            self.fate = self._death()

    def _heard(self, data: bytes) -> Iterator[Event]:
        """Yield the events in *data*. A step's time is the step's: no other line, and no slow listener, changes it."""
        for event in filter(None, map(self._hearing.event, self._hearing.lines(data))):
            if event["event"] in ("begin", "end", "done"):
                self._allow_time()
            self._is_done = event["event"] == "done"
            began = time.monotonic()
            yield event
            self._deadline += time.monotonic() - began
            if self._is_done:
                return

    def _allow_time(self) -> None:
        self._deadline = time.monotonic() + self._timeout_s

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
