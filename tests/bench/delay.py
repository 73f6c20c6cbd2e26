# SPDX-License-Identifier: Apache-2.0
"""A slow line to an agent: `delay.py MS FILE COMMAND...` starts COMMAND, and passes on what it reads and writes.

Each piece arrives MS milliseconds late, in each direction; a later piece does not wait for an earlier one. FILE gets
one byte for each round trip: each time that the host writes and the agent has written since.
"""

import os
import select
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

_PIECE = 1 << 16


class Direction:
    """Data in transit from *source* to *target*, two descriptors."""

    def __init__(self, source: int, target: int, delay_s: float) -> None:
        self.source = source
        self._target = target
        self._delay_s = delay_s
        self._pieces: deque[tuple[float, bytes]] = deque()
        self.is_open = True

    def take(self) -> bytes:
        """Read one piece; an empty one is the end, which is delayed like all others."""
        data = os.read(self.source, _PIECE)
        self._pieces.append((time.monotonic() + self._delay_s, data))
        self.is_open = bool(data)
        return data

    def left_s(self) -> float | None:
        """Return the seconds until a piece arrives, None if none is in transit."""
        return max(0.0, self._pieces[0][0] - time.monotonic()) if self._pieces else None

    def deliver(self) -> None:
        """Write what has arrived."""
        while self._pieces and self._pieces[0][0] <= time.monotonic():
            data = memoryview(self._pieces.popleft()[1])
            if not data:
                os.close(self._target)
            while data:
                data = data[os.write(self._target, data) :]


def main(delay_ms: str, count: str, *command: str) -> int:
    """Pass on both directions until the command has closed its output."""
    agent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert agent.stdin is not None
    assert agent.stdout is not None
    there = Direction(0, agent.stdin.fileno(), float(delay_ms) / 1000)
    back = Direction(agent.stdout.fileno(), 1, float(delay_ms) / 1000)
    with Path(count).open("ab", buffering=0) as trips:
        has_answered = True
        while back.is_open or back.left_s() is not None:
            sources = [each.source for each in (there, back) if each.is_open]
            waits = [left for left in (there.left_s(), back.left_s()) if left is not None]
            ready = select.select(sources, [], [], min(waits, default=None))[0]
            if back.source in ready:
                has_answered = bool(back.take()) or has_answered
            if there.source in ready and there.take() and has_answered:
                trips.write(b".")
                has_answered = False
            there.deliver()
            back.deliver()
    return agent.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
