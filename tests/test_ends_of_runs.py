# SPDX-License-Identifier: Apache-2.0
"""A signal at any point of a run gives the exit code and the document that the table in docs/reference.md promises."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle as endless
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
from program import environment

from vkzircon_cli.cli.command_table import COMMANDS

REFERENCE = Path(__file__).parents[1] / "docs" / "reference.md"
CAPTURE = str(Path(__file__).parent / "golden" / "captures" / "lavapipe.json")
# A driver that sends the signal while it is loaded, and hangs: a probe of it lasts until the signal.
HANGS = "kill(getppid(), SIGTERM); pause();"
# Each point of a run: the row of the table, and the statement that sends the signal there.
POINTS = EARLY, ASKED, *_ = (
    "before the driver is asked",
    "while the driver is asked",
    "while the document is made",
    "while the document is written",
)
SENDING = """
import os, signal, sys
point = sys.argv.pop(1)
def sending(function):
    def send_and_call(*arguments, **named):
        os.kill(os.getpid(), signal.SIGTERM)
        return function(*arguments, **named)
    return send_and_call
class Finder:
    def find_spec(self, name, *_):
        if name == "vkzircon_cli.cli.options":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGTERM)
if "before" in point: sys.meta_path.insert(0, Finder())
if "made" in point:
    import vkzircon_cli.render
    vkzircon_cli.render.render = sending(vkzircon_cli.render.render)
if "written" in point:
    import vkzircon_cli.output
    vkzircon_cli.output._write_all = sending(vkzircon_cli.output._write_all)
from vkzircon_cli.__main__ import main
main()
"""
FILES = {"show": [CAPTURE], "diff": [CAPTURE, CAPTURE], "bench": ["--seconds", "0.1"]}


class Case(NamedTuple):
    """A run: a command, the format of its document, and the point at which the signal comes."""

    command: str
    format: str
    point: str


def _cases(name: str) -> list[Case]:
    """Return a run for each format and for each point of a command; together the commands have all pairs of most."""
    formats = [form for form in COMMANDS[name].formats.split() if (name, form) != ("show", "csv")] or ["zip"]
    points = [point for point in POINTS if COMMANDS[name].depth is not None or point != ASKED]
    pairs = islice(zip(endless(formats), endless(points), strict=False), max(len(formats), len(points)))
    return [Case(name, form, point) for form, point in pairs if form != "trace" or point in (EARLY, ASKED)]


def _promised(case: Case) -> str:
    """Return the document that the table promises: whole, partial or none."""
    rows = [line.strip("| ").split(" | ") for line in REFERENCE.read_text("utf-8").splitlines() if "128 + n" in line]
    (row,) = [row for row in rows if case.point in row[0]]
    code, document = row[1 if COMMANDS[case.command].depth else 2].split(": ")
    assert code == "128 + n"
    return document


def _is_whole(data: bytes, form: str) -> bool:
    """Whether *data* is a document of this format to its end."""
    text = data.decode()
    if form in ("json", "zip"):
        return isinstance(json.loads(text), dict)
    if form == "trace":
        events = [json.loads(line)["event"] for line in text.splitlines()]
        return events[0] == "header" and text.endswith("\n")
    if form == "html":
        return text.rstrip().endswith("</html>")
    if form == "junit":
        return ET.fromstring(text).tag == "testsuites"
    if form == "csv":
        return len({len(row) for row in csv.reader(io.StringIO(text))}) == 1
    return len(text) > 20 and text.endswith("\n")


def _run(case: Case, folder: Path, drivers: dict[str, str]) -> tuple[int, bytes, str]:
    """Return exit code, document and standard error."""
    folder.mkdir()
    options = [] if case.format == "zip" else ["--format", case.format]
    program = [sys.executable, "-c", SENDING, case.point, case.command, *FILES.get(case.command, ()), *options]
    env = environment({"VK_DRIVER_FILES": drivers["hangs" if case.point == ASKED else "good"]})
    done = subprocess.run(program, env=env, cwd=folder, capture_output=True, timeout=60, check=False)
    left = list(folder.iterdir())
    assert [path.name for path in left] == (["vkzircon-bundle.zip"] if case.format == "zip" else []), case
    if case.format != "zip":
        return done.returncode, done.stdout, done.stderr.decode()
    with zipfile.ZipFile(left[0]) as archive:
        return done.returncode, archive.read("vkzircon-bundle/report.json"), done.stderr.decode()


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.depth or name in FILES])
def test_a_signal_at_any_point_has_the_promised_end(
    name: str, tmp_path: Path, lavapipe: str, broken_driver: Callable[[str], str]
) -> None:
    """Exit code 143, a document that is whole, partial or absent as the table has it, and nothing left behind."""
    cases = _cases(name)
    drivers = {"good": lavapipe, "hangs": broken_driver(HANGS)}
    with ThreadPoolExecutor(2) as pool:
        ends = pool.map(lambda case: _run(case, tmp_path / f"{case.format}-{case.point}", drivers), cases)
        for case, (code, document, err) in zip(cases, ends, strict=True):
            assert code == 143, (case, err)
            promised = _promised(case)
            if promised == "none":
                assert (document, err) == (b"", "vkzircon: Interrupted by SIGTERM before a whole result was written.\n")
                continue
            assert _is_whole(document, case.format), case
            if case.format != "csv":  # which has no place for an error
                assert (b"Interrupted by SIGTERM" in document) == (promised == "partial"), (case, document[-500:])
