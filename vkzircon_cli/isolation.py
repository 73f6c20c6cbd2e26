# SPDX-License-Identifier: Apache-2.0
"""Runs the probe where it can do no harm: in a child, watched step by step, its output caught.

The parent opens neither libvulkan nor libzircon. A child that dies, or that stays in one step past the limit, costs
what it had not answered yet; what it had is in the events that came through the pipe.
"""

import json
import mmap
import os
import select
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from vkzircon_cli.environment import can_fork
from vkzircon_cli.errors import Exit, Stop, missing_package
from vkzircon_cli.events import Event, ended, error, to_line
from vkzircon_cli.facts import Missing, MissingKind
from vkzircon_cli.request import Request

_OUTPUT_LIMIT = 64 * 1024
_CHUNK = 64 * 1024
_TICK_S = 0.2  # how often a silent child is looked after: a grandchild may keep its pipes open
_JOURNAL_SIZE = 128
_PR_SET_PDEATHSIG = 1

REPORT_A_FAULT = "Please report it with the output of: vkzircon report --format json"


@dataclass(slots=True)
class Capture:
    """What the child printed: the first `_OUTPUT_LIMIT` bytes, and how many more there were."""

    kept: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, data: bytes) -> None:
        """Take what came."""
        room = _OUTPUT_LIMIT - len(self.kept)
        self.kept += data[:room]
        self.dropped += max(0, len(data) - room)


def events(request: Request, environ: dict[str, str], capture: Capture) -> Generator[Event, None, None]:
    """Run the probe with *environ* added to the environment and yield its events as they come.

    While nothing comes there is a ``tick`` now and then, so that a watcher can show a sign of life. Where there is no
    fork the probe runs in this process. Closing the iterator ends the child.
    """
    if not can_fork():
        os.environ.update(environ)
        yield from _in_process(request)
        return
    child = _Child(request, environ)
    try:
        yield from child.events(capture)
    finally:
        child.end()


def _in_process(request: Request) -> Iterator[Event]:
    from vkzircon_cli.probe import probe

    began = time.monotonic()
    for event in probe(request, lambda _: None):
        yield _timed(json.loads(to_line(event)), began)


def _timed(event: Event, began: float) -> Event:
    event["ms"] = round((time.monotonic() - began) * 1000, 3)
    return event


class _Child:
    """A forked probe: a pipe for its events, one for what it prints, and a shared page with the call it is in."""

    def __init__(self, request: Request, environ: dict[str, str]) -> None:
        self._timeout_s = request.timeout_s
        self._journal = mmap.mmap(-1, _JOURNAL_SIZE)
        self._events, events_end = os.pipe()
        self._output, output_end = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _run_child(request, environ, _ChildsEnds(self._journal, events_end, output_end, parent))
        os.close(events_end)
        os.close(output_end)
        self._status: int | None = None
        self._step: str | None = None

    def events(self, capture: Capture) -> Iterator[Event]:
        """Yield the child's events; an unfinished step gets the end that the child could not write."""
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
                    yield from self._noted(event)
                    if event["event"] == "done":
                        self._drain(capture)
                        return
            elif time.monotonic() >= deadline:
                yield from self._timed_out()
                return
            elif not ready:
                if self._has_ended():
                    break
                yield {"event": "tick"}
        self._drain(capture)
        yield from self._died()

    def _noted(self, event: Event) -> Iterator[Event]:
        if event["event"] == "begin":
            self._step = event["step"]
        elif event["event"] == "end":
            self._step = None
        yield event

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

    def _timed_out(self) -> Iterator[Event]:
        reason = f"no answer within {self._timeout_s:g} s"
        yield from self._cut_short(Missing(MissingKind.TIMED_OUT, self._call(), "", reason))

    def _died(self) -> Iterator[Event]:
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
        code = os.waitstatus_to_exitcode(self._status)
        result = _signal_name(-code) if code < 0 else ""
        reason = f"killed by {result}" if code < 0 else f"the process left with exit code {code}"
        yield from self._cut_short(Missing(MissingKind.CRASHED, self._call(), result, reason))

    def _cut_short(self, missing: Missing) -> Iterator[Event]:
        if self._step is not None:
            yield ended(self._step, missing)
        else:
            where = f" in {missing.call}" if missing.call else ""
            yield error(_Gone(f"The probe ended between two steps{where}: {missing.reason}."), "probe-died")

    def end(self) -> None:
        """Kill the child if it still runs, reap it, and close what this side holds."""
        if self._status is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._status = os.waitpid(self._pid, 0)[1]
        os.close(self._events)
        os.close(self._output)
        self._journal.close()


class _Gone(Stop):
    """The child went away where no step was to blame."""

    exit_code = Exit.CRASHED


class _OurFault(Stop):
    """The probe raised what it should not."""

    exit_code = Exit.OUR_FAULT


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(frozen=True, slots=True)
class _ChildsEnds:
    """What the child has of the parent's: the shared page, where events and output go, and the parent's id."""

    journal: mmap.mmap
    events: int
    output: int
    parent: int


def _run_child(request: Request, environ: dict[str, str], ends: _ChildsEnds) -> NoReturn:
    """Be the child: never returns."""
    code = 70
    try:
        # A driver that hangs in C never lets Python's handler run, so Ctrl-C must end this process by itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(ends.output, 1)
        os.dup2(ends.output, 2)
        _die_with(ends.parent)
        os.environ.update(environ)
        _write_events(request, ends.journal, ends.events)
        code = 0
    except ImportError as gone:
        _write_error(ends, missing_package(gone), "no-package")
    except BaseException as fault:  # noqa: BLE001 - the parent tells of it, and keeps the trace with the output
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        said = f"A fault of vkzircon's own ended the probe: {type(fault).__name__}: {fault}."
        _write_error(ends, _OurFault(said, REPORT_A_FAULT), "our-fault")
    finally:
        os._exit(code)


def _write_error(ends: _ChildsEnds, stop: Stop, cause: str) -> None:
    os.write(ends.events, to_line(error(stop, cause)) + to_line({"event": "done"}))


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process when the parent's does, however that ends."""
    from vkzircon_cli import _abi

    libc: Any = _abi.ffi.dlopen(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _write_events(request: Request, journal: mmap.mmap, events_end: int) -> None:
    from vkzircon_cli.probe import probe

    began = time.monotonic()
    for event in probe(request, journaled(journal)):
        os.write(events_end, to_line(_timed(event, began)))


def journaled(journal: mmap.mmap) -> Callable[[str], None]:
    """Make the listener that writes each call's name where the parent can read it after this process is gone."""

    def on_call(name: str) -> None:
        entry = name.encode("ascii")[: _JOURNAL_SIZE - 1] + b"\0"
        journal[: len(entry)] = entry

    return on_call
