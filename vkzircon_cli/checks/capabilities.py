# SPDX-License-Identifier: Apache-2.0
"""Are the driver's answers about its capabilities well formed and correct?"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial, reduce
from operator import or_
from typing import Any

from vkzircon_cli.checks.registry import Judge, Outcome, RowResult, check
from vkzircon_cli.checks.rows import Judgement, Row, Rows, each, holds, row_of_image, row_of_type, step
from vkzircon_cli.checks.word import OWN_USAGE
from vkzircon_cli.model.base import Answer, MissingKind
from vkzircon_cli.model.facts import (
    Device,
    ExternalBuffer,
    ExternalImage,
    ExternalMemoryProperties,
    ExternalSemaphore,
    Facts,
)
from vkzircon_cli.model.spec import (
    DEDICATED_ONLY,
    EXPORTABLE,
    FEATURE_BITS,
    IMPORTABLE,
    ZIRCON_VMO,
    Flags,
    flags,
)
from vkzircon_cli.model.vmo import Form, ResourceKind

_SEMAPHORE_BOTH = 3
_NOT_SUPPORTED = "VK_ERROR_FORMAT_NOT_SUPPORTED"


def _row(device: Device, buffer: ExternalBuffer) -> Row[ExternalMemoryProperties]:
    names = buffer.usage.names
    asked = step(device, f"buffer/{'+'.join(names).lower()}")
    return Row(f"{'|'.join(names)} buffers", asked, buffer.properties, kind="buffer usages")


def _image_row(device: Device, image: ExternalImage) -> Row[ExternalMemoryProperties]:
    """Return the row of one image query; a refusal is a skip, because the driver need not support the image."""
    row = row_of_image(device, image, image.properties).about(image.properties, Outcome.SKIP)
    if image.handle_type.value == ZIRCON_VMO:
        return row
    name = image.handle_type.names[0]
    return replace(row, subject=f"{row.subject} by {name}", step=f"{row.step}/{name.lower()}", kind=f"images by {name}")


def _answers(device: Device) -> Rows[ExternalMemoryProperties]:
    buffers = [_row(device, buffer) for buffer in device.external_buffers]
    return [*buffers, *(_image_row(device, image) for image in device.external_images)]


def _is_unwritten(answer: Answer[ExternalMemoryProperties]) -> bool:
    """Whether the driver returned without an answer, which only capabilities.well-formed judges."""
    return answer.value is not None and not answer.value.written


def _own(device: Device) -> Iterator[tuple[Row[Any], ExternalMemoryProperties]]:
    """Yield the answer for the usage of the probe's own buffers."""
    for buffer in device.external_buffers:
        found = buffer.properties.value
        if buffer.usage.value == OWN_USAGE and found is not None and found.written:
            yield _row(device, buffer), found


@check("capabilities.offered", "capabilities.adoc, VkExternalMemoryProperties")
def offered(_: Facts, device: Device) -> Iterator[RowResult]:
    for buffer in device.external_buffers:
        if not _is_unwritten(buffer.properties):
            yield _row(device, buffer).judged(partial(_offer, device, buffer))


def _offer(device: Device, buffer: ExternalBuffer, found: ExternalMemoryProperties) -> Judgement:
    """Judge one offer: no rule requires that a usage can be shared, but a driver that shares nothing is wrong."""
    has = found.features.value & (EXPORTABLE | IMPORTABLE)
    says = {
        0: "neither exportable nor importable; the later steps were tried nevertheless",
        EXPORTABLE: "exportable, not importable",
        IMPORTABLE: "importable, not exportable",
        EXPORTABLE | IMPORTABLE: " and ".join(found.features.names),
    }[has]
    if has == EXPORTABLE | IMPORTABLE:
        return Outcome.PASS, says
    if buffer.usage.value != OWN_USAGE:
        return Outcome.INFO, says
    shared = reduce(or_, (found.features.value for found in _image_answers(device)), has) & (EXPORTABLE | IMPORTABLE)
    if not shared:
        # No rule forbids this, but it fails: if no buffer and no image can be shared, the extension is listed by
        # mistake (goldfish did so when it passed on its host's handle types), and programs read that as support.
        return Outcome.FAIL, f"{says}; no image can be shared either"
    more = f"; but images are {' '.join(flags(shared, FEATURE_BITS).names)}" if shared & ~has else ""
    return Outcome.WARN, f"{says}{more}"


def _image_answers(device: Device) -> Iterator[ExternalMemoryProperties]:
    answers = (image.properties.value for image in _zircon_images(device))
    return (found for found in answers if found is not None and found.written)


def _zircon_images(device: Device) -> Iterator[ExternalImage]:
    """Yield the image queries for Zircon VMOs, not those for the handle type that must be refused."""
    return (image for image in device.external_images if image.handle_type.value == ZIRCON_VMO)


