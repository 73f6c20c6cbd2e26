# SPDX-License-Identifier: Apache-2.0
"""The findings of doctor: a tree in which a parent has the outcome of its worst child."""

from collections.abc import Iterable, Iterator, Sequence

from vkzircon_cli.checks import SEVERITY, Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible


@record
class Finding:
    """One thing that was examined.

    *id* is a stable dotted word for programs (``manifest.library-missing``); *subject* is a path, a variable or a layer
    (foreign text). *sentence* says what was found, *evidence* has the lines that show it (file, line and column, the
    linker's own words), *cause* says why, and *command* is what to type next; both may be ''.
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
    """Return a parent with the outcome of its worst child; notes and skips count only if there is nothing else."""
    of = tuple(children)
    found = {child.outcome for child in of}
    counting = found - {Outcome.INFO, Outcome.SKIP} or found
    worst = max(counting, key=SEVERITY.__getitem__, default=Outcome.PASS)
    return Finding(id, subject, worst, sentence, children=of)


def leaves(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the findings without their branches, whose ids have no dot."""
    for finding in findings:
        if "." in finding.id or not finding.children:
            yield finding
        yield from leaves(finding.children)


def shown(value: str) -> str:
    """Return a value of the environment, or a path, in printable characters."""
    return visible(value)
