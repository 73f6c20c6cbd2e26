# SPDX-License-Identifier: Apache-2.0
"""Questions without an answer, in a word for a cell and in a sentence."""

from rich.text import Text

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.render.writer import Sheet

_WORDS = {
    MissingKind.REFUSED: ("refused", "red"),
    MissingKind.NOT_ASKED: ("skip", "dim"),
    MissingKind.CRASHED: ("crash", "bold red"),
    MissingKind.TIMED_OUT: ("timeout", "bold red"),
}


def missing_word(sheet: Sheet, missing: Missing | None) -> Text:
    """Say in one word why there is no answer, nothing where there was no question."""
    return sheet.text(*_WORDS[missing.kind]) if missing else Text()


def why_missing(missing: Missing | None) -> str:
    """Say why there is no answer."""
    return describe(missing) if missing else "unknown"
