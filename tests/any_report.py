# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategy for reports: every field has the right type, and an arbitrary value."""

from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer, Milliseconds, Missing, Size
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.document import Summary

NASTY = (
    "\x1b[31m",
    "\r",
    "\x00",
    "\x7f",
    "\u202e",
    "\u200b",
    "\u2028",
    "[/]",
    "[bold]",
    ":x:",
    "<b>",
    "</details>",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "{% raw %}",
    "]]>",
    "&amp;",
    '"',
    "'",
    "`",
    "```",
    "|",
    "\\|",
    "@someone",
    "#1",
    "[a](http://b)",
    "www.example.com",
    "\n\n# h",
    "\n| a | b |\n",
    "~~~",
    "$x$",
    "<!-- ",
    "-->",
    "界",
    "😀",
    "e\u0301",
    "\ufffe",
    "x" * 300,
)
hostile = st.lists(st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8"), max_size=8), max_size=4).map("".join)
_LARGEST = (1 << 64) - 1


@cache
def _of(shape: Any) -> st.SearchStrategy[Any]:
    if shape in (Size, int):
        return st.sampled_from((0, 1, 3, 31, 1 << 31, (1 << 53) + 1, _LARGEST) if shape is Size else (0, 1, 2, 40, -5))
    times = st.floats(0, 1e9, allow_nan=False)
    plain = {str: hostile, bool: st.booleans(), Milliseconds: times, NoneType: st.none()}
    if shape in plain:
        return plain[shape]
    if isinstance(shape, type) and issubclass(shape, Enum):
        return st.sampled_from(shape)
    if shape is Summary:
        counts = st.fixed_dictionaries({str(outcome): st.integers(0, 99) for outcome in Outcome})
        return st.builds(Summary, st.sampled_from(Outcome), hostile, st.sampled_from(Exit).map(int), counts)
    return _composed(shape)


def _composed(shape: Any) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(shape), get_args(shape)
    if origin is Answer:
        return _of(inner[0]).map(Answer) | _of(Missing).map(lambda missing: Answer(None, missing))
    if origin is tuple:
        return st.lists(_of(inner[0]), max_size=2).map(tuple)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, UnionType):
        return st.one_of(*map(_of, inner))
    assert is_dataclass(shape), shape
    return st.builds(shape, **{f.name: _of(f.type) for f in fields(shape)})  # type: ignore[arg-type]


def reports() -> st.SearchStrategy[Report]:
    """Return a strategy for arbitrary reports."""
    made: st.SearchStrategy[Report] = _of(Report)
    return made
