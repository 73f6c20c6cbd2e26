# SPDX-License-Identifier: Apache-2.0
"""Reports, benches and surveys as one HTML page each that needs no script, no network and no other file.

The markup is in `templates/`; the content of a page comes from the content modules, and its pictures are geometry from
`pictures` and `charts`. Every string is escaped, made visible and cut here, so that none can be forgotten.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from vkzircon_cli.model.survey import Survey
from vkzircon_cli.model.text import visible
from vkzircon_cli.render import charts, check_results, content, fields, frame, pictures, shared_memory, survey
from vkzircon_cli.render.style import View
from vkzircon_cli.report.bench import BenchReport
from vkzircon_cli.report.redaction import Hidden
from vkzircon_cli.report.report import Report

# A driver's text may have any length.
_MOST_CHARACTERS = 4000
_MOST_LINES = 200
_MOST_STEPS = 2000
_CONTENT = (charts, check_results, content, fields, frame, pictures, shared_memory)


def render_html(document: Report | BenchReport, view: View, hidden: Sequence[Hidden] | None) -> str:
    """Write a report, or only its verdicts, or a bench; *hidden* was taken out of it, None without redaction."""
    template = _environment().get_template("bench.html" if isinstance(document, BenchReport) else "report.html")
    return template.render(
        report=document,
        opening=frame.opening_of(document),
        quotes=frame.printed(document.run, _MOST_LINES),
        hidden=hidden,
        is_whole=view is View.REPORT,
        most_steps=_MOST_STEPS,
    )


def render_survey(it: Survey, hidden: Sequence[Hidden] | None) -> str:
    """Write the answer of a survey; *hidden* was taken out of it, None without redaction."""
    shown = survey.shown(it)
    notes = list(survey.notes(it, shown))
    return _environment().get_template("survey.html").render(survey=it, shown=shown, notes=notes, hidden=hidden)


@cache
def _environment() -> Environment:
    folder = files("vkzircon_cli.render").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["kind"] = lambda value: type(value).__name__
    environment.globals.update((module.__name__.rpartition(".")[2], module) for module in _CONTENT)
    return environment


def _finalized(value: Any) -> Any:
    """Return a string made visible and cut; the result of a macro is both already."""
    is_words = isinstance(value, str) and not isinstance(value, Markup)
    return visible(content.cut(value, _MOST_CHARACTERS)) if is_words else value
