# SPDX-License-Identifier: Apache-2.0
"""Tells of what differs alike in one change: of five memory types, of all ways of importing."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from vkzircon_cli.difference.model import FactChange
from vkzircon_cli.difference.places import Row, Table
from vkzircon_cli.difference.walk import Unlike
from vkzircon_cli.quantities import counted, ranges

_MOST_NAMES = 3


@dataclass(slots=True)
class _Group:
    """Unlike things that one change tells of; each list holds what its members have, each once."""

    of: Unlike
    fields: tuple[str, ...]
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    paths: list[str] = field(default_factory=list)


def together(found: Iterable[Unlike]) -> Iterator[FactChange]:
    """Make changes of unlike things: first over the numbers of rows, then over their names, then over fields."""
    groups = [_group(unlike) for unlike in found]
    groups = _merged(groups, lambda group: (group.fields, group.names), _add_numbers)
    groups = _merged(groups, lambda group: (group.fields, group.numbers), _add_names)
    groups = _merged(groups, lambda group: (group.names, group.numbers), _add_fields)
    return (_change(group) for group in groups)


def _group(unlike: Unlike) -> _Group:
    row = unlike.place.row
    names = (" ".join(row.names),) if row and row.names else ()
    numbers = (row.number,) if row and row.number is not None else ()
    return _Group(unlike, (unlike.place.field,), names, numbers, [unlike.place.path])


def _merged(
    groups: list[_Group], by: Callable[[_Group], Hashable], add: Callable[[_Group, _Group], None]
) -> list[_Group]:
    merged: dict[Hashable, _Group] = {}
    for group in groups:
        first = merged.setdefault((_alike(group), by(group)), group)
        if first is not group:
            add(first, group)
            first.paths += group.paths
    return list(merged.values())


def _alike(group: _Group) -> Hashable:
    """Tell what must be the same: the table, the area, and all that is said of it."""
    unlike = group.of
    place = unlike.place
    # What stands in no row is one of its kind: to join it to another would only hide its name.
    table = place.row.table if place.row else place.path
    return table, place.area, replace(unlike, place=replace(place, path="", fields=(), row=None, labels=(), last=""))


def _add_numbers(first: _Group, other: _Group) -> None:
    first.numbers = tuple(sorted({*first.numbers, *other.numbers}))


def _add_names(first: _Group, other: _Group) -> None:
    first.names = tuple(dict.fromkeys((*first.names, *other.names)))


def _add_fields(first: _Group, other: _Group) -> None:
    first.fields = tuple(dict.fromkeys((*first.fields, *other.fields)))


def _change(group: _Group) -> FactChange:
    unlike = group.of
    return FactChange(
        area=unlike.place.area,
        kind=unlike.kind,
        device=unlike.place.device,
        what=_what(group),
        before=unlike.before,
        after=unlike.after,
        removed=unlike.removed,
        added=unlike.added,
        paths=tuple(group.paths),
    )


def _what(group: _Group) -> str:
    row = group.of.place.row
    fields = " and ".join(each for each in group.fields if each)
    subject = _subject(group, row) if row else ""
    return ": ".join(part for part in (subject, fields) if part)


def _subject(group: _Group, row: Row) -> str:
    noun = row.table.noun
    many = len(group.names) > 1
    named = ", ".join(group.names) if len(group.names) <= _MOST_NAMES else counted(len(group.names), "kind")
    noun = _plural(noun) if many else noun
    parts = [noun, named if row.table.is_name or not named else f"({named})"]
    return " ".join(part for part in (*parts, _numbered(row.table, group.numbers)) if part)


def _plural(noun: str) -> str:
    if noun in ("data", "") or noun.startswith("two "):
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _numbered(table: Table, numbers: tuple[int, ...]) -> str:
    if not numbers:
        return ""
    return f"of {table.of}{'s' * (len(numbers) > 1)} {ranges(numbers)}" if table.of else ranges(numbers)
