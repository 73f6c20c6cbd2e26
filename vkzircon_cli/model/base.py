# SPDX-License-Identifier: Apache-2.0
"""The forms of all data here: records, answers (a value, or the reason why there is none), and their JSON.

Each field of 64 bits has a neighbour ``NAME_exact``: the number as a string if a double cannot hold it, else null.
JavaScript, and jq before 1.7, read every number as a double.
"""

from collections.abc import Hashable, Iterator
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from functools import cache
from itertools import repeat
from typing import Annotated, Any, Generic, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(declared: type[T]) -> type[T]:
    """Make *declared* a dataclass with slots, equal and hashed by its values.

    Its methods are shared: `dataclass` compiles them for each of more than a hundred classes, which slows every start
    (75 microseconds a class with ``__init__`` alone, 25 without). Only the type checker ensures that all
    fields are given, each once, and that none is ever assigned.
    """
    made: type[T] = dataclass(slots=True, init=False, eq=False, repr=False, match_args=False)(declared)
    for name, method in _METHODS.items():
        setattr(made, name, method)
    return made


def _init(self: Any, *values: Any, **named: Any) -> None:
    known = self.__dataclass_fields__
    if len(values) + len(named) != len(known):
        _set_defaults(type(self), self)
    any(map(setattr, repeat(self), known, values))  # setattr returns None, so all are set; half the time of a loop
    if named:
        any(map(setattr, repeat(self), named, named.values()))


def _set_defaults(shape: Any, made: Any) -> None:
    defaults, factories = _defaults(shape)
    any(map(setattr, repeat(made), defaults, defaults.values()))
    for name, make in factories.items():
        setattr(made, name, make())


@cache
def _defaults(shape: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the defaults of the fields of a record, and the functions that make them, by their names."""
    declared = fields(shape)
    factories = {f.name: f.default_factory for f in declared if f.default_factory is not MISSING}
    return {f.name: f.default for f in declared if f.default is not MISSING}, factories


def _values(of: Any) -> tuple[Any, ...]:
    return tuple(getattr(of, name) for name in of.__dataclass_fields__)


def _is_equal(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _represent(self: Any) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in zip(self.__dataclass_fields__, _values(self), strict=True))
    return f"{type(self).__qualname__}({shown})"


_METHODS = {"__init__": _init, "__eq__": _is_equal, "__hash__": _hash, "__repr__": _represent}


def plain(value: Any) -> Any:
    """Return *value* in JSON's types, recursively: an object for a record, an array for a tuple, else the value itself.

    `dataclasses.asdict` would make a deep copy of each number and string.
    """
    if (fields := getattr(value, "__dataclass_fields__", None)) is not None:
        return {name: plain(getattr(value, name)) for name in fields}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


class BadValue(ValueError):
    """A value from the user that cannot be used: *message* is one sentence, *hint* names a value to use instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MissingKind(StrEnum):
    """Why a question has no answer."""

    REFUSED = "refused"
    NOT_ASKED = "not-asked"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"


@record
class Missing:
    """A missing answer: the call that was made, its result by name ('' if none) and the reason in words."""

    kind: MissingKind
    call: str
    result: str
    reason: str


@record
class Answer(Generic[T]):
    """The answer to a question: exactly one of *value* and *missing* is not None."""

    value: T | None
    missing: Missing | None = None


def not_asked(reason: str) -> Answer[T]:
    """Return the answer of a question that was not asked, with the reason."""
    return Answer(None, Missing(MissingKind.NOT_ASKED, "", "", reason))


CONNECTION_ENDED = "the connection to the agent ended"  # how the process on the other side ended is not known
HUNG_EARLIER = "hung in an earlier step"  # behind the name of a call that is not made again
NEVER_REACHED: Missing = Missing(MissingKind.NOT_ASKED, "", "", "not reached")


MOST_EXACT = (1 << 53) - 1
_LARGEST = (1 << 64) - 1
EXACT = "_exact"


class _SixtyFourBits:
    """Marks a field as an unsigned number of 64 bits."""

    def __get_pydantic_core_schema__(self, *_: object) -> dict[str, Any]:
        """Describe the number to pydantic, which reads reports and makes their schema."""
        return {"type": "int", "ge": 0, "le": _LARGEST}


class _Finite:
    """Marks a field as a number that JSON has: no infinity, which a too large number would become."""

    def __get_pydantic_core_schema__(self, *_: object) -> dict[str, Any]:
        """Describe the number to pydantic."""
        return {"type": "float", "allow_inf_nan": False}


Milliseconds = Annotated[float, _Finite()]
Size = Annotated[int, _SixtyFourBits()]
_SIZES = (Size, Answer[Size], Size | None)


@cache
def has_neighbour(shape: Hashable) -> dict[str, bool]:
    """Return for each field of a dataclass, in order, whether an ``_exact`` neighbour follows it."""
    return {f.name: f.type in _SIZES for f in fields(shape)}  # type: ignore[arg-type]


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the members of a record's JSON form: its fields, and their neighbours."""
    shape: Any = type(value)
    for name, exact in has_neighbour(shape).items():
        item = getattr(value, name)
        yield name, item
        if exact:
            number = item.value if isinstance(item, Answer) else item
            yield name + EXACT, str(number) if number is not None and number > MOST_EXACT else None
