# SPDX-License-Identifier: Apache-2.0
"""The benchmark works, and docs/performance.md shows its results. No test depends on how fast a machine is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from inside import memcmp_ms, pattern_ms
from measure import Pairs
from program import environment
from results import BEGIN, END, render
from rows import ROWS, Row

HERE = Path(__file__).parent
# One needs 2 GiB (test_whole_buffers_are_compared needs less), the other empties the cache of the whole machine.
SLOW = {"verify", "cold"}


def test_every_row_is_measured(lavapipe: str, installed: Path, tmp_path: Path) -> None:
    """With one pair each, every row has its ratio, in the table and in the JSON."""
    rows = [row for row, *_ in ROWS if row.id not in SLOW]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    options = ["--pairs", "1", "--json", "out.json", "--python", str(installed)]
    command = [sys.executable, str(HERE / "run.py"), *options, *(row.id for row in rows)]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in document["rows"]] == [row.id for row in rows]
    for row in document["rows"]:
        assert row["missing"] == ""
        assert row["pairs"]["ratio"] > 0
        assert f"| {row['what']} |" in done.stdout


def test_an_unknown_row_is_refused() -> None:
    """A typing error measures nothing."""
    done = subprocess.run([sys.executable, HERE / "run.py", "chekc"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such row: chekc" in done.stderr


def test_whole_buffers_are_compared() -> None:
    """Each side finds the bytes equal, or it would raise."""
    assert pattern_ms(1 << 20) > 0
    assert memcmp_ms(1 << 20) > 0


@pytest.mark.parametrize(
    ("unit", "ours", "theirs", "met"),
    [("ms", 30.0, 10.0, True), ("ms", 31.0, 10.0, False), ("MiB", 13.0, 10.0, True), ("MiB", 14.0, 10.0, False)],
)
def test_a_target_is_a_ratio_and_for_memory_a_difference(unit: str, ours: float, theirs: float, met: bool) -> None:
    """A row is met if it is at most its target."""
    row = Row("row", "a row", unit, 3.0, Pairs(ours, theirs, ours / theirs, 1.0, 1.0, 1))
    assert row.is_met is met


def test_the_results_are_what_was_measured() -> None:
    """The tables in docs/performance.md are rendered from the JSON files beside it."""
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((HERE / "results").glob("*.json"))]
    assert documents
    text = (HERE.parents[1] / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip("\n") == render(documents).strip("\n")
