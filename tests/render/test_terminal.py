# SPDX-License-Identifier: Apache-2.0
"""What the terminal report says, and that it looks as it was last approved of.

The approved renderings are `tests/golden/terminal/*.txt`; run with VKZIRCON_UPDATE_GOLDEN=1 to write them anew.
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reports import (
    broken_device,
    concluded,
    device,
    emulated,
    good_report,
    handle,
    identity,
    memory,
    refused,
    result,
    said,
    stopped,
    with_devices,
    with_variables,
    without_extension,
)

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.render.frame import printed, steps_after
from vkzircon_cli.render.style import ANY_ADVICE, Advice, Page, View
from vkzircon_cli.render.terminal import render_report
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.events import Message
from vkzircon_cli.stream.fold import StepTime

GOLDEN = Path(__file__).parents[1] / "golden" / "terminal"
PIPE = Page(width=80, cuts=False, color=False, ascii=False)
SCREEN = replace(PIPE, cuts=True)
COLORED = replace(PIPE, color=True)
ASCII = replace(PIPE, ascii=True)
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def _screen(width: int) -> Page:
    return replace(SCREEN, width=width)


def _text(report: Report, page: Page = PIPE, verbose: bool = False) -> str:
    """Render with all white space made single blanks, for assertions that do not care where lines break."""
    return " ".join(render_report(report, page, verbose).split())


@pytest.mark.parametrize("label", ["VMO rights", "VMO bits, host write, GPU fill"])
def test_a_label_never_touches_its_value(label: str) -> None:
    """A label that is too long for its column has a line of its own, and values stay in their column."""
    sheet = Sheet(PIPE)
    sheet.field(label, "the device was lost")
    line = sheet.finish().splitlines()[-1]
    assert line.index("the device was lost") == 16
    assert not line[14:16].strip()


def test_a_long_page_is_that_of_its_parts() -> None:
    """A page that is written in parts has every line in its place, and none twice."""
    sheet = Sheet(PIPE)
    for number in range(2500):
        sheet.blank()
        sheet.blank()
        sheet.value(f"line {number}")
    assert sheet.height == 4999
    assert sheet.finish() == "\n\n".join(f"line {number}" for number in range(2500)) + "\n"


def _failed() -> Report:
    return concluded(
        with_devices(good_report(), broken_device()),
        Outcome.FAIL,
        "Verdant X1: sharing memory as a VMO is broken.",
        1,
        result(Outcome.PASS, "extension.listed", "VK_FUCHSIA_external_memory revision 1 is listed."),
        result(Outcome.FAIL, "export.size", "Memory type 1: the VMO has 100 bytes for an allocation of 65536."),
        result(Outcome.WARN, "export.rights", "Memory types 1, 2: INSPECT is missing."),
        result(Outcome.SKIP, "export.whole-pages", "The page size is not known."),
        result(Outcome.SKIP, "export.fixed-size", "The page size is not known."),
    )


def _crashed() -> Report:
    crash = Missing(MissingKind.CRASHED, "vkCreateDevice", "SIGSEGV", "killed by SIGSEGV")
    first = replace(without_extension(device()), opened=Answer(None, crash), extensions=device().extensions)
    second = replace(device(1, identity("Verdant X2")), selected=False)
    sentence = "The driver crashed in vkCreateDevice (SIGSEGV)."
    ended = concluded(
        with_devices(good_report(), first, second),
        Outcome.CRASH,
        sentence,
        5,
        result(Outcome.CRASH, "device.opens", sentence),
        *(
            result(Outcome.SKIP, f"export.check-{n}", "Nothing was exported that could be looked at.")
            for n in range(30)
        ),
    )
    noise = "".join(f"verdant: page fault at {n:#x}\n" for n in range(14)) + "verdant: giving up\n" * 40
    return said(ended, noise, ["loader_scanned_icd_add: wrong ELF class"], dropped=512)


def _not_offered() -> Report:
    software = without_extension(device(who=identity("llvmpipe (LLVM 15.0.6, 256 bits)", kind=4)))
    software = replace(software, extensions=Answer((Extension("VK_EXT_external_memory_host", 1),)))
    sentence = "VK_FUCHSIA_external_memory is not offered by llvmpipe (LLVM 15.0.6, 256 bits)."
    not_offered = "VK_FUCHSIA_external_memory is not offered."
    return concluded(
        replace(with_devices(good_report(), software), kernel=Answer(None, refused("dlopen", "", "no libzircon here"))),
        Outcome.SKIP,
        sentence,
        3,
        *(result(Outcome.SKIP, f"export.check-{n}", not_offered) for n in range(30)),
    )


def _no_driver() -> Report:
    message = "No Vulkan driver was found: vkCreateInstance returned VK_ERROR_INCOMPATIBLE_DRIVER."
    hint = 'Check VK_DRIVER_FILES="/nonexistent": only what it names is tried.'
    report = with_variables(stopped(good_report(), message, hint), VK_DRIVER_FILES="/nonexistent")
    return said(report, messages=["vkCreateInstance: Found no drivers!"])


def _many_types() -> Report:
    return with_devices(good_report(), device(has=memory((15, 7, 1, 0) * 8)))


def _foreign() -> Report:
    info = "Driver Build: 85da404\nDate: 11/30/20\nCompiler: EV031.32\n"
    named = device(who=identity("显卡 [bold]测试[/bold] :smile: \u202eGPU\u200b", info=info))
    return with_devices(good_report(), named, device(1, identity("  ", info="\n" * 20)))


GOLDENS: dict[str, Callable[[], str]] = {
    "shared": lambda: render_report(emulated(good_report()), PIPE),
    "shared-verbose": lambda: render_report(emulated(good_report()), PIPE, verbose=True),
    "shared-color": lambda: render_report(emulated(good_report()), COLORED),
    "shared-ascii": lambda: render_report(emulated(good_report()), ASCII),
    "shared-40": lambda: render_report(emulated(good_report()), _screen(40)),
    "shared-20": lambda: render_report(emulated(good_report()), _screen(20)),
    "failed": lambda: render_report(_failed(), PIPE),
    "failed-check": lambda: render_report(_failed(), PIPE, view=View.CHECKS),
    "failed-40": lambda: render_report(_failed(), _screen(40)),
    "crashed": lambda: render_report(_crashed(), PIPE),
    "not-offered": lambda: render_report(_not_offered(), PIPE),
    "no-driver": lambda: render_report(_no_driver(), PIPE),
    "many-types": lambda: render_report(_many_types(), PIPE),
    "foreign": lambda: render_report(_foreign(), SCREEN),
    "devices": lambda: render_report(_foreign(), PIPE, view=View.DEVICES),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_the_rendering_is_the_approved_one(name: str) -> None:
    """A change of the looks is seen by a person before it is kept."""
    path, text = GOLDEN / f"{name}.txt", GOLDENS[name]()
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_is_one_of_ours() -> None:
    """No rendering is left behind when its case goes."""
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(GOLDENS)


def test_the_verdict_comes_first() -> None:
    """The first line has the outcome's word and the sentence."""
    for view in (View.REPORT, View.CHECKS):
        assert render_report(good_report(), PIPE, view=view).startswith(
            "✓ PASS  Verdant X1: device memory is shared as a Zircon VMO.\n"
        )


