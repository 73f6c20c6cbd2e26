# SPDX-License-Identifier: Apache-2.0
"""How this package declares its data: `record`, a dataclass that is cheap to declare.

There are more than a hundred of them, and every command declares most when it starts. A frozen dataclass compiles seven
methods a class; here only ``__init__`` is, which takes a third of the time.
"""

from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(declared: type[T]) -> type[T]:
    """Make *declared* a dataclass with slots, equal and hashed by its values.

    That nobody assigns to its fields is the type checker's to see.
    """
    made: type[T] = dataclass(slots=True, repr=False, eq=False)(declared)
    for name, method in ("__eq__", _is_equal), ("__hash__", _hash), ("__repr__", _represent):
        setattr(made, name, method)
    return made


def plain(value: Any) -> Any:
    """Give a record as JSON has it, what it holds alike: an object a record, an array a tuple.

    All else stands as it is; `dataclasses.asdict` would make a deep copy of each number and string.
    """
    if (fields := getattr(value, "__dataclass_fields__", None)) is not None:
        return {name: plain(getattr(value, name)) for name in fields}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def _values(of: Any) -> tuple[Any, ...]:
    return tuple(getattr(of, name) for name in of.__dataclass_fields__)


def _is_equal(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _represent(self: Any) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in zip(self.__dataclass_fields__, _values(self), strict=True))
    return f"{type(self).__qualname__}({shown})"
