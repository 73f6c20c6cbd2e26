# SPDX-License-Identifier: Apache-2.0
"""Known bytes, and the comparison of whole buffers with them: in bounded memory, at the speed of memcmp."""

import itertools

from vkzircon_cli.bindings.memory import Memory
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.model.vmo import Comparison

_PERIOD = 251  # a prime, so that no page, cache line or row equals the next
_BYTES = bytes(range(1, 256))
_seeds = itertools.count(1)


class Pattern:
    """*size* bytes that repeat a *period*."""

    def __init__(self, period: bytes, size: int) -> None:
        self.period = period
        self.size = size

    def put(self, memory: Memory) -> None:
        """Write all of it to the start of *memory*."""
        memory.fill(self.period, self.size)

    def put_into(self, kernel: Zircon, handle: int) -> None:
        """Write all of it to the start of a VMO."""
        kernel.fill(handle, self.period, self.size)

    def compare(self, memory: Memory) -> Comparison:
        """Compare all of *memory* up to the pattern's end; a short *memory* counts as wrong from its end on."""
        size = min(self.size, memory.size)
        wrong, first = memory.compare(self.period, size)
        missing = self.size - size
        return Comparison(self.size, wrong + missing, (first if wrong else size) if wrong or missing else None)

    def compare_with(self, kernel: Zircon, handle: int) -> Comparison:
        """Compare all of it with the start of a VMO, through zx_vmo_read."""
        wrong, first = kernel.compare(handle, self.period, self.size)
        return Comparison(self.size, wrong, first if wrong else None)


def new_pattern(size: int) -> Pattern:
    """Make a pattern without zeros that differs at every offset from each of the 250 made before.

    Memory that a driver hands out again may have an older pattern, which must not be mistaken for the last one written.
    """
    start = next(_seeds) % len(_BYTES)
    return Pattern((_BYTES * 2)[start : start + _PERIOD], size)


def new_word(size: int) -> Pattern:
    """Make the pattern that a device's fill with a 32-bit word leaves; the period is that word, little-endian."""
    seed = next(_seeds)
    return Pattern(bytes(1 + (seed + i) % 255 for i in range(4)), size)


def zeros(size: int) -> Pattern:
    """Make a pattern of zeros only."""
    return Pattern(bytes(1), size)


def both(first: Comparison, second: Comparison) -> Comparison:
    """Add up two comparisons; the first wrong byte is that of the first one that has any."""
    wrong_at = first.first_wrong if first.first_wrong is not None else second.first_wrong
    return Comparison(first.count + second.count, first.wrong + second.wrong, wrong_at)
