# SPDX-License-Identifier: Apache-2.0
"""A difference as parts with rows of words, for the terminal and for Markdown, and its text for the terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vkzircon_cli.checks import Outcome
from vkzircon_cli.diff import Area, ChangeKind, Difference, FactChange, Said, Side, Timings, VerdictChange
from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted, some
from vkzircon_cli.model.queries import by_device
from vkzircon_cli.render.content import Code, Column, Table, cut
from vkzircon_cli.render.style import Page

if TYPE_CHECKING:
    from vkzircon_cli.render.writer import Sheet

# The heading of each area, the noun for what is counted in it, and the words after the noun.
_AREAS = {
    Area.VERDICTS: ("Verdicts", "verdict", ""),
    Area.EXTENSION: ("The extension", "fact", " of the extension"),
    Area.RIGHTS: ("Rights of exported VMOs", "set", " of rights"),
    Area.SHARING: ("Sharing", "answer", " on sharing"),
    Area.FIGURES: ("Figures", "figure", ""),
    Area.DEVICE: ("Device", "fact", " of the device"),
    Area.MEMORY: ("Memory", "fact", " of the memory"),
    Area.MACHINE: ("Machine", "fact", " of the machine"),
    Area.PLACE: ("Where the driver was called, which makes no difference", "fact", " of the place"),
}
_TIMES = (*(Column(header, right=True) for header in ("ms before", "ms after", "ratio")), Column("step"))
_MOST_IDS = 3
_MOST_REWORDED = 5
_MOST_MEMBERS = 12
_STYLES = {"worse": "red", "better": "green", "gone": "red", "new": "green", "- ": "red", "+ ": "green"}
_SIDE_WIDTH = 6
_MOST_CHARACTERS = 400  # of one value on a terminal; the JSON has the rest


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
    """The rows of one area, of one device if there are several; the *note* counts the rows left out."""

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
    but = [f"the wording of {counted(reworded, 'verdict')}"] if reworded else []
    but += ["where the driver was called"] if any(change.area is Area.PLACE for change in difference.facts) else []
    return f"Nothing differs but {' and '.join(but)}." if but else "Nothing differs."


def parts(difference: Difference) -> Iterator[Part]:
    """Yield what differs, area by area and device by device."""
    facts = {area: by_device(each for each in difference.facts if each.area is area) for area in Area}
    verdicts = by_device(difference.verdicts)
    for area in Area:
        for device in (None, *range(len(difference.devices))):
            rows, note = list(map(_fact_row, facts[area].get(device, ()))), ""
            if area is Area.VERDICTS:
                rows, note = _verdict_rows(verdicts.get(device, ()))
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
    shown = [each for each in reworded if each.after and each.after.outcome is not Outcome.SKIP][:_MOST_REWORDED]
    left = len(reworded) - len(shown)
    note = f"{counted(left, 'verdict')} with the same outcome in other words." if left else ""
    return [*_grouped(changed), *map(_verdict_row, shown)], note


def _grouped(changes: Sequence[VerdictChange]) -> Iterator[ChangeRow]:
    """Yield a row for each change; checks that follow from a cause, and skips for the same reason, share a row."""
    kinds = {change.id: change.kind for change in changes}
    following = Counter[str]()
    groups: dict[object, list[VerdictChange]] = {}
    for change in changes:
        if kinds.get(change.cause) is change.kind:
            following[change.cause] += 1
        else:
            groups.setdefault(_group_of(change), []).append(change)
    for group in groups.values():
        if len(group) > _MOST_IDS:
            of = Counter(change.id.partition(".")[0] for change in group)
            subject = f"{len(group)} checks: " + ", ".join(f"{count} of {name}" for name, count in of.items())
            yield _verdict_row(group[0], subject)
        else:
            yield from (_with_followers(_verdict_row(change), following[change.id]) for change in group)


def _with_followers(row: ChangeRow, count: int) -> ChangeRow:
    """Return the row of a cause with the number of checks that it explains."""
    more = f"; this also affects {counted(count, 'other check')}" if count else ""
    return replace(row, subject=f"{row.subject}{more}")


def _group_of(change: VerdictChange) -> object:
    if change.before is None or change.after is None:
        return change.id
    skip = next(filter(_is_skip, (change.before, change.after)), None)
    return (change.kind, change.before.outcome, change.after.outcome, skip.sentence) if skip else change.id


def _verdict_row(change: VerdictChange, group: str = "") -> ChangeRow:
    """Return the row of a change, or of a *group* of changes: their sentences differ, except those of skips."""
    before, after = (
        None if said is None else f"{said.outcome}{'' if group and not _is_skip(said) else ': ' + said.sentence}"
        for said in (change.before, change.after)
    )
    return ChangeRow(group or change.id, before, after, change.kind)


def _is_skip(said: Said) -> bool:
    return said.outcome is Outcome.SKIP


def _fact_row(change: FactChange) -> ChangeRow:
    if change.removed or change.added:
        removed, added = (some(names, _MOST_MEMBERS) or None for names in (change.removed, change.added))
        return ChangeRow(change.what, removed, added, is_set=True)
    word = change.kind if change.kind in (ChangeKind.WORSE, ChangeKind.BETTER) else ""
    return ChangeRow(change.what, change.before, change.after, word)


def times_words(timings: Timings) -> str:
    """Return a sentence about how long both runs took."""
    before, after = (
        "an unknown time" if time is None else f"{time:.0f} ms" for time in (timings.before_ms, timings.after_ms)
    )
    return f"Total time: {before} before, {after} after."


def times_table(timings: Timings) -> Table:
    """Return the steps whose times changed most."""
    rows = (
        (f"{step.before_ms:.1f}", f"{step.after_ms:.1f}", f"{step.ratio:.2f}", Code(step.step))
        for step in timings.steps
    )
    return Table("Times, which are not compared", _TIMES, tuple(rows), names=3)


def render_difference_terminal(difference: Difference, page: Page) -> str:
    """Write *difference* for people, the sentence that sums it up first."""
    from vkzircon_cli.render.writer import Sheet  # 60 ms with Rich, which Markdown does without

    sheet = Sheet(page)
    sheet.prose(sheet.text(headline(difference), "bold"))
    sheet.blank()
    _write_side(sheet, "before", difference.before)
    _write_side(sheet, "after", difference.after)
    for part in parts(difference):
        sheet.heading(part.title)
        for row in part.rows:
            _write_row(sheet, row)
        if part.note:
            sheet.prose(part.note, indent=2)
    times = times_table(difference.timings)
    sheet.heading(times.title)
    sheet.prose(times_words(difference.timings), indent=2)
    if times.rows:
        sheet.table(times)
    return sheet.finish()


def _write_side(sheet: "Sheet", label: str, side: Side) -> None:
    emulated = ", EMULATED RUN" if side.emulated else ""
    about = f"{side.outcome.upper()}, exit code {side.exit_code}, vkzircon {side.tool_version}, {side.started}"
    sheet.field(label, _cut(about + emulated), _cut(side.sentence), label_width=_SIDE_WIDTH, prose=True)


def _write_row(sheet: "Sheet", row: ChangeRow) -> None:
    word = sheet.text(f"{row.word}  " if row.word else "", _STYLES.get(row.word, ""))
    subject = _cut(row.subject)
    lines = [
        (sheet.text(sign, _STYLES[sign]), _cut(words))
        for sign, words in (("- ", row.before), ("+ ", row.after))
        if words is not None
    ]
    is_short = not row.word and not row.is_set
    flat = sheet.join(word, f"{subject}: {row.before} -> {row.after}")
    if is_short and len(lines) == 1:
        sign, words = lines[0]
        sheet.item(sign, sheet.join(f"{subject}: ", words), indent=2)
    elif is_short and flat.cell_len + 2 <= sheet.page.width:
        sheet.prose(flat, indent=2)
    else:
        sheet.item(word, sheet.text(subject, "bold" if row.word else ""), indent=2)
        for sign, words in lines:
            sheet.item(sign, words, indent=4)


def _cut(words: str) -> str:
    return cut(words, _MOST_CHARACTERS)
