# SPDX-License-Identifier: Apache-2.0
"""Does an export give a real VMO, the right one, and its own?"""

from collections.abc import Iterator
from functools import reduce
from operator import or_

from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.spec import LISTED_RESULTS, OBJECT_TYPE_VMO, looks_like_handle
from vkzircon_cli.model.vmo import Export, Form, Handle, Pair, PairOfHandles

EXPECTED_RIGHTS = ("READ", "WRITE", "MAP", "DUPLICATE", "TRANSFER", "GET_PROPERTY", "INSPECT")
_RESIZABLE = 1 << 1
INVALID = "0x00000000"


def subject(memory_type: int) -> str:
    """Name a row."""
    return f"memory type {memory_type}"


def step(device: Device, memory_type: int, name: str) -> str:
    """Give the step's id."""
    return f"device{device.index}/type{memory_type}/{name}"


def pairs(device: Device, table: tuple[PairOfHandles, ...], name: str) -> Iterator[tuple[str, str, Answer[Pair]]]:
    """Give each row of a table of pairs: in words, where it was seen, and the pair."""
    for row in table:
        yield subject(row.memory_type), step(device, row.memory_type, name), row.pair


def _exported(device: Device) -> Iterator[tuple[str, str, Export, Handle]]:
    for export in device.exports:
        if export.handle.value is not None:
            where = step(device, export.memory_type, f"export.{export.form}")
            yield subject(export.memory_type), where, export, export.handle.value


def _handles(device: Device) -> Iterator[tuple[str, str, Handle]]:
    """Give every handle that was got and described, also the second ones: a driver may fail at the second only."""
    for name, where, _, handle in _exported(device):
        yield name, where, handle
    for table, what in ((device.two_gets, "export.two-gets"), (device.two_exports, "export.two-exports")):
        for name, where, answer in pairs(device, table, what):
            if answer.value is not None:
                yield name, where, answer.value.first
                yield name, where, answer.value.second


@check(
    "export.memory-type",
    meaning="Every memory type that an external resource names can be exported, in one form at least.",
    rule="VUID-VkExportMemoryAllocateInfo-handleTypes-09860",
    advice="Nothing can be shared from that type, plain or dedicated; look at the result code.",
)
def memory_type(_: Facts, device: Device) -> Iterator[Finding]:
    named = _named_types(device)
    for number, rows in _by_type(device).items():
        name = subject(number)
        good = [row for row in rows if row.handle.value is not None]
        if good:
            where = [step(device, number, f"export.{row.form}") for row in good]
            forms = ", ".join(row.form for row in good)
            yield Finding(Outcome.PASS, f"{good[0].allocation_size} bytes were exported ({forms})", name, where[0])
            continue
        refusals = [row for row in rows if row.handle.missing and row.handle.missing.kind is not MissingKind.NOT_ASKED]
        told = (refusals or rows)[0]
        where_told = step(device, number, f"export.{told.form}")
        worth = Outcome.FAIL if named >> number & 1 else Outcome.INFO
        yield unanswered(told.handle.missing, name, where_told, worth)  # type: ignore[arg-type]


def _named_types(device: Device) -> int:
    """Give the mask of memory types that the test's buffer or image may be bound to; all, where nobody told."""
    masks = [row.needed.value.memory_type_bits for row in device.requirements if row.needed.value is not None]
    return reduce(or_, masks) if masks else (1 << 32) - 1


def _by_type(device: Device) -> dict[int, list[Export]]:
    rows: dict[int, list[Export]] = {}
    for export in device.exports:
        rows.setdefault(export.memory_type, []).append(export)
    return rows


@check(
    "export.form",
    meaning="Plain memory can be exported, without a buffer or image of its own.",
    rule=PRACTICE,
    advice="Chain VkMemoryDedicatedAllocateInfo to every export: that is the form this driver takes (goldfish).",
)
def form(_: Facts, device: Device) -> Iterator[Finding]:
    for number, rows in _by_type(device).items():
        good = [row.form for row in rows if row.handle.value is not None]
        if good:
            is_plain = Form.PLAIN in good
            says = "plain exports work" if is_plain else f"only {' and '.join(good)} exports work"
            where = step(device, number, f"export.{Form.PLAIN}")
            yield Finding(Outcome.PASS if is_plain else Outcome.INFO, says, subject(number), where)


@check(
    "export.result-codes",
    meaning="What an allocation or an export is refused with is a result that the command may give.",
    rule="memory.adoc, return codes of vkAllocateMemory and vkGetMemoryZirconHandleFUCHSIA",
    advice="Programs switch on the listed codes; report the other one to the driver's vendor.",
)
def result_codes(_: Facts, device: Device) -> Iterator[Finding]:
    for export in device.exports:
        where = step(device, export.memory_type, f"export.{export.form}")
        yield listed_result(export.handle.missing, subject(export.memory_type), where)


def listed_result(missing: Missing | None, name: str, where: str) -> Finding:
    """Judge whether what a call was refused with is among the results that vk.xml lists for it."""
    if missing is None:
        return Finding(Outcome.PASS, "VK_SUCCESS", name, where)
    if missing.kind is not MissingKind.REFUSED or missing.call not in LISTED_RESULTS or not missing.result:
        return unanswered(missing, name, where, Outcome.SKIP)
    says = f"{missing.call} answered {missing.result}"
    if missing.result in ("VK_SUCCESS", *LISTED_RESULTS[missing.call]):
        return Finding(Outcome.PASS, says, name, where)
    return Finding(Outcome.WARN, f"{says}, which is not among the results it may give", name, where)


