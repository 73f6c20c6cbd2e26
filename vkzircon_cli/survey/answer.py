# SPDX-License-Identifier: Apache-2.0
"""A survey from its paths to the answer: read what is new, export it if asked to, and query the tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import MOST_EXACT
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.survey import LeftOut, Question, Sources, SqlValue, Survey
from vkzircon_cli.model.text import visible
from vkzircon_cli.survey import files
from vkzircon_cli.survey.exported import Exported, is_exported
from vkzircon_cli.survey.questions import Asked, refused
from vkzircon_cli.survey.reading import Entry, How, confine, engine, read

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows = list[tuple[Any, ...]]
Query = Callable[[str], tuple[Sequence[str], Rows]]
_SPARK = "spark="
_MOST_ROWS = 1_000_000  # of an answer, which is made in memory


def survey(paths: Sequence[str], asked: Asked, export: Path | None = None, on: str | None = None) -> Survey:
    """Answer the question that is *asked* about the reports in *paths*; *on* names another engine than DuckDB.

    Raises:
        Usage: a path leads to nothing, there is no report, or the query is wrong.
        CannotAsk: an engine is not installed.
        NotWritten: the tables could not be exported.
    """
    query = asked.query  # an error in it comes before minutes of reading
    source = Path(paths[0]) if len(paths) == 1 and is_exported(Path(paths[0])) else None
    if any(is_exported(Path(path)) for path in paths) and (source is None or export is not None):
        raise Usage(
            "Exported tables cannot be read together with other files.", "Pass --export FOLDER, which adds to it."
        )
    if on is not None and source is None and export is None:
        raise Usage("Another engine reads exported tables.", "Pass their folder, or add --export DIR.")
    with engine() as connection:
        folder = source or export
        tables = Exported(folder.absolute(), connection) if folder else None
        sources = _sources_of(tables.entries.values()) if source and tables else _read(connection, paths, tables)
        if tables is not None:
            tables.open()
        if on is None:
            confine(connection, folder.absolute() if folder else None)
            return _answer(asked, query, sources, lambda sql: _query(connection, sql))
    from vkzircon_cli.survey.spark import session

    assert folder is not None
    with session(on.removeprefix(_SPARK), folder.absolute()) as run:
        return _answer(asked, query, sources, run)


def _read(connection: "DuckDBPyConnection", paths: Sequence[str], tables: Exported | None) -> Sources:
    known = tables.entries if tables else {}
    found = list(files.find(paths))
    new = [file for file in found if file.path not in known or known[file.path].file != file]
    entries = list(read(connection, new, {path: entry.digest for path, entry in known.items()}))
    touched = {entry.file.path for entry in entries}
    earlier = [known[file.path] for file in found if file.path not in touched]
    unchanged = [file for file in new if file.path not in touched]
    if tables is not None and (entries or unchanged):
        tables.add(entries, unchanged)
    left_out = [entry for entry in earlier if entry.how in (How.DUPLICATE, How.UNREADABLE)]
    sources = _sources_of([*entries, *left_out], known=len(earlier) - len(left_out))
    if not (sources.read or sources.converted or sources.known or known):
        why = (
            f" ({sources.unreadable[0].file} {sources.unreadable[0].reason.rstrip('.')})" if sources.unreadable else ""
        )
        raise Usage(
            f"There is no report in {counted(sources.files, 'file')}{why}.", "Pass saved reports: --format json."
        )
    return sources


def _sources_of(entries: Iterable[Entry], known: int | None = None) -> Sources:
    """Return the counts of files; without *known* all of them are those of exported tables."""
    ordered = sorted(entries, key=lambda entry: entry.file.path)
    of = Counter(entry.how for entry in ordered)
    duplicates, unreadable = (
        tuple(LeftOut(visible(entry.file.path), entry.reason) for entry in ordered if entry.how is how)
        for how in (How.DUPLICATE, How.UNREADABLE)
    )
    was_read, converted = of[How.READ], of[How.CONVERTED]
    if known is None:
        known, was_read, converted = was_read + converted, 0, 0
    total = known + was_read + converted + len(duplicates) + len(unreadable)
    return Sources(total, was_read, converted, known, duplicates, unreadable)


def _query(connection: "DuckDBPyConnection", sql: str) -> tuple[Sequence[str], Rows]:
    import duckdb

    def run() -> tuple[Sequence[str], Rows]:
        if [each.type for each in connection.extract_statements(sql)] != [duckdb.StatementType.SELECT]:
            raise Usage("A query is one SELECT.", "The tables are in docs/reference.md.")
        done = connection.execute(sql)
        rows = done.fetchmany(_MOST_ROWS + 1)
        if len(rows) > _MOST_ROWS:
            raise Usage(f"The answer has more than {_MOST_ROWS:,} rows.", "Add LIMIT to the query.")
        return [column[0] for column in done.description or ()], rows

    # The engine handles no signal within a long query, so the query runs beside this thread, which does.
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(run)
        try:
            return waiting.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise
        except duckdb.IOException:
            raise  # the temporary folder is full
        except duckdb.Error as error:
            raise refused(error) from error


def _answer(asked: Asked, query: str, sources: Sources, run: Query) -> Survey:
    columns, rows = run(query)
    reports, devices = _counts(asked, run)
    what = _SENTENCES[asked.question](columns, rows)
    return Survey(
        question=asked.question,
        sentence=f"{counted(reports, 'report')}, {counted(devices, 'device')}; {what}.",
        reports=reports,
        devices=devices,
        sources=sources,
        sql=query,
        columns=tuple(columns),
        rows=tuple(tuple(map(plain, row)) for row in rows),
    )


def _counts(asked: Asked, run: Query) -> tuple[int, int]:
    """Return how many reports and devices the conditions choose; a report may have no device."""
    ((reports, devices),) = run(
        "SELECT COUNT(DISTINCT report) AS reports, COUNT(DISTINCT device_key) AS devices FROM devices"
        f" WHERE {asked.chosen if asked.question is not Question.SQL else 'TRUE'}"
    )[1]
    return (reports if asked.where else run("SELECT COUNT(*) AS reports FROM reports")[1][0][0]), devices


def plain(value: Any) -> SqlValue:
    """Return a value in JSON's types; a number that a double cannot hold becomes a string, like all other things."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    is_whole = hasattr(value, "__int__") and not isinstance(value, float) and value == int(value)
    return int(value) if is_whole and abs(value) <= MOST_EXACT else str(value)


