# SPDX-License-Identifier: Apache-2.0
"""A diagnosis on a page: everything foreign is harmless, nothing that is wrong is left out, all widths hold."""

import unicodedata
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from reports import good_report, with_devices
from rich.cells import cell_len

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.diagnosis import Diagnosis, conclude
from vkzircon_cli.doctor.finding import Finding, branch
from vkzircon_cli.render.doctor import render_diagnosis_terminal
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.style import Page

PLAIN = Page(80, cuts=True, color=False, ascii=False)
BAD = Finding(
    "manifest.bad-json", "/x.json", Outcome.FAIL, "/x.json is not JSON.", ("/x.json:1:2",), "A comma.", "ls /x.json"
)
FINE = Finding("manifest.fine", "/y.json", Outcome.PASS, "/y.json loads.")
hostile = st.text(st.characters(codec="utf-8") | st.sampled_from("[]:\\\n\t\r\x1b \u202e\u200b\u0301界😀"), max_size=80)
pages = st.builds(Page, st.integers(20, 140), st.booleans(), st.booleans(), st.booleans())


def _diagnosis(*children: Finding) -> Diagnosis:
    return conclude(good_report(), (branch("drivers", "", "1 of 2 leads to a driver.", children),))


def test_what_is_wrong_stands_with_evidence_cause_and_command() -> None:
    """What is fine is folded into its parent's line, unless more is asked for."""
    text = render_diagnosis_terminal(_diagnosis(BAD, FINE), PLAIN)
    for words in ("[✗] Drivers:", "[✗] FAIL  /x.json is not JSON.", "/x.json:1:2", "why: A comma.", "try: ls /x.json"):
        assert words in text
    assert "/y.json" not in text
    assert "[✓] PASS  /y.json loads." in render_diagnosis_terminal(_diagnosis(BAD, FINE), PLAIN, verbose=True)


def test_a_healthy_end_names_the_next_command() -> None:
    """The device offers the extension, so sharing can be tried; no problem leads to that command."""
    assert "\nNext:  vkzircon  #" in render_diagnosis_terminal(_diagnosis(FINE), PLAIN)
    assert "Next" not in render_diagnosis_terminal(_diagnosis(BAD), PLAIN)


def test_a_note_alone_is_no_tick() -> None:
    """A part in which nothing passed has the mark of its notes or skips; beside a pass they do not count."""
    note, skip = replace(FINE, outcome=Outcome.INFO), replace(FINE, outcome=Outcome.SKIP)
    marks = [branch("x", "", "", of).outcome for of in ((note,), (skip, note), (note, FINE, skip), ())]
    assert marks == [Outcome.INFO, Outcome.SKIP, Outcome.PASS, Outcome.PASS]


def test_a_folded_child_hides_no_grandchild() -> None:
    """A note on a file that is fine is shown below it."""
    note = Finding("manifest.note", "/y.json", Outcome.WARN, "/y.json is odd.", command="x")
    text = render_diagnosis_terminal(_diagnosis(replace(FINE, children=(note,))), PLAIN)
    assert "/y.json is odd." in text


def test_the_worst_problem_is_the_verdict_and_the_others_are_counted() -> None:
    """No device at all is exit 4 with the first problem as its cause; a warning alone is exit 1."""
    found = _diagnosis(replace(BAD, outcome=Outcome.WARN, sentence="Odd."), BAD)
    assert (found.exit_code, found.summary.outcome) == (1, Outcome.FAIL)
    assert found.summary.sentence == "/x.json is not JSON. (1 more problem below)"
    assert (found.summary.counts["fail"], found.summary.counts["warn"]) == (1, 1)
    nothing = conclude(with_devices(good_report()), found.findings)
    assert nothing.exit_code == 4
    assert "/x.json is not JSON." in nothing.summary.sentence
    assert _diagnosis(FINE).exit_code == 0
    assert _diagnosis(replace(BAD, outcome=Outcome.INFO), replace(BAD, outcome=Outcome.SKIP)).exit_code == 0


@settings(deadline=None)
@given(hostile, pages, st.sampled_from(Outcome), st.booleans())
def test_no_text_acts_upon_the_terminal(words: str, page: Page, outcome: Outcome, verbose: bool) -> None:
    """Nothing raises, no control or direction character gets through, and no line is wider than a page that cuts."""
    child = Finding("manifest.x", words, outcome, words, (words,), words, words, (BAD,))
    text = render_diagnosis_terminal(_diagnosis(child), replace(page, color=False), verbose)
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in text.replace("\n", ""))
    if page.ascii:
        assert text.isascii()
    if page.cuts:
        assert max(map(cell_len, text.splitlines())) <= page.width


@settings(deadline=None)
@given(hostile)
def test_json_holds_what_was_found(words: str) -> None:
    """As one ASCII document."""
    text = render_json(_diagnosis(replace(BAD, sentence=words)))
    assert text.isascii()
    assert '"findings"' in text