@check(
    "export.handle-given",
    meaning="VK_SUCCESS comes with a handle.",
    rule="VUID-vkGetMemoryZirconHandleFUCHSIA-pZirconHandle-parameter; memory.adoc",
    advice="The driver says success and gives nothing: look at how it duplicates its handle (goldfish, for one).",
)
def handle_given(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, handle in _handles(device):
        if not handle.written:
            yield Finding(Outcome.FAIL, "VK_SUCCESS, and no handle was written", name, where)
        elif handle.value == INVALID:
            yield Finding(Outcome.FAIL, "VK_SUCCESS with ZX_HANDLE_INVALID (0)", name, where)
        else:
            yield Finding(Outcome.PASS, "a handle came", name, where)


@check(
    "export.handle-shape",
    meaning="The handle has the kernel's shape: both low bits set.",
    rule="zircon/types.h, ZX_HANDLE_FIXED_BITS_MASK",
    advice="The number is no Zircon handle: the driver may have given an index or a file descriptor of its own.",
)
def handle_shape(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, handle in _handles(device):
        if not handle.written or handle.value == INVALID:
            yield Finding(Outcome.SKIP, "there is no handle", name, where)
        else:
            good = looks_like_handle(int(handle.value, 16))
            outcome = Outcome.PASS if good else Outcome.FAIL
            yield Finding(outcome, "both low bits are set" if good else "the low bits are not 11", name, where)


@check(
    "export.handle-is-vmo",
    meaning="The kernel knows the handle, and it is a VMO.",
    rule="capabilities.adoc, VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA",
    advice="What the driver gave cannot be shared; look at how it makes and duplicates the handle.",
)
def handle_is_vmo(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, handle in _handles(device):
        basic = handle.basic.value
        if handle.valid.missing is not None:
            yield unanswered(handle.valid.missing, name, where)
        elif not handle.valid.value:
            yield Finding(Outcome.FAIL, "the kernel knows no such handle", name, where)
        elif basic is None:
            yield unanswered(handle.basic.missing, name, where)  # type: ignore[arg-type]
        elif basic.type.value != OBJECT_TYPE_VMO:
            yield Finding(Outcome.FAIL, f"the handle is a {basic.type.name}, not a VMO", name, where)
        else:
            yield Finding(Outcome.PASS, "the handle is a VMO", name, where)


@check(
    "export.rights",
    meaning=f"The handle has the rights that users need: {', '.join(EXPECTED_RIGHTS)}.",
    rule=PRACTICE,
    advice="Without READ, WRITE and MAP nobody can use it; without DUPLICATE and TRANSFER it cannot be passed on.",
)
def rights(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, handle in _handles(device):
        if handle.basic.value is None:
            yield unanswered(handle.basic.missing, name, where, Outcome.WARN)  # type: ignore[arg-type]
            continue
        lacking = [right for right in EXPECTED_RIGHTS if right not in handle.basic.value.rights.names]
        says = f"lacks {', '.join(lacking)}" if lacking else "all expected rights are there"
        yield Finding(Outcome.WARN if lacking else Outcome.PASS, says, name, where)


@check(
    "export.size",
    meaning="The VMO is at least as large as the allocation.",
    rule="VUID-VkMemoryAllocateInfo-allocationSize-07903",
    advice="An importer that asks for the allocation's size would run past the VMO's end.",
)
def size(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, export, handle in _exported(device):
        if handle.size.value is None:
            yield unanswered(handle.size.missing, name, where)  # type: ignore[arg-type]
        else:
            good = handle.size.value >= export.allocation_size
            than = f"{handle.size.value} bytes for an allocation of {export.allocation_size}"
            yield Finding(Outcome.PASS if good else Outcome.FAIL, f"the VMO has {than}", name, where)


@check(
    "export.whole-pages",
    meaning="The VMO's size is a multiple of the page.",
    rule=PRACTICE,
    advice="zx_vmo_create rounds up to pages, so a real kernel cannot give such a size; look at libzircon.",
)
def whole_pages(facts: Facts, device: Device) -> Iterator[Finding]:
    page = facts.kernel.value.page_size.value if facts.kernel.value is not None else None
    for name, where, handle in _handles(device):
        if page is None or handle.size.value is None:
            yield Finding(Outcome.SKIP, "the page size or the VMO's size is not known", name, where)
        else:
            rest = handle.size.value % page
            says = f"{handle.size.value} bytes are {'no' if rest else 'a'} multiple of {page}"
            yield Finding(Outcome.WARN if rest else Outcome.PASS, says, name, where)


@check(
    "export.fixed-size",
    meaning="The VMO cannot be resized under its users.",
    rule=PRACTICE,
    advice="A RESIZABLE VMO can shrink while others have it mapped, and they then fault.",
)
def fixed_size(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, handle in _handles(device):
        if handle.info.value is None:
            yield unanswered(handle.info.missing, name, where, Outcome.WARN)  # type: ignore[arg-type]
        else:
            resizable = handle.info.value.flags.value & _RESIZABLE
            says = "the VMO is RESIZABLE" if resizable else "the VMO is not resizable"
            yield Finding(Outcome.WARN if resizable else Outcome.PASS, says, name, where)
