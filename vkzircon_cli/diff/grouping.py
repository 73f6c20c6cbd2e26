# SPDX-License-Identifier: Apache-2.0
"""Tells of what differs alike in one change: of five memory types, of all ways of importing."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

from vkzircon_cli.diff.differ import Unlike
from vkzircon_cli.diff.labels import Row, Table
from vkzircon_cli.diff.model import FactChange
from vkzircon_cli.model.quantities import counted, plural, ranges

_MOST_NAMES = 3


@dataclass(slots=True)
class _Group:
    """Unlike things that one change tells of; the keys of each dict are what its members have, each once."""

    of: Unlike
    fields: dict[str, None]
    names: dict[str, None]
    numbers: dict[int, None]
    paths: list[str]


def together(found: Iterable[Unlike]) -> Iterator[FactChange]:
    """Make changes of unlike things: first over the numbers of rows, then over their names, then over fields."""
    groups = [_group(unlike) for unlike in found]
    groups = _merged(groups, lambda group: (tuple(group.fields), tuple(group.names)))
    groups = _merged(groups, lambda group: (tuple(group.fields), frozenset(group.numbers)))
    groups = _merged(groups, lambda group: (tuple(group.names), frozenset(group.numbers)))
    return (_change(group) for group in groups)


def _group(unlike: Unlike) -> _Group:
    row = unlike.place.row
    names = {" ".join(row.names): None} if row and row.names else {}
    numbers = {row.number: None} if row and row.number is not None else {}
    return _Group(unlike, {unlike.place.field: None}, names, numbers, [unlike.place.path])


def _merged(groups: list[_Group], by: Callable[[_Group], Hashable]) -> list[_Group]:
    """Merge groups that are alike, and the same in what *by* gives."""
    merged: dict[Hashable, _Group] = {}
    for group in groups:
        first = merged.setdefault((_alike(group), by(group)), group)
        if first is not group:
            first.fields |= group.fields
            first.names |= group.names
            first.numbers |= group.numbers
            first.paths += group.paths
    return list(merged.values())


def _alike(group: _Group) -> Hashable:
    """Tell what must be the same: the table, the area, and all that is said of it."""
    unlike = group.of
    place = unlike.place
    # What stands in no row is one of its kind: to join it to another would only hide its name.
    table = place.row.table if place.row else place.path
    return table, place.area, replace(unlike, place=replace(place, path="", fields=(), row=None, labels=(), last=""))


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
    noun = plural(noun) if many else noun
    parts = [noun, named if row.table.is_name or not named else f"({named})"]
    return " ".join(part for part in (*parts, _numbered(row.table, group.numbers)) if part)


def _numbered(table: Table, numbers: Iterable[int]) -> str:
    numbers = sorted(numbers)
    if not numbers:
        return ""
    return f"of {table.of}{'s' * (len(numbers) > 1)} {ranges(numbers)}" if table.of else ranges(numbers)
