# SPDX-License-Identifier: Apache-2.0
"""Numbers in words: sizes, masks, ranges of indices, counts."""

from collections.abc import Iterable

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024
_NEXT_UNIT = 1023.95  # one digit after the point would make this 1024.0


def about(size: int) -> str:
    """Give a size in its largest unit, with one digit after the point unless it comes out even."""
    amount, unit = float(size), 0
    while amount >= _NEXT_UNIT and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}".replace(".0 ", " ")


def exactly(size: int) -> str:
    """Give a size in the largest unit that it is a whole number of."""
    unit = 0
    while size >= _STEP and size % _STEP == 0 and unit < len(_UNITS) - 1:
        size, unit = size // _STEP, unit + 1
    return f"{size} {_UNITS[unit]}"


def bits_of(mask: int) -> tuple[int, ...]:
    """List the numbers of the bits that are set."""
    return tuple(bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def ranges(numbers: Iterable[int]) -> str:
    """Write sorted numbers briefly: ``0-2, 5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def counted(number: int, noun: str) -> str:
    """Write ``1 check`` or ``3 checks``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
