# SPDX-License-Identifier: Apache-2.0
"""Progress: one line on a terminal that names the current step of a run that takes long."""

import time
from collections.abc import Callable
from typing import Any

_PATIENCE_S = 0.5
_CLEAR = "\r\x1b[K"


class Progress:
    """Takes events and updates one line of a terminal through *put*, None to show nothing."""

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
        """Clear the line."""
        if self._put is not None and self._shown:
            self._put(_CLEAR)
            self._shown = False
