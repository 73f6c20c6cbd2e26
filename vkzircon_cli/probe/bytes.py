# SPDX-License-Identifier: Apache-2.0
"""Known bytes, and comparing whole buffers of them."""

import itertools

from vkzircon_cli.vmo_facts import Comparison

_PERIOD = 251  # prime, so that no page, cache line or row looks like the next
_seeds = itertools.count(1)


def new_pattern(size: int) -> bytes:
    """Make *size* bytes that differ at every offset from each of the 250 patterns made before, and none of them 0.

    Memory that a driver hands out again may hold an older pattern, which must never be taken for one just written.
    """
    seed = next(_seeds)
    period = bytes(1 + (seed + i) % 255 for i in range(_PERIOD))
    return (period * (size // _PERIOD + 1))[:size]


def new_word() -> int:
    """Make a 32-bit word for a device to fill with, none of its bytes those of an earlier one at that place."""
    seed = next(_seeds)
    return int.from_bytes(bytes(1 + (seed + i) % 255 for i in range(4)), "little")


def words(size: int, word: int) -> bytes:
    """Make the *size* bytes that a device's fill with a 32-bit *word* leaves, in the device's (little) byte order."""
    return word.to_bytes(4, "little") * (size // 4)


def compare(expected: bytes, seen: bytes | memoryview) -> Comparison:
    """Compare all of *seen* with *expected*; a short *seen* counts as wrong from its end on."""
    found = bytes(seen[: len(expected)])
    if found == expected:
        return Comparison(len(expected), 0, None)
    wrong = [i for i, byte in enumerate(found) if byte != expected[i]]
    missing = len(expected) - len(found)
    return Comparison(len(expected), len(wrong) + missing, wrong[0] if wrong else len(found))


def both(first: Comparison, second: Comparison) -> Comparison:
    """Add up two comparisons; the first wrong byte is that of the first one that has any."""
    wrong_at = first.first_wrong if first.first_wrong is not None else second.first_wrong
    return Comparison(first.count + second.count, first.wrong + second.wrong, wrong_at)
