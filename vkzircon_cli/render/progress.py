# SPDX-License-Identifier: Apache-2.0
"""The sign of life: one line that says which step is being asked, on a terminal only, and only when it takes long."""

import time
from collections.abc import Callable
from typing import Any

_PATIENCE_S = 0.5
_CLEAR = "\r\x1b[K"


class Progress:
    """Hears events and keeps one line of a terminal up to date through *put*; *put* None shows nothing."""

    def __init__(self, put: Callable[[str], None] | None, width: int = 80) -> None:
        self._put = put
        self._width = width
        self._began = time.monotonic()
        self._step = ""
        self._shown = False

    def __call__(self, event: dict[str, Any]) -> None:
        """Take one event."""
        if event["event"] == "begin":
            self._step = event["step"]
        elapsed = time.monotonic() - self._began
        if self._put is not None and self._step and elapsed >= _PATIENCE_S:
            self._put(f"{_CLEAR}{f'{elapsed:3.0f} s  {self._step} ...'[: self._width - 1]}")
            self._shown = True

    def close(self) -> None:
        """Take the line away."""
        if self._put is not None and self._shown:
            self._put(_CLEAR)
            self._shown = False