def _of_coverage(columns: Sequence[str], rows: Rows) -> str:
    if not rows:
        return "no check was judged"
    first = dict(zip(columns, rows[0], strict=True))
    if not first["failing_drivers"]:
        return "no check fails"
    return f"{first['check_id']} fails on {counted(first['failing_drivers'], 'driver')}"


def _of_changes(columns: Sequence[str], rows: Rows) -> str:
    kinds = Counter((row[0], "verdict" if row[columns.index("check_id")] else "device") for row in rows)
    words = {"worse": "got worse", "better": "got better", "changed": "changed", "new": "new", "gone": "gone"}
    each = ((kinds[kind, noun], noun, said) for noun in ("verdict", "device") for kind, said in words.items())
    return ", ".join(f"{counted(number, noun)} {said}" for number, noun, said in each if number) or "nothing changed"


def _of_outliers(columns: Sequence[str], rows: Rows) -> str:
    number = len({row[columns.index("device_key")] for row in rows})
    devices = counted(number, "device") if number else "no device"
    return f"{devices} {'differ' if number > 1 else 'differs'} from all others of the same driver"


_SENTENCES: dict[Question, Callable[[Sequence[str], Rows], str]] = {
    Question.COVERAGE: _of_coverage,
    Question.CHANGES: _of_changes,
    Question.OUTLIERS: _of_outliers,
    Question.SQL: lambda _, rows: counted(len(rows), "row"),
}
