# SPDX-License-Identifier: Apache-2.0
"""How long each step took."""

from vkzircon_cli.render.columns import Column
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.stream.document import Document


def write_steps(sheet: Sheet, report: Document) -> None:
    """Write every step with its time."""
    if not report.run.steps:
        return
    sheet.heading(f"Steps ({report.run.duration_ms:.0f} ms in all)")
    columns = [Column("ms", right=True), Column("step")]
    rows = [
        [sheet.text("-" if step.duration_ms is None else f"{step.duration_ms:.1f}"), sheet.text(step.step)]
        for step in report.run.steps
    ]
    sheet.table(columns, rows)
