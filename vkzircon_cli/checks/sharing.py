# SPDX-License-Identifier: Apache-2.0
"""Do exports share what they should, and nothing else: two gets, two exports, a handle sent on, one left behind?"""

from collections.abc import Callable, Iterator

from vkzircon_cli.checks.export import INVALID, pairs, step, subject
from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Comparison, Pair, PairOfHandles

_DOES_NOT_APPLY = ("ZX_ERR_BAD_STATE", "ZX_ERR_NOT_SUPPORTED", "ZX_ERR_OUT_OF_RANGE")


@check(
    "export.two-gets-distinct",
    meaning="Getting a handle twice gives two handles.",
    rule="memory.adoc, vkGetMemoryZirconHandleFUCHSIA: each call transfers a handle to the caller",
    advice="Both users will close the same number, and one of them closes somebody else's handle.",
)
def two_gets_distinct(_: Facts, device: Device) -> Iterator[Finding]:
    for name, where, answer in pairs(device, device.two_gets, "export.two-gets"):
        if answer.value is None:
            yield unanswered(answer.missing, name, where)  # type: ignore[arg-type]
        elif INVALID in (answer.value.first.value, answer.value.second.value):
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
    for name, where, answer in pairs(device, device.two_gets, "export.two-gets"):
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

    for name, where, answer in pairs(device, device.two_exports, "export.two-exports"):
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
    for row, where, answer in pairs(device, table, name):
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

    for name, where, answer in pairs(device, device.through_channel, "export.through-channel"):
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
