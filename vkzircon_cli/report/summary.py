# SPDX-License-Identifier: Apache-2.0
"""The summary of all results: the worst outcome, one sentence, the exit code."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vkzircon_cli.checks import SEVERITY, Outcome, forgives_death
from vkzircon_cli.checks.registry import DEATH_OF, DEATHS, describe, sentence_case, uncapitalized
from vkzircon_cli.errors import EXIT_PRECEDENCE, Exit
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.quantities import counted, some
from vkzircon_cli.model.queries import by_device, display_name, offers_extension
from vkzircon_cli.model.request import Depth
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.report.causes import Cause
from vkzircon_cli.stream.document import Summary
from vkzircon_cli.stream.events import Failure

if TYPE_CHECKING:
    from vkzircon_cli.model.queries import AnyDevice

# The prefix of the id of a condition's result; no check's id has a space.
REQUIRED = "require "
_MOST_NAMES = 3
_EXITS = {Outcome.FAIL: Exit.FAILED, Outcome.CRASH: Exit.CRASHED, Outcome.TIMEOUT: Exit.CRASHED}
_GOOD = (Outcome.PASS, Outcome.INFO, Outcome.WARN)
# Sharing was seen if one check of each group is good: memory was exported and imported, and the bytes arrived.
_SEEN = (("export.memory-type",), ("import.same-device",), ("data.host-write", "data.gpu-fill"))


@record
class CheckResult:
    """One check's verdict on one device; *advice* is None unless something should be done."""

    id: str
    device: int
    outcome: Outcome
    sentence: str
    steps: tuple[str, ...]
    rule: str
    advice: str | None


_Results = Mapping[int | None, Sequence[CheckResult]]  # by their device


def of_failure(failure: Failure, counts: dict[str, int]) -> Summary:
    """Summarize a run in which no device could be queried."""
    outcome = Outcome.ERROR
    if failure.exit_code == Exit.CRASHED:
        outcome = Outcome.TIMEOUT if failure.cause == "driver-hung" else Outcome.CRASH
    return Summary(outcome, failure.message, failure.exit_code, counts)


def of_end(failure: Failure | None, asked: Iterable[Answer[Any]], counts: dict[str, int]) -> Summary | None:
    """Summarize a run that *failure* ended, or a crash or hang in one of the answers *asked*; None for other runs."""
    if failure is not None:
        return of_failure(failure, counts)
    dead = next((each.missing for each in asked if each.missing and each.missing.kind in DEATH_OF), None)
    return Summary(DEATH_OF[dead.kind], f"{sentence_case(describe(dead))}.", Exit.CRASHED, counts) if dead else None


def conclude(
    facts: Facts,
    everything: tuple[CheckResult, ...],
    checks: tuple[CheckResult, ...],
    causes: tuple[Cause, ...],
    *,
    failure: Failure | None,
    depth: Depth,
) -> Summary:
    """Summarize the *checks* that count and their *causes*; *everything* decides whether sharing was seen."""
    counts = count_outcomes(result.outcome for result in checks)
    if failure is not None:
        return of_failure(failure, counts)
    offering = [device for device in facts.devices if device.selected and offers_extension(device)]
    counting = [result.outcome for result in checks if _counts(result) and (offering or exit_of(result) is not Exit.OK)]
    results = by_device(everything)
    unseen = [] if depth is Depth.IDENTITY else [each for each in offering if not _was_seen(each, results)]
    worst = max(counting, key=SEVERITY.__getitem__, default=Outcome.PASS if offering else Outcome.SKIP)
    if worst is Outcome.PASS and _ran_nothing(checks):
        worst = Outcome.WARN
    elif worst is Outcome.PASS and unseen:
        worst = Outcome.SKIP
    codes = {exit_of(result) for result in checks} | ({Exit.OK} if offering else {Exit.NOT_OFFERED})
    exit_code = next(code for code in EXIT_PRECEDENCE if code in codes)
    if exit_code in (Exit.FAILED, Exit.CRASHED):
        says = _bad(facts, results, checks, causes)
    else:
        says = _not_bad(facts, checks, exit_code, depth, unseen)
    return Summary(worst, says, int(exit_code), counts)


def _ran_nothing(checks: Iterable[CheckResult]) -> bool:
    """Whether each result is a skip, which is no pass: the checks that were chosen had nothing to look at."""
    return all(result.outcome is Outcome.SKIP for result in checks)


