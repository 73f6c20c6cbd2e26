# SPDX-License-Identifier: Apache-2.0
"""The probe in a thread of this process, if no worker can be forked: on Fuchsia, or where the system refuses it.

A step that hangs, or calls exit(), ends the run with the results so far. A step that crashes ends the process.

The exit handlers that hold exit() back are functions of libc itself: a Python callback would be code made at run time,
which Fuchsia forbids in components. _exit() and exec reach the kernel without such handlers: see `own_end`.
"""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, Self, TextIO

from vkzircon_cli.bindings.dynlib import in_this_process
from vkzircon_cli.checks.registry import TEXTS
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.glossary import read_glossary
from vkzircon_cli.model.request import Request
from vkzircon_cli.report.stop_reason import NOT_ISOLATED
from vkzircon_cli.stream.events import Event, own_message
from vkzircon_cli.worker import own_end, process
from vkzircon_cli.worker.isolation import NoProcess, missing_in_time
from vkzircon_cli.worker.protocol import LoadProbe, probe_events, time_limit
from vkzircon_cli.worker.supervisor import Capture, end_of

_TICK_S = 0.2
_BUSY_S = 0.001  # while the driver prints: it waits until the pipe is emptied
_CHUNK = 64 * 1024
_MOST_CHUNKS = 64
_LARGEST_SEMAPHORE = 128
_CLONE_FS = 0x200
_PATIENCE_S = 60  # to write the report, while the thread that called exit() sleeps
_kept: list[Any] = []


def events(load: LoadProbe, request: Request) -> Generator[Event, None, None]:
    """Run the probe in a thread and yield its events in this one, as `supervisor.events` does.

    The thread waits until each event is taken, so that a trace has the begin of a step before the step can crash.

    Raises:
        NoProcess: the system refuses to start a thread too.
    """
    made: queue.Queue[Event] = queue.Queue(maxsize=1)
    calls = [""]

    watches: queue.Queue[tuple[Callable[[], bool], Callable[[], bool]]] = queue.Queue()
    may_begin = threading.Event()

    def ask() -> None:
        _have_own_folder()
        # Where fork works, a forked process may use exec.
        is_held = own_end.hold() if process.refusal() else lambda: False
        watches.put((is_held, watch_exit()))
        may_begin.wait()
        for event in probe_events(load, request, lambda name: calls.__setitem__(0, name), {}):
            made.put(event)
            made.join()

    _read_ahead()
    with OwnOutput() as printed:
        try:
            threading.Thread(target=ask, daemon=True).start()
        except RuntimeError as refused:  # a thread counts as a process where their number is limited
            printed.is_over = True  # no driver runs
            raise NoProcess("No process and no thread", process.refusal() or str(refused)) from refused
        is_held, has_called_exit = watches.get(timeout=request.timeout_s)
        if process.refusal():
            own_end.kill_here()
        may_begin.set()

        def how_it_ends() -> str:
            return "it called exit" if has_called_exit() else "it called _exit or exec" if is_held() else ""

        if why := process.refusal():
            text = f"{NOT_ISOLATED} ({why}), so the driver runs in vkzircon's own process: a crash ends both."
            yield own_message("warning", text)
        step: str | None = None
        event: Event = {"event": ""}
        while event["event"] != "done":
            limit_s = time_limit(request.timeout_s, event.get("moves", 0))
            deadline = time.monotonic() + limit_s
            taken, end = yield from _awaited(made, printed, deadline, how_it_ends)
            if taken is None:
                exited = Missing(MissingKind.CRASHED, calls[0], "", end)
                yield end_of(step, exited if end else missing_in_time(limit_s, calls[0]))
                break
            event = taken
            step = {"begin": event.get("step"), "end": None}.get(event["event"], step)
            if event["event"] != "done":
                yield event
            made.task_done()
        printed.drain()
        printed.is_over = event["event"] == "done"
    yield printed.capture.event()


def _read_ahead() -> None:
    """Read what a report may need, because a driver may change the user or the root folder."""
    import vkzircon_cli.model.limits  # noqa: F401
    from vkzircon_cli.explain.entries import text_of

    read_glossary(TEXTS)
    text_of("")  # which reads the other glossaries


def _have_own_folder() -> None:
    """Separate the current folder and the file mode mask of this thread from those of the main thread."""
    with suppress(ImportError, OSError, AttributeError):  # only Linux has it
        in_this_process().unshare(_CLONE_FS)


