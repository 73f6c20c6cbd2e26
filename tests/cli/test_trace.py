# SPDX-License-Identifier: Apache-2.0
"""A trace is written line by line, and `show` reads it whole or cut anywhere, without Vulkan."""

import json
import random
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.errors import Usage
from vkzircon_cli.saved.load import read

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}


@pytest.fixture(name="trace")
def _trace(once: Run) -> bytes:
    """A real trace of the main job."""
    ran = once("--format", "trace")
    assert (ran.code, ran.err) == (0, "")
    return ran.out.encode()


def test_a_trace_is_one_event_a_line(trace: bytes) -> None:
    """Header first, done last, every begin with its end."""
    events = [json.loads(line) for line in trace.splitlines()]
    assert events[0]["event"] == "header"
    assert events[-1]["event"] == "done"
    begun = [event["step"] for event in events if event["event"] == "begin"]
    assert begun == [event["step"] for event in events if event["event"] == "end"]
    assert len(begun) == len(set(begun)) > 10


def test_a_step_declares_the_bytes_that_it_moves(trace: bytes) -> None:
    """Round trips move many times --size, by which their time limit grows; other steps declare none."""
    begun = [event for event in map(json.loads, trace.splitlines()) if event["event"] == "begin"]
    assert {(".data." in e["step"].replace("/", "."), e["moves"]) for e in begun} == {(True, 10 * 65536), (False, 0)}


def test_a_whole_trace_shows_as_the_report_it_is_of(trace: bytes, once: Run, vkzircon: Run, tmp_path: Path) -> None:
    """`show` of a trace and the direct report differ only where two runs differ."""
    file = tmp_path / "whole.trace"
    file.write_bytes(trace)
    shown = vkzircon("show", str(file), "--format", "json", **NO_VULKAN)
    direct = once("--format", "json")
    assert shown.code == direct.code == 0
    assert list(shown.json) == list(direct.json)
    assert shown.json["summary"] == direct.json["summary"]
    assert shown.json["checks"] == direct.json["checks"]


def test_a_saved_report_shows_as_it_was(once: Run, vkzircon: Run, tmp_path: Path) -> None:
    """Rendering a saved report gives the same bytes as rendering it when it was made."""
    file = tmp_path / "report.json"
    file.write_text(once("--format", "json").out)
    assert vkzircon("show", str(file), "--format", "json", **NO_VULKAN).out == file.read_text()
    assert "EMULATED RUN" in vkzircon("show", str(file), **NO_VULKAN).out


def test_a_trace_cut_at_any_line_names_the_step(trace: bytes, tmp_path: Path) -> None:
    """After any last line, the answers before it are there, and the step that was asked is named."""
    file = tmp_path / "cut.trace"
    lines = trace.splitlines(keepends=True)
    for count in range(1, len(lines)):
        file.write_bytes(b"".join(lines[:count]))
        report = read(file)
        last = json.loads(lines[count - 1])
        assert report.error is not None
        assert report.error.cause == "cut-off"
        assert (last["event"] == "begin") == (f"stops in step {last.get('step')}:" in report.error.message)
        assert report.summary.exit_code == 5


def test_a_trace_cut_at_any_byte_is_read_to_there(trace: bytes, tmp_path: Path) -> None:
    """A line that is cut in the middle is left out; only a cut header leaves nothing to read."""
    file = tmp_path / "cut.trace"
    header = trace.index(b"\n")
    dice = random.Random(20)
    for size in [0, 1, header - 1, *(dice.randrange(header, len(trace) - 1) for _ in range(200))]:
        file.write_bytes(trace[:size])
        if size < header:
            with pytest.raises(Usage):
                read(file)
        else:
            report = read(file)
            assert report.error is not None
            # Between two lines the process may have died; in the middle of one it was the file that was cut.
            is_whole_line = trace[size - 1 : size] == b"\n" or trace[size : size + 1] == b"\n"
            assert ("ends in the middle of a line" in report.error.message) is not is_whole_line


def test_no_saved_error_is_a_pass(vkzircon: Run, tmp_path: Path) -> None:
    """A trace or a report whose error has exit code 0, or another than the report ends with, is refused."""
    file = tmp_path / "saved"
    for form, written in (("trace", '"exit_code":4'), ("json", '"exit_code": 4')):
        saved = vkzircon("--format", form, **NO_VULKAN).out
        for count in range(1, saved.count(written) + 1):
            file.write_text(saved.replace(written, written.replace("4", "0"), count))
            with pytest.raises(Usage):
                read(file)
        file.write_text(saved)
        assert read(file).summary.exit_code == 4


def test_a_file_that_cannot_be_read_is_exit_2(vkzircon: Run, tmp_path: Path) -> None:
    """A missing file and a folder are named."""
    for path in (tmp_path / "gone", tmp_path):
        ran = vkzircon("show", str(path), **NO_VULKAN)
        assert ran.code == 2
        assert str(path) in ran.err


def test_a_trace_can_go_to_a_file(vkzircon: Run, tmp_path: Path) -> None:
    """--output writes the lines as they come; standard output stays empty, and a folder is refused."""
    file = tmp_path / "trace"
    ran = vkzircon("--format", "trace", "--output", str(file), **NO_VULKAN)
    assert (ran.code, ran.out) == (4, "")
    assert json.loads(file.read_text().splitlines()[-1])["event"] == "done"
    assert vkzircon("--format", "trace", "--output", str(tmp_path), **NO_VULKAN).code == 6
