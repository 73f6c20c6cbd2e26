# SPDX-License-Identifier: Apache-2.0
"""Reads files into the tables, in DuckDB's memory: whole batches by its own reader, what it refuses one by one."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import NotWritten, Usage, missing_package
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import readable
from vkzircon_cli.survey import files
from vkzircon_cli.survey.files import File
from vkzircon_cli.survey.questions import said
from vkzircon_cli.survey.tables import DECLARED, TABLES, ddl, rows_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 250  # files
_MEMORY = "600MB"  # of the engine; what needs more goes to a temporary folder
# The engine loads no extension and no secret, and takes no variable of Python for a table.
_CLOSED = (
    "autoinstall_known_extensions",
    "autoload_known_extensions",
    "allow_community_extensions",
    "allow_persistent_secrets",
    "python_enable_replacements",
)


class How(StrEnum):
    """How a file was read; the last two add no rows."""

    READ = "read"
    CONVERTED = "converted"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"


@record
class Entry:
    """What became of a file: *reason* is why it adds no rows, *report* the run that it has or repeats."""

    file: File
    digest: str
    how: How
    report: str | None = None
    reason: str = ""


@contextmanager
def engine() -> Iterator["DuckDBPyConnection"]:
    """Start DuckDB in memory, with empty tables.

    Raises:
        CannotAsk: it is not installed.
        NotWritten: the temporary folder is full.
    """
    try:
        import duckdb
    except ImportError as error:
        raise missing_package(error, "A survey needs DuckDB, which cannot be imported", "duckdb") from error
    with tempfile.TemporaryDirectory(prefix="vkzircon-survey-") as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": folder,
            "preserve_insertion_order": False,
            **dict.fromkeys(_CLOSED, False),
        }
        with duckdb.connect(config=settings) as connection:
            for name in TABLES:
                connection.execute(f"CREATE TABLE {name} ({ddl(name)})")
            connection.execute("CREATE TEMP TABLE seen (report VARCHAR, file VARCHAR)")
            try:
                yield connection
            except (duckdb.InterruptException, RuntimeError) as error:
                if isinstance(error, duckdb.InterruptException) or str(error) == "Query interrupted":
                    raise KeyboardInterrupt from error  # a signal arrived while a query ran
                raise
            except (OSError, duckdb.IOException) as error:
                message = f"The survey could not use a file: {said(error)}."
                raise NotWritten(message, "A temporary folder needs room: TMPDIR=DIR.") from error


def confine(connection: "DuckDBPyConnection", tables: Path | None) -> None:
    """Let the queries that follow read the *tables* in a folder, and no other file, address or setting."""
    if tables is not None:
        connection.execute("SET allowed_directories = [?]", [str(tables)])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def read(connection: "DuckDBPyConnection", found: Iterable[File], known: Mapping[str, str]) -> Iterator[Entry]:
    """Add the reports in the files to the tables, and yield what became of each file.

    *known* has the digest of each file that was read earlier; one with the same content is left out.
    """
    waiting = iter(found)
    with tempfile.TemporaryDirectory(prefix="vkzircon-survey-") as folder:
        while batch := list(islice(waiting, _BATCH)):
            yield from _Batch(connection, Path(folder), known).read(batch)


class _Batch:
    """The files that the engine reads together."""

    def __init__(self, connection: "DuckDBPyConnection", folder: Path, known: Mapping[str, str]) -> None:
        self._connection = connection
        self._folder = folder
        self._known = known
        self._digests: dict[str, str] = {}

    def read(self, batch: Sequence[File]) -> Iterator[Entry]:
        plain: list[File] = []
        odd: list[File] = []
        for file in batch:
            content = self._content(file)
            if isinstance(content, Entry):
                yield content
            elif (digest := files.digest_of(content)) != self._known.get(file.path):
                self._digests[file.path] = digest
                (plain if files.is_plain(file, content) else odd).append(file)
        entries = {entry.file.path: entry for entry in self._load({file.path: file for file in plain}, How.READ)}
        yield from entries.values()
        odd += [file for file in plain if file.path not in entries]
        yield from self._convert(sorted(odd, key=lambda file: file.path))

    def _content(self, file: File) -> bytes | Entry:
        if file.problem:
            return Entry(file, "", How.UNREADABLE, reason=file.problem)
        try:
            content = files.content_of(file) if file.size else b""
        except OSError as error:
            return Entry(file, "", How.UNREADABLE, reason=f"cannot be read: {error.strerror}.")
        return content or Entry(file, "", How.UNREADABLE, reason="is empty.")

    def _convert(self, odd: Sequence[File]) -> Iterator[Entry]:
        """Write the reports in files that the engine cannot read as JSON that it can."""
        written: dict[str, File] = {}
        for number, file in enumerate(odd):
            try:
                text = files.converted(file, files.content_of(file))
            except Usage as error:
                yield self._unreadable(file, files.reason(file, error))
                continue
            except OSError as error:
                yield self._unreadable(file, f"cannot be read: {error.strerror}.")
                continue
            copy = self._folder / f"{number}.json"
            copy.write_text(text, "utf-8")
            written[str(copy)] = file
        loaded = {entry.file.path: entry for entry in self._load(written, How.CONVERTED)}
        yield from loaded.values()
        for name, file in written.items():
            Path(name).unlink()
            if file.path not in loaded:
                yield self._unreadable(file, "has values that the tables cannot hold.")

    def _unreadable(self, file: File, reason: str) -> Entry:
        return Entry(file, self._digests[file.path], How.UNREADABLE, reason=reason)

    def _load(self, of: Mapping[str, File], how: How) -> Iterator[Entry]:
        """Yield what became of files, by the names under which the engine reads them; it is silent on what it refuses.

        An error of the engine is one of the whole batch, so the batch is halved until the guilty files are alone.
        """
        if not of:
            return
        import duckdb

        try:
            self._stage(of)
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            names = list(of)
            if len(names) > 1:
                for half in (names[: len(names) // 2], names[len(names) // 2 :]):
                    yield from self._load({name: of[name] for name in half}, how)
            return
        yield from self._keep({file.path: file for file in of.values()}, how)

    def _stage(self, of: Mapping[str, File]) -> None:
        paths = [readable(file.path) for file in of.values()]
        digests = [self._digests[file.path] for file in of.values()]
        self._connection.execute(_STAGE, [list(of), paths, digests, list(of)])

    def _keep(self, of: Mapping[str, File], how: How) -> Iterator[Entry]:
        """Move the staged reports that are complete and new into the tables."""
        execute = self._connection.execute
        paths = {readable(path): path for path in of}
        for path, report, earlier in execute(_REPEATED).fetchall():
            file = of[paths[path]]
            yield Entry(file, self._digests[file.path], How.DUPLICATE, report, f"is the same run as {earlier}.")
        execute(_FORGET_REPEATED)
        for name in TABLES:
            execute(f"INSERT INTO {name} {rows_of(name)}")
        for path, report in execute(
            "INSERT INTO seen SELECT report, file FROM staged RETURNING file, report"
        ).fetchall():
            file = of[paths[path]]
            yield Entry(file, self._digests[file.path], how, report)


def _list(words: Iterable[Any]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_COLUMNS = ", ".join(f"{name}: '{of}'" for name, of in DECLARED.items())
_DEVICE_UUIDS = "[lower(d.identity.value.uuids.value.device_uuid) for d in devices]"
# The same run: equal start, host and devices, or, if no device has a UUID, equal content.
_STAGE = f"""
CREATE OR REPLACE TEMP TABLE staged AS
WITH given AS (SELECT unnest(?) AS filename, unnest(?) AS file, unnest(?) AS digest),
documents AS (
  SELECT *, [u for u in {_DEVICE_UUIDS} if trim(u, '0-') <> ''] AS uuids
  FROM read_json(?, columns = {{{_COLUMNS}}}, format = 'unstructured', compression = 'none', filename = true,
    hive_partitioning = false, maximum_object_size = {files.MOST_REPORT_BYTES})
)
SELECT documents.* EXCLUDE (filename), given.file,
  md5(concat_ws(chr(31), run.started, coalesce(environment.system, ''), coalesce(environment.machine, ''),
    coalesce(environment.agent, ''), coalesce(emulation.settings, ''),
    CASE WHEN len(uuids) > 0 THEN array_to_string(uuids, ' ') ELSE digest END)) AS report
