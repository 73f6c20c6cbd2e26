# SPDX-License-Identifier: Apache-2.0
"""The HTML page: nothing foreign acts on it, and it reads well as markup; `test_html_browser` looks at it."""

import re
import unicodedata
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from html_reports import NAMES, failed, report_named
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Parsed
from reports import emulated, good_report, said

from vkzircon_cli.model.text import visible
from vkzircon_cli.render.html import render_html
from vkzircon_cli.render.style import View
from vkzircon_cli.report.redaction import Hidden
from vkzircon_cli.report.report import Report

T = TypeVar("T")
_NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</style>",
    "</title>",
    "</svg>",
    "<!--",
    "]]>",
    "{{7*7}}",
    "{% raw %}",
    '" onload="x',
    "' x='",
    "&lt;",
    "&#60;",
    "javascript:x",
    "\x00",
    "\x1b[31m",
    "\u202e",
    "\u200b",
    "\u2028",
    "\ud800",
    "\ufeff",
]
hostile = st.text(st.characters() | st.sampled_from("<>&\"'`=/{}%#!-[] \n\t\x00\u202e界😀"), max_size=60) | st.lists(
    st.sampled_from(_NASTY)
).map("".join)


def _page(report: Report, view: View = View.REPORT, hidden: tuple[Hidden, ...] | None = ()) -> str:
    return render_html(report, view, hidden)


