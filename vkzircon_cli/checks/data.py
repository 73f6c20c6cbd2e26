# SPDX-License-Identifier: Apache-2.0
"""Are the bytes the same on every side of a shared VMO?"""

from collections.abc import Iterator
from dataclasses import fields

from vkzircon_cli.checks.export import step, subject
from vkzircon_cli.checks.registry import Finding, Outcome, check, fold, unanswered
from vkzircon_cli.checks.sharing import compared
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.vmo import Comparison, Data, RoundTrip, Write

_PLACES = {
    "through_export_map": "the exporter's map",
    "through_import_map": "the importer's map",
    "through_vmo_read": "zx_vmo_read",
    "through_vmo_map": "zx_vmar_map",
}


@check(
    "data.host-write",
    meaning="What the host writes into exported memory is seen through the import and through the VMO.",
    rule="memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA: both allocations are the same memory",
    advice="The import is a copy, or a cache is not kept coherent: nothing is shared.",
)
def host_write(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _written(device, Write.HOST_MAP)


@check(
    "data.gpu-fill",
    meaning="What the device fills in imported memory is seen in the exported memory and through the VMO.",
    rule="memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA: both allocations are the same memory",
    advice="The import is a copy, or a cache is not kept coherent: nothing is shared.",
)
def gpu_fill(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _written(device, Write.GPU_FILL)


@check(
    "data.host-write-import",
    meaning="What the host writes into imported memory is seen in the exported memory and through the VMO.",
    rule="memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA: both allocations are the same memory",
    advice="The import is a copy, or a cache is not kept coherent: nothing is shared.",
)
def host_write_import(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _written(device, Write.IMPORT_MAP)


@check(
    "data.gpu-copy",
    meaning="What the device copies into imported memory is seen in the exported memory and through the VMO.",
    rule="memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA: both allocations are the same memory",
    advice="The import is a copy, or a cache is not kept coherent: nothing is shared.",
)
def gpu_copy(_: Facts, device: Device) -> Iterator[Finding]:
    yield from _written(device, Write.GPU_COPY)


@check(
    "data.image",
    meaning="An image that is cleared in exported memory has that colour in every pixel of the import.",
    rule="memory.adoc, VkImportMemoryZirconHandleInfoFUCHSIA: both allocations are the same memory",
    advice="Formats, tilings and create-info must be the same on both sides; look which formats are wrong.",
)
def image(_: Facts, device: Device) -> Iterator[Finding]:
    for row in device.images:
        name, where = (
            f"{row.tiling} {row.format.name}",
            f"device{device.index}/image/{row.tiling}.{row.format.name.lower()}/trip",
        )
        if row.trip.value is None:
            yield unanswered(row.trip.missing, name, where)  # type: ignore[arg-type]
        else:
            seen = row.trip.value.seen
            says = f"{seen.wrong} of {seen.count} bytes have another colour" if seen.wrong else "every pixel is right"
            yield Finding(Outcome.FAIL if seen.wrong else Outcome.PASS, says, name, where)


def _written(device: Device, write: Write) -> Iterator[Finding]:
    for row in device.data:
        if row.write is write:
            yield _row(device, row)


def _row(device: Device, row: Data) -> Finding:
    name, where = subject(row.memory_type), step(device, row.memory_type, f"data.{row.write}")
    if row.round_trip.value is None:
        return unanswered(row.round_trip.missing, name, where)  # type: ignore[arg-type]
    verdict = fold(list(_places(row.write, row.round_trip.value)))
    said = verdict.sentence.removesuffix(".")  # which goes on after the memory type's name
    return Finding(verdict.outcome, said[:1].lower() + said[1:], name, where)


# The side that wrote: right bytes there are nothing shared, wrong ones are a failure all the same.
_OWN_SIDE = {
    Write.HOST_MAP: "through_export_map",
    Write.IMPORT_MAP: "through_import_map",
    Write.GPU_FILL: "through_import_map",
    Write.GPU_COPY: "through_import_map",
}


def _places(write: Write, trip: RoundTrip) -> Iterator[Finding]:
    def judge(seen: Comparison) -> tuple[Outcome, str]:
        if seen.wrong:
            return Outcome.FAIL, f"{seen.wrong} of {seen.count} bytes are wrong, the first at {seen.first_wrong}"
        return Outcome.PASS, f"all {seen.count} bytes are right"

    for f in fields(RoundTrip):
        answer = getattr(trip, f.name)
        if isinstance(answer, Answer):
            found = compared(answer, _PLACES[f.name], "", judge)
            if f.name != _OWN_SIDE[write] or found.outcome is not Outcome.PASS:
                yield found
