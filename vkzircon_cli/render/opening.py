# SPDX-License-Identifier: Apache-2.0
"""The beginning of every page: emulation, result, hint; and the words on redaction at its end."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.content import Mark
from vkzircon_cli.render.marks import outcome_mark
from vkzircon_cli.report.stop_reason import NOT_ISOLATED
from vkzircon_cli.stream.document import Document
from vkzircon_cli.stream.events import Culprit

if TYPE_CHECKING:
    from vkzircon_cli.report.redaction import Hidden

NOTHING_HIDDEN = "Nothing had to be hidden: no user or host name, home folder, secret or UUID was found."


@record
class Opening:
    """The first lines of a page.

    *emulated_by* is empty without emulation, *not_isolated* where the probe had a process of its own.
    """

    emulated_by: str
    not_isolated: str
    mark: Mark
    sentence: str
    hint: str
    left_out: tuple[Culprit, ...]


def opening_of(document: Document, culprits: Iterable[Culprit] = ()) -> Opening:
    """Return what a page about *document* begins with."""
    emulation, error, summary = document.emulation, document.error, document.summary
    settings = f" ({emulation.settings})" if emulation.settings else ""
    return Opening(
        emulated_by=f"{emulation.layer}{settings}" if emulation.active else "",
        not_isolated=next((m.text for m in document.run.messages if m.text.startswith(NOT_ISOLATED)), ""),
        mark=outcome_mark(summary.outcome),
        sentence=error.message if error else summary.sentence,
        hint=error.hint if error else "",
        left_out=tuple(culprit for culprit in culprits if culprit.left_out),
    )


def hidden_words(hidden: "Iterable[Hidden]") -> str:
    """Return what was hidden and how often, empty if nothing was."""
    return ", ".join(f"{each.what} ({counted(each.count, 'time')})" for each in hidden)
