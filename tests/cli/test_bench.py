# SPDX-License-Identifier: Apache-2.0
"""The bench through the real program: everything is measured, in time, and what cannot be says why."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli.emulation import installation
from vkzircon_cli.model.bench import Move, Place, TimedCall, Way

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
# However little time there is, each measurement has a round, and so has each buffer of up to 4 MiB.
SHORT = ("bench", "--seconds", "0.3")
MIB = 1 << 20


def _document(once: Run, *arguments: str, seconds: str = "0.3") -> Any:
    return once("bench", "--seconds", seconds, "--format", "json", *arguments).json


def _device(document: Any) -> Any:
    (device,) = document["devices"]
    return device


def _missing(rows: list[Any], answer: str) -> dict[str, Any]:
    """Return what is missing, by the row's key, of rows without a number."""
    keys = ("call", "move", "size", "way", "place")
    return {
        "/".join(str(row[key]) for key in keys if key in row): row[answer]["missing"]
        for row in rows
        if row[answer]["missing"]
    }


def test_everything_is_measured(once: Run) -> None:
    """Each call, each move, and a buffer shared and copied; the document is valid, and its numbers fit together."""
    ran = once("bench", "--seconds", "1", "--format", "json", "--size", "4MiB")
    assert (ran.code, ran.err) == (0, "")
    document = ran.json
    device = _device(document)
    assert [row["call"] for row in device["latencies"]] == list(TimedCall)
    assert [(row["move"], row["place"]) for row in device["bandwidths"]] == [(m, p) for m in Move for p in Place]
    assert [(row["size"], row["way"]) for row in device["hand_overs"]] == [
        (size, way) for size in (MIB, 4 * MIB) for way in Way
    ]
    for row in (*device["latencies"], *device["hand_overs"]):
        _is_sound(row["timed"]["value"])
    for row in device["bandwidths"]:
        found = row["moved"]["value"]
        _is_sound(found["timing"])
        assert found["bytes_per_second"] == pytest.approx(found["size"] * 1e9 / found["timing"]["median_ns"], rel=0.01)
    _is_sound(device["overhead"]["value"])
    assert document["summary"]["counts"] == {"measured": 18, "not-measured": 0}


def _is_sound(timing: Any) -> None:
    assert timing["rounds"] >= 1
    assert 0 < timing["min_ns"] <= timing["median_ns"]
    assert (timing["p99_ns"] is None) == (timing["rounds"] < 100)
    assert timing["p99_ns"] is None or timing["median_ns"] <= timing["p99_ns"]


def test_savings_are_the_medians_of_both_ways(once: Run) -> None:
    """The headline is the largest size; copying costs more the larger it is, and sharing does not."""
    document = _document(once, "--size", "4MiB", seconds="1")
    medians = {(row["size"], row["way"]): row["timed"]["value"]["median_ns"] for row in _device(document)["hand_overs"]}
    savings = document["savings"]
    assert [saving["size"] for saving in savings] == [MIB, 4 * MIB]
    for saving in savings:
        assert saving["share_ns"] == medians[saving["size"], "vmo"]
        assert saving["copy_ns"] == medians[saving["size"], "copy"]
        assert saving["ratio"] == pytest.approx(saving["copy_ns"] / saving["share_ns"], rel=0.001)
    assert savings[-1]["copy_ns"] > 1.5 * savings[0]["copy_ns"]
    assert "sharing 4 MiB takes" in document["summary"]["sentence"]


def test_rows_of_one_bench_move_as_many_bytes(once: Run) -> None:
    """Else the smaller ones would be read out of a cache, and look faster."""
    sizes = {row["moved"]["value"]["size"] for row in _device(_document(once, seconds="3"))["bandwidths"]}
    assert len(sizes) == 1


@pytest.mark.parametrize("written", ["terminal", "json", "html"])
def test_the_emulation_is_no_fuchsia_driver(emulated: Run, written: str) -> None:
    """Every format says what the numbers are of."""
    ran = emulated("bench", "--seconds", "0.3", "--size", "1MiB", "--format", written)
    assert ran.code == 0
    text = " ".join(ran.out.replace("&#39;", "'").split())
    assert "vkzircon's own layer" in text
    assert "no measure of a Fuchsia driver" in text


def test_the_time_is_kept(once: Run) -> None:
    """All sizes, up to the quarter of the memory that may be taken: what does not fit in says so."""
    document = _document(once, seconds="1")
    assert document["run"]["duration_ms"] < 8000  # of 1 s, on a machine that does much else
    left_out = _missing(_device(document)["hand_overs"], "timed")
    assert {missing["kind"] for missing in left_out.values()} == {"not-asked"}
    assert all("--seconds" in each["reason"] or "a quarter of" in each["reason"] for each in left_out.values())


