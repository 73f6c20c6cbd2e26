# SPDX-License-Identifier: Apache-2.0
"""Do exports share what they should, and nothing else: two gets, two exports, a handle sent on, memory freed?"""

from collections.abc import Iterator

from vkzircon_cli.checks.export import INVALID, pairs, two_exports, two_gets
from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check
from vkzircon_cli.checks.rows import Judgement, Rows, bytes_are, comparing, comparisons, each, holds, row_of_type
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Comparison, Pair

_GET = "memory.adoc, vkGetMemoryZirconHandleFUCHSIA"


@check("export.two-gets-distinct", f"{_GET}: each call transfers a handle to the caller")
@each(two_gets)
def two_gets_distinct(pair: Pair) -> Judgement:
    if INVALID in (pair.first.value, pair.second.value):
        return Outcome.SKIP, "one get returned no handle"
    are_two = pair.first.value != pair.second.value
    return holds(are_two, "two gets returned two handles", "both gets returned the same number")


@check("export.two-gets-share", f"{_GET}: the handle refers to the allocation's memory")
@each(comparisons(two_gets, lambda pair: pair.seen))
def two_gets_share(seen: Comparison) -> Judgement:
    return bytes_are(seen, f"{seen.count} bytes written through one are read through the other", "differ")


def _two_gets_or_info(device: Device) -> Rows[Pair]:
    return [row.about(row.answer, Outcome.INFO) for row in two_gets(device)]


@check("export.same-koid", PRACTICE)
@each(_two_gets_or_info)
def same_koid(pair: Pair) -> Judgement:
    koids = _koids(pair)
    if not koids:
        return Outcome.SKIP, "the kernel reported no koid"
    return holds(len(koids) == 1, "both handles have one koid", "the handles have two koids", Outcome.INFO)


@check("export.two-exports-apart", "memory.adoc, vkAllocateMemory: each allocation is its own memory")
def two_exports_apart(_: Facts, device: Device) -> Iterator[Finding]:
    for row in two_exports(device):
        if row.answer.value is not None and len(_koids(row.answer.value)) == 1:
            yield row.found(Outcome.FAIL, "both allocations returned handles to one VMO")
    for seen in comparisons(two_exports, lambda pair: pair.seen)(device):
        yield seen.judged(_kept_apart)


def _kept_apart(seen: Comparison) -> Judgement:
    right = "writing into one allocation does not change the other"
    return bytes_are(seen, right, "changed when the other allocation was written")


def _koids(pair: Pair) -> set[str]:
    """Return the koids of both handles, empty if the kernel does not report both."""
    first, second = pair.first.basic.value, pair.second.basic.value
    return set() if first is None or second is None else {first.koid, second.koid}


def _through_channel(device: Device) -> Rows[Pair]:
    return pairs(device, device.through_channel, "export.through-channel")


@check("export.survives-channel", "zx_channel_write: the handles become available to the reader of the message")
def survives_channel(_: Facts, device: Device) -> Iterator[Finding]:
    seen = comparisons(_through_channel, lambda pair: pair.seen)(device)
    for row, bytes_seen in zip(_through_channel(device), seen, strict=True):
        changed = _changed(row.answer.value) if row.answer.value is not None else ""
        yield row.found(Outcome.FAIL, changed) if changed else bytes_seen.judged(_arrived)


def _arrived(seen: Comparison) -> Judgement:
    return bytes_are(seen, "the handle arrives as it was sent", "changed on the way through a channel")


def _changed(pair: Pair) -> str:
    """Return what the kernel reports differently of a handle before it was sent and after, '' if nothing."""
    sent, arrived = pair.first.basic.value, pair.second.basic.value
    if sent is None or arrived is None:
        return "" if sent is None else "what arrives is not a VMO handle"
    if arrived.koid != sent.koid:
        return "what arrives is a handle to another object"
    lost = [right for right in sent.rights.names if right not in arrived.rights.names]
    return f"the handle arrives without {', '.join(lost)}" if lost else ""


def _fresh(device: Device) -> Rows[Comparison]:
    rows = (row_of_type(device, row.memory_type, "export.fresh-bytes", row.zeros) for row in device.fresh_bytes)
    return [comparing(row) for row in rows]


@check("export.fresh-zeros", PRACTICE)
@each(_fresh)
def fresh_zeros(zeros: Comparison) -> Judgement:
    return bytes_are(zeros, f"all {zeros.count} bytes are zero", "hold old data", Outcome.INFO)


def _outlives(device: Device) -> Rows[Comparison]:
    rows = (row_of_type(device, row.memory_type, "export.outlives", row.kept) for row in device.outlives)
    return [comparing(row) for row in rows]


@check("export.outlives", f"{_GET}: the handle owns a reference to the memory")
@each(_outlives)
def outlives(kept: Comparison) -> Judgement:
    return bytes_are(kept, f"{kept.count} bytes outlived memory and device", "changed after the memory was freed")
