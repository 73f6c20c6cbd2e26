# SPDX-License-Identifier: Apache-2.0
"""No text of a driver, a layer or a variable changes the page's shape or the terminal's state."""

import re
import unicodedata
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from reports import (
    concluded,
    device,
    emulated,
    good_report,
    identity,
    result,
    said,
    stopped,
    with_devices,
    with_variables,
)
from rich.cells import cell_len

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.style import Page, View
from vkzircon_cli.render.terminal import render_report
from vkzircon_cli.report.report import Report

_NASTY = [
    "\x1b[31m",
    "\r",
    "\x08",
    "\x00",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
    "[/]",
    "[bold]",
    ":x:",
    "::error::",
    "##vso[",
    "A" * 30,
]
hostile = st.text(
    st.characters(codec="utf-8") | st.sampled_from("[]:\\\n\t\r\x1b \u202e\u200b\u0301界😀"), max_size=80
) | st.lists(st.sampled_from(_NASTY)).map("".join)
pages = st.builds(Page, st.integers(20, 140), st.booleans(), st.booleans(), st.booleans())


def _report(words: str, fails: bool) -> Report:
    """Make a report in which everything foreign says *words*."""
    who = identity(words, info=words)
    report = with_devices(emulated(good_report()), device(who=who), replace(device(1, who), selected=False))
    report = said(with_variables(report, VK_DRIVER_FILES=words), words, [words])
    if fails:
        return stopped(report, f"{words}: no.", words)
    return concluded(report, Outcome.CRASH, f"{words} is broken.", 5, result(Outcome.CRASH, "export.size", words))


def _renderings(report: Report, page: Page) -> list[str]:
    return [render_report(report, page, verbose, view) for view in View for verbose in (False, True)]


@settings(deadline=None)
@given(hostile, pages, st.booleans())
def test_no_text_acts_upon_the_terminal(words: str, page: Page, fails: bool) -> None:
    """Nothing raises, and no control, direction or invisible character gets through."""
    for text in _renderings(_report(words, fails), replace(page, color=False)):
        assert text.endswith("\n")
        bad = {
            character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs")
        }
        assert bad <= {"\n"}
        assert not re.search(r"^\s*::[a-z-]+::|##\w*\[", text, re.MULTILINE)
        assert not page.ascii or text.isascii()


@settings(deadline=None)
@given(hostile, pages, st.booleans())
def test_a_screen_is_never_overrun(words: str, page: Page, fails: bool) -> None:
    """Where the page cuts, no line is wider than it."""
    for text in _renderings(_report(words, fails), replace(page, color=False, cuts=True)):
        assert max(map(cell_len, text.splitlines())) <= page.width


@settings(deadline=None)
@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=300), st.integers(20, 140))
def test_a_pipe_never_breaks_a_word(word: str, width: int) -> None:
    """Where the page does not cut, every value is on one line, whole."""
    text = render_report(_report(word, False), Page(width, cuts=False, color=False, ascii=False))
    assert f"Device 0: {visible(word)}\n" in text
    assert f"VK_DRIVER_FILES={visible(word)}\n" in text


@settings(deadline=None)
@given(hostile, pages)
def test_color_never_changes_the_layout(words: str, page: Page) -> None:
    """With the codes taken out again, a coloured page is the plain one."""
    report = _report(words, False)
    colored = render_report(report, replace(page, color=True), verbose=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render_report(report, replace(page, color=False), verbose=True)


def test_extension_names_and_layers_are_foreign_too() -> None:
    """Text that is not the device's own gets the same treatment."""
    report = good_report()
    instance = report.instance.value
    assert instance is not None
    layer = replace(instance.layers[0], name="[red]\x1b", description="a\nb\u202e")
    extensions = (Extension("VK_FUCHSIA_imagepipe_surface", 1), Extension("\x1b]0;x\x07", 1))
    instance = replace(instance, layers=(layer,), extensions=extensions, enabled_extensions=("\x1b]0;x\x07",))
    text = render_report(
        replace(report, instance=replace(report.instance, value=instance)), Page(80, False, False, False), verbose=True
    )
    assert "[red]\\x1b 1.1.0: a\\nb\\u202e" in text
    assert "\x1b" not in text
