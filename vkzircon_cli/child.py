# SPDX-License-Identifier: Apache-2.0
"""The probe in a forked child: a pipe for its events, one for what it prints, a page with the call that it is in.

The parent opens neither libvulkan nor libzircon, so that nothing a driver does to its process can reach the report.
"""

import json
import mmap
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from vkzircon_cli.answers import Missing, MissingKind
from vkzircon_cli.capture import Capture
from vkzircon_cli.events import Event, to_line
from vkzircon_cli.forked import die_with, pipe, signal_name
from vkzircon_cli.guard import probe_events
from vkzircon_cli.records import record
from vkzircon_cli.request import Request

_CHUNK = 64 * 1024
_TICK_S = 0.2  # how often a silent child is looked after: a grandchild may keep its pipes open
_JOURNAL_SIZE = 128


class Child:
    """A forked probe that goes on where *answered* ends. *fate* is what cut it short, None while nothing did."""

    def __init__(self, request: Request, environ: dict[str, str], answered: Mapping[str, Any], began: float) -> None:
        self.fate: Missing | None = None
        self.step: str | None = None
        self._timeout_s = request.timeout_s
        self._journal = mmap.mmap(-1, _JOURNAL_SIZE)
        self._events, events_end = pipe()
        self._output, output_end = pipe()
        self._status: int | None = None
        # Ctrl-C waits until events() runs, where this side can end the child, and the child is sure that it is one.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        ends = _ChildsEnds(self._journal, events_end, output_end, os.getpid(), began, self._mask)
        self._pid = os.fork()
        if self._pid == 0:
            _run_child(request, environ, answered, ends)
        with suppress(OSError):  # the child does so too: whoever comes first, end() finds the group
            os.setpgid(self._pid, 0)
        os.close(events_end)
        os.close(output_end)

    def events(self, capture: Capture) -> Iterator[Event]:
        """Yield the child's events, and a ``tick`` now and then while there is none; see *fate* at the end."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        rest = b""
        deadline = time.monotonic() + self._timeout_s
        open_pipes = {self._events, self._output}
        while self._events in open_pipes:
            ready, _, _ = select.select(list(open_pipes), [], [], min(_TICK_S, max(0.0, deadline - time.monotonic())))
            if self._output in ready and not self._take_output(capture):
                open_pipes.discard(self._output)
            if self._events in ready:
                data = os.read(self._events, _CHUNK)
                if not data:
                    open_pipes.discard(self._events)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    deadline = time.monotonic() + self._timeout_s
                    event: Event = json.loads(line)
                    self._note(event)
                    yield event
                    if event["event"] == "done":
                        self._drain(capture)
                        return
            elif time.monotonic() >= deadline:
                self.fate = Missing(MissingKind.TIMED_OUT, self._call(), "", f"no answer within {self._timeout_s:g} s")
                return
            elif not ready:
                if self._has_ended() and not select.select([self._events], [], [], 0)[0]:
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
        data = os.read(self._output, _CHUNK)
        capture.add(data)
        return bool(data)

    def _drain(self, capture: Capture) -> None:
        while select.select([self._output], [], [], 0)[0] and self._take_output(capture):
            pass

    def _has_ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def _call(self) -> str:
        return self._journal[:_JOURNAL_SIZE].split(b"\0", 1)[0].decode("ascii", "replace")

    def _death(self) -> Missing:
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
        code = os.waitstatus_to_exitcode(self._status)
        result = signal_name(-code) if code < 0 else ""
        reason = f"killed by {result}" if code < 0 else f"the process left with exit code {code}"
        return Missing(MissingKind.CRASHED, self._call(), result, reason)

    def end(self) -> None:
        """Kill the child if it still runs, reap it, and close what this side holds."""
        if self._status is None:
            with suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)  # with whatever the driver started
            self._status = os.waitpid(self._pid, 0)[1]
        os.close(self._events)
        os.close(self._output)
        self._journal.close()


@record
class _ChildsEnds:
    """What the child has of the parent's: its id, the shared page, where events and output go, when the run began.

    *mask* is what was blocked before the fork.
    """

    journal: mmap.mmap
    events: int
    output: int
    parent: int
    began: float
    mask: set[int | signal.Signals]


def _run_child(request: Request, environ: dict[str, str], answered: Mapping[str, Any], ends: _ChildsEnds) -> NoReturn:
    """Be the child: never returns."""
    code = 70
    try:
        # A driver that hangs in C never lets Python's handler run, so Ctrl-C must end this process by itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ends.mask)
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(ends.output, 1)
        os.dup2(ends.output, 2)
        with suppress(ImportError):  # of cffi, which the probe is about to miss as well
            die_with(ends.parent)
        os.environ.update(environ)
        for event in probe_events(request, journaled(ends.journal), answered, ends.began):
            os.write(ends.events, to_line(event))
        code = 0
    finally:
        os._exit(code)


def journaled(journal: mmap.mmap) -> Callable[[str], None]:
    """Make the listener that writes each call's name where the parent can read it after this process is gone."""

    def on_call(name: str) -> None:
        entry = name.encode("ascii")[: _JOURNAL_SIZE - 1] + b"\0"
        journal[: len(entry)] = entry

    return on_call
