# SPDX-License-Identifier: Apache-2.0
"""Questions as SQL: three files, in which conditions and groups of the command line replace marked places.

A place is a value and a comment, as ``TRUE /* where */``, so that each file is a complete query as it stands.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import record
from vkzircon_cli.model.spec import RIGHT_BITS
from vkzircon_cli.model.survey import Question
from vkzircon_cli.model.text import did_you_mean, visible
from vkzircon_cli.report.conditions import FACTS, Condition, Kind, parse_condition
from vkzircon_cli.survey.tables import NUMBER, column_of

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_PLACE = re.compile(r"(?:TRUE|'all') /\* (\w+) \*/")
_NO_LIMIT = "9999"
_MOST_WORDS = 300


@record
class Asked:
    """The options of a question as typed: names of facts, dates, conditions, or a query of the user's own."""

    by: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    baseline: str | None = None
    where: tuple[str, ...] = ()
    outliers: bool = False
    sql: str | None = None

    @property
    def question(self) -> Question:
        """The question that the options ask.

        Raises:
            Usage: the options belong to different questions.
        """
        changes = self.since is not None or self.baseline is not None
        named = [
            name
            for name, given in (
                ("--since or --baseline", changes),
                ("--outliers", self.outliers),
                ("--sql", self.sql is not None),
            )
            if given
        ]
        if len(named) > 1 or (self.since is not None and self.baseline is not None):
            raise Usage("A survey answers one question.", "Use one of --since, --baseline, --outliers and --sql.")
        if self.until is not None and self.since is None:
            raise Usage("--until needs --since.", "As in: --since 2026-01-01 --until 2026-01-31")
        if self.by and named:
            raise Usage("--by belongs to the table of coverage.", f"Leave out --by, or {named[0]}.")
        if self.sql is not None and self.where:
            raise Usage("--where does not change a query of your own.", "Write the condition into --sql.")
        if named:
            return {"--outliers": Question.OUTLIERS, "--sql": Question.SQL}.get(named[0], Question.CHANGES)
        return Question.COVERAGE

    @property
    def query(self) -> str:
        """The SQL of the question."""
        question = self.question
        if self.sql is not None:
            return self.sql
        text = Path(__file__).with_name(f"{question}.sql").read_text("utf-8")
        before, after = self._sides()
        filled = {"by": _group(self.by), "where": self.chosen, "before": before, "after": after}
        return _PLACE.sub(lambda place: filled[place[1]], text)

    @property
    def chosen(self) -> str:
        """The SQL of all conditions of --where, over a row of `devices`."""
        return " AND ".join(f"({_met(parse_condition(text))})" for text in self.where) or "TRUE"

    def _sides(self) -> tuple[str, str]:
        """Return what makes a run one of those before, and one of those after."""
        if self.baseline is not None:
            condition = parse_condition(self.baseline)
            met = _met(condition)
            return met, f"NOT {met}" if condition.fact is None else f"NOT COALESCE({met}, FALSE)"
        if self.since is None:
            return "TRUE", "TRUE"
        since, until = moment(self.since), moment(self.until, is_end=True) if self.until else _NO_LIMIT
        return f"reports.started < '{since}'", f"(reports.started >= '{since}' AND reports.started < '{until}')"


def moment(text: str, *, is_end: bool = False) -> str:
    """Return a date, or a date and time in ISO 8601, as reports write it; the end of a date is the next day.

    Raises:
        Usage: it is neither.
    """
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        problem = f'"{visible(text[:60])}" is not a date.'
        raise Usage(problem, "As in: 2026-01-31 or 2026-01-31T12:00:00Z (without a zone: UTC).") from None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    if is_end:
        when += timedelta(days=1) if _DATE.fullmatch(text.strip()) else timedelta(seconds=1)
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def refused(error: Exception) -> Usage:
    """Return the error for a query that an engine refused."""
    said = str(error).partition("\n")[0][:_MOST_WORDS].rstrip(" .;!")
    return Usage(f"The query was refused: {visible(said)}.", "The tables are in docs/reference.md.")


def _group(names: Sequence[str]) -> str:
    """Return the SQL of a group's name: the values of the facts, joined by spaces."""
    for name in names:
        if name not in FACTS:
            known = f"The facts are {', '.join(FACTS)}."
            raise Usage(f'There is no fact named "{visible(name[:60])}".', did_you_mean(name, list(FACTS), known))
    values = (f"COALESCE(CAST(devices.{column_of(name)} AS VARCHAR(1000)), 'unknown')" for name in names)
    joined = ", ' ', ".join(values)
    return f"CONCAT({joined})" if joined else "'all'"


def _met(condition: Condition) -> str:
    """Return the SQL of a condition over a row of `devices`; a value that was not seen is NULL, which is not true."""
    if condition.fact is None:
        return (
            "EXISTS (SELECT 1 FROM verdicts AS v WHERE v.report = devices.report AND v.device = devices.device"
            f" AND v.check_id = {_quoted(condition.name)} AND v.outcome IN ('pass', 'info'))"
        )
    column, sign, value = f"devices.{column_of(condition.name)}", condition.operator, condition.value
    if isinstance(value, tuple):
        return _version(f"{column}{NUMBER}", sign, value)
    if isinstance(value, frozenset):
        return _flags(column, sign, value)
    if condition.fact.kind is Kind.WORD:
        return f"LOWER({column}) {_sign(sign)} {_quoted(str(value))}"
    return f"{column} {_sign(sign)} {value}"


def _sign(sign: str) -> str:
    return "<>" if sign == "!=" else sign


def _quoted(text: str) -> str:
    """Return a string that all engines read alike: some take a backslash in it for an escape, or no double quote."""
    parts = (f"CHR({ord(part)})" if part in "'\\" else f"'{part}'" for part in re.split(r"(['\\])", text) if part)
    joined = ", ".join(parts)
    return f"CONCAT({joined})" if "CHR(" in joined else joined


def _version(column: str, sign: str, wanted: tuple[int, ...]) -> str:
    """Compare as many parts as *wanted* has: 1.3 is each version from 1.3.0 to before 1.4.0."""
    low = [*wanted, 0, 0][:3]
    packed = low[0] << 22 | low[1] << 12 | low[2]
    after = packed + (1 << 22, 1 << 12, 1)[len(wanted) - 1]
    within = f"({column} >= {packed} AND {column} < {after})"
    return {
        "=": within,
        "!=": f"NOT {within}",
        ">=": f"{column} >= {packed}",
        ">": f"{column} >= {after}",
        "<=": f"{column} < {after}",
        "<": f"{column} < {packed}",
    }[sign]


def _flags(column: str, sign: str, wanted: frozenset[str]) -> str:
    """Compare as sets, of which ``>`` is a superset that is not equal."""
    has = {name: f"POSITION('|{name}|' IN CONCAT('|', {column}, '|')) > 0" for name in RIGHT_BITS if name}
    over = " AND ".join(f"{column} IS NOT NULL AND {has[name]}" for name in sorted(wanted))
    under = " AND ".join(f"NOT {has[name]}" for name in has if name not in wanted)
    under = f"{column} IS NOT NULL AND {under}"
    return {
        "=": f"({over} AND {under})",
        "!=": f"({column} IS NOT NULL AND NOT ({over} AND {under}))",
        ">=": f"({over})",
        ">": f"({over} AND NOT ({under}))",
        "<=": f"({under})",
        "<": f"({under} AND NOT ({over}))",
    }[sign]
