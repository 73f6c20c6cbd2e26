# SPDX-License-Identifier: Apache-2.0
"""The run's clock: times in a report count from the program's start, in forked processes too."""

import time

_BEGAN = time.monotonic()


def elapsed_ms() -> float:
    """Return the time since the start, in milliseconds to three places."""
    return round((time.monotonic() - _BEGAN) * 1000, 3)
