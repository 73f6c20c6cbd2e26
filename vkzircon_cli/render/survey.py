# SPDX-License-Identifier: Apache-2.0
"""The answer of a survey as tables, for the terminal, Markdown and HTML; JSON and CSV have its rows as they are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vkzircon_cli.checks import SEVERITY, Outcome
from vkzircon_cli.model.base import record
from vkzircon_cli.model.quantities import counted, some
from vkzircon_cli.model.survey import LeftOut, Question, SqlValue, Survey
from vkzircon_cli.render import markdown_writer as markdown
from vkzircon_cli.render.content import Cell, Code, Column, Look, Mark, Table, bad, cut, good, outcome_mark
from vkzircon_cli.render.style import Page
from vkzircon_cli.report.redaction import Hidden

_MOST_ROWS = 40  # of a terminal without --verbose
_MOST_CHARACTERS = 100  # of a value on a terminal
_MOST_NAMES = 3
_NOT_JUDGED = Mark("", "-", Look.SKIP)
_KINDS = {"worse": Look.BAD, "better": Look.GOOD, "gone": Look.WARN}


@record
class Shown:
    """A table, and how many rows it leaves out: of checks that no run fails, or beyond the limit."""

    table: Table
    met: int = 0
    more: int = 0


def shown(survey: Survey, *, whole: bool = True) -> Shown:
    """Return the table that people see; without *whole*, only what is bad, and no more than fits on few pages."""
    if survey.question is Question.COVERAGE:
        return _coverage(survey, whole)
    table = _changes(survey) if survey.question is Question.CHANGES else _as_it_is(survey)
    kept = table.rows if whole else table.rows[:_MOST_ROWS]
    return Shown(replace(table, rows=kept), more=len(table.rows) - len(kept))


def _as_it_is(survey: Survey) -> Table:
    columns = tuple(Column(name, wraps=name == "sentence") for name in survey.columns)
    rows = tuple(tuple(map(_words, row)) for row in survey.rows)
    return Table(_title(survey), columns, rows)


def _changes(survey: Survey) -> Table:
    """Return a row for each change of a check, with the devices on which it is the same."""
    devices: dict[tuple[SqlValue, ...], Counter[str]] = {}
    for row in survey.rows:
        of = dict(zip(survey.columns, row, strict=True))
        group = tuple(of[name] for name in ("kind", "check_id", "outcome_before", "outcome_after"))
        devices.setdefault(group, Counter())[_words(of["device_name"])] += 1
    rows = tuple(
        (
            Mark("", str(kind), _KINDS.get(str(kind), Look.NOTE)),
            Code(_words(check)) if check else "the device",
            *map(_outcome, outcomes),
            f"{names.total()}",
            some(names, _MOST_NAMES),
        )
        for (kind, check, *outcomes), names in devices.items()
    )
    headers = (Column(""), Column("check"), Column("before"), Column("after"), Column("devices", right=True))
    return Table(_title(survey), (*headers, Column("named", wraps=True)), rows, names=1)


def _outcome(value: SqlValue) -> Cell:
    return outcome_mark(Outcome(value)) if value in SEVERITY else _words(value)


def _title(survey: Survey) -> str:
    return {
        Question.COVERAGE: "Runs that meet each check, of those in which it was judged",
        Question.CHANGES: "What changed on each device",
        Question.OUTLIERS: "What differs from all other devices of the driver",
        Question.SQL: "Rows",
    }[survey.question]


def _coverage(survey: Survey, whole: bool) -> Shown:
    """Return a row for each check, and a column for each group of devices."""
    groups = sorted({_words(row[1]) for row in survey.rows})
    cells: dict[str, dict[str, Cell]] = {}
    unmet = set()
    for check, group, *numbers, _ in survey.rows:
        met, judged, failed = (int(number or 0) for number in numbers)
        cells.setdefault(_words(check), {})[_words(group)] = _met(met, judged, failed)
        if met < judged:
            unmet.add(_words(check))
    kept = [check for check in cells if whole or check in unmet]
    rows = tuple((Code(check), *(cells[check].get(group, _NOT_JUDGED) for group in groups)) for check in kept)
    columns = (Column("check"), *(Column(group, right=True) for group in groups))
    return Shown(Table(_title(survey), columns, rows), met=len(cells) - len(kept))


def _met(met: int, judged: int, failed: int) -> Cell:
    if not judged:
        return _NOT_JUDGED
    words = f"{met} of {judged}"
    return bad(words) if failed else good(words) if met == judged else Mark("!", words, Look.WARN)


def _words(value: SqlValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else cut(str(value), _MOST_CHARACTERS)


def notes(survey: Survey, shown: Shown) -> Iterator[str]:
    """Yield sentences about what the table leaves out, and about the files that do not count."""
    if shown.met:
        checks = counted(shown.met, "other check" if shown.table.rows else "check")
        yield f"{checks} {'is' if shown.met == 1 else 'are'} met wherever judged."
    if shown.more:
        yield f"{counted(shown.more, 'more row')}. --verbose, or --format csv, has all rows."
    sources = survey.sources
    if number := sources.converted:
        yield f"{counted(number, 'file')} {_were(number)} converted first, as traces, bundles and compressed files are."
    if number := len(sources.duplicates):
        runs = "is a copy of a run that is" if number == 1 else "are copies of runs that are"
        yield f"{counted(number, 'file')} {runs} counted: {_names(sources.duplicates)}."
    of: dict[str, list[LeftOut]] = {}
    for each in sources.unreadable:
        of.setdefault(each.reason, []).append(each)
    most = sorted(of.items(), key=lambda item: -len(item[1]))
    for reason, files in most[:_MOST_NAMES]:
        yield f"{_names(files)} {_were(len(files))} left out: {'it' if len(files) == 1 else 'each'} {reason}"
    if left := sum(len(files) for _, files in most[_MOST_NAMES:]):
        yield f"{counted(left, 'more file')} {_were(left)} left out. --format json has all names."


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _names(files: Sequence[LeftOut]) -> str:
    return some((each.file.rpartition("/")[2] for each in files), _MOST_NAMES)


def render_survey_terminal(survey: Survey, page: Page, verbose: bool) -> str:
    """Write the sentence that sums the answer up, its table, and what was left out."""
    from vkzircon_cli.render.writer import Sheet  # 60 ms with Rich, which Markdown does without

    sheet = Sheet(page)
    sheet.prose(sheet.text(survey.sentence, "bold"))
    found = shown(survey, whole=verbose)
    sheet.blank()
    if found.table.rows:
        sheet.table(found.table)
    if said := list(notes(survey, found)):
        sheet.blank()
        for note in said:
            sheet.prose(note)
    return sheet.finish()


def render_survey_markdown(survey: Survey, hidden: Sequence[Hidden] | None) -> str:
    """Write *survey*; the foot says what was *hidden*."""
    found = shown(survey)
    opening = f"### {markdown.prose(survey.sentence)}\n"
    said = [f"- {markdown.prose(note)}" for note in notes(survey, found)]
    parts = [markdown.Section("Files", (), said, is_folded=False)] if said else []
    section = markdown.table_section(found.table)
    return markdown.write_page(opening, (*parts, section, _query(survey)), hidden)


def _query(survey: Survey) -> markdown.Section:
    first, *rows, last = markdown.fence(survey.sql.splitlines())
    return markdown.Section("The query", (first,), rows, (last,))