FROM documents JOIN given USING (filename)
WHERE tool.name = 'vkzircon' AND coalesce(kind, 'report') = 'report' AND schema_version LIKE '{files.MAJOR}.%'
  AND run.started IS NOT NULL AND devices IS NOT NULL AND checks IS NOT NULL
  AND summary.outcome IN ({_list(Outcome)}) AND summary.exit_code IS NOT NULL
  AND len([c for c in checks if c.id IS NULL OR c.device IS NULL OR c.outcome IS NULL
    OR c.outcome NOT IN ({_list(Outcome)})]) = 0
  AND len([d for d in devices if d.index IS NULL OR d.selected IS NULL]) = 0
  AND len(list_distinct([d.index for d in devices])) = len(devices)
  AND len(list_distinct([(c.id, c.device) for c in checks])) = len(list_distinct(checks))
QUALIFY count(*) OVER (PARTITION BY given.file) = 1
"""
_TWICE = """
SELECT staged.file, report, coalesce(seen.file, min(staged.file) OVER (PARTITION BY report)) AS earlier,
  seen.file IS NOT NULL OR staged.file <> min(staged.file) OVER (PARTITION BY report) AS is_repeated
FROM staged LEFT JOIN seen USING (report)
"""
_REPEATED = f"SELECT file, report, earlier FROM ({_TWICE}) WHERE is_repeated ORDER BY file"
_FORGET_REPEATED = f"DELETE FROM staged WHERE file IN (SELECT file FROM ({_TWICE}) WHERE is_repeated)"
