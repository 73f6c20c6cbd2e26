# SPDX-License-Identifier: Apache-2.0
"""Does the driver refuse wrong inputs with the right result, and leave the caller's handle open?"""

from collections.abc import Collection, Iterator
from functools import partial

from vkzircon_cli.checks.registry import DEATH_OF, PRACTICE, Outcome, RowResult, check
from vkzircon_cli.checks.rows import Judgement, Row, Rows, each, holds, step
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Negative, Refusal

_check = partial(check, option="--negative")
_IMPORT = "vkAllocateMemory"
_INVALID = "VK_ERROR_INVALID_EXTERNAL_HANDLE"
_PROPERTIES = "vkGetMemoryZirconHandlePropertiesFUCHSIA"
_GET = "vkGetMemoryZirconHandleFUCHSIA"
_CALLS = {_IMPORT: "import", _PROPERTIES: "properties", _GET: "get"}
_NO_TYPE = "no-type"
_MUST_FAIL = ("zero", "garbage", "closed", "event", "too-large")


def _row(device: Device, row: Negative) -> Row[Refusal]:
    return Row(row.what, step(device, f"negative.{_CALLS[row.call]}.{row.what}"), row.refusal, Outcome.SKIP)


def _rows(device: Device, call: str, whats: Collection[str]) -> Rows[Refusal]:
    return [_row(device, row) for row in device.negative if row.call == call and row.what in whats]


@_check(
    "negative.import-refused",
    "memory.adoc: INVALID_EXTERNAL_HANDLE must be returned for an invalid handle; VUID-...-allocationSize-07903",
)
@each(partial(_rows, call=_IMPORT, whats=_MUST_FAIL))
def import_refused(found: Refusal) -> Judgement:
    if found.result == _INVALID:
        return Outcome.PASS, "refused as an invalid handle"
    if found.result.startswith("VK_SUCCESS"):
        return Outcome.FAIL, "the import succeeded"
    return Outcome.WARN, f"refused with {found.result}, not with {_INVALID}"


@_check(
    "negative.no-handle-type",
    "memory.adoc: an import struct is ignored if its handleType is 0; "
    "VUID-VkImportMemoryZirconHandleInfoFUCHSIA-handleType-04771",
)
@each(partial(_rows, call=_IMPORT, whats=(_NO_TYPE,)))
def no_handle_type(found: Refusal) -> Judgement:
    if found.result != "VK_SUCCESS":
        # 04771 forbids the call that memory.adoc describes, so neither answer is wrong.
        return Outcome.INFO, f"the import was refused with {found.result}, not ignored"
    return holds(found.handle_lives is True, "the import struct was ignored", "the handle was taken", Outcome.WARN)


@_check("negative.get-refused", PRACTICE)
@each(partial(_rows, call=_GET, whats=("wrong-type", "no-export", "imported")))
def get_refused(found: Refusal) -> Judgement:
    return holds(found.result != "VK_SUCCESS", found.result, worth=Outcome.INFO)


@_check("negative.handle-kept", PRACTICE)
def handle_kept(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in device.negative:
        found = row.refusal.value
        ignored = row.what == _NO_TYPE and found is not None and found.result == "VK_SUCCESS"
        if found is not None and found.handle_lives is not None and not ignored:
            says = "the handle is still open" if found.handle_lives else f"{row.call} failed and closed the handle"
            yield _row(device, row).found(Outcome.PASS if found.handle_lives else Outcome.WARN, says)


@_check("negative.properties-refused", PRACTICE)
@each(partial(_rows, call=_PROPERTIES, whats=_MUST_FAIL))
def properties_refused(found: Refusal) -> Judgement:
    return holds(not found.result.startswith("VK_SUCCESS"), found.result, worth=Outcome.INFO)


@_check("negative.survives", "memory.adoc: implementations must validate external handles sufficiently, for imports")
def survives(_: Facts, device: Device) -> Iterator[RowResult]:
    for row in device.negative:
        missing = row.refusal.missing
        died = missing is not None and missing.kind in DEATH_OF
        yield _row(device, row).unanswered() if died else _row(device, row).found(Outcome.PASS, "the driver answered")
