# SPDX-License-Identifier: Apache-2.0
"""Can an exported VMO be imported, everywhere and in every way, and is it shared then?"""

from collections.abc import Iterator

from vkzircon_cli.checks.capabilities import denies_import
from vkzircon_cli.checks.export import listed_result, step, subject
from vkzircon_cli.checks.registry import PRACTICE, Finding, Judge, Outcome, check, unanswered
from vkzircon_cli.checks.sharing import compared
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Comparison, Import, ImportKind

_SHARED = "memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA: both allocations are the same memory"
_ADVICE = "With memory to spare, 'out of memory' means a wrong memory type, or a VMO that the driver does not know."


def _rows(device: Device, *kinds: ImportKind) -> Iterator[tuple[str, str, Import]]:
    for row in device.imports:
        if not kinds or row.kind in kinds:
            where = step(device, row.memory_type, f"import.{row.kind}.{row.form}")
            yield subject(row.memory_type), where, row


@check(
    "import.result-codes",
    meaning="What an import is refused with is a result that vkAllocateMemory may give.",
    rule="memory.adoc, return codes of vkAllocateMemory",
    advice="Programs switch on the listed codes; report the other one to the driver's vendor.",
)
def result_codes(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, row in _rows(device):
        yield listed_result(row.imported.missing, name, where)


def _works(kind: ImportKind, refused: Outcome) -> Judge:
    """Make the check that imports of *kind* succeed; *refused* is what a refusal is worth."""

    def judge(_: Facts, device: Device) -> Iterator[Finding]:
        for name, where, row in _rows(device, kind):
            if row.imported.value is None:
                worth = Outcome.INFO if denies_import(device, row.form) else refused
                yield unanswered(row.imported.missing, name, where, worth)  # type: ignore[arg-type]
            else:
                yield Finding(Outcome.PASS, f"imported {row.imported.value.allocation_size} bytes", name, where)

    return judge


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
for _kind in (kind for kind in ImportKind if kind is not ImportKind.SECOND_PROCESS):
    _rule = "memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA" if _kind in _MUST else PRACTICE
    check(f"import.{_kind}", meaning={**_MUST, **_MAY}[_kind], rule=_rule, advice=_ADVICE)(
        _works(_kind, Outcome.FAIL if _kind in _MUST else Outcome.INFO)
    )


@check(
    "import.second-process",
    meaning="Another process imports the VMO, sees the bytes in it, and writes what is seen here.",
    rule=_SHARED,
    advice="The driver knows a VMO by what its own process holds of it: nothing can be shared between programs.",
)
def second_process(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, row in _rows(device, ImportKind.SECOND_PROCESS):
        if row.imported.value is None:
            worth = Outcome.INFO if denies_import(device, row.form) else Outcome.FAIL
            yield unanswered(row.imported.missing, name, where, worth)  # type: ignore[arg-type]
        else:
            yield compared(row.imported.value.kept, name, where, _seen_there)
            yield compared(row.imported.value.shared, name, where, _seen_here)


def _seen_there(kept: Comparison) -> tuple[Outcome, str]:
    if kept.wrong:
        return Outcome.FAIL, f"another process sees {kept.wrong} of {kept.count} bytes wrong"
    return Outcome.PASS, "another process imported the VMO, and bytes go both ways"


def _seen_here(shared: Comparison) -> tuple[Outcome, str]:
    if shared.wrong:
        return Outcome.FAIL, f"{shared.wrong} of {shared.count} bytes that another process wrote are not seen here"
    return Outcome.PASS, "another process imported the VMO, and bytes go both ways"


@check(
    "import.contents-kept",
    meaning="An import leaves the VMO's bytes as they were.",
    rule="memory.adoc: importing must not modify the contents",
    advice="The driver clears, or writes into, memory that is somebody else's.",
)
def contents_kept(_: Facts, device: Device) -> Iterator[Finding]:
    def judge(kept: Comparison) -> tuple[Outcome, str]:
        if kept.wrong:
            return Outcome.FAIL, f"{kept.wrong} of {kept.count} bytes changed, the first at {kept.first_wrong}"
        return Outcome.PASS, "what was written before is still there"

    for name, where, row in _rows(device):
        if row.imported.value is not None:
            yield compared(row.imported.value.kept, name, where, judge)


@check(
    "import.shares",
    meaning="What is written through an import is seen on every other side.",
    rule=_SHARED,
    advice="The import is a copy: nothing is shared.",
)
def shares(_: Facts, device: Device) -> Iterator[Finding]:
    def judge(seen: Comparison) -> tuple[Outcome, str]:
        if seen.wrong:
            return Outcome.FAIL, f"{seen.wrong} of {seen.count} bytes are not seen on another side"
        return Outcome.PASS, "what is written through the import is seen on every other side"

    for name, where, row in _rows(device):
        if row.imported.value is not None:
            answer: Answer[Comparison] = row.imported.value.shared
            yield compared(answer, name, where, judge)


@check(
    "import.releases-handle",
    meaning="Freeing imported memory closes the handle that the import took, and none that it did not.",
    rule="memory.adoc: a successful import transfers the handle to the implementation",
    advice="The driver leaks a handle with every import, or closes one that is the caller's.",
)
def releases_handle(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.releases:
        name, where = subject(row.memory_type), step(device, row.memory_type, "import.releases-handle")
        if row.released.value is None:
            yield unanswered(row.released.missing, name, where, Outcome.SKIP)  # type: ignore[arg-type]
            continue
        before, after = row.released.value.before, row.released.value.after
        good = after == before - 1
        says = f"the VMO has {after} handles after the import was freed, of {before} before it"
        yield Finding(Outcome.PASS if good else Outcome.FAIL, says, name, where)
