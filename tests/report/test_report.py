# SPDX-License-Identifier: Apache-2.0
"""What a transcript comes to: the summary, the exit code, and the reason when nobody could be asked."""

import json
import sys
from dataclasses import asdict, replace
from typing import Any

import pytest
import reports
from reports import without_extension

from vkzircon_cli.checks import Outcome
from vkzircon_cli.diff import compare
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, Missing, MissingKind, not_asked
from vkzircon_cli.model.facts import Device, Facts
from vkzircon_cli.model.host import Variable
from vkzircon_cli.model.request import Depth
from vkzircon_cli.render.difference import render_difference_terminal
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.junit import render_junit
from vkzircon_cli.render.style import Page, View
from vkzircon_cli.render.terminal import render_report
from vkzircon_cli.report.report import Report, make_report
from vkzircon_cli.stream.document import EmulationAsked, make_header
from vkzircon_cli.stream.events import Message, Output
from vkzircon_cli.stream.fold import Transcript

GOOD = reports.good_report()
PAGE = Page(width=80, cuts=False, color=False, ascii=False)


def _report(
    *devices: Device,
    messages: tuple[Message, ...] = (),
    variables: Any = (),
    emulate: bool = False,
    depth: Depth = Depth.EVERYTHING,
    **changes: Any,
) -> Report:
    facts = Facts(GOOD.loader, GOOD.kernel, GOOD.instance, Answer(len(devices)), devices, Answer(True))
    where = replace(GOOD.environment, variables=variables, platform="linux")
    header = make_header(depth, where, EmulationAsked(emulate, ""), "2026-01-01T00:00:00Z")
    return make_report(
        Transcript(replace(facts, **changes), None, messages, (), asdict(header), Output("", 0), False, None, 1.0)
    )


def _without_vmo(device: Device) -> Device:
    exports = tuple(
        replace(row, handle=Answer(reports.handle(0, value="0x00000000", valid=Answer(False))))
        for row in device.exports
    )
    return replace(device, exports=exports)


def test_a_good_device_is_exit_0() -> None:
    """Nothing failed: the sentence names the device and says that it shares."""
    report = _report(reports.device())
    assert (report.summary.outcome, report.exit_code) == (Outcome.PASS, Exit.OK)
    assert report.summary.sentence == "Verdant X1 shares its memory as a Zircon VMO."
    assert sum(report.summary.counts.values()) == len(report.checks)


def test_a_failed_check_is_exit_1_and_named() -> None:
    """The sentence has the first cause, and how many checks follow from it."""
    report = _report(_without_vmo(reports.device()))
    assert (report.summary.outcome, report.exit_code) == (Outcome.FAIL, Exit.FAILED)
    assert report.summary.sentence == (
        "Verdant X1 shares its memory, but export.handle-given: all 3 memory types: VK_SUCCESS with "
        "ZX_HANDLE_INVALID (0); this also affects 1 other check."
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda d: replace(d, exports=(), imports=(), data=()),
        lambda d: replace(d, imports=tuple(replace(row, imported=not_asked("no type in common")) for row in d.imports)),
        lambda d: replace(d, data=()),
    ],
)
def test_what_was_not_seen_is_not_claimed(change: Any) -> None:
    """Nothing failed, but without an export, an import and bytes that came round nobody says that memory is shared."""
    report = _report(change(reports.device()))
    assert (report.summary.outcome, report.exit_code) == (Outcome.SKIP, Exit.OK)
    assert report.summary.sentence == "Nothing failed, but Verdant X1 was not seen to share memory."


def test_an_emulated_report_is_one_whose_layer_was_loaded() -> None:
    """Not what was asked for decides, but what vkCreateInstance loaded; --emulate without it is an error."""
    instance = GOOD.instance.value
    assert instance is not None
    assert _report(reports.device(), instance=Answer(replace(instance, is_emulated=True))).emulation.active
    assert not _report(reports.device()).emulation.active
    report = _report(reports.device(), emulate=True)
    assert report.error is not None
    assert (report.error.cause, report.exit_code) == ("no-emulation", Exit.CANNOT_ASK)


def test_a_warning_shows_and_exits_0() -> None:
    """A warning gives the summary its outcome, not its exit code."""
    report = _report(reports.device(who=reports.identity(kind=4)))
    assert (report.summary.outcome, report.exit_code) == (Outcome.WARN, Exit.OK)


def test_exit_3_only_when_no_device_offers_the_extension() -> None:
    """One device with it is enough: the other is a skip."""
    bare = reports.without_extension(reports.device(1))
    assert _report(bare).exit_code is Exit.NOT_OFFERED
    assert _report(reports.device(), bare).exit_code is Exit.OK


def test_a_crash_outranks_a_failure() -> None:
    """Exit 5 goes before 1, and the sentence says where the driver died and what failed besides."""
    crash = Missing(MissingKind.CRASHED, "vkDestroyDevice", "SIGSEGV", "killed by SIGSEGV")
    report = _report(replace(_without_vmo(reports.device()), closed=Answer(None, crash)))
    assert report.exit_code is Exit.CRASHED
    assert report.summary.sentence == (
        "Verdant X1 shares its memory, but export.handle-given: all 3 memory types: VK_SUCCESS with "
        "ZX_HANDLE_INVALID (0); this also affects 1 other check. Also wrong: device.closes."
    )


