# SPDX-License-Identifier: Apache-2.0
"""Is what the driver says it can do well said, and true?"""

from collections.abc import Iterator
from typing import Any

from vkzircon_cli.checks.registry import Finding, Outcome, check, unanswered
from vkzircon_cli.model.base import Answer, MissingKind
from vkzircon_cli.model.facts import Device, ExternalBuffer, ExternalMemoryProperties, Facts
from vkzircon_cli.model.spec import (
    DEDICATED_ONLY,
    EXPORTABLE,
    FEATURE_BITS,
    IMPORTABLE,
    USAGE_TRANSFER_DST,
    USAGE_TRANSFER_SRC,
    ZIRCON_VMO,
)
from vkzircon_cli.model.vmo import Form, ResourceKind

_OWN_USAGE = USAGE_TRANSFER_SRC | USAGE_TRANSFER_DST
_SEMAPHORE_BOTH = 3


def _usage(buffer: ExternalBuffer) -> str:
    return f"{'|'.join(buffer.usage.names)} buffers"


def _step(device: Device, buffer: ExternalBuffer) -> str:
    return f"device{device.index}/buffer/{'+'.join(buffer.usage.names).lower()}"


def _answers(device: Device) -> Iterator[tuple[ExternalBuffer, str, ExternalMemoryProperties]]:
    """Give the answers that were written; only `well_formed` speaks of the others."""
    for buffer in device.external_buffers:
        if buffer.properties.value is not None and buffer.properties.value.written:
            yield buffer, _step(device, buffer), buffer.properties.value


def _own(device: Device) -> Iterator[tuple[ExternalBuffer, str, ExternalMemoryProperties]]:
    """Give the answer for the usage of the probe's own buffers."""
    return (row for row in _answers(device) if row[0].usage.value == _OWN_USAGE)


def _unanswered(device: Device) -> Iterator[Finding]:
    for buffer in device.external_buffers:
        if buffer.properties.missing is not None:
            yield unanswered(buffer.properties.missing, _usage(buffer), _step(device, buffer))