def test_emulation_is_said_before_all_else() -> None:
    """The first line of an emulated run names the layer and its settings, in every view."""
    for view in View:
        first = render_report(emulated(good_report()), PIPE, view=view).split("\n", maxsplit=1)[0]
        assert first == "EMULATED RUN: VK_LAYER_VKZIRCON_external_memory (persona=strict)"


def test_an_error_comes_with_its_hint_at_the_top() -> None:
    """An error comes first, with its reason and what to do."""
    top = " ".join(render_report(_no_driver(), PIPE).split("\n\n", maxsplit=1)[0].split())
    assert top.startswith("✗ FAIL No Vulkan driver was found")
    assert top.endswith("only what it names is tried.")


def test_the_default_report_of_one_device_fits_a_screen() -> None:
    """80 columns and at most 60 lines."""
    lines = render_report(emulated(good_report()), SCREEN).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80


def test_color_decorates_and_no_more() -> None:
    """Without colour there is no escape code at all; with it the text is the same to the letter."""
    for name, report in {"good": good_report(), "bad": _failed(), "crash": _crashed()}.items():
        for page in (PIPE, SCREEN, _screen(33), ASCII):
            plain = render_report(report, page, verbose=True)
            colored = render_report(report, replace(page, color=True), verbose=True)
            assert "\x1b" not in plain, name
            assert "\x1b[" in colored
            assert ESCAPES.sub("", colored) == plain


