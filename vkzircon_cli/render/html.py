# SPDX-License-Identifier: Apache-2.0
"""Reports and benches as one HTML page each that needs no script, no network and no other file.

The markup is in `templates/`; what stands on a page comes from the content modules, and its pictures are geometry from
`pictures`, `timeline` and `charts`. Every string goes through `html_writer`, so that none can be forgotten.
"""

from collections.abc import Sequence
from typing import Any

from vkzircon_cli.render import (
    charts,
    check_results,
    identity,
    machine,
    marks,
    pictures,
    run_log,
    shared_memory,
    timeline,
)
from vkzircon_cli.render.html_writer import fill_template
from vkzircon_cli.render.opening import NOTHING_HIDDEN, hidden_words, opening_of
from vkzircon_cli.render.style import View
from vkzircon_cli.report.bench import BenchReport
from vkzircon_cli.report.redaction import Hidden
from vkzircon_cli.report.report import Report

_MOST_LINES = 200
_MOST_STEPS = 2000
_CONTENT = (charts, check_results, identity, machine, marks, pictures, run_log, shared_memory, timeline)
_NAMES = {module.__name__.rpartition(".")[2]: module for module in _CONTENT} | {
    "NOTHING_HIDDEN": NOTHING_HIDDEN,
    "hidden_words": hidden_words,
}


def render_html(report: Report, view: View, hidden: Sequence[Hidden] | None) -> str:
    """Write *report*, or only its verdicts, as a page; *hidden* was taken out of it, None without redaction."""
    return _page("report.html", report, hidden, is_whole=view is View.REPORT, most_steps=_MOST_STEPS)


def render_bench_html(bench: BenchReport, hidden: Sequence[Hidden] | None) -> str:
    """Write *bench* as a page; *hidden* was taken out of it, None without redaction."""
    return _page("bench.html", bench, hidden)


def _page(template: str, document: Report | BenchReport, hidden: Sequence[Hidden] | None, **more: Any) -> str:
    quotes = run_log.printed(document.run, _MOST_LINES)
    opening = opening_of(document, document.culprits)
    return fill_template(template, _NAMES, report=document, opening=opening, quotes=quotes, hidden=hidden, **more)
