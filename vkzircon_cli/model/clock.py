# SPDX-License-Identifier: Apache-2.0
"""The run's clock: every time in a report counts from here, the program's start. A forked child has the same."""

import time

_BEGAN = time.monotonic()


def elapsed_ms() -> float:
    """Return the time since the start, in milliseconds to three places."""
    return round((time.monotonic() - _BEGAN) * 1000, 3)
