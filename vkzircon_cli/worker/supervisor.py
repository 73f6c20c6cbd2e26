# SPDX-License-Identifier: Apache-2.0
"""Runs the probe where it can do least harm, and goes on past what it does.

With fork, in a child: a step that dies or hangs costs that step, and a new child goes on behind it. Without, as on
Fuchsia or where the system refuses to start a process, in a thread of this process: a step that hangs, or calls exit(),
ends the run with what was learned; one that dies otherwise takes the process along.
"""

import os
import queue
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any

from vkzircon_cli.errors import CannotAsk, Exit, Stop
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.host import can_fork
from vkzircon_cli.model.request import Request
from vkzircon_cli.model.shapes import shape_of_device
from vkzircon_cli.report.stop_reason import NOT_ISOLATED
from vkzircon_cli.stream.events import Event, ended, error
from vkzircon_cli.worker import process
from vkzircon_cli.worker.capture import Capture, OwnOutput
from vkzircon_cli.worker.last_resort import watch_exit
from vkzircon_cli.worker.protocol import probe_events
from vkzircon_cli.worker.question import question

_MOST_CRASHES = 64
_MOST_TIMEOUTS = 2
_TICK_S = 0.2


class NoProcess(CannotAsk):
    """There is no process to ask a driver in."""

    def __init__(self, what: str, reason: str) -> None:
        hint = "Raise the limit that is in the way: ulimit -u, ulimit -n, or a container's --pids-limit."
        super().__init__("no-process", f"{what} can be started: {reason}.", hint)


def events(request: Request, environ: dict[str, str]) -> Generator[Event, None, None]:
    """Run the probe with *environ* added to the environment and yield its events as they come.

    While nothing comes there is a ``tick`` now and then, so that a watcher can show a sign of life. The last event has
    what was printed meanwhile. Closing the iterator ends the child.

    Raises:
        NoProcess: nothing can be asked.
    """
    if can_fork():
        yield from _Resuming(request, environ).events()
    else:
        os.environ.update(environ)
        yield from _in_thread(request)


class _Resuming:
    """Children one after the other, each told what its forerunners got answered."""

    def __init__(self, request: Request, environ: dict[str, str]) -> None:
        self._request = request
        self._environ = environ
        self._answered: dict[str, Any] = {}
        self._fates: list[MissingKind] = []

    def events(self) -> Generator[Event, None, None]:
        from vkzircon_cli.worker.dialogue import Dialogue
        from vkzircon_cli.worker.worker import next_child

        capture, goes_on = Capture(), True
        of_device = shape_of_device(self._request.depth)
        while goes_on:
            try:
                child = next_child(question(self._request, self._environ, self._answered))
            except OSError as refused:
                yield self._stuck(refused)
                break
            dialogue = Dialogue(child, self._request.timeout_s, of_device)
            try:
                yield from self._noted(dialogue.events(capture))
            finally:
                child.end()
            if dialogue.fate is not None:
                yield from self._cut_short(dialogue.step, dialogue.fate)
            goes_on = dialogue.fate is not None and dialogue.step is not None and not self._has_enough()
        yield capture.event()

    def _stuck(self, refused: OSError) -> Event:
        """Say why there is no further child.

        Raises:
            NoProcess: there was none at all.
        """
        if not self._fates:
            raise NoProcess("No process", str(refused.strerror)) from refused
        text = f"no further process could be started ({refused.strerror}): the rest was not asked"
        return {"event": "message", "severity": "error", "text": text}

    def _noted(self, stream: Iterator[Event]) -> Iterator[Event]:
        for event in stream:
            if event["event"] == "end":
                self._answered[event["step"]] = event["answer"]
            if event["event"] != "done":
                yield event

    def _cut_short(self, step: str | None, fate: Missing) -> Iterator[Event]:
        self._fates.append(fate.kind)
        end = _end_of(step, fate)
        yield end
        if step is None:
            return
        self._answered[step] = end["answer"]
        if self._has_enough():
            words = f"the probe ended after {len(self._fates)} steps without an answer; the rest was not asked"
            yield {"event": "message", "severity": "error", "text": words}

    def _has_enough(self) -> bool:
        hung = self._fates.count(MissingKind.TIMED_OUT)
        return hung >= _MOST_TIMEOUTS or len(self._fates) - hung >= _MOST_CRASHES


class _Gone(Stop):
    """The probe went away where no step was to blame."""

    exit_code = Exit.CRASHED


def _end_of(step: str | None, fate: Missing) -> Event:
    """Return the event that tells how a *step*, or the probe between two, was cut short."""
    if step is not None:
        return ended(step, fate)
    where = f" in {fate.call}" if fate.call else ""
    return error(_Gone(f"The probe ended between two steps{where}: {fate.reason}."), "probe-died")


def _in_thread(request: Request) -> Iterator[Event]:
    """Ask in a thread and listen in this one: where the driver hangs or calls exit(), this one still ends the run.

    The thread waits until each event was taken: what is written of a step is written before the step can kill us.
    """
    made: queue.Queue[Event] = queue.Queue(maxsize=1)
    calls = [""]

    def ask() -> None:
        for event in probe_events(request, lambda name: calls.__setitem__(0, name), {}):
            made.put(event)
            made.join()

    has_called_exit = watch_exit()
    with OwnOutput() as printed:
        try:
            threading.Thread(target=ask, daemon=True).start()
        except RuntimeError as refused:  # a thread counts as a process where their number is limited
            raise NoProcess("No process and no thread", process.refusal() or str(refused)) from refused
        if why := process.refusal():
            text = f"{NOT_ISOLATED} ({why}), so the driver runs in vkzircon's own process: a crash ends both."
            yield {"event": "message", "severity": "warning", "text": text}
        step, event = None, {"event": ""}
        while event["event"] != "done":
            deadline = time.monotonic() + request.timeout_s
            is_over = False
            while (taken := _take(made)) is None and not (is_over := has_called_exit()) and time.monotonic() < deadline:
                printed.drain()
                yield {"event": "tick"}
            if taken is None:
                late = Missing(MissingKind.TIMED_OUT, calls[0], "", f"no answer within {request.timeout_s:g} s")
                yield _end_of(step, Missing(MissingKind.CRASHED, calls[0], "", "it called exit") if is_over else late)
                break
            event = taken
            step = {"begin": event.get("step"), "end": None}.get(event["event"], step)
            if event["event"] != "done":
                yield event
            made.task_done()
        printed.drain()
    yield printed.capture.event()


def _take(made: "queue.Queue[Event]") -> Event | None:
    try:
        return made.get(timeout=_TICK_S)
    except queue.Empty:
        return None
