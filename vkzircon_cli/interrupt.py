# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while a command is still being loaded: it is kept until there is somebody to make a result of it."""

import signal
from types import FrameType

_pressed: list[int] = []


def hold() -> None:
    """Keep the first Ctrl-C from now on; a second one ends the program at once. Where it is ignored it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _keep)


def _keep(number: int, frame: FrameType | None) -> None:
    if _pressed:
        signal.default_int_handler(number, frame)
    _pressed.append(number)


def let_go() -> None:
    """Have Ctrl-C raise `KeyboardInterrupt` again, and raise it now if it was kept."""
    if signal.getsignal(signal.SIGINT) is _keep:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _pressed:
        _pressed.clear()
        raise KeyboardInterrupt
