# SPDX-License-Identifier: Apache-2.0
"""`--require`, `--select` and `--ignore`: what may be typed, and what it comes to."""

import os
from dataclasses import asdict, replace
from typing import Any

import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st
from program import Run

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit, Usage
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.request import Depth, Judging
from vkzircon_cli.report.conditions import FACTS, is_chosen, parse_condition, refuse_empty_choice, refuse_unknown_checks
from vkzircon_cli.report.report import Report, make_report
from vkzircon_cli.stream.document import EmulationAsked, make_header
from vkzircon_cli.stream.events import Output
from vkzircon_cli.stream.fold import Transcript

GOOD = reports.good_report()


def _report(judging: Judging, *devices: Device) -> Report:
    devices = devices or (reports.device(),)
    facts = Facts(GOOD.loader, GOOD.kernel, GOOD.instance, Answer(len(devices)), devices, Answer(True))
    asked = EmulationAsked(asked=False, settings="")
    header = make_header(Depth.EVERYTHING, GOOD.environment, asked, "2026-01-01T00:00:00Z", judging)
    stream = Transcript(facts, None, (), (), asdict(header), Output("", 0), is_cut=False, stopped_in=None, ended_ms=1.0)
    return make_report(stream)


def _requiring(*conditions: str, devices: tuple[Device, ...] = ()) -> Report:
    return _report(Judging(require=conditions), *devices)


@pytest.mark.parametrize(
    "condition",
    [
        "export.handle-is-vmo",
        "platform=linux",
        "emulated=no",
        "loader.version>=1.3",
        "loader.version=1.3",
        "loader.version<=1.3",
        "device.type=discrete",
        "device.type==DISCRETE",
        "device.type != cpu",
        "device.name=verdant x1",
        "device.vendor=0x1ae0",
        "device.id=49374",
        "device.version>=1.1",
        "device.version<1.4",
        "driver.name=verdant",
        "extension.revision=1",
        "memory.types=3",
        "memory.largest-heap>=8GiB",
        "memory.largest-heap=8G",
        "memory.largest-allocation>=1024M",
        "memory.exportable-types>=1",
        "memory.importable-types=3",
        "vmo.rights>=READ|WRITE|MAP",
        "vmo.rights>=read | write",
    ],
)
def test_a_condition_that_holds_is_met(condition: str) -> None:
    """It is a result of its own that passed, named as it was typed, and the run is exit 0."""
    report = _requiring(condition)
    (result,) = [each for each in report.checks if each.id == f"require {condition}"]
    assert (result.outcome, report.exit_code) == (Outcome.PASS, Exit.OK)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("import.twice", "There is no import"),
        ("platform=fuchsia", "platform is linux."),
        ("emulated=yes", "emulated is no."),
        ("loader.version>1.3", "loader.version is 1.3.239."),
        ("device.type=cpu", "device.type is discrete."),
        ("device.name=Verdant", "device.name is Verdant X1."),
        ("device.version>=1.4", "device.version is 1.3.230."),
        ("memory.exportable-types>3", "memory.exportable-types is 3."),
        ("memory.largest-heap<1K", "memory.largest-heap is 8589934592."),
        ("vmo.rights>=READ|RESIZE", "without RESIZE."),
        ("vmo.rights<=READ", "vmo.rights is DUPLICATE|TRANSFER|READ|"),
    ],
)
def test_a_condition_that_does_not_hold_fails_the_run(condition: str, says: str) -> None:
    """It fails with what was found instead, the summary names it, and the run is exit 1."""
    report = _requiring(condition)
    (result,) = [each for each in report.checks if each.id.startswith("require ")]
    assert (result.outcome, report.summary.outcome, report.exit_code) == (Outcome.FAIL, Outcome.FAIL, Exit.FAILED)
    assert condition in report.summary.sentence
    assert says in result.sentence or condition == "import.twice"


def test_what_was_not_seen_meets_nothing() -> None:
    """A fact that nobody could ask for is not met, whichever way it is compared."""
    silent = replace(reports.device(), exports=(), imports=())
    for condition in ("memory.exportable-types>=0", "memory.exportable-types<9", "vmo.rights!=READ"):
        report = _requiring(condition, devices=(silent,))
        assert report.exit_code is Exit.FAILED
        assert report.checks[-1].sentence == f"{condition.split('>')[0].split('<')[0].split('!')[0]} was not seen."


