# SPDX-License-Identifier: Apache-2.0
"""Walks two records side by side, whatever they are, and yields what is unlike. Knows no field by its name."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Any

from vkzircon_cli.checks.registry import describe
from vkzircon_cli.diff.labels import KIN, TABLES, Place, row_of, table_of
from vkzircon_cli.diff.model import Area, Kind
from vkzircon_cli.diff.values import LEFT_OUT, brief, brief_row, is_value, words_of
from vkzircon_cli.model.base import Answer, MissingKind, record
from vkzircon_cli.model.facts import Extension
from vkzircon_cli.model.vmo import PairOfHandles

_MARKS = ("<hidden>", "<user>", "<host>")


@record
class Unlike:
    """One thing that differs; see `FactChange`, which is made of those that differ alike."""

    place: Place
    kind: Kind
    before: str | None
    after: str | None
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class Walk:
    """Compares records. Between two versions of the schema, a field that has its default may not have been there."""

    def __init__(self, *, same_version: bool) -> None:
        self._same_version = same_version

    def records(self, before: Any, after: Any, place: Place, leave: Iterable[str] = ()) -> Iterator[Unlike]:
        """Compare two records of one type, field by field, but for what is left out always and what to *leave* here."""
        owner = type(before)
        skipped = LEFT_OUT.get(owner, frozenset()).union(leave)
        for field in fields(before):
            was, now = getattr(before, field.name), getattr(after, field.name)
            is_absent = not self._same_version and field.default is not MISSING and field.default in (was, now)
            if not is_absent and field.name not in skipped and not field.name.endswith("_hex"):
                yield from self._field(owner, field.name, was, now, place.into(owner, field.name))

    def _field(self, owner: type, field: str, before: Any, after: Any, place: Place) -> Iterator[Unlike]:
        if isinstance(before, Answer) and isinstance(after, Answer):
            yield from self._answers(owner, field, before, after, place)
        elif _is_table(before) or _is_table(after):
            yield from self._tables(field, before, after, place)
        elif is_value(before) or is_value(after):
            yield from _values(owner, field, before, after, place)
        else:
            yield from self.records(before, after, place)

    def _answers(
        self, owner: type, field: str, before: Answer[Any], after: Answer[Any], place: Place
    ) -> Iterator[Unlike]:
        if before.missing is None and after.missing is None:
            yield from self._field(owner, field, before.value, after.value, place)
        elif before.missing != after.missing and not _NOT_ASKED.issuperset((_why(before), _why(after))):
            was, now = (
                describe(each.missing) if each.missing else brief(each.value, field, owner) for each in (before, after)
            )
            yield Unlike(place, Kind.CHANGED, was, now)

    def _tables(self, field: str, before: Sequence[Any], after: Sequence[Any], place: Place) -> Iterator[Unlike]:
        place = place.inside()
        if type((*before, *after)[0]) is Extension:
            yield from _other_extensions(before, after, place)
            before, after = ([row for row in rows if row.name in KIN] for rows in (before, after))
        was, now = _keyed(field, before), _keyed(field, after)
        for key in dict.fromkeys((*was, *now)):
            record = was.get(key) or now[key]
            here = place.at(row_of(table_of(field, type(record)), record), _text(key))
            if key in was and key in now:
                yield from self.records(was[key], now[key], here)
            elif not _was_not_asked(record):
                yield _alone(was.get(key), now.get(key), here)


def _is_table(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and (type(value[0]) in TABLES or type(value[0]) is PairOfHandles)


def _keyed(field: str, rows: Sequence[Any]) -> dict[tuple[Any, ...], Any]:
    """Find each row by what tells it apart; should two be told alike, by which of them it is as well."""
    seen: Counter[tuple[Any, ...]] = Counter()
    keyed = {}
    for row in rows:
        table = table_of(field, type(row))
        names = table.names + ((table.number,) if table.number else ())
        key = tuple(words_of(name, getattr(row, name)).text for name in names)
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
    """Tell whether a row says nothing but why it was left out, which is no more than having no such row."""
    answers = [value for field in fields(row) if isinstance(value := getattr(row, field.name), Answer)]
    return bool(answers) and _NOT_ASKED.issuperset(map(_why, answers))


def _alone(before: Any, after: Any, place: Place) -> Unlike:
    row, kind = (after, Kind.NEW) if before is None else (before, Kind.GONE)
    table = table_of(place.fields[-1], type(row))
    key = {*table.names, table.number}
    rest = [field.name for field in fields(row) if field.name not in key and not field.name.endswith("_hex")]
    words = brief_row(row, rest)
    return Unlike(place, kind, words if kind is Kind.GONE else None, words if kind is Kind.NEW else None)


def _values(owner: type, field: str, before: Any, after: Any, place: Place) -> Iterator[Unlike]:
    was, now = words_of(field, before, owner), words_of(field, after, owner)
    if was.same == now.same or _is_redacted(before, after) or _is_redacted(after, before):
        return
    removed, added = _only_in(was.members, now.members), _only_in(now.members, was.members)
    yield Unlike(place, Kind.CHANGED, was.text, now.text, removed, added)


def _only_in(these: tuple[str, ...] | None, those: tuple[str, ...] | None) -> tuple[str, ...]:
    there = frozenset(those or ())
    return tuple(name for name in these or () if name not in there)


def _is_redacted(hidden: Any, shown: Any) -> bool:
    """Tell whether *hidden* may be what `redaction` made of *shown*: what it hid could have been anything."""
    if not isinstance(hidden, str) or not isinstance(shown, str):
        return False
    if hidden.startswith("<UUID ") and hidden.endswith(">"):
        return True
    for mark in _MARKS:
        hidden = hidden.replace(mark, "\0")
    first, *rest = hidden.split("\0")
    if not rest or not shown.startswith(first) or len(shown) < len(first) + len(rest[-1]):
        return False
    at = len(first)
    for part in rest[:-1]:
        at = shown.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return shown[at:].endswith(rest[-1])


def _other_extensions(before: Sequence[Extension], after: Sequence[Extension], place: Place) -> Iterator[Unlike]:
    """Tell of all other extensions together: a new driver brings many."""
    was, now = ({row.name: row.revision for row in rows if row.name not in KIN} for rows in (before, after))
    removed, added = tuple(_listed(was, now)), tuple(_listed(now, was))
    if removed or added:
        area = Area.MACHINE if place.device is None else Area.DEVICE
        yield Unlike(
            place.labelled("other extensions").of(area), Kind.CHANGED, str(len(was)), str(len(now)), removed, added
        )


def _listed(these: dict[str, int], those: dict[str, int]) -> Iterator[str]:
    for name, revision in these.items():
        if name not in those:
            yield name
        elif those[name] != revision:
            yield f"{name} revision {revision}"
