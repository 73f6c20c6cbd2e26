# SPDX-License-Identifier: Apache-2.0
"""Decodes facts from JSON: rebuilds a record by the types of its fields, which only this module reads."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from sys import intern
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from vkzircon_cli.model.base import Answer, Missing, Size, record

_Decoder = Callable[[Any], Any]


@record
class Fact:
    """A field that holds one answer, or a table whose rows have one answer each.

    *row* is the record of a row, None without a table; *keys* has the types of its other fields, and *name* is that of
    the answer in it.
    """

    row: Any
    keys: Mapping[str, Any]
    name: str
    answer: Any

    def decode_key(self, key: Any) -> dict[str, Any]:
        """Rebuild the *key* of a row, parsed from JSON; that of a lone answer is empty.

        Raises:
            ValueError, KeyError: the rows have another key.
        """
        return {name: decode(shape, key[name]) for name, shape in self.keys.items()}


@cache
def facts_of(owner: Any) -> Mapping[str, Fact]:
    """Return the facts among the fields of *owner*, a dataclass, by their names."""
    found = {}
    for field in fields(owner):
        (row,) = get_args(field.type)[:1] if get_origin(field.type) is tuple else (None,)
        parts = fields(row) if row else (field,)
        answers = [part for part in parts if get_origin(part.type) is Answer]
        if len(answers) == 1:
            keys = {part.name: part.type for part in parts if part is not answers[0]}
            found[field.name] = Fact(row, keys, answers[0].name, answers[0].type)
    return found


def fact_of(owner: Any, name: str) -> Fact:
    """Return the fact of *owner* with this *name*.

    Raises:
        ValueError: there is none.
    """
    if name not in facts_of(owner):
        raise ValueError(f"{name} is not a fact")
    return facts_of(owner)[name]


def decode(shape: Any, value: Any) -> Any:
    """Rebuild *value*, parsed from JSON, as *shape*, a type from `facts`; unknown keys are ignored.

    Raises:
        ValueError: a value in it has another type than *shape* requires.
        KeyError: something is missing.
    """
    return _decoder(shape)(value)


@cache
def _decoder(shape: Any) -> _Decoder:
    """Return the function that decodes a *shape*: types are analysed once, not once for each value."""
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
        known = [(f.name, _decoder(f.type), f.default) for f in declared]
        return partial(_decoded_record, shape, known)
    if isinstance(shape, type) and issubclass(shape, Enum | str):
        return shape if issubclass(shape, Enum) else _interned
    return partial(_checked, _fits(shape))


def _fits(shape: Any) -> Callable[[Any], bool]:
    origin, inner = get_origin(shape), get_args(shape)
    if origin is Literal:
        return inner.__contains__
    return _FITS[shape if shape in _FITS else inner[0] if origin is Annotated else origin]


def _decoded_answer(of_value: _Decoder, of_missing: _Decoder, given: Any) -> Answer[Any]:
    value, missing = _checked(_FITS[dict], given)["value"], given["missing"]
    return Answer(None, of_missing(missing)) if missing is not None else Answer(of_value(value))


def _decoded_record(shape: Any, known: Iterable[tuple[str, _Decoder, Any]], given: Any) -> Any:
    """Make a record of *given*, without a call of ``__init__``, which would cost as much as the rest."""
    _checked(_FITS[dict], given)
    made = object.__new__(shape)
    for name, of, default in known:
        setattr(made, name, of(given[name]) if default is MISSING or name in given else default)
    return made


_LARGEST = (1 << 64) - 1


def _is_number(value: Any) -> bool:
    """Whether *value* is a number, finite and no larger than any that this program writes."""
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


def _interned(value: Any) -> str:
    """Return a string that is kept once: each device lists the same names."""
    return intern(_checked(_FITS[str], value))


def _checked(fits: Callable[[Any], bool], value: Any) -> Any:
    if not fits(value):
        raise ValueError(f"{type(value).__name__} where something else belongs")
    return value
