# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML page that needs nothing else: no script, no network, no file beside it.

The markup is in `templates/`; what stands on the page is found by the `html_*` modules, and its pictures by `pictures`
and `timeline`. Every string goes through `html_templates`, ours and foreign ones alike, so that none can be forgotten.
"""

from typing import TYPE_CHECKING, Any

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
from vkzircon_cli.render.html_templates import fill_template
from vkzircon_cli.render.pictures import matrix, paths
from vkzircon_cli.render.sharing import notes
from vkzircon_cli.render.style import View
from vkzircon_cli.render.timeline import bad_steps, timeline
from vkzircon_cli.report.report import Report

if TYPE_CHECKING:
    from vkzircon_cli.report.redaction import Hidden

_MOST_STEPS = 2000
_SLOWEST = 10


def render_html(report: Report, view: View, hidden: tuple["Hidden", ...] | None) -> str:
    """Write *report*, or only its verdicts, as a page; *hidden* was taken out of it, None if nothing was looked for."""
    return fill_template("report.html", _NAMES, report=report, is_whole=view is View.REPORT, hidden=hidden)


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
