# SPDX-License-Identifier: Apache-2.0
"""Walks two records of any type side by side, and groups what differs in the same way into one change."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Any

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.diff.labels import KIN, FactPath, RowLabel, Table, label_of_row, table_of
from vkzircon_cli.diff.model import Area, ChangeKind, FactChange
from vkzircon_cli.diff.values import LEFT_OUT, brief, brief_row, is_value, words_of
from vkzircon_cli.model.base import CONNECTION_ENDED, Answer, Missing, MissingKind, record
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.model.quantities import counted, plural, ranges

_MOST_NAMES = 3
_REDACTION_MARK = re.compile("<hidden>|<user>|<host>")


@record
class Mismatch:
    """One fact that differs; a `FactChange` is made of all that differ in the same way."""

    path: FactPath
    kind: ChangeKind
    before: str | None
    after: str | None
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class Differ:
    """Compares records. If the schema versions differ, a field with its default may be new and is skipped."""

    def __init__(self, *, same_version: bool) -> None:
        self._same_version = same_version

    def records(self, before: Any, after: Any, path: FactPath, leave: Iterable[str] = ()) -> Iterator[Mismatch]:
        """Compare two records of one type field by field, without `LEFT_OUT` and the fields to *leave* out here."""
        owner = type(before)
        skipped = LEFT_OUT.get(owner, frozenset()).union(leave)
        for field in fields(before):
            was, now = getattr(before, field.name), getattr(after, field.name)
            if was == now:  # most are, and a path costs more than the comparison
                continue
            is_absent = not self._same_version and field.default is not MISSING and field.default in (was, now)
            if not is_absent and field.name not in skipped and not field.name.endswith("_hex"):
                yield from self._field(owner, field.name, was, now, path.into(owner, field.name))

    def _field(self, owner: type, field: str, before: Any, after: Any, path: FactPath) -> Iterator[Mismatch]:
        if isinstance(before, Answer) and isinstance(after, Answer):
            yield from self._answers(owner, field, before, after, path)
        elif _is_table(before) or _is_table(after):
            yield from self._tables(field, before, after, path)
        elif is_value(before) or is_value(after):
            yield from _values(owner, field, before, after, path)
        else:
            yield from self.records(before, after, path)

    def _answers(
        self, owner: type, field: str, before: Answer[Any], after: Answer[Any], path: FactPath
    ) -> Iterator[Mismatch]:
        if before.missing is None and after.missing is None:
            yield from self._field(owner, field, before.value, after.value, path)
        elif not _is_same(before.missing, after.missing) and not _NOT_ASKED.issuperset((_why(before), _why(after))):
            was, now = (
                describe(each.missing) if each.missing else brief(each.value, field, owner) for each in (before, after)
            )
            yield Mismatch(path, ChangeKind.CHANGED, was, now)

    def _tables(self, field: str, before: Sequence[Any], after: Sequence[Any], path: FactPath) -> Iterator[Mismatch]:
        path, row = path.inside(), type((*before, *after)[0])
        table = table_of(field, row)
        if row is Extension:
            yield from _other_extensions(before, after, path)
            before, after = ([row for row in rows if row.name in KIN] for rows in (before, after))
        was, now = _keyed(table, before), _keyed(table, after)
        for key in dict.fromkeys((*was, *now)):
            record = was.get(key) or now[key]
            here = path.at(label_of_row(table, record), _text(key))
            if key in was and key in now:
                yield from self.records(was[key], now[key], here)
            elif not _was_not_asked(record):
                yield _alone(was.get(key), now.get(key), here, table.key)


def _is_same(before: Missing | None, after: Missing | None) -> bool:
    """Whether two answers are missing for the same reason; how a process ended is not known behind a connection."""
    if before is None or after is None or CONNECTION_ENDED not in (before.reason, after.reason):
        return before == after
    return (before.kind, before.call) == (after.kind, after.call)


def _is_table(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and is_dataclass(value[0])


def _keyed(table: Table, rows: Sequence[Any]) -> dict[tuple[Any, ...], Any]:
    """Return each row under its key, to which a number is added so that equal keys differ."""
    seen: Counter[tuple[Any, ...]] = Counter()
    keyed = {}
    for row in rows:
        key = tuple(words_of(name, getattr(row, name)).text for name in table.key)
        keyed[(*key, seen[key])] = row
        seen[key] += 1
    return keyed


def _text(key: tuple[Any, ...]) -> str:
    *names, which = key
    return ", ".join(names) + (f", {which}" if which else "")


_NOT_ASKED = frozenset({MissingKind.NOT_ASKED})


def _why(answer: Answer[Any]) -> MissingKind | None:
    return answer.missing.kind if answer.missing else None


def _was_not_asked(row: Any) -> bool:
    """Whether a row only says why it was left out, which is the same as no row."""
    answers = [value for field in fields(row) if isinstance(value := getattr(row, field.name), Answer)]
    return bool(answers) and _NOT_ASKED.issuperset(map(_why, answers))


def _alone(before: Any, after: Any, path: FactPath, key: tuple[str, ...]) -> Mismatch:
    row, kind = (after, ChangeKind.NEW) if before is None else (before, ChangeKind.GONE)
    rest = [field.name for field in fields(row) if field.name not in key and not field.name.endswith("_hex")]
    words = brief_row(row, rest)
    return Mismatch(path, kind, words if kind is ChangeKind.GONE else None, words if kind is ChangeKind.NEW else None)


def _values(owner: type, field: str, before: Any, after: Any, path: FactPath) -> Iterator[Mismatch]:
    was, now = words_of(field, before, owner), words_of(field, after, owner)
    if was.same == now.same or _is_redacted(before, after) or _is_redacted(after, before):
        return
    removed, added = _only_in(was.members, now.members), _only_in(now.members, was.members)
    yield Mismatch(path, ChangeKind.CHANGED, was.text, now.text, removed, added)


def _only_in(these: tuple[str, ...] | None, those: tuple[str, ...] | None) -> tuple[str, ...]:
    there = frozenset(those or ())
    return tuple(name for name in these or () if name not in there)


def _is_redacted(hidden: Any, shown: Any) -> bool:
    """Whether *hidden* may be the redacted form of *shown*."""
    if not isinstance(hidden, str) or not isinstance(shown, str):
        return False
    if hidden.startswith("<UUID ") and hidden.endswith(">"):
        return True
    first, *rest = _REDACTION_MARK.split(hidden)
    if not rest or not shown.startswith(first) or len(shown) < len(first) + len(rest[-1]):
        return False
    at = len(first)
    for part in rest[:-1]:
        at = shown.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return shown[at:].endswith(rest[-1])


def _other_extensions(before: Sequence[Extension], after: Sequence[Extension], path: FactPath) -> Iterator[Mismatch]:
    """Yield all other extensions as one mismatch: a new driver brings many."""
    was, now = ({row.name: row.revision for row in rows if row.name not in KIN} for rows in (before, after))
    removed, added = tuple(_listed(was, now)), tuple(_listed(now, was))
    if removed or added:
        area = Area.MACHINE if path.device is None else Area.DEVICE
        here = path.labelled("other extensions", area)
        yield Mismatch(here, ChangeKind.CHANGED, str(len(was)), str(len(now)), removed, added)


def _listed(these: dict[str, int], those: dict[str, int]) -> Iterator[str]:
    for name, revision in these.items():
        if name not in those:
            yield name
        elif those[name] != revision:
            yield f"{name} revision {revision}"


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
    named = [each for each in group.fields if each]
    fields = (" and " if len(named) < _MOST_NAMES else ", ").join(named)
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
