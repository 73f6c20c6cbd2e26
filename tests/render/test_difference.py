# SPDX-License-Identifier: Apache-2.0
"""A difference on the page, in JSON and in Markdown: what it says, and that no foreign text does harm in it."""

import json
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from any_report import reports
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from reports import device, emulated, good_report, identity, result, said, with_devices, with_variables
from rich.cells import cell_len

from vkzircon_cli.checks import Outcome
from vkzircon_cli.diff import Difference, compare
from vkzircon_cli.render.difference import render_difference_terminal
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.markdown import render_difference_markdown
from vkzircon_cli.render.style import Page
from vkzircon_cli.report.report import Report
from vkzircon_cli.saved.load import read
from vkzircon_cli.saved.schema import parse
from vkzircon_cli.stream.fold import StepTime

GOOD = good_report()
PIPE = Page(80, cuts=False, color=False, ascii=False)
H200 = Path(__file__).parents[1] / "golden" / "captures" / "nvidia-h200-emulated.json"
pages = st.builds(Page, st.integers(20, 140), st.booleans(), st.just(False), st.booleans())


def _terminal(before: Report, after: Report, page: Page = PIPE) -> str:
    return render_difference_terminal(compare(before, after), page)


def _markdown(difference: Difference) -> str:
    return render_difference_markdown(difference, None)


def _checked(*outcomes: Outcome, sentence: str = "So it is.") -> Report:
    checks = (result(each, f"export.check{number}", sentence) for number, each in enumerate(outcomes))
    return replace(GOOD, checks=tuple(checks))


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (GOOD, "Nothing differs."),
        (_checked(Outcome.FAIL), "1 verdict differs."),
        (_checked(Outcome.PASS, sentence="Yes."), "Nothing differs but the wording of 1 verdict."),
        (with_variables(_checked(Outcome.FAIL), VK_DRIVER_FILES="a"), "1 verdict, 1 fact of the machine differ."),
    ],
)
def test_the_first_line_says_what_differs(after: Report, says: str) -> None:
    """Nothing, or how much of what; the same in Markdown's heading."""
    before = _checked(Outcome.PASS) if after is not GOOD else GOOD
    assert _terminal(before, after).splitlines()[0] == says
    assert _markdown(compare(before, after)).splitlines()[0] == f"### {says}"


def test_both_sides_are_told() -> None:
    """Outcome, exit code, time and tool of each side, and that one of them is emulated."""
    text = _terminal(GOOD, emulated(GOOD))
    before, after = text.split("  after ")
    assert "exit code 0, vkzircon 1.0, 2024-05-01T12:00:00Z" in before
    assert "EMULATED RUN" in after
    assert "EMULATED RUN" not in before


def test_before_is_minus_and_after_is_plus() -> None:
    """The signs say it all, without any colour."""
    text = _terminal(_checked(Outcome.PASS), _checked(Outcome.FAIL, sentence="No."))
    assert "worse  export.check0\n    - pass: So it is.\n    + fail: No.\n" in text


def test_a_short_change_takes_one_line() -> None:
    """Where both values have room beside each other, they stand so; where not, below each other."""
    after = with_devices(GOOD, device(who=identity("Verdant X2")))
    assert "\n  name: Verdant X1 -> Verdant X2\n" in _terminal(GOOD, after)
    assert "\n  name\n    - Verdant X1\n    + Verdant X2\n" in _terminal(GOOD, after, replace(PIPE, width=25))


def test_many_skips_for_one_reason_are_one_row() -> None:
    """A crash at the start does not bury what crashed."""
    before = _checked(*[Outcome.PASS] * 9)
    text = _terminal(before, _checked(Outcome.CRASH, *[Outcome.SKIP] * 8, sentence="It crashed."))
    assert text.index("worse  export.check0") < text.index("worse  8 checks: 8 of export")
    assert text.count("skip: It crashed.") == 1


def test_each_of_several_devices_has_its_own_part() -> None:
    """The heading names the device that the rows are about."""
    two = with_devices(GOOD, device(0, identity("A")), device(1, identity("B")))
    changed = with_devices(GOOD, device(0, identity("A")), device(1, identity("B", info="other")))
    text = _terminal(two, changed)
    assert "Device (device 1, B)\n" in text
    assert "(device 0, A)" not in text


def test_times_stand_apart() -> None:
    """They are told last, with their ratio, and the first line does not count them."""
    slow = replace(GOOD, run=replace(GOOD.run, duration_ms=500.0, steps=(StepTime("loader", 0.0, 125.0),)))
    text = _terminal(GOOD, slow)
    assert text.startswith("Nothing differs.\n")
    assert "Total time: 103 ms before, 500 ms after." in text
    assert text.endswith("1.2     125.0  100.00  loader\n")


