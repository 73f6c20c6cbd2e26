# SPDX-License-Identifier: Apache-2.0
"""A device's memory as tables and fields: heaps, memory types, and the results of sharing each type."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Device, Heap
from vkzircon_cli.model.quantities import about, bits_of, exactly, ranges
from vkzircon_cli.model.queries import best_export
from vkzircon_cli.model.vmo import (
    Comparison,
    Data,
    Export,
    Form,
    Handle,
    Image,
    Import,
    ImportKind,
    RoundTrip,
    VmoInfo,
    Write,
)
from vkzircon_cli.render.content import (
    Cell,
    Column,
    Field,
    Mark,
    Meter,
    Reason,
    Table,
    bad,
    columns_of,
    comparison_mark,
    good,
    missing_mark,
    reasons,
    why_missing,
)
from vkzircon_cli.render.fields import flag_words

WRITES = {
    Write.HOST_MAP: "host write",
    Write.IMPORT_MAP: "import write",
    Write.GPU_FILL: "GPU fill",
    Write.GPU_COPY: "GPU copy",
}
FORMS = {
    Form.PLAIN: "plain",
    Form.DEDICATED_BUFFER: "dedicated buffer",
    Form.DEDICATED_IMAGE: "dedicated image",
    Form.PLAIN_IMAGE: "plain image",
}
PLACES = ("exporter's map", "importer's map", "zx_vmo_read", "zx_vmar_map")
_ROUND_TRIP = "round trip"
_RIGHTS = "VMO rights"
_HEAP = (Column("heap", right=True), Column("size"), Column("bytes", right=True), Column("flags", wraps=True))
_TYPE = Column("type", right=True)
_SHARED = (Column("export"), Column(_ROUND_TRIP), Column("VMO bits", wraps=True), Column("VMO size", right=True))
_ABOUT_TYPE = (Column("heap", right=True), Column("flags", wraps=True))
_VMO = tuple(
    Column(header, wraps=header in ("name", "flags"))
    for header in ("handle", "koid", "name", "flags", "parent", "committed", "cache policy")
)


def heap_table(heaps: Sequence[Heap]) -> Table:
    """Return the heaps, each compared with the largest."""
    biggest = max((heap.size for heap in heaps), default=0) or 1
    rows = (
        (str(heap.index), Meter(heap.size / biggest, about(heap.size)), str(heap.size), flag_words(heap.flags))
        for heap in heaps
    )
    return Table("Heaps", _HEAP, tuple(rows))


def type_table(device: Device) -> Table:
    """Return the memory types, and the results of sharing each where any was shared."""
    types = device.memory.value.types if device.memory.value else ()
    title, shared = ("Memory types, with the results of sharing", _SHARED) if device.exports else ("Memory types", ())
    rows: list[tuple[Cell, ...]] = [
        (
            str(each.index),
            *(_shared(device, each.index) if device.exports else ()),
            str(each.heap_index),
            flag_words(each.flags),
        )
        for each in types
    ]
    return Table(title, (_TYPE, *shared, *_ABOUT_TYPE), tuple(rows))


def _shared(device: Device, memory_type: int) -> tuple[Cell, ...]:
    export = best_export(device, memory_type)
    handle = export.handle.value if export else None
    size = handle.size.value if handle else None
    answer = next((row.properties for row in device.properties if row.memory_type == memory_type), None)
    bits: Cell = missing_mark(answer.missing if answer else None)
    if answer and answer.value:
        mask = answer.value.memory_type_bits
        bits = f"{mask:#x}: {ranges(bits_of(mask)) or 'none'}"
    told = "" if size is None else exactly(size)
    return export_mark(device, memory_type), trip_mark(device, memory_type), bits, told


def _types_exported(device: Device) -> list[Export]:
    """Return one export per memory type, chosen by `best_export`."""
    types = dict.fromkeys(row.memory_type for row in device.exports)
    return [best for number in types if (best := best_export(device, number))]


def export_mark(device: Device, memory_type: int) -> Mark:
    """Return the mark for whether a memory type exported a VMO."""
    export = best_export(device, memory_type)
    handle = export.handle.value if export else None
    if export is None or handle is None:
        return missing_mark(export.handle.missing if export else None)
    if handle.written and handle.valid.value is not False:
        return good("dedicated" if export.form.is_dedicated else "ok")
    return bad("fail")


def trip_mark(device: Device, memory_type: int) -> Mark:
    """Return the mark for whether all round trips through a memory type kept the bytes."""
    trips = [row.round_trip for row in device.data if row.memory_type == memory_type]
    seen = [each.value for trip in trips for each in _places(trip) if each.value]
    if any(comparison.wrong for comparison in seen):
        return bad("fail")
    missing = [trip.missing for trip in trips if trip.missing]
    worse = [each for each in missing if each.kind is not MissingKind.NOT_ASKED]
    if seen and not worse:
        return good(f"ok, {exactly(max(comparison.count for comparison in seen))}")
    return missing_mark(next(iter(worse or missing), None))


def _places(trip: Answer[RoundTrip]) -> tuple[Answer[Comparison], ...]:
    """Return the result of reading in each of `PLACES`."""
    if (seen := trip.value) is None:
        return (Answer(None, trip.missing),) * len(PLACES)
    return (seen.through_export_map, seen.through_import_map, seen.through_vmo_read, seen.through_vmo_map)


def vmo_table(device: Device) -> Table:
    """Return the kernel's information about each exported VMO."""
    handles = [(row.memory_type, row.handle.value) for row in _types_exported(device) if row.handle.value]
    rows = [(str(number), *_vmo(handle)) for number, handle in handles]
    return Table("Exported VMOs, one for each memory type", (_TYPE, *_VMO), tuple(rows))


