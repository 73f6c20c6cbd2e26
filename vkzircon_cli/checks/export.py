# SPDX-License-Identifier: Apache-2.0
"""Does an export return a handle to a VMO, to the right one, owned by the caller, and is the memory shared?"""

from collections.abc import Iterator
from functools import partial, reduce
from operator import or_
from typing import Any

from vkzircon_cli.checks.registry import DEATHS, PRACTICE, Outcome, RowResult, check
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
    parts,
    row_of_type,
    skipping,
    step,
)
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.queries import best_export
from vkzircon_cli.model.spec import OBJECT_TYPE_VMO, looks_like_handle
from vkzircon_cli.model.text import with_article
from vkzircon_cli.model.vmo import Comparison, Export, Form, Handle, HandleBasic, Pair, PairOfHandles, VmoInfo

_EXPECTED_RIGHTS = ("READ", "WRITE", "MAP", "DUPLICATE", "TRANSFER", "GET_PROPERTY", "INSPECT")
_RESIZABLE = 1 << 1
_INVALID = "0x00000000"
_GET = "memory.adoc, vkGetMemoryZirconHandleFUCHSIA"


def _row(device: Device, export: Export) -> Row[Handle]:
    return row_of_type(device, export.memory_type, f"export.{export.form}", export.handle)


def _exports(device: Device) -> Rows[Handle]:
    return [_row(device, export) for export in device.exports]


def _pairs(device: Device, table: tuple[PairOfHandles, ...], name: str) -> Rows[Pair]:
    """Return the rows of a table of pairs."""
    return [row_of_type(device, row.memory_type, name, row.pair) for row in table]


def _two_gets(device: Device) -> Rows[Pair]:
    """Return the pairs of two gets from one allocation."""
    return _pairs(device, device.two_gets, "export.two-gets")


def _two_exports(device: Device) -> Rows[Pair]:
    """Return the pairs of one get from each of two allocations."""
    return _pairs(device, device.two_exports, "export.two-exports")


def _handles(device: Device) -> Iterator[Row[Handle]]:
    """Yield every handle that an export returned, including second ones: a driver may fail only at the second."""
    yield from (row for row in _exports(device) if row.answer.value is not None)
    for row in (*_two_gets(device), *_two_exports(device)):
        if row.answer.value is not None:
            yield row.about(Answer(row.answer.value.first))
            yield row.about(Answer(row.answer.value.second))


@check("export.memory-type", "VUID-VkExportMemoryAllocateInfo-handleTypes-09860")
def memory_type(_: Facts, device: Device) -> Iterator[RowResult]:
    yield from _deaths_before(device)
    named = _named_types(device)
    for number, rows in _by_type(device).items():
        best = best_export(device, number) or rows[0]
        if best.handle.value is not None:
            forms = ", ".join(row.form for row in rows if row.handle.value is not None)
            says = f"{best.allocation_size} bytes were exported ({forms})"
            yield _row(device, best).found(Outcome.PASS, says)
        else:
            worth = Outcome.FAIL if named >> number & 1 else Outcome.INFO
            yield _row(device, best).about(best.handle, worth).unanswered()


def _deaths_before(device: Device) -> Iterator[RowResult]:
    """Yield each crash and hang in the steps that an export needs."""
    steps = [("memory properties", "memory", device.memory.missing)]
    steps += (
        (f"requirements of {a.resource}s", f"requirements.{a.resource}", a.needed.missing) for a in device.requirements
    )
    for subject, name, reason in steps:
        result = Row[Any](subject, step(device, name), Answer(None, reason)).unanswered()
        if result.outcome in DEATHS:
            yield result


def _named_types(device: Device) -> int:
    """Return the mask of memory types that the test's buffer or image may be bound to; all types if unknown."""
    masks = [row.needed.value.memory_type_bits for row in device.requirements if row.needed.value is not None]
    return reduce(or_, masks) if masks else (1 << 32) - 1


def _by_type(device: Device) -> dict[int, list[Export]]:
    rows: dict[int, list[Export]] = {}
    for export in device.exports:
        rows.setdefault(export.memory_type, []).append(export)
    return rows


@check("export.form", PRACTICE)
def form(_: Facts, device: Device) -> Iterator[RowResult]:
    for number, rows in _by_type(device).items():
        good = [row.form for row in rows if row.handle.value is not None]
        row: Row[Any] = row_of_type(device, number, f"export.{Form.PLAIN}", rows[0].handle)
        if Form.PLAIN in good:
            yield row.found(Outcome.PASS, "plain exports work")
        elif good:
            yield row.found(Outcome.INFO, f"only {' and '.join(good)} exports work")


check("export.result-codes", "memory.adoc, return codes of vkAllocateMemory and vkGetMemoryZirconHandleFUCHSIA")(
    lists_results(_exports)
)