def test_a_crash_before_the_extension_is_known_is_the_outcome_too() -> None:
    """Outcome and exit code are of one mind: what ends with 5 is a crash, and no skip."""
    crash = Missing(MissingKind.CRASHED, "vkX", "SIGSEGV", "killed by SIGSEGV")
    report = _report(replace(reports.device(), extensions=Answer(None, crash)))
    assert (report.summary.outcome, report.exit_code) == (Outcome.CRASH, Exit.CRASHED)


def test_unselected_devices_are_not_judged() -> None:
    """A device that was not chosen has no verdicts and no say in the exit code."""
    other = replace(_without_vmo(reports.device(1)), selected=False)
    report = _report(reports.device(), other)
    assert report.exit_code is Exit.OK
    assert {result.device for result in report.checks} == {0}


@pytest.mark.parametrize(
    ("missing", "cause", "exit_code"),
    [
        (reports.refused("vkCreateInstance", "VK_ERROR_INCOMPATIBLE_DRIVER"), "no-driver", 4),
        (reports.refused("vkCreateInstance", "VkResult -77"), "no-instance", 4),
        (Missing(MissingKind.CRASHED, "vkCreateInstance", "SIGBUS", "killed by SIGBUS"), "driver-crashed", 5),
        (Missing(MissingKind.TIMED_OUT, "vkCreateInstance", "", "no answer within 15 s"), "driver-hung", 5),
    ],
)
def test_no_instance_is_an_error_with_its_cause(missing: Missing, cause: str, exit_code: int) -> None:
    """Nobody could be asked: one sentence with call and result, what to do, and no checks."""
    report = _report(instance=Answer(None, missing), device_count=Answer(0))
    assert report.error is not None
    assert (report.error.cause, report.exit_code, report.checks) == (cause, exit_code, ())
    assert "vkCreateInstance" in report.error.message
    assert report.summary.sentence == report.error.message


def test_a_malformed_manifest_is_named_from_the_loaders_words() -> None:
    """The loader's misleading code is explained by the file that it could not parse."""
    missing = reports.refused("vkCreateInstance", "VK_ERROR_OUT_OF_HOST_MEMORY")
    said = Message("error", "loader_get_json: Failed to parse JSON file /drv/x.json, this is usually something.")
    report = _report(instance=Answer(None, missing), messages=(said,))
    assert report.error is not None
    assert report.error.cause == "bad-manifest"
    assert "Repair or remove /drv/x.json:" in report.error.hint


def test_the_loader_is_quoted_only_with_its_own_words() -> None:
    """A message of vkzircon's own names no manifest and is not quoted."""
    missing = reports.refused("vkCreateInstance", "VK_ERROR_OUT_OF_HOST_MEMORY")
    own, said = Message("error", "the rest of x.json was not asked", own=True), Message("error", "gave up")
    report = _report(instance=Answer(None, missing), messages=(own, said))
    assert report.error is not None
    assert report.error.cause == "no-instance"
    assert report.error.hint.partition("The loader says: ")[2].startswith("gave up")
    assert "was not asked" not in report.error.hint


def test_no_device_is_told_from_no_driver() -> None:
    """A driver that answers INITIALIZATION_FAILED has no device; a count of 0 says the same."""
    missing = reports.refused("vkEnumeratePhysicalDevices", "VK_ERROR_INITIALIZATION_FAILED")
    for count in (Answer(None, missing), Answer(0)):
        report = _report(device_count=count)
        assert report.error is not None
        assert report.error.cause == "no-device"
        assert report.error.message.startswith("The driver reports no device")


def test_a_variable_that_hides_drivers_is_pointed_at() -> None:
    """Whoever set VK_DRIVER_FILES is shown its value."""
    missing = reports.refused("vkCreateInstance", "VK_ERROR_INCOMPATIBLE_DRIVER")
    variables = (Variable("VK_ICD_FILENAMES", "~/x.json"),)
    report = _report(instance=Answer(None, missing), variables=variables)
    assert report.error is not None
    assert 'VK_ICD_FILENAMES="~/x.json"' in report.error.hint


def test_json_is_strict_ascii_and_keeps_what_drivers_say() -> None:
    """Quotes, control characters and DEL come back as they were, and none of them stands raw in the document."""
    name = 'GPU "q" \\ \x00\x1b\x7f\n\u202e显'
    text = render_json(_report(reports.device(who=reports.identity(name))))
    assert text.isascii()
    assert not set(text) & {chr(code) for code in (*range(10), *range(11, 32), 127)}
    assert json.loads(text)["devices"][0]["identity"]["value"]["name"] == name


def test_a_device_costs_the_same_whatever_their_number() -> None:
    """Judging, rendering and comparing twice as many devices makes twice as many calls, not four times."""

    def calls(count: int) -> int:
        made = 0

        def note(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        devices = [without_extension(reports.device(index)) for index in range(count)]
        sys.setprofile(note)
        try:
            report = _report(*devices, depth=Depth.IDENTITY)
            render_report(report, PAGE, view=View.CHECKS)
            render_junit(report)
            render_difference_terminal(compare(report, report), PAGE)
        finally:
            sys.setprofile(None)
        return made

    calls(1)  # imports
    few, many, more = map(calls, (80, 160, 240))
    assert more - many < 1.1 * (many - few)
