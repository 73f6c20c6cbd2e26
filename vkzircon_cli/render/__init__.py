# SPDX-License-Identifier: Apache-2.0
"""Text out of documents: one content model, and a writer each for the terminal, Markdown and HTML.

What belongs here: records of content without markup, the pages that are composed of them, and the writers that escape
and lay them out; JSON, JUnit and CSV.

What does not: no renderer judges a result, asks the machine or writes to a stream.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from vkzircon_cli.render.style import FOR_STRANGERS, Format, Style, View

if TYPE_CHECKING:
    from vkzircon_cli.diff import Difference
    from vkzircon_cli.doctor.diagnosis import Diagnosis
    from vkzircon_cli.render.page import Page
    from vkzircon_cli.report.bench import BenchReport
    from vkzircon_cli.report.matrix import MatrixReport
    from vkzircon_cli.report.redaction import Hidden
    from vkzircon_cli.report.report import Report

__all__ = [
    "FOR_STRANGERS",
    "Format",
    "Style",
    "View",
]


class DevicesFormat(StrEnum):
    """The formats of a list of devices."""

    TERMINAL = "terminal"
    JSON = "json"
    TRACE = "trace"


class MatrixFormat(StrEnum):
    """The formats of a matrix."""

    TERMINAL = "terminal"
    JSON = "json"
    CSV = "csv"


class BenchFormat(StrEnum):
    """The formats of a bench."""

    TERMINAL = "terminal"
    JSON = "json"
    HTML = "html"


class Rendered(StrEnum):
    """The formats that a report can be rendered in once it is whole."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"


class DiffFormat(StrEnum):
    """The formats of a difference."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


class WordFormat(StrEnum):
    """The formats of an explanation."""

    TERMINAL = "terminal"
    JSON = "json"


def render(report: "Report", style: Style, page: "Page", hidden: tuple["Hidden", ...] | None = None) -> str:
    """Write *report* in *style*; *page* counts on a terminal only, what was *hidden* (None: nothing) elsewhere."""
    if style.format in FOR_STRANGERS:
        return _for_strangers(report, style, hidden)
    if style.format is Format.JUNIT:
        from vkzircon_cli.render.junit import render_junit

        return render_junit(report)
    if style.format is Format.JSON:
        from vkzircon_cli.render.json import render_json

        return render_json(report)
    from vkzircon_cli.render.terminal import render_checks, render_devices, render_report

    views = {View.REPORT: render_report, View.CHECKS: render_checks, View.DEVICES: render_devices}
    return views[style.view](report, page, style.verbose)


def _for_strangers(report: "Report", style: Style, hidden: tuple["Hidden", ...] | None) -> str:
    if style.format is Format.HTML:
        from vkzircon_cli.render.html import render_html

        return render_html(report, style.view, hidden)
    from vkzircon_cli.render.markdown import render_markdown

    return render_markdown(report, style.view, hidden)


def render_matrix(matrix: "MatrixReport", format: MatrixFormat, verbose: bool, page: "Page") -> str:
    """Write *matrix* in *format*; *page* and *verbose* count on a terminal only."""
    if format is MatrixFormat.JSON:
        from vkzircon_cli.render.json import render_json

        return render_json(matrix)
    if format is MatrixFormat.CSV:
        from vkzircon_cli.render.csv import render_csv

        return render_csv(matrix)
    from vkzircon_cli.render.matrix import render_matrix_terminal

    return render_matrix_terminal(matrix, page, verbose)


def render_bench(
    bench: "BenchReport",
    format: BenchFormat,
    verbose: bool,
    page: "Page",
    hidden: tuple["Hidden", ...] | None = None,
) -> str:
    """Write *bench* in *format*; *page* and *verbose* count on a terminal only, what was *hidden* in HTML."""
    if format is BenchFormat.JSON:
        from vkzircon_cli.render.json import render_json

        return render_json(bench)
    if format is BenchFormat.HTML:
        from vkzircon_cli.render.html import render_bench_html

        return render_bench_html(bench, hidden)
    from vkzircon_cli.render.bench import render_bench_terminal

    return render_bench_terminal(bench, page, verbose)


def render_diagnosis(diagnosis: "Diagnosis", format: WordFormat, verbose: bool, page: "Page") -> str:
    """Write *diagnosis* in *format*; *page* and *verbose* count on a terminal only."""
    if format is WordFormat.JSON:
        from vkzircon_cli.render.json import render_json

        return render_json(diagnosis)
    from vkzircon_cli.render.doctor import render_diagnosis_terminal

    return render_diagnosis_terminal(diagnosis, page, verbose)


def render_difference(
    difference: "Difference", format: DiffFormat, page: "Page", hidden: tuple["Hidden", ...] | None = None
) -> str:
    """Write *difference* in *format*; *page* counts on a terminal only, what was *hidden* in Markdown only."""
    if format is DiffFormat.JSON:
        from vkzircon_cli.render.json import render_json

        return render_json(difference)
    if format is DiffFormat.MARKDOWN:
        from vkzircon_cli.render.difference_markdown import render_difference_markdown

        return render_difference_markdown(difference, hidden)
    from vkzircon_cli.render.difference import render_difference_terminal

    return render_difference_terminal(difference, page)
