# SPDX-License-Identifier: Apache-2.0
"""Groups what differs in the same way into one change: five memory types, all ways of importing."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

from vkzircon_cli.diff.differ import Mismatch
from vkzircon_cli.diff.labels import RowLabel, Table
from vkzircon_cli.diff.model import FactChange
from vkzircon_cli.model.quantities import counted, plural, ranges

_MOST_NAMES = 3


@dataclass(slots=True)
class _Group:
    """Mismatches of one change; each dict is an ordered set over its members."""

    of: Mismatch
    fields: dict[str, None]
    names: dict[str, None]
    numbers: dict[int, None]
    paths: list[str]


def group_mismatches(found: Iterable[Mismatch]) -> Iterator[FactChange]:
    """Yield changes: mismatches are merged over row numbers first, then over row names, then over fields."""
    groups = [_group(mismatch) for mismatch in found]
    groups = _merged(groups, lambda group: (tuple(group.fields), tuple(group.names)))
    groups = _merged(groups, lambda group: (tuple(group.fields), frozenset(group.numbers)))
    groups = _merged(groups, lambda group: (tuple(group.names), frozenset(group.numbers)))
    return (_change(group) for group in groups)


def _group(mismatch: Mismatch) -> _Group:
    row = mismatch.path.row
    names = {" ".join(row.names): None} if row and row.names else {}
    numbers = {row.number: None} if row and row.number is not None else {}
    return _Group(mismatch, {mismatch.path.field: None}, names, numbers, [mismatch.path.path])


def _merged(groups: list[_Group], by: Callable[[_Group], Hashable]) -> list[_Group]:
    """Merge groups that are alike and have the same *by*."""
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
    """Return what must be equal for two groups to merge: table, area, values."""
    mismatch = group.of
    path = mismatch.path
    # A fact outside tables is merged with no other: that would only hide its name.
    table = path.row.table if path.row else path.path
    return table, path.area, replace(mismatch, path=replace(path, path="", fields=(), row=None, labels=(), last=""))


def _change(group: _Group) -> FactChange:
    mismatch = group.of
    return FactChange(
        area=mismatch.path.area,
        kind=mismatch.kind,
        device=mismatch.path.device,
        what=_what(group),
        before=mismatch.before,
        after=mismatch.after,
        removed=mismatch.removed,
        added=mismatch.added,
        paths=tuple(group.paths),
    )


def _what(group: _Group) -> str:
    row = group.of.path.row
    fields = " and ".join(each for each in group.fields if each)
    subject = _subject(group, row) if row else ""
    return ": ".join(part for part in (subject, fields) if part)


def _subject(group: _Group, row: RowLabel) -> str:
    noun = row.table.noun
    many = len(group.names) > 1
    named = ", ".join(group.names) if len(group.names) <= _MOST_NAMES else counted(len(group.names), "kind")
    noun = plural(noun) if many else noun
    parts = [noun, named if row.table.has_proper_names or not named else f"({named})"]
    return " ".join(part for part in (*parts, _numbered(row.table, group.numbers)) if part)


def _numbered(table: Table, numbers: Iterable[int]) -> str:
    numbers = sorted(numbers)
    if not numbers:
        return ""
    noun = f"of memory type{'s' * (len(numbers) > 1)} " if table.number == "memory_type" else ""
    return f"{noun}{ranges(numbers)}"