def _vmo(handle: Handle) -> tuple[str, ...]:
    koid = handle.basic.value.koid if handle.basic.value else "?"
    info = handle.info.value
    if info is None:
        return (handle.value, koid, *"?????")
    about_it = (info.name.strip() or "-", _flags(info), info.parent_koid, exactly(info.committed_bytes))
    return (handle.value, koid, *about_it, info.cache_policy.name)


def _flags(info: VmoInfo) -> str:
    """Format the flags, and the kinds that have no flag."""
    unnamed = tuple(kind for kind in info.kinds if kind not in info.flags.names)
    return flag_words(replace(info.flags, names=(*info.flags.names, *unnamed)))


def notes(device: Device) -> Iterator[Field]:
    """Yield the VMOs' rights and the reasons for missing answers, each once, with the types that it applies to."""
    types_of: dict[tuple[str, str], list[int]] = {}
    exports = _types_exported(device)
    for row in exports:
        if row.handle.value and (basic := row.handle.value.basic.value):
            types_of.setdefault((_RIGHTS, " ".join(basic.rights.names) or "none"), []).append(row.memory_type)
    asked: list[tuple[str, int, Missing | None]] = [
        *(("export", row.memory_type, row.handle.missing) for row in exports),
        *(("VMO bits", row.memory_type, row.properties.missing) for row in device.properties),
        *((WRITES[row.write], row.memory_type, row.round_trip.missing) for row in device.data),
    ]
    for label, memory_type, missing in asked:
        if missing:
            types_of.setdefault((label, why_missing(missing)), []).append(memory_type)
    labels_of: dict[str, list[str]] = {}
    for (label, words), types in types_of.items():
        where = "" if len(types) == len(exports) else f"{of_types(types)}: "
        labels_of.setdefault(f"{where}{words}", []).append(label)
    for words, labels in labels_of.items():
        are_trips = len(labels) > 1 and set(labels) <= set(WRITES.values())
        detail = labels == [_RIGHTS]  # export.rights reports a missing right
        yield Field(_ROUND_TRIP if are_trips else ", ".join(labels), (words,), prose=True, detail=detail)


