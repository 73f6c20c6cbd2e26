# SPDX-License-Identifier: Apache-2.0
"""The writer for HTML: fills templates in which every string is escaped, made visible and cut."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from vkzircon_cli.model.text import visible
from vkzircon_cli.render.content import cut

# A driver's text may have any length.
_MOST_CHARACTERS = 4000


def fill_template(name: str, names: Mapping[str, Any], **values: Any) -> str:
    """Return the template *name* filled with *values*; it can call *names*."""
    return _environment().get_template(name, globals=dict(names)).render(**values)


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
    environment.globals["kind"] = lambda value: type(value).__name__
    return environment


def _template(name: str) -> str:
    return files("vkzircon_cli.render").joinpath("templates", name).read_text(encoding="utf-8")


def _finalized(value: Any) -> Any:
    """Return a string harmless and not too long; the result of a macro is both already."""
    return visible(cut(value, _MOST_CHARACTERS)) if isinstance(value, str) and not isinstance(value, Markup) else value