def _awaited(
    made: "queue.Queue[Event]", printed: "OwnOutput", deadline: float, how_it_ends: Callable[[], str]
) -> Generator[Event, None, tuple[Event | None, str]]:
    """Yield ticks; return the next event, or None and how the driver tried to end the process, '' if it hangs."""
    pause_s = _TICK_S
    while (taken := _take(made, pause_s)) is None and time.monotonic() < deadline:
        if end := how_it_ends():
            return None, end
        pause_s = _BUSY_S if printed.drain() else min(2 * pause_s, _TICK_S)
        yield {"event": "tick"}
    return taken, ""


def _take(made: "queue.Queue[Event]", patience_s: float) -> Event | None:
    try:
        return made.get(timeout=patience_s)
    except queue.Empty:
        return None


class OwnOutput:
    """Captures what C code prints in this process; Python's own streams keep their targets.

    Unless *is_over*, a thread of the driver may still print: the capture does not end, and the streams stay copies.
    """

    def __init__(self) -> None:
        self.capture = Capture()
        self.is_over = False
        self._saved: dict[int, int] = {}
        self._streams = (sys.__stdout__, sys.__stderr__)

    def __enter__(self) -> Self:
        """Replace standard output and standard error by a pipe, even if they were closed."""
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        for descriptor in (1, 2):
            with suppress(OSError):
                self._saved[descriptor] = process.unusual(descriptor)
            os.dup2(write, descriptor)
        os.close(write)
        sys.__stdout__, sys.__stderr__ = (self._moved(i + 1, stream) for i, stream in enumerate(self._streams))  # type: ignore[misc, assignment]
        return self

    def _moved(self, descriptor: int, stream: TextIO | None) -> TextIO | None:
        if stream is None or descriptor not in self._saved:
            return None
        return os.fdopen(self._saved[descriptor], "w", encoding=stream.encoding, closefd=False)

    def drain(self) -> bool:
        """Empty the pipe, and return whether anything was in it. A driver may have closed it.

        A full pipe blocks the thread that prints. The limit on chunks is for a thread that prints without end.
        """
        count = 0
        with suppress(OSError):
            while count < _MOST_CHUNKS and (data := os.read(self._read, _CHUNK)):
                self.capture.add(data)
                count += 1
        return count > 0

    def __exit__(self, *_: object) -> None:
        """Restore both descriptors; close those whose copies a driver closed.

        A stream keeps its copy if dup2 fails, because a driver lowered the limit on open files.
        """
        if not self.is_over:
            return
        streams = list(self._streams)
        for descriptor, saved in self._saved.items():
            with suppress(OSError):
                os.close(descriptor)  # our pipe, which has no reader from now on
            try:
                os.dup2(saved, descriptor)
                os.close(saved)
            except OSError:
                streams[descriptor - 1] = (sys.__stdout__, sys.__stderr__)[descriptor - 1]
        with suppress(OSError):
            os.close(self._read)
        sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]


def watch_exit() -> Callable[[], bool]:
    """Make each thread that calls exit() sleep from now on; return a function: whether a thread has called it.

    The process then has a minute to end by ``os._exit``, before it ends with the code of a crash. Handlers that a
    driver registers later, such as its destructors, run first. quick_exit() aborts: its handlers take no argument.
    """
    try:
        return _watch_exit()
    except (ImportError, OSError, AttributeError):  # no cffi, or a libc without these functions
        return lambda: False


def _watch_exit() -> Callable[[], bool]:
    from vkzircon_cli.bindings._abi import ffi

    libc = in_this_process()
    was_posted = libc.sem_trywait  # looked up now: exit() may be called while the linker's lock is held
    called = ffi.new("char[]", _LARGEST_SEMAPHORE)
    _kept.append(called)
    libc.sem_init(called, 0, 0)

    def handler(name: str) -> Any:
        return ffi.cast("void (*)(void *)", ffi.addressof(libc, name))

    # Handlers run in reverse order.
    for name, argument in (("_exit", own_end.status(Exit.CRASHED)), ("sleep", _PATIENCE_S), ("sem_post", called)):
        getattr(libc, "__cxa_atexit")(handler(name), ffi.cast("void *", argument), ffi.NULL)
    with suppress(AttributeError):  # some libcs lack it
        getattr(libc, "__cxa_at_quick_exit")(handler("abort"), ffi.NULL)
    return lambda: bool(was_posted(called) == 0)
