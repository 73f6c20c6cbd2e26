# SPDX-License-Identifier: Apache-2.0
"""How the time is divided, and rounds until a share of it is used up."""

import time
from array import array
from collections.abc import Callable, Sequence

_NS_PER_S = 1_000_000_000
_MOST_ROUNDS = 20_000  # of one measurement, which bounds its memory
_LEAST_SHARE_S = 0.01  # of a measurement, where those before it used up the time


class Budget:
    """Time until *deadline* on *clock*, in seconds, shared by weights; *limit_s* is the most that one share gets.

    Time that a measurement does not use goes to those after it.
    """

    def __init__(
        self, deadline: float, weights: Sequence[float], limit_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._deadline = deadline
        self._waiting = list(weights)
        self._limit_s = limit_s
        self._clock = clock

    @property
    def left_s(self) -> float:
        """Return the seconds until the deadline, 0 when it has passed."""
        return max(0.0, self._deadline - self._clock())

    def take(self) -> float:
        """Return the share of the next measurement in seconds; a little where nothing is left."""
        of_all = sum(self._waiting)
        share = self.left_s * self._waiting.pop(0) / of_all if of_all else self.left_s
        return min(max(share, _LEAST_SHARE_S), self._limit_s)


def repeat(once: Callable[[], int], share_s: float, *, warm_up: int = 1) -> Sequence[int]:
    """Repeat *once*, which returns the nanoseconds that it took, until the share is used up, at least one time.

    The results of the *warm_up* rounds are dropped: these pay for what is made on first use. They count as time used,
    and end early when the share is used up.
    """
    deadline = time.monotonic() + share_s
    for _ in range(warm_up):
        once()
        if time.monotonic() >= deadline:
            break
    durations = array("q", [once()])
    while len(durations) < _MOST_ROUNDS and time.monotonic() < deadline:
        durations.append(once())
    return durations


def took(action: Callable[[], object]) -> int:
    """Return the nanoseconds that *action* takes."""
    began = time.perf_counter_ns()
    action()
    return time.perf_counter_ns() - began


def fitting(largest: int, smallest: int, bytes_per_second: float, seconds: float) -> int:
    """Halve *largest*, not below *smallest*, until it can be moved in *seconds*."""
    size = largest
    while size // 2 >= smallest and size > bytes_per_second * seconds:
        size //= 2
    return size


def rate_of(size: int, duration_ns: int) -> float:
    """Return bytes per second."""
    return size * _NS_PER_S / max(duration_ns, 1)
