# SPDX-License-Identifier: Apache-2.0
"""What differs between two reports, to be pasted into an issue tracker: short, harmless, never too large for one."""

from collections.abc import Iterator

from vkzircon_cli.diff import Difference, Side, Timings
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.change_rows import ChangeRow, Section, headline, milliseconds, sections
from vkzircon_cli.render.markdown_escape import code, folded, hidden_words, prose, table
from vkzircon_cli.report.redaction import Hidden

_MOST_BYTES = 60_000  # trackers take 65,536 characters
_RESERVED = 1_000  # for what is said of what was left out
_MOST_OF_A_CELL = 300
_MOST_OF_A_SENTENCE = 500
_UNFOLDED = 12  # more rows than these are folded away
_HEADERS = ("", "before", "after")


def render_difference_markdown(difference: Difference, hidden: tuple[Hidden, ...] | None = None) -> str:
    """Write *difference*, under 60,000 bytes; what has no room is counted."""
    text = f"### {prose(headline(difference))}\n\n{_sides(difference)}"
    left = 0
    for section in sections(difference):
        fitting = _fitting(section, _MOST_BYTES - _RESERVED - _size(text))
        left += len(section.rows) - len(fitting)
        if fitting or section.note:
            text += "\n" + _section(section, fitting)
    text += _fit(text, "\n" + _times(difference.timings))
    if left:
        text += f"\n{counted(left, 'row')} had no room here: `--format json` has all.\n"
    return text + hidden_words(hidden)


def _size(text: str) -> int:
    return len(text.encode())


def _fit(text: str, more: str) -> str:
    return more if _size(text) + _size(more) < _MOST_BYTES - _RESERVED else ""


def _sides(difference: Difference) -> str:
    return table(
        _HEADERS,
        [
            [title, *(_value(title, side) for side in (difference.before, difference.after))]
            for title in ("came to", "devices", "by", "started")
        ],
    )


def _value(title: str, side: Side) -> str:
    if title == "came to":
        said = prose(side.sentence, _MOST_OF_A_SENTENCE)
        return f"{'EMULATED RUN. ' * side.emulated}**{side.outcome.upper()}**, exit code {side.exit_code}. {said}"
    values = {
        "devices": prose(", ".join(side.devices) or "none", _MOST_OF_A_SENTENCE),
        "by": f"vkzircon {code(side.tool_version, 40)}, schema {code(side.schema_version, 40)}",
        "started": code(side.started, 40),
    }
    return values[title]


def _fitting(section: Section, room: int) -> list[ChangeRow]:
    """Take rows from the first on as long as there is room, the heading included."""
    room -= _size(_section(section, []))
    taken = []
    for row in section.rows:
        room -= _size(" | ".join(_cells(row))) + len("|  |\n")
        if room < 0:
            break
        taken.append(row)
    return taken


def _section(section: Section, rows: list[ChangeRow]) -> str:
    body = table(_HEADERS, [_cells(row) for row in rows]) if rows else ""
    note = f"\n{prose(section.note)}\n" if section.note else ""
    title = prose(section.title, _MOST_OF_A_SENTENCE)
    if len(section.rows) > _UNFOLDED:
        return folded(f"{title}: {counted(len(section.rows), 'row')}", body + note)
    return f"#### {title}\n\n{body}{note}"


def _cells(row: ChangeRow) -> list[str]:
    word = f"**{row.word}** " if row.word else ""
    is_id = row.word and " " not in row.subject
    subject = word + (code if is_id else prose)(row.subject, _MOST_OF_A_CELL)
    return [subject, *_both(row)]


def _both(row: ChangeRow) -> Iterator[str]:
    for words in (row.before, row.after):
        if words is None:
            yield ""
        else:
            # Of a set only what the other side has not is told, which must not be taken for the whole.
            yield f"only here: {prose(words, _MOST_OF_A_CELL)}" if row.is_set else prose(words, _MOST_OF_A_CELL)


def _times(timings: Timings) -> str:
    title = "Times, which make no difference"
    body = f"In all {milliseconds(timings.before_ms)} before, {milliseconds(timings.after_ms)} after.\n"
    rows = [
        [code(step.step, _MOST_OF_A_CELL), f"{step.before_ms:.1f}", f"{step.after_ms:.1f}", f"{step.ratio:.2f}"]
        for step in timings.steps
    ]
    return folded(title, body + ("\n" + table(("step", "ms before", "ms after", "ratio"), rows) if rows else ""))
