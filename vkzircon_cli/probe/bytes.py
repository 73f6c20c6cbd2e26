# SPDX-License-Identifier: Apache-2.0
"""Known bytes, and comparing whole buffers of them."""

from vkzircon_cli.facts import Comparison

_PERIOD = 251  # prime, so that no page, cache line or row looks like the next


def pattern(size: int, seed: int) -> bytes:
    """Make *size* bytes without a zero among them that differ from those of any other *seed* at every offset."""
    period = bytes(1 + (seed + i) % 255 for i in range(_PERIOD))
    return (period * (size // _PERIOD + 1))[:size]


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