def ways(device: Device) -> Iterator[Field]:
    """Yield how many ways of importing worked, and how many images kept their pixels."""
    imports = [row.imported for row in device.imports]
    if imports:
        worked = sum(answer.value is not None for answer in imports)
        left = sum(answer.missing is not None and answer.missing.kind is MissingKind.NOT_ASKED for answer in imports)
        yield Field("imports", (f"{worked} of {len(imports) - left} ways worked",))
    if device.images:
        whole = sum(row.trip.value is not None and not row.trip.value.seen.wrong for row in device.images)
        yield Field("images", (f"{whole} of {len(device.images)} kept their pixels",))


def of_types(numbers: Iterable[int]) -> str:
    """Format "type 2", or "types 0-2, 5"."""
    each = sorted(set(numbers))
    return f"type{'' if len(each) == 1 else 's'} {ranges(each)}"


def places_of(trip: Data) -> tuple[Mark, ...]:
    """Return the marks of the results of reading in each of `PLACES`."""
    return tuple(map(comparison_mark, _places(trip.round_trip)))


def trip_table(data: Iterable[Data]) -> Table:
    """Return every round trip."""
    columns = (_TYPE, *columns_of(("written by", *PLACES)))
    rows: list[tuple[Cell, ...]] = [(str(trip.memory_type), WRITES[trip.write], *places_of(trip)) for trip in data]
    return Table("Round trips, and what was read in each place", columns, tuple(rows))


def import_table(imports: Sequence[Import]) -> tuple[Table, list[Reason]]:
    """Return each way of importing by the form in which its memory was allocated, and why some have no result."""
    forms = [form for form in FORMS if form is not Form.PLAIN_IMAGE or any(row.form is form for row in imports)]
    rows: list[tuple[Cell, ...]] = [
        (kind.value, *(tuple(_way(row for row in imports if (row.kind, row.form) == (kind, form))) for form in forms))
        for kind in ImportKind
        if any(row.kind is kind for row in imports)
    ]
    title = "Ways of importing a VMO, by the form in which its memory was allocated"
    missing = reasons((row.imported.missing, f"{row.kind} ({FORMS[row.form]})") for row in imports)
    return Table(title, columns_of(("way", *(FORMS[form] for form in forms))), tuple(rows)), missing


def _way(rows: Iterable[Import]) -> Iterator[Mark]:
    types_of: dict[Mark, list[int]] = {}
    for row in rows:
        types_of.setdefault(_import_mark(row), []).append(row.memory_type)
    for mark, types in types_of.items():
        yield Mark(mark.glyph, mark.word, mark.look, ", ".join(filter(None, (mark.more, of_types(types)))))


def _import_mark(row: Import) -> Mark:
    found = row.imported.value
    if found is None:
        return missing_mark(row.imported.missing)
    wrong = next((seen for seen in (found.kept, found.shared) if seen.value and seen.value.wrong), None)
    return comparison_mark(wrong) if wrong else good("ok")


def image_table(images: Sequence[Image]) -> tuple[Table, list[Reason]]:
    """Return the images that were cleared in exported memory and read back, and why some have no result."""
    rows: list[tuple[Cell, ...]] = [
        (_image(row), str(trip.memory_type), comparison_mark(Answer(trip.seen)))
        if (trip := row.trip.value)
        else (_image(row), "", missing_mark(row.trip.missing))
        for row in images
    ]
    title = "Images cleared in exported memory, every pixel read back from the import"
    missing = reasons((row.trip.missing, _image(row)) for row in images)
    return Table(title, columns_of(("tiling and format", "type", "pixels")), tuple(rows)), missing


def _image(row: Image) -> str:
    return f"{row.tiling} {row.format.name}{'' if row.form.is_dedicated else ', plain memory'}"
