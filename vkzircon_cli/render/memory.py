# SPDX-License-Identifier: Apache-2.0
"""A device's memory on the page: heaps as bars, memory types as a table."""

from collections.abc import Sequence

from rich.text import Text

from vkzircon_cli.model.facts import Device, Heap, MemoryType
from vkzircon_cli.model.quantities import about
from vkzircon_cli.model.spec import Flags
from vkzircon_cli.render.answers import why_missing
from vkzircon_cli.render.columns import Column
from vkzircon_cli.render.sharing import SHARING_COLUMNS, sharing_cells, write_notes, write_vmos, write_ways
from vkzircon_cli.render.writer import Sheet

_BAR = 20
_HEAP_COLUMNS = (
    Column("heap", right=True),
    Column("size"),
    Column("", right=True),
    Column("bytes", right=True),
    Column("flags", wraps=True),
)
_TYPE_COLUMNS = (Column("type", right=True), Column("heap", right=True), Column("flags", wraps=True))


def write_memory(sheet: Sheet, device: Device, verbose: bool) -> None:
    """Write heaps, memory types and what came of sharing each type."""
    memory = device.memory.value
    if memory is None:
        sheet.field("memory", why_missing(device.memory.missing), prose=True)
        return
    sheet.blank()
    _write_heaps(sheet, memory.heaps)
    sheet.blank()
    _write_types(sheet, device, memory.types)
    if verbose:
        write_vmos(sheet, device)
    write_notes(sheet, device)
    write_ways(sheet, device)


def _write_heaps(sheet: Sheet, heaps: Sequence[Heap]) -> None:
    if not heaps:
        sheet.field("heaps", "none")
        return
    biggest = max(heap.size for heap in heaps)
    rows = [
        [
            sheet.text(str(heap.index)),
            _bar(sheet, heap.size, biggest),
            sheet.text(about(heap.size)),
            sheet.text(str(heap.size)),
            _flags(sheet, heap.flags),
        ]
        for heap in heaps
    ]
    sheet.table(_HEAP_COLUMNS, rows)


def _bar(sheet: Sheet, size: int, biggest: int) -> Text:
    length = min(_BAR, sheet.page.width // 4)
    # However small, a heap that holds something shows.
    filled = max(1, size * length // biggest) if size else 0
    return sheet.join(sheet.text("█" * filled, "cyan"), sheet.text("░" * (length - filled), "dim"))


def _write_types(sheet: Sheet, device: Device, types: Sequence[MemoryType]) -> None:
    if not types:
        sheet.field("memory types", "none")
        return
    # Without the extension nothing was shared, and four empty columns would say no more.
    columns = (*_TYPE_COLUMNS, *SHARING_COLUMNS) if device.exports else _TYPE_COLUMNS
    sheet.table(columns, [_type_row(sheet, device, each) for each in types])


def _type_row(sheet: Sheet, device: Device, memory_type: MemoryType) -> list[Text]:
    about_it = [
        sheet.text(str(memory_type.index)),
        sheet.text(str(memory_type.heap_index)),
        _flags(sheet, memory_type.flags),
    ]
    return about_it + sharing_cells(sheet, device, memory_type.index) if device.exports else about_it


def _flags(sheet: Sheet, flags: Flags) -> Text:
    return sheet.text(" ".join(flags.names)) if flags.names else sheet.text("none", "dim")
