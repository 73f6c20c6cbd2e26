# SPDX-License-Identifier: Apache-2.0
"""Pictures for the HTML page: their content, and a description in words; `templates/pictures.html` draws them as SVG.

Numbers are the only foreign values in a picture, since its text cannot wrap.
"""

import re
from collections.abc import Iterable, Sequence

from vkzircon_cli.checks.registry import DEATHS
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.quantities import bits_of, counted, ranges
from vkzircon_cli.model.queries import best_export
from vkzircon_cli.model.spec import MEMORY_PROPERTY_BITS
from vkzircon_cli.model.vmo import Data, Write
from vkzircon_cli.render import shared_memory
from vkzircon_cli.render.content import Look, Mark
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.fold import StepTime

_MOST_TYPES = 32  # VK_MAX_MEMORY_TYPES
_FLAGS_DRAWN = 4
_MOST_PATHS = 12
_MOST_LANES = 36
_SUBJECT = re.compile(r"device(\d{1,4})/(?:type\d+/)?([a-z]+)")
_OF_DEVICE = ("export", "properties", "import", "data", "stress", "negative")
_CAPABILITIES = ("buffer", "image", "semaphore", "requirements")
_WRITERS = {
    Write.HOST_MAP: ("host", "exporter's map"),
    Write.IMPORT_MAP: ("host", "importer's map"),
    Write.GPU_FILL: ("GPU fill", "of the import"),
    Write.GPU_COPY: ("GPU copy", "into the import"),
}


@record
class MatrixRow:
    """A memory type whose export was tried, those *named* by the VMO's bits, and those that *imported* it.

    *past* has the bits that name no memory type.
    """

    memory_type: int
    named: tuple[int, ...]
    imported: tuple[int, ...]
    past: str
    export: Mark
    trip: Mark
    words: str


@record
class Matrix:
    """Which memory types the VMO of each memory type can be imported into.

    *columns* are numbers of memory types, *flags* memory properties with the places of the columns that have them.
    """

    columns: tuple[int, ...]
    flags: tuple[tuple[str, tuple[int, ...]], ...]
    rows: tuple[MatrixRow, ...]


def matrix(device: Device) -> Matrix | None:
    """Return the memory types whose export was tried against all memory types, None if there are none."""
    types = (device.memory.value.types if device.memory.value else ())[:_MOST_TYPES]
    columns = tuple(each.index for each in types)
    rows = tuple(_row(device, number, columns) for number in columns if best_export(device, number))
    flags = tuple(
        (name, tuple(place for place, each in enumerate(types) if each.flags.value >> bit & 1))
        for bit, name in enumerate(MEMORY_PROPERTY_BITS[:_FLAGS_DRAWN])
    )
    return Matrix(columns, flags, rows) if rows else None


def _row(device: Device, number: int, columns: Sequence[int]) -> MatrixRow:
    found = next((row.properties.value for row in device.properties if row.memory_type == number), None)
    bits = bits_of(found.memory_type_bits) if found else ()
    named = tuple(bit for bit in bits if bit in columns)
    past = [bit for bit in bits if bit not in columns]
    imported = [row.imported.value for row in device.imports if row.memory_type == number and row.imported.value]
    export, trip = shared_memory.export_mark(device, number), shared_memory.trip_mark(device, number)
    vmo = f"its VMO names {shared_memory.of_types(named)}" if named else "no memory type is named"
    came = f", round trip {trip.word}" if trip.word else ""
    return MatrixRow(
        memory_type=number,
        named=named,
        imported=tuple(each.memory_type for each in imported),
        past=f"bits {ranges(past)}"[:16] if past else "",
        export=export,
        trip=trip,
        words=f"Type {number}: export {export.word}, {vmo}{came}.",
    )


@record
class Path:
    """The way of bytes from a writer to its readers, which are places with marks; equal memory types share one."""

    title: str
    writer: str
    through: str
    written: Mark
    readers: tuple[tuple[str, Mark], ...]
    words: str


def paths(data: Iterable[Data]) -> tuple[list[Path], int]:
    """Return each way of bytes once for all memory types with the same result, and how many were left out to save room.

    Ways that were not tried are left out.
    """
    types_of: dict[tuple[Write, tuple[Mark, ...]], list[int]] = {}
    for row in data:
        marks = shared_memory.places_of(row)
        if any(mark.look is not Look.SKIP for mark in marks):
            types_of.setdefault((row.write, marks), []).append(row.memory_type)
    drawn = [_path(write, marks, types) for (write, marks), types in types_of.items()]
    return drawn[:_MOST_PATHS], len(drawn[_MOST_PATHS:])


def _path(write: Write, marks: Sequence[Mark], types: Sequence[int]) -> Path:
    readers = tuple(zip(shared_memory.PLACES, marks, strict=True))
    seen = ", ".join(f"{place} {mark.word}" for place, mark in readers)
    writer, through = _WRITERS[write]
    written = shared_memory.WRITES[write]
    whole = all(mark is marks[0] for mark in marks) and marks[0].look is not Look.GOOD
    return Path(
        title=f"{written[:1].upper()}{written[1:]}, {shared_memory.of_types(types)}",
        writer=writer,
        through=through,
        written=marks[0] if whole else Mark("✓", "", Look.GOOD),
        readers=readers,
        words=f"Written by {writer}, {through}; read back through {seen}.",
    )


@record
class Moment:
    """One step; *x* and *width* are percentages of the whole time."""

    x: float
    width: float
    is_bad: bool


@record
class Lane:
    """Steps of one kind; *words* are their number and their time."""

    name: str
    words: str
    moments: tuple[Moment, ...]


@record
class Timeline:
    """The steps of a run in lanes, and its whole time."""

    total_ms: float
    lanes: tuple[Lane, ...]


def timeline(report: Report) -> Timeline | None:
    """Return the timeline, None without steps."""
    steps = report.run.steps
    if not steps:
        return None
    total = max([report.run.duration_ms, *(step.began_ms + (step.duration_ms or 0) for step in steps)]) or 1.0
    bad = bad_steps(report)
    return Timeline(total, tuple(_lane(name, of, total, bad) for name, of in _by_lane(steps).items()))


def bad_steps(report: Report) -> frozenset[str]:
    """Return the steps that never ended, and those that a check calls a crash or a timeout."""
    blamed = (step for result in report.checks if result.outcome in DEATHS for step in result.steps)
    return frozenset([*blamed, *(step.step for step in report.run.steps if step.duration_ms is None)])


def _by_lane(steps: Sequence[StepTime]) -> dict[str, list[StepTime]]:
    """Return lanes by the subject of the steps, or only by their device if there would be too many."""
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


def _lane(name: str, steps: Sequence[StepTime], total: float, bad: frozenset[str]) -> Lane:
    took = sum(step.duration_ms or 0 for step in steps)
    hurt = sum(step.step in bad for step in steps)
    gone = f", {hurt} did not end well" if hurt else ""
    moments = tuple(_moment(step, total, step.step in bad) for step in steps)
    return Lane(name, f"{counted(len(steps), 'step')}, {took:.0f} ms{gone}", moments)


def _moment(step: StepTime, total: float, is_bad: bool) -> Moment:
    """Return the place of a step; one that never ended lasts to the end."""
    x = min(max(100 * step.began_ms / total, 0.0), 100.0)
    width = 100 - x if step.duration_ms is None else 100 * step.duration_ms / total
    return Moment(round(x, 3), round(min(max(width, 0.0), 100 - x), 3), is_bad)