def _saying(value: T, words: str) -> T:
    """Return *value* with *words* in the place of every string."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return words  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(_saying(item, words) for item in value)  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        changes: dict[str, Any] = {f.name: _saying(getattr(value, f.name), words) for f in fields(value)}
        return replace(value, **changes)
    return value


@cache
def _full() -> Report:
    return said(emulated(failed()), "printed", ["message"])


@cache
def _benign(view: View) -> frozenset[Any]:
    return frozenset(Parsed(_page(_saying(_full(), "x"), view, (Hidden("x", 1),))).tags)


@settings(deadline=None)
@given(hostile, st.sampled_from([View.REPORT, View.CHECKS]))
def test_no_text_becomes_markup(words: str, view: View) -> None:
    """With any text in every string, the page has no tag and no attribute that a harmless report lacks."""
    parsed = Parsed(_page(_saying(_full(), words), view, (Hidden(words, 1),)))
    assert frozenset(parsed.tags) <= _benign(view)
    assert not parsed.misfits
    assert not parsed.comments
    assert visible(words) in parsed.text


@settings(deadline=None)
@given(hostile)
def test_nothing_on_the_page_is_hidden_or_turns_it(words: str) -> None:
    """No control, direction or invisible character gets through, so that what is read is what is there."""
    page = _page(_saying(_full(), words))
    assert {each for each in page if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs")} <= {"\n"}
    page.encode()


def test_a_text_without_end_is_cut() -> None:
    """A driver that says a megabyte makes no page of a megabyte, and what is left out is counted."""
    page = _page(_saying(_full(), "y" * 1_000_000))
    assert len(page) < 2_000_000
    assert "y... (996000 more characters)" in page


@pytest.mark.parametrize("name", NAMES)
def test_the_markup_is_sound(name: str) -> None:
    """Every report: well formed, one h1 and no level left out, ids unique, every target of a reference exists."""
    parsed = Parsed(_page(report_named(name)))
    assert not parsed.misfits
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = parsed.values("id")
    assert max(Counter(ids).values()) == 1
    targets = [target.removeprefix("#") for target in parsed.values("href")]
    labels = [label for value in parsed.values("aria-labelledby") for label in value.split()]
    assert set(targets + labels) <= set(ids)


@pytest.mark.parametrize("name", NAMES)
def test_who_cannot_see_is_told_the_same(name: str) -> None:
    """Tables say which header is which, and a picture has a title and words, or is passed over."""
    parsed = Parsed(_page(report_named(name)))
    for tag, pairs in parsed.tags:
        attrs = dict(pairs)
        assert tag != "th" or attrs["scope"] in ("row", "col")
        if tag == "svg" and attrs.get("aria-hidden") != "true":
            assert attrs["role"] == "img"
            title, words = str(attrs["aria-labelledby"]).split()
            assert ("title", (("id", title),)) in parsed.tags
            assert ("desc", (("id", words),)) in parsed.tags


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_comes_first(name: str) -> None:
    """The page begins with the emulation, the result, and what to do."""
    report = report_named(name)
    body = Parsed(_page(report).partition("</style>")[2]).text
    said_first = ["EMULATED RUN"] if report.emulation.active else []
    said_first += [visible(report.error.message if report.error else report.summary.sentence)]
    said_first += [visible(report.error.hint)] if report.error else []
    places = [body.index(words) for words in said_first]
    assert places == sorted(places)
    assert places[-1] < body.index("Machine")


def test_every_finding_has_its_rule_and_advice() -> None:
    """What failed stands on the page with the rule that it rests on and what to do about it."""
    report = failed()
    text = Parsed(_page(report)).text
    bad = [result for result in report.checks if result.advice]
    assert bad
    for result in bad:
        assert text.index("What failed or warned") < text.index(result.sentence) < text.index("All checks")
        assert result.advice is not None
        assert result.rule in text
        assert result.advice in text


def test_all_checks_are_on_the_page() -> None:
    """Folded or not, every verdict of the capture is there."""
    report = report_named("nvidia-h200-emulated")
    for page in (_page(report), _page(report, View.CHECKS)):
        text = Parsed(page).text
        assert [each.id for each in report.checks if each.id not in text or each.sentence not in text] == []


def test_checks_alone_leave_the_machine_out() -> None:
    """`check` gives verdicts: no device, no machine, no times."""
    text = Parsed(_page(failed(), View.CHECKS).partition("</style>")[2]).text
    assert "export.size" in text
    assert not any(words in text for words in ("Machine", "Times", "Identity", "VMO bits"))


def test_times_stand_in_their_own_section() -> None:
    """Two runs that found the same differ in no other place."""
    report = failed()
    later = replace(report, run=replace(report.run, started="2031-01-01T00:00:00Z", duration_ms=999.0, steps=()))
    first, second = (
        re.sub(r'<section id="times".*?</section>', "", _page(each), flags=re.DOTALL) for each in (report, later)
    )
    assert first == second


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        (
            (Hidden("UUID", 4), Hidden("host name", 1)),
            "Hidden in this page: UUID (4 times), host name (1 time). --no-redact",
        ),
        ((), "Nothing had to be hidden"),
        (None, "Nothing is hidden in this page (--no-redact)"),
    ],
)
def test_the_foot_tells_what_was_hidden(hidden: tuple[Hidden, ...] | None, words: str) -> None:
    """The foot says that something is hidden, that nothing had to be, or that redaction was off."""
    foot = Parsed(_page(good_report(), hidden=hidden)).text.rpartition("</style>")[2]
    assert words in " ".join(foot.split())


def test_templates_are_package_data() -> None:
    """What the page is made of lies where importlib.resources finds it, in a wheel as well."""
    folder = files("vkzircon_cli.render").joinpath("templates")
    names = {each.name for each in folder.iterdir()}
    assert {"report.html", "device.html", "times.html", "parts.html", "pictures.html", "style.css"} <= names


def _colors() -> list[dict[str, str]]:
    """Return the style sheet's colours: light, dark, print."""
    style = files("vkzircon_cli.render").joinpath("templates", "style.css").read_text()
    sets = [
        dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    light, dark, printed = sets
    return [light, {**light, **dark}, {**light, **printed}]


def _luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colors", _colors(), ids=["light", "dark", "print"])
def test_every_text_can_be_read(colors: dict[str, str]) -> None:
    """Text stands out against what is behind it by 4.5 to 1 at least (WCAG 2.2, AA)."""
    looks = ("good", "note", "skip", "warn", "bad", "mark")
    pairs = [(text, behind) for text in ("text", "dim", "link") for behind in ("page", "card", "inset")]
    pairs += [(look, f"{look}-bg") for look in looks] + [(look, b) for look in looks for b in ("card", "inset")]
    for text, behind in pairs:
        dark, bright = sorted((_luminance(colors[text]), _luminance(colors[behind])))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (text, behind)
