# SPDX-License-Identifier: Apache-2.0
"""Text out of documents: one content model, and a writer each for the terminal, Markdown and HTML.

What belongs here: records of content without markup, the pages that are composed of them, and the writers that escape
and lay them out; JSON, JUnit and CSV. The table of all formats is in this file.

What does not: no renderer judges a result, asks the machine or writes to a stream.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from vkzircon_cli.model.base import record
from vkzircon_cli.render.style import Format, Style, View

if TYPE_CHECKING:
    from vkzircon_cli.render.page import Page
    from vkzircon_cli.report.redaction import Hidden


@record
class Shown:
    """How one document is shown: *page* counts on a terminal only, what was *hidden* (None: nothing) elsewhere."""

    style: Style
    page: "Page"
    hidden: "tuple[Hidden, ...] | None"


Renderer = Callable[[Any, Shown], str]


def render(document: Any, style: Style, page: "Page", hidden: "tuple[Hidden, ...] | None" = None) -> str:
    """Write *document*, of a kind that `RENDERERS` has, in a format of that kind."""
    return load(document.kind, style.format)(document, Shown(style, page, hidden))


def load(kind: str, format: Format) -> Renderer:
    """Import what writes documents of *kind* in *format*, which takes 60 ms with Rich and 30 ms with Jinja."""
    return RENDERERS[kind][format]()


def _json() -> Renderer:
    from vkzircon_cli.render.json import render_json

    return lambda document, _: render_json(document)


def _report_terminal() -> Renderer:
    from vkzircon_cli.render.terminal import render_checks, render_devices, render_report

    views = {View.REPORT: render_report, View.CHECKS: render_checks, View.DEVICES: render_devices}
    return lambda report, shown: views[shown.style.view](report, shown.page, shown.style.verbose)


def _report_markdown() -> Renderer:
    from vkzircon_cli.render.markdown import render_markdown

    return lambda report, shown: render_markdown(report, shown.style.view, shown.hidden)


def _report_html() -> Renderer:
    from vkzircon_cli.render.html import render_html

    return lambda report, shown: render_html(report, shown.style.view, shown.hidden)


def _report_junit() -> Renderer:
    from vkzircon_cli.render.junit import render_junit

    return lambda report, _: render_junit(report)


def _matrix_terminal() -> Renderer:
    from vkzircon_cli.render.matrix import render_matrix_terminal

    return lambda matrix, shown: render_matrix_terminal(matrix, shown.page, shown.style.verbose)


def _matrix_csv() -> Renderer:
    from vkzircon_cli.render.csv import render_csv

    return lambda matrix, _: render_csv(matrix)


def _bench_terminal() -> Renderer:
    from vkzircon_cli.render.bench import render_bench_terminal

    return lambda bench, shown: render_bench_terminal(bench, shown.page, shown.style.verbose)


def _bench_html() -> Renderer:
    from vkzircon_cli.render.html import render_bench_html

    return lambda bench, shown: render_bench_html(bench, shown.hidden)


def _doctor_terminal() -> Renderer:
    from vkzircon_cli.render.doctor import render_diagnosis_terminal

    return lambda diagnosis, shown: render_diagnosis_terminal(diagnosis, shown.page, shown.style.verbose)


def _diff_terminal() -> Renderer:
    from vkzircon_cli.render.difference import render_difference_terminal

    return lambda difference, shown: render_difference_terminal(difference, shown.page)


def _diff_markdown() -> Renderer:
    from vkzircon_cli.render.difference_markdown import render_difference_markdown

    return lambda difference, shown: render_difference_markdown(difference, shown.hidden)


def _explain_terminal() -> Renderer:
    from vkzircon_cli.render.explanation import render_explanations, render_words

    return lambda found, shown: (
        render_words(found.groups, shown.page)
        if found.asked is None
        else render_explanations(found.explanations, shown.page)
    )


def _explain_json() -> Renderer:
    from vkzircon_cli.render.explanation import render_explanations_json, render_words_json

    return lambda found, _: (
        render_words_json(found.groups)
        if found.asked is None
        else render_explanations_json(found.asked, found.explanations)
    )


RENDERERS: Mapping[str, Mapping[Format, Callable[[], Renderer]]] = {
    "report": {
        Format.TERMINAL: _report_terminal,
        Format.JSON: _json,
        Format.MARKDOWN: _report_markdown,
        Format.HTML: _report_html,
        Format.JUNIT: _report_junit,
    },
    "matrix": {Format.TERMINAL: _matrix_terminal, Format.JSON: _json, Format.CSV: _matrix_csv},
    "bench": {Format.TERMINAL: _bench_terminal, Format.JSON: _json, Format.HTML: _bench_html},
    "doctor": {Format.TERMINAL: _doctor_terminal, Format.JSON: _json},
    "diff": {Format.TERMINAL: _diff_terminal, Format.JSON: _json, Format.MARKDOWN: _diff_markdown},
    "explain": {Format.TERMINAL: _explain_terminal, Format.JSON: _explain_json},
}
