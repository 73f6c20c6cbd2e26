# SPDX-License-Identifier: Apache-2.0
"""The templates of HTML pages, filled so that no string in them can act: escaped, made visible, and cut."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from vkzircon_cli.model.text import visible

# A driver's text may have any length, and nobody reads on that far.
_MOST_CHARACTERS = 4000


def fill_template(name: str, names: Mapping[str, Any], **values: Any) -> str:
    """Fill the template *name*, in which *names* can be called and *values* stand."""
    return _environment().get_template(name, globals=dict(names)).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _template(name: str) -> str:
    return files("vkzircon_cli.render").joinpath("templates", name).read_text(encoding="utf-8")


def _finalized(value: Any) -> Any:
    """Make a string harmless and not too long; what a macro made out of such strings already is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    left = len(value) - _MOST_CHARACTERS
    shown = visible(value[:_MOST_CHARACTERS])
    return f"{shown}… ({left} more characters)" if left > 0 else shown
