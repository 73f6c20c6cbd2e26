# SPDX-License-Identifier: Apache-2.0
"""Results in a word for a cell and in a sentence: outcomes, missing answers, compared bytes."""

from collections.abc import Iterable

from vkzircon_cli.checks import Outcome
from vkzircon_cli.checks.registry import describe
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.quantities import exactly
from vkzircon_cli.model.vmo import Comparison
from vkzircon_cli.render.content import Look, Mark, Reason

NOTHING = Mark("", "", Look.SKIP)
_OUTCOMES = {
    Outcome.PASS: ("✓", Look.GOOD),
    Outcome.INFO: ("i", Look.NOTE),
    Outcome.SKIP: ("-", Look.SKIP),
    Outcome.WARN: ("!", Look.WARN),
    Outcome.FAIL: ("✗", Look.BAD),
    Outcome.TIMEOUT: ("✗", Look.BAD),
    Outcome.CRASH: ("✗", Look.BAD),
    Outcome.ERROR: ("✗", Look.BAD),
}
_MISSING = {
    # A driver may refuse, so that only the checks can call this bad.
    MissingKind.REFUSED: Mark("\N{MULTIPLICATION SIGN}", "refused", Look.NOTE),
    MissingKind.NOT_ASKED: Mark("-", "skip", Look.SKIP),
    MissingKind.CRASHED: Mark("✗", "crash", Look.BAD),
    MissingKind.TIMED_OUT: Mark("✗", "timeout", Look.BAD),
}


def outcome_mark(outcome: Outcome) -> Mark:
    """Return the mark of a verdict."""
    glyph, look = _OUTCOMES[outcome]
    return Mark(glyph, outcome.upper(), look)


def missing_mark(missing: Missing | None) -> Mark:
    """Return the mark of a missing answer, an empty one where there was no question."""
    return _MISSING[missing.kind] if missing else NOTHING


def why_missing(missing: Missing | None) -> str:
    """Return the reason for a missing answer, without a full stop."""
    return describe(missing) if missing else "unknown"


def reasons(rows: Iterable[tuple[Missing | None, str]]) -> list[Reason]:
    """Return each reason for a missing answer once, with everything that it is true of."""
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