@check(
    "capabilities.compatible",
    "capabilities.adoc, VkExternalMemoryProperties::compatibleHandleTypes; "
    "VkPhysicalDeviceExternalImageFormatInfo::handleType: VK_ERROR_FORMAT_NOT_SUPPORTED if it is not compatible",
)
def compatible(_: Facts, device: Device) -> Iterator[RowResult]:
    for buffer in device.external_buffers:
        if not _is_unwritten(buffer.properties):
            yield _row(device, buffer).judged(partial(_compatible, buffer.handle_type))
    for image in device.external_images:
        missing = image.properties.missing
        if missing is not None and missing.result == _NOT_SUPPORTED and image.handle_type.value != ZIRCON_VMO:
            yield _image_row(device, image).found(
                Outcome.PASS, "the handle type is not supported, and the query refuses it"
            )
        elif not _is_unwritten(image.properties):
            yield _image_row(device, image).judged(partial(_compatible_image, image.handle_type))


def _compatible(asked: Flags, found: ExternalMemoryProperties) -> Judgement:
    if not found.features.value & (EXPORTABLE | IMPORTABLE):
        return Outcome.SKIP, "no feature is reported"
    name = asked.names[0].removesuffix("_FUCHSIA")
    if found.compatible_handle_types.value & asked.value:
        return Outcome.PASS, f"{name} is compatible with itself"
    names = "|".join(found.compatible_handle_types.names) or "none"
    return Outcome.FAIL, f"compatibleHandleTypes is {names}, without {name}"


def _compatible_image(asked: Flags, found: ExternalMemoryProperties) -> Judgement:
    """Judge an image query that succeeded: it may succeed only for a compatible handle type."""
    if found.features.value & (EXPORTABLE | IMPORTABLE):
        return _compatible(asked, found)
    # Another handle type is only a warning, because the verdict is about VMOs. So is a type that the driver reports as
    # compatible: no rule is broken, but programs read VK_SUCCESS as support.
    is_about_vmos = asked.value == ZIRCON_VMO
    fails = is_about_vmos and not found.compatible_handle_types.value & asked.value
    return (
        Outcome.FAIL if fails else Outcome.WARN,
        f"the query returned VK_SUCCESS without a feature, not {_NOT_SUPPORTED}",
    )


@check("capabilities.well-formed", "fundamentals.adoc, valid usage of sType and pNext")
@each(_answers)
def well_formed(found: ExternalMemoryProperties) -> Judgement:
    if not found.written:
        return Outcome.FAIL, "nothing was written"
    if not found.header_kept:
        return Outcome.FAIL, "sType or pNext was changed"
    if found.features.value >> len(FEATURE_BITS):
        return Outcome.FAIL, f"the features are 0x{found.features.value:x}, which has unknown bits"
    return Outcome.PASS, "the answer is well formed"


def _exports(device: Device) -> list[Answer[Any]]:
    return [row.handle for row in device.exports if not row.form.is_image and _was_tried(row.handle)]


def _imports(device: Device) -> list[Answer[Any]]:
    return [row.imported for row in device.imports if not row.form.is_image and _was_tried(row.imported)]


def _was_tried(answer: Answer[Any]) -> bool:
    """Whether the allocation that exports or imports was reached; a refusal before or after it proves nothing."""
    missing = answer.missing
    return missing is None or (missing.kind is MissingKind.REFUSED and missing.call == "vkAllocateMemory")


def _plain_refused(device: Device) -> list[Row[Any]]:
    """Return the plain exports that were refused, if they were in every memory type that exports as much dedicated.

    A driver that refuses only some of these types may be short of that memory.
    """
    dedicated = {
        (row.memory_type, row.allocation_size)
        for row in device.exports
        if row.form is Form.DEDICATED_BUFFER and row.handle.value is not None
    }
    rows = [
        row_of_type(device, row.memory_type, f"export.{row.form}", row.handle)
        for row in device.exports
        if row.form is Form.PLAIN and (row.memory_type, row.allocation_size) in dedicated
    ]
    refused = [row for row in rows if row.answer.missing and row.answer.missing.kind is MissingKind.REFUSED]
    return refused if len(refused) == len(rows) else []


def _agrees(
    feature: int,
    verb: str,
    tried: Callable[[Device], list[Answer[Any]]],
    plain_refused: Callable[[Device], list[Row[Any]]] = lambda _: [],
) -> Judge:
    """Make the check: *feature* is reported if and only if one of the *tried* allocations works.

    Plain memory must work too, unless DEDICATED_ONLY is reported.
    """

    def judge(_: Facts, device: Device) -> Iterator[RowResult]:
        answers = tried(device)
        works, refused = any(answer.value for answer in answers), plain_refused(device)
        for row, found in _own(device):
            reported = bool(found.features.value & feature)
            promised = reported and not found.features.value & DEDICATED_ONLY
            reports = f"the driver reports {'' if reported else 'no '}{verb}"
            if not answers:
                yield row.found(Outcome.SKIP, f"no {verb} was tried")
            elif works and promised and refused:
                for plain in refused:
                    says = f"{reports} without DEDICATED_ONLY, and only dedicated memory is exported"
                    yield plain.found(Outcome.FAIL, f"{says}: {plain.unanswered().sentence} for plain memory")
            elif reported == works:
                yield row.found(Outcome.PASS, f"{reports}, and {f'{verb} works' if works else 'none works'}")
            elif reported:
                yield row.found(Outcome.FAIL, f"{reports}, but none works")
            else:
                # A driver that does more than it reports breaks no rule.
                yield row.found(Outcome.WARN, f"{reports}, but {verb} works")

    return judge


