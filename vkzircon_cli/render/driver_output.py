# SPDX-License-Identifier: Apache-2.0
"""What driver, layers and loader said while they were asked."""

from collections import Counter
from collections.abc import Iterable

from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.stream.document import Document

_MOST_LINES = 10


def write_printed(sheet: Sheet, report: Document, verbose: bool) -> None:
    """Write loader messages and what was printed, each different line once."""
    said = [f"{message.severity}: {message.text}" for message in report.run.messages]
    _write_lines(sheet, "The loader said", said, verbose)
    _write_lines(sheet, "Driver and layers printed", report.run.output.text.expandtabs().split("\n"), verbose)
    if report.run.output.dropped:
        sheet.prose(f"{report.run.output.dropped} more bytes were not kept.", indent=2)


def _write_lines(sheet: Sheet, title: str, lines: Iterable[str], verbose: bool) -> None:
    times = Counter(line.rstrip() for line in lines if line.strip())
    if not times:
        return
    sheet.heading(title)
    shown = list(times.items())[: None if verbose else _MOST_LINES]
    for line, count in shown:
        sheet.value(sheet.join(line, sheet.text(f"  ({count} times)", "dim")) if count > 1 else line, indent=2)
    if len(times) > len(shown):
        sheet.prose(f"{counted(len(times) - len(shown), 'more line')}: --verbose shows them.", indent=2)
