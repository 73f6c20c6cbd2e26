# SPDX-License-Identifier: Apache-2.0
"""One content, three writers: a report says the same on a terminal, in Markdown and in HTML."""

import html
import re
from collections.abc import Iterator

import pytest
from html_reports import report_named
from pages import Parsed

from vkzircon_cli.model.text import visible
from vkzircon_cli.render.content import Mark, Meter, Table
from vkzircon_cli.render.fields import extension_fields, identity_fields, machine_fields
from vkzircon_cli.render.html import render_html
from vkzircon_cli.render.markdown import render_markdown
from vkzircon_cli.render.shared_memory import heap_table, notes, type_table
from vkzircon_cli.render.style import Page, View
from vkzircon_cli.render.terminal import render_report
from vkzircon_cli.report.report import Report

WIDE = Page(1000, cuts=False, color=False, ascii=False)


def _content(report: Report) -> Iterator[str]:
    """Yield every word that a report's fields, tables and checks have."""
    (device, *_) = report.devices
    for field in (
        *machine_fields(report),
        *identity_fields(device),
        *extension_fields(report, device),
        *notes(device),
    ):
        yield field.label
        yield from field.values
    assert device.memory.value is not None
    for table in (heap_table(device.memory.value.heaps), type_table(device)):
        yield from _cells(table)
    for result in report.checks:
        yield from (result.id, result.sentence)


def _cells(table: Table) -> Iterator[str]:
    yield from (column.header for column in table.columns)
    for cell in (cell for row in table.rows for cell in row):
        if isinstance(cell, str):
            yield cell
        if isinstance(cell, Mark):
            yield cell.word
        if isinstance(cell, Meter):
            yield cell.words


def _flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", ["failed", "nvidia-h200-emulated", "lavapipe"])
def test_every_writer_says_all_of_the_content(name: str) -> None:
    """Each label, value, header, cell and sentence is on a verbose terminal, in Markdown and on the HTML page."""
    report = report_named(name)
    markdown = re.sub("</?code>|`", "", render_markdown(report, View.REPORT, None))
    pages = {
        "terminal": render_report(report, WIDE, verbose=True),
        "markdown": html.unescape(markdown),
        "html": Parsed(render_html(report, View.REPORT, None)).text,
    }
    for writer, page in pages.items():
        shown = _flat(page)
        missing = [words for words in _content(report) if _flat(visible(words)) not in shown]
        assert not missing, writer
