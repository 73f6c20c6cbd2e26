# SPDX-License-Identifier: Apache-2.0
"""Files of all kinds: each is read, counted once, or left out with a reason; exported tables are whole or absent."""

import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import many_reports
import pytest
import reports
from many_reports import Made
from program import PROGRAM, Run, environment

from vkzircon_cli.errors import NotWritten, Usage
from vkzircon_cli.model.survey import Survey
from vkzircon_cli.render.json import render_json
from vkzircon_cli.survey import exported, files
from vkzircon_cli.survey.answer import survey
from vkzircon_cli.survey.questions import Asked

CAPTURES = Path(__file__).parents[1] / "golden" / "captures"
_USUAL = CAPTURES / "magma.json"


def _reports(folder: Path, count: int, first: int = 0) -> None:
    many_reports.write(
        folder,
        [Made(number, f"2026-0{1 + number % 2}-03T00:00:00Z", "1.0", ()) for number in range(first, first + count)],
    )


def _left_out(found: Survey) -> dict[str, str]:
    return {Path(each.file).name: each.reason for each in found.sources.unreadable}


def test_each_file_is_read_or_left_out_with_its_reason(tmp_path: Path) -> None:
    """No file ends a survey; each is counted in one way, and nothing of a bad one reaches the tables."""
    good = _USUAL.read_text()
    document = json.loads(good)
    shutil.copy(_USUAL, tmp_path / "plain.json")
    (tmp_path / "cut.json").write_text(good[: len(good) // 2])
    (tmp_path / "cut-at-a-brace.json").write_text(good[: good.rindex("}", 0, -20) + 1])
    (tmp_path / "other-program.json").write_text('{"schema_version": "1.0", "kind": "report", "tool": {"name": "x"}}')
    (tmp_path / "newer.json").write_text(good.replace('"schema_version": "1.', '"schema_version": "2.', 1))
    (tmp_path / "empty.json").touch()
    (tmp_path / "blank.json").write_text(" \n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "wrong-type.json").write_text(json.dumps(document | {"devices": "none"}))
    (tmp_path / "no-outcome.json").write_text(good.replace('"outcome": "pass"', '"outcome": "great"'))
    (tmp_path / "two.json").write_text(good + good)
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    large = replace(reports.good_report(), devices=(reports.device(who=reports.identity(name="x" * (17 << 20))),))
    (tmp_path / "large.json").write_text(render_json(large))
    (tmp_path / "bad.gz").write_bytes(gzip.compress(good.encode())[:100])
    with ZipFile(tmp_path / "no-bundle.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    found = survey([str(tmp_path)], Asked())
    assert (found.reports, found.sources.read, found.sources.converted) == (1, 1, 0)
    reasons = _left_out(found)
    assert reasons.keys() == {path.name for path in tmp_path.iterdir()} - {"plain.json"}
    assert found.sources.files == len(reasons) + 1
    for name, said in {
        "cut.json": "is not JSON",
        "other-program.json": "is not a complete report",
        "large.json": "has a report of more than 16 MiB",
        "newer.json": "has schema version 2.",
        "empty.json": "is empty",
        "wrong-type.json": "devices: expected an array",
        "no-outcome.json": "should be 'pass'",
        "no-bundle.zip": "without a report.json",
    }.items():
        assert said in reasons[name], name


def test_traces_bundles_and_compressed_reports_are_converted(emulated: Run, tmp_path: Path) -> None:
    """What `show` reads is read, also a bundle and gzip; each is counted apart, and a copy of a run counts once."""
    folder = tmp_path / "reports"
    folder.mkdir()
    assert emulated("check", "--format", "trace", "--output", str(folder / "run.trace")).code == 0
    (folder / "packed.json.gz").write_bytes(gzip.compress(_USUAL.read_bytes()))
    with ZipFile(folder / "bundle.zip", "w") as archive:
        archive.write(CAPTURES / "hung.json", "vkzircon-bundle/report.json")
    (folder / "utf-16.json").write_text((CAPTURES / "goldfish.json").read_text(), "utf-16")
    shutil.copy(CAPTURES / "crashed.json", folder / "odd[name]*.json")
    shutil.copy(CAPTURES / "lavapipe.json", folder / "lavapipe.json")
    found = survey([str(folder)], Asked())
    assert (found.sources.read, found.sources.converted, found.reports) == (1, 5, 6)
    assert not found.sources.unreadable
    assert not found.sources.duplicates


def test_the_same_run_counts_once(tmp_path: Path) -> None:
    """A copy, another layout, a trace's report: equal start, host and devices are one run; the others are named."""
    shutil.copy(_USUAL, tmp_path / "a.json")
    shutil.copy(_USUAL, tmp_path / "b.json")
    (tmp_path / "c.json").write_text(json.dumps(json.loads(_USUAL.read_text())))
    shutil.copy(CAPTURES / "no-driver.json", tmp_path / "d.json")
    shutil.copy(CAPTURES / "no-driver.json", tmp_path / "e.json")
    later = json.loads((CAPTURES / "no-driver.json").read_text())
    later["run"]["duration_ms"] = 1.5  # no device has a UUID, so only equal content is the same run
    (tmp_path / "f.json").write_text(json.dumps(later))
    found = survey([str(tmp_path)], Asked())
    assert found.reports == 3
    names = {Path(each.file).name: each.reason for each in found.sources.duplicates}
    assert names.keys() == {"b.json", "c.json", "e.json"}
    assert names["c.json"] == f"is the same run as {tmp_path / 'a.json'}."


def test_folders_patterns_and_files_lead_to_the_same(tmp_path: Path) -> None:
    """A file that is named twice counts once, and a path that leads to nothing is an error."""
    _reports(tmp_path, 3)
    ways = [[str(tmp_path)], [f"{tmp_path}/*/*.json"], [f"{tmp_path}/**/*.json", str(tmp_path / "device0")]]
    assert [survey(way, Asked()).sources.read for way in ways] == [3, 3, 3]
    with pytest.raises(Usage, match="There is no file"):
        survey([str(tmp_path / "nothing")], Asked())
    (tmp_path / "empty").touch()
    with pytest.raises(Usage, match="There is no report in 1 file"):
        survey([str(tmp_path / "empty")], Asked())


def test_a_second_export_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An equal size and time is enough; a file with another time is hashed, and read again only if it differs."""
    source, tables = tmp_path / "reports", tmp_path / "tables"
    _reports(source, 4)
    (source / "empty").touch()
    first = survey([str(source)], Asked(), tables)
    assert (first.reports, first.sources.read, first.sources.known) == (4, 4, 0)
    opened: list[str] = []
    content_of = files.content_of

    def noted(file: files.File) -> bytes:
        opened.append(Path(file.path).name)
        return content_of(file)

    monkeypatch.setattr(files, "content_of", noted)
    _reports(source, 1, first=4)
    touched, changed = source / "device0" / "run000000.json", source / "device1" / "run000001.json"
    touched.touch()
    changed.write_text(changed.read_text().replace("-03T", "-04T"))
    second = survey([str(source)], Asked(), tables)
    assert sorted(opened) == ["run000000.json", "run000000.json", "run000001.json"]
    assert (second.reports, second.sources.read, second.sources.known) == (6, 2, 3)
    assert _left_out(second) == {"empty": "is empty."}
    opened.clear()
    third = survey([str(source)], Asked(), tables)
    assert (third.reports, third.sources.read, third.sources.known, opened) == (6, 0, 5, [])
    assert survey([str(tables)], Asked()).rows == third.rows
    months = {path.parent.name for path in tables.glob("reports/*/*.parquet")}
    assert months == {"month=2026-01", "month=2026-02"}


def test_an_export_that_ends_half_way_leaves_the_tables_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an error between two moves nor a kill there changes what a question reads."""
    source, tables = tmp_path / "reports", tmp_path / "tables"
    _reports(source, 2)
    survey([str(source)], Asked(), tables)
    before = _tree(tables)
    _reports(source, 2, first=2)

    def fail(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(NotWritten, match="No space left on device"):
            survey([str(source)], Asked(), tables)
        assert _tree(tables) == before
        patched.setattr(Path, "replace", _killed)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        patched.setattr(exported, "shutil", SimpleNamespace(rmtree=lambda *_, **__: None))
        with pytest.raises(KeyboardInterrupt):
            survey([str(source)], Asked(), tables)
    assert _tree(tables) != before
    assert survey([str(tables)], Asked()).reports == 2
    assert survey([str(source)], Asked(), tables).reports == 4
    assert not list(tables.glob("_*"))


def _killed(*_: Any) -> None:
    raise KeyboardInterrupt


def _tree(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def _without_disk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a survey where no file may have more than 512 bytes."""
    return subprocess.run(
        [PROGRAM, "survey", *arguments],
        cwd=folder,
        env=environment({"PYTHONDONTWRITEBYTECODE": "1"}),  # Python would keep modules that are cut off
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (512, 512)),
    )


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """If no file can grow, exit code 6 and one sentence; no table stays behind."""
    _reports(tmp_path / "reports", 3)
    done = _without_disk(tmp_path, "reports", "--export", "tables")
    assert (done.returncode, done.stdout) == (6, "")
    assert re.fullmatch(r"vkzircon: The tables could not be written to \S+tables: [^\n]+\n", done.stderr)
    assert not _tree(tmp_path / "tables")


def test_exported_tables_are_read_alone(tmp_path: Path) -> None:
    """A folder of tables together with reports is refused, and so is a file that only has the name of an index."""
    _reports(tmp_path / "reports", 1)
    survey([str(tmp_path / "reports")], Asked(), tmp_path / "tables")
    with pytest.raises(Usage, match="cannot be read together"):
        survey([str(tmp_path / "tables"), str(tmp_path / "reports")], Asked())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.parquet").write_text("no")
    with pytest.raises(Usage, match="is no index"):
        survey([str(tmp_path / "other")], Asked())


def test_names_links_and_pipes_are_told_apart(tmp_path: Path) -> None:
    """A name may have any characters; a file that cannot be read is counted and named, also in tables."""
    folder = tmp_path / "reports"
    names = ("it's", 'a"b', "odd[n]*?", "new\nline", "'); DROP TABLE reports; --", "{a,b}", "\x1b[31m", "-", "\udcff")
    for number, name in enumerate(names):
        _reports(folder, 1, first=number)
        made = next(folder.glob("device*/*.json"))
        made.rename(folder / f"{name}.json")
    (folder / "round").symlink_to(folder / "round")
    (folder / "nowhere").symlink_to(tmp_path / "nothing")
    (folder / "link").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    (folder / "locked").mkdir(mode=0)
    found = survey([str(folder)], Asked())
    assert found.reports == found.sources.read + found.sources.converted == len(names)
    reasons = _left_out(found)
    if os.geteuid() != 0:  # root may read all folders
        assert reasons.pop("locked") == "cannot be read: Permission denied."
    assert reasons == {
        "link": "is a link to a folder, which is not followed.",
        "nowhere": "cannot be read: No such file or directory.",
        "pipe": "is not a regular file.",
        "round": "cannot be read: Too many levels of symbolic links.",
    }
    first, second = (survey([str(folder)], Asked(), tmp_path / "tables") for _ in range(2))
    assert (first.reports, second.reports, second.sources.known) == (len(names),) * 3
    assert first.sources.unreadable == second.sources.unreadable == found.sources.unreadable


def test_nothing_in_a_report_counts_twice(tmp_path: Path) -> None:
    """A condition may be required twice; two devices with one index, or two outcomes of one check, are no report."""
    document = json.loads(_USUAL.read_text())
    check, device = document["checks"][0], document["devices"][0]
    for name, part in {
        "again.json": {"checks": [*document["checks"], check]},
        "devices.json": {"devices": [device, device]},
        "outcomes.json": {"checks": [*document["checks"], check | {"outcome": "crash"}]},
    }.items():
        (tmp_path / name).write_text(json.dumps(document | part))
    found = survey([str(tmp_path)], Asked())
    assert found.reports == 1
    assert {row[3] for row in found.rows} <= {0, 1}
    assert _left_out(found).keys() == {"devices.json", "outcomes.json"}


_HOSTILE = '=HYPERLINK("http://x")\'; DROP TABLE devices; -- <script>alert(1)</script> \x1b[31m'


@pytest.mark.parametrize("format", ["terminal", "json", "csv", "markdown", "html"])
def test_hostile_names_stay_text(vkzircon: Run, tmp_path: Path, format: str) -> None:
    """No name is SQL, a formula, markup, or a command to the terminal."""
    report = replace(reports.good_report(), devices=(reports.device(who=reports.identity(name=_HOSTILE)),))
    (tmp_path / "report.json").write_text(render_json(report))
    ran = vkzircon("survey", "report.json", "--by", "device.name", "--format", format)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    if format == "json":
        assert {row[1] for row in ran.json["rows"]} == {_HOSTILE}
    elif format == "csv":
        assert "\n=" not in ran.out
        assert "\"'=HYPERLINK" in ran.out
    elif format in ("markdown", "html"):
        assert "<script" not in ran.out


def test_without_duckdb_it_says_how_to_install_it(vkzircon: Run, tmp_path: Path) -> None:
    """The package is named in one sentence; --print-sql works without it."""
    (tmp_path / "duckdb.py").write_text("raise ImportError('there is none')")
    shutil.copy(_USUAL, tmp_path / "report.json")
    ran = vkzircon("survey", "report.json", PYTHONPATH=str(tmp_path))
    assert (ran.code, ran.out) == (4, "")
    assert "pip install --upgrade duckdb" in ran.err
    assert ran.err.count("\n") == 1
    assert vkzircon("survey", "--print-sql", PYTHONPATH=str(tmp_path)).code == 0


def test_a_wrong_query_is_told(vkzircon: Run, tmp_path: Path) -> None:
    """An error of the engine is one line, and exit code 2."""
    shutil.copy(_USUAL, tmp_path / "report.json")
    ran = vkzircon("survey", "report.json", "--sql", "SELECT nothing FROM devices")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "nothing" in ran.err


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM read_text('/etc/passwd')", "Permission Error"),
        ("SELECT * FROM glob('/*')", "Permission Error"),
        ("SELECT * FROM 'https://vkzircon.invalid/a.csv'", "Permission Error"),
        ("SELECT * FROM sql", "does not exist"),  # a variable of Python
        *((f"{words} '{{}}/written'", "one SELECT") for words in ("ATTACH", "COPY reports TO", "EXPORT DATABASE")),
        *((words, "one SELECT") for words in ("INSTALL httpfs", "SELECT 1; SELECT 2", "DROP TABLE reports", "", "--")),
        ("SELECT * FROM range(1000001)", "more than 1,000,000 rows"),
    ],
)
def test_a_query_reads_the_tables_and_nothing_else(tmp_path: Path, query: str, said: str) -> None:
    """A query has no files, network, extensions or variables, and changes nothing, also where tables are files."""
    shutil.copy(_USUAL, tmp_path / "report.json")
    for export in (None, tmp_path / "tables"):
        asked = Asked(sql=query.format(tmp_path / "tables"))
        with pytest.raises(Usage, match=said):
            survey([str(tmp_path / "report.json")], asked, export)
    assert not list(tmp_path.glob("**/written"))


def test_a_full_temporary_folder_is_told(tmp_path: Path) -> None:
    """A file that cannot be converted for lack of room is not blamed: exit code 6, and where room is needed."""
    (tmp_path / "report.gz").write_bytes(gzip.compress(_USUAL.read_bytes()))
    done = _without_disk(tmp_path, "report.gz")
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == (
        "vkzircon: The survey could not use a file: File too large. A temporary folder needs room: TMPDIR=DIR.\n"
    )


def test_a_signal_ends_a_query(tmp_path: Path) -> None:
    """SIGTERM during a query of the engine is exit code 143 with one line, at once."""
    endless = "SELECT SUM(range % 7) FROM range(1000000000000)"
    process = subprocess.Popen(
        [PROGRAM, "survey", str(_USUAL), "--sql", endless],
        cwd=tmp_path,
        env=environment({"TMPDIR": str(tmp_path)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.iterdir()) and process.poll() is None:
        time.sleep(0.02)  # until the engine has started
    time.sleep(0.3)
    process.terminate()
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (143, "")
    assert err == "vkzircon: Interrupted by SIGTERM before a whole result was written.\n"
    assert not list(tmp_path.iterdir())
