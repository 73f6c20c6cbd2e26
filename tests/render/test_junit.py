# SPDX-License-Identifier: Apache-2.0
"""JUnit XML is read back as it was meant, by a library that CI systems' users use."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from any_report import hostile
from hypothesis import example, given, settings
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase
from reports import concluded, device, emulated, good_report, identity, result, stopped, with_devices

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.chain import Link
from vkzircon_cli.model.queries import display_name
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.junit import render_junit
from vkzircon_cli.report.causes import Cause
from vkzircon_cli.report.report import Report
from vkzircon_cli.saved.load import read

_UNUSED: Any = {
    "link": Link.IMPORT,
    "outcome": Outcome.FAIL,
    "where": (),
    "call": "",
    "result": "",
    "also": (),
    "what": "",
    "rule": "",
    "means": "",
}
CAPTURES = sorted((Path(__file__).parents[1] / "golden" / "captures").glob("*.json"))


def _suites(report: Report) -> list[Any]:
    parsed: Any = JUnitXml.fromstring(render_junit(report).encode())
    assert isinstance(parsed, JUnitXml)
    suites = list(parsed)
    outers: list[Any] = [parsed, *suites]
    for outer in outers:
        counted = outer.tests, outer.failures, outer.errors, outer.skipped
        outer.update_statistics()
        assert counted == (outer.tests, outer.failures, outer.errors, outer.skipped)
    return suites


def _only(report: Report, outcome: Outcome) -> Any:
    is_bad = outcome in (Outcome.FAIL, Outcome.CRASH, Outcome.TIMEOUT)
    (suite,) = _suites(concluded(report, outcome, "x", is_bad, result(outcome, "export.size", "It is too small.")))
    (case,) = suite
    assert isinstance(case, TestCase)
    return case


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.FAIL, Failure),
        (Outcome.CRASH, Error),
        (Outcome.TIMEOUT, Error),
        (Outcome.SKIP, Skipped),
    ],
)
def test_an_outcome_is_what_ci_systems_call_it(outcome: Outcome, kind: Any) -> None:
    """Failures fail, crashes and timeouts are errors, skips have their reason."""
    case = _only(good_report(), outcome)
    told: Any = case.result[0]
    assert isinstance(told, kind)
    assert (case.classname, case.name) == ("vkzircon.device0.export", "export.size")
    assert told.message == ("It is too small." if outcome is Outcome.SKIP else "Verdant X1: It is too small.")
    if outcome is not Outcome.SKIP:
        assert told.type == outcome
        assert "rule: VUID-VkMemoryAllocateInfo-allocationSize-07903" in told.text
        assert "step: device0/type0/export.plain" in told.text


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.INFO, Outcome.WARN])
def test_what_holds_passes(outcome: Outcome) -> None:
    """What is only noted or warned of passes too, and is told in the case's output."""
    case = _only(good_report(), outcome)
    assert case.is_passed
    assert (case.system_out or "") == ("" if outcome is Outcome.PASS else f"{outcome}: It is too small.")


def test_a_suite_is_a_device() -> None:
    """Each selected device has one; its name and driver are in it, and so is an emulation."""
    report = with_devices(emulated(good_report()), device(0), device(1, identity("Umbra <2>")))
    checks = (result(Outcome.PASS, "export.size", "."), result(Outcome.FAIL, "export.size", ".", device=1))
    first, second = _suites(concluded(report, Outcome.FAIL, "x", 1, *checks))
    assert (first.name, second.name) == ("device 0: Verdant X1 (EMULATED RUN)", "device 1: Umbra <2> (EMULATED RUN)")
    assert (first.failures, second.failures) == (0, 1)
    about = {each.name: each.value for each in second.properties()}
    assert about == {
        "driver": "verdant, version 0x1000002",
        "emulated": "yes",
        "emulation": "persona=strict",
        "vulkan": "1.3.230",
    }
    assert first.timestamp == "2024-05-01T12:00:00"


def test_a_run_without_a_driver_is_an_error() -> None:
    """Without a driver there is a case all the same, in error with what to do: an empty file would look good."""
    (suite,) = _suites(stopped(good_report(), "No Vulkan driver was found.", "Install one."))
    (case,) = suite
    (told,) = case.result
    assert isinstance(told, Error)
    assert (told.type, told.message, told.text) == ("no-driver", "No Vulkan driver was found.", "Install one.")


