# SPDX-License-Identifier: Apache-2.0
"""A device's memory on the HTML page: heaps, memory types, and what came of sharing each of them."""

from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.model.base import Answer, Missing, MissingKind, record
from vkzircon_cli.model.facts import Device, Heap
from vkzircon_cli.model.quantities import about, bits_of, exactly, ranges
from vkzircon_cli.model.spec import Flags
from vkzircon_cli.model.vmo import Data, Form, Handle, Image, Import, ImportKind
from vkzircon_cli.render.html_marks import NOTHING, Look, Mark, comparison_mark, missing_mark
from vkzircon_cli.render.sharing import WRITES, best_export, comparisons, types_exported


@record
class HeapRow:
    """A heap; *percent* is its size in those of the biggest one."""

    index: int
    percent: float
    size: str
    size_bytes: int
    flags: str


@record
class TypeRow:
    """A memory type, and in short what came of sharing it."""

    index: int
    heap: int
    flags: str
    export: Mark
    vmo_size: str
    bits: str
    trip: Mark


@record
class VmoRow:
    """What the kernel says of one exported VMO."""

    memory_type: int
    cells: tuple[str, ...]


@record
class WayRow:
    """One way of importing, with one cell a form of allocation: what came of it, and of which types that is true."""

    way: str
    cells: tuple[tuple[tuple[Mark, str], ...], ...]


@record
class TripRow:
    """One round trip, read in four places."""

    way: str
    memory_type: int
    cells: tuple[Mark, ...]


@record
class ImageRow:
    """One image that was cleared and read back."""

    image: str
    memory_type: str
    mark: Mark


# Why there is no result, and of what that is true.
Reason = tuple[Mark, str, str]
# Beyond these, names of bits say less than the number does.
_MOST_FLAGS = 12
FORMS = {
    Form.PLAIN: "plain",
    Form.DEDICATED_BUFFER: "dedicated buffer",
    Form.DEDICATED_IMAGE: "dedicated image",
}
PLACES = ("exporter's map", "importer's map", "zx_vmo_read", "zx_vmar_map")
VMO_COLUMNS = ("handle", "koid", "name", "flags", "parent", "committed", "cache policy")


def flag_words(flags: Flags) -> str:
    """Write a flag word."""
    if not flags.names:
        return "none"
    return " ".join(flags.names) if len(flags.names) <= _MOST_FLAGS else f"{flags.value:#x}"


def heap_rows(heaps: Sequence[Heap]) -> Iterator[HeapRow]:
    """Give the heaps, each beside the biggest."""
    biggest = max((heap.size for heap in heaps), default=0)
    for heap in heaps:
        percent = 100 * heap.size / biggest if biggest else 0.0
        yield HeapRow(heap.index, percent, about(heap.size), heap.size, flag_words(heap.flags))


def type_rows(device: Device) -> Iterator[TypeRow]:
    """Give the memory types."""
    for each in device.memory.value.types if device.memory.value else ():
        export = best_export(device, each.index)
        handle = export.handle.value if export else None
        size = handle.size.value if handle else None
        yield TypeRow(
            index=each.index,
            heap=each.heap_index,
            flags=flag_words(each.flags),
            export=export_mark(device, each.index),
            vmo_size="" if size is None else exactly(size),
            bits=_bits(device, each.index),
            trip=trip_mark(device, each.index),
        )


def export_mark(device: Device, memory_type: int) -> Mark:
    """Mark whether a memory type gave a VMO."""
    export = best_export(device, memory_type)
    if export is None or export.handle.value is None:
        return missing_mark(export.handle.missing) if export else NOTHING
    if export.handle.value.written and export.handle.value.valid.value is not False:
        return Mark("✓", "ok" if export.form is Form.PLAIN else "dedicated", Look.GOOD)
    return Mark("✗", "fail", Look.BAD)


def trip_mark(device: Device, memory_type: int) -> Mark:
    """Mark whether bytes came round through a memory type."""
    trips = [row for row in device.data if row.memory_type == memory_type]
    seen = [comparison for trip in trips for comparison in comparisons(trip)]
    if any(comparison.wrong for comparison in seen):
        return Mark("✗", "fail", Look.BAD)
    missing = [trip.round_trip.missing for trip in trips if trip.round_trip.missing]
    bad = [each for each in missing if each.kind is not MissingKind.NOT_ASKED]
    if seen and not bad:
        return Mark("✓", f"ok, {exactly(max(comparison.count for comparison in seen))}", Look.GOOD)
    return missing_mark(next(iter(bad or missing), None))


