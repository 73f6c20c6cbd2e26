# SPDX-License-Identifier: Apache-2.0
"""Numbers in words: sizes, masks, ranges of indices, counts, lists, times."""

import re
from collections.abc import Iterable

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}  # as users type them
_NEXT_UNIT = 1023.95  # one digit after the point would make this 1024.0
_HEAD = re.compile(r"( (?:given|of|on|through|to) )")
_UNCOUNTED = ("", "data")


def about(size: int) -> str:
    """Format a size in its largest unit, with one digit after the point unless that is 0."""
    amount, unit = float(size), 0
    while amount >= _NEXT_UNIT and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}".replace(".0 ", " ")


def exactly(size: int) -> str:
    """Format a size as a whole number of the largest possible unit."""
    unit = 0
    while size >= _STEP and size % _STEP == 0 and unit < len(_UNITS) - 1:
        size, unit = size // _STEP, unit + 1
    return f"{size} {_UNITS[unit]}"


def bits_of(mask: int) -> tuple[int, ...]:
    """Return the numbers of the bits that are set."""
    return tuple(bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def ranges(numbers: Iterable[int]) -> str:
    """Format sorted numbers briefly: ``0-2, 5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def plural(noun: str) -> str:
    """Return ``checks``, ``capabilities``, ``handles through a channel``; a plural stays unchanged."""
    head, between, rest = _HEAD.split(noun, maxsplit=1) if _HEAD.search(noun) else (noun, "", "")
    if head.endswith("y"):
        return f"{head[:-1]}ies{between}{rest}"
    return noun if head in _UNCOUNTED or head.endswith("s") else f"{head}s{between}{rest}"


def counted(number: int, noun: str) -> str:
    """Format ``1 check`` or ``3 checks``."""
    return f"{number} {noun if number == 1 else plural(noun)}"


def some(names: Iterable[str], most: int | None) -> str:
    """Format at most *most* names, and how many more there are."""
    every = list(names)
    left = len(every[most:]) if most is not None else 0
    return ", ".join(every[:most]) + (f" and {left} more" if left else "")


_NS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_NEXT_TIME = 999.5  # three digits of this would be 1000


def duration(ns: float) -> str:
    """Format a time in its largest unit, with three significant digits: ``840 ns``, ``12.3 µs``, ``1.05 s``."""
    for size, unit in _NS:
        if ns / size * 1000 >= _NEXT_TIME:
            return f"{_three(ns / size)} {unit}"
    return f"{ns:.0f} ns"


def times(ratio: float) -> str:
    """Format a ratio with three significant digits, from 100 on without digits after the point."""
    if ratio < 1:
        return f"{ratio:.2g}"
    return f"{ratio:,.0f}" if ratio >= _NEXT_TIME else _three(ratio)


def _three(number: float) -> str:
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0  # noqa: PLR2004 - avoids rounding up to one more digit
    return f"{number:.{digits}f}"
