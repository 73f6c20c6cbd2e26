# SPDX-License-Identifier: Apache-2.0
"""How this package declares its data: `record`, a dataclass that is cheap to declare.

There are more than a hundred of them, and every command declares most when it starts. A frozen dataclass compiles seven
methods a class, which takes ten times as long; here ``__init__`` alone is, when the first of them is made.
"""

from dataclasses import MISSING, dataclass
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(declared: type[T]) -> type[T]:
    """Make *declared* a dataclass with slots, equal and hashed by its values.

    That nobody assigns to its fields is the type checker's to see.
    """
    made: type[T] = dataclass(slots=True, init=False, repr=False, eq=False, match_args=False)(declared)
    for name, method in _METHODS.items():
        setattr(made, name, method)
    return made


def plain(value: Any) -> Any:
    """Give a record as JSON has it, what it holds alike: an object a record, an array a tuple.

    All else stands as it is; `dataclasses.asdict` would make a deep copy of each number and string.
    """
    if (fields := getattr(value, "__dataclass_fields__", None)) is not None:
        return {name: plain(getattr(value, name)) for name in fields}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def _first_init(self: Any, *values: Any, **named: Any) -> None:
    """Compile the class's own ``__init__``, put it in this one's place, and call it."""
    cls: Any = next(each for each in type(self).__mro__ if vars(each).get("__init__") is _first_init)
    fields = cls.__dataclass_fields__.values()
    defaults = {f"_default_of_{field.name}": field.default for field in fields if field.default is not MISSING}
    taken = (f"{f.name}=_default_of_{f.name}" if f.default is not MISSING else f.name for f in fields)
    lines = (f"    self.{field.name} = {field.name}" for field in fields)
    scope: dict[str, Any] = defaults
    exec("\n".join((f"def __init__(self, {', '.join(taken)}):", *lines)), scope)
    cls.__init__ = scope["__init__"]
    scope["__init__"](self, *values, **named)


def _values(of: Any) -> tuple[Any, ...]:
    return tuple(getattr(of, name) for name in of.__dataclass_fields__)


def _is_equal(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _represent(self: Any) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in zip(self.__dataclass_fields__, _values(self), strict=True))
    return f"{type(self).__qualname__}({shown})"


_METHODS = {"__init__": _first_init, "__eq__": _is_equal, "__hash__": _hash, "__repr__": _represent}
