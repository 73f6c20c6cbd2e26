# SPDX-License-Identifier: Apache-2.0
"""The numbers of a bench as charts: rows with a bar each, and the conditions of the measurements."""

import math
from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.model.base import Answer, Missing, record
from vkzircon_cli.model.bench import BenchDevice, Choice, Move, Place, TimedCall, Timing, Way
from vkzircon_cli.model.quantities import about, duration, exactly, times
from vkzircon_cli.render.content import Cell, Column, Field, Reason, Table, missing_mark, reasons, why_missing
from vkzircon_cli.report.bench import OF_OVERHEAD, BenchReport

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
_TIMES = ("rounds", "median", "p99", "least")


@record
class Bar:
    """One measurement: its *cells*, the *fraction* of its bar from 0 to 1, and the same for its 99th percentile.

    A measurement without a number has the *missing* answer. *is_shared*: its memory is a VMO's.
    """

    label: str
    cells: tuple[str, ...]
    fraction: float | None
    p99: float | None
    is_shared: bool
    missing: Missing | None


@record
class Chart:
    """Bars of one kind: the *headers* of label and cells, and the *scale*, which explains the length of the bars."""

    title: str
    headers: tuple[str, ...]
    scale: str
    bars: tuple[Bar, ...]

    @property
    def has_bars(self) -> bool:
        """Whether any measurement has a number."""
        return any(bar.fraction is not None for bar in self.bars)


def charts(device: BenchDevice) -> Iterator[Chart]:
    """Yield a chart of each kind of measurement that was made or planned."""
    yield from (chart for chart in (_sharing(device), _calls(device), _bandwidths(device)) if chart.bars)


def log_fraction(value: float, low: float, high: float) -> float:
    """Return the place of *value* on a logarithmic scale, 0 at *low* and 1 at *high*."""
    if high <= low or value <= low:
        return 0.0
    return min(math.log(value / low) / math.log(high / low), 1.0)


def decades(values: Iterable[float]) -> tuple[float, float]:
    """Return the powers of ten around *values*; the lower one is below all of them."""
    known = [max(value, 1.0) for value in values] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(known)))
    high = 10.0 ** math.ceil(math.log10(max(known)))
    return (low if low < min(known) else low / 10), max(high, low * 10)


def _timed(timings: Sequence[Timing | None]) -> tuple[float, float, str]:
    """Return the ends of a scale of times, and a sentence about them."""
    values = [value for each in timings if each for value in (each.median_ns, each.p99_ns) if value is not None]
    low, high = decades(values)
    return low, high, f"Bars are logarithmic, from {duration(low)} to {duration(high)}."


def _bar(
    label: str, answer: Answer[Timing], scale: tuple[float, float, str], *, is_shared: bool, more: tuple[str, ...] = ()
) -> Bar:
    found, (low, high, _) = answer.value, scale
    if found is None:
        return Bar(label, (), None, None, is_shared, answer.missing)
    p99 = "-" if found.p99_ns is None else duration(found.p99_ns)
    return Bar(
        label=label,
        cells=(f"{found.rounds:,}", duration(found.median_ns), p99, duration(found.min_ns), *more),
        fraction=log_fraction(found.median_ns, low, high),
        p99=None if found.p99_ns is None else log_fraction(found.p99_ns, low, high),
        is_shared=is_shared,
        missing=None,
    )


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


def chart_table(chart: Chart) -> Table:
    """Return the numbers of *chart* without its bars."""
    label, *headers = chart.headers
    columns = (Column(label), *(Column(header, right=True) for header in headers))
    blanks = [""] * (len(headers) - 1)
    rows: list[tuple[Cell, ...]] = [
        (bar.label, *bar.cells) if bar.cells else (bar.label, missing_mark(bar.missing), *blanks) for bar in chart.bars
    ]
    return Table(chart.title, columns, tuple(rows))


def bar_words(chart: Chart, bar: Bar) -> str:
    """Return a bar in few words, since words in a picture cannot wrap."""
    if not bar.cells:
        return missing_mark(bar.missing).word
    cells = dict(zip(chart.headers[1:], bar.cells, strict=True))
    slower = f", {cells['times']} times as long" if cells.get("times") else ""
    return f"{cells.get('speed') or cells['median']}{slower}"


def without_number(shown: Iterable[Chart]) -> list[Reason]:
    """Return why measurements have no number, with their labels."""
    return reasons((bar.missing, bar.label) for chart in shown for bar in chart.bars)


def conditions(bench: BenchReport, device: BenchDevice) -> Iterator[Field]:
    """Yield the conditions of the measurements, and their limits."""
    if device.choice.value is not None:
        yield Field("memory", (_memory(device.choice.value, device),), prose=True)
    elif device.choice.missing is not None and device.opened.value is not None:
        yield Field("memory", (why_missing(device.choice.missing),), prose=True)
    elif device.opened.missing is not None:
        yield Field("device", (why_missing(device.opened.missing),), prose=True)
    if limits := device.limits.value:
        yield Field("at most", (f"{about(limits.largest)} at once: {limits.bound}",), prose=True)
    if overhead := device.overhead.value:
        caller = "Python" if bench.environment.agent is None else "the agent"
        yield Field("overhead", (f"{duration(overhead.median_ns)}: {OF_OVERHEAD.format(caller)}",), prose=True)
    yield Field("time", (f"{bench.run.duration_ms / 1000:.1f} of {bench.seconds:g} s",))


def _memory(choice: Choice, device: BenchDevice) -> str:
    types = device.memory.value.types if device.memory.value else ()
    flags = next((" ".join(each.flags.names) for each in types if each.index == choice.memory_type), "")
    named = f" ({flags})" if flags else ""
    same = choice.ordinary_type == choice.memory_type
    ordinary = "the same type" if same else f"type {choice.ordinary_type}"
    return f"type {choice.memory_type}, {choice.form}{named}; ordinary memory of {ordinary}"
