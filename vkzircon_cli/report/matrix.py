# SPDX-License-Identifier: Apache-2.0
"""The matrix: which buffers and images each device says it shares by one handle type, and what that comes to.

It is a document of its own beside the report, since nothing here is judged and a report's keys are the same for every
command. The JSON form is `asdict` of `MatrixReport`.
"""

from collections import Counter
from collections.abc import Iterable

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import describe, sentence_case
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, Missing, MissingKind, record
from vkzircon_cli.model.host import Environment
from vkzircon_cli.model.matrix import MatrixDevice, Support
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.queries import UNNAMED, display_name
from vkzircon_cli.model.spec import BUFFER_USAGES, HANDLE_TYPE_BITS, HANDLE_TYPES, IMAGE_USAGES, Flags, flags
from vkzircon_cli.report.report import Emulation, Header, Run, Tool, emulation_of
from vkzircon_cli.report.stop_reason import what_stopped
from vkzircon_cli.report.summary import Summary, outcome_of
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Culprit, Failure, Transcript

SUPPORTED, NOT_SUPPORTED, UNANSWERED = "supported", "not-supported", "unanswered"
_DEATHS = {MissingKind.CRASHED: Outcome.CRASH, MissingKind.TIMED_OUT: Outcome.TIMEOUT}
_TILINGS = 2


@record
class MatrixReport:
    """Everything that one matrix found; the *summary* counts combinations of usage, tiling and format."""

    schema_version: str
    tool: Tool
    summary: Summary
    error: Failure | None
    emulation: Emulation
    environment: Environment
    handle_type: Flags
    devices: tuple[MatrixDevice, ...]
    run: Run
    culprits: tuple[Culprit, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """Give the exit code that the matrix comes to."""
        return Exit(self.summary.exit_code)

    @property
    def chosen(self) -> tuple[MatrixDevice, ...]:
        """Give the devices that were asked."""
        return tuple(device for device in self.devices if device.selected)


def make_matrix(transcript: Transcript, devices: tuple[MatrixDevice, ...], handle_type: int) -> MatrixReport:
    """Sum up a transcript that has its header, and what it says of the *devices*."""
    header: Header = decode(Header, transcript.header)
    failure = what_stopped(transcript, header.environment, header.emulation.asked)
    asked = flags(handle_type, HANDLE_TYPE_BITS)
    return MatrixReport(
        schema_version=header.schema_version,
        tool=header.tool,
        summary=_summary([device for device in devices if device.selected], transcript.facts.closed, failure, asked),
        error=failure,
        emulation=emulation_of(transcript.facts, header.emulation),
        environment=header.environment,
        handle_type=asked,
        devices=devices,
        run=Run(header.started, transcript.ended_ms, transcript.steps, transcript.messages, transcript.output),
        culprits=transcript.culprits,
    )


def _summary(devices: list[MatrixDevice], closed: Answer[bool], failure: Failure | None, asked: Flags) -> Summary:
    counts = _counts(devices)
    if failure is not None:
        worst = outcome_of(failure)
        return Summary(worst, failure.message, failure.exit_code, counts)
    for missing in (*_missing(devices), closed.missing):
        if missing is not None and missing.kind in _DEATHS:
            sentence = f"{sentence_case(describe(missing))}."
            return Summary(_DEATHS[missing.kind], sentence, Exit.CRASHED, counts)
    word = name_of(asked)
    able = [device for device in devices if any(support.is_supported for support in _supports([device]))]
    if not able:
        sentence = f"No buffer and no image of {_names(devices)} can be shared as {word}."
        return Summary(Outcome.SKIP, sentence, Exit.NOT_OFFERED, counts)
    said = f"{counts[SUPPORTED]} of {counted(sum(counts.values()), 'combination')} of usage, tiling and format"
    return Summary(Outcome.PASS, f"{_names(able)}: {said} can be shared as {word}.", Exit.OK, counts)


def name_of(handle_type: Flags) -> str:
    """Give a handle type as the command line has it."""
    return next(name for name, value in HANDLE_TYPES.items() if value == handle_type.value)


def _missing(devices: Iterable[MatrixDevice]) -> Iterable[Missing | None]:
    for device in devices:
        yield device.identity.missing
        yield from (answer.missing for answer in device.answers)


def _names(devices: list[MatrixDevice]) -> str:
    if len(devices) != 1:
        return counted(len(devices), "device")
    identity = devices[0].identity.value
    return display_name(identity) if identity else UNNAMED


def _supports(devices: Iterable[MatrixDevice]) -> Iterable[Support]:
    for device in devices:
        for answer in device.answers:
            yield from answer.value or ()


def _counts(devices: list[MatrixDevice]) -> dict[str, int]:
    counts = Counter({SUPPORTED: 0, NOT_SUPPORTED: 0, UNANSWERED: 0})
    for support in _supports(devices):
        counts[SUPPORTED if support.is_supported else NOT_SUPPORTED] += len(support.usages)
    for device in devices:
        counts[UNANSWERED] += len(BUFFER_USAGES) if device.buffers.value is None else 0
        unanswered = sum(image.answers.value is None for image in device.image_formats)
        counts[UNANSWERED] += unanswered * _TILINGS * len(IMAGE_USAGES)
    return dict(counts)
