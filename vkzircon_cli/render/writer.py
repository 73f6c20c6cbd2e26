# SPDX-License-Identifier: Apache-2.0
"""The writer for terminals and pipes: lays content out in lines, with Rich for wrapping, tables and colour.

Every string is made harmless here, ours and foreign ones alike, so that none can be forgotten.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from vkzircon_cli.model.quantities import counted, some
from vkzircon_cli.model.text import visible
from vkzircon_cli.render.content import Cell, Code, Column, Field, Lines, Look, Mark, Meter, Reason, Table
from vkzircon_cli.render.style import Page

if TYPE_CHECKING:
    from rich.console import JustifyMethod

GAP = 2
# Longer lines are hard to read, even on a wide screen.
_WIDEST_PROSE = 100
# With less room than this beside its label, a value goes below it.
_LEAST_VALUE = 24
_ASCII = {"█": "#", "░": ".", "✓": "+", "✗": "x", "µ": "u"}
_LABEL_WIDTH = 12
_MOST_LINES = 1000  # kept before they are written
_BAR = 20
_STYLES = {Look.GOOD: "green", Look.NOTE: "cyan", Look.SKIP: "dim", Look.WARN: "yellow", Look.BAD: "red"}

Row = Sequence[Text]


class Sheet:
    """Collects lines for one page; *height* is the number of lines so far."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.height = 0
        self._lines: list[Text] = []
        self._stream = StringIO()
        # Everything is set, so that Rich reads neither the environment nor the terminal; without *height*, TERM=dumb
        # makes any width 80.
        self._console = Console(
            file=self._stream,
            width=page.width,
            height=25,
            color_system="standard" if page.color else None,
            force_terminal=page.color,
            no_color=not page.color,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            force_jupyter=False,
        )

    def text(self, words: str, style: str = "") -> Text:
        """Return harmless text: what a terminal would interpret, or the stream cannot encode, is escaped."""
        shown = "".join(_ASCII.get(character, character) for character in words) if self.page.ascii else words
        shown = visible(shown)
        if self.page.ascii:
            # Escaped before the text is measured: an escape is longer than its character.
            shown = shown.encode("ascii", "backslashreplace").decode("ascii")
        return Text(shown, style=style, end="")

    def styled(self, words: str, look: Look) -> Text:
        """Return harmless text in the colour of *look*."""
        return self.text(words, _STYLES[look])

    def mark(self, mark: Mark, width: int = 0) -> Text:
        """Return glyph and word of a result, to begin a line with."""
        return self.styled(f"{mark.glyph} {mark.word:{width}}  ", mark.look)

    def join(self, *parts: Text | str) -> Text:
        """Put parts side by side."""
        return Text.assemble(*(self.text(part) if isinstance(part, str) else part for part in parts), end="")

    def _add(self, *lines: Text) -> None:
        """Add lines. Long pages are written in parts: a Rich text takes many times the memory of its characters."""
        self.height += len(lines)
        self._lines += lines
        if len(self._lines) > _MOST_LINES:
            self._write(self._lines[:-1])
            del self._lines[:-1]

    def _write(self, lines: Sequence[Text]) -> None:
        for line in lines:
            line.rstrip()
        self._console.print(Text("\n").join(lines), soft_wrap=True)

    def blank(self) -> None:
        """Leave one line free, never two."""
        if self._lines and self._lines[-1]:
            self._add(Text())

    def heading(self, words: str) -> None:
        """Begin a section."""
        self.blank()
        self.prose(self.text(words, "bold"))

    def prose(self, words: Text | str, indent: int = 0) -> None:
        """Write sentences, wrapped between words at the page's width."""
        self.item(Text(), words, indent)

    def item(self, label: Text, words: Text | str, indent: int = 0) -> None:
        """Write sentences behind *label*; later lines begin below the first word, or a little in on a narrow page."""
        text = self.text(words) if isinstance(words, str) else words
        first = _indented(label, indent)
        start = first.cell_len
        width = min(self.page.width, _WIDEST_PROSE)
        if width - start < _LEAST_VALUE:
            text = label + text
            first = _indented(Text(), min(indent, 2 * GAP))
            start = first.cell_len + (GAP if label else 0)
        for line in self._wrapped(text, width - start, prose=True):
            self._add(first + line)
            first = Text(" " * start)

    def value(self, words: Text | str, indent: int = 0) -> None:
        """Write one value, which folds only if the page cuts."""
        text = self.text(words) if isinstance(words, str) else words
        self._add(*(_indented(line, indent) for line in self._wrapped(text, self.page.width - indent, prose=False)))

    def field(
        self, label: str, *values: Text | str, indent: int = 2, label_width: int = _LABEL_WIDTH, prose: bool = False
    ) -> None:
        """Write *values* beside their label, each on its own line, or below it if there is no room."""
        texts = [self.text(value) if isinstance(value, str) else value for value in values]
        start = indent + label_width + GAP
        title = self.text(label, "dim")
        is_narrow = self.page.width - start < _LEAST_VALUE
        if is_narrow or title.cell_len >= label_width + GAP:
            if label:
                self._add(_indented(title, indent))
            start, title = indent + GAP if is_narrow else start, Text()
        lines = [line for text in texts for line in self._wrapped(text, self.page.width - start, prose)]
        for line in lines or [Text()]:
            beside = _indented(title, indent)
            beside.pad_right(max(start - beside.cell_len, 0))
            self._add(beside.append_text(line))
            title = Text()

    def fields(self, fields: Iterable[Field], verbose: bool = True) -> None:
        """Write fields; details only if *verbose*."""
        for field in fields:
            if verbose or not field.detail:
                self.field(field.label, *field.values, prose=field.prose)

    def reasons(self, title: str, reasons: Sequence[Reason], most: int | None = None) -> None:
        """Write why answers are missing, with at most *most* names of each."""
        if reasons:
            self.heading(title)
        for reason in reasons:
            self.item(self.join(self.cell(reason.mark), "  "), f"{some(reason.of, most)}: {reason.words}", GAP)

    def lines(self, lines: Lines) -> None:
        """Write foreign lines below their title, each with its number of occurrences."""
        self.heading(lines.title)
        for line, count in lines.lines:
            self.value(self.join(line, self.text(f"  ({count} times)", "dim")) if count > 1 else line, indent=GAP)
        if lines.more:
            self.prose(f"{counted(lines.more, 'more line')}: --verbose shows them.", indent=GAP)

    def commands(self, steps: Iterable[tuple[str, str]]) -> None:
        """Write commands to try next, each with its purpose as a comment of the shell if it fits on the line."""
        self.blank()
        for number, (command, purpose) in enumerate(steps):
            line = self.join(self.text("Next:  " if number == 0 else "       ", "bold"), self.text(command, "bold"))
            comment = self.text(f"  # {purpose}", "dim")
            fits = line.cell_len + comment.cell_len <= self.page.width
            self.value(self.join(line, comment) if fits else line)

    def cell(self, cell: Cell) -> Text:
        """Return the content of a cell as text."""
        if isinstance(cell, Mark):
            return self.join(self.styled(cell.word, cell.look), f" {cell.more}" if cell.more else "")
        if isinstance(cell, Meter):
            return self._meter(cell)
        if isinstance(cell, tuple):
            return Text(", ").join(map(self.cell, cell))
        return self.text(cell.text if isinstance(cell, Code) else cell)

    def _meter(self, meter: Meter) -> Text:
        length = min(_BAR, self.page.width // 4)
        # A fraction above zero is always visible, however small.
        filled = max(1, int(meter.fraction * length)) if meter.fraction else 0
        bar = self.text("█" * filled, "yellow" if meter.is_second else "cyan")
        return self.join(bar, self.text("░" * (length - filled), "dim"), f"  {meter.words}" if meter.words else "")

    def table(self, table: Table) -> None:
        """Write a table; one without rows becomes a field that says so."""
        if table.rows:
            self.grid(table.columns, [[self.cell(cell) for cell in row] for row in table.rows], table.names)
        else:
            self.field(table.title, "none")

    def grid(self, columns: Sequence[Column], rows: Sequence[Row], names: int = 0, indent: int = 2) -> None:
        """Write rows below headers, or a block for each if the page is too narrow; column *names* names the row."""
        room = self.page.width - indent
        widths = fitted(columns, rows, room)
        if total(widths) > room and self.page.cuts:
            self._blocks(columns, rows, names, indent)
            return
        from rich.table import Table as Grid  # 3.4 ms, and a page of verdicts has no table

        grid = Grid(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim", highlight=False)
        for column, width in zip(columns, widths, strict=True):
            justify: JustifyMethod = "right" if column.right else "left"
            header = self.text(column.header)
            grid.add_column(header, width=width, justify=justify, no_wrap=not column.wraps, overflow="fold")
        for row in rows:
            grid.add_row(*row)
        options = self._console.options.update(width=total(widths) + GAP)
        for line in self._console.render_lines(grid, options, pad=False):
            parts = [(part.text, part.style or "") for part in line]
            self._add(_indented(Text.assemble(*parts), indent))

    def finish(self) -> str:
        """Return everything as one string that ends with a line feed."""
        self._write(self._lines)
        return self._stream.getvalue()

    def _wrapped(self, text: Text, width: int, prose: bool) -> list[Text]:
        if self.page.cuts:
            return list(text.wrap(self._console, width, overflow="fold"))
        return list(text.divide(_between_words(text.plain, width))) if prose else [text]

    def _blocks(self, columns: Sequence[Column], rows: Sequence[Row], names: int, indent: int) -> None:
        others = [number for number in range(len(columns)) if number != names]
        width = max(len(columns[number].header) for number in others)
        for row in rows:
            self.value(self.join(self.text(f"{columns[names].header} ", "dim"), row[names]), indent)
            for number in others:
                if row[number].plain.strip():
                    self.field(columns[number].header, row[number], indent=indent + GAP, label_width=width, prose=True)


def _between_words(words: str, width: int) -> Iterator[int]:
    """Yield the offsets where lines begin; Rich's own wrapping cannot leave a long word whole."""
    column = 0
    for word in re.finditer(r"\S+\s*", words):
        if column and column + cell_len(word[0].rstrip()) > width:
            yield word.start()
            column = 0
        column += cell_len(word[0])


def _indented(line: Text, indent: int) -> Text:
    return Text(" " * indent, end="").append_text(line)


def total(widths: Sequence[int]) -> int:
    """Return the width of columns with the gaps between them."""
    return sum(widths) + GAP * (len(widths) - 1)


def fitted(columns: Sequence[Column], rows: Sequence[Row], room: int) -> list[int]:
    """Return a width for each column: those that wrap share the rest of the *room*, the first gets the most.

    The sum may exceed *room*: only columns that wrap are narrowed, and no word is broken.
    """
    widest, widths = [], []
    for number, column in enumerate(columns):
        header, cells = cell_len(column.header), [row[number].plain for row in rows]
        widest.append(max([header, *map(cell_len, cells)]))
        words = (word for cell in cells for word in cell.split())
        widths.append(max([header, *map(cell_len, words)]) if column.wraps else widest[-1])
    for i, wide in enumerate(widest):
        widths[i] += max(0, min(wide - widths[i], room - total(widths)))
    return widths
