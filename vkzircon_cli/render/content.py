# SPDX-License-Identifier: Apache-2.0
"""Content of pages without any markup: fields, tables, marks and lines; each writer escapes them and lays them out.

Results have a mark: outcomes, missing answers, compared bytes.
"""

from collections.abc import Iterable
from enum import StrEnum

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import describe
from vkzircon_cli.model.base import Answer, Missing, MissingKind, record
from vkzircon_cli.model.quantities import exactly
from vkzircon_cli.model.vmo import Comparison


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
    """A table's column: one that *wraps* does so between words; numbers are aligned to the *right*."""

    header: str
    right: bool = False
    wraps: bool = False


@record
class Table:
    """Rows of cells; the cell in column number *names* names the row; *kind* is a class of the style sheet."""

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
    """Why there is no answer, and the questions that this applies to."""

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


_OUTCOMES = {
    Outcome.PASS: ("✓", Look.GOOD),
    Outcome.INFO: ("i", Look.NOTE),
    Outcome.SKIP: ("-", Look.SKIP),
    Outcome.WARN: ("!", Look.WARN),
}
_MISSING = {
    # A driver may refuse, so only the checks can judge this as bad.
    MissingKind.REFUSED: Mark("\N{MULTIPLICATION SIGN}", "refused", Look.NOTE),
    MissingKind.NOT_ASKED: Mark("-", "skip", Look.SKIP),
    MissingKind.CRASHED: Mark("✗", "crash", Look.BAD),
    MissingKind.TIMED_OUT: Mark("✗", "timeout", Look.BAD),
}


def outcome_mark(outcome: Outcome) -> Mark:
    """Return the mark of a verdict."""
    glyph, look = _OUTCOMES.get(outcome, ("✗", Look.BAD))
    return Mark(glyph, outcome.upper(), look)


def missing_mark(missing: Missing | None) -> Mark:
    """Return the mark of a missing answer, an empty one if there was no question."""
    return _MISSING[missing.kind] if missing else Mark("", "", Look.SKIP)


def why_missing(missing: Missing | None) -> str:
    """Return the reason for a missing answer, without a full stop."""
    return describe(missing) if missing else "unknown"


def reasons(rows: Iterable[tuple[Missing | None, str]]) -> list[Reason]:
    """Return each reason for a missing answer once, with everything that it applies to."""
    of: dict[Missing, dict[str, None]] = {}
    for missing, what in rows:
        if missing is not None:
            of.setdefault(missing, {})[what] = None
    return [Reason(missing_mark(missing), why_missing(missing), tuple(whats)) for missing, whats in of.items()]


def good(word: str, more: str = "") -> Mark:
    """Return the mark of a good result."""
    return Mark("✓", word, Look.GOOD, more)


def bad(word: str, more: str = "") -> Mark:
    """Return the mark of a bad result."""
    return Mark("✗", word, Look.BAD, more)


def comparison_mark(seen: Answer[Comparison]) -> Mark:
    """Return the mark of compared bytes: how many were right, or wrong."""
    found = seen.value
    if found is None:
        return missing_mark(seen.missing)
    if not found.wrong:
        return good(exactly(found.count))
    first = "" if found.first_wrong is None else f"the first at {found.first_wrong}"
    of = "all" if found.wrong == found.count else f"{found.wrong} of"
    return bad(f"{of} {exactly(found.count)} wrong", first)
