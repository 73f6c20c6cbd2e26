# SPDX-License-Identifier: Apache-2.0
"""Derives the JSON Schema of a document from its dataclasses, and reads documents strictly.

Both use pydantic; a Fuchsia device has no pydantic and needs neither function.
"""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from vkzircon_cli.model.base import EXACT, has_neighbour

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXPECTED = {
    "bool_type": "expected true or false",
    "dataclass_type": "expected an object",
    "dataclass_exact_type": "expected an object",
    "dict_type": "expected an object",
    "float_type": "expected a number",
    "int_type": "expected integer",
    "missing": "is missing",
    "none_required": "expected null",
    "string_type": "expected a string",
    "tuple_type": "expected an array",
}


class NotOfThisShape(ValueError):
    """A document does not fit its schema; the message has the path and the expected value."""


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def parse(shape: Any, text: str | bytes) -> Any:
    """Read the JSON *text* as *shape*: no value is converted, and unknown keys are ignored.

    Raises:
        NotOfThisShape: it has another shape, or is not JSON.
    """
    try:
        return _adapter(shape).validate_json(text, strict=True)
    except ValidationError as error:
        raise NotOfThisShape(_said(error)) from error


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    expected = _EXPECTED.get(first["type"], first["msg"][:1].lower() + first["msg"][1:])
    more = error.error_count() - 1
    where = _path(first["loc"])
    said = f"{where}{' ' if first['type'] == 'missing' else ': '}{expected}" if where else expected
    return f"{said} (and {more} more)" if more else said


def _path(location: tuple[int | str, ...]) -> str:
    """Format a path as ``devices[0].memory.value.types[3].flags``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return "".join(steps).removeprefix(".")


def schema_of(shape: Any, title: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of documents of this *shape*, which have all of its keys."""
    of_class = {each.__name__: each for each in _classes(shape)}
    if sys.flags.optimize > 1:
        _restore_docstrings(of_class.values())
    schema = _adapter(shape).json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            _complete(part, of_class.get(part["title"]))
    return {"$schema": _DIALECT, **schema, "title": title}


def _restore_docstrings(shapes: Iterable[Any]) -> None:
    """Set the docstrings, which are the schema's descriptions: Python drops them with -OO or PYTHONOPTIMIZE=2."""
    for module, declared in groupby(sorted(shapes, key=attrgetter("__module__")), attrgetter("__module__")):
        bodies = ast.parse(inspect.getsource(sys.modules[module])).body
        found = {body.name: ast.get_docstring(body) for body in bodies if isinstance(body, ast.ClassDef)}
        for shape in declared:
            shape.__doc__ = found[shape.__name__]


def _complete(part: dict[str, Any], shape: Any) -> None:
    """Add the keys that `members` adds, and require all keys, because none is ever left out."""
    properties: dict[str, Any] = {}
    exact = has_neighbour(shape) if shape else {}
    for name, described in part["properties"].items():
        described.pop("default", None)
        properties[name] = described
        if exact.get(name):
            properties[name + EXACT] = {
                "type": ["string", "null"],
                "pattern": "^[0-9]+$",
                "description": f"{name} as a string where it passes 2^53 - 1, else null",
            }
    part["properties"], part["required"] = properties, list(properties)


def _classes(shape: Any) -> Iterator[Any]:
    """Yield every dataclass and every enumeration that *shape* is made of, itself included."""
    waiting, known = [shape], set()
    while waiting:
        each = waiting.pop()
        if origin := get_origin(each):
            waiting += [origin, *get_args(each)]
        if isinstance(each, type) and (is_dataclass(each) or issubclass(each, Enum)) and each not in known:
            known.add(each)
            yield each
            waiting += [f.type for f in fields(each)] if is_dataclass(each) else []
