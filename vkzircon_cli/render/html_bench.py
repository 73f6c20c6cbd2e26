# SPDX-License-Identifier: Apache-2.0
"""The bench as one HTML page that needs nothing else, as the report is."""

from typing import TYPE_CHECKING, Any

from vkzircon_cli.render.answers import why_missing
from vkzircon_cli.render.bench import with_what
from vkzircon_cli.render.charts import Bar, Chart, charts, without_number
from vkzircon_cli.render.html_fields import said, title_of
from vkzircon_cli.render.html_marks import missing_mark, outcome_mark
from vkzircon_cli.render.html_templates import fill_template
from vkzircon_cli.render.machine import system_words
from vkzircon_cli.report.bench import BenchReport

if TYPE_CHECKING:
    from vkzircon_cli.report.redaction import Hidden


def render_bench_html(bench: BenchReport, hidden: tuple["Hidden", ...] | None) -> str:
    """Write *bench* as a page; *hidden* was taken out of it, None if nothing was looked for."""
    return fill_template("bench.html", _NAMES, report=bench, hidden=hidden)


def chart_words(chart: Chart, bar: Bar) -> str:
    """Say a bar in words: few enough for a narrow picture, in which they cannot wrap."""
    if bar.missing is not None or not bar.cells:
        return missing_mark(bar.missing).word
    cells = dict(zip(chart.headers[1:], bar.cells, strict=True))
    words = [cells.get("speed") or cells["median"]]
    if cells.get("times"):
        words.append(f"{cells['times']} times as long")
    return ", ".join(words)


_NAMES: dict[str, Any] = {
    each.__name__: each
    for each in (
        chart_words,
        charts,
        missing_mark,
        outcome_mark,
        said,
        system_words,
        title_of,
        why_missing,
        with_what,
        without_number,
    )
}
