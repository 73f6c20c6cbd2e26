# SPDX-License-Identifier: Apache-2.0
"""The bench for people: what sharing saves first, then a bar for every measurement."""

from rich.text import Text

from vkzircon_cli.errors import Exit
from vkzircon_cli.model.bench import BenchDevice, Choice
from vkzircon_cli.model.host import LINUX
from vkzircon_cli.model.quantities import about, duration
from vkzircon_cli.model.queries import UNNAMED, display_name
from vkzircon_cli.render.answers import missing_word, why_missing
from vkzircon_cli.render.charts import Bar, Chart, charts, without_number
from vkzircon_cli.render.columns import Column
from vkzircon_cli.render.driver_output import write_printed
from vkzircon_cli.render.page import Page
from vkzircon_cli.render.steps import write_steps
from vkzircon_cli.render.verdicts import write_culprits, write_opening
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.bench import OF_OVERHEAD, BenchReport

_INDENT = 2
_BAR = 16


def render_bench_terminal(bench: BenchReport, page: Page, verbose: bool) -> str:
    """Write the whole bench; *verbose* adds each step's time and what the driver printed."""
    sheet = Sheet(page)
    write_opening(sheet, bench)
    write_culprits(sheet, bench.culprits)
    for device in bench.measured:
        _write_device(sheet, bench, device)
    if bench.measured:
        sheet.blank()
        for note in bench.notes:
            sheet.prose(note)
    if verbose:
        write_steps(sheet, bench)
    if verbose or bench.exit_code in (Exit.CRASHED, Exit.CANNOT_ASK, Exit.OUR_FAULT):
        write_printed(sheet, bench, verbose)
    _write_next_steps(sheet, bench)
    return sheet.finish()


def _write_device(sheet: Sheet, bench: BenchReport, device: BenchDevice) -> None:
    identity = device.identity.value
    sheet.blank()
    name = display_name(identity) if identity else UNNAMED
    sheet.value(sheet.text(f"Device {device.index}: {name}", "bold"))
    for label, words in with_what(bench, device):
        sheet.field(label, words, prose=True)
    shown = list(charts(device))
    for chart in shown:
        _write_chart(sheet, chart)
    missing = without_number(shown)
    if missing:
        sheet.heading("Without a number")
    for why, labels in missing.items():
        word = sheet.join(missing_word(sheet, why), "  ")
        sheet.item(word, f"{', '.join(labels)}: {why_missing(why)}", indent=_INDENT)


def with_what(bench: BenchReport, device: BenchDevice) -> list[tuple[str, str]]:
    """Say what was measured with, and what bounds it."""
    said = []
    if device.choice.value is not None:
        said.append(("memory", _memory(device.choice.value, device)))
    elif device.choice.missing is not None and device.opened.value is not None:
        said.append(("memory", why_missing(device.choice.missing)))
    elif device.opened.missing is not None:
        said.append(("device", why_missing(device.opened.missing)))
    if limits := device.limits.value:
        said.append(("at most", f"{about(limits.largest)} at once: {limits.bound}"))
    if overhead := device.overhead.value:
        said.append(("overhead", f"{duration(overhead.median_ns)}: {OF_OVERHEAD}"))
    said.append(("time", f"{bench.run.duration_ms / 1000:.1f} of {bench.seconds:g} s"))
    return said


def _memory(choice: Choice, device: BenchDevice) -> str:
    words = f"type {choice.memory_type}, {choice.form}"
    types = device.memory.value.types if device.memory.value else ()
    flags = [" ".join(each.flags.names) for each in types if each.index == choice.memory_type]
    named = f" ({flags[0]})" if flags and flags[0] else ""
    same = choice.ordinary_type == choice.memory_type
    return f"{words}{named}; ordinary memory of {'the same type' if same else f'type {choice.ordinary_type}'}"


def _write_chart(sheet: Sheet, chart: Chart) -> None:
    sheet.heading(chart.title)
    cells = [Column(header, right=True) for header in chart.headers[1:]]
    columns = (Column(chart.headers[0]), *cells, Column(""))
    sheet.table(columns, [_row(sheet, chart, bar) for bar in chart.bars], _INDENT)
    if any(bar.fraction is not None for bar in chart.bars):
        sheet.prose(sheet.text(chart.scale, "dim"), indent=_INDENT)


def _row(sheet: Sheet, chart: Chart, bar: Bar) -> list[Text]:
    label = sheet.text(bar.label)
    if bar.fraction is None:
        blanks = [Text() for _ in chart.headers[2:]]
        return [label, missing_word(sheet, bar.missing), *blanks, Text()]
    filled = max(1, round(bar.fraction * _BAR))
    drawn = sheet.join(
        sheet.text("█" * filled, "cyan" if bar.is_shared else "yellow"), sheet.text("░" * (_BAR - filled), "dim")
    )
    return [label, *(sheet.text(cell) for cell in bar.cells), drawn]


def _write_next_steps(sheet: Sheet, bench: BenchReport) -> None:
    if bench.exit_code is not Exit.NOT_OFFERED or bench.environment.platform != LINUX or bench.emulation.active:
        return
    sheet.heading("Next")
    sheet.value(sheet.text("vkzircon bench --emulate", "bold"), indent=_INDENT)
    sheet.prose("the same with the extension emulated by a layer of vkzircon's own", indent=2 * _INDENT)
