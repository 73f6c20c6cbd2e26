# SPDX-License-Identifier: Apache-2.0
"""Which verdict, device and time of one report is compared with which of the other."""

from dataclasses import dataclass, replace

import pytest
from reports import (
    concluded,
    device,
    good_report,
    identity,
    result,
    stopped,
    with_devices,
    with_variables,
    without_extension,
)

from vkzircon_cli.checks import Outcome
from vkzircon_cli.diff import Area, ChangeKind, Difference, compare
from vkzircon_cli.diff.differ import Differ
from vkzircon_cli.diff.labels import FactPath
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device
from vkzircon_cli.report.redaction import Redactor, people
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.fold import StepTime

GOOD = good_report()
DEVICE = GOOD.devices[0]


_OUTCOMES = [
    (Outcome.PASS, Outcome.FAIL, ChangeKind.WORSE),
    (Outcome.FAIL, Outcome.PASS, ChangeKind.BETTER),
    (Outcome.WARN, Outcome.CRASH, ChangeKind.WORSE),
    (Outcome.TIMEOUT, Outcome.FAIL, ChangeKind.BETTER),
    (Outcome.PASS, Outcome.SKIP, ChangeKind.WORSE),
    (Outcome.SKIP, Outcome.PASS, ChangeKind.BETTER),
    (Outcome.SKIP, Outcome.FAIL, ChangeKind.WORSE),
    (Outcome.FAIL, Outcome.SKIP, ChangeKind.CHANGED),
    (Outcome.PASS, Outcome.INFO, ChangeKind.CHANGED),
]


@pytest.mark.parametrize(("was", "now", "kind"), _OUTCOMES)
def test_a_verdict_is_worse_or_better(was: Outcome, now: Outcome, kind: ChangeKind) -> None:
    """A check that failed and is skipped now is neither better nor worse."""
    before, after = (replace(GOOD, checks=(result(each, "export.size", "Says."),)) for each in (was, now))
    (change,) = compare(before, after).verdicts
    assert (change.kind, change.id, change.device) == (kind, "export.size", 0)
    assert change.before is not None
    assert change.after is not None
    assert (change.before.outcome, change.after.outcome) == (was, now)


def test_a_run_with_fewer_options_is_no_worse() -> None:
    """What was only asked in one of the two has changed, and is neither better nor worse."""
    asked = replace(GOOD, checks=(result(Outcome.PASS, "stress.imports", "Fine."),))
    unasked = replace(GOOD, checks=(result(Outcome.SKIP, "stress.imports", "Only run with --stress."),))
    both = (compare(asked, unasked), compare(unasked, asked))
    assert [change.kind for difference in both for change in difference.verdicts] == [
        ChangeKind.CHANGED,
        ChangeKind.CHANGED,
    ]


def test_verdicts_come_worst_first() -> None:
    """What crashed stands before what failed, before what was skipped, before what is better, new or gone."""
    ids = ["skipped", "failed", "better", "crashed", "gone", "reworded"]
    was = [Outcome.PASS, Outcome.PASS, Outcome.FAIL, Outcome.PASS, Outcome.PASS, Outcome.PASS]
    now = [Outcome.SKIP, Outcome.FAIL, Outcome.PASS, Outcome.CRASH, None, Outcome.PASS]
    before = replace(GOOD, checks=tuple(result(each, name, "So.") for each, name in zip(was, ids, strict=True)))
    checks = [result(each, name, "Otherwise.") for each, name in zip(now, ids, strict=True) if each]
    after = replace(GOOD, checks=(*checks, result(Outcome.PASS, "new", "So.")))
    found = [change.id for change in compare(before, after).verdicts]
    assert found == ["crashed", "failed", "skipped", "better", "new", "gone", "reworded"]


def test_other_words_alone_are_no_difference() -> None:
    """A reworded sentence is listed, and the exit code stays 0."""
    before, after = (replace(GOOD, checks=(result(Outcome.PASS, "export.size", says),)) for says in ("A.", "B."))
    difference = compare(before, after)
    assert [change.kind for change in difference.verdicts] == [ChangeKind.REWORDED]
    assert not difference.differs


def test_a_run_without_a_device_differs() -> None:
    """An error is a change of the whole report, with its message."""
    difference = compare(GOOD, stopped(GOOD, "No driver.", "Install one."))
    first = difference.verdicts[0]
    assert (first.device, first.id) == (None, "conclusion")
    assert first.after is not None
    assert first.after.sentence == "No driver."


def test_another_conclusion_is_never_silent() -> None:
    """Two runs that ended differently differ, also where no check and no fact does."""
    difference = compare(GOOD, concluded(GOOD, Outcome.FAIL, "It failed.", 1))
    assert difference.differs
    assert [change.id for change in difference.verdicts] == ["conclusion"]


def _two(first: Device, second: Device) -> Report:
    return with_devices(GOOD, first, second)


def _uuid(of: Device, uuid: str) -> Device:
    who = of.identity.value
    assert who is not None
    assert who.uuids.value is not None
    return replace(of, identity=Answer(replace(who, uuids=Answer(replace(who.uuids.value, device_uuid=uuid)))))


def _matched(difference: Difference) -> list[tuple[int | None, int | None, str | None]]:
    return [(pair.before, pair.after, pair.matched_by) for pair in difference.devices]


