# SPDX-License-Identifier: Apache-2.0
"""The HTML page in a real browser: it asks for nothing, runs nothing, fits a phone, and reads in dark and in print."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from html_reports import LONG, NAMES, broken_device, failed, report_named
from playwright.sync_api import Page, sync_playwright
from reports import concluded, device, good_report, identity, result, said, with_devices, with_variables

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.html import render_html
from vkzircon_cli.render.style import View
from vkzircon_cli.report.report import Report

_SCHEMES: dict[str, Literal["light", "dark"]] = {"light": "light", "dark": "dark"}
_WIDTHS = (390, 1280)
_HOSTILE = [
    "<img src=x onerror=document.title='run'>",
    "<script>document.title='run'</script>",
    "</style><b>",
    "</title><b>",
    "{{7*7}}",
    "]]>",
    "<svg onload=document.title='run'>",
    "\u202egpj.exe",
    "nul\x00nul",
    "a\u200bb",
    "&lt;b&gt;",
    LONG,
]
Open = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(name="window", scope="module")
def _window() -> Iterator[Page]:
    """Start Debian's Chromium once, with one window: a second takes as long as a page to lay out."""
    program = shutil.which("chromium")
    assert program, "the Debian package chromium is not installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.fixture(name="opened")
def _opened(window: Page, tmp_path: Path) -> Open:
    """Open a report's page, and hold at the end that it asked for nothing and nothing was complained of."""

    @contextmanager
    def opened(report: Report, width: int = 1280, scheme: str = "light") -> Iterator[Page]:
        file = tmp_path / "report.html"
        file.write_text(render_html(report, View.REPORT, ()), encoding="utf-8")
        complaints: list[str] = []
        told = {
            "console": lambda message: complaints.append(f"{message.type}: {message.text}"),
            "pageerror": lambda error: complaints.append(str(error)),
            "request": lambda request: complaints.append(request.url),
            "dialog": lambda dialog: complaints.append(dialog.message),
        }
        for event, complain in told.items():
            window.on(event, complain)  # type: ignore[call-overload]
        window.set_viewport_size({"width": width, "height": 900})
        window.emulate_media(media="screen", color_scheme=_SCHEMES[scheme])
        try:
            window.goto(file.as_uri())
            yield window
        finally:
            for event, complain in told.items():
                window.remove_listener(event, complain)
        assert complaints == [file.as_uri()]

    return opened


def _overrun(page: Page) -> int:
    """Return how many pixels wider than its window the page is."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def _background(page: Page) -> list[int]:
    color: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(",")]


_CUT_OFF = """[...document.querySelectorAll('svg[role=img]')].flatMap(svg => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const own = text.getBoundingClientRect();
        return own.left < box.left - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1;
    }).map(text => text.textContent);
})"""


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_its_window_and_asks_for_nothing(opened: Open, name: str) -> None:
    """On a phone and on a desk, folded and unfolded: nothing runs over a side, is cut off, fetched or complained of."""
    with opened(report_named(name)) as page:
        for change in ("", "document.querySelectorAll('details').forEach(each => each.open = true)"):
            page.evaluate(change)
            for width in _WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                assert _overrun(page) <= 0, width
                assert page.evaluate(_CUT_OFF) == [], width


@pytest.mark.parametrize("words", _HOSTILE, ids=lambda words: repr(words[:24]))
def test_what_is_foreign_is_read_and_does_nothing(opened: Open, words: str) -> None:
    """Names, paths and messages stand there as what they are: no element comes of them, and no script runs."""
    report = with_variables(with_devices(good_report(), device(who=identity(words, info=words))), VK_DRIVER_FILES=words)
    report = concluded(said(report, words, [words]), Outcome.FAIL, words, 1, result(Outcome.FAIL, words, words))
    with opened(report, 390) as page:
        assert visible(words) in page.inner_text("h1")
        assert f"Device 0: {visible(words)}" in page.inner_text("#device1 h2")
        assert page.inner_text("#machine").count(visible(words)) == 1
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.inner_text("#printed").count(visible(words)) == 2
        assert page.locator("script, img, iframe, object, embed, b, link, form, base, a:not([href^='#'])").count() == 0
        assert page.evaluate(
            "[...document.querySelectorAll('*')].every(e => e.getAttributeNames().every(n => !n.startsWith('on')))"
        )
        assert page.title().startswith("FAIL: ")
        assert _overrun(page) <= 0


def test_no_script_would_run(opened: Open) -> None:
    """Even if a script came onto the page, its policy would not let it run."""
    with opened(good_report()) as page:
        policy = page.get_attribute("meta[http-equiv='Content-Security-Policy']", "content")
        assert policy is not None
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
        assert page.locator("script").count() == 0


def test_dark_is_dark(opened: Open) -> None:
    """Who prefers dark pages gets one, and it is light otherwise."""
    with opened(failed(), scheme="dark") as page:
        assert max(_background(page)) < 60
    with opened(failed()) as page:
        assert min(_background(page)) > 230


def test_print_shows_every_check_on_white(opened: Open) -> None:
    """Folded parts are printed too, since paper cannot unfold, and on white even with a dark scheme."""
    shown = "[...document.querySelectorAll('details tbody tr')].map(row => row.checkVisibility())"
    with opened(report_named("nvidia-h200-emulated"), scheme="dark") as page:
        assert set(page.evaluate(shown)) == {False}
        page.emulate_media(media="print")
        assert set(page.evaluate(shown)) == {True}
        assert _background(page) == [255, 255, 255]


def test_the_matrix_shows_what_the_bits_name(opened: Open) -> None:
    """A cell is filled for each memory type that a VMO's bits name, with a point where an import was made."""
    report = with_devices(good_report(), broken_device())
    with opened(report) as page:
        picture = page.locator("#device1 figure svg[role=img]").first
        assert picture.locator("rect.named").count() == 6
        assert picture.locator("rect.unnamed").count() == 3
        assert picture.locator("rect.own").count() == 3
        assert picture.locator("circle.into").count() == 2
        assert [words for words in picture.locator("text.mark").all_text_contents() if words.strip()] == [
            "\N{MULTIPLICATION SIGN} refused",
            "✓ ok",
            "✗ crash",
            "✓ ok",
            "✗ fail",
        ]


def test_32_memory_types_stay_readable(opened: Open) -> None:
    """The largest matrix keeps its size and scrolls in a box of its own, so that its numbers can be read on a phone."""
    with opened(report_named("largest"), 390) as page:
        picture = page.locator("#device1-matrix-title").locator("..")
        box = picture.bounding_box()
        assert box is not None
        assert box["width"] > 32 * 16
        assert picture.locator("rect.named").count() == 32 * 32
        assert "bits 32" in picture.text_content().replace("\n", " ")  # type: ignore[union-attr]
