# SPDX-License-Identifier: Apache-2.0
"""The report to be pasted into an issue tracker: the verdict and what failed first, the rest folded away.

It stays under the size that trackers take. What has no room is left out from the end, and counted.
"""

from typing import TYPE_CHECKING

from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.markdown_escape import code, hidden_words, prose
from vkzircon_cli.render.markdown_sections import Section, sections_of
from vkzircon_cli.render.style import View
from vkzircon_cli.report.report import Report

if TYPE_CHECKING:
    from vkzircon_cli.report.redaction import Hidden

_MOST_BYTES = 60_000  # trackers take 65,536 characters
_MOST_OF_WHAT_IS_LEFT = 1_000  # characters that say what was left out
_MOST_OF_A_CELL = 300


def render_markdown(report: Report, view: View, hidden: "tuple[Hidden, ...] | None") -> str:
    """Write *report*, under 60,000 bytes; the foot says what was *hidden*."""
    text = _opening(report)
    left: list[str] = []
    reserved = _MOST_OF_WHAT_IS_LEFT * 2 + _size(hidden_words(hidden))
    for section in sections_of(report, view):
        room = _MOST_BYTES - reserved - _size(text) - 1
        count = _fitting(section, room)
        if count or (not section.rows and _size(section.text(0)) <= room):
            text += "\n" + section.text(count)
        if count < len(section.rows):
            left.append(
                f"{len(section.rows) - count} of {counted(len(section.rows), 'line')} of {section.title or 'it'}"
            )
    return text + _foot(hidden, left)


def _size(text: str) -> int:
    return len(text.encode())


def _fitting(section: Section, room: int) -> int:
    """Tell how many rows of *section* have room."""
    room -= _size(section.text(0))
    for count, row in enumerate(section.rows):
        room -= _size(row) + 1
        if room < 0:
            return count
    return len(section.rows)


def _opening(report: Report) -> str:
    summary, error = report.summary, report.error
    lines = []
    if report.emulation.active:
        settings = f" ({code(report.emulation.settings, _MOST_OF_A_CELL)})" if report.emulation.settings else ""
        lines += [f"**EMULATED RUN** by {code(report.emulation.layer or '?', _MOST_OF_A_CELL)}{settings}", ""]
    lines.append(f"### {summary.outcome.upper()}: {prose(error.message if error else summary.sentence)}")
    if error and error.hint:
        lines += ["", prose(error.hint)]
    lines += [
        line for each in report.culprits if each.left_out for line in ("", f"**LEFT OUT** {prose(each.sentence)}")
    ]
    return "\n".join(lines) + "\n"


def _foot(hidden: "tuple[Hidden, ...] | None", left: list[str]) -> str:
    cut = (
        f"\nNo room here for {prose('; '.join(left), _MOST_OF_WHAT_IS_LEFT)}: --format json has it all.\n"
        if left
        else ""
    )
    return cut + hidden_words(hidden)