@check("export.handle-given", "VUID-vkGetMemoryZirconHandleFUCHSIA-pZirconHandle-parameter; memory.adoc")
@each(_handles)
def handle_given(handle: Handle) -> Judgement:
    if not handle.written:
        return Outcome.FAIL, "VK_SUCCESS, and no handle was written"
    if handle.value == _INVALID:
        return Outcome.FAIL, "VK_SUCCESS with ZX_HANDLE_INVALID (0)"
    return Outcome.PASS, "a handle was written"


@check("export.handle-shape", "zircon/types.h, ZX_HANDLE_FIXED_BITS_MASK")
@each(_handles)
def handle_shape(handle: Handle) -> Judgement:
    if not handle.written or handle.value == _INVALID:
        return Outcome.SKIP, "there is no handle"
    return holds(
        looks_like_handle(int(handle.value, 16)),
        "both low bits are set",
        "the number is not a Zircon handle: its two low bits are not 11",
    )


@check("export.handle-is-vmo", "capabilities.adoc, VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA")
def handle_is_vmo(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in _handles(device):
        handle = row.answer.value
        if handle is not None and handle.valid.value:
            yield row.about(handle.basic).judged(_is_vmo)
        elif handle is not None:
            yield row.about(handle.valid).judged(lambda _: (Outcome.FAIL, "the kernel does not know the handle"))


def _is_vmo(basic: HandleBasic) -> Judgement:
    is_vmo = basic.type.value == OBJECT_TYPE_VMO
    return holds(is_vmo, "the handle is a VMO", f"the handle is {with_article(basic.type.name)}, not a VMO")


@check("export.rights", PRACTICE)
@each(parts(_handles, lambda handle: handle.basic, Outcome.WARN))
def rights(basic: HandleBasic) -> Judgement:
    missing = [right for right in _EXPECTED_RIGHTS if right not in basic.rights.names]
    return holds(not missing, "all expected rights are there", f"the handle lacks {', '.join(missing)}", Outcome.WARN)


@check("export.size", "VUID-VkMemoryAllocateInfo-allocationSize-07903")
def size(_: Facts, device: Device) -> Iterator[RowResult]:
    for export in device.exports:
        if export.handle.value is not None:
            yield (
                _row(device, export).about(export.handle.value.size).judged(partial(_suffices, export.allocation_size))
            )


def _suffices(allocation_size: int, size: int) -> Judgement:
    return holds(size >= allocation_size, f"the VMO has {size} bytes for an allocation of {allocation_size}")


@check("export.whole-pages", PRACTICE)
def whole_pages(facts: Facts, device: Device) -> Iterator[RowResult]:
    page = facts.kernel.value.page_size.value if facts.kernel.value is not None else None
    for row in parts(_handles, lambda handle: handle.size)(device):
        if page is None or row.answer.value is None:
            yield row.found(Outcome.SKIP, "the page size or the VMO's size is not known")
        elif row.answer.value % page:
            yield row.found(Outcome.WARN, f"{row.answer.value} bytes are not a multiple of {page}")
        else:
            yield row.found(Outcome.PASS, f"{row.answer.value} bytes are a multiple of {page}")


@check("export.fixed-size", PRACTICE)
@each(parts(_handles, lambda handle: handle.info, Outcome.WARN))
def fixed_size(info: VmoInfo) -> Judgement:
    is_fixed = not info.flags.value & _RESIZABLE
    return holds(is_fixed, "the VMO is not resizable", "the VMO is RESIZABLE", Outcome.WARN)


# What each kind of VMO means for the programs that share it (zx_vmo_create, zx_vmo_create_child, zx_pager_create_vmo,
# zx_vmo_read's ZX_ERR_BAD_STATE).
_KINDS = {
    "DISCARDABLE": (Outcome.WARN, "the kernel may discard its bytes when memory is short"),
    "IMMUTABLE": (Outcome.WARN, "its bytes can never be written"),
    "COW_CLONE": (Outcome.WARN, "it is a copy-on-write child, so its parent does not see writes to it"),
    "SLICE_OR_REFERENCE": (Outcome.WARN, "its bytes are also those of its parent and of the parent's other children"),
    "PAGER_BACKED": (Outcome.INFO, "a pager supplies its pages, so an access may wait for the pager or fail"),
    "PHYSICAL": (Outcome.INFO, "it is a range of physical addresses, so it must be mapped to be read"),
    "CONTIGUOUS": (Outcome.INFO, "its pages are contiguous in physical memory"),
    "NOT_CACHED": (Outcome.INFO, "zx_vmo_read and zx_vmo_write refuse it, so it must be mapped to be read"),
}


@check("export.ordinary", PRACTICE)
def ordinary(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in parts(_handles, lambda handle: handle.info, Outcome.WARN)(device):
        kinds = row.answer.value.kinds if row.answer.value is not None else ()
        for outcome, meaning, kind in ((*_KINDS[kind], kind) for kind in kinds):
            yield row.found(outcome, f"the VMO is {kind.replace('_', ' ')}: {meaning}")
        if not kinds:
            yield row.judged(lambda _: (Outcome.PASS, "the VMO is ordinary paged memory"))


@check("export.two-gets-distinct", f"{_GET}: each call transfers a handle to the caller")
@each(_two_gets)
def two_gets_distinct(pair: Pair) -> Judgement:
    if _INVALID in (pair.first.value, pair.second.value):
        return Outcome.SKIP, "one get returned no handle"
    are_two = pair.first.value != pair.second.value
    return holds(are_two, "two gets returned two handles", "both gets returned the same number")


@check("export.two-gets-share", f"{_GET}: the handle refers to the allocation's memory")
@each(comparisons(_two_gets, lambda pair: pair.seen))
def two_gets_share(seen: Comparison) -> Judgement:
    return bytes_are(seen, f"{seen.count} bytes written through one are read through the other", "differ")


def _two_gets_or_info(device: Device) -> Rows[Pair]:
    return [row.about(row.answer, Outcome.INFO) for row in _two_gets(device)]


@check("export.same-koid", PRACTICE)
@each(_two_gets_or_info)
def same_koid(pair: Pair) -> Judgement:
    koids = _koids(pair)
    if not koids:
        return Outcome.SKIP, "the kernel reported no koid"
    return holds(len(koids) == 1, "both handles have one koid", "the handles have two koids", Outcome.INFO)


@check("export.two-exports-apart", "memory.adoc, vkAllocateMemory: each allocation is its own memory")
def two_exports_apart(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in _two_exports(device):
        if row.answer.value is not None and len(_koids(row.answer.value)) == 1:
            yield row.found(Outcome.FAIL, "both allocations returned handles to one VMO")
    for seen in comparisons(_two_exports, lambda pair: pair.seen)(device):
        yield seen.judged(_kept_apart)


def _kept_apart(seen: Comparison) -> Judgement:
    right = "writing into one allocation does not change the other"
    return bytes_are(seen, right, "changed when the other allocation was written")


def _koids(pair: Pair) -> set[str]:
    """Return the koids of both handles, or nothing if the kernel does not report both."""
    first, second = pair.first.basic.value, pair.second.basic.value
    return set() if first is None or second is None else {first.koid, second.koid}


def _through_channel(device: Device) -> Rows[Pair]:
    pairs = _pairs(device, device.through_channel, "export.through-channel")
    return [skipping(row, "zx_channel_create") for row in pairs]


@check("export.survives-channel", "zx_channel_write: the handles become available to the reader of the message")
def survives_channel(_: Facts, device: Device) -> Iterator[RowResult]:
    seen = comparisons(_through_channel, lambda pair: pair.seen)(device)
    for row, bytes_seen in zip(_through_channel(device), seen, strict=True):
        changed = _changed(row.answer.value) if row.answer.value is not None else ""
        yield row.found(Outcome.FAIL, changed) if changed else bytes_seen.judged(_arrived)


def _arrived(seen: Comparison) -> Judgement:
    return bytes_are(seen, "the handle arrives as it was sent", "changed on the way through a channel")


def _changed(pair: Pair) -> str:
    """Return the difference in the kernel's reports on a handle before and after it was sent, '' if there is none."""
    sent, arrived = pair.first.basic.value, pair.second.basic.value
    if sent is None or arrived is None:
        return "" if sent is None else "what arrives is not a VMO handle"
    if arrived.koid != sent.koid:
        return "what arrives through a channel is a handle to another object"
    lost = [right for right in sent.rights.names if right not in arrived.rights.names]
    return f"the handle arrives without {', '.join(lost)}" if lost else ""


def _fresh(device: Device) -> Rows[Comparison]:
    return [
        comparing(row_of_type(device, row.memory_type, "export.fresh-bytes", row.zeros)) for row in device.fresh_bytes
    ]


@check("export.fresh-zeros", PRACTICE)
def fresh_zeros(_: Facts, device: Device) -> Iterator[RowResult]:
    # The VMO that was examined is that of the first form that could be exported.
    sizes = {row.memory_type: row.allocation_size for row in reversed(device.exports) if row.handle.value}
    for fresh, row in zip(device.fresh_bytes, _fresh(device), strict=True):
        yield row.judged(partial(_is_fresh, sizes.get(fresh.memory_type, 0)))


def _is_fresh(size: int, zeros: Comparison) -> Judgement:
    is_behind = size and zeros.first_wrong is not None and zeros.first_wrong >= size
    where = f", all past the end of the allocation ({size} bytes)" if is_behind else ""
    return bytes_are(zeros, f"all {zeros.count} bytes are zero", f"hold old data{where}", Outcome.WARN)


def _outlives(device: Device) -> Rows[Comparison]:
    return [comparing(row_of_type(device, row.memory_type, "export.outlives", row.kept)) for row in device.outlives]


@check("export.outlives", PRACTICE)
@each(_outlives)
def outlives(kept: Comparison) -> Judgement:
    return bytes_are(kept, f"{kept.count} bytes outlived memory and device", "changed after the memory was freed")