def test_no_more_than_a_quarter_is_held(once: Run) -> None:
    """Two buffers of every size that is measured are within it, and larger sizes name it."""
    device = _device(_document(once, seconds="1"))
    limits = device["limits"]["value"]
    known = [each for each in (limits["heap_size"], limits["budget"], limits["system"]) if each is not None]
    assert limits["largest"] == min(known) // 4
    reasons = _missing(device["hand_overs"], "timed")
    for row in device["hand_overs"]:
        fits = 2 * row["size"] <= limits["largest"]
        reason = reasons.get(f"{row['size']}/{row['way']}", {"reason": ""})["reason"]
        assert fits != (f"would be more than {limits['bound']}" in reason)


_VMO_ROWS = {"import", "free-imported", f"{MIB}/vmo"}


@pytest.mark.parametrize(
    ("fault", "kind", "call", "rows"),
    [
        ("refuse-import", "refused", "vkAllocateMemory", _VMO_ROWS),
        ("refuse-get", "refused", "vkGetMemoryZirconHandleFUCHSIA", {*_VMO_ROWS, "get-handle", "get-properties"}),
        (
            "refuse-export",
            "refused",
            "vkAllocateMemory",
            {*_VMO_ROWS, "get-handle", "get-properties", "allocate-exportable", "free-exported"},
        ),
        ("refuse-properties", "not-asked", "", _VMO_ROWS),
    ],
)
def test_what_is_refused_says_so_in_its_row(emulated: Run, fault: str, kind: str, call: str, rows: set[str]) -> None:
    """Nothing shared is exit 1, all else is measured all the same."""
    ran = emulated(*SHORT, "--size", "1MiB", "--format", "json", "--fault", fault)
    assert (ran.code, ran.err) == (1, "")
    device = _device(ran.json)
    missing = _missing([*device["latencies"], *device["hand_overs"]], "timed")
    assert rows <= set(missing)
    assert {(missing[row]["kind"], missing[row]["call"]) for row in rows} == {(kind, call)}
    assert not {"allocate", "free", f"{MIB}/copy"} & set(missing)
    assert "host-write/ordinary" not in _missing(device["bandwidths"], "moved")
    assert ran.json["summary"]["outcome"] == "fail"
    assert "no buffer was shared" in ran.json["summary"]["sentence"]
    page = emulated("bench", "--seconds", "0.3", "--size", "1MiB", "--fault", fault)
    assert page.code == 1
    assert "1 MiB by VMO" in page.out
    assert "Without a number" in page.out


def test_memory_that_cannot_be_mapped_is_shared_by_no_copy(once: Run) -> None:
    """What the host does in VMO memory is refused, what it does elsewhere is not; sharing needs no mapping."""
    document = _document(once, "--size", "1MiB", "--fault", "map-fails")
    assert document["summary"]["exit_code"] == 0
    device = _device(document)
    assert _missing(device["hand_overs"], "timed") == {}
    missing = _missing(device["bandwidths"], "moved")
    assert {each["call"] for each in missing.values()} == {"vkMapMemory"}
    assert set(missing) == {"host-write/vmo", "host-read/vmo"}


def test_a_copy_that_poses_as_sharing_is_seen(once: Run) -> None:
    """An import that copies takes longer the larger the buffer is: the numbers tell."""
    savings = _document(once, "--size", "16MiB", "--fault", "import-copies", seconds="2")["savings"]
    assert savings[-1]["share_ns"] > 2 * savings[0]["share_ns"]
    assert savings[-1]["ratio"] < 2


@pytest.mark.parametrize("persona", ["goldfish", "swiftshader", "magma"])
def test_every_persona_is_measured(once: Run, persona: str) -> None:
    """Also one that exports dedicated memory only."""
    document = _document(once, "--size", "1MiB", "--persona", persona)
    assert document["summary"]["exit_code"] == 0
    wanted = "dedicated-buffer" if persona == "goldfish" else "plain"
    assert _device(document)["choice"]["value"]["form"] == wanted


def test_a_crash_costs_the_measurement_it_came_in(emulated: Run) -> None:
    """The rest is measured by another process, within the time, and the exit code is 5."""
    ran = emulated(*SHORT, "--size", "1MiB", "--format", "json", "--fault", "segfault-in-import")
    assert (ran.code, ran.err) == (5, "")
    device = _device(ran.json)
    missing = _missing([*device["latencies"], *device["hand_overs"]], "timed")
    assert set(missing) == _VMO_ROWS
    assert {(each["kind"], each["result"]) for each in missing.values()} == {("crashed", "SIGSEGV")}
    assert len(device["bandwidths"]) == len(Move) * len(Place)
    assert device["closed"]["value"] is True