def test_an_unmet_condition_goes_before_a_missing_extension() -> None:
    """A device without the extension is exit 3, and 1 where something was required of it."""
    bare = reports.without_extension(reports.device())
    assert _requiring("device.type=discrete", devices=(bare,)).exit_code is Exit.NOT_OFFERED
    report = _requiring("export.handle-is-vmo", devices=(bare,))
    assert (report.summary.outcome, report.exit_code) == (Outcome.FAIL, Exit.FAILED)


def test_one_device_must_meet_all_conditions() -> None:
    """Two that each meet half are not enough; one that meets all is, and what the other lacks is only noted."""
    cpu = reports.device(1, reports.identity("Soft", kind=4))
    discrete = reports.device(0)
    both = ("device.type=discrete", "device.name=Soft")
    assert _requiring(*both, devices=(discrete, cpu)).exit_code is Exit.FAILED
    report = _requiring("device.type=cpu", "device.name=Soft", devices=(discrete, cpu))
    assert report.exit_code is Exit.OK
    (told,) = [each for each in report.checks if each.device == 0 and each.id == "require device.type=cpu"]
    assert (told.outcome, told.sentence) == (
        Outcome.INFO,
        "device.type is discrete. Device 1 meets every condition.",
    )


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("export.handle-is-vom", "export.handle-is-vmo"),
        ("device.typ=discrete", "device.type"),
        ("memory.exportable-type>=1", "memory.exportable-types"),
        ("vmo.right>=READ", "vmo.rights"),
        ("device.type=discreet", "discrete"),
        ("vmo.rights>=REED", "READ"),
        ("device.type", "--require 'memory.exportable-types>=1'"),
        ("emulated=no || memory.types>=1", "Repeat --require for each"),
        ("emulated=no and platform=linux", "cannot be joined"),
        ("vmo.rights>=READ,WRITE", "Flags are joined by |"),
        ("vmo.rights>=READ|WRIET", "Did you mean WRITE"),
        ("device.type>=discrete", "device.type=discrete"),
        ("export.handle-is-vmo=1", "--require export.handle-is-vmo"),
        ("memory.types>=many", "memory.exportable-types>=1"),
        ("device.version>=new", "As in:"),
        ("device.name=", "As in:"),
        ("", "As in:"),
        ("=", "As in:"),
    ],
)
def test_a_typo_is_refused_with_what_was_meant(typed: str, near: str) -> None:
    """A condition that is none raises, and the hint has the nearest names or an example."""
    with pytest.raises(Usage) as refused:
        parse_condition(typed)
    assert near in f"{refused.value.message} {refused.value.hint}"


@given(
    st.text(max_size=60) | st.builds(lambda *parts: "".join(parts), st.sampled_from(list(FACTS)), st.text(max_size=30))
)
def test_whatever_is_typed_is_a_condition_or_refused(typed: str) -> None:
    """No text raises anything but Usage, in one printable line."""
    said = ""
    try:
        parse_condition(typed)
    except Usage as refused:
        said = refused.message
    assert said.isprintable()


@pytest.mark.parametrize(
    ("judging", "chosen"),
    [
        (Judging(), True),
        (Judging(select=("export",)), True),
        (Judging(select=("export.size",)), True),
        (Judging(select=("data",)), False),
        (Judging(ignore=("export",)), False),
        (Judging(ignore=("export.size",)), False),
        (Judging(select=("export",), ignore=("export.size",)), False),
        (Judging(select=("export.size",), ignore=("export",)), False),
    ],
)
def test_checks_are_chosen_by_id_or_group(judging: Judging, chosen: bool) -> None:
    """What is ignored is left out even where it was selected."""
    assert is_chosen("export.size", judging) is chosen


