# SPDX-License-Identifier: Apache-2.0
"""Work that may die or hang, done in a forked child: each answer is one JSON line through a pipe."""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.worker.process import Process, die_with, pipe, signal_name, start

_CHUNK = 64 * 1024
_TICK_S = 0.1  # how often a silent child is looked after: what it started may keep its pipe open
_MOST_BYTES = 1 << 20
_STANDARD = (0, 1, 2)
_NO_TIME = Missing(MissingKind.NOT_ASKED, "", "", "there was no time to try it")


class Errand:
    """A child that runs *work*, begun at once, so that others can be begun beside it.

    Where no child can be started, there are no answers, and that is why. Close it where it may be that nobody waits for
    the answers. Each answer has *timeout_s* to come, counted from the
    one before. What the child prints is thrown away.
    """

    def __init__(self, work: Callable[[], Iterable[Any]], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._began = time.monotonic()
        self._gives_up = False
        self._process: Process | None = None
        self._refusal = ""
        try:
            self._begin(work)
        except OSError as error:
            self._refusal = f"no process can be started: {error.strerror}"

    def _begin(self, work: Callable[[], Iterable[Any]]) -> None:
        self._read, write = pipe()
        try:
            self._process = start(partial(_be_child, work, write, os.getpid()))
        except OSError:
            os.close(self._read)
            raise
        finally:
            os.close(write)

    def give_up(self) -> None:
        """Wait for nothing that is not there yet."""
        self._gives_up = True

    def answers(self) -> tuple[list[Any], Missing | None]:
        """Wait for the child and give what it answered, and what cut it short; nothing of it stays behind.

        There was no time for a child that was closed before.
        """
        if self._refusal:
            return [], Missing(MissingKind.NOT_ASKED, "", "", self._refusal)
        data = bytearray()
        fate: Missing | None = _NO_TIME
        try:
            if self._process is not None:
                fate = self._listen(self._process, data)
        finally:
            self.close()
        *lines, rest = bytes(data).split(b"\n")
        if fate is None and rest != _DONE:  # a library may leave with exit code 0, too
            fate = Missing(MissingKind.CRASHED, "dlopen", "", "the process left with exit code 0")
        if fate is not None and fate is not _NO_TIME and not lines:
            fate = Missing(MissingKind.NOT_ASKED, "", "", f"no process can be started: {fate.reason}")
        stamped = [_stamped(line) for line in lines]
        if None in stamped:  # a library that writes to any descriptor that is open
            return [], Missing(MissingKind.CRASHED, "dlopen", "", "the process wrote what is no answer")
        return [answer for _, answer in filter(None, stamped[1:])], fate

    def _listen(self, process: Process, data: bytearray) -> Missing | None:
        deadline = self._began + self._timeout_s
        is_over = False
        while not is_over and len(data) < _MOST_BYTES:
            left = 0.0 if self._gives_up else max(0.0, deadline - time.monotonic())
            if self._is_ready(min(_TICK_S, left)):  # what came long ago is read, however late we are
                got = os.read(self._read, _CHUNK)
                data += got
                deadline = self._deadline(data, deadline)
                is_over = not got
            elif process.exit_code() is not None:
                is_over = not self._is_ready(0.0)
            elif not left:
                break
        code = process.exit_code(max(0.0, deadline - time.monotonic())) if is_over else None
        if code is None and self._gives_up:
            return _NO_TIME
        if code is None:
            return Missing(MissingKind.TIMED_OUT, "dlopen", "", f"no answer within {self._timeout_s:g} s")
        return _fate(code)

    def _deadline(self, data: bytearray, before: float) -> float:
        """Give the next answer its time from when the last one was written, however late it is read."""
        *_, last, _ = [b"", b"", *bytes(data).split(b"\n")]
        stamped = _stamped(last)
        return before if stamped is None else max(before, min(stamped[0], time.monotonic()) + self._timeout_s)

    def _is_ready(self, patience_s: float) -> bool:
        return bool(select.select([self._read], [], [], patience_s)[0])

    def close(self) -> None:
        """End the child if it still runs; a second time does nothing."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.reap()
            os.close(self._read)


def _fate(code: int) -> Missing | None:
    if code == 0:
        return None
    name = signal_name(-code) if code < 0 else ""
    reason = f"killed by {name}" if name else f"the process left with exit code {code}"
    return Missing(MissingKind.CRASHED, "dlopen", name, reason)


_DONE = b"done"
_FATAL = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


def _be_child(work: Callable[[], Iterable[Any]], write: int, parent: int) -> None:
    for number in _FATAL:  # no handler for crashes that this process was given may print where we print
        signal.signal(number, signal.SIG_DFL)
    die_with(parent)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _STANDARD:
        os.dup2(nothing, descriptor)
    _say(write, None)  # what comes before that is nobody's fault but this child's
    for answer in work():
        _say(write, answer)
    os.write(write, _DONE)
    os._exit(0)


def _say(write: int, answer: Any) -> None:
    """Write an answer, and when: processes have one clock."""
    os.write(write, json.dumps([time.monotonic(), answer]).encode("ascii") + b"\n")


def _stamped(line: bytes) -> tuple[float, Any] | None:
    """Read what `_say` wrote, None if it is something else."""
    try:
        when_s, answer = json.loads(line)
        return float(when_s), answer
    except (TypeError, ValueError, RecursionError):
        return None
