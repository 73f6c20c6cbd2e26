# SPDX-License-Identifier: Apache-2.0
"""Markdown for an issue tracker: it keeps its shape, mentions no user, and never grows too large to be posted.

The approved pages are `tests/golden/markdown/*.md`; run with VKZIRCON_UPDATE_GOLDEN=1 to write them anew.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from any_report import NASTY, hostile
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from reports import (
    concluded,
    device,
    emulated,
    good_report,
    identity,
    memory,
    result,
    said,
    stopped,
    with_devices,
    with_variables,
)

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.markdown import render_markdown
from vkzircon_cli.render.markdown_writer import code, fence, prose, table
from vkzircon_cli.render.style import View
from vkzircon_cli.report.redaction import Hidden
from vkzircon_cli.report.report import Report
from vkzircon_cli.saved.load import read

CAPTURES = sorted((Path(__file__).parents[1] / "golden" / "captures").glob("*.json"))
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MOST_BYTES = 60_000
_TEXT = ("text", "text_special")
_TAGS = re.compile(r"</?([a-z]+)[^>]*>")


def _tokens(text: str) -> Iterator[Token]:
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


def _shape(text: str) -> list[str]:
    """Return the blocks of a page in order, and the tags that are no code: no foreign text may change them."""
    shape = []
    for token in _tokens(text):
        if token.type in ("html_block", "html_inline"):
            shape += [tag for tag in _TAGS.findall(token.content) if tag != "code"]
        elif token.type not in (*_TEXT, "code_inline", "inline", "softbreak"):
            shape.append(token.type)
    return shape


def _plain_text(text: str) -> str:
    """Return the text of a page without its code."""
    inside, plain = False, []
    for token in _tokens(text):
        if token.type == "html_inline":
            inside = token.content == "<code>"
        elif token.type in _TEXT and not inside:
            plain.append(token.content)
    return " ".join(plain)


def _read_back(text: str) -> str:
    return "".join(token.content for token in _tokens(text) if token.type in (*_TEXT, "code_inline"))


def _report(words: str) -> Report:
    """Make a report in which everything foreign says *words*."""
    who = identity(words, info=words.replace("\n", " "))
    report = with_devices(emulated(good_report()), device(who=who), replace(device(1, who), selected=False))
    report = with_variables(report, VK_DRIVER_FILES=words)
    checks = (result(Outcome.FAIL, "export.size", words), result(Outcome.PASS, "export.rights", words))
    return concluded(report, Outcome.FAIL, words, 1, *checks)


@settings(deadline=None, max_examples=200)
@given(hostile.filter(lambda words: bool(visible(words).strip())))
def test_no_text_changes_the_page(words: str) -> None:
    """Every table, list and fold is that of a harmless report; no text is a link, a tag or a heading."""
    for view in (View.REPORT, View.CHECKS):
        pages = [render_markdown(_report(each), view, None) for each in (words, "fine")]
        assert _shape(pages[0]) == _shape(pages[1])


@settings(deadline=None, max_examples=200)
@given(hostile)
def test_no_text_mentions_a_user(words: str) -> None:
    """What a tracker would act upon is in code: people, issues, addresses, emoji, formulas."""
    page = render_markdown(_report(words), View.REPORT, None)
    folds = "".join(token.content for token in _tokens(page) if token.type == "html_block")
    assert "`" not in folds
    for plain in (_plain_text(page), re.sub("<code>.*?</code>", "", folds, flags=re.DOTALL)):
        assert not re.search(r"@\w|#\d|\w://|(?<!\w)www\.|:\w+:|\$|\bGH-\d", plain)


@pytest.mark.parametrize("words", ["a|b@c.example", "`b@c.example", "<b@c.example>", "b@c.example & d\\e@f.example"])
def test_no_mail_address_is_a_link(words: str) -> None:
    """Trackers link an address that stands together, in a code tag too; it still reads unchanged."""
    for text in (prose(words), code(words)):
        shown = [token.content for token in _tokens(text) if token.type in _TEXT]
        assert not any(re.search(r"\w@\w", each) for each in shown)
        assert [c for c in _read_back(text) if c != " "] == [c for c in words if c != " "]


@pytest.mark.parametrize("name", ["GH-12", "www.example", "0123abc", "a/b/c"])
@pytest.mark.parametrize("before", ["", "a,", "it's/", "(", "1.5-"])
def test_what_trackers_link_is_code_after_any_mark(before: str, name: str) -> None:
    """An issue, an address or a commit begins a link in the middle of a word too."""
    assert name not in _plain_text(prose(f"see {before}{name}, then"))


_ALL = 10_000  # more than the longest of them has


@given(st.lists(st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8"), max_size=6), max_size=6).map(" ".join))
def test_words_read_as_they_are(words: str) -> None:
    """Rendered, prose has the words that went in, and a value has them to the letter."""
    assert _read_back(prose(words, _ALL)).split() == visible(words).split()
    if visible(words).strip():
        assert _read_back(code(words, _ALL)).strip() == visible(words).strip()


def test_a_plain_sentence_stays_plain() -> None:
    """Most of what is said needs no code at all."""
    sentence = "NVIDIA H100 80GB HBM3 shares its memory as a Zircon VMO; it's 1.5 times (or so) larger, isn't it."
    assert prose(sentence) == sentence


def test_long_words_are_cut_and_counted() -> None:
    """A reader learns how much is missing."""
    assert prose("x" * 100, limit=10) == "xxxxxxxxxx... (90 more characters)"
    assert code("y y" * 100, limit=3) == "`y y... (297 more characters)`"


def test_a_fence_is_longer_than_what_is_in_it() -> None:
    """Printed lines cannot end their block."""
    lines = ["```", "~~~", "`````", "\x1b[31m</details>"]
    (token,) = MARKDOWN.parse("\n".join(fence(lines)))
    assert token.content == "```\n~~~\n`````\n\\x1b[31m</details>\n"


def test_a_table_is_one() -> None:
    """It has the cells that it was given, with any text in them."""
    tokens = Counter(token.type for token in MARKDOWN.parse(table(("a", "b"), [[prose(w), code(w)] for w in NASTY])))
    assert (tokens["table_open"], tokens["tr_open"], tokens["td_open"]) == (1, len(NASTY) + 1, 2 * len(NASTY))


def _huge() -> Iterator[Report]:
    yield with_variables(good_report(), VK_DRIVER_FILES="`|<&" * 25_000)
    types = memory([7] * 32, [1 << 30] * 16)
    yield with_devices(good_report(), *(device(index, identity("x" * 256), types) for index in range(32)))
    yield said(good_report(), "".join(f"{line} \x1b{'|' * 60}\n" for line in range(900)), ["é" * 4096] * 50)
    checks = [result(Outcome.FAIL, f"export.check-{number}", "@" * 5000) for number in range(500)]
    yield concluded(good_report(), Outcome.FAIL, "@ " * 50_000, 1, *checks)
    yield stopped(good_report(), "`" * 100_000, "<" * 100_000)


@pytest.mark.parametrize("report", list(_huge()))
@pytest.mark.parametrize("view", list(View))
def test_no_report_is_too_large(report: Report, view: View) -> None:
    """Anything large is cut, and the page says so and is whole: all folds and blocks end."""
    text = render_markdown(report, view, (Hidden("user name", 3),) * 100)
    assert len(text.encode()) < MOST_BYTES
    assert Counter(_shape(text))["details"] % 2 == 0
    assert "With --no-redact nothing is." in text.splitlines()[-1]
    if len(text) > MOST_BYTES // 2:
        assert "--format json has everything." in text
    shape = _shape(text)
    assert shape.count("table_open") == shape.count("table_close") > 0


def test_what_failed_stands_first() -> None:
    """The verdict, then what did not hold with rule and advice, and none of it folded away."""
    report = concluded(emulated(good_report()), Outcome.FAIL, "Verdant X1: failed export.size.", 1)
    report = replace(report, checks=(*report.checks, result(Outcome.FAIL, "export.size", "It is too small.")))
    text = render_markdown(report, View.REPORT, None)
    assert text.startswith("**EMULATED RUN** by `VK_LAYER_VKZIRCON_external_memory` (`persona=strict`)\n\n### FAIL: ")
    unfolded = text.partition("<details>")[0]
    for told in ("**FAIL** `export.size`: It is too small.", "rule: ", "advice: An importer", "| loader | "):
        assert told in unfolded
    assert "export.handle-is-vmo" in text.partition("<details>")[2]


def test_checks_alone_are_shorter() -> None:
    """What `check` writes has every verdict, and nothing of memory or steps."""
    text = render_markdown(good_report(), View.CHECKS, None)
    assert "All checks: 2 passed, 1 noted" in text
    assert "Heaps" not in text
    assert "Steps" not in text


def test_the_foot_says_what_was_hidden() -> None:
    """Nothing is hidden without a word, and where nothing was looked for nothing is said."""
    assert "Hidden: UUID (4 times), user name (1 time). With --no-redact nothing is." in render_markdown(
        good_report(), View.REPORT, (Hidden("UUID", 4), Hidden("user name", 1))
    )
    assert "Nothing had to be hidden" in render_markdown(good_report(), View.REPORT, ())
    assert "idden" not in render_markdown(good_report(), View.REPORT, None)


def _failed() -> Report:
    """Make an emulated report that failed, of a device whose name and variables are foreign."""
    report = with_devices(emulated(good_report()), device(who=identity("Verdant | <X1> @home #12")))
    report = with_variables(report, VK_DRIVER_FILES="/opt/a|b/icd.json")
    checks = (result(Outcome.FAIL, "export.size", "It is 4096 bytes too small."), *report.checks)
    return concluded(report, Outcome.FAIL, "Verdant | <X1> @home #12: failed export.size.", 1, *checks)


GOLDEN = Path(__file__).parents[1] / "golden" / "markdown"
GOLDENS: dict[str, Callable[[], str]] = {
    "shared": lambda: render_markdown(good_report(), View.REPORT, (Hidden("UUID", 4),)),
    "failed": lambda: render_markdown(_failed(), View.REPORT, None),
    "no-driver": lambda: render_markdown(
        stopped(good_report(), "No Vulkan driver was found.", "Install one."), View.REPORT, ()
    ),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_the_page_is_the_approved_one(name: str) -> None:
    """A change of the looks is seen by a person before it is kept."""
    path, text = GOLDEN / f"{name}.md", GOLDENS[name]()
    if os.environ.get("VKZIRCON_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_is_one_of_ours() -> None:
    """No page is left behind when its case goes."""
    assert {path.stem for path in GOLDEN.glob("*.md")} == set(GOLDENS)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_every_capture_is_a_page(capture: Path) -> None:
    """Real reports render to tables that are tables, under the limit, with every check's id."""
    report = read(capture)
    text = render_markdown(report, View.REPORT, None)
    assert len(text.encode()) < MOST_BYTES
    assert all(f"`{each.id}`" in text for each in report.checks)
    assert not re.search(r"@\w|#\d|\w://", _plain_text(text))
    assert "No room here" not in text
