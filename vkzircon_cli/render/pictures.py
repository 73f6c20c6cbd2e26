# SPDX-License-Identifier: Apache-2.0
"""Pictures for the HTML page, as geometry: the place of everything, and a description in words.

`templates/pictures.html` draws them as SVG. Nothing foreign is drawn but numbers, since text in a picture cannot wrap.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device, MemoryType
from vkzircon_cli.model.quantities import bits_of, counted, ranges
from vkzircon_cli.model.spec import MEMORY_PROPERTY_BITS
from vkzircon_cli.model.vmo import Data, Write
from vkzircon_cli.render.content import Look, Mark
from vkzircon_cli.render.shared_memory import (
    PLACES,
    WRITES,
    best_export,
    export_mark,
    of_types,
    places_of,
    trip_mark,
)
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.fold import StepTime

# VK_MAX_MEMORY_TYPES
_MOST_TYPES = 32
_FEW_TYPES = 8
_MOST_PATHS = 12
_GUTTER = 88
_STEP = 90
_FLAG_ROW = 14
_FLAGS_DRAWN = 4


@record
class Cell:
    """A memory type in a row of the matrix: *named* by the bits, the row's *own*, *imported* into."""

    column: int
    x: float
    named: bool
    own: bool
    imported: bool


@record
class MatrixRow:
    """A memory type that was asked to export; *past* has the bits that name no memory type."""

    memory_type: int
    y: float
    cells: tuple[Cell, ...]
    past: str
    export: Mark
    trip: Mark


@record
class Matrix:
    """Which memory types the VMO of each memory type can be imported into.

    *columns* are numbers of memory types with their x, *flags* memory properties with their y and the x of each type.
    """

    cell: int
    after: float
    step: int
    width: float
    height: float
    columns: tuple[tuple[int, float], ...]
    flags: tuple[tuple[str, float, tuple[float, ...]], ...]
    rows: tuple[MatrixRow, ...]
    words: str


def matrix(device: Device) -> Matrix | None:
    """Return the memory types that were asked to export against all memory types, None where none was asked."""
    types = (device.memory.value.types if device.memory.value else ())[:_MOST_TYPES]
    asked = [each for each in types if best_export(device, each.index)]
    if not asked:
        return None
    cell = 28 if len(types) <= _FEW_TYPES else 20
    columns = tuple((each.index, _GUTTER + place * cell) for place, each in enumerate(types))
    top = 22 + _FLAGS_DRAWN * _FLAG_ROW + 8
    rows = tuple(_row(device, each.index, top + place * cell, columns) for place, each in enumerate(asked))
    after = _GUTTER + len(types) * cell + 10
    return Matrix(
        cell=cell,
        after=after,
        step=_STEP,
        width=after + (3 if any(row.past for row in rows) else 2) * _STEP,
        height=top + len(rows) * cell + 2,
        columns=columns,
        flags=tuple(_flag_rows(types, cell)),
        rows=rows,
        words=" ".join(map(_row_words, rows)),
    )


def _flag_rows(types: Sequence[MemoryType], cell: int) -> Iterator[tuple[str, float, tuple[float, ...]]]:
    for bit, name in enumerate(MEMORY_PROPERTY_BITS[:_FLAGS_DRAWN]):
        having = [place for place, each in enumerate(types) if each.flags.value >> bit & 1]
        yield name, 22 + (bit + 0.5) * _FLAG_ROW, tuple(_GUTTER + (place + 0.5) * cell for place in having)


def _row(device: Device, number: int, y: float, columns: Sequence[tuple[int, float]]) -> MatrixRow:
    found = next((row.properties.value for row in device.properties if row.memory_type == number), None)
    bits = set(bits_of(found.memory_type_bits)) if found else set()
    into = {
        row.imported.value.memory_type for row in device.imports if row.memory_type == number and row.imported.value
    }
    past = sorted(bits - {column for column, _ in columns})
    return MatrixRow(
        memory_type=number,
        y=y,
        cells=tuple(Cell(column, x, column in bits, column == number, column in into) for column, x in columns),
        past=f"bits {ranges(past)}"[:16] if past else "",
        export=export_mark(device, number),
        trip=trip_mark(device, number),
    )


def _row_words(row: MatrixRow) -> str:
    named = [cell.column for cell in row.cells if cell.named]
    bits = f"its VMO names {of_types(named)}" if named else "no memory type is named"
    trip = f", round trip {row.trip.word}" if row.trip.word else ""
    return f"Type {row.memory_type}: export {row.export.word}, {bits}{trip}."


@record
class Path:
    """The way of bytes from a writer to its readers, with the same result in all of its memory types.

    *readers* are places with their mark and their y.
    """

    title: str
    writer: str
    through: str
    written: Mark
    readers: tuple[tuple[str, Mark, float], ...]
    words: str


_WRITERS = {
    Write.HOST_MAP: ("host", "exporter's map"),
    Write.IMPORT_MAP: ("host", "importer's map"),
    Write.GPU_FILL: ("GPU fill", "of the import"),
    Write.GPU_COPY: ("GPU copy", "into the import"),
}


