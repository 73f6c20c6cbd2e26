# SPDX-License-Identifier: Apache-2.0
"""Are the bytes the same on every side of a shared VMO?"""

from collections.abc import Iterator
from dataclasses import fields
from functools import partial

from vkzircon_cli.checks.imports import SAME_MEMORY
from vkzircon_cli.checks.registry import PRACTICE, Judge, Outcome, RowResult, check, fold, uncapitalized
from vkzircon_cli.checks.rows import Judgement, Row, bytes_are, comparing, each, row_of_image, row_of_type
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.request import DEFAULT_SIZE
from vkzircon_cli.model.vmo import Comparison, ImageTrip, RoundTrip, Trial, Write

_SIDES = {
    "through_export_map": "the exporter's map",
    "through_import_map": "the importer's map",
    "through_vmo_read": "zx_vmo_read",
    "through_vmo_map": "zx_vmar_map",
}
_WRITES = {
    "data.host-write": Write.HOST_MAP,
    "data.gpu-fill": Write.GPU_FILL,
    "data.host-write-import": Write.IMPORT_MAP,
    "data.gpu-copy": Write.GPU_COPY,
}


def _arrives(write: Write) -> Judge:
    """Make the check for one way to write."""

    def judge(_: Facts, device: Device) -> Iterator[RowResult]:
        for row in device.data:
            if row.write is write:
                yield _judged(row_of_type(device, row.memory_type, f"data.{write}", row.round_trip), write)

    return judge


for _id, _write in _WRITES.items():
    check(_id, SAME_MEMORY)(_arrives(_write))


def _judged(row: Row[RoundTrip], write: Write) -> RowResult:
    if row.answer.value is None:
        return row.unanswered()
    verdict = fold(list(_sides(write, row.answer.value)))
    return row.found(verdict.outcome, uncapitalized(verdict.sentence.removesuffix(".")))


def _sides(write: Write, trip: RoundTrip) -> Iterator[RowResult]:
    # Right bytes on the writing side do not prove sharing, but wrong ones are a failure nevertheless.
    own_side = "through_export_map" if write is Write.HOST_MAP else "through_import_map"
    for f in fields(RoundTrip):
        answer = getattr(trip, f.name)
        if isinstance(answer, Answer):
            found = comparing(Row(_SIDES[f.name], "", answer)).judged(_right)
            if f.name != own_side or found.outcome is not Outcome.PASS:
                yield found


def _right(seen: Comparison) -> Judgement:
    return bytes_are(seen, f"all {seen.count} bytes are right", f"are wrong, the first at {seen.first_wrong}")


@check("data.size", PRACTICE)
def size(_: Facts, device: Device) -> Iterator[RowResult]:
    limit = device.identity.value.max_memory_allocation_size.value if device.identity.value is not None else None
    for asked in device.asked_sizes:
        yield row_of_type(device, asked.memory_type, "size", asked.trial).judged(
            partial(_is_shared, asked.asked, limit)
        )
    for row in device.data if not device.asked_sizes else ():
        if row.round_trip.value is not None:
            moved = f"{row.round_trip.value.size} bytes can be shared"
            yield row_of_type(device, row.memory_type, f"data.{row.write}", row.round_trip).found(Outcome.PASS, moved)


def _is_shared(asked: int, limit: int | None, trial: Trial) -> Judgement:
    if not trial.refusal:
        return Outcome.PASS, f"{asked} bytes can be shared"
    allowed = f", though maxMemoryAllocationSize is {limit}" if limit is not None else ""
    return Outcome.WARN, (
        f"{asked} bytes cannot be shared: {trial.refusal}{allowed}; {trial.largest} bytes can be shared, "
        f"and the round trips moved {DEFAULT_SIZE} bytes"
    )


def _images(device: Device) -> Iterator[Row[ImageTrip]]:
    for row in device.images:
        dedicated = row_of_image(device, row, row.trip, "/trip")
        if row.form.is_dedicated:
            yield dedicated
        else:  # capabilities.images judges whether plain memory can be shared
            subject, step = f"{dedicated.subject} in plain memory", f"{dedicated.step}.{row.form}"
            yield Row(subject, step, row.trip, Outcome.SKIP, kind="images in plain memory")


@check("data.image", SAME_MEMORY)
@each(_images)
def image(trip: ImageTrip) -> Judgement:
    return bytes_are(trip.seen, "every pixel is right", "have another colour")
