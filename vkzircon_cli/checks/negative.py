# SPDX-License-Identifier: Apache-2.0
"""Does the driver refuse what it must, with the right words, and leave the caller's handle alone?"""

from collections.abc import Iterator

from vkzircon_cli.checks.registry import PRACTICE, Finding, Outcome, check, unanswered
from vkzircon_cli.model.base import MissingKind
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Negative

_IMPORT = "vkAllocateMemory"
_INVALID = "VK_ERROR_INVALID_EXTERNAL_HANDLE"
_MUST_FAIL = ("zero", "garbage", "closed", "event", "too-large")


def _step(device: Device, row: Negative) -> str:
    call = "import" if row.call == _IMPORT else "properties"
    return f"device{device.index}/negative.{call}.{row.what}"


@check(
    "negative.import-refused",
    meaning="An import of what is no VMO, or of more than it holds, is refused as an invalid handle.",
    rule="memory.adoc: INVALID_EXTERNAL_HANDLE must be returned for an invalid handle; VUID-...-allocationSize-07903",
    advice="A program that passes a wrong handle gets memory, another error, or a crash in the driver's name.",
    option="--negative",
)
def import_refused(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.negative:
        if row.call == _IMPORT and row.what in _MUST_FAIL:
            yield _refused(device, row)


def _refused(device: Device, row: Negative) -> Finding:
    where = _step(device, row)
    if row.refusal.value is None:
        return unanswered(row.refusal.missing, row.what, where, Outcome.SKIP)  # type: ignore[arg-type]
    result = row.refusal.value.result
    if result == _INVALID:
        return Finding(Outcome.PASS, "refused as an invalid handle", row.what, where)
    if result.startswith("VK_SUCCESS"):
        return Finding(Outcome.FAIL, "the import succeeded", row.what, where)
    return Finding(Outcome.WARN, f"refused with {result}, not with {_INVALID}", row.what, where)


@check(
    "negative.handle-kept",
    meaning="A call that fails leaves the caller's handle open.",
    rule=PRACTICE,
    advice="After a failure ask ZX_INFO_HANDLE_VALID before closing: the number may be somebody else's (SwiftShader).",
    option="--negative",
)
def handle_kept(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.negative:
        found = row.refusal.value
        if found is not None and found.handle_lives is not None:
            says = "the handle lives on" if found.handle_lives else f"{row.call} failed and closed the handle"
            outcome = Outcome.PASS if found.handle_lives else Outcome.WARN
            yield Finding(outcome, says, row.what, _step(device, row))


@check(
    "negative.properties-refused",
    meaning="The properties of what is no VMO are refused.",
    rule=PRACTICE,
    advice="An answer for any number proves nothing of the handle: ask the kernel what it is (SwiftShader).",
    option="--negative",
)
def properties_refused(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.negative:
        if row.call != _IMPORT and row.what in _MUST_FAIL:
            missing = row.refusal.missing
            if missing is not None:
                yield unanswered(missing, row.what, _step(device, row), Outcome.SKIP)
            elif row.refusal.value is not None:
                result = row.refusal.value.result
                outcome = Outcome.INFO if result.startswith("VK_SUCCESS") else Outcome.PASS
                yield Finding(outcome, result, row.what, _step(device, row))


@check(
    "negative.survives",
    meaning="The driver survives every wrong input.",
    rule=PRACTICE,
    advice="Never pass this driver a handle that was not asked about: it takes the process with it (goldfish).",
    option="--negative",
)
def survives(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.negative:
        missing = row.refusal.missing
        if missing is not None and missing.kind in (MissingKind.CRASHED, MissingKind.TIMED_OUT):
            yield unanswered(missing, row.what, _step(device, row))
        else:
            yield Finding(Outcome.PASS, "the driver answered", row.what, _step(device, row))
