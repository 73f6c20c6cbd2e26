# SPDX-License-Identifier: Apache-2.0
"""Does an export give a real VMO, the right one, and its own?"""

from collections.abc import Callable, Iterator
from functools import reduce
from operator import or_

from vkzircon_cli.answers import Answer, Missing, MissingKind
from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.facts import Device, Facts
from vkzircon_cli.vmo_facts import Comparison, Export, Form, Handle, Pair, PairOfHandles
from vkzircon_cli.vocabulary import LISTED_RESULTS, OBJECT_TYPE_VMO, looks_like_handle

EXPECTED_RIGHTS = ("READ", "WRITE", "MAP", "DUPLICATE", "TRANSFER", "GET_PROPERTY", "INSPECT")
_RESIZABLE = 1 << 1
_INVALID = "0x00000000"
_DOES_NOT_APPLY = ("ZX_ERR_BAD_STATE", "ZX_ERR_NOT_SUPPORTED", "ZX_ERR_OUT_OF_RANGE")


def subject(memory_type: int) -> str:
    """Name a row."""
    return f"memory type {memory_type}"


def step(device: Device, memory_type: int, name: str) -> str:
    """Give the step's id."""
    return f"device{device.index}/type{memory_type}/{name}"


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
        for name, where, answer in _pairs(device, table, what):
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
        elif handle.value == _INVALID:
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
        if not handle.written or handle.value == _INVALID:
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


def _pairs(device: Device, table: tuple[PairOfHandles, ...], name: str) -> Iterator[tuple[str, str, Answer[Pair]]]:
    for row in table:
        yield subject(row.memory_type), step(device, row.memory_type, name), row.pair