def test_devices_are_matched_by_uuid_then_ids_then_index() -> None:
    """A device is matched though its index or its UUID changed; one without a match is gone or new."""
    a, b = _uuid(device(0, identity("A")), "a" * 8), _uuid(device(1, identity("B")), "b" * 8)
    moved = _two(_uuid(device(0, identity("B")), "b" * 8), _uuid(device(1, identity("A")), "a" * 8))
    assert _matched(compare(_two(a, b), moved)) == [(0, 1, "UUID"), (1, 0, "UUID")]
    driver_changed = _two(_uuid(a, "c" * 8), _uuid(b, "d" * 8))
    assert _matched(compare(_two(a, b), driver_changed)) == [(0, 0, "ids"), (1, 1, "ids")]
    other = with_devices(GOOD, _uuid(device(0, identity("C", vendor_id=1)), "e" * 8))
    assert _matched(compare(_two(a, b), other)) == [(0, 0, "index"), (1, None, None)]


def test_a_uuid_of_zeros_matches_no_device() -> None:
    """Devices of a driver that fills in no UUID are matched by their ids and names."""
    none = "00000000-0000-0000-0000-000000000000"
    a, b = (_uuid(device(index, identity(name)), none) for index, name in enumerate("AB"))
    swapped = _two(replace(b, index=0), replace(a, index=1))
    assert _matched(compare(_two(a, b), swapped)) == [(0, 1, "ids"), (1, 0, "ids")]


def test_a_device_in_one_report_only_is_one_change() -> None:
    """Its facts and verdicts are not listed one by one."""
    extra = _uuid(device(1, identity("Other")), "f" * 8)
    checks = (*GOOD.checks, result(Outcome.FAIL, "export.size", "No.", device=1))
    difference = compare(GOOD, replace(_two(DEVICE, extra), checks=checks))
    (change,) = difference.facts
    assert (change.area, change.kind, change.what, change.after) == (Area.DEVICE, ChangeKind.NEW, "device 1", "Other")
    assert difference.verdicts == ()


def test_a_device_that_was_not_selected_is_only_compared_by_who_it_is() -> None:
    """What was not asked is no change of the device."""
    unasked = replace(without_extension(DEVICE), selected=False)
    difference = compare(GOOD, replace(with_devices(GOOD, unasked), checks=()))
    assert [change.what for change in difference.facts] == ["selected"]
    assert difference.verdicts == ()


def test_what_was_redacted_is_no_difference() -> None:
    """A report and its redacted form do not differ."""
    report = with_variables(GOOD, VK_DRIVER_FILES="/home/jdoe/x.json:/home/other/y.json")
    hidden = Redactor(people()).facts(report)
    assert "jdoe" not in str(hidden)
    difference = compare(report, hidden)
    assert not difference.differs, difference.facts
    elsewhere = with_variables(GOOD, VK_DRIVER_FILES="/home/jdoe/z.json:/home/other/y.json")
    assert compare(elsewhere, hidden).differs


@dataclass(frozen=True, slots=True)
class _Record:
    """A record to whose type a newer schema added *later*."""

    size: int
    later: int | None = None


@pytest.mark.parametrize(("same_version", "found"), [(True, 1), (False, 0)])
def test_a_field_that_one_schema_does_not_have_is_not_invented(same_version: bool, found: int) -> None:
    """Between two versions a default may stand for nothing; within one it is a value."""
    differ = Differ(same_version=same_version)
    path = FactPath("report", None)
    assert len(list(differ.records(_Record(1), _Record(1, 2), path))) == found
    assert len(list(differ.records(_Record(1, 1), _Record(1, 2), path))) == 1


def test_times_are_listed_and_make_no_difference() -> None:
    """The steps whose time changed most, the ratio after over before; small changes are noise."""
    steps = (
        StepTime("slower", 0, 10.0),
        StepTime("noise", 0, 0.1),
        StepTime("same", 0, 100.0),
        StepTime("no", 0, None),
    )
    later = (StepTime("slower", 0, 40.0), StepTime("noise", 0, 0.9), StepTime("same", 0, 101.0), StepTime("no", 0, 5.0))
    before, after = (replace(GOOD, run=replace(GOOD.run, steps=each)) for each in (steps, later))
    difference = compare(before, after)
    assert not difference.differs
    assert [(step.step, step.ratio) for step in difference.timings.steps] == [("slower", 4.0)]


def test_a_step_is_timed_on_the_device_that_it_ran_on() -> None:
    """Where a device has another index, its steps are those of that index."""
    a, b = _uuid(device(0, identity("A")), "a" * 8), _uuid(device(1, identity("B")), "b" * 8)
    steps = tuple(StepTime(f"device{index}/open", 0, time) for index, time in enumerate((10.0, 90.0)))
    before = replace(_two(a, b), run=replace(GOOD.run, steps=steps))
    moved = tuple(StepTime(f"device{index}/open", 0, time) for index, time in enumerate((90.0, 20.0)))
    after = replace(_two(replace(b, index=0), replace(a, index=1)), run=replace(GOOD.run, steps=moved))
    assert [(step.step, step.ratio) for step in compare(before, after).timings.steps] == [("device0/open", 2.0)]


def test_a_time_that_is_no_number_is_left_out() -> None:
    """JSON has no infinity, though a file may say 1e999."""
    endless = replace(GOOD, run=replace(GOOD.run, duration_ms=float("inf"), steps=(StepTime("loader", 0, 1e999),)))
    timings = compare(endless, GOOD).timings
    assert (timings.before_ms, timings.steps) == (None, ())