def test_the_page_alone_decides_and_not_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich would ask COLUMNS, TERM and others by itself; a renderer looks at no machine."""
    before = [render_report(good_report(), page) for page in (PIPE, COLORED, _screen(100))]
    for name, value in {"COLUMNS": "31", "LINES": "5", "TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    assert [render_report(good_report(), page) for page in (PIPE, COLORED, _screen(100))] == before


def test_a_pipe_cuts_no_value() -> None:
    """A path, a name and a UUID are found by grep, however long, while sentences are wrapped."""
    path, name = "/" + "p" * 300, "N" * 256
    report = with_variables(with_devices(good_report(), device(who=identity(name))), VK_DRIVER_FILES=path)
    text = render_report(report, PIPE)
    assert f"VK_DRIVER_FILES={path}\n" in text
    assert f"Device 0: {name}\n" in text
    assert "6d657361-3232-2e33-2e36-000000000000" in text
    assert max(len(line) for line in text.splitlines() if name not in line and path not in line) <= 80


def test_a_narrow_screen_loses_no_value() -> None:
    """Below the table's width its rows become blocks: every flag and size is still there, whole at 40 columns."""
    text = render_report(good_report(), _screen(40), verbose=True)
    for word in ("DEVICE_LOCAL", "HOST_COHERENT", "8589934592", "64 KiB", "0x7: 0-2", "ok, 64 KiB", "round trip"):
        assert word in text
    assert "VK_FUCHSIA_external_memory" in "".join(render_report(good_report(), _screen(20)).split())


def test_heaps_are_compared_with_the_biggest() -> None:
    """The biggest heap's bar is full, a tiny one still shows, an empty one does not, and nothing is divided by zero."""
    report = with_devices(good_report(), device(has=memory((1,), (1 << 40, 1, 0))))
    bars = re.findall("[█░]+", render_report(report, PIPE, verbose=True))
    assert bars == ["█" * 20, "█" + "░" * 19, "░" * 20]
    empty = with_devices(good_report(), device(has=memory((), (0,))))
    assert "░" * 20 in render_report(empty, PIPE, verbose=True)
    none = with_devices(good_report(), device(has=memory((), ())))
    assert "Heaps none Memory types none" in _text(none, verbose=True)


def test_rights_are_said_once_when_all_types_have_them() -> None:
    """VMO rights stand once, or once for each set of types that share them."""
    assert _text(good_report(), verbose=True).count("VMO rights DUPLICATE") == 1
    less = device()
    basic = less.exports[0].handle.value.basic.value  # type: ignore[union-attr]
    assert basic is not None
    bare = handle(0, basic=Answer(replace(basic, rights=replace(basic.rights, value=0, names=()))))
    less = replace(less, exports=(replace(less.exports[0], handle=Answer(bare)), *less.exports[1:]))
    text = _text(with_devices(good_report(), less), verbose=True)
    assert "VMO rights type 0: none" in text
    assert "VMO rights types 1-2: DUPLICATE" in text


def test_what_is_missing_from_the_table_is_explained_below_it() -> None:
    """A refusal's code, a crash and a skip's reason are told in full, for all types that share them at once."""
    text = _text(_failed())
    assert "export type 0: vkAllocateMemory returned VK_ERROR_OUT_OF_DEVICE_MEMORY" in text
    assert "round trip type 1: the driver crashed in vkQueueSubmit (SIGSEGV)" in text
    assert "host write type 0: the memory type is not HOST_VISIBLE" in _text(good_report())


