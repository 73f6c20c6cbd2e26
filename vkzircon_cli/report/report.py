# SPDX-License-Identifier: Apache-2.0
"""The report: environment, facts and verdicts, what they come to, and the exit code.

The JSON form is `to_document` of `Report`. Times, messages and captured output live under ``run`` only, so that two
runs on one machine differ there, and in koids and handle values, and nowhere else.
"""

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from typing import Any, ClassVar, Protocol

from vkzircon_cli import __version__
from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.checks import Outcome, in_order
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, Milliseconds, MissingKind, record
from vkzircon_cli.model.facts import Device, Facts, Instance, Kernel, Loader
from vkzircon_cli.model.host import Environment
from vkzircon_cli.model.request import NOTHING_ASKED, Depth, Judging
from vkzircon_cli.report.stop_reason import what_stopped
from vkzircon_cli.report.summary import REQUIRED, CheckResult, Summary, conclude
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Culprit, Failure, Message, Output, StepTime, Transcript

SCHEMA_VERSION = "1.3"


@record
class Tool:
    """Who made the report."""

    name: str
    version: str


@record
class Emulation:
    """Whether the extension is vkzircon's own emulation, by which layer, and how that was told to behave.

    *active* is what was loaded; where that died before it could be seen, what was asked for.
    """

    active: bool
    layer: str | None
    settings: str

    @property
    def options(self) -> str:
        """Write the options of a command that emulates in the same way, '' without; other settings have no option."""
        if not self.active:
            return ""
        given = (setting.partition("=") for setting in self.settings.split(","))
        told = [f" --{key} {quote(name)}" for key, _, name in given if key in ("persona", "fault") and name != "strict"]
        return " --emulate" + "".join(told)


@record
class EmulationAsked:
    """Whether the emulation was asked for, and how it would behave if it is on."""

    asked: bool
    settings: str


@record
class Header:
    """What a stream begins with: who asks, how much, where, of which emulation, and when (UTC, ISO 8601)."""

    schema_version: str
    tool: Tool
    depth: Depth
    environment: Environment
    emulation: EmulationAsked
    started: str
    judging: Judging = NOTHING_ASKED


def make_header(
    depth: Depth,
    environment: Environment,
    emulation: EmulationAsked,
    started: str,
    judging: Judging = NOTHING_ASKED,
) -> Header:
    """Make the header of a stream that begins now."""
    return Header(SCHEMA_VERSION, Tool("vkzircon", __version__), depth, environment, emulation, started, judging)


@record
class Run:
    """What differs from run to run. Times are in milliseconds, *started* is UTC in ISO 8601."""

    started: str
    duration_ms: Milliseconds
    steps: tuple[StepTime, ...]
    messages: tuple[Message, ...]
    output: Output


class Document(Protocol):
    """What the result of any command that probes begins and ends with."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def summary(self) -> Summary:
        """What it all came to."""

    @property
    def error(self) -> Failure | None:
        """What kept everybody from being asked."""

    @property
    def emulation(self) -> Emulation:
        """Whether this is our own emulation."""

    @property
    def run(self) -> Run:
        """What differs from run to run."""

    @property
    def exit_code(self) -> Exit:
        """The exit code that it comes to."""


@record
class Report:
    """Everything that one command found."""

    schema_version: str
    tool: Tool
    summary: Summary
    error: Failure | None
    emulation: Emulation
    environment: Environment
    loader: Answer[Loader]
    kernel: Answer[Kernel]
    instance: Answer[Instance]
    device_count: Answer[int]
    devices: tuple[Device, ...]
    closed: Answer[bool]
    checks: tuple[CheckResult, ...]
    run: Run
    culprits: tuple[Culprit, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """Give the exit code that the report comes to."""
        return Exit(self.summary.exit_code)

    def of_device(self, index: int) -> tuple[CheckResult, ...]:
        """Give the results for one device."""
        return tuple(result for result in self.checks if result.device == index)


def make_report(transcript: Transcript) -> Report:
    """Judge a transcript that has its header."""
    header: Header = decode(Header, transcript.header)
    facts = transcript.facts
    everything = tuple(_results(facts, header.depth))
    emulation = emulation_of(facts, header.emulation)
    asked = header.judging != NOTHING_ASKED
    checks = tuple(_as_asked(facts, header, emulation.active, everything)) if asked else everything
    failure = what_stopped(transcript, header.environment, header.emulation.asked)
    return Report(
        schema_version=header.schema_version,
        tool=header.tool,
        summary=conclude(facts, everything, checks, failure, header.depth),
        error=failure,
        emulation=emulation,
        environment=header.environment,
        loader=facts.loader,
        kernel=facts.kernel,
        instance=facts.instance,
        device_count=facts.device_count,
        devices=facts.devices,
        closed=facts.closed,
        checks=checks,
        run=Run(header.started, transcript.ended_ms, transcript.steps, transcript.messages, transcript.output),
        culprits=transcript.culprits,
    )


def emulation_of(facts: Facts, asked: EmulationAsked) -> Emulation:
    """Tell whether the extension is our own: from what was loaded, not from what was asked for, if anything was."""
    missing = facts.instance.missing
    may_be = missing is not None and missing.kind in (MissingKind.CRASHED, MissingKind.TIMED_OUT)
    active = facts.instance.value.is_emulated if facts.instance.value is not None else asked.asked and may_be
    return Emulation(active, LAYER_NAME if active else None, asked.settings if active else "")


def _results(facts: Facts, depth: Depth) -> Iterable[CheckResult]:
    for device in facts.devices:
        if device.selected:
            for check in in_order():
                if depth is Depth.IDENTITY and check.needs_extension:
                    continue
                verdict = check.verdict(facts, device)
                advice = check.advice if verdict.outcome in (Outcome.WARN, Outcome.FAIL) else None
                yield CheckResult(
                    check.id, device.index, verdict.outcome, verdict.sentence, verdict.steps, check.rule, advice
                )


def _as_asked(facts: Facts, header: Header, emulated: bool, results: Sequence[CheckResult]) -> Iterator[CheckResult]:
    """Give the chosen results, and one for each condition and device: one must meet them all, which it may do alone."""
    from vkzircon_cli.report.conditions import is_chosen, judge, parse_condition
    from vkzircon_cli.report.requirable import Seen

    yield from (result for result in results if is_chosen(result.id, header.judging))
    judged = {}
    for device in (device for device in facts.devices if device.selected):
        seen = Seen(facts, device, header.environment.platform, emulated)
        of_checks = {result.id: result for result in results if result.device == device.index}
        judged[device.index] = [judge(parse_condition(text), seen, of_checks) for text in header.judging.require]
    able = [index for index, verdicts in judged.items() if all(v.outcome is Outcome.PASS for v in verdicts)]
    for index, verdicts in judged.items():
        for text, verdict in zip(header.judging.require, verdicts, strict=True):
            outcome, sentence = verdict.outcome, verdict.sentence
            if outcome is Outcome.FAIL and able:
                outcome, sentence = Outcome.INFO, f"{sentence} Device {able[0]} meets every condition."
            yield CheckResult(f"{REQUIRED}{text}", index, outcome, sentence, verdict.steps, "--require", None)
