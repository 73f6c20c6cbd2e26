# SPDX-License-Identifier: Apache-2.0
"""Tasks: work that may crash or hang, done in a forked process. Each answer is one JSON line through a pipe."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.worker.isolation import missing_from_exit, missing_in_time
from vkzircon_cli.worker.process import Process, is_readable, pipe, start

_CHUNK = 64 * 1024
_TICK_S = 0.1  # the pause between two looks at a silent process, whose pipe may stay open in a process that it started
_MOST_BYTES = 1 << 20
_CALL = "dlopen"
_NO_TIME = Missing(MissingKind.NOT_ASKED, "", "", "there was no time to try it")


def _not_started(why: str) -> Missing:
    return Missing(MissingKind.NOT_ASKED, "", "", f"no process can be started: {why}")


class Task:
    """A process that runs *work*, started at once, so that several tasks run side by side.

    Each answer has *timeout_s*, counted from the one before. If no process can be started, the result is no answers and
    the system's reason. The process's output is discarded. Close a task if its answers may not be needed.
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
        self._read, write = pipe()
        try:
            self._process = start(partial(_run, work, write))
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
        data = bytearray()
        missing: Missing | None = _NO_TIME
        try:
            if self._process is not None:
                missing = self._listen(self._process, data)
        except OSError as refused:
            return [], _not_started(str(refused.strerror))
        finally:
            self.close()
        *lines, rest = bytes(data).split(b"\n")
        if missing is None and rest != _DONE:  # a library may call exit(0)
            missing = missing_from_exit(0, _CALL)
        if missing is not None and missing is not _NO_TIME and not lines:
            missing = _not_started(missing.reason)
        stamped = [_stamped(line) for line in lines]
        if None in stamped:  # a library that writes to every descriptor
            return [], Missing(MissingKind.CRASHED, _CALL, "", "the process wrote a line that is not an answer")
        return [answer for _, answer in filter(None, stamped[1:])], missing

    def _listen(self, process: Process, data: bytearray) -> Missing | None:
        deadline = self._began + self._timeout_s
        is_over = False
        while not is_over and len(data) < _MOST_BYTES:
            left = 0.0 if self._gives_up else max(0.0, deadline - time.monotonic())
            # An answer that was written in time counts, even if it is read later.
            if is_readable(self._read, min(_TICK_S, left)):
                got = os.read(self._read, _CHUNK)
                data += got
                deadline = self._deadline(data, deadline)
                is_over = not got
            elif process.exit_status() is not None:
                is_over = not is_readable(self._read)
            elif not left:
                break
        status = process.exit_status(max(0.0, deadline - time.monotonic())) if is_over else None
        if status is None:
            return _NO_TIME if self._gives_up else missing_in_time(self._timeout_s, _CALL)
        return missing_from_exit(status, _CALL) if status else None

    def _deadline(self, data: bytearray, before: float) -> float:
        """Return the deadline of the next answer, counted from the time when the last one was written, not read."""
        *_, last, _ = [b"", b"", *bytes(data).split(b"\n")]
        stamped = _stamped(last)
        return before if stamped is None else max(before, min(stamped[0], time.monotonic()) + self._timeout_s)

    def close(self) -> None:
        """End the process if it still runs; a second time does nothing."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.reap()
            os.close(self._read)


_DONE = b"done"
_FATAL = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


def _run(work: Callable[[], Iterable[Any]], write: int) -> None:
    for number in _FATAL:  # a crash handler of the main process may print to its own descriptors
        signal.signal(number, signal.SIG_DFL)
    _write(write, None)  # an end before this line was not caused by the library
    for answer in work():
        _write(write, answer)
    os.write(write, _DONE)


def _write(end: int, answer: Any) -> None:
    """Write an answer and the time of writing; all processes share the monotonic clock."""
    os.write(end, json.dumps([time.monotonic(), answer]).encode("ascii") + b"\n")


def _stamped(line: bytes) -> tuple[float, Any] | None:
    """Parse a line of `_write`; return None for any other line."""
    try:
        when_s, answer = json.loads(line)
        return float(when_s), answer
    except (TypeError, ValueError, RecursionError):
        return None
