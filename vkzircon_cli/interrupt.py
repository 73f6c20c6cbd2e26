# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while a command is still being loaded: it is kept until there is somebody to make a result of it.

Behind the first one others are passed over for a moment: `timeout` sends two, to the process and to its group.
"""

import signal
import time
from types import FrameType

_GRACE_S = 0.5
_pressed: list[float] = []


def hold() -> None:
    """Keep Ctrl-C from now on. Where it is ignored it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _keep)


def let_go() -> None:
    """Have Ctrl-C raise `KeyboardInterrupt`, once; raise it now if it was kept."""
    if signal.getsignal(signal.SIGINT) is _keep:
        signal.signal(signal.SIGINT, _interrupt)
    if _pressed:
        _interrupt(signal.SIGINT, None)


def _keep(number: int, frame: FrameType | None) -> None:
    _pressed.append(time.monotonic())
    if _pressed[-1] - _pressed[0] > _GRACE_S:  # whoever presses again means it
        signal.default_int_handler(number, frame)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _keep)
    _pressed[:] = [time.monotonic()]
    raise KeyboardInterrupt
