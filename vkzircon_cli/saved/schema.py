# SPDX-License-Identifier: Apache-2.0
"""Derives the JSON Schema of a document from its dataclasses, and reads documents strictly.

Both use pydantic; a Fuchsia device has no pydantic and needs neither function.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args

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
    schema = _adapter(shape).json_schema(mode="serialization")
    of_class = {each.__name__: each for each in _dataclasses(shape)}
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            _complete(part, of_class.get(part["title"]))
    return {"$schema": _DIALECT, **schema, "title": title}


def _complete(part: dict[str, Any], shape: Any) -> None:
    """Add the keys that `to_document` adds, and require all keys, because none is ever left out."""
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


def _dataclasses(shape: Any) -> Iterator[Any]:
    """Yield every dataclass that *shape* is made of, itself included."""
    waiting, known = [shape], set()
    while waiting:
        each = waiting.pop()
        waiting += get_args(each)
        if is_dataclass(each) and each not in known:
            known.add(each)
            yield each
            waiting += [f.type for f in fields(each)]
