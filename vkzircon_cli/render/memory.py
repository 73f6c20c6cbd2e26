# SPDX-License-Identifier: Apache-2.0
"""A device's memory on the page: heaps as bars, memory types as a table."""

from collections.abc import Iterable, Iterator

from rich.text import Text

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.facts import Answer, Comparison, Data, Device, Export, Handle, Heap, MemoryType, Missing, MissingKind
from vkzircon_cli.render.quantities import about, bits_of, exactly, ranges
from vkzircon_cli.render.sheet import Column, Sheet
from vkzircon_cli.vocabulary import Flags

_BAR = 20
_WORDS = {
    MissingKind.REFUSED: ("refused", "red"),
    MissingKind.NOT_ASKED: ("skip", "dim"),
    MissingKind.CRASHED: ("crash", "bold red"),
    MissingKind.TIMED_OUT: ("timeout", "bold red"),
}


def write_memory(sheet: Sheet, device: Device, verbose: bool) -> None:
    """Write heaps, memory types and what came of sharing each type."""
    memory = device.memory.value
    if memory is None:
        sheet.field("memory", describe(device.memory.missing) if device.memory.missing else "unknown", prose=True)
        return
    sheet.blank()
    _write_heaps(sheet, memory.heaps)
    sheet.blank()
    _write_types(sheet, device, memory.types)
    _write_rights(sheet, device)
    _write_reasons(sheet, device)
    _ = verbose


def _write_heaps(sheet: Sheet, heaps: Iterable[Heap]) -> None:
    listed = list(heaps)
    biggest = max((heap.size for heap in listed), default=0)
    columns = [Column("heap", right=True), Column("size"), Column("", right=True), Column("bytes", right=True)]
    columns.append(Column("flags", wraps=True))
    rows = [
        [
            sheet.text(str(heap.index)),
            _bar(sheet, heap.size, biggest),
            sheet.text(about(heap.size)),
            sheet.text(str(heap.size)),
            _flags(sheet, heap.flags),
        ]
        for heap in listed
    ]
    if rows:
        sheet.table(columns, rows)
    else:
        sheet.field("heaps", "none")


def _bar(sheet: Sheet, size: int, biggest: int) -> Text:
    filled = max(1, size * _BAR // biggest) if size else 0
    return sheet.join(sheet.text("█" * filled, "cyan"), sheet.text("░" * (_BAR - filled), "dim"))


def _flags(sheet: Sheet, flags: Flags) -> Text:
    return sheet.text(" ".join(flags.names)) if flags.names else sheet.text("none", "dim")


def _write_types(sheet: Sheet, device: Device, types: Iterable[MemoryType]) -> None:
    columns = [Column("type", right=True), Column("heap", right=True), Column("flags", wraps=True)]
    if device.exports:
        columns += [Column("export"), Column("VMO size", right=True), Column("VMO bits"), Column("round trip")]
    rows = []
    for memory_type in types:
        row = [sheet.text(str(memory_type.index)), sheet.text(str(memory_type.heap_index))]
        row.append(_flags(sheet, memory_type.flags))
        if device.exports:
            row += _shared(sheet, device, memory_type.index)
        rows.append(row)
    if rows:
        sheet.table(columns, rows)
    else:
        sheet.field("memory types", "none")


def _shared(sheet: Sheet, device: Device, index: int) -> list[Text]:
    export = next((export for export in device.exports if export.memory_type == index), None)
    handle = export.handle.value if export else None
    size = handle.size.value if handle else None
    trips = [row for row in device.data if row.memory_type == index]
    return [
        _export(sheet, export),
        sheet.text("" if size is None else exactly(size)),
        _bits(sheet, device, index),
        _round_trip(sheet, trips),
    ]


def _missing(sheet: Sheet, missing: Missing | None) -> Text:
    return sheet.text(*_WORDS[missing.kind]) if missing else Text()


def _export(sheet: Sheet, export: Export | None) -> Text:
    if export is None:
        return Text()
    if export.handle.value is None:
        return _missing(sheet, export.handle.missing)
    return sheet.text("ok", "green") if _is_handle(export.handle.value) else sheet.text("fail", "red")


def _is_handle(handle: Handle) -> bool:
    return handle.written and handle.valid.value is not False


def _bits(sheet: Sheet, device: Device, index: int) -> Text:
    answer = next((row.properties for row in device.properties if row.memory_type == index), None)
    if answer is None or answer.value is None:
        return _missing(sheet, answer.missing if answer else None)
    mask = answer.value.memory_type_bits
    return sheet.text(f"{mask:#x}: {ranges(bits_of(mask)) or 'none'}")


def _round_trip(sheet: Sheet, trips: Iterable[Data]) -> Text:
    rows = list(trips)
    seen = [comparison for row in rows for comparison in _comparisons(row)]
    if any(comparison.wrong for comparison in seen):
        return sheet.text("fail", "red")
    died = [row.round_trip.missing for row in rows if row.round_trip.missing and _died(row.round_trip.missing)]
    if died:
        return _missing(sheet, died[0])
    if seen:
        return sheet.text(f"ok {max(comparison.count for comparison in seen)} B", "green")
    missing = [row.round_trip.missing for row in rows if row.round_trip.missing]
    return _missing(sheet, missing[0] if missing else None)


def _died(missing: Missing) -> bool:
    return missing.kind is not MissingKind.NOT_ASKED


def _comparisons(row: Data) -> Iterator[Comparison]:
    trip = row.round_trip.value
    if trip is not None:
        places: tuple[Answer[Comparison], ...] = (
            trip.through_export_map,
            trip.through_import_map,
            trip.through_vmo_read,
            trip.through_vmo_map,
        )
        yield from (place.value for place in places if place.value is not None)


def _write_rights(sheet: Sheet, device: Device) -> None:
    of_rights: dict[str, list[int]] = {}
    for export in device.exports:
        basic = export.handle.value.basic.value if export.handle.value else None
        if basic:
            of_rights.setdefault(" ".join(basic.rights.names) or "none", []).append(export.memory_type)
    if of_rights:
        sheet.blank()
    for rights, types in of_rights.items():
        sheet.field("rights" if len(of_rights) == 1 else f"rights, {ranges(types)}", rights, prose=True)


def _write_reasons(sheet: Sheet, device: Device) -> None:
    reasons: dict[tuple[str, str], list[int]] = {}
    for subject, index, missing in _unanswered(device):
        reasons.setdefault((subject, describe(missing)), []).append(index)
    for (subject, reason), types in reasons.items():
        sheet.field(subject, f"{_types(types)}: {reason}", prose=True)


def _types(types: list[int]) -> str:
    return f"type {types[0]}" if len(types) == 1 else f"types {ranges(types)}"


def _unanswered(device: Device) -> Iterator[tuple[str, int, Missing]]:
    for export in device.exports:
        if export.handle.missing:
            yield "export", export.memory_type, export.handle.missing
    for properties in device.properties:
        if properties.properties.missing:
            yield "VMO bits", properties.memory_type, properties.properties.missing
    for data in device.data:
        if data.round_trip.missing:
            yield data.write.value.replace("-", " "), data.memory_type, data.round_trip.missing
