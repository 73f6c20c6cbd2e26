# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of a bench, without Vulkan: medians and percentiles, shares of time, sizes, limits, scales."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vkzircon_cli.bindings.free_memory import system_memory
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.bench import Limits, Move, Place, TimedCall, Way, moved, timing_of
from vkzircon_cli.model.quantities import duration, times
from vkzircon_cli.probe.bench import weights
from vkzircon_cli.probe.bench_budget import SIZES, Budget, fitting, ladder, rate_of, repeat, took
from vkzircon_cli.probe.bench_moves import size_to_move
from vkzircon_cli.render.charts import decades, log_fraction

MIB = 1 << 20


def test_a_timing_has_median_percentile_and_least() -> None:
    """Of 1 to 200 in any order: the middle, the 198th, the first."""
    timing = timing_of([*range(200, 100, -1), *range(1, 101)])
    assert (timing.rounds, timing.median_ns, timing.p99_ns, timing.min_ns) == (200, 100, 198, 1)


@pytest.mark.parametrize(("rounds", "p99"), [(1, None), (99, None), (100, 99), (101, 100)])
def test_few_rounds_have_no_percentile(rounds: int, p99: int | None) -> None:
    """Below a hundred the slowest round would be sold as the 99th percentile."""
    assert timing_of(range(1, rounds + 1)).p99_ns == p99


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=300))
def test_a_timing_is_in_order(durations: list[int]) -> None:
    """Least, median and percentile never cross."""
    timing = timing_of(durations)
    assert timing.min_ns == min(durations) <= timing.median_ns
    assert timing.p99_ns is None or timing.median_ns <= timing.p99_ns <= max(durations)


def test_bandwidth_is_by_the_median() -> None:
    """One slow round in three changes nothing."""
    assert moved(1000, [1_000_000, 9_000_000, 1_000_000]).bytes_per_second == 1_000_000
    assert moved(5, [0]).bytes_per_second == 5 * 10**9


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_is_shared_by_weight() -> None:
    """Whoever uses its share up leaves the others theirs; whoever does not leaves them more."""
    clock = _Clock()
    budget = Budget(10.0, [1, 1, 2, 1], 100.0, clock)
    assert budget.take() == pytest.approx(2.0)
    clock.now = 2.0
    assert budget.take() == pytest.approx(2.0)
    clock.now = 3.0  # half of it was not needed
    assert budget.take() == pytest.approx(7 * 2 / 3)
    clock.now = 12.0
    assert budget.left_s == 0
    assert 0 < budget.take() < 0.1


def test_no_share_passes_the_steps_limit() -> None:
    """A step that takes longer would be taken for one that hangs."""
    assert Budget(1000.0, [1], 5.0, _Clock()).take() == 5.0


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=40), st.floats(0.5, 600))
def test_shares_that_are_used_up_end_at_the_deadline(parts: list[float], seconds: float) -> None:
    """The sum of all shares is the whole budget, and a little for who comes too late."""
    clock = _Clock()
    budget = Budget(seconds, parts, seconds, clock)
    for _ in parts:
        clock.now += budget.take()
    assert seconds - 1e-6 <= clock.now <= seconds + 0.01 * len(parts) + 1e-6


def test_every_measurement_has_a_weight() -> None:
    """The overhead, each call, each move, and both ways of each size."""
    assert len(list(weights(SIZES))) == 1 + len(TimedCall) + len(Move) * len(Place) + len(SIZES) * len(Way)


def test_rounds_end_with_the_share_and_are_bounded() -> None:
    """At least one round however little time there is, and never more than are kept."""
    assert len(repeat(lambda: 7, -1.0)) == 1
    assert list(repeat(lambda: 7, 0.0)) == [7]
    many = repeat(lambda: 7, 60.0, warm_up=2)
    assert len(many) == 20_000


def test_rounds_that_warm_up_are_not_kept() -> None:
    """What is made on first use is not what a call costs."""
    durations = iter([1000, 1000, *[1] * 100_000])
    assert set(repeat(lambda: next(durations), 0.05, warm_up=2)) == {1}


def test_took_gives_nanoseconds() -> None:
    """At least what the clock says by itself."""
    assert 0 < took(lambda: sum(range(1000))) < 10**9


@pytest.mark.parametrize(
    ("largest", "wanted"),
    [
        (1 << 30, SIZES),
        (64 * MIB, SIZES[:4]),
        (100 * MIB, (*SIZES[:4], 100 * MIB)),
        (MIB, (MIB,)),
        (4096, (4096,)),
        (2 << 30, (*SIZES, 2 << 30)),
    ],
)
def test_sizes_go_up_to_what_is_asked_for(largest: int, wanted: tuple[int, ...]) -> None:
    """The usual ones below it, and itself."""
    assert ladder(largest) == wanted


