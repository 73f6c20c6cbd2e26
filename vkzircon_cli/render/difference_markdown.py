# SPDX-License-Identifier: Apache-2.0
"""What differs between two reports, for an issue tracker."""

from collections.abc import Iterator, Sequence

from vkzircon_cli.diff import Difference, Side
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.change_rows import ChangeRow, Part, headline, parts, times_table, times_words
from vkzircon_cli.render.markdown_escape import code, prose, table
from vkzircon_cli.render.markdown_writer import MOST_OF_A_CELL, Section, rows_section, table_section, write_page
from vkzircon_cli.report.redaction import Hidden

_MOST_OF_A_SENTENCE = 500
_UNFOLDED = 12  # more rows than these are folded away
_HEADERS = ("", "before", "after")


def render_difference_markdown(difference: Difference, hidden: Sequence[Hidden] | None = None) -> str:
    """Write *difference*; the foot says what was *hidden*."""
    sides = zip(("result", "devices", "by", "started"), _side(difference.before), _side(difference.after), strict=True)
    opening = f"### {prose(headline(difference))}\n\n{table(_HEADERS, list(sides))}"
    times = table_section(times_table(difference.timings))
    times = Section(times.title, (times_words(difference.timings), "", *times.head), times.rows)
    return write_page(opening, (*map(_section, parts(difference)), times), hidden)


def _side(side: Side) -> tuple[str, str, str, str]:
    said = prose(side.sentence, _MOST_OF_A_SENTENCE)
    return (
        f"{'EMULATED RUN. ' * side.emulated}**{side.outcome.upper()}**, exit code {side.exit_code}. {said}",
        prose(", ".join(side.devices) or "none", _MOST_OF_A_SENTENCE),
        f"vkzircon {code(side.tool_version, 40)}, schema {code(side.schema_version, 40)}",
        code(side.started, 40),
    )


def _section(part: Part) -> Section:
    is_folded = len(part.rows) > _UNFOLDED
    title = f"{part.title}: {counted(len(part.rows), 'row')}" if is_folded else part.title
    note = ("", prose(part.note)) if part.note else ()
    if not part.rows:
        return Section(title, note[1:], (), is_folded=False)
    return rows_section(title, _HEADERS, map(_cells, part.rows), tail=note, is_folded=is_folded)


def _cells(row: ChangeRow) -> list[str]:
    word = f"**{row.word}** " if row.word else ""
    is_id = row.word and " " not in row.subject
    subject = word + (code if is_id else prose)(row.subject, MOST_OF_A_CELL)
    return [subject, *_both(row)]


def _both(row: ChangeRow) -> Iterator[str]:
    for words in (row.before, row.after):
        if words is None:
            yield ""
        else:
            # Of a set only the members that the other side lacks are shown, which are not the whole set.
            yield f"only here: {prose(words, MOST_OF_A_CELL)}" if row.is_set else prose(words, MOST_OF_A_CELL)