_EXPORT = "VUID-VkExportMemoryAllocateInfo-handleTypes-09860"
_IMPORT = "capabilities.adoc, VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT"
_DEDICATED = "capabilities.adoc, VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT"
check("capabilities.agree-export", f"{_EXPORT}; {_DEDICATED}")(_agrees(EXPORTABLE, "export", _exports, _plain_refused))
check("capabilities.agree-import", _IMPORT)(_agrees(IMPORTABLE, "import", _imports))


@check(
    "capabilities.dedicated",
    f"resources.adoc, VkMemoryDedicatedRequirements; {_DEDICATED}",
)
def dedicated(_: Facts, device: Device) -> Iterator[RowResult]:
    for required in device.requirements:
        needed, kind = required.needed.value, required.resource
        for row, found in (_own if kind is ResourceKind.BUFFER else _own_image)(device):
            if needed is not None:
                reported = bool(found.features.value & DEDICATED_ONLY)
                yield row.found(*_is_as_reported(kind, reported, needed.requires_dedicated))


def _own_image(device: Device) -> Iterator[tuple[Row[Any], ExternalMemoryProperties]]:
    """Yield the answer for the image that the probe asks the requirements of: the first that can be exported."""
    for image in _zircon_images(device):
        found = image.properties.value
        if found is not None and found.features.value & EXPORTABLE:
            yield row_of_image(device, image, image.properties), found
            return


def _is_as_reported(kind: ResourceKind, reported: bool, requires: bool | None) -> Judgement:
    """Judge whether dedicated memory is required: it never is unless *reported*, and it may not be even then."""
    if requires is None:
        return Outcome.SKIP, "the device has no version-2 query"
    if requires == reported:
        return Outcome.PASS, f"both answers are {'yes' if reported else 'no'}"
    if requires:
        return Outcome.FAIL, "DEDICATED_ONLY is not reported, and required"
    tests = f"dEQP-VK.api.external.memory.zircon_vmo.*.{kind}.info"
    return Outcome.WARN, f"DEDICATED_ONLY is reported, and not required: no rule is broken, but {tests} fails"


@check("capabilities.images", f"{_EXPORT}; {_IMPORT}; {_DEDICATED}")
def images(_: Facts, device: Device) -> Iterator[RowResult]:
    tried = {(row.tiling, row.format.value, row.form): row.trip for row in device.images}
    for image in _zircon_images(device):
        row = row_of_image(device, image, image.properties)
        key = image.tiling, image.format.value
        trip, plain = (tried.get((*key, form)) for form in (Form.DEDICATED_IMAGE, Form.PLAIN_IMAGE))
        if image.properties.value is None:
            yield row.about(image.properties, Outcome.SKIP).unanswered()
        elif trip is None or (trip.missing is not None and trip.missing.kind is not MissingKind.REFUSED):
            yield row.found(Outcome.SKIP, "such an image was not tried")
        else:
            yield row.about(trip).judged(lambda _: (Outcome.PASS, "the driver reports such images, and sharing works"))
            # Without DEDICATED_ONLY, plain memory of at least one memory type must work too.
            if trip.value and plain and plain.missing and plain.missing.kind is MissingKind.REFUSED:
                why = row.about(plain).unanswered().sentence
                says = "the driver does not report DEDICATED_ONLY, but only dedicated memory can be shared"
                yield row.found(Outcome.FAIL, f"{says}: {why} for plain memory")


def _semaphore(device: Device) -> Rows[ExternalSemaphore]:
    return [Row("", step(device, "semaphore"), device.external_semaphore)]


@check("capabilities.semaphore", "capabilities.adoc, VkExternalSemaphoreProperties")
@each(_semaphore)
def semaphore(found: ExternalSemaphore) -> Judgement:
    if not found.written or not found.header_kept:
        return Outcome.WARN, "sType or pNext was changed" if found.written else "nothing was written"
    names = " and ".join(found.features.names) or "nothing"
    both = found.features.value & _SEMAPHORE_BOTH == _SEMAPHORE_BOTH
    # A warning: memory is shared nevertheless, and the verdict is about memory.
    return holds(both, f"ZIRCON_EVENT semaphores: {names}", worth=Outcome.WARN)