def test_an_empty_mask_names_no_type() -> None:
    """memory_type_bits of 0 is shown as what it is."""
    none = device(has=memory((1,)))
    found = replace(none.properties[0].properties.value, memory_type_bits=0)  # type: ignore[type-var]
    none = replace(none, properties=(replace(none.properties[0], properties=Answer(found)),))
    assert "0x0: none" in _text(with_devices(good_report(), none))


@pytest.mark.parametrize(("value", "word"), [(4, "software (CPU)"), (1, "integrated"), (77, "unknown (77)")])
def test_the_type_of_a_device_is_a_word(value: int, word: str) -> None:
    """A software device is called one, and a type without a name keeps its number."""
    assert f"type {word}, Vulkan 1.3.230 driver" in _text(with_devices(good_report(), device(who=identity(kind=value))))


def test_devices_that_were_not_selected_take_a_line() -> None:
    """Their names are there and nothing else of them."""
    text = render_report(_crashed(), PIPE)
    assert "\nDevice 1: Verdant X2 (not selected)\n" in text


def test_passes_are_counted_and_listed_only_when_asked_for() -> None:
    """By default what passed is a number; --verbose lists every check and every step's time."""
    short, long = _text(_failed()), _text(_failed(), verbose=True)
    assert "extension.listed" not in short
    assert "1 failed, 1 warned, 1 passed, 2 skipped." in short
    assert "PASS extension.listed VK_FUCHSIA_external_memory revision 1 is listed." in long
    assert "0.0 1.2 loader 1.5 0.5 device0/type0/export.plain" in long


def test_bad_checks_come_with_rule_and_advice() -> None:
    """A failure says what demands the other thing, and what to do."""
    text = _text(_failed())
    assert "✗ FAIL export.size Memory type 1: the VMO has 100 bytes for an allocation of 65536." in text
    assert "rule VUID-VkMemoryAllocateInfo-allocationSize-07903 advice An importer" in text


def test_checks_that_were_not_run_are_counted() -> None:
    """Those that need an option are counted with it; the reasons are in the table of --verbose."""
    checks = (
        result(Outcome.SKIP, "stress.memory", "Only run with --stress."),
        result(Outcome.SKIP, "export.size", "-"),
    )
    text = _text(concluded(good_report(), Outcome.PASS, "Fine.", 0, *checks))
    assert "2 skipped (1 only with --stress)." in text
    assert "SKIP export.fixed-size The page size is not known." in _text(_failed(), verbose=True)


def test_what_the_driver_printed_is_shown_when_it_matters() -> None:
    """Noise stays out of a good report, and of a bad one only ten different lines are shown, each once."""
    noisy = said(good_report(), "verdant: hello\n" * 40)
    assert "hello" not in _text(noisy)
    assert "verdant: hello (40 times)" in _text(noisy, verbose=True)
    text = render_report(_crashed(), PIPE)
    assert text.count("verdant: page fault") == 10
    assert "5 more lines: --verbose shows them." in text
    assert "512 more bytes were not kept." in text
    assert "error: loader_scanned_icd_add: wrong ELF class" in text
    assert "verdant: giving up (40 times)" in _text(_crashed(), verbose=True)


@pytest.mark.parametrize(
    ("report", "commands"),
    [
        (good_report(), ["vkzircon --verbose"]),
        (emulated(_failed()), ["vkzircon bundle --emulate", "vkzircon --emulate --verbose"]),
        (_not_offered(), ["vkzircon --emulate", "vkzircon doctor"]),
        (emulated(_not_offered()), ["vkzircon doctor --emulate"]),
        (_crashed(), ["vkzircon bundle --device 0", "vkzircon --device 0 --verbose"]),
        (
            concluded(good_report(), Outcome.TIMEOUT, "The driver hung.", 5),
            ["vkzircon bundle", "vkzircon --timeout 60"],
        ),
        (_no_driver(), []),
    ],
)
def test_what_to_do_next_comes_last_and_fits_the_outcome(report: Report, commands: list[str]) -> None:
    """The last lines are one or two commands that repeat this run's choices; an error has its hint instead."""
    _, _, end = render_report(report, PIPE).rpartition("\nNext:  ")
    lines = (line.partition("  #") for line in end.splitlines())
    assert [command.strip() for command, mark, _ in lines if mark] == commands


