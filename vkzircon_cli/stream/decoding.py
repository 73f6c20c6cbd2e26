# SPDX-License-Identifier: Apache-2.0
"""Facts out of JSON: what was written of a record becomes that record again, by the types of its fields."""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from vkzircon_cli.model.base import Answer, Missing


def shape_of_answer(fact: str, owner: Any) -> Any:
    """Give the type of *fact*'s answer: the field's own, or that of the one answer in its table's rows."""
    shape: Any = next(f.type for f in fields(owner) if f.name == fact)
    if get_origin(shape) is tuple:
        (row,) = [f.type for f in fields(get_args(shape)[0]) if get_origin(f.type) is Answer]
        return row
    return shape


def decode(shape: Any, value: Any) -> Any:
    """Rebuild *value*, parsed from JSON, as the type *shape* out of `facts`."""
    return _decoder(shape)(value)


@cache
def _decoder(shape: Any) -> Callable[[Any], Any]:
    """Make what decodes a *shape*: what types are made of is looked up once, not once a value."""
    origin, inner = get_origin(shape), get_args(shape)
    if origin in (Union, UnionType):
        (some,) = (each for each in inner if each is not NoneType)
        return lambda value: None if value is None else decode(some, value)
    if origin is tuple:
        return lambda value: tuple(decode(inner[0], item) for item in value)
    if origin is Answer:
        return lambda value: _decoded_answer(inner[0], value["value"], value["missing"])
    if is_dataclass(shape):
        known = [(f.name, f.type, f.default is MISSING) for f in fields(shape)]
        return lambda value: shape(  # type: ignore[operator]
            **{name: decode(of, value[name]) for name, of, is_needed in known if is_needed or name in value}
        )
    return shape if isinstance(shape, type) and issubclass(shape, Enum) else lambda value: value


def _decoded_answer(shape: Any, value: Any, missing: Any) -> Answer[Any]:
    return Answer(None, decode(Missing, missing)) if missing is not None else Answer(decode(shape, value))
