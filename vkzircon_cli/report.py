# SPDX-License-Identifier: Apache-2.0
"""The report: environment, facts and verdicts, what they come to, and the exit code.

The JSON form is `asdict` of `Report`. Times, messages and captured output live under ``run`` only, so that two runs on
one machine differ there, and in koids and handle values, and nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from vkzircon_cli import __version__
from vkzircon_cli.answers import Answer
from vkzircon_cli.checks import SEVERITY, Outcome, in_order
from vkzircon_cli.emulation import LAYER_NAME
from vkzircon_cli.environment import Environment
from vkzircon_cli.errors import EXIT_PRECEDENCE, Exit
from vkzircon_cli.events import Failure, Message, Output, StepTime, Transcript, decode
from vkzircon_cli.facts import Device, Facts, Instance, Kernel, Loader
from vkzircon_cli.failure import what_stopped
from vkzircon_cli.offer import display_name, offers_extension
from vkzircon_cli.request import Depth
from vkzircon_cli.vocabulary import EXTENSION

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Tool:
    """Who made the report."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Emulation:
    """Whether the extension is vkzircon's own emulation, by which layer, and how that was told to behave."""

    active: bool
    layer: str | None
    settings: str


@dataclass(frozen=True, slots=True)
class EmulationAsked:
    """Whether the emulation was asked for, and how it would behave if it is on."""

    asked: bool
    settings: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's verdict on one device; *advice* is there when something is to be done."""

    id: str
    device: int
    outcome: Outcome
    sentence: str
    steps: tuple[str, ...]
    rule: str
    advice: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What it all came to: the worst outcome, one sentence, the process's exit code, and how many of each outcome."""

    outcome: Outcome
    sentence: str
    exit_code: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Header:
    """What a stream begins with: who asks, how much, where, of which emulation, and when (UTC, ISO 8601)."""

    schema_version: str
    tool: Tool
    depth: Depth
    environment: Environment
    emulation: EmulationAsked
    started: str


def make_header(depth: Depth, environment: Environment, emulation: EmulationAsked, started: str) -> Header:
    """Make the header of a stream that begins now."""
    return Header(SCHEMA_VERSION, Tool("vkzircon", __version__), depth, environment, emulation, started)


@dataclass(frozen=True, slots=True)
class Run:
    """What differs from run to run. Times are in milliseconds, *started* is UTC in ISO 8601."""

    started: str
    duration_ms: float
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


@dataclass(frozen=True, slots=True)
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
    checks = tuple(_results(facts, header.depth))
    failure = transcript.failure or what_stopped(transcript, header.environment, header.emulation.asked)
    return Report(
        schema_version=header.schema_version,
        tool=header.tool,
        summary=_summary(facts, checks, failure, header.depth),
        error=failure,
        emulation=emulation_of(facts, header.emulation),
        environment=header.environment,
        loader=facts.loader,
        kernel=facts.kernel,
        instance=facts.instance,
        device_count=facts.device_count,
        devices=facts.devices,
        closed=facts.closed,
        checks=checks,
        run=Run(header.started, transcript.ended_ms, transcript.steps, transcript.messages, transcript.output),
    )


def emulation_of(facts: Facts, asked: EmulationAsked) -> Emulation:
    """Tell from what was loaded, not from what was asked for, whether the extension is our own."""
    active = facts.instance.value is not None and facts.instance.value.is_emulated
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


def _summary(facts: Facts, checks: tuple[CheckResult, ...], failure: Failure | None, depth: Depth) -> Summary:
    counts = {
        str(outcome): sum(result.outcome is outcome for result in checks)
        for outcome in Outcome
        if outcome is not Outcome.ERROR
    }
    if failure is not None:
        worst = Outcome.CRASH if failure.exit_code == Exit.CRASHED else Outcome.ERROR
        return Summary(worst, failure.message, failure.exit_code, counts)
    offering = [device for device in facts.devices if device.selected and offers_extension(device)]
    # What was left out, or is only worth knowing, makes a device neither better nor worse.
    counting = [result.outcome for result in checks if _counts(result)] if offering else []
    was_seen = depth is Depth.IDENTITY or all(_was_seen(device, checks) for device in offering)
    worst = max(counting, key=SEVERITY.__getitem__, default=Outcome.PASS if offering else Outcome.SKIP)
    if worst is Outcome.PASS and not was_seen:
        worst = Outcome.SKIP
    codes = {_exit(result) for result in checks} | ({Exit.OK} if offering else {Exit.NOT_OFFERED})
    exit_code = next(code for code in EXIT_PRECEDENCE if code in codes)
    return Summary(worst, _sentence(facts, offering, checks, exit_code, depth), int(exit_code), counts)