def test_what_to_do_next_goes_through_the_same_agent() -> None:
    """A command without the agent would examine this machine."""
    report = _not_offered()
    through = replace(report, environment=replace(report.environment, agent="ssh board agent"))
    commands = [command for command, _ in steps_after(through, verbose=False, advice=ANY_ADVICE)]
    assert commands == ["vkzircon --emulate --agent 'ssh board agent'", "vkzircon doctor --agent 'ssh board agent'"]


def test_no_command_is_advised_that_cannot_help() -> None:
    """None after `show`; no emulation that cannot work; a longer --timeout than that of the run."""

    def commands(report: Report, advice: Advice = ANY_ADVICE) -> list[str]:
        return [command for command, _ in steps_after(report, verbose=False, advice=advice)]

    for report in (good_report(), _failed(), _not_offered(), _crashed()):
        assert commands(report, Advice(probes=False, emulates=False)) == []
    bare = with_devices(_not_offered(), without_extension(device()))
    assert commands(_not_offered(), Advice(emulates=False)) == commands(bare) == ["vkzircon doctor"]
    hung = concluded(good_report(), Outcome.TIMEOUT, "The driver hung.", 5)
    for took_ms, end in ((60_000.0, " --timeout 240"), (2e6, " --verbose")):
        step = StepTime("device0/open", 0.0, took_ms)
        assert commands(replace(hung, run=replace(hung.run, steps=(step,))))[-1].endswith(end)
    moved, trip = next((row, row.round_trip.value) for row in device().data if row.round_trip.value is not None)
    trip = replace(trip, size=1 << 20)
    of = replace(device(), data=(replace(moved, round_trip=Answer(trip)),))
    assert commands(with_devices(good_report(), of))[-1] == "vkzircon --size 1048576 --verbose"


def test_only_what_the_loader_said_is_said_to_be_the_loaders() -> None:
    """Messages of vkzircon's own have a title of their own, and are not quoted as the loader's in a hint."""
    ours, theirs = Message("error", "the rest was not asked", own=True), Message("error", "no ICD")
    run = replace(good_report().run, messages=(ours, theirs))
    shown = {lines.title: [line for line, _ in lines.lines] for lines in printed(run)}
    assert shown["Messages of vkzircon"] == ["error: the rest was not asked"]
    assert shown["Messages of the loader"] == ["error: no ICD"]


def test_ascii_pages_hold_nothing_else() -> None:
    """Where the stream has no glyphs neither bars nor foreign letters need any, and columns are still aligned."""
    text = render_report(_foreign(), replace(ASCII, cuts=True), verbose=True)
    assert text.isascii()
    assert "Device 0: \\u663e\\u5361 [bold]" in text
    assert max(map(len, text.splitlines())) <= 80


def test_markup_emoji_names_and_links_are_plain_text() -> None:
    """Brackets and colons in a name are brackets and colons."""
    for name in ("[/] Mali [r0p0]", "[link=http://example.org]GPU[/link]", ":smile: GPU", "Mali [red", "a\\[b]"):
        text = render_report(with_devices(good_report(), device(who=identity(name))), COLORED)
        assert f"Device 0: {name}" in text
        assert "\x1b]8" not in text


def test_driver_text_of_many_lines_stays_in_its_column() -> None:
    """A few lines stand one below the other, many are shown in one with their line feeds escaped."""
    text = render_report(_foreign(), PIPE, verbose=True)
    assert "  driver        verdant, version 0x1000002\n  driver info   Driver Build: 85da404\n" in text
    assert "\\n\\n\\n" in text
