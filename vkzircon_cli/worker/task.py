# SPDX-License-Identifier: Apache-2.0
"""Tasks: work that may crash or hang, done in a forked process. Each answer is a frame with JSON through a pipe."""

import _thread
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.worker.frames import FrameReader, frame_writer
from vkzircon_cli.worker.isolation import missing_from_exit, missing_in_time
from vkzircon_cli.worker.process import Process, is_readable, new_key, pipe, start

_CHUNK = 64 * 1024
_TICK_S = 0.1  # the pause between two looks at a silent process, whose pipe may stay open in a process that it started
_CALL = "dlopen"
_NO_TIME = Missing(MissingKind.NOT_ASKED, "", "", "there was no time to try it")
# Ten times what a driver took to load and to create an instance: 51 MiB with LLVM (lavapipe, RADV), 31 MiB (NVIDIA
# 580), 2 MiB (SwiftShader). Resident memory is measured, because drivers reserve addresses that they may never use. A
# resource limit would count those, and would cause errors that look like errors of the library.
MOST_MEMORY_MIB = 512
TOO_MUCH_MEMORY = Missing(MissingKind.CRASHED, _CALL, "", "vkzircon ended the process")
_LOOK_S = 0.01  # a process can fill some 40 MiB between two checks


def _not_started(why: str) -> Missing:
    return Missing(MissingKind.NOT_ASKED, "", "", f"no process can be started: {why}")


class Task:
    """A process that runs *work*, started at once, so that several tasks run side by side.

    Each answer has *timeout_s*, counted from the one before. If no process can be started, the result is no answers and
    the system's reason. The process's output is discarded. Close a task if its answers may not be needed.
    A process that uses `MOST_MEMORY_MIB` more than at its start is ended; processes that it starts are not measured.
    """

    def __init__(self, work: Callable[[], Iterable[Any]], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._began = time.monotonic()
        self._gives_up = False
        self._process: Process | None = None
        self._refusal = ""
        try:
            self._start(work)
        except OSError as error:
            self._refusal = str(error.strerror)

    def _start(self, work: Callable[[], Iterable[Any]]) -> None:
        self._key = new_key()
        self._read, write = pipe()
        try:
            self._process = start(partial(_run, work, write, self._key), keeps=(write,))
        except OSError:
            os.close(self._read)
            raise
        finally:
            os.close(write)

    def give_up(self) -> None:
        """Stop waiting: only answers that are already there count."""
        self._gives_up = True

    def answers(self) -> tuple[list[Any], Missing | None]:
        """Wait for the process; return its answers, and why it ended too early. A closed task counts as out of time."""
        if self._refusal:
            return [], _not_started(self._refusal)
        reader, stamped = FrameReader(self._key), list[_Stamped]()
        missing: Missing | None = _NO_TIME
        try:
            if self._process is not None:
                missing = self._listen(self._process, reader, stamped)
        except OSError as refused:
            return [], _not_started(str(refused.strerror))
        finally:
            self.close()
        if reader.refused:  # a library that writes to every descriptor
            return [], Missing(MissingKind.CRASHED, _CALL, "", "the process wrote a line that is not an answer")
        said = [answer for _, answer in stamped]
        if _BEYOND in said:
            missing = TOO_MUCH_MEMORY
        elif missing is None and _DONE not in said:  # a library may call exit(0)
            missing = missing_from_exit(0, _CALL)
        if missing is not None and missing is not _NO_TIME and not said:
            missing = _not_started(missing.reason)
        return [answer["answer"] for answer in said if answer and answer != _BEYOND], missing

    def _listen(self, process: Process, reader: FrameReader, stamped: "list[_Stamped]") -> Missing | None:
        deadline = self._began + self._timeout_s
        is_over = False
        while not is_over and not reader.refused:
            left = 0.0 if self._gives_up else max(0.0, deadline - time.monotonic())
            # An answer that was written in time counts, even if it is read later.
            if is_readable(self._read, min(_TICK_S, left)):
                got = os.read(self._read, _CHUNK)
                stamped += map(json.loads, reader.texts(got))
                deadline = self._deadline(stamped, deadline)
                is_over = not got
            elif process.exit_status() is not None:
                is_over = not is_readable(self._read)
            elif not left:
                break
        status = process.exit_status(max(0.0, deadline - time.monotonic())) if is_over else None
        if status is None:
            return _NO_TIME if self._gives_up else missing_in_time(self._timeout_s, _CALL)
        return missing_from_exit(status, _CALL) if status else None

    def _deadline(self, stamped: "list[_Stamped]", before: float) -> float:
        """Return the deadline of the next answer, counted from the time when the last one was written, not read."""
        return max([before, *(min(when_s, time.monotonic()) + self._timeout_s for when_s, _ in stamped[-1:])])

    def close(self) -> None:
        """End the process if it still runs; a second time does nothing."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.reap()
            os.close(self._read)


_Stamped = tuple[float, dict[str, Any] | None]  # when it was written, and an answer or one of the following
_BEGUN: dict[str, Any] = {}  # an end before this was not caused by the library
_BEYOND: dict[str, Any] = {"memory": MOST_MEMORY_MIB}  # it used more than this
_DONE = None
_FATAL = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


def _run(work: Callable[[], Iterable[Any]], end: int, key: bytes) -> None:
    for number in _FATAL:  # a crash handler of the main process may print to its own descriptors
        signal.signal(number, signal.SIG_DFL)
    write, one_by_one = frame_writer(end, key), _thread.allocate_lock()

    def stamp(said: dict[str, Any] | None) -> None:
        """Write the time too; all processes share the monotonic clock."""
        with one_by_one:
            write(json.dumps([time.monotonic(), said]).encode("ascii"))

    stamp(_BEGUN)
    end_if_beyond = _watch_memory(stamp)
    for answer in work():
        end_if_beyond()
        stamp({"answer": answer})
    stamp(_DONE)


def _watch_memory(stamp: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
    """Start a thread that ends this process when it has used too much memory; return a function that checks once.

    The thread also runs while a library's code runs, because cffi releases the GIL for each call.
    """
    from resource import RUSAGE_SELF, getrusage  # not in Python for Fuchsia, which has no fork either

    most_kib = getrusage(RUSAGE_SELF).ru_maxrss + MOST_MEMORY_MIB * 1024

    def look() -> None:
        if getrusage(RUSAGE_SELF).ru_maxrss > most_kib:
            stamp(_BEYOND)
            os._exit(0)

    def watch() -> None:
        while True:
            look()
            time.sleep(_LOOK_S)

    with suppress(RuntimeError):  # a limit on processes counts threads too
        _thread.start_new_thread(watch, ())
    return look
