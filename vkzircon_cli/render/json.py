# SPDX-License-Identifier: Apache-2.0
"""Documents for programs: strict JSON, with the same keys on every machine."""

import math
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii
from typing import Any

from vkzircon_cli.model.base import members
from vkzircon_cli.model.text import printable_json


def render_json(document: Any) -> str:
    """Write a record or a dictionary as ASCII JSON: no NaN, integers decimal, no control character but the line feed.

    The text is that of ``json.dumps(indent=2)``, which would need a dictionary of each record and thrice the time.
    """
    # DEL is not escaped, and some terminals interpret it; it only occurs inside strings.
    return printable_json(_text(document, "\n").replace("\x7f", "\\u007f")) + "\n"


def _text(value: Any, line: str) -> str:
    """Format *value*; *line* is the line break in front of what ends it."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _number(value)
    inner = f"{line}  "
    if isinstance(value, tuple | list):
        return _enclosed("[]", (_text(item, inner) for item in value), line)
    named = value.items() if isinstance(value, dict) else members(value)
    return _enclosed("{}", (f"{encode_basestring_ascii(name)}: {_text(item, inner)}" for name, item in named), line)


_WORDS = {None: "null", True: "true", False: "false"}


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    return float.__repr__(value)


def _enclosed(brackets: str, items: Iterable[str], line: str) -> str:
    text = f",{line}  ".join(items)
    return f"{brackets[0]}{line}  {text}{line}{brackets[1]}" if text else brackets