def test_what_is_left_out_does_not_count() -> None:
    """A failed check that is ignored is neither in the report nor in its exit code; a condition may still name it."""
    empty = tuple(
        replace(row, handle=Answer(reports.handle(0, value="0x00000000"))) for row in reports.device().exports
    )
    broken = replace(reports.device(), exports=empty)
    assert _report(Judging(), broken).exit_code is Exit.FAILED
    ignoring = _report(Judging(ignore=("export", "properties", "import", "data")), broken)
    assert ignoring.exit_code is Exit.OK
    assert {each.id.partition(".")[0] for each in ignoring.checks}.isdisjoint({"export", "import"})
    named = _report(Judging(ignore=("export",), require=("export.handle-given",)), broken)
    assert named.exit_code is Exit.FAILED


def test_a_choice_of_which_nothing_ran_is_a_warning() -> None:
    """A skip is no pass, and the reason is told; a check that ran beside it, or a condition, is a verdict."""
    only = _report(Judging(select=("capabilities.semaphore",)))
    assert (only.summary.outcome, only.exit_code) == (Outcome.WARN, Exit.OK)
    assert only.summary.sentence == (
        "No check that was chosen could be run. VK_FUCHSIA_external_semaphore is not listed."
    )
    assert _report(Judging(select=("capabilities",))).summary.outcome is Outcome.PASS
    assert _report(Judging(("emulated=no",), ("capabilities.semaphore",))).summary.outcome is Outcome.PASS


def test_an_unknown_check_or_group_is_refused() -> None:
    """The nearest names are in the hint."""
    with pytest.raises(Usage) as refused:
        refuse_unknown_checks(["export", "exprot.size"])
    assert "export.size" in refused.value.hint


def test_a_choice_that_leaves_nothing_is_refused(vkzircon: Run) -> None:
    """Nothing would be judged, and that would pass: a usage error, unless there is a condition."""
    ran = vkzircon("check", "--select", "export", "--ignore", "export")
    assert (ran.code, ran.out) == (2, "")
    assert "--ignore leaves no check" in ran.err
    ran = vkzircon("check", "--select", "stress", "--select", "negative.survives", "--negative", "--ignore", "negative")
    assert (ran.code, ran.out) == (2, "")
    assert "The checks that are left run only with --stress." in ran.err
    refuse_empty_choice(Judging((), ("stress",)), ["--stress"])
    refuse_empty_choice(Judging((), ("stress", "export")))
    refuse_empty_choice(Judging(("extension.listed",), ("export",), ("export",)))
    refuse_empty_choice(Judging((), ("export", "import"), ("export",)))


@pytest.fixture(name="parsed")
def _parsed(emulated: Run) -> Any:
    ran = emulated("check", "--require", "device.type=cpu", "--require", "emulated=no", "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    return ran.json


def test_each_condition_is_a_result_in_the_report(parsed: Any) -> None:
    """Through the real program: both are there in order, with what was found."""
    told = [(each["id"], each["outcome"]) for each in parsed["checks"] if each["id"].startswith("require ")]
    assert told == [("require device.type=cpu", "pass"), ("require emulated=no", "fail")]


def test_a_typo_never_reaches_the_driver(vkzircon: Run) -> None:
    """Exit 2 with the nearest name, before anything is asked."""
    for option, typed in (("--require", "device.tipe=cpu"), ("--select", "exports"), ("--ignore", "imports")):
        ran = vkzircon("check", option, typed, VKZIRCON_LIBVULKAN="/nonexistent/libvulkan.so")
        assert (ran.code, ran.out) == (2, "")
        assert "Did you mean" in ran.err


def test_a_condition_of_any_bytes_is_read_back(emulated: Run, vkzircon: Run) -> None:
    """What the command line cannot decode stands as an escape in the report, which `show` reads."""
    typed = os.fsdecode(b"device.name!=a\xff")
    assert emulated("check", "--require", typed, "--format", "json", "--output", "r.json").code == 0
    assert "require device.name!=a\\\\xff" in vkzircon("show", "r.json", "--format", "json").out


def test_a_trace_remembers_what_was_required(emulated: Run, vkzircon: Run) -> None:
    """`show` of a trace judges it as the run that wrote it did."""
    ran = emulated("check", "--require", "emulated=no", "--select", "device", "--format", "trace", "--output", "t")
    assert ran.code == 1
    shown = vkzircon("show", "t", "--format", "json")
    assert shown.code == 1
    assert {each["id"].partition(".")[0] for each in shown.json["checks"]} == {"device", "require emulated=no"}