def _bits(device: Device, memory_type: int) -> str:
    found = next((row.properties.value for row in device.properties if row.memory_type == memory_type), None)
    if found is None:
        return ""
    return f"{found.memory_type_bits:#x}: {ranges(bits_of(found.memory_type_bits)) or 'none'}"


def vmo_rows(device: Device) -> Iterator[VmoRow]:
    """Give what the kernel says of each exported VMO, under `VMO_COLUMNS`."""
    for export in types_exported(device):
        if export.handle.value:
            yield VmoRow(export.memory_type, tuple(_vmo(export.handle.value)))


def _vmo(handle: Handle) -> Iterator[str]:
    yield handle.value
    yield handle.basic.value.koid if handle.basic.value else "?"
    info = handle.info.value
    if info is None:
        yield from "?????"
        return
    yield info.name.strip() or "none"
    yield flag_words(info.flags)
    yield info.parent_koid
    yield exactly(info.committed_bytes)
    yield info.cache_policy.name


def way_rows(imports: Sequence[Import]) -> Iterator[WayRow]:
    """Give each way of importing under the `FORMS` of allocation."""
    for kind in ImportKind:
        rows = [row for row in imports if row.kind is kind]
        if rows:
            cells = tuple(tuple(_way([row for row in rows if row.form is form])) for form in FORMS)
            yield WayRow(kind, cells)


def _way(rows: Iterable[Import]) -> Iterator[tuple[Mark, str]]:
    types_of: dict[Mark, list[int]] = {}
    for row in rows:
        types_of.setdefault(_import_mark(row), []).append(row.memory_type)
    for mark, types in types_of.items():
        yield mark, of_types(types)


def _import_mark(row: Import) -> Mark:
    found = row.imported.value
    if found is None:
        return missing_mark(row.imported.missing)
    wrong = [seen for seen in (found.kept, found.shared) if seen.value and seen.value.wrong]
    if wrong:
        return comparison_mark(wrong[0])
    return Mark("✓", "ok", Look.GOOD)


def of_types(numbers: Iterable[int]) -> str:
    """Write "type 2", or "types 0-2, 5"."""
    each = sorted(set(numbers))
    return f"type{'' if len(each) == 1 else 's'} {ranges(each)}"


def import_reasons(imports: Iterable[Import]) -> Iterator[Reason]:
    """Say of the imports without a result why, each reason once, with the ways that it is true of."""
    return _reasons((row.imported.missing, f"{row.kind} ({FORMS[row.form]})") for row in imports)


def image_reasons(images: Iterable[Image]) -> Iterator[Reason]:
    """Say of the images without a result why, each reason once."""
    return _reasons((row.trip.missing, _image(row)) for row in images)


def _reasons(rows: Iterable[tuple[Missing | None, str]]) -> Iterator[Reason]:
    of: dict[tuple[Mark, str], dict[str, None]] = {}
    for missing, what in rows:
        if missing:
            of.setdefault((missing_mark(missing), describe(missing)), {})[what] = None
    for (mark, reason), whats in of.items():
        yield mark, reason, ", ".join(whats)


def places_of(trip: Data) -> tuple[Mark, ...]:
    """Mark what was read in each of `PLACES`."""
    found = trip.round_trip.value
    if found is None:
        return (missing_mark(trip.round_trip.missing),) * len(PLACES)
    seen = (found.through_export_map, found.through_import_map, found.through_vmo_read, found.through_vmo_map)
    return tuple(map(comparison_mark, seen))


def trip_rows(device: Device) -> Iterator[TripRow]:
    """Give every round trip, under `PLACES`."""
    for trip in device.data:
        yield TripRow(WRITES[trip.write], trip.memory_type, places_of(trip))


def image_rows(images: Iterable[Image]) -> Iterator[ImageRow]:
    """Give the images that were sent round."""
    for row in images:
        trip = row.trip.value
        seen = comparison_mark(Answer(trip.seen)) if trip else missing_mark(row.trip.missing)
        yield ImageRow(_image(row), str(trip.memory_type) if trip else "", seen)


def _image(row: Image) -> str:
    return f"{row.tiling} {row.format.name}"
