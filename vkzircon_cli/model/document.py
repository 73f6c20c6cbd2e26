# SPDX-License-Identifier: Apache-2.0
"""The JSON form of what was found: every field of a dataclass under its name, in its order.

Beside each field of 64 bits stands ``NAME_exact``: the number as a string where it passes what a double holds, and null
where it does not. JavaScript, and jq before 1.7, read every number as a double.
"""

from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any

from vkzircon_cli.model.answers import Answer

MOST_EXACT = (1 << 53) - 1
_LARGEST = (1 << 64) - 1
EXACT = "_exact"


class _SixtyFourBits:
    """Marks a field as an unsigned number of 64 bits."""

    def __get_pydantic_core_schema__(self, *_: object) -> dict[str, Any]:
        """Describe the number to pydantic, by which reports are read and their schema is made."""
        return {"type": "int", "ge": 0, "le": _LARGEST}


class _Finite:
    """Marks a field as a number that JSON has: no infinity, which is what an integer becomes that is too large."""

    def __get_pydantic_core_schema__(self, *_: object) -> dict[str, Any]:
        """Describe the number to pydantic."""
        return {"type": "float", "allow_inf_nan": False}


Milliseconds = Annotated[float, _Finite()]
Size = Annotated[int, _SixtyFourBits()]
_SIZES = (Size, Answer[Size], Size | None)


@cache
def has_neighbour(shape: Hashable) -> dict[str, bool]:
    """Tell of each field of a dataclass, in order, whether an ``_exact`` neighbour follows it."""
    return {f.name: f.type in _SIZES for f in fields(shape)}  # type: ignore[arg-type]


def to_document(value: Any) -> Any:
    """Give *value*, of dataclasses, tuples and what JSON knows, in its JSON form."""
    if is_dataclass(value) and not isinstance(value, type):
        return _object(value)
    if isinstance(value, tuple | list):
        return [to_document(item) for item in value]
    if isinstance(value, dict):
        return {name: to_document(item) for name, item in value.items()}
    return value


def _object(value: Any) -> dict[str, Any]:
    document: dict[str, Any] = {}
    shape: Any = type(value)
    for name, exact in has_neighbour(shape).items():
        item = getattr(value, name)
        document[name] = to_document(item)
        if exact:
            number = item.value if isinstance(item, Answer) else item
            document[name + EXACT] = str(number) if number is not None and number > MOST_EXACT else None
    return document