def paths(data: Iterable[Data]) -> tuple[list[Path], int]:
    """Return each way of bytes once for all memory types with the same result, and how many have no room.

    Ways that were not asked are left out.
    """
    types_of: dict[tuple[Write, tuple[Mark, ...]], list[int]] = {}
    for row in data:
        marks = places_of(row)
        if any(mark.look is not Look.SKIP for mark in marks):
            types_of.setdefault((row.write, marks), []).append(row.memory_type)
    drawn = [_path(write, marks, types) for (write, marks), types in types_of.items()]
    return drawn[:_MOST_PATHS], len(drawn[_MOST_PATHS:])


def _path(write: Write, marks: Sequence[Mark], types: Sequence[int]) -> Path:
    where = of_types(types)
    seen = [f"{place} {mark.word}" for place, mark in zip(PLACES, marks, strict=True)]
    writer, through = _WRITERS[write]
    whole = all(mark is marks[0] for mark in marks) and marks[0].look is not Look.GOOD
    return Path(
        title=f"{WRITES[write][:1].upper()}{WRITES[write][1:]}, {where}",
        writer=writer,
        through=through,
        written=marks[0] if whole else Mark("✓", "", Look.GOOD),
        readers=tuple(zip(PLACES, marks, (24, 72, 120, 168), strict=True)),
        words=f"Written by {writer}, {through}; read back through {', '.join(seen)}.",
    )


_LANE = 40
_TOP = 20
_MOST_LANES = 36
_TICKS = 4
_SUBJECT = re.compile(r"device(\d{1,4})/(?:type\d+/)?([a-z]+)")
_OF_DEVICE = ("export", "properties", "import", "data", "stress", "negative")
_CAPABILITIES = ("buffer", "image", "semaphore", "requirements")


@record
class Moment:
    """One step; *x* and *width* are percents of the whole time."""

    x: float
    width: float
    is_bad: bool


@record
class Lane:
    """Steps of one kind; *words* are their number and their time."""

    name: str
    words: str
    y: int
    moments: tuple[Moment, ...]


@record
class Timeline:
    """The steps in lanes; *ticks* are percents and their times in words."""

    height: int
    ticks: tuple[tuple[float, str], ...]
    lanes: tuple[Lane, ...]
    words: str


def timeline(report: Report) -> Timeline | None:
    """Return the timeline, None without steps."""
    steps = report.run.steps
    if not steps:
        return None
    total = max([report.run.duration_ms, *(step.began_ms + (step.duration_ms or 0) for step in steps)]) or 1.0
    bad = bad_steps(report)
    lanes = tuple(_lane(name, of, number, total, bad) for number, (name, of) in enumerate(_by_lane(steps).items()))
    return Timeline(
        height=_TOP + _LANE * len(lanes) + 4,
        ticks=tuple((100 * part / _TICKS, f"{total * part / _TICKS:.0f} ms") for part in range(_TICKS + 1)),
        lanes=lanes,
        words=" ".join(f"{lane.name}: {lane.words}." for lane in lanes),
    )


def bad_steps(report: Report) -> frozenset[str]:
    """Return the steps that never ended, and those that a check calls a crash or a timeout."""
    fatal = (Outcome.CRASH, Outcome.TIMEOUT)
    blamed = (step for result in report.checks if result.outcome in fatal for step in result.steps)
    return frozenset([*blamed, *(step.step for step in report.run.steps if step.duration_ms is None)])


def _by_lane(steps: Sequence[StepTime]) -> dict[str, list[StepTime]]:
    """Return lanes by the subject of the steps, or only by their device where there would be too many."""
    fine: dict[str, list[StepTime]] = {}
    coarse: dict[str, list[StepTime]] = {}
    for step in steps:
        device, kind = _place(step.step)
        fine.setdefault(f"{device}: {kind}" if kind else device, []).append(step)
        lane = device if device in coarse or len(coarse) < _MOST_LANES else "the other devices"
        coarse.setdefault(lane, []).append(step)
    return fine if len(fine) <= _MOST_LANES else coarse


def _place(step: str) -> tuple[str, str]:
    found = _SUBJECT.match(step)
    if found is None:
        return "machine", ""
    device, word = f"device {found[1]}", found[2]
    if step.endswith("/trip"):
        return device, "images"
    if word in _CAPABILITIES:
        return device, "capabilities"
    return device, word if word in _OF_DEVICE else "identity and device"


def _lane(name: str, steps: Sequence[StepTime], number: int, total: float, bad: frozenset[str]) -> Lane:
    took = sum(step.duration_ms or 0 for step in steps)
    hurt = sum(step.step in bad for step in steps)
    gone = f", {hurt} did not end well" if hurt else ""
    return Lane(
        name=name,
        words=f"{counted(len(steps), 'step')}, {took:.0f} ms{gone}",
        y=_TOP + _LANE * number,
        moments=tuple(_moment(step, total, step.step in bad) for step in steps),
    )


def _moment(step: StepTime, total: float, is_bad: bool) -> Moment:
    """Return the place of a step; one that never ended lasts to the end."""
    x = min(max(100 * step.began_ms / total, 0.0), 100.0)
    width = 100 - x if step.duration_ms is None else 100 * step.duration_ms / total
    return Moment(round(x, 3), round(min(max(width, 0.0), 100 - x), 3), is_bad)
