# SPDX-License-Identifier: Apache-2.0
"""Can an exported VMO be imported, everywhere and in every way, and is it shared then?"""

from collections.abc import Callable, Iterator

from vkzircon_cli.checks.capabilities import denies_import
from vkzircon_cli.checks.causes import UNKNOWN_TO_HOST
from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check
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
)
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Comparison, Imported, ImportKind, Released

_SHARED = "memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA: both allocations are the same memory"
_ADVICE = "With memory to spare, 'out of memory' means a wrong memory type, or a VMO that the driver does not know."


def _all(device: Device) -> Rows[Imported]:
    return _of_kinds(device, *ImportKind)


def _answered(device: Device) -> Rows[Imported]:
    return [row for row in _all(device) if row.answer.value is not None]


def _of_kinds(device: Device, *kinds: ImportKind, worth: Outcome = Outcome.FAIL) -> Rows[Imported]:
    """Return imports, where a refusal has its *worth* only if the driver reports that imports work."""
    return [
        row_of_type(
            device,
            row.memory_type,
            f"import.{row.kind}.{row.form}",
            row.imported,
            Outcome.INFO if denies_import(device, row.form) else worth,
        )
        for row in device.imports
        if row.kind in kinds
    ]


check(
    "import.result-codes",
    meaning="A refused import returns a result that is listed for vkAllocateMemory.",
    rule="memory.adoc, return codes of vkAllocateMemory",
    advice="Programs switch on the listed codes; report the other one to the driver's vendor.",
    causes=(
        "SwiftShader returns VK_ERROR_MEMORY_MAP_FAILED for every import that it cannot map.",
        "goldfish (gfxstream) has no code for a bad handle: it calls abort().",
    ),
)(lists_results(_all))

_MUST = {
    ImportKind.SAME_DEVICE: "The device that exported a VMO imports it and binds to it.",
    ImportKind.SECOND_DEVICE: "A second VkDevice of the same GPU imports it.",
    ImportKind.SECOND_INSTANCE: "A device of a second VkInstance imports it.",
    ImportKind.TWICE: "One VMO is imported twice, and all three allocations are the same memory.",
    ImportKind.BIND_OFFSET: "A buffer is bound behind the start of imported memory.",
    ImportKind.RE_EXPORT: "Imported memory is exported again, where exportFromImportedHandleTypes allows that.",
    ImportKind.BIND_EXPORT_IMPORT_BIND: "It works in the order bind, export, import, bind.",
    ImportKind.EXPORT_BIND_IMPORT_BIND: "It works in the order export, bind, import, bind.",
    ImportKind.EXPORT_IMPORT_BIND_BIND: "It works in the order export, import, bind, bind.",
}
_MAY = {
    ImportKind.OTHER_DEVICE: "Another GPU imports it.",
    ImportKind.OWN_VMO: "A VMO that never came from Vulkan is imported.",
    ImportKind.WHOLE_SIZE: "An import may ask for the VMO's whole size, not only for what was allocated.",
}
_CAUSES = {
    ImportKind.SAME_DEVICE: (
        "SwiftShader maps 15 bytes more than it is asked for: import with the exporter's allocationSize.",
        UNKNOWN_TO_HOST,
        "The handle lacks MAP, READ or WRITE.",
    )
}


def _imports(kind: ImportKind, worth: Outcome) -> Callable[[Device], Rows[Imported]]:
    return lambda device: _of_kinds(device, kind, worth=worth)


def _works(imported: Imported) -> Judgement:
    return Outcome.PASS, f"imported {imported.allocation_size} bytes"


for _kind in (kind for kind in ImportKind if kind is not ImportKind.SECOND_PROCESS):
    check(
        f"import.{_kind}",
        meaning={**_MUST, **_MAY}[_kind],
        rule="memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA" if _kind in _MUST else PRACTICE,
        advice=_ADVICE,
        causes=_CAUSES.get(_kind, ()),
    )(each(_imports(_kind, Outcome.FAIL if _kind in _MUST else Outcome.INFO))(_works))


@check("import.second-process", _SHARED)
def second_process(_: Facts, device: Device) -> Iterator[Finding]:
    """Another process imports the VMO, reads the bytes in it, and writes bytes that are read here.

    The driver knows a VMO only by its own process's state: programs cannot share memory.
    """
    for row in _of_kinds(device, ImportKind.SECOND_PROCESS):
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
    """An import does not change the VMO's bytes.

    The driver clears memory that others use, or writes into it.
    """
    return bytes_are(kept, "the bytes written before are still there", f"changed, the first at {kept.first_wrong}")


@check("import.shares", _SHARED)
@each(comparisons(_answered, lambda imported: imported.shared))
def shares(seen: Comparison) -> Judgement:
    """What is written through an import is seen on every other side.

    The import is a copy: nothing is shared.
    """
    return bytes_are(
        seen, "what is written through the import is seen on every other side", "are not seen on another side"
    )


def _released(device: Device) -> Iterator[Row[Released]]:
    for row in device.releases:
        yield row_of_type(device, row.memory_type, "import.releases-handle", row.released, Outcome.SKIP)


@check("import.releases-handle", "memory.adoc: a successful import transfers the handle to the implementation")
@each(_released)
def releases_handle(found: Released) -> Judgement:
    """Freeing imported memory closes the handle that the import took, and no other.

    The driver leaks a handle with every import, or closes one that is the caller's.
    """
    has = f"the VMO has {found.after} handles after the import was freed, of {found.before} before it"
    return holds(found.after == found.before - 1, has)
