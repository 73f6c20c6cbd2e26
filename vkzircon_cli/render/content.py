# SPDX-License-Identifier: Apache-2.0
"""Content of pages without any markup: fields, tables, marks and lines; each writer escapes them and lays them out."""

from collections.abc import Iterable
from enum import StrEnum

from vkzircon_cli.model.base import record


class Look(StrEnum):
    """How good something is; a value is the name of its class in the style sheet."""

    GOOD = "good"
    NOTE = "note"
    SKIP = "skip"
    WARN = "warn"
    BAD = "bad"


@record
class Mark:
    """A result: *glyph* and *look* only repeat its *word*, and *more* adds a detail."""

    glyph: str
    word: str
    look: Look
    more: str = ""


@record
class Code:
    """A name that is read letter by letter."""

    text: str


@record
class Meter:
    """A bar, *fraction* of the longest one, and its number in *words*; *is_second* is the other of two kinds."""

    fraction: float
    words: str = ""
    is_second: bool = False


Cell = str | Code | Mark | Meter | tuple[Code | Mark, ...]


@record
class Column:
    """A table's column: one that *wraps* does so between words, and numbers go to the *right*."""

    header: str
    right: bool = False
    wraps: bool = False


@record
class Table:
    """Rows of cells, of which that in column number *names* names the row; *kind* is a class of the style sheet."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    names: int = 0
    kind: str = "wide"


@record
class Field:
    """A label and its values, a line each; one in *prose* wraps between words, and a *detail* may be left out."""

    label: str
    values: tuple[str, ...]
    prose: bool = False
    detail: bool = False


@record
class Lines:
    """Different lines of foreign text, each with its number of occurrences; *more* counts the lines left out."""

    title: str
    lines: tuple[tuple[str, int], ...]
    more: int


@record
class Reason:
    """Why there is no answer, and what that is true of."""

    mark: Mark
    words: str
    of: tuple[str, ...]


def columns_of(headers: Iterable[str]) -> tuple[Column, ...]:
    """Return plain columns with these *headers*."""
    return tuple(map(Column, headers))


def cut(words: str, limit: int) -> str:
    """Return at most *limit* characters, and how many more there are."""
    left = len(words) - limit
    return words if left <= 0 else f"{words[:limit]}... ({left} more characters)"
