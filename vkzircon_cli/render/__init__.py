# SPDX-License-Identifier: Apache-2.0
"""Text out of documents: one content model, and a writer each for the terminal, Markdown and HTML.

Here: records of content without markup, the pages that are composed of them, and the writers that escape
and lay them out; JSON, JUnit and CSV. The table of all formats is in this file.

Not here: judging a result, asking the machine, and writing to a stream.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vkzircon_cli.render.style import Format, Page, Style

if TYPE_CHECKING:
    from vkzircon_cli.report.redaction import Hidden

# A module of this package, and a call of its function with the document, style, page, and hidden items.
Renderer = tuple[str, Callable[..., str]]
_JSON: Renderer = ("json", lambda module, document, *_: module.render_json(document))
RENDERERS: Mapping[str, Mapping[Format, Renderer]] = {
    "report": {
        Format.TERMINAL: (
            "terminal",
            lambda m, it, how, page, _: m.render_report(it, page, how.verbose, how.view, how.advice),
        ),
        Format.JSON: _JSON,
        Format.MARKDOWN: ("markdown", lambda m, it, style, _, hidden: m.render_markdown(it, style.view, hidden)),
        Format.HTML: ("html", lambda m, it, style, _, hidden: m.render_html(it, style.view, hidden)),
        Format.JUNIT: ("junit", lambda m, it, *_: m.render_junit(it)),
    },
    "matrix": {
        Format.TERMINAL: (
            "matrix",
            lambda m, it, how, page, _: m.render_matrix_terminal(it, page, how.verbose, how.advice),
        ),
        Format.JSON: _JSON,
        Format.CSV: ("csv", lambda m, it, *_: m.render_csv(it)),
    },
    "bench": {
        Format.TERMINAL: (
            "bench",
            lambda m, it, how, page, _: m.render_bench_terminal(it, page, how.verbose, how.advice),
        ),
        Format.JSON: _JSON,
        Format.HTML: ("html", lambda m, it, style, _, hidden: m.render_html(it, style.view, hidden)),
    },
    "doctor": {
        Format.TERMINAL: ("doctor", lambda m, it, style, page, _: m.render_diagnosis_terminal(it, page, style.verbose)),
        Format.JSON: _JSON,
    },
    "diff": {
        Format.TERMINAL: ("difference", lambda m, it, _style, page, _: m.render_difference_terminal(it, page)),
        Format.JSON: _JSON,
        Format.MARKDOWN: ("markdown", lambda m, it, _style, _, hidden: m.render_difference_markdown(it, hidden)),
    },
    "survey": {
        Format.TERMINAL: ("survey", lambda m, it, style, page, _: m.render_survey_terminal(it, page, style.verbose)),
        Format.JSON: _JSON,
        Format.CSV: ("csv", lambda m, it, *_: m.render_rows(it.columns, it.rows)),
        Format.MARKDOWN: ("survey", lambda m, it, _style, _, hidden: m.render_survey_markdown(it, hidden)),
        Format.HTML: ("html", lambda m, it, _style, _, hidden: m.render_survey(it, hidden)),
    },
    "explain": {
        Format.TERMINAL: ("explanation", lambda m, it, _style, page, _: m.render_explained(it, page)),
        Format.JSON: ("explanation", lambda m, it, *_: m.render_explained_json(it)),
    },
    "listing": {
        Format.TERMINAL: ("listing", lambda m, it, _style, page, _: m.render_listing(it, page)),
        Format.JSON: ("listing", lambda m, it, *_: m.render_listing_json(it)),
    },
}


def render(document: Any, style: Style, page: Page, hidden: "tuple[Hidden, ...] | None" = None) -> str:
    """Write *document*, of a kind that `RENDERERS` has, in a format of that kind."""
    _, write = RENDERERS[document.kind][style.format]
    return write(load(document.kind, style.format), document, style, page, hidden)


def load(kind: str, format: Format) -> Any:
    """Import the writer of documents of *kind* in *format*, which takes 60 ms with Rich and 30 ms with Jinja."""
    return import_module(f"vkzircon_cli.render.{RENDERERS[kind][format][0]}")
