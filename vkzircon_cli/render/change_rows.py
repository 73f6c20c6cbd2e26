# SPDX-License-Identifier: Apache-2.0
"""A difference as parts with rows of words, which the terminal and Markdown both show."""

from collections import Counter
from collections.abc import Iterator, Sequence

from vkzircon_cli.checks import Outcome
from vkzircon_cli.diff import Area, ChangeKind, Difference, FactChange, Said, Timings, VerdictChange
from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.render.content import Code, Column, Table

# The heading of each area, and a noun to count in it, with what follows that.
_AREAS = {
    Area.VERDICTS: ("Verdicts", "verdict", ""),
    Area.EXTENSION: ("The extension", "fact", " of the extension"),
    Area.RIGHTS: ("Rights of exported VMOs", "set", " of rights"),
    Area.SHARING: ("Sharing", "answer", " on sharing"),
    Area.DEVICE: ("Device", "fact", " of the device"),
    Area.MEMORY: ("Memory", "fact", " of the memory"),
    Area.MACHINE: ("Machine", "fact", " of the machine"),
}
_TIMES = (
    Column("ms before", right=True),
    Column("ms after", right=True),
    Column("ratio", right=True),
    Column("step"),
)
_MOST_IDS = 3
_MOST_REWORDED = 5
_MOST_MEMBERS = 12


@record
class ChangeRow:
    """One row: its subject and both sides, None for a side without a value; *word* says how a verdict changed.

    Of a set, *before* and *after* have only the members that the other side lacks.
    """

    subject: str
    before: str | None
    after: str | None
    word: str = ""
    is_set: bool = False


@record
class Part:
    """The rows of one area, of one device where there are several; the *note* counts what is left out."""

    title: str
    rows: tuple[ChangeRow, ...]
    note: str = ""


def headline(difference: Difference) -> str:
    """Return one sentence about what differs."""
    numbers = {area: number for area in _AREAS if (number := difference.areas.get(area, 0))}
    if numbers:
        counts = (f"{counted(number, _AREAS[area][1])}{_AREAS[area][2]}" for area, number in numbers.items())
        return f"{', '.join(counts)} {'differs' if sum(numbers.values()) == 1 else 'differ'}."
    reworded = sum(change.kind is ChangeKind.REWORDED for change in difference.verdicts)
    return f"Nothing differs but the wording of {counted(reworded, 'verdict')}." if reworded else "Nothing differs."


def parts(difference: Difference) -> Iterator[Part]:
    """Yield what differs, area by area and device by device."""
    places: list[int | None] = [None, *range(len(difference.devices))]
    for area in Area:
        for device in places:
            if area is Area.VERDICTS:
                changes = [change for change in difference.verdicts if change.device == device]
                rows, note = _verdict_rows(changes)
            else:
                rows = [_fact_row(c) for c in difference.facts if c.area is area and c.device == device]
                note = ""
            if rows or note:
                yield Part(_title(difference, area, device), tuple(rows), note)


def _title(difference: Difference, area: Area, device: int | None) -> str:
    if device is None or len(difference.devices) == 1:
        return _AREAS[area][0]
    of = difference.devices[device]
    index = of.before if of.before is not None else of.after
    return f"{_AREAS[area][0]} (device {index}, {of.name})"


def _verdict_rows(changes: Sequence[VerdictChange]) -> tuple[list[ChangeRow], str]:
    changed = [change for change in changes if change.kind is not ChangeKind.REWORDED]
    reworded = [change for change in changes if change.kind is ChangeKind.REWORDED]
    # A new reason for a skip matters least.
    worth_it = [change for change in reworded if change.after and change.after.outcome is not Outcome.SKIP]
    shown = [*_grouped(changed), *map(_verdict_row, worth_it[:_MOST_REWORDED])]
    left = len(reworded) - min(len(worth_it), _MOST_REWORDED)
    note = f"{counted(left, 'verdict')} with the same outcome in other words." if left > 0 else ""
    return shown, note


def _grouped(changes: Sequence[VerdictChange]) -> Iterator[ChangeRow]:
    """Yield a row for each change, and one for all checks that are skipped for the same reason."""
    groups: dict[object, list[VerdictChange]] = {}
    for change in changes:
        groups.setdefault(_group_of(change), []).append(change)
    for group in groups.values():
        if len(group) > _MOST_IDS:
            yield _group_row(group)
        else:
            yield from map(_verdict_row, group)


def _group_of(change: VerdictChange) -> object:
    if change.before is None or change.after is None:
        return change.id
    skip = next(filter(_is_skip, (change.before, change.after)), None)
    return (change.kind, change.before.outcome, change.after.outcome, skip.sentence) if skip else change.id


def _group_row(group: Sequence[VerdictChange]) -> ChangeRow:
    of = Counter(change.id.partition(".")[0] for change in group)
    subject = f"{len(group)} checks: " + ", ".join(f"{count} of {name}" for name, count in of.items())
    return _verdict_row(group[0], subject)


def _verdict_row(change: VerdictChange, group: str = "") -> ChangeRow:
    """Return the row of a change, or of a *group* of them, which differ in their sentences except for a skip's."""
    before, after = (
        None if said is None else f"{said.outcome}{': ' + said.sentence if not group or _is_skip(said) else ''}"
        for said in (change.before, change.after)
    )
    return ChangeRow(group or change.id, before, after, change.kind)


def _is_skip(said: Said) -> bool:
    return said.outcome is Outcome.SKIP


def _fact_row(change: FactChange) -> ChangeRow:
    if change.removed or change.added:
        return ChangeRow(change.what, _members(change.removed), _members(change.added), is_set=True)
    return ChangeRow(change.what, change.before, change.after)


def _members(names: Sequence[str]) -> str | None:
    if not names:
        return None
    left = len(names) - _MOST_MEMBERS
    return ", ".join(names[:_MOST_MEMBERS]) + (f" and {left} more" if left > 0 else "")


def times_words(timings: Timings) -> str:
    """Return a sentence about how long both runs took."""
    before, after = (
        "an unknown time" if time is None else f"{time:.0f} ms" for time in (timings.before_ms, timings.after_ms)
    )
    return f"In all {before} before, {after} after."


def times_table(timings: Timings) -> Table:
    """Return the steps whose times changed most."""
    rows = (
        (f"{step.before_ms:.1f}", f"{step.after_ms:.1f}", f"{step.ratio:.2f}", Code(step.step))
        for step in timings.steps
    )
    return Table("Times, which are not compared", _TIMES, tuple(rows), names=3)