@check(
    "capabilities.offered",
    meaning="The driver says that buffers can be exported as VMOs and imported from them.",
    rule="capabilities.adoc, VkExternalMemoryProperties",
    advice="The extension is listed but not for these buffers; it may pass on its host's handle types (goldfish).",
)
def offered(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _unanswered(device)
    for buffer, step, found in _answers(device):
        has = found.features.value & (EXPORTABLE | IMPORTABLE)
        says = {
            0: "neither exportable nor importable; what is tried below is tried against the driver's word",
            EXPORTABLE: "exportable, not importable",
            IMPORTABLE: "importable, not exportable",
            EXPORTABLE | IMPORTABLE: " and ".join(found.features.names),
        }[has]
        yield Finding(_offer(device, buffer, has), says, _usage(buffer), step)


def _offer(device: Device, buffer: ExternalBuffer, has: int) -> Outcome:
    """Tell what it is worth; no text says which usages a driver shares, only a driver that shares none is wrong."""
    if has == EXPORTABLE | IMPORTABLE:
        return Outcome.PASS
    if buffer.usage.value != _OWN_USAGE:
        return Outcome.INFO
    return Outcome.WARN if has & EXPORTABLE or _shares_images(device) else Outcome.FAIL


def _shares_images(device: Device) -> bool:
    return any(found.features.value & EXPORTABLE for found in _image_answers(device))


def _image_answers(device: Device) -> Iterator[ExternalMemoryProperties]:
    answers = (image.properties.value for image in device.external_images)
    return (found for found in answers if found is not None and found.written)


def denies_import(device: Device, form: Form) -> bool:
    """Tell whether the driver says that such resources are not imported, so that a refusal is its right."""
    answers = _image_answers(device) if form is Form.DEDICATED_IMAGE else (found for _, _, found in _own(device))
    features = [found.features.value for found in answers]
    return bool(features) and not any(each & IMPORTABLE for each in features)


@check(
    "capabilities.compatible",
    meaning="A supported handle type is compatible with itself.",
    rule="capabilities.adoc, VkExternalMemoryProperties::compatibleHandleTypes",
    advice="compatibleHandleTypes must include the handle type that was asked about; report it to the driver's vendor.",
)
def compatible(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _unanswered(device)
    for buffer, step, found in _answers(device):
        if not found.features.value & (EXPORTABLE | IMPORTABLE):
            yield Finding(Outcome.SKIP, "no feature is reported", _usage(buffer), step)
        elif found.compatible_handle_types.value & ZIRCON_VMO:
            yield Finding(Outcome.PASS, "ZIRCON_VMO is compatible with itself", _usage(buffer), step)
        else:
            names = "|".join(found.compatible_handle_types.names) or "none"
            yield Finding(Outcome.FAIL, f"compatibleHandleTypes is {names}, without ZIRCON_VMO", _usage(buffer), step)


@check(
    "capabilities.well-formed",
    meaning="The answer is written, has known features only, and leaves sType and pNext alone.",
    rule="fundamentals.adoc, valid usage of sType and pNext",
    advice="The driver overwrites what the caller owns, or returns without an answer; report it to its vendor.",
)
def well_formed(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _unanswered(device)
    for buffer in device.external_buffers:
        if buffer.properties.value is not None:
            where = _step(device, buffer)
            fault = _malformed(buffer.properties.value)
            outcome = Outcome.FAIL if fault else Outcome.PASS
            yield Finding(outcome, fault or "the answer is well formed", _usage(buffer), where)


def _malformed(found: ExternalMemoryProperties) -> str | None:
    if not found.written:
        return "nothing was written"
    if not found.header_kept:
        return "sType or pNext was changed"
    if found.features.value >> len(FEATURE_BITS):
        return f"the features are 0x{found.features.value:x}, which has bits that are none"
    return None


@check(
    "capabilities.agree-export",
    meaning="Memory exports if and only if the driver says so.",
    rule="VUID-VkExportMemoryAllocateInfo-handleTypes-09860",
    advice="Programs trust the query: a driver must mean what it reports.",
)
def agree_export(_: Facts, device: Device) -> Iterator[Finding]:
    tried = [row for row in device.exports if _was_tried(row.handle) and row.form is not Form.DEDICATED_IMAGE]
    yield from _agrees(device, EXPORTABLE, "export", bool(tried), any(row.handle.value for row in tried))


@check(
    "capabilities.agree-import",
    meaning="A VMO imports if and only if the driver says so.",
    rule="VUID-VkExportMemoryAllocateInfo-handleTypes-09860",
    advice="Programs trust the query: a driver must mean what it reports.",
)
def agree_import(_: Facts, device: Device) -> Iterator[Finding]:
    tried = [row for row in device.imports if _was_tried(row.imported) and row.form is not Form.DEDICATED_IMAGE]
    yield from _agrees(device, IMPORTABLE, "import", bool(tried), any(row.imported.value for row in tried))


def _was_tried(answer: Answer[Any]) -> bool:
    """Tell whether it came to the allocation that exports or imports; what is refused before or after says nothing."""
    missing = answer.missing
    return missing is None or (missing.kind is MissingKind.REFUSED and missing.call == "vkAllocateMemory")


def _agrees(device: Device, feature: int, verb: str, tried: bool, worked: bool) -> Iterator[Finding]:
    for buffer, step, found in _own(device):
        promised = bool(found.features.value & feature)
        if not tried:
            yield Finding(Outcome.SKIP, f"no {verb} was tried", _usage(buffer), step)
        elif promised and not worked:
            yield Finding(Outcome.FAIL, f"{verb} is promised, and none worked", _usage(buffer), step)
        elif worked and not promised:
            # Doing more than was promised breaks no rule.
            yield Finding(Outcome.WARN, f"{verb} is denied, and works", _usage(buffer), step)
        else:
            yield Finding(
                Outcome.PASS, f"{verb} is {'promised' if promised else 'denied'}, and so it is", _usage(buffer), step
            )


@check(
    "capabilities.dedicated",
    meaning="A buffer requires dedicated memory if and only if DEDICATED_ONLY is reported for it.",
    rule="capabilities.adoc, VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT; VUID-VkMemoryAllocateInfo-pNext-00639",
    advice="A program that asks either question gets another answer: it should do as the stricter one says.",
)
def dedicated(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.requirements:
        if row.resource is not ResourceKind.BUFFER or row.needed.value is None:
            continue
        requires = row.needed.value.requires_dedicated
        for buffer, step, found in _own(device):
            reported = bool(found.features.value & DEDICATED_ONLY)
            if requires is None:
                yield Finding(Outcome.SKIP, "the device has no version-2 query", _usage(buffer), step)
            elif requires == reported:
                yield Finding(Outcome.PASS, f"both say {'yes' if reported else 'no'}", _usage(buffer), step)
            else:
                says = (
                    f"DEDICATED_ONLY is {'' if reported else 'not '}reported, and {'' if requires else 'not '}required"
                )
                yield Finding(Outcome.FAIL, says, _usage(buffer), step)


@check(
    "capabilities.images",
    meaning="Images of the test's formats are exported and imported as the driver says they can be.",
    rule="VUID-VkExportMemoryAllocateInfo-handleTypes-09860",
    advice="Programs trust the query: a driver must mean what it reports.",
)
def images(_: Facts, device: Device) -> Iterator[Finding]:
    tried = {(row.tiling, row.format.value): row.trip for row in device.images}
    for row in device.external_images:
        name, step = (
            f"{row.tiling} {row.format.name}",
            f"device{device.index}/image/{row.tiling}.{row.format.name.lower()}",
        )
        trip = tried.get((row.tiling, row.format.value))
        if row.properties.missing is not None:
            yield unanswered(row.properties.missing, name, step, Outcome.SKIP)
        elif trip is None or (trip.missing is not None and trip.missing.kind is not MissingKind.REFUSED):
            yield Finding(Outcome.SKIP, "such an image was not tried", name, step)
        elif trip.missing is not None:
            yield unanswered(trip.missing, name, step)
        else:
            yield Finding(Outcome.PASS, "promised, and so it is", name, step)


@check(
    "capabilities.semaphore",
    meaning="Where VK_FUCHSIA_external_semaphore is listed, ZIRCON_EVENT semaphores can be exported and imported.",
    rule="capabilities.adoc, VkExternalSemaphoreProperties",
    advice="The sibling extension is listed without what it is for.",
)
def semaphore(_: Facts, device: Device) -> Iterator[Finding]:
    step = f"device{device.index}/semaphore"
    found = device.external_semaphore.value
    if found is None:
        yield unanswered(device.external_semaphore.missing, step=step)  # type: ignore[arg-type]
    else:
        names = " and ".join(found.features.names) or "nothing"
        both = found.features.value & _SEMAPHORE_BOTH == _SEMAPHORE_BOTH
        # A warning: memory is shared all the same, and that is what the verdict is about.
        yield Finding(Outcome.PASS if both else Outcome.WARN, f"ZIRCON_EVENT: {names}", step=step)