@settings(deadline=None, max_examples=50)
@given(reports(), reports(), pages)
def test_any_two_reports_can_be_compared(before: Report, after: Report, page: Page) -> None:
    """No text acts upon the terminal, JSON comes back as the same difference, and no report differs from itself."""
    difference = compare(before, after)
    _is_harmless(render_difference_terminal(difference, page), page)
    text = render_json(difference)
    assert text.isascii()
    assert parse(Difference, text) == difference
    assert not compare(before, before).differs
    assert _terminal(before, before).startswith("Nothing differs.\n")


def _is_harmless(text: str, page: Page) -> None:
    """Hold that no control or invisible character gets through, and that a screen is not overrun."""
    bad = {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs")}
    assert bad <= {"\n"}
    assert not page.ascii or text.isascii()
    assert not page.cuts or max(map(cell_len, text.splitlines())) <= page.width


def _tokens(text: str) -> list[Token]:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [leaf for token in parser.parse(text) for leaf in (token, *(token.children or ()))]


def _hostile(words: str) -> Difference:
    """Make a difference in which everything foreign says *words*."""
    who = identity(words + "2", info=words)
    after = said(with_devices(with_variables(emulated(GOOD), VK_LAYER_PATH=words + "1"), device(who=who)), words)
    run = replace(after.run, steps=(StepTime(words, 0.0, 100.0),), started=words)
    after = replace(after, run=run, checks=(result(Outcome.FAIL, "export.size", words + "!"),))
    before = replace(GOOD, run=replace(run, steps=(StepTime(words, 0.0, 1.0),)))
    return compare(before, after)


_PLAIN = Counter(token.type for token in _tokens(_markdown(_hostile("word"))))
_SHAPE = ("tr_open", "td_open", "th_open", "heading_open", "bullet_list_open", "ordered_list_open", "blockquote_open")
_marks = st.sampled_from(
    ["|", "\\", "`", "@x", "#1", "<b>", "</td>", "[a](b)", "http://x.y", "www.x.y", "\n", "**", "1."]
)
_words = st.lists(_marks | st.text(st.characters(codec="utf-8"), max_size=5), max_size=6).map(" ".join) | st.lists(
    _marks, max_size=6
).map("".join)


@settings(deadline=None, max_examples=200)
@given(_words)
def test_no_text_marks_anything_in_markdown(words: str) -> None:
    """The table keeps its shape; nothing is linked, mentioned or made a tag of, but for our own."""
    tokens = _tokens(_markdown(_hostile(words)))
    types = Counter(token.type for token in tokens)
    assert {name: types[name] for name in _SHAPE} == {name: _PLAIN[name] for name in _SHAPE}
    assert not types.keys() & {"link_open", "image", "s_open", "em_open", "fence"}
    assert {token.content for token in tokens if token.type == "html_inline"} <= {"<code>", "</code>"}
    prose = "".join(token.content for token in tokens if token.type == "text")
    assert "@x" not in "".join(_outside_code(tokens))
    assert "\n" not in prose


def _outside_code(tokens: list[Token]) -> list[str]:
    found, inside = [], False
    for token in tokens:
        if token.type == "html_inline":
            inside = token.content == "<code>"
        elif token.type == "text" and not inside:
            found.append(token.content)
    return found


def _huge(word: str) -> Report:
    who = identity(word * 50_000, info=word * 50_000)
    devices = [replace(device(number, who), index=number) for number in range(32)]
    checks = tuple(result(Outcome.FAIL, f"export.{i}", word * 9000, device=d) for d in range(32) for i in range(60))
    return replace(with_devices(with_variables(GOOD, VK_LAYER_PATH=word * 100_000), *devices), checks=checks)


def test_markdown_is_never_too_large_for_a_tracker() -> None:
    """Under 60,000 bytes for any difference; the rows left out are counted, and a cut page is whole Markdown."""
    text = _markdown(compare(_huge("|界"), replace(_huge("\\`"), checks=())))
    assert len(text.encode()) < 60_000
    assert "No room here for" in text
    assert text.count("<details>") == text.count("</details>")


def test_markdown_says_what_the_terminal_says() -> None:
    """Every row of a real pair of reports is in both."""
    before, after = read(H200), with_devices(GOOD, device())
    difference = compare(before, after)
    flat = " ".join(_terminal(before, after, replace(PIPE, width=400)).split())
    cells: list[Any] = [t.content for t in _tokens(_markdown(difference)) if t.type == "inline"]
    for change in difference.facts:
        subject = change.what
        assert subject in flat
        assert any(subject == cell.replace("`", "") for cell in cells), subject


def test_json_has_the_areas_and_the_verdict() -> None:
    """A program reads from one key whether they differ, and from another how much in each area."""
    document = json.loads(render_json(compare(GOOD, _checked(Outcome.FAIL))))
    assert document["differs"] is True
    assert document["areas"] == {
        "verdicts": 4,
        "extension": 0,
        "rights": 0,
        "sharing": 0,
        "figures": 0,
        "device": 0,
        "memory": 0,
        "machine": 0,
        "place": 0,
    }
    assert (document["schema_version"], document["kind"]) == ("1.4", "diff")
