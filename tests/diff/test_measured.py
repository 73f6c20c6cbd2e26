# SPDX-License-Identifier: Apache-2.0
"""Matrices and benches, saved: they are shown as their command shows them, and compared cell by cell and by figure."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from program import Run

from vkzircon_cli.diff import ChangeKind, compare
from vkzircon_cli.saved.load import read

CAPTURES = Path(__file__).parents[1] / "golden" / "captures"


def test_a_saved_matrix_is_shown_and_compared(emulated: Run, vkzircon: Run) -> None:
    """In the formats of a matrix, as the command prints it; cells that lost a feature are worse."""
    whole = emulated("matrix", "-o", "good.json", VKZIRCON_EMULATION="")
    assert (whole.code, whole.out) == (0, "")
    assert vkzircon("show", "good.json").out == emulated("matrix").out
    assert vkzircon("show", "good.json", "-f", "csv").out == emulated("matrix", "-f", "csv").out
    refused = vkzircon("show", "good.json", "-f", "html")
    assert (refused.code, refused.out) == (2, "")
    assert "A matrix cannot be shown as html. Formats: terminal, json, csv." in refused.err
    emulated("matrix", "--fault", "deny-export", "-o", "worse.json")
    found = vkzircon("diff", "good.json", "worse.json", "-f", "json")
    cells = [change for change in found.json["facts"] if change["area"] == "sharing"]
    assert found.code == 1
    assert {(change["kind"], change["before"], change["after"]) for change in cells} == {
        ("worse", "EXPORTABLE|IMPORTABLE", "IMPORTABLE")
    }
    assert cells[0]["what"].startswith("buffer: TRANSFER_SRC, TRANSFER_DST, ")
    assert vkzircon("diff", "good.json", "worse.json", "--fail-on", "worse").code == 1
    better = vkzircon("diff", "worse.json", "good.json", "--fail-on", "worse")
    assert better.code == 0
    assert "\n  better  buffer: TRANSFER_SRC, " in better.out


def test_a_create_flag_has_a_cell_of_its_own(once: Run, tmp_path: Path) -> None:
    """The same usage with and without a create flag has two cells."""
    document = json.loads(once("matrix", "-f", "json").out)
    answers = document["devices"][0]["image_formats"][0]["answers"]["value"]
    row = next(each for each in answers if each["create_flag"] and each["properties"])
    was, now = tmp_path / "was.json", tmp_path / "now.json"
    was.write_text(json.dumps(document))
    row.update(properties=None, result="VK_ERROR_FORMAT_NOT_SUPPORTED")
    now.write_text(json.dumps(document))
    (change,) = compare(read(was), read(now)).facts
    assert change.what.endswith(f"{row['tiling']} {row['usages'][0]} with {row['create_flag']}")
    assert (change.kind, change.after) == ("worse", "not supported")


@pytest.fixture(name="bench", scope="module")
def _bench(once: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of one short bench."""
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    file.write_text(once("bench", "--seconds", "0.5", "--size", "64K", "-f", "json").out)
    return file


def _slowed(bench: Path, change: Callable[[Any], None]) -> Path:
    """Return a copy of *bench* after *change* of its measured device."""
    document = json.loads(bench.read_text())
    change(document["devices"][0])
    file = bench.with_name("other.json")
    file.write_text(json.dumps(document))
    return file


def _times(factor: float) -> Callable[[Any], None]:
    def change(device: Any) -> None:
        for row in device["hand_overs"]:
            if row["way"] == "vmo":
                row["timed"]["value"]["median_ns"] = round(row["timed"]["value"]["median_ns"] * factor)

    return change


@pytest.mark.parametrize(
    ("factor", "kind", "words"), [(3, "worse", "(3.00x slower)"), (0.2, "better", "(5.00x faster)"), (1.3, None, "")]
)
def test_a_figure_counts_from_one_and_a_half_times_on(
    bench: Path, factor: float, kind: ChangeKind | None, words: str
) -> None:
    """A smaller change is noise; the ratio is beside the later figure."""
    found = compare(read(bench), read(_slowed(bench, _times(factor))))
    changes = {(change.area, change.kind, change.what) for change in found.facts}
    assert changes == ({("figures", kind, "64 KiB by vmo")} if kind else set())
    assert found.is_worse == (kind == "worse")
    assert all(str(change.after).endswith(words) for change in found.facts)


def test_a_figure_that_is_gone_is_a_difference(bench: Path) -> None:
    """If a driver refuses a call, its time is missing; a question that was not asked is no difference."""

    def lose(kind: str) -> Callable[[Any], None]:
        missing = {"kind": kind, "call": "vkGetMemoryZirconHandleFUCHSIA", "result": "VK_ERROR_UNKNOWN", "reason": ""}
        return lambda device: device["latencies"][4].update(timed={"value": None, "missing": missing})

    (change,) = compare(read(bench), read(_slowed(bench, lose("refused")))).facts
    assert (change.what, change.before) == ("get-handle", "an answer")
    assert not compare(read(bench), read(_slowed(bench, lose("not-asked")))).differs


def test_a_saved_bench_is_shown_and_compared_with_benches_only(bench: Path, vkzircon: Run) -> None:
    """In the formats of a bench; a bench and a report have nothing in common."""
    report = str(CAPTURES / "lavapipe-emulated.json")
    assert "A whole buffer" in vkzircon("show", str(bench)).out
    ran = vkzircon("diff", str(bench), report)
    assert (ran.code, ran.out) == (2, "")
    assert "A bench and a report cannot be compared." in ran.err


@pytest.mark.parametrize(
    ("before", "after", "code"), [("lavapipe-emulated", "crashed", 1), ("crashed", "lavapipe-emulated", 0)]
)
def test_fail_on_worse_passes_what_got_better(vkzircon: Run, before: str, after: str, code: int) -> None:
    """Without the option any difference is exit code 1."""
    files = [str(CAPTURES / f"{name}.json") for name in (before, after)]
    assert vkzircon("diff", *files, "--fail-on", "worse", "-o", "x.json").code == code
    assert compare(read(Path(files[0])), read(Path(files[1]))).differs
