# SPDX-License-Identifier: Apache-2.0
"""The matrix: the buffers and images that each device reports it can share by one handle type, and their summary.

The matrix is a document of its own beside the report: it has no verdicts, and a report's keys are the same for every
command.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY
from typing import Any, Literal

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.matrix import MatrixDevice, Support
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.spec import BUFFER_USAGES, HANDLE_TYPE_BITS, HANDLE_TYPES, IMAGE_USAGES, Flags, flags
from vkzircon_cli.report.report import common_fields
from vkzircon_cli.report.summary import names_of, of_end
from vkzircon_cli.stream.document import Document, Summary
from vkzircon_cli.stream.events import Failure
from vkzircon_cli.stream.fold import Transcript

SUPPORTED, NOT_SUPPORTED, UNANSWERED = "supported", "not-supported", "unanswered"
_TILINGS = 2


@record
class MatrixReport(Document):
    """The answers of one matrix; the *summary* counts combinations of usage, tiling and format."""

    _: KW_ONLY
    kind: Literal["matrix"] = "matrix"
    handle_type: Flags
    devices: tuple[MatrixDevice, ...]

    @property
    def chosen(self) -> tuple[MatrixDevice, ...]:
        """The devices that were asked."""
        return tuple(device for device in self.devices if device.selected)


def make_matrix(transcript: Transcript, devices: tuple[MatrixDevice, ...], handle_type: int) -> MatrixReport:
    """Summarize a transcript that has its header, with the answers of *devices*."""
    common = common_fields(transcript)
    asked = flags(handle_type, HANDLE_TYPE_BITS)
    chosen = [device for device in devices if device.selected]
    summary = _summary(chosen, transcript.facts.closed, common["error"], asked)
    return MatrixReport(**common, summary=summary, handle_type=asked, devices=devices)


def _summary(devices: list[MatrixDevice], closed: Answer[bool], failure: Failure | None, asked: Flags) -> Summary:
    counts = _counts(devices)
    if ended := of_end(failure, (*_asked(devices), closed), counts):
        return ended
    word = name_of(asked)
    able = [device for device in devices if any(support.is_supported for support in _supports([device]))]
    if not able:
        sentence = f"No buffer and no image of {names_of(devices)} can be shared as {word}."
        return Summary(Outcome.SKIP, sentence, Exit.NOT_OFFERED, counts)
    said = f"{counts[SUPPORTED]} of {counted(sum(counts.values()), 'combination')} of usage, tiling and format"
    return Summary(Outcome.PASS, f"{names_of(able)}: {said} can be shared as {word}.", Exit.OK, counts)


def name_of(handle_type: Flags) -> str:
    """Return the name of a handle type on the command line."""
    return next(name for name, value in HANDLE_TYPES.items() if value == handle_type.value)


def _asked(devices: Iterable[MatrixDevice]) -> Iterator[Answer[Any]]:
    for device in devices:
        yield device.identity
        yield from device.answers


def _supports(devices: Iterable[MatrixDevice]) -> Iterable[Support]:
    for device in devices:
        for answer in device.answers:
            yield from answer.value or ()


def _counts(devices: list[MatrixDevice]) -> dict[str, int]:
    counts = Counter({SUPPORTED: 0, NOT_SUPPORTED: 0, UNANSWERED: 0})
    for support in _supports(devices):
        if support.create_flag is not None:
            continue
        counts[SUPPORTED if support.is_supported else NOT_SUPPORTED] += len(support.usages)
    for device in devices:
        counts[UNANSWERED] += len(BUFFER_USAGES) if device.buffers.value is None else 0
        unanswered = sum(image.answers.value is None for image in device.image_formats)
        counts[UNANSWERED] += unanswered * _TILINGS * len(IMAGE_USAGES)
    return dict(counts)
