# SPDX-License-Identifier: Apache-2.0
"""What doctor finds: a tree of things that were looked at, of which a parent is as bad as its worst child."""

from collections.abc import Iterable

from vkzircon_cli.checks import SEVERITY, Outcome
from vkzircon_cli.model.base import record


@record
class Finding:
    """One thing that was looked at.

    *id* is a stable dotted word for programs (``manifest.library-missing``); *subject* is what was looked at (a path, a
    variable, a layer: foreign text). *sentence* says what was found, *evidence* has the lines that it rests on (file,
    line and column, the linker's own words), *cause* says why, and *command* is what to type next; both may be ''.
    """

    id: str
    subject: str
    outcome: Outcome
    sentence: str
    evidence: tuple[str, ...] = ()
    cause: str = ""
    command: str = ""
    children: tuple["Finding", ...] = ()


def branch(id: str, subject: str, sentence: str, children: Iterable[Finding]) -> Finding:
    """Make a parent, as bad as its worst child; what is only worth knowing, or was left out, makes it no worse."""
    of = tuple(children)
    counting = [child.outcome for child in of if child.outcome not in (Outcome.INFO, Outcome.SKIP)]
    worst = max(counting, key=SEVERITY.__getitem__, default=Outcome.PASS)
    return Finding(id, subject, worst, sentence, children=of)