@check(
    "export.two-gets-distinct",
    meaning="Getting a handle twice gives two handles.",
    rule="memory.adoc, vkGetMemoryZirconHandleFUCHSIA: each call transfers a handle to the caller",
    advice="Both users will close the same number, and one of them closes somebody else's handle.",
)
def two_gets_distinct(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, answer in _pairs(device, device.two_gets, "export.two-gets"):
        if answer.value is None:
            yield unanswered(answer.missing, name, where)  # type: ignore[arg-type]
        elif _INVALID in (answer.value.first.value, answer.value.second.value):
            yield Finding(Outcome.SKIP, "one of them is no handle", name, where)
        else:
            same = answer.value.first.value == answer.value.second.value
            says = "both gets gave the same number" if same else "two gets gave two handles"
            yield Finding(Outcome.FAIL if same else Outcome.PASS, says, name, where)


@check(
    "export.two-gets-share",
    meaning="What is written through one handle of an allocation is read through the other.",
    rule="memory.adoc, vkGetMemoryZirconHandleFUCHSIA: the handle refers to the allocation's memory",
    advice="The second handle is of a copy: the driver makes a new VMO, or a snapshot, at each get.",
)
def two_gets_share(_: Facts, device: Device) -> Iterator[Finding]:
    def judge(seen: Comparison) -> tuple[Outcome, str]:
        if seen.wrong:
            return Outcome.FAIL, f"{seen.wrong} of {seen.count} bytes differ"
        return Outcome.PASS, f"{seen.count} bytes written through one are read through the other"

    yield from _seen(device, device.two_gets, "export.two-gets", judge)


@check(
    "export.same-koid",
    meaning="Two handles to one allocation are to one kernel object.",
    rule=PRACTICE,
    advice="A driver may give children of one VMO; then koids cannot tell whether two handles share memory.",
)
def same_koid(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, answer in _pairs(device, device.two_gets, "export.two-gets"):
        if answer.value is None:
            yield unanswered(answer.missing, name, where, Outcome.INFO)  # type: ignore[arg-type]
            continue
        koids = _koids(answer.value)
        if koids is None:
            yield Finding(Outcome.SKIP, "the kernel told no koid", name, where)
        else:
            same = koids == 1
            says = "both handles have one koid" if same else "the handles have two koids"
            yield Finding(Outcome.PASS if same else Outcome.INFO, says, name, where)


@check(
    "export.two-exports-apart",
    meaning="Two allocations are two VMOs, and writing into one leaves the other as it was.",
    rule="memory.adoc, vkAllocateMemory: each allocation is its own memory",
    advice="The driver hands out one pool: whoever gets a handle to one buffer reads all the others.",
)
def two_exports_apart(_: Facts, device: Device) -> Iterator[Finding]:
    def judge(kept: Comparison) -> tuple[Outcome, str]:
        if kept.wrong:
            return Outcome.FAIL, f"{kept.wrong} of {kept.count} bytes changed when the other allocation was written"
        return Outcome.PASS, "writing into one allocation leaves the other as it was"

    for name, where, answer in _pairs(device, device.two_exports, "export.two-exports"):
        if answer.value is not None and _koids(answer.value) == 1:
            yield Finding(Outcome.FAIL, "both allocations gave handles to one VMO", name, where)
    yield from _seen(device, device.two_exports, "export.two-exports", judge)


def _koids(pair: Pair) -> int | None:
    """Count the kernel objects behind two handles, None where the kernel does not tell."""
    first, second = pair.first.basic.value, pair.second.basic.value
    return None if first is None or second is None else len({first.koid, second.koid})


def _seen(
    device: Device,
    table: tuple[PairOfHandles, ...],
    name: str,
    judge: Callable[[Comparison], tuple[Outcome, str]],
) -> Iterator[Finding]:
    for row, where, answer in _pairs(device, table, name):
        if answer.value is None:
            yield unanswered(answer.missing, row, where)  # type: ignore[arg-type]
        else:
            yield compared(answer.value.seen, row, where, judge)


def compared(
    answer: Answer[Comparison], row: str, where: str, judge: Callable[[Comparison], tuple[Outcome, str]]
) -> Finding:
    """Make the finding of one comparison; a VMO that cannot be looked into is a skip.

    BAD_STATE means that it is not CACHED (zx_vmo_read), NOT_SUPPORTED that it can be resized (zx_vmar_map), and
    OUT_OF_RANGE that it ends before the bytes do, which is another check's to say.
    """
    if answer.value is not None:
        outcome, says = judge(answer.value)
        return Finding(outcome, says, row, where)
    does_not_apply = answer.missing is not None and answer.missing.result in _DOES_NOT_APPLY
    return unanswered(answer.missing, row, where, Outcome.SKIP if does_not_apply else Outcome.FAIL)  # type: ignore[arg-type]


@check(
    "export.survives-channel",
    meaning="The handle can be sent through a channel, and arrives with its koid, its rights and its bytes.",
    rule="zx_channel_write: the handles become available to the reader of the message",
    advice="Programs get VMOs through channels: one that does not survive that cannot be shared.",
)
def survives_channel(_: Facts, device: Device) -> Iterator[Finding]:
    def judge(seen: Comparison) -> tuple[Outcome, str]:
        if seen.wrong:
            return Outcome.FAIL, f"{seen.wrong} of {seen.count} bytes changed on the way through a channel"
        return Outcome.PASS, "the handle arrives as it was sent"

    for name, where, answer in _pairs(device, device.through_channel, "export.through-channel"):
        if answer.value is None:
            yield unanswered(answer.missing, name, where)  # type: ignore[arg-type]
        elif changed := _changed(answer.value):
            yield Finding(Outcome.FAIL, changed, name, where)
        else:
            yield compared(answer.value.seen, name, where, judge)


def _changed(pair: Pair) -> str:
    """Tell what the kernel says of a handle that was read, and did not say of it when it was written."""
    sent, arrived = pair.first.basic.value, pair.second.basic.value
    if sent is None or arrived is None:
        return "" if sent is None else "what arrives is no handle to a VMO"
    if arrived.koid != sent.koid:
        return "what arrives is a handle to another object"
    lost = [right for right in sent.rights.names if right not in arrived.rights.names]
    return f"the handle arrives without {', '.join(lost)}" if lost else ""


@check(
    "export.fresh-zeros",
    meaning="A VMO that was just exported holds zeros only.",
    rule=PRACTICE,
    advice="Vulkan promises no zeros, but old bytes in a VMO that is passed on are bytes given away.",
)
def fresh_zeros(_: Facts, device: Device) -> Iterator[Finding]:
    def judge(zeros: Comparison) -> tuple[Outcome, str]:
        if zeros.wrong:
            return Outcome.INFO, f"{zeros.wrong} of {zeros.count} bytes hold old data"
        return Outcome.PASS, f"all {zeros.count} bytes are zero"

    for row in device.fresh_bytes:
        yield compared(row.zeros, subject(row.memory_type), step(device, row.memory_type, "export.fresh-bytes"), judge)


@check(
    "export.outlives",
    meaning="The VMO keeps its bytes when its memory is freed and the device destroyed.",
    rule="memory.adoc, vkGetMemoryZirconHandleFUCHSIA: the handle owns a reference to the memory",
    advice="The driver recycles memory that others still hold a handle to.",
)
def outlives(_: Facts, device: Device) -> Iterator[Finding]:
    def judge(kept: Comparison) -> tuple[Outcome, str]:
        if kept.wrong:
            return Outcome.FAIL, f"{kept.wrong} of {kept.count} bytes changed after the memory was freed"
        return Outcome.PASS, f"{kept.count} bytes outlived memory and device"

    for row in device.outlives:
        yield compared(row.kept, subject(row.memory_type), step(device, row.memory_type, "export.outlives"), judge)