def test_an_emulated_run_without_a_driver_says_so_too() -> None:
    """What the layer broke is not the machine's fault: the suite of the error tells of the emulation."""
    (suite,) = _suites(emulated(stopped(good_report(), "The driver died.", "")))
    assert suite.name == "vkzircon (EMULATED RUN)"
    about = {each.name: each.value for each in suite.properties()}
    assert (about["emulated"], about["emulation"]) == ("yes", "persona=strict")


def test_an_interrupted_run_has_its_devices_too() -> None:
    """What was found until then stays, and the error stands before it."""
    report = good_report()
    error = stopped(report, "Interrupted.", "").error
    suites = _suites(replace(report, error=error))
    assert [suite.name for suite in suites] == ["vkzircon", "device 0: Verdant X1"]
    assert suites[0].errors == 1


def test_what_follows_names_its_cause() -> None:
    """The advice is printed once, with the cause and the checks that follow from it."""
    imports = result(Outcome.FAIL, "import.same-device", "Refused."), result(Outcome.FAIL, "data.image", "Refused.")
    found = Cause(0, "import.same-device", follows=("data.image",), sentence="Refused.", advice="Do it.", **_UNUSED)
    report = replace(concluded(good_report(), Outcome.FAIL, "x", 1, *imports), causes=(found,))
    (suite,) = _suites(report)
    first, second = (case.result[0].text for case in suite)
    assert "advice: Do it." in first
    assert "explains: 1 check: data.image" in first
    assert "follows from: import.same-device" in second
    assert "advice" not in second


def test_a_check_that_follows_in_part_has_its_own_advice_too() -> None:
    """One row of a check met an earlier crash, and another failed by itself: the case has both reasons."""
    taken = result(Outcome.FAIL, "negative.import-refused", "Taken.")
    crash = Cause(0, "negative.survives", follows=(taken.id,), sentence="It died.", advice="Ask first.", **_UNUSED)
    own = Cause(0, taken.id, follows=(), sentence="Taken.", advice="Do it.", **_UNUSED)
    (suite,) = _suites(replace(concluded(good_report(), Outcome.FAIL, "x", 1, taken), causes=(crash, own)))
    (case,) = suite
    assert "advice: Do it." in case.result[0].text
    assert "follows from: negative.survives" in case.result[0].text
    assert "Ask first." not in case.result[0].text


def test_a_device_without_the_extension_is_red_whatever_was_chosen() -> None:
    """Exit code 3 is no green suite, also if extension.listed was not selected."""
    skipped = result(Outcome.SKIP, "export.size", "The extension is not offered.")
    first, second = _suites(concluded(good_report(), Outcome.SKIP, "X does not offer it.", 3, skipped))
    (case,) = first
    assert isinstance(case.result[0], Failure)
    assert (first.name, case.result[0].message) == ("vkzircon", "X does not offer it.")
    assert (second.failures, second.errors) == (0, 0)


def test_a_condition_is_a_case() -> None:
    """What `check --require` asked for is named as it was typed."""
    text = "require vmo.rights>=READ|WRITE & <more>"
    (suite,) = _suites(concluded(good_report(), Outcome.FAIL, "x", 1, result(Outcome.FAIL, text, "No.")))
    (case,) = suite
    assert (case.classname, case.name) == ("vkzircon.device0.require", text)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_every_capture_is_read_back(capture: Path) -> None:
    """Each check of the report is one case of its own name, and all are green if and only if the exit code is 0."""
    report = read(capture)
    suites = _suites(report)
    assert sum(suite.tests for suite in suites) == len(report.checks) + (report.error is not None)
    bad = sum(suite.failures + suite.errors for suite in suites)
    assert (bad == 0) is (report.exit_code == 0)
    names = [(case.classname, case.name) for suite in suites for case in suite]
    assert len(set(names)) == len(names)


@settings(deadline=None, max_examples=100)
@given(hostile)
@example(":")  # with the colon that follows, it would begin a command of a CI system
def test_foreign_text_is_text(words: str) -> None:
    """With any text of a driver the document keeps its shape and holds the words, made visible."""
    report = with_devices(emulated(good_report()), device(who=identity(words, info=words)))
    report = concluded(report, Outcome.FAIL, words, 1, result(Outcome.FAIL, "export.size", words))
    root = ET.fromstring(render_junit(report))
    assert [element.tag for element in root.iter()] == [
        "testsuites",
        "testsuite",
        "properties",
        *["property"] * 4,
        "testcase",
        "failure",
    ]
    (failure,) = root.iter("failure")
    assert failure.attrib["message"] == visible(f"{display_name(identity(words))}: {words}")
