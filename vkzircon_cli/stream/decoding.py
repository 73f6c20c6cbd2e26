# SPDX-License-Identifier: Apache-2.0
"""Facts out of JSON: what was written of a record becomes that record again, by the types of its fields."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from vkzircon_cli.model.base import Answer, Missing, Size

_Decoder = Callable[[Any], Any]


def shape_of_answer(fact: str, owner: Any) -> Any:
    """Give the type of *fact*'s answer: the field's own, or that of the one answer in its table's rows."""
    return _shapes(fact, owner)[1]


def decode_key(fact: str, owner: Any, key: Any) -> dict[str, Any]:
    """Rebuild the *key* of a row of *fact*'s table, parsed from JSON; that of a lone answer is empty.

    Raises:
        ValueError, KeyError: *owner* has no such fact, or its rows have another key.
    """
    row = _shapes(fact, owner)[0]
    return {f.name: decode(f.type, key[f.name]) for f in fields(row) if _is_key(f)} if row else {}


def _shapes(fact: str, owner: Any) -> tuple[Any, Any]:
    """Return the record of a row of *fact*'s table, None where it has no table, and the type of its one answer."""
    shape: Any = next((f.type for f in fields(owner) if f.name == fact), None)
    row = get_args(shape)[0] if get_origin(shape) is tuple else None
    answers = [shape] if row is None else [f.type for f in fields(row) if not _is_key(f)]
    if len(answers) != 1 or get_origin(answers[0]) is not Answer:
        raise ValueError(f"{fact} is no fact")
    return row, answers[0]


def _is_key(of: Any) -> bool:
    return get_origin(of.type) is not Answer


def decode(shape: Any, value: Any) -> Any:
    """Rebuild *value*, parsed from JSON, as the type *shape* out of `facts`; keys that are not known are passed over.

    Raises:
        ValueError: something in it is of another type than *shape* has there.
        KeyError: something is missing.
    """
    return _decoder(shape)(value)


@cache
def _decoder(shape: Any) -> _Decoder:
    """Make what decodes a *shape*: what types are made of is looked up once, not once a value."""
    origin, inner = get_origin(shape), get_args(shape)
    if origin in (Union, UnionType):
        (some,) = (_decoder(each) for each in inner if each is not NoneType)
        return lambda value: None if value is None else some(value)
    if origin is tuple:
        item = _decoder(inner[0])
        return lambda value: tuple(map(item, _checked(_FITS[tuple], value)))
    if origin is Answer:
        return partial(_decoded_answer, _decoder(inner[0]), _decoder(Missing))
    if is_dataclass(shape):
        declared: Any = fields(shape)
        known = [(f.name, _decoder(f.type), f.default is MISSING) for f in declared]
        return lambda value: shape(**_decoded_fields(known, value))  # type: ignore[operator]
    if isinstance(shape, type) and issubclass(shape, Enum):
        return shape
    return partial(_checked, _fits(shape))


def _fits(shape: Any) -> Callable[[Any], bool]:
    origin, inner = get_origin(shape), get_args(shape)
    if origin is Literal:
        return inner.__contains__
    return _FITS[shape if shape in _FITS else inner[0] if origin is Annotated else origin]


def _decoded_answer(of_value: _Decoder, of_missing: _Decoder, given: Any) -> Answer[Any]:
    value, missing = _checked(_FITS[dict], given)["value"], given["missing"]
    return Answer(None, of_missing(missing)) if missing is not None else Answer(of_value(value))


def _decoded_fields(known: Iterable[tuple[str, _Decoder, bool]], given: Any) -> dict[str, Any]:
    _checked(_FITS[dict], given)
    return {name: of(given[name]) for name, of, is_needed in known if is_needed or name in given}


_LARGEST = (1 << 64) - 1


def _is_number(value: Any) -> bool:
    """Whether *value* is a number that is finite, and no larger than any is that this program writes."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


_FITS: Mapping[Any, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    str: lambda value: isinstance(value, str),
    dict: lambda value: isinstance(value, dict),
    tuple: lambda value: isinstance(value, list | tuple),
    float: _is_number,
    int: lambda value: isinstance(value, int) and _is_number(value),
    Size: lambda value: isinstance(value, int) and _is_number(value) and value >= 0,
}


def _checked(fits: Callable[[Any], bool], value: Any) -> Any:
    if not fits(value):
        raise ValueError(f"{type(value).__name__} where something else belongs")
    return value
