# SPDX-License-Identifier: Apache-2.0
"""What came of sharing each memory type: the cells of its row, and what stands below the table."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.quantities import bits_of, exactly, ranges
from vkzircon_cli.model.vmo import Comparison, Data, Export, Form, Handle, Write
from vkzircon_cli.render.answers import missing_word
from vkzircon_cli.render.columns import Column
from vkzircon_cli.render.writer import Sheet

_ROUND_TRIP = "round trip"
SHARING_COLUMNS = (
    Column("export"),
    Column("VMO size", right=True),
    Column("VMO bits", wraps=True),
    Column(_ROUND_TRIP),
)
_VMO_COLUMNS = ("type", "handle", "koid", "name", "flags", "parent", "committed", "cache policy")
WRITES = {
    Write.HOST_MAP: "host write",
    Write.IMPORT_MAP: "import write",
    Write.GPU_FILL: "GPU fill",
    Write.GPU_COPY: "GPU copy",
}


def sharing_cells(sheet: Sheet, device: Device, memory_type: int) -> list[Text]:
    """Give the cells under `SHARING_COLUMNS` for one memory type."""
    export = best_export(device, memory_type)
    handle = export.handle.value if export else None
    size = handle.size.value if handle else None
    return [
        _export(sheet, export),
        sheet.text("" if size is None else exactly(size)),
        _bits(sheet, device, memory_type),
        _round_trip(sheet, [row for row in device.data if row.memory_type == memory_type]),
    ]


def best_export(device: Device, memory_type: int) -> Export | None:
    """Give of a memory type the first form that exported, else the first that was asked, else the first."""
    rows = [row for row in device.exports if row.memory_type == memory_type]
    asked = [row for row in rows if row.handle.missing and row.handle.missing.kind is not MissingKind.NOT_ASKED]
    return next((row for row in (*(row for row in rows if row.handle.value), *asked, *rows)), None)


def types_exported(device: Device) -> list[Export]:
    """Give one export a memory type, as `best_export` chooses."""
    types = dict.fromkeys(row.memory_type for row in device.exports)
    return [best for number in types if (best := best_export(device, number))]


def _export(sheet: Sheet, export: Export | None) -> Text:
    if export is None or export.handle.value is None:
        return missing_word(sheet, export.handle.missing if export else None)
    handle = export.handle.value
    good = handle.written and handle.valid.value is not False
    word = "ok" if export.form is Form.PLAIN else "dedicated"
    return sheet.text(word, "green") if good else sheet.text("fail", "red")


def _bits(sheet: Sheet, device: Device, memory_type: int) -> Text:
    answer = next((row.properties for row in device.properties if row.memory_type == memory_type), None)
    if answer is None or answer.value is None:
        return missing_word(sheet, answer.missing if answer else None)
    mask = answer.value.memory_type_bits
    return sheet.text(f"{mask:#x}: {ranges(bits_of(mask)) or 'none'}")


def _round_trip(sheet: Sheet, trips: Sequence[Data]) -> Text:
    seen = [comparison for trip in trips for comparison in comparisons(trip)]
    if any(comparison.wrong for comparison in seen):
        return sheet.text("fail", "red")
    missing = [trip.round_trip.missing for trip in trips if trip.round_trip.missing]
    bad = [each for each in missing if each.kind is not MissingKind.NOT_ASKED]
    if seen and not bad:
        return sheet.text(f"ok {max(comparison.count for comparison in seen)} B", "green")
    return missing_word(sheet, next(iter(bad or missing), None))


def comparisons(trip: Data) -> Iterator[Comparison]:
    """Give what was seen in each place that could be looked at."""
    seen = trip.round_trip.value
    if seen is not None:
        places = (seen.through_export_map, seen.through_import_map, seen.through_vmo_read, seen.through_vmo_map)
        yield from (place.value for place in places if place.value is not None)


def write_vmos(sheet: Sheet, device: Device) -> None:
    """Write what the kernel says of each exported VMO."""
    handles = [(row.memory_type, row.handle.value) for row in types_exported(device) if row.handle.value]
    if handles:
        sheet.blank()
        rows = [[sheet.text(cell) for cell in _vmo(index, handle)] for index, handle in handles]
        sheet.table([Column(header) for header in _VMO_COLUMNS], rows)


def _vmo(memory_type: int, handle: Handle) -> Iterator[str]:
    yield str(memory_type)
    yield handle.value
    yield handle.basic.value.koid if handle.basic.value else "?"
    info = handle.info.value
    if info is None:
        yield from "?" * 5
        return
    yield info.name.strip() or "-"
    yield " ".join(info.flags.names) or "none"
    yield info.parent_koid
    yield exactly(info.committed_bytes)
    yield info.cache_policy.name


def write_notes(sheet: Sheet, device: Device) -> None:
    """Write below the table what its cells have no room for: the VMOs' rights, and why an answer is missing."""
    told = list(notes(device))
    if told:
        sheet.blank()
    for label, words in told:
        sheet.field(label, words, prose=True)


def notes(device: Device) -> Iterator[tuple[str, str]]:
    """Say the VMOs' rights and why an answer is missing, each once, under a label and with the types it is true of."""
    types_of: dict[tuple[str, str], list[int]] = {}
    for label, words, memory_type in (*_rights(device), *_reasons(device)):
        types_of.setdefault((label, words), []).append(memory_type)
    labels_of: dict[str, list[str]] = {}
    for (label, words), types in types_of.items():
        labels_of.setdefault(f"{_types(types, len(types_exported(device)))}{words}", []).append(label)
    for words, labels in labels_of.items():
        are_trips = len(labels) > 1 and set(labels) <= set(WRITES.values())
        yield _ROUND_TRIP if are_trips else ", ".join(labels), words


def write_ways(sheet: Sheet, device: Device) -> None:
    """Write how many ways of importing worked, and how many images came round."""
    for label, words in ways(device):
        sheet.field(label, words)


def ways(device: Device) -> Iterator[tuple[str, str]]:
    """Say how many ways of importing worked, and how many images came round, each under a label."""
    imports = [row.imported for row in device.imports]
    if imports:
        good = sum(answer.value is not None for answer in imports)
        left = sum(answer.missing is not None and answer.missing.kind is MissingKind.NOT_ASKED for answer in imports)
        skipped = f", {left} left out" if left else ""
        yield "imports", f"{good} of {len(imports)} ways worked{skipped}"
    if device.images:
        trips = [row.trip.value for row in device.images if row.trip.value]
        good = sum(not trip.seen.wrong for trip in trips)
        yield "images", f"{good} of {len(device.images)} formats and tilings came round"


def _types(types: Sequence[int], of: int) -> str:
    if len(types) == of:
        return ""
    return f"type {types[0]}: " if len(types) == 1 else f"types {ranges(types)}: "


def _rights(device: Device) -> Iterator[tuple[str, str, int]]:
    for export in types_exported(device):
        basic = export.handle.value.basic.value if export.handle.value else None
        if basic:
            yield "VMO rights", " ".join(basic.rights.names) or "none", export.memory_type


def _reasons(device: Device) -> Iterator[tuple[str, str, int]]:
    for label, memory_type, missing in _unanswered(device):
        if missing:
            # Said of many types at once, so without the one's number.
            yield label, describe(missing), memory_type


def _unanswered(device: Device) -> Iterator[tuple[str, int, Missing | None]]:
    for export in types_exported(device):
        yield "export", export.memory_type, export.handle.missing
    for properties in device.properties:
        yield "VMO bits", properties.memory_type, properties.properties.missing
    for data in device.data:
        yield WRITES[data.write], data.memory_type, data.round_trip.missing
