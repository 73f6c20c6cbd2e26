# SPDX-License-Identifier: Apache-2.0
"""Pictures for the HTML page, as geometry: the place of everything, and a description in words.

`templates/pictures.html` draws them as SVG. Nothing foreign is drawn but numbers, since text in a picture cannot wrap.
"""

from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device, MemoryType
from vkzircon_cli.model.quantities import bits_of, ranges
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
