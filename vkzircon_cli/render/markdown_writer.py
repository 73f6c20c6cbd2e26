# SPDX-License-Identifier: Apache-2.0
"""The writer for issue trackers: escapes text, and keeps pages below the trackers' limit, the first sections whole.

Words of a small safe alphabet stay unchanged; all others become code, in which trackers make no mentions, links or
markup. Rows without room are left out from the end, and counted.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.content import Cell, Code, Field, Lines, Mark, Meter, Table, cut
from vkzircon_cli.render.frame import NOTHING_HIDDEN, hidden_words
from vkzircon_cli.report.redaction import Hidden

_MOST_BYTES = 60_000  # trackers take 65,536 characters
_RESERVED = 200  # bytes for the sentence about what was left out
MOST_OF_A_CELL = 300
_SAFE = re.compile(r"[A-Za-z0-9]+(?:[-.,'/][A-Za-z0-9]+)*")
# Names that trackers link: addresses, issues (GH-12), commits, people and folders of repositories.
_LINKED = re.compile(r"\bwww\.|\bgh-[0-9]|\b[0-9a-f]{7,}\b|/.*/", re.IGNORECASE)
_PARTS = re.compile(r"(\(?)(.*?)([),.;:]*)", re.DOTALL)
_NUMBERED = re.compile(r"[0-9]+[.)]")  # begins a list
_MAIL = re.compile(r"(?<=[\w.+-])(?=@)")
_SPAN = re.compile(r"`([^`]*)`")
_NOT_IN_SPAN = re.compile(r"[`|\\&<>]|^ | $|  |^$")


def prose(words: str, limit: int = 1000) -> str:
    """Return running text that reads unchanged and contains no markup."""
    shown = [word for word in visible(cut(words, limit)).split(" ") if word]
    text = " ".join(_joined(shown))
    return _span(shown[0]) + text[len(shown[0]) :] if shown and _NUMBERED.fullmatch(shown[0]) else text


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Yield words in Markdown; neighbours that become code share one span."""
    waiting: list[str] = []
    for word in words:
        before, core, after = _parts(word)
        if waiting and (before or _is_safe(core)):
            yield _span(" ".join(waiting))
            waiting = []
        if _is_safe(core):
            yield word
        elif before or after:
            yield before + _span(" ".join((*waiting, core))) + after
            waiting = []
        else:
            waiting.append(core)
    if waiting:
        yield _span(" ".join(waiting))


def _parts(word: str) -> tuple[str, str, str]:
    """Split a word from the punctuation around it; a word of punctuation only stays whole."""
    found = _PARTS.fullmatch(word)
    before, core, after = found.groups() if found else ("", word, "")
    return (before, core, after) if core else ("", word, "")


def _is_safe(core: str) -> bool:
    return bool(_SAFE.fullmatch(core)) and not _LINKED.search(core)


def code(words: str, limit: int = 1000) -> str:
    """Return a value as code."""
    shown = visible(cut(words, limit))
    return _span(shown) if shown.strip() else ""


def _span(shown: str) -> str:
    return _tagged(shown) if _NOT_IN_SPAN.search(shown) else f"`{shown}`"


def _tagged(shown: str) -> str:
    # Trackers look for mail addresses after decoding entities, in code too, so no tag may hold a whole address.
    return "".join(f"<code>{''.join(_entities(part))}</code>" for part in _MAIL.split(shown))


def _entities(shown: str) -> Iterator[str]:
    for character in shown:
        is_mark = character.isascii() and not character.isalnum() and character != " "
        yield f"&#{ord(character)};" if is_mark else character


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def fence(lines: Sequence[str]) -> list[str]:
    """Return lines as a block of code, with a fence longer than any in them."""
    shown = [visible(line.expandtabs()) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    mark = "`" * max(3, longest + 1)
    return [f"{mark}text", *shown, mark]


def folded(summary: str, body: str) -> str:
    """Return *body* folded away below *summary*; Markdown in HTML needs the blank line."""
    # Markdown inside a tag is not parsed, so a span in backticks would be plain text.
    title = _SPAN.sub(lambda span: _tagged(span[1]), prose(summary))
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n"


@record
class Section:
    """Lines below a title that may be cut between any two *rows*; *head* and *tail* are never cut."""

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
        """Return how many rows fit into *room* bytes, None if not even the title fits."""
        room -= _size(self.text(0))
        for count, row in enumerate(self.rows):
            room -= _size(row) + 1
            if room < 0:
                return count or None
        return len(self.rows) if room >= 0 else None


def write_page(opening: str, sections: Iterable[Section], hidden: Sequence[Hidden] | None) -> str:
    """Return a page under 60,000 bytes; its foot says what was left out and what was *hidden*."""
    foot = ""
    if hidden is not None:
        words = hidden_words(hidden)
        foot = f"\nHidden: {prose(words)}. With --no-redact nothing is.\n" if words else f"\n{NOTHING_HIDDEN}\n"
    text, left = opening, 0
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
    return rows_section(it.title + of, [prose(it.columns[number].header, MOST_OF_A_CELL) for number in kept], rows)


def fields_section(title: str, fields: Iterable[Field], *, is_folded: bool = True) -> Section:
    """Return fields as a table without headers, a row for each value."""
    rows = (
        ("" if number else prose(field.label, MOST_OF_A_CELL), prose(value, MOST_OF_A_CELL))
        for field in fields
        for number, value in enumerate(field.values)
    )
    return rows_section(title, ("", ""), rows, is_folded=is_folded)


def lines_section(lines: Lines) -> Section:
    """Return foreign lines as a block of code, folded away."""
    shown = [f"{line}  ({times} times)" if times > 1 else line for line, times in lines.lines]
    first, *rows, last = fence(shown)
    return Section(lines.title, (first,), rows, (last,))


def cell_words(cell: Cell) -> str:
    """Return the content of a cell in Markdown."""
    if isinstance(cell, tuple):
        return ", ".join(map(cell_words, cell))
    if isinstance(cell, Code):
        return code(cell.text, MOST_OF_A_CELL)
    if isinstance(cell, Mark):
        return prose(f"{cell.word} {cell.more}".rstrip(), MOST_OF_A_CELL)
    return prose(cell.words if isinstance(cell, Meter) else cell, MOST_OF_A_CELL)
