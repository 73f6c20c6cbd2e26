# SPDX-License-Identifier: Apache-2.0
"""What a bench measured as charts: rows with a bar each, the same on a terminal and on a page."""

import math
from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.model.base import Answer, Missing, record
from vkzircon_cli.model.bench import BenchDevice, Move, Place, TimedCall, Timing, Way
from vkzircon_cli.model.quantities import about, duration, exactly, times

_CALLS = {
    TimedCall.ALLOCATE: "allocate, ordinary",
    TimedCall.FREE: "free, ordinary",
    TimedCall.ALLOCATE_EXPORTABLE: "allocate, exportable",
    TimedCall.FREE_EXPORTED: "free, exported",
    TimedCall.GET_HANDLE: "get handle",
    TimedCall.GET_PROPERTIES: "get properties",
    TimedCall.IMPORT: "import",
    TimedCall.FREE_IMPORTED: "free, imported",
}
_MOVES = {Move.HOST_WRITE: "host writes", Move.HOST_READ: "host reads", Move.GPU_COPY: "GPU copies into"}
_PLACES = {Place.ORDINARY: "ordinary", Place.VMO: "VMO"}
_WAYS = {Way.VMO: "by VMO", Way.COPY: "by copy"}
_NONE = "-"


@record
class Bar:
    """One measurement: *cells* are its words, *fraction* how long its bar is, from 0 to 1, and *p99* where that ends.

    Without a number there is what is *missing*. *is_shared* tells what has to do with a VMO from what has not.
    """

    label: str
    cells: tuple[str, ...]
    fraction: float | None
    p99: float | None
    is_shared: bool
    missing: Missing | None


@record
class Chart:
    """Bars of one kind: the *headers* are of a label and its cells, the *scale* says what a bar's length means."""

    title: str
    headers: tuple[str, ...]
    scale: str
    bars: tuple[Bar, ...]


def charts(device: BenchDevice) -> Iterator[Chart]:
    """Draw everything that was measured, or should have been."""
    for chart in (_sharing(device), _calls(device), _bandwidths(device)):
        if chart.bars:
            yield chart


def log_fraction(value: float, low: float, high: float) -> float:
    """Place *value* on a logarithmic scale, 0 at *low* and 1 at *high*."""
    if high <= low or value <= low:
        return 0.0
    return min(math.log(value / low) / math.log(high / low), 1.0)


def decades(values: Iterable[float]) -> tuple[float, float]:
    """Give the powers of ten around *values*, of which the lower one is below all of them."""
    known = [max(value, 1.0) for value in values] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(known)))
    high = 10.0 ** math.ceil(math.log10(max(known)))
    return (low if low < min(known) else low / 10), max(high, low * 10)


def _timed(timings: Sequence[Timing | None]) -> tuple[float, float, str]:
    """Give the ends of a scale of times, and say which they are."""
    values = [value for each in timings if each for value in (each.median_ns, each.p99_ns) if value is not None]
    low, high = decades(values)
    return low, high, f"Bars are logarithmic, from {duration(low)} to {duration(high)}."


def _bar(
    label: str, answer: Answer[Timing], scale: tuple[float, float, str], *, is_shared: bool, more: tuple[str, ...] = ()
) -> Bar:
    found, (low, high, _) = answer.value, scale
    if found is None:
        return Bar(label, (), None, None, is_shared, answer.missing)
    return Bar(
        label=label,
        cells=(f"{found.rounds:,}", duration(found.median_ns), _p99(found), duration(found.min_ns), *more),
        fraction=log_fraction(found.median_ns, low, high),
        p99=None if found.p99_ns is None else log_fraction(found.p99_ns, low, high),
        is_shared=is_shared,
        missing=None,
    )


def _p99(timing: Timing) -> str:
    return _NONE if timing.p99_ns is None else duration(timing.p99_ns)


_TIMES = ("rounds", "median", "p99", "least")


def _calls(device: BenchDevice) -> Chart:
    rows = device.latencies
    scale = _timed([row.timed.value for row in rows])
    ordinary = (TimedCall.ALLOCATE, TimedCall.FREE)
    size = f" of {exactly(device.choice.value.size)}" if device.choice.value else ""
    return Chart(
        title=f"One call, memory{size}",
        headers=("call", *_TIMES),
        scale=scale[2],
        bars=tuple(_bar(_CALLS[row.call], row.timed, scale, is_shared=row.call not in ordinary) for row in rows),
    )


def _sharing(device: BenchDevice) -> Chart:
    rows = device.hand_overs
    scale = _timed([row.timed.value for row in rows])
    medians = {(row.size, row.way): row.timed.value.median_ns for row in rows if row.timed.value}
    bars = []
    for row in rows:
        share_ns, is_copy = medians.get((row.size, Way.VMO)), row.way is Way.COPY
        mine_ns = medians.get((row.size, row.way))
        many = times(mine_ns / max(share_ns, 1)) if is_copy and mine_ns is not None and share_ns is not None else ""
        label = f"{exactly(row.size)} {_WAYS[row.way]}"
        bars.append(_bar(label, row.timed, scale, is_shared=not is_copy, more=(many,)))
    return Chart("A whole buffer", ("buffer", *_TIMES, "times"), scale[2], tuple(bars))


def _bandwidths(device: BenchDevice) -> Chart:
    fastest = max((row.moved.value.bytes_per_second for row in device.bandwidths if row.moved.value), default=1)
    bars = []
    for row in device.bandwidths:
        label, found, is_shared = f"{_MOVES[row.move]} {_PLACES[row.place]}", row.moved.value, row.place is Place.VMO
        if found is None:
            bars.append(Bar(label, (), None, None, is_shared, row.moved.missing))
            continue
        timing, each = found.timing, exactly(found.size)
        cells = (f"{timing.rounds:,}", each, duration(timing.median_ns), f"{about(found.bytes_per_second)}/s")
        bars.append(Bar(label, cells, found.bytes_per_second / max(fastest, 1), None, is_shared, None))
    headers = ("memory", "rounds", "bytes", "median", "speed")
    return Chart("Moving bytes", headers, f"Bars are linear, up to {about(fastest)}/s.", tuple(bars))


def without_number(shown: Iterable[Chart]) -> dict[Missing, list[str]]:
    """Give the labels of what has no number, by the reason."""
    labels: dict[Missing, list[str]] = {}
    for chart in shown:
        for bar in chart.bars:
            if bar.missing is not None:
                labels.setdefault(bar.missing, []).append(bar.label)
    return labels
