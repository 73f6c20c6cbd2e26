# SPDX-License-Identifier: Apache-2.0
"""Outcomes on the HTML page: each is a glyph and a word, and the colour only repeats them."""

from enum import StrEnum

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import Answer, Missing, MissingKind, record
from vkzircon_cli.model.quantities import exactly
from vkzircon_cli.model.vmo import Comparison


class Look(StrEnum):
    """The colour of a mark, by the name of its class in the style sheet."""

    GOOD = "good"
    NOTE = "note"
    SKIP = "skip"
    WARN = "warn"
    BAD = "bad"


@record
class Mark:
    """What something came to; *word* alone says it all, *more* goes on where there is room."""

    glyph: str
    word: str
    look: Look
    more: str = ""


NOTHING = Mark("", "", Look.SKIP)
_OUTCOMES = {
    Outcome.PASS: ("✓", Look.GOOD),
    Outcome.INFO: ("i", Look.NOTE),
    Outcome.SKIP: ("\N{EN DASH}", Look.SKIP),
    Outcome.WARN: ("!", Look.WARN),
    Outcome.FAIL: ("✗", Look.BAD),
    Outcome.TIMEOUT: ("✗", Look.BAD),
    Outcome.CRASH: ("✗", Look.BAD),
    Outcome.ERROR: ("✗", Look.BAD),
}
_MISSING = {
    # Whether a driver may refuse is the checks' to say.
    MissingKind.REFUSED: Mark("\N{MULTIPLICATION SIGN}", "refused", Look.NOTE),
    MissingKind.NOT_ASKED: Mark("\N{EN DASH}", "skip", Look.SKIP),
    MissingKind.CRASHED: Mark("✗", "crash", Look.BAD),
    MissingKind.TIMED_OUT: Mark("✗", "timeout", Look.BAD),
}


def outcome_mark(outcome: Outcome) -> Mark:
    """Mark a verdict."""
    glyph, look = _OUTCOMES[outcome]
    return Mark(glyph, outcome.upper(), look)


def missing_mark(missing: Missing | None) -> Mark:
    """Mark a question without an answer, with nothing where there was no question."""
    return _MISSING[missing.kind] if missing else NOTHING


def comparison_mark(seen: Answer[Comparison]) -> Mark:
    """Mark how many bytes were right."""
    found = seen.value
    if found is None:
        return missing_mark(seen.missing)
    if found.wrong:
        first = "" if found.first_wrong is None else f"the first at {found.first_wrong}"
        of = "all" if found.wrong == found.count else f"{found.wrong} of"
        return Mark("✗", f"{of} {exactly(found.count)} wrong", Look.BAD, first)
    return Mark("✓", exactly(found.count), Look.GOOD, "all right")
