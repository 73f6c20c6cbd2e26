# SPDX-License-Identifier: Apache-2.0
"""Can an exported VMO be imported everywhere and in every way, and is its memory then shared?"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

from vkzircon_cli.checks.registry import PRACTICE, Outcome, RowResult, check
from vkzircon_cli.checks.rows import (
    Judgement,
    Row,
    Rows,
    bytes_are,
    comparing,
    comparisons,
    each,
    holds,
    lists_results,
    row_of_type,
    skipping,
)
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Comparison, Imported, ImportKind, Released

_IMPORT = "memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA"
SAME_MEMORY = f"{_IMPORT}: both allocations are the same memory"


def _imports(
    device: Device, kinds: Collection[ImportKind] = tuple(ImportKind), worth: Outcome = Outcome.FAIL
) -> Rows[Imported]:
    """Return imports; a refusal counts as *worth*."""
    return [
        row_of_type(device, row.memory_type, f"import.{row.kind}.{row.form}", row.imported, worth)
        for row in device.imports
        if row.kind in kinds
    ]


def _answered(device: Device) -> Rows[Imported]:
    return [row for row in _imports(device) if row.answer.value is not None]


check("import.result-codes", "memory.adoc, return codes of vkAllocateMemory")(lists_results(_imports))

# The imports that no rule promises: the text that comes closest to promising them, and the outcome of a refusal.
_MAY = {
    ImportKind.OTHER_DEVICE: (PRACTICE, Outcome.INFO),
    ImportKind.OWN_VMO: ("memory.adoc, Fuchsia External Memory: VMOs are canonically from zx_vmo_create", Outcome.WARN),
    ImportKind.WHOLE_SIZE: ("VUID-VkMemoryAllocateInfo-allocationSize-07903", Outcome.WARN),
}
_OWN_VMO = {
    ImportKind.OWN_VMO: "a VMO one page larger",
    ImportKind.OWN_VMO_EXACT: "a VMO of the allocation's size",
}


def _works(imported: Imported) -> Judgement:
    return Outcome.PASS, f"imported {imported.allocation_size} bytes"


def _of_kind(kind: ImportKind, worth: Outcome, device: Device) -> Rows[Imported]:
    if kind is not ImportKind.OWN_VMO:
        return _imports(device, (kind,), worth)
    return [
        replace(skipping(row, "zx_vmo_create"), subject=f"{of} ({row.subject})", kind="")
        for own, of in _OWN_VMO.items()
        for row in _imports(device, (own,), worth)
    ]


for _kind in (kind for kind in ImportKind if kind not in (ImportKind.SECOND_PROCESS, ImportKind.OWN_VMO_EXACT)):
    _rule, _worth = _MAY.get(_kind, (_IMPORT, Outcome.FAIL))
    check(f"import.{_kind}", _rule)(each(partial(_of_kind, _kind, _worth))(_works))


@check("import.second-process", SAME_MEMORY)
def second_process(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in _imports(device, (ImportKind.SECOND_PROCESS,)):
        if row.answer.value is None:
            yield row.unanswered()
        else:
            yield comparing(row.about(row.answer.value.kept)).judged(_seen_there)
            yield comparing(row.about(row.answer.value.shared)).judged(_seen_here)


_BOTH_WAYS = "another process imported the VMO, and bytes go both ways"


def _seen_there(kept: Comparison) -> Judgement:
    return bytes_are(kept, _BOTH_WAYS, "are wrong in another process")


def _seen_here(shared: Comparison) -> Judgement:
    return bytes_are(shared, _BOTH_WAYS, "that another process wrote are not seen here")


@check("import.contents-kept", "memory.adoc: importing must not modify the contents")
@each(comparisons(_answered, lambda imported: imported.kept))
def contents_kept(kept: Comparison) -> Judgement:
    return bytes_are(kept, "the bytes written before are still there", f"changed, the first at {kept.first_wrong}")


@check("import.shares", SAME_MEMORY)
@each(comparisons(_answered, lambda imported: imported.shared))
def shares(seen: Comparison) -> Judgement:
    right = "what is written through the import is seen on every other side"
    if seen.wrong == seen.count:
        return Outcome.FAIL, "the import is a copy: no byte of it is seen on another side"
    return bytes_are(seen, right, "are not seen on another side")


def _released(device: Device) -> Iterator[Row[Released]]:
    for row in device.releases:
        yield row_of_type(device, row.memory_type, "import.releases-handle", row.released, Outcome.SKIP)


@check("import.releases-handle", "memory.adoc: a successful import transfers the handle to the implementation")
@each(_released)
def releases_handle(found: Released) -> Judgement:
    if not found.settled:
        return Outcome.WARN, "the VMO's handle count changes while the VMO is not used, so a leak would not be seen"
    has = f"the VMO has {found.after} handles after the import was freed, and {found.before - 1} are right"
    return holds(found.after == found.before - 1, has)
