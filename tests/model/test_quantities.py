# SPDX-License-Identifier: Apache-2.0
"""Numbers in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vkzircon_cli.model.quantities import about, bits_of, counted, exactly, plural, ranges


@pytest.mark.parametrize(
    ("size", "short", "exact"),
    [
        (0, "0 B", "0 B"),
        (1023, "1023 B", "1023 B"),
        (1024, "1 KiB", "1 KiB"),
        (65536, "64 KiB", "64 KiB"),
        (65537, "64 KiB", "65537 B"),
        (1536, "1.5 KiB", "1536 B"),
        (8345690112, "7.8 GiB", "8150088 KiB"),
        ((1 << 20) - 1, "1 MiB", "1048575 B"),
        ((1 << 64) - 1, "16 EiB", "18446744073709551615 B"),
    ],
)
def test_sizes_are_short_or_exact(size: int, short: str, exact: str) -> None:
    """`about` rounds and never says 1024 of a unit; `exactly` loses no byte."""
    assert (about(size), exactly(size)) == (short, exact)


@given(st.integers(0, (1 << 64) - 1))
def test_an_exact_size_reads_back(size: int) -> None:
    """The number times its unit is the size."""
    number, unit = exactly(size).split()
    assert int(number) * 1024 ** ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB").index(unit) == size


@given(st.integers(0, (1 << 32) - 1))
def test_bits_and_ranges_name_every_bit_once(mask: int) -> None:
    """A mask can be put together again from the ranges that are shown for it."""
    again = 0
    for run in filter(None, ranges(bits_of(mask)).split(", ")):
        first, _, last = run.partition("-")
        for bit in range(int(first), int(last or first) + 1):
            again |= 1 << bit
    assert again == mask


def test_runs_are_written_briefly() -> None:
    """Neighbours are joined, the rest is listed."""
    assert ranges(bits_of(0b1010_0111)) == "0-2, 5, 7"
    assert ranges(()) == ""


def test_one_is_singular() -> None:
    """A count agrees with its noun."""
    assert (counted(0, "check"), counted(1, "check"), counted(2, "check")) == ("0 checks", "1 check", "2 checks")


def test_a_plural_is_that_of_the_head_noun() -> None:
    """What follows a preposition stays, and so does what is plural already."""
    assert [plural(noun) for noun in ("image capability", "handle through a channel", "two gets", "data", "")] == [
        *("image capabilities", "handles through a channel", "two gets", "data", "")
    ]
    assert counted(2, "handle given to an import") == "2 handles given to an import"
