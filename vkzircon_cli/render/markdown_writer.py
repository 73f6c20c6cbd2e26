# SPDX-License-Identifier: Apache-2.0
"""The writer for issue trackers: sections that stay under the size that trackers take, the first ones whole.

Rows without room are left out from the end, and counted.
"""

from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.content import Cell, Code, Field, Lines, Mark, Meter, Table
from vkzircon_cli.render.markdown_escape import code, fence, folded, prose, table
from vkzircon_cli.render.opening import NOTHING_HIDDEN, hidden_words
from vkzircon_cli.report.redaction import Hidden

_MOST_BYTES = 60_000  # trackers take 65,536 characters
_RESERVED = 200  # bytes for the sentence about what was left out
MOST_OF_A_CELL = 300


@record
class Section:
    """Lines below a title that may be cut between any two *rows*; *head* and *tail* go with them or not at all."""

    title: str
    head: Sequence[str]
    rows: Sequence[str]
    tail: Sequence[str] = ()
    is_folded: bool = True

    def text(self, count: int) -> str:
        """Return the section with its first *count* rows."""
        body = "\n".join([*self.head, *self.rows[:count], *self.tail]) + "\n"
        if self.is_folded:
            return folded(self.title, body)
        return f"#### {prose(self.title)}\n\n{body}" if self.title else body

    def fitting(self, room: int) -> int | None:
        """Return how many rows fit into *room* bytes, None where not even the title does."""
        room -= _size(self.text(0))
        for count, row in enumerate(self.rows):
            room -= _size(row) + 1
            if room < 0:
                return count or None
        return len(self.rows) if room >= 0 else None


def write_page(opening: str, sections: Iterable[Section], hidden: Sequence[Hidden] | None) -> str:
    """Return a page under 60,000 bytes; its foot says what had no room and what was *hidden*."""
    text, foot, left = opening, _foot(hidden), 0
    for section in sections:
        count = section.fitting(_MOST_BYTES - _RESERVED - _size(text + foot) - 1)
        if count is not None:
            text += "\n" + section.text(count)
        left += len(section.rows) - (count or 0)
    if left:
        text += f"\nNo room here for {counted(left, 'more line')}: --format json has everything.\n"
    return text + foot


def _size(text: str) -> int:
    return len(text.encode())


def _foot(hidden: Sequence[Hidden] | None) -> str:
    if hidden is None:
        return ""
    words = hidden_words(hidden)
    return f"\nHidden: {prose(words)}. With --no-redact nothing is.\n" if words else f"\n{NOTHING_HIDDEN}\n"


def rows_section(
    title: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    tail: Sequence[str] = (),
    is_folded: bool = True,
) -> Section:
    """Return a table of cells that are Markdown already."""
    first, second, *lines = table(headers, list(rows)).splitlines()
    return Section(title, (first, second), lines, tail, is_folded)


def table_section(it: Table, of: str = "") -> Section:
    """Return a table, folded away; *of* adds to its title."""
    kept = [number for number, column in enumerate(it.columns) if column.header]
    rows = ([cell_words(row[number]) for number in kept] for row in it.rows)
    return rows_section(it.title + of, [it.columns[number].header for number in kept], rows)


def fields_section(title: str, fields: Iterable[Field], *, is_folded: bool = True) -> Section:
    """Return fields as a table without headers, a row for each value."""
    return rows_section(title, ("", ""), (row for field in fields for row in _field_rows(field)), is_folded=is_folded)


def _field_rows(field: Field) -> Iterator[tuple[str, str]]:
    for number, value in enumerate(field.values):
        yield ("" if number else prose(field.label, MOST_OF_A_CELL)), prose(value, MOST_OF_A_CELL)


def lines_section(lines: Lines) -> Section:
    """Return foreign lines as a block of code, folded away."""
    shown = [f"{line}  ({times} times)" if times > 1 else line for line, times in lines.lines]
    first, *rows, last = fence(shown)
    return Section(lines.title, (first,), rows, (last,))


def cell_words(cell: Cell) -> str:
    """Return what stands in a cell, in Markdown."""
    if isinstance(cell, tuple):
        return ", ".join(map(cell_words, cell))
    if isinstance(cell, Code):
        return code(cell.text, MOST_OF_A_CELL)
    if isinstance(cell, Mark):
        return prose(f"{cell.word} {cell.more}".rstrip(), MOST_OF_A_CELL)
    return prose(cell.words if isinstance(cell, Meter) else cell, MOST_OF_A_CELL)
