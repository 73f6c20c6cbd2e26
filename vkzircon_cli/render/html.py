# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML page that needs nothing else: no script, no network, no file beside it.

The markup is in `templates/`; what stands on the page is found by the `html_*` modules, and its pictures by `pictures`
and `timeline`. Every string goes through `_finalized`, ours and foreign ones alike, so that none can be forgotten.
"""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from vkzircon_cli.render import View
from vkzircon_cli.render.answers import why_missing
from vkzircon_cli.render.html_checks import counts, device_checks, findings
from vkzircon_cli.render.html_fields import extension_fields, identity_fields, machine_fields, said, title_of
from vkzircon_cli.render.html_marks import outcome_mark
from vkzircon_cli.render.html_sharing import (
    FORMS,
    PLACES,
    VMO_COLUMNS,
    heap_rows,
    image_reasons,
    image_rows,
    import_reasons,
    trip_rows,
    type_rows,
    vmo_rows,
    way_rows,
)
from vkzircon_cli.render.pictures import matrix, paths
from vkzircon_cli.render.sharing import notes
from vkzircon_cli.render.timeline import bad_steps, timeline
from vkzircon_cli.report import Report
from vkzircon_cli.text import visible

if TYPE_CHECKING:
    from vkzircon_cli.redaction import Hidden

# A driver's text may have any length, and nobody reads on that far.
_MOST_CHARACTERS = 4000
_MOST_STEPS = 2000
_SLOWEST = 10


def render_html(report: Report, view: View, hidden: tuple["Hidden", ...] | None) -> str:
    """Write *report*, or only its verdicts, as a page; *hidden* was taken out of it, None if nothing was looked for."""
    template = _environment().get_template("report.html")
    return template.render(report=report, is_whole=view is View.REPORT, hidden=hidden)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(_NAMES)
    return environment


def _template(name: str) -> str:
    return files("vkzircon_cli.render").joinpath("templates", name).read_text(encoding="utf-8")


def _finalized(value: Any) -> Any:
    """Make a string harmless and not too long; what a macro made out of such strings already is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    left = len(value) - _MOST_CHARACTERS
    shown = visible(value[:_MOST_CHARACTERS])
    return f"{shown}… ({left} more characters)" if left > 0 else shown


def _slowest(report: Report) -> list[Any]:
    took = [step for step in report.run.steps if step.duration_ms is not None]
    return sorted(took, key=lambda step: -(step.duration_ms or 0))[:_SLOWEST]


_NAMES: dict[str, Any] = {
    each.__name__: each
    for each in (
        bad_steps,
        counts,
        device_checks,
        extension_fields,
        findings,
        heap_rows,
        identity_fields,
        image_reasons,
        image_rows,
        import_reasons,
        machine_fields,
        matrix,
        notes,
        outcome_mark,
        paths,
        said,
        timeline,
        title_of,
        trip_rows,
        type_rows,
        vmo_rows,
        way_rows,
        why_missing,
    )
} | {
    "FORMS": FORMS,
    "MOST_STEPS": _MOST_STEPS,
    "PLACES": PLACES,
    "VMO_COLUMNS": VMO_COLUMNS,
    "slowest": _slowest,
}