def count_outcomes(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Count each outcome that a result can have."""
    found = list(outcomes)
    return {str(outcome): found.count(outcome) for outcome in Outcome if outcome is not Outcome.ERROR}


def _counts(result: CheckResult) -> bool:
    """Whether a result affects the overall outcome: a skip, a note and a crash on wrong inputs do not."""
    if result.outcome in DEATHS:
        return exit_of(result) is not Exit.OK
    return result.outcome not in (Outcome.INFO, Outcome.SKIP)


def exit_of(result: CheckResult) -> Exit:
    """Return the exit code for one result; a crash on wrong inputs does not count against the driver."""
    died = result.outcome in DEATHS
    return Exit.OK if died and forgives_death(result.id) else _EXITS.get(result.outcome, Exit.OK)


def _bad(facts: Facts, results: _Results, checks: tuple[CheckResult, ...], causes: tuple[Cause, ...]) -> str:
    """Return the first cause of each device that failed, and the conditions that are not met."""
    bad = dict.fromkeys((result.device, result.id) for result in checks if exit_of(result) is not Exit.OK)
    causes_of = by_device(causes)
    of: dict[tuple[bool, str], list[Device]] = {}
    for device in facts.devices:
        mine = [cause for cause in causes_of.get(device.index, ()) if not _is_forgiven(cause)]
        guilty = [cause for cause in mine if any((device.index, name) in bad for name in (cause.check, *cause.follows))]
        if guilty:
            of.setdefault((_was_seen(device, results), _blame(guilty)), []).append(device)
    told = [f"{names_of(devices)} {_shares(devices, seen)} {why}" for (seen, why), devices in of.items()]
    unmet = [name.removeprefix(REQUIRED) for _, name in bad if name.startswith(REQUIRED)]
    return " ".join((*told, *([f"--require is not met: {_first(unmet)}."] if unmet else [])))


def _is_forgiven(cause: Cause) -> bool:
    """Whether the cause is only a crash or a hang on a wrong input."""
    return cause.outcome in DEATHS and forgives_death(cause.check)


def _shares(devices: Sequence[Device], seen: bool) -> str:
    if seen:
        return _verb(devices, "shares its memory, but", "share their memory, but")
    return _verb(devices, "does NOT share its memory:", "do NOT share their memory:")


def _blame(causes: Sequence[Cause]) -> str:
    """Return the sentence of the first of a device's *causes*, and the checks of the others."""
    first, *others = causes
    unnamed = [check for check in first.follows if check not in first.sentence]
    more = f"; this also affects {counted(len(unnamed), 'other check')}" if unnamed else ""
    also = f" Also wrong: {_first(cause.check for cause in others)}." if others else ""
    return f"{first.check}: {uncapitalized(first.sentence.removesuffix('.'))}{more}.{also}"


def _not_bad(facts: Facts, checks: tuple[CheckResult, ...], exit_code: Exit, depth: Depth, unseen: list[Device]) -> str:
    asked = [device for device in facts.devices if device.selected]
    if exit_code is Exit.NOT_OFFERED:
        return f"{EXTENSION} is not offered by {names_of(asked)}."
    if _ran_nothing(checks):
        return " ".join(("No check that was chosen could be run.", *(result.sentence for result in checks[:1])))
    if unseen:
        return f"Nothing failed, but {names_of(unseen)} {_verb(unseen, 'was', 'were')} not seen to share memory."
    return _good([device for device in asked if offers_extension(device)], checks, depth)


def _first(ids: Iterable[str]) -> str:
    """List the first of *ids*, each once, and how many more there are."""
    return some(dict.fromkeys(ids), _MOST_NAMES)


def _good(offering: list[Device], checks: tuple[CheckResult, ...], depth: Depth) -> str:
    if depth is Depth.IDENTITY:
        return f"{names_of(offering)} {_verb(offering, 'offers', 'offer')} {EXTENSION}."
    shares = _verb(offering, "shares its memory as a Zircon VMO", "share their memory as Zircon VMOs")
    warned = {result.id: result for result in reversed(checks) if result.outcome is Outcome.WARN}
    died = [result.id for result in checks if result.outcome in DEATHS]
    wrong = f", but died of a wrong input ({_first(died)})" if died else ""
    warnings = f", with {counted(len(warned), 'warning')} ({_first(reversed(warned))})" if warned else ""
    first = f" {next(reversed(warned.values())).sentence}" if warned else ""
    return f"{names_of(offering)} {shares}{wrong}{warnings}.{first}"


def _was_seen(device: Device, results: _Results) -> bool:
    good = {result.id for result in results.get(device.index, ()) if result.outcome in _GOOD}
    # A driver that reports no import may refuse every import: no check fails, but no memory is shared.
    if not any(row.imported.value for row in device.imports) or not any(row.round_trip.value for row in device.data):
        return False
    return all(good.intersection(ids) for ids in _SEEN)


def _verb(devices: Sequence[Device], of_one: str, of_many: str) -> str:
    return of_one if len(devices) == 1 else of_many


def names_of(devices: "Sequence[AnyDevice]") -> str:
    """List the devices by name if they are few and their names differ, else count them."""
    known = ((device.index, device.identity.value) for device in devices)
    return list_names([display_name(identity) if identity else f"device {index}" for index, identity in known])


def list_names(names: Sequence[str]) -> str:
    """List a few different *names* of devices, or else count them."""
    can_be_told_apart = 0 < len(set(names)) == len(names) <= _MOST_NAMES
    return ", ".join(names) if can_be_told_apart else counted(len(names), "device")