@given(st.integers(4096, 1 << 34), st.floats(1, 1e12), st.floats(0, 100))
def test_what_fits_is_within_bounds(largest: int, rate: float, seconds: float) -> None:
    """It can be moved in time, or cannot be halved any more."""
    size = fitting(largest, 4096, rate, seconds)
    assert 4096 <= size <= largest
    assert size <= rate * seconds or size < 2 * 4096


def test_a_rate_is_bytes_a_second() -> None:
    """Also where the clock did not move."""
    assert rate_of(MIB, 1_000_000) == MIB * 1000
    assert math.isfinite(rate_of(MIB, 0))


def test_all_rows_move_as_much() -> None:
    """As much as the time for one row and the room allow, 64 MiB at most."""
    assert size_to_move(1 << 40, 10) == 64 * MIB
    assert size_to_move(8 * MIB, 10) == 8 * MIB
    assert MIB <= size_to_move(1 << 40, 0.01) < 8 * MIB


def test_system_memory_is_the_least_that_anybody_allows(tmp_path: Path) -> None:
    """The machine's and the group's word; a group without a limit says "max", and version 1 a huge number."""
    meminfo, most, used = tmp_path / "meminfo", tmp_path / "max", tmp_path / "current"
    assert system_memory(meminfo, [(most, used)]) is None
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:     2048 kB\n")
    assert system_memory(meminfo, [(most, used)]) == 2 * MIB
    most.write_text("max\n")
    used.write_text("500000\n")
    assert system_memory(meminfo, [(most, used)]) == 2 * MIB
    most.write_text("600000\n")
    assert system_memory(meminfo, [(most, used)]) == 100_000
    used.write_text("700000\n")
    assert system_memory(meminfo, [(most, used)]) == 0
    meminfo.write_text("MemAvailable: lots\n")
    assert system_memory(meminfo, []) is None


def test_what_is_too_large_says_by_what() -> None:
    """The reason has the limit in it."""
    from vkzircon_cli.probe.bench import _left_out, _no_room, _room

    limits = Limits(0, 1 << 30, None, None, 1 << 27, 1 << 28, "a quarter of heap 0, 1 GiB")
    assert _room(limits) == 1 << 27
    assert "maxMemoryAllocationSize is 134217728" in _no_room(1 << 28, limits)
    assert _no_room(1 << 27, limits) == "two of 128 MiB would be more than a quarter of heap 0, 1 GiB"
    assert _room(None) == 0
    with pytest.raises(NotAsked, match="not known"):
        _left_out(_no_room(MIB, None))


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (0, "0 ns"),
        (840, "840 ns"),
        (999.6, "1.00 µs"),
        (1000, "1.00 µs"),
        (12_345, "12.3 µs"),
        (999_499, "999 µs"),
        (999_600, "1.00 ms"),
        (21_000_000, "21.0 ms"),
        (999_600_000, "1.00 s"),
        (61_000_000_000, "61.0 s"),
    ],
)
def test_times_have_three_digits(ns: float, words: str) -> None:
    """In the largest unit that leaves something before the point."""
    assert duration(ns) == words


def test_ratios_have_three_digits() -> None:
    """And commas in thousands."""
    assert [times(each) for each in (0.034, 2.275, 9.999, 76.98, 210.4, 2237.4)] == [
        "0.034",
        "2.27",
        "10.0",
        "77.0",
        "210",
        "2,237",
    ]


def test_a_logarithmic_bar_grows_by_the_decade() -> None:
    """Each tenfold is as long as the one before; nothing leaves the track."""
    low, high = decades([250, 40_000])
    assert (low, high) == (100, 100_000)
    assert [round(log_fraction(value, low, high), 3) for value in (100, 1000, 10_000, 100_000)] == [0, 0.333, 0.667, 1]
    assert log_fraction(1, low, high) == 0
    assert log_fraction(1e9, low, high) == 1
    assert log_fraction(5, 10, 10) == 0


@given(st.lists(st.floats(0, 1e13), max_size=20))
def test_a_scale_holds_all_of_its_values(values: list[float]) -> None:
    """Each bar can be seen, and the ends are powers of ten."""
    low, high = decades(values)
    assert low < high
    for value in values:
        assert 0 <= log_fraction(value, low, high) <= 1
        assert value < 1 or log_fraction(value, low, high) > 0
