# SPDX-License-Identifier: Apache-2.0
"""The pictures of the documentation show what the program prints now. VKZIRCON_UPDATE_GOLDEN=1 draws them anew."""

import hashlib
import json
import os
import re
import shutil
from io import StringIO
from typing import Literal

import pytest
from playwright.sync_api import sync_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME
from rich.text import Text
from wheels import CHECKOUT

from vkzircon_cli.render.html import render_html
from vkzircon_cli.render.style import Page, View
from vkzircon_cli.render.terminal import render_report
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.decoding import decode

PICTURES = CHECKOUT / "docs" / "pictures"
_UPDATE = bool(os.environ.get("VKZIRCON_UPDATE_GOLDEN"))
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_THEMES = {"light": DEFAULT_TERMINAL_THEME, "dark": SVG_EXPORT_THEME}
# Without the fonts that the page would load from another server.
_SVG = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def _captured(name: str) -> Report:
    document = json.loads((CHECKOUT / "tests/golden/captures" / f"{name}.json").read_text("utf-8"))
    report: Report = decode(Report, document)
    return report


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_the_picture_of_a_terminal_is_fresh(scheme: str) -> None:
    """The SVG is Rich's drawing of a captured report, in a light and a dark terminal."""
    printed = render_report(_captured("nvidia-h200-emulated"), Page(80, color=True, ascii=False, cuts=True))
    console = Console(record=True, width=80, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(printed))
    drawn = console.export_svg(
        title="vkzircon --emulate", theme=_THEMES[scheme], code_format=_SVG, unique_id="vkzircon"
    )
    file = PICTURES / f"terminal-{scheme}.svg"
    if _UPDATE:
        file.write_text(drawn, "utf-8")
    assert file.read_text("utf-8") == drawn


def test_the_pictures_of_a_page_are_fresh() -> None:
    """The screenshots are of the page whose hash is beside them; a browser's pixels differ from machine to machine."""
    page = render_html(_captured("nvidia-h200-emulated"), View.REPORT, ())
    sum_file = PICTURES / "report.sha256"
    wanted = hashlib.sha256(page.encode()).hexdigest()
    if _UPDATE and sum_file.read_text().strip() != wanted:
        _photograph(page)
        sum_file.write_text(f"{wanted}\n")
    assert sum_file.read_text().strip() == wanted


def _photograph(page: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in _SCHEMES:
            window = browser.new_page(viewport={"width": 1000, "height": 740}, color_scheme=scheme)
            window.set_content(page)
            window.get_by_text("Memory types, with").first.evaluate("element => element.scrollIntoView()")
            window.screenshot(path=PICTURES / f"report-{scheme}.png")
        browser.close()
