# SPDX-License-Identifier: Apache-2.0
"""SIGINT, SIGTERM and SIGHUP: each ends a wait, but never interrupts the making or writing of a result.

The first signal is only noted, unless the run waits for a driver or reads a file: then it raises. Signals that follow
within `_GRACE_S` count as the same one: `timeout` sends two, to the process and to its group. A later signal raises
wherever it arrives, or only in `leavable` if a result is in memory. A timer raises anywhere, because a pipe that is not
read could block the run forever.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_S = 0.5
_LIMIT_S = 10.0  # from the first signal to the end; `docker stop` kills after the same time
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)
_SIGNAL_EXIT = 128
# USAGE, NOT_WRITTEN, OUR_FAULT and PIPE_CLOSED of `Exit`, which is not imported yet when signals are held.
_WITHOUT_RESULT = (2, 6, 70, 141)


class Interrupted(KeyboardInterrupt):
    """A signal ended a wait."""


class _State:
    """The *number* of the first signal, 0 without one; the time of the *last* that counted.

    The first signal raises if the run *is_waiting*. A later one raises unless the run *has_result* and is not
    *is_leavable*.
    """

    number = 0
    last = 0.0
    is_waiting = False
    has_result = False
    is_leavable = False


_state = _State()


def hold() -> None:
    """Note the signals from now on. Ignored signals stay ignored, as `nohup` requires."""
    for number in SIGNALS:
        with suppress(ValueError, OSError):  # a system may lack some of them
            if signal.getsignal(number) in _DEFAULTS:
                signal.signal(number, _note)


def release() -> None:
    """Restore the default actions, for another program in this process.

    Raises:
        KeyboardInterrupt: a signal arrived earlier.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is _note:
            signal.signal(number, signal.SIG_DFL)
    if _state.number:
        raise KeyboardInterrupt


def endable(wait: Callable[[], T]) -> T:
    """Return the result of *wait*.

    Raises:
        Interrupted: a signal arrived, earlier or during the wait.
    """
    _state.is_waiting = True
    try:
        if _state.number:
            raise KeyboardInterrupt
        return wait()
    except (KeyboardInterrupt, RuntimeError) as error:
        if is_interruption(error):
            raise Interrupted from None
        raise
    finally:
        _state.is_waiting = False


def each(stream: Iterator[T]) -> Iterator[T]:
    """Yield from *stream*, which never yields None. A signal ends the wait for an item, not its handling."""
    following = partial(next, stream, None)
    while (item := endable(following)) is not None:
        yield item


def keep_result() -> None:
    """Note that a result is in memory, which must be written: from now on a second signal ends `leavable` only."""
    _state.has_result = True


def leavable(write: Callable[[], T]) -> T:
    """Return the result of *write*, which may wait for a reader: a second signal ends it.

    Raises:
        KeyboardInterrupt: that signal arrived.
    """
    _state.is_leavable = True
    try:
        return write()
    finally:
        _state.is_leavable = False


def is_interruption(error: BaseException) -> bool:
    """Whether a signal caused *error*: Python before 3.12 wraps KeyboardInterrupt if it is raised in a class body."""
    return isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)


def signal_heard() -> signal.Signals | None:
    """Return the first signal, None without one."""
    return signal.Signals(_state.number) if _state.number else None


def exit_code(code: int) -> int:
    """Return the exit code of a run that would end with *code*: a signal replaces the code of a verdict."""
    return _SIGNAL_EXIT + _state.number if _state.number and code not in _WITHOUT_RESULT else code


def _note(number: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    ends = _state.is_waiting if not _state.number else _ends_later(number, now)
    if not _state.number:
        _state.number, _state.last = number, now
        with suppress(ValueError, OSError, AttributeError):  # a system may lack timers
            signal.signal(signal.SIGALRM, _note)
            signal.setitimer(signal.ITIMER_REAL, _LIMIT_S)
    if ends:
        _state.is_waiting, _state.last = False, now
        raise KeyboardInterrupt


def _ends_later(number: int, now: float) -> bool:
    """Whether a signal behind the first one raises."""
    can_leave = _state.is_leavable or not _state.has_result
    return number == signal.SIGALRM or (can_leave and now - _state.last > _GRACE_S)
