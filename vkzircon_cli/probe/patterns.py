# SPDX-License-Identifier: Apache-2.0
"""Known bytes, and the comparison of whole buffers with them: in bounded memory, at the speed of memcmp."""

import itertools
from collections.abc import Callable, Iterator

from vkzircon_cli.model.vmo import Comparison

_PERIOD = 251  # a prime, so that no page, cache line or row equals the next
_BYTES = bytes(range(1, 256))
_CHUNK = 1 << 20
_seeds = itertools.count(1)


class Pattern:
    """*size* bytes that repeat a *period*."""

    def __init__(self, period: bytes, size: int) -> None:
        self.period = period
        self.size = size
        # Whole periods, so that every chunk begins like the first.
        self._chunk = period * max(1, min(size, _CHUNK) // len(period) + 1)

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes in pieces, each with its offset."""
        for offset in range(0, self.size, len(self._chunk)):
            size = min(len(self._chunk), self.size - offset)
            yield offset, self._chunk if size == len(self._chunk) else self._chunk[:size]

    def put(self, view: memoryview) -> None:
        """Write all of it to the start of *view*."""
        for offset, data in self.chunks():
            view[offset : offset + len(data)] = data

    def compare(self, view: bytes | memoryview) -> Comparison:
        """Compare all of *view* up to the pattern's end; a short *view* counts as wrong from its end on."""
        return self.compare_chunks(lambda offset, size: view[offset : offset + size])

    def compare_chunks(self, read: Callable[[int, int], bytes | memoryview]) -> Comparison:
        """Compare what *read* returns for each offset and size."""
        total = Comparison(0, 0, None)
        for offset, expected in self.chunks():
            total = both(total, _compare(expected, read(offset, len(expected)), offset))
        return total


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


def _compare(expected: bytes, seen: bytes | memoryview, offset: int) -> Comparison:
    """Compare *seen* with what is *expected* at *offset*; a short *seen* counts as wrong from its end on."""
    found = bytes(seen[: len(expected)])
    if found == expected:
        return Comparison(len(expected), 0, None)
    missing = len(expected) - len(found)
    # As one number each: their exclusive or, and the count of its zeros, need no Python loop over bytes.
    ours, theirs = int.from_bytes(expected[: len(found)], "little"), int.from_bytes(found, "little")
    unlike = (ours ^ theirs).to_bytes(len(found), "little")
    first = len(unlike) - len(unlike.lstrip(b"\0"))
    return Comparison(len(expected), len(unlike) - unlike.count(0) + missing, offset + first)


def both(first: Comparison, second: Comparison) -> Comparison:
    """Add up two comparisons; the first wrong byte is that of the first one that has any."""
    wrong_at = first.first_wrong if first.first_wrong is not None else second.first_wrong
    return Comparison(first.count + second.count, first.wrong + second.wrong, wrong_at)