def test_a_hang_costs_its_limit(emulated: Run) -> None:
    """The device's own copy never ends; what the host does is measured."""
    ran = emulated(*SHORT, "--size", "1MiB", "--format", "json", "--timeout", "2", "--fault", "hang-in-submit")
    assert ran.code == 5
    assert ran.json["summary"]["outcome"] == "timeout"
    missing = _missing(_device(ran.json)["bandwidths"], "moved")
    assert set(missing) == {"gpu-copy/ordinary", "gpu-copy/vmo"}


def test_without_the_extension_nothing_is_measured(vkzircon: Run, lavapipe: str) -> None:
    """Exit 3, with what can be asked instead."""
    ran = vkzircon("bench", VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.err) == (3, "")
    assert "vkzircon bench --emulate" in ran.out
    document = vkzircon("bench", "--format", "json", VK_DRIVER_FILES=lavapipe).json
    assert document["summary"]["exit_code"] == 3
    assert document["savings"] == []


def test_nobody_to_ask_is_exit_4_in_every_format(vkzircon: Run) -> None:
    """JSON and HTML have the error inside, and it is said on stderr too."""
    document, page, text = (vkzircon("bench", "--format", f, **NO_VULKAN) for f in ("json", "html", "terminal"))
    assert document.code == page.code == text.code == 4
    assert document.json["error"]["cause"] == "no-loader"
    for where in (document.err, page.err, page.out, text.out):
        assert "No Vulkan loader" in where


def test_a_device_that_cannot_be_opened_says_why(emulated: Run) -> None:
    """It lists the extension, so that nothing shared is a failure."""
    for fault, said in (("refuse-device", "vkCreateDevice returned"), ("no-dependency", "needs Vulkan 1.1, or")):
        ran = emulated(*SHORT, "--fault", fault)
        assert ran.code == 1
        assert said in " ".join(ran.out.split())


def test_ctrl_c_gives_what_was_measured_so_far(lavapipe: str, layer: installation.Installation, tmp_path: Path) -> None:
    """Exit 130; rows that were finished have their numbers, and no process is left behind."""
    assert layer.manifest.is_file()
    trace = tmp_path / "bench.json"
    running = subprocess.Popen(
        [PROGRAM, "bench", "--emulate", "--seconds", "30", "--format", "json", "--output", str(trace)],
        env=environment({"VK_DRIVER_FILES": lavapipe}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # By then the first call was timed, and moving bytes, which comes next, has taken no six of its shares.
    while _processor_s(running.pid) < 1:
        time.sleep(0.05)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=10)
    assert running.returncode == 130
    assert time.monotonic() - began < 3
    assert b"Traceback" not in err
    document = json.loads(trace.read_text())
    assert document["error"]["cause"] == "interrupted"
    device = _device(document)
    assert any(row["timed"]["value"] for row in device["latencies"])
    assert device["hand_overs"] == []


def _processor_s(parent: int) -> float:
    """Return how long the children of *parent* have run."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ticks = (Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13] for child in children)
    return sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")


def test_output_and_quiet_are_as_everywhere(emulated: Run, tmp_path: Path) -> None:
    """A file takes the result and leaves stdout empty; --quiet leaves the exit code; no place to write is exit 6."""
    file = tmp_path / "bench.html"
    short = ("bench", "--seconds", "0.2", "--size", "64K")
    ran = emulated(*short, "--format", "html", "--output", str(file))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert file.read_text().startswith("<!doctype html>")
    quiet = emulated(*short, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert emulated(*short, "--output", str(tmp_path)).code == 6


def test_a_page_hides_what_tells_of_machines(emulated: Run) -> None:
    """As a report's does, and --no-redact leaves it in."""
    short = ("bench", "--seconds", "0.2", "--size", "64K", "--format", "html")
    assert "Hidden in this page" in emulated(*short).out
    assert "Nothing is hidden in this page" in emulated(*short, "--no-redact").out


_GROWTH = """
import resource, sys
from vkzircon_cli.__main__ import run
code = run(sys.argv[1:])
own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
sys.stderr.write(f"{max(own, child)}")
sys.exit(code)
"""


def test_memory_is_bounded(lavapipe: str, layer: installation.Installation) -> None:
    """However long it lasts, no process holds more than the buffers and what is kept of the rounds."""
    assert layer.manifest.is_file()

    def peak(seconds: str) -> int:
        arguments = ["bench", "--emulate", "--seconds", seconds, "--size", "1MiB", "--output", "/dev/null"]
        ran = subprocess.run(
            [sys.executable, "-c", _GROWTH, *arguments],
            env=environment({"VK_DRIVER_FILES": lavapipe}),
            capture_output=True,
            check=True,
        )
        return int(ran.stderr) * 1024

    short, long = peak("0.5"), peak("3")
    assert long < short + (64 << 20)
    assert long < 600 << 20
