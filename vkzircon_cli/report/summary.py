# SPDX-License-Identifier: Apache-2.0
"""What all results come to: the worst outcome, one sentence, the exit code."""

from vkzircon_cli.checks import SEVERITY, Outcome, forgives_death
from vkzircon_cli.errors import EXIT_PRECEDENCE, Exit
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.queries import display_name, offers_extension
from vkzircon_cli.model.request import Depth
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.stream.events import Failure

# What the id of a condition's result begins with; no check's id has a space.
REQUIRED = "require "


@record
class CheckResult:
    """One check's verdict on one device; *advice* is there when something is to be done."""

    id: str
    device: int
    outcome: Outcome
    sentence: str
    steps: tuple[str, ...]
    rule: str
    advice: str | None


@record
class Summary:
    """What it all came to: the worst outcome, one sentence, the process's exit code, and how many of each outcome."""

    outcome: Outcome
    sentence: str
    exit_code: int
    counts: dict[str, int]


def outcome_of(failure: Failure) -> Outcome:
    """Give the outcome of a run in which nobody could be asked."""
    if failure.exit_code != Exit.CRASHED:
        return Outcome.ERROR
    return Outcome.TIMEOUT if failure.cause == "driver-hung" else Outcome.CRASH


def conclude(
    facts: Facts,
    everything: tuple[CheckResult, ...],
    checks: tuple[CheckResult, ...],
    failure: Failure | None,
    depth: Depth,
) -> Summary:
    """Sum up the *checks* that count; whether memory was seen to be shared is told by *everything* that was judged."""
    counts = {
        str(outcome): sum(result.outcome is outcome for result in checks)
        for outcome in Outcome
        if outcome is not Outcome.ERROR
    }
    if failure is not None:
        worst = outcome_of(failure)
        return Summary(worst, failure.message, failure.exit_code, counts)
    offering = [device for device in facts.devices if device.selected and offers_extension(device)]
    # What was left out, or is only worth knowing, makes a device neither better nor worse.
    counting = [result.outcome for result in checks if _counts(result) and (offering or _exit(result) is not Exit.OK)]
    unseen = [] if depth is Depth.IDENTITY else [device for device in offering if not _was_seen(device, everything)]
    worst = max(counting, key=SEVERITY.__getitem__, default=Outcome.PASS if offering else Outcome.SKIP)
    if worst is Outcome.PASS and unseen:
        worst = Outcome.SKIP
    codes = {_exit(result) for result in checks} | ({Exit.OK} if offering else {Exit.NOT_OFFERED})
    exit_code = next(code for code in EXIT_PRECEDENCE if code in codes)
    return Summary(worst, _sentence(facts, checks, exit_code, depth, unseen), int(exit_code), counts)


_EXITS = {Outcome.FAIL: Exit.FAILED, Outcome.CRASH: Exit.CRASHED, Outcome.TIMEOUT: Exit.CRASHED}


def _counts(result: CheckResult) -> bool:
    """Tell whether a result makes the whole better or worse: no skip, nothing only worth knowing, no wrong input."""
    if result.outcome in (Outcome.CRASH, Outcome.TIMEOUT):
        return _exit(result) is not Exit.OK
    return result.outcome not in (Outcome.INFO, Outcome.SKIP)


def _exit(result: CheckResult) -> Exit:
    """Give the exit code that one result asks for; dying of a wrong input is told, and not held against the driver."""
    died = result.outcome in (Outcome.CRASH, Outcome.TIMEOUT)
    return Exit.OK if died and forgives_death(result.id) else _EXITS.get(result.outcome, Exit.OK)


def _sentence(
    facts: Facts, checks: tuple[CheckResult, ...], exit_code: Exit, depth: Depth, unseen: list[Device]
) -> str:
    asked = [device for device in facts.devices if device.selected]
    if exit_code is Exit.NOT_OFFERED:
        return f"{EXTENSION} is not offered by {_names(asked)}."
    dead = [result.sentence for result in checks if _exit(result) is Exit.CRASHED]
    bad = [result for result in checks if _exit(result) is Exit.FAILED]
    broken = [device for device in facts.devices if device.index in {result.device for result in bad}]
    if dead or bad:
        return " ".join(dead[:1] + ([f"{_names(broken)}: {_failed(bad)}."] if bad else []))
    if unseen:
        return f"Nothing failed, but {_names(unseen)} {'was' if len(unseen) == 1 else 'were'} not seen to share memory."
    return _good([device for device in asked if offers_extension(device)], checks, depth)


def _failed(bad: list[CheckResult]) -> str:
    """Name the checks that failed, and the conditions that were not met."""
    ids = [result.id for result in bad]
    failed = [each for each in ids if not each.startswith(REQUIRED)]
    unmet = [each.removeprefix(REQUIRED) for each in ids if each.startswith(REQUIRED)]
    return "; ".join(f"{words} {_some(of)}" for words, of in (("failed", failed), ("not met:", unmet)) if of)


def _some(ids: list[str]) -> str:
    different = list(dict.fromkeys(ids))
    more = f" and {len(different) - _MOST_NAMES} more" if len(different) > _MOST_NAMES else ""
    return f"{', '.join(different[:_MOST_NAMES])}{more}"


def _good(offering: list[Device], checks: tuple[CheckResult, ...], depth: Depth) -> str:
    one = len(offering) == 1
    if depth is Depth.IDENTITY:
        return f"{_names(offering)} {'offers' if one else 'offer'} {EXTENSION}."
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