_EXITS = {Outcome.FAIL: Exit.FAILED, Outcome.CRASH: Exit.CRASHED, Outcome.TIMEOUT: Exit.CRASHED}


def _counts(result: CheckResult) -> bool:
    """Tell whether a result makes the whole better or worse: no skip, nothing only worth knowing, no wrong input."""
    if result.outcome in (Outcome.CRASH, Outcome.TIMEOUT):
        return _exit(result) is not Exit.OK
    return result.outcome not in (Outcome.INFO, Outcome.SKIP)


def _exit(result: CheckResult) -> Exit:
    """Give the exit code that one result asks for; dying of a wrong input is told, and not held against the driver."""
    died = result.outcome in (Outcome.CRASH, Outcome.TIMEOUT)
    return Exit.OK if died and result.id.startswith("negative.") else _EXITS.get(result.outcome, Exit.OK)


def _sentence(
    facts: Facts, offering: list[Device], checks: tuple[CheckResult, ...], exit_code: Exit, depth: Depth
) -> str:
    if exit_code is Exit.NOT_OFFERED:
        asked = [device for device in facts.devices if device.selected]
        return f"{EXTENSION} is not offered by {_names(asked)}."
    if exit_code is Exit.CRASHED:
        return next(result.sentence for result in checks if _exit(result) is exit_code)
    bad = [result for result in checks if _exit(result) is Exit.FAILED]
    if bad:
        broken = [device for device in facts.devices if device.index in {result.device for result in bad}]
        ids = list(dict.fromkeys(result.id for result in bad))
        more = f" and {len(ids) - _MOST_NAMES} more" if len(ids) > _MOST_NAMES else ""
        return f"{_names(broken)}: failed {', '.join(ids[:_MOST_NAMES])}{more}."
    one = len(offering) == 1
    if depth is Depth.IDENTITY:
        return f"{_names(offering)} {'offers' if one else 'offer'} {EXTENSION}."
    unseen = [device for device in offering if not _was_seen(device, checks)]
    if unseen:
        return f"Nothing failed, but {_names(unseen)} {'was' if len(unseen) == 1 else 'were'} not seen to share memory."
    shares = "shares its memory as a Zircon VMO" if one else "share their memory as Zircon VMOs"
    warned = list(dict.fromkeys(result.id for result in checks if result.outcome is Outcome.WARN))
    return f"{_names(offering)} {shares}{_warnings(warned)}."


# Sharing was seen where memory was exported and imported, and bytes came round.
_SEEN = (("export.memory-type",), ("import.same-device",), ("data.host-write", "data.gpu-fill"))


def _was_seen(device: Device, checks: tuple[CheckResult, ...]) -> bool:
    good = {result.id for result in checks if result.device == device.index and result.outcome in _GOOD}
    return all(good.intersection(ids) for ids in _SEEN)


_GOOD = (Outcome.PASS, Outcome.INFO, Outcome.WARN)


def _warnings(ids: list[str]) -> str:
    return f"; warned of {', '.join(ids[:_MOST_NAMES])}" if ids else ""


def _names(devices: list[Device]) -> str:
    names = [
        display_name(device.identity.value) if device.identity.value else f"device {device.index}" for device in devices
    ]
    can_be_told_apart = len(set(names)) == len(names) <= _MOST_NAMES
    return ", ".join(names) if can_be_told_apart else f"{len(names)} devices"


_MOST_NAMES = 3
