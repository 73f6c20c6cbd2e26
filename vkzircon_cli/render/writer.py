# SPDX-License-Identifier: Apache-2.0
"""A sheet of lines in the making: wrapping, labels, tables and colour, all of Rich that the terminal report needs.

Every string that comes onto a sheet is made harmless here, ours and foreign ones alike, so that none can be forgotten.
"""

import re
from collections.abc import Iterator, Sequence
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from vkzircon_cli.model.text import visible
from vkzircon_cli.render.columns import GAP, Column, Row, fitted, table_of, total
from vkzircon_cli.render.page import Page

# Longer lines tire the eye, however wide the screen is.
_WIDEST_PROSE = 100
# With less room than this beside its label, a value goes below it.
_LEAST_VALUE = 24
_ASCII = {"█": "#", "░": ".", "✓": "+", "✗": "x", "µ": "u"}
LABEL_WIDTH = 12


class Sheet:
    """Collects lines for one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._lines: list[Text] = []
        self._stream = StringIO()
        self._console = _console(page, self._stream)

    def text(self, words: str, style: str = "") -> Text:
        """Make harmless text: what a terminal would act upon is escaped, and what the stream cannot write as well."""
        shown = "".join(_ASCII.get(character, character) for character in words) if self.page.ascii else words
        shown = visible(shown)
        if self.page.ascii:
            # Now and not when it is written: an escape is longer than what it stands for.
            shown = shown.encode("ascii", "backslashreplace").decode("ascii")
        return Text(shown, style=style, end="")

    def join(self, *parts: Text | str) -> Text:
        """Put parts side by side."""
        return Text.assemble(*(self.text(part) if isinstance(part, str) else part for part in parts), end="")

    def blank(self) -> None:
        """Leave a line free, never two."""
        if self._lines and self._lines[-1]:
            self._lines.append(Text())

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
            self._lines.append(first + line)
            first = Text(" " * start)

    def value(self, words: Text | str, indent: int = 0) -> None:
        """Write one value, which folds only where the page cuts."""
        text = self.text(words) if isinstance(words, str) else words
        self._lines += [_indented(line, indent) for line in self._wrapped(text, self.page.width - indent, prose=False)]

    def field(
        self, label: str, *values: Text | str, indent: int = 2, label_width: int = LABEL_WIDTH, prose: bool = False
    ) -> None:
        """Write *values* beside their label, each on its own line, or below it where there is no room."""
        texts = [self.text(value) if isinstance(value, str) else value for value in values]
        start = indent + label_width + GAP
        title = self.text(label, "dim")
        if self.page.width - start < _LEAST_VALUE:
            if label:
                self._lines.append(_indented(title, indent))
            start, title = indent + GAP, Text()
        lines = [line for text in texts for line in self._wrapped(text, self.page.width - start, prose)]
        for line in lines or [Text()]:
            self._lines.append(_padded(title, indent, start).append_text(line))
            title = Text()

    def table(self, columns: Sequence[Column], rows: Sequence[Row], indent: int = 2) -> None:
        """Write a table, or one block a row where the page is too narrow for it; the first column names the row."""
        room = self.page.width - indent
        widths = fitted(columns, rows, room)
        if total(widths) > room and self.page.cuts:
            self._blocks(columns, rows, indent)
            return
        table = table_of([self.text(column.header) for column in columns], columns, rows, widths)
        options = self._console.options.update(width=total(widths) + GAP)
        for line in self._console.render_lines(table, options, pad=False):
            parts = [(part.text, part.style or "") for part in line]
            self._lines.append(_indented(Text.assemble(*parts), indent))

    def finish(self) -> str:
        """Give everything as one string that ends with a line feed."""
        for line in self._lines:
            line.rstrip()
        self._console.print(Text("\n").join(self._lines), soft_wrap=True)
        return self._stream.getvalue()

    def _wrapped(self, text: Text, width: int, prose: bool) -> list[Text]:
        if self.page.cuts:
            return list(text.wrap(self._console, width, overflow="fold"))
        return list(text.divide(_between_words(text.plain, width))) if prose else [text]

    def _blocks(self, columns: Sequence[Column], rows: Sequence[Row], indent: int) -> None:
        width = max(len(column.header) for column in columns[1:])
        for row in rows:
            self.value(self.join(self.text(columns[0].header + " ", "dim"), row[0]), indent)
            for column, cell in zip(columns[1:], row[1:], strict=True):
                if cell.plain.strip():
                    self.field(column.header, cell, indent=indent + GAP, label_width=width, prose=True)


def _console(page: Page, stream: StringIO) -> Console:
    # Everything is told, so that Rich asks neither the environment nor the machine; *height* too, since without it
    # TERM=dumb makes any width 80.
    return Console(
        file=stream,
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


def _between_words(words: str, width: int) -> Iterator[int]:
    """Give the offsets where lines begin; Rich's own wrapping cannot leave a long word whole."""
    column = 0
    for word in re.finditer(r"\S+\s*", words):
        if column and column + cell_len(word[0].rstrip()) > width:
            yield word.start()
            column = 0
        column += cell_len(word[0])


def _indented(line: Text, indent: int) -> Text:
    return Text(" " * indent, end="").append_text(line)


def _padded(title: Text, indent: int, start: int) -> Text:
    label = _indented(title, indent)
    label.pad_right(max(start - label.cell_len, 0))
    return label
