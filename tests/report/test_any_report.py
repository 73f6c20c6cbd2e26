# SPDX-License-Identifier: Apache-2.0
"""Whatever a report says, it is read back as it was written, and every format of it can be written."""

import json
from itertools import product

from any_report import reports
from hypothesis import HealthCheck, given, settings
from program import schema_errors

from vkzircon_cli.render import RENDERERS, render
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.style import Page, Style, View
from vkzircon_cli.report.redaction import People, Redactor
from vkzircon_cli.report.report import Report
from vkzircon_cli.saved.schema import parse

slowly = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@slowly
@given(reports())
def test_what_was_written_is_read_back(report: Report) -> None:
    """JSON loses nothing, is valid, and is the same when it is written again."""
    text = render_json(report)
    assert text.isascii()
    assert parse(Report, text) == report
    assert not list(schema_errors(json.loads(text)))


@slowly
@given(reports())
def test_every_format_takes_any_report(report: Report) -> None:
    """Nothing raises, even if parts contradict each other; a report takes longer to make than all of its pages."""
    styles = [Style(view, form, verbose=True) for form, view in product(RENDERERS["report"], View)]
    for style, width in product(styles, (20, 100)):
        assert render(report, style, Page(width, cuts=True, color=False, ascii=False), None), (style, width)


@slowly
@given(reports())
def test_what_is_hidden_leaves_a_report(report: Report) -> None:
    """Redaction keeps every type, so that the result is written and read like any other."""
    hidden = Redactor(People(("/home/x",), ("someone",), ("example",))).facts(report)
    assert parse(Report, render_json(hidden)) == hidden
