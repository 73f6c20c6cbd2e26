# SPDX-License-Identifier: Apache-2.0
"""What every page begins with: whether the run is emulated, the result, and what to do if no device was asked."""

from collections.abc import Iterable

from vkzircon_cli.model.base import record
from vkzircon_cli.render.content import Mark
from vkzircon_cli.render.marks import outcome_mark
from vkzircon_cli.report.report import Document
from vkzircon_cli.stream.events import Culprit


@record
class Opening:
    """The first lines of a page; without emulation *emulated_by* is empty."""

    emulated_by: str
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
        mark=outcome_mark(summary.outcome),
        sentence=error.message if error else summary.sentence,
        hint=error.hint if error else "",
        left_out=tuple(culprit for culprit in culprits if culprit.left_out),
    )
