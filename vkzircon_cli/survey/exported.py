# SPDX-License-Identifier: Apache-2.0
"""A folder of exported tables: Parquet by the month of a run's start, and an index of the files that were read.

    FOLDER/index.parquet
    FOLDER/reports/month=2026-01/PART-0.parquet     and so on for each table

Each export adds a part. It is written to a folder beside the tables and moved from there, the index last: a part counts
once its index has left that folder.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vkzircon_cli.errors import NotWritten, Usage
from vkzircon_cli.model.text import visible
from vkzircon_cli.survey.files import INDEX, File
from vkzircon_cli.survey.questions import said
from vkzircon_cli.survey.reading import Entry, How
from vkzircon_cli.survey.tables import TABLES, ddl

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_UNFINISHED = "_unfinished-"  # and the name of the part; engines pass over names that begin with _
# A name of a file is a BLOB, since it may have bytes that are not UTF-8.
_COLUMNS = "file BLOB, size BIGINT, modified BIGINT, digest VARCHAR, how VARCHAR, report VARCHAR, reason VARCHAR"
_MONTH = "CASE WHEN regexp_matches(reports.started, '^\\d{4}-\\d\\d-') THEN reports.started[1:7] ELSE 'unknown' END"
_PATTERN = frozenset("*?[{'")
_PARQUET = "FORMAT parquet, COMPRESSION zstd"


class Exported:
    """The tables and the index in a folder, which need not exist."""

    def __init__(self, folder: Path, connection: "DuckDBPyConnection") -> None:
        if not _PATTERN.isdisjoint(str(folder)) or not str(folder).isprintable():
            raise Usage(f"{visible(str(folder))} has characters that a pattern has.", "Choose another folder.")
        self._folder = folder
        self._connection = connection
        self.entries: dict[str, Entry] = {}
        if is_exported(folder):
            self._read_index()

    def _read_index(self) -> None:
        import duckdb

        try:
            rows = self._connection.execute("SELECT * FROM read_parquet(?)", [str(self._folder / INDEX)]).fetchall()
            for path, size, modified, digest, how, report, reason in rows:
                file = File(os.fsdecode(path), size, modified)
                self.entries[file.path] = Entry(file, digest, How(how), report, reason)
        except (duckdb.Error, ValueError, TypeError) as error:
            problem = f"{visible(str(self._folder / INDEX))} is no index of exported tables: {said(error)}."
            raise Usage(problem, "Remove the folder, and export again.") from error
        if paths := [str(path) for path in self._files("reports")]:
            self._connection.execute("INSERT INTO seen SELECT report, file FROM read_parquet(?)", [paths])

    def add(self, entries: Sequence[Entry], unchanged: Sequence[File]) -> None:
        """Write the new rows, and an index that has *entries*, and *unchanged* files with their new size and time.

        Raises:
            NotWritten: not everything could be written; the tables are as before.
        """
        part = secrets.token_hex(8)
        self.entries |= {entry.file.path: entry for entry in entries}
        for file in unchanged:
            self.entries[file.path] = replace(self.entries[file.path], file=file)
        with _writing(self._folder):
            self._sweep()
            beside = self._folder / f"{_UNFINISHED}{part}"
            beside.mkdir(parents=True)
            try:
                self._write(beside, part)
                self._move(beside)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def _write(self, beside: Path, part: str) -> None:
        for name in TABLES:
            join = "" if name == "reports" else "JOIN reports USING (report)"
            self._connection.execute(
                f"COPY (SELECT {name}.*, {_MONTH} AS month FROM {name} {join}) TO '{beside / name}' "
                f"({_PARQUET}, PARTITION_BY (month), FILENAME_PATTERN '{part}-{{i}}')"
            )
        columns: list[list[object]] = [[] for _ in _COLUMNS.split(", ")]
        for path, entry in self.entries.items():
            file = entry.file
            values = (os.fsencode(path), file.size, file.modified, entry.digest, entry.how, entry.report, entry.reason)
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        declared = (column.split() for column in _COLUMNS.split(", "))
        listed = ", ".join(f"unnest(?::{of}[]) AS {name}" for name, of in declared)
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE files AS SELECT {listed}", columns)
        self._connection.execute(f"COPY files TO '{beside / INDEX}' ({_PARQUET})")

    def _move(self, beside: Path) -> None:
        """Move the files to their places, the index last; take them back if one cannot be moved."""
        moved: list[Path] = []
        try:
            for path in sorted(beside.glob("*/*/*.parquet")):
                place = self._folder / path.relative_to(beside)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.rename(place)
                moved.append(place)
            (beside / INDEX).replace(self._folder / INDEX)
        except BaseException:
            for place in moved:
                with suppress(OSError):
                    place.unlink()
            raise

    def _files(self, table: str) -> list[Path]:
        """Return the files of a table, without those of an export that was killed between two moves."""
        unfinished = {
            path.parent.name.removeprefix(_UNFINISHED) for path in self._folder.glob(f"{_UNFINISHED}*/{INDEX}")
        }
        found = sorted((self._folder / table).glob("month=*/*.parquet"))
        return [path for path in found if path.name.partition("-")[0] not in unfinished]

    def _sweep(self) -> None:
        """Remove what an export left behind that was killed."""
        for beside in self._folder.glob(f"{_UNFINISHED}*"):
            if (beside / INDEX).exists():
                for path in self._folder.glob(f"*/month=*/{beside.name.removeprefix(_UNFINISHED)}-*.parquet"):
                    path.unlink()
            shutil.rmtree(beside)

    def open(self) -> None:
        """Put the exported tables in the place of those in memory."""
        for name in TABLES:
            paths = [f"'{path}'" for path in self._files(name)]
            self._connection.execute(f"DROP TABLE {name}")
            if paths:
                source = "hive_partitioning = true, hive_types = {'month': VARCHAR}"
                self._connection.execute(
                    f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{', '.join(paths)}], {source})"
                )
            else:
                self._connection.execute(f"CREATE TABLE {name} ({ddl(name)}, month VARCHAR)")


def is_exported(folder: Path) -> bool:
    """Whether there are exported tables in a folder."""
    return (folder / INDEX).is_file()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    import duckdb

    try:
        yield
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        message = f"The tables could not be written to {visible(str(folder))}: {said(error)}."
        raise NotWritten(message, "Choose another place: --export DIR.") from error
