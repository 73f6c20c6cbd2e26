# SPDX-License-Identifier: Apache-2.0
"""The bench for people: first the time that sharing saves, then a bar for every measurement."""

from vkzircon_cli.model.bench import BenchDevice
from vkzircon_cli.render.charts import chart_table, charts, conditions, without_number
from vkzircon_cli.render.content import Column, Meter, Table
from vkzircon_cli.render.fields import title_of
from vkzircon_cli.render.frame import emulating, finished, write_opening
from vkzircon_cli.render.style import ANY_ADVICE, Advice, Page
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.bench import BenchReport


def render_bench_terminal(bench: BenchReport, page: Page, verbose: bool, advice: Advice = ANY_ADVICE) -> str:
    """Write the whole bench; *verbose* adds each step's time and what the driver printed."""
    sheet = Sheet(page)
    write_opening(sheet, bench)
    for device in bench.measured:
        _write_device(sheet, bench, device)
    if bench.measured:
        sheet.blank()
        for note in bench.notes:
            sheet.prose(note)
    return finished(sheet, bench, verbose, emulating(bench, "vkzircon bench", advice))


def _write_device(sheet: Sheet, bench: BenchReport, device: BenchDevice) -> None:
    sheet.blank()
    sheet.value(sheet.text(title_of(device), "bold"))
    sheet.fields(conditions(bench, device))
    shown = list(charts(device))
    for chart in shown:
        sheet.heading(chart.title)
        table = chart_table(chart)
        bars = ("" if bar.fraction is None else Meter(bar.fraction, is_second=not bar.is_shared) for bar in chart.bars)
        rows = tuple((*row, bar) for row, bar in zip(table.rows, bars, strict=True))
        sheet.table(Table(table.title, (*table.columns, Column("")), rows))
        if chart.has_bars:
            sheet.prose(sheet.text(chart.scale, "dim"), indent=2)
    sheet.reasons("Without a number", without_number(shown))
