# SPDX-License-Identifier: Apache-2.0
"""--output writes the complete result, or keeps the old file: in every format, also if writing fails."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
FORMATS = ("terminal", "json", "markdown", "html", "junit", "trace")
# A trace is written line by line; one function writes every other format at once.
BOTH_WAYS = ("json", "trace")


def _in_shell(script: str, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a shell, after a script that prepares the folder."""
    return subprocess.run(
        ["bash", "-c", f'{script}; exec "$0" "$@"', PROGRAM, *arguments],
        cwd=cwd,
        env=environment(NO_VULKAN),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_goes_to_a_file(vkzircon: Run, tmp_path: Path, format: str) -> None:
    """Standard output stays empty, the file has the result, and no other file is left beside it."""
    direct = vkzircon("--format", format, **NO_VULKAN)
    ran = vkzircon("--format", format, "--output", "result", **NO_VULKAN)
    assert (ran.code, ran.out) == (4, "")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
    if format == "terminal":
        assert (tmp_path / "result").read_text() == direct.out
    assert (tmp_path / "result").stat().st_size > 200


@pytest.mark.parametrize("format", BOTH_WAYS)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, format: str) -> None:
    """If only 256 bytes can be written, the exit code is 6, with a message, and the old file is unchanged."""
    old = tmp_path / "result"
    old.write_text("old")
    # A limit on the size of files makes the same call fail as a full disk does.
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))"
    limited = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        ["python3", "-c", limited, PROGRAM, "--format", format, "--output", str(old)],
        env=environment(NO_VULKAN),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (6, "")
    assert "could not be written" in done.stderr
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize("format", BOTH_WAYS)
def test_where_no_file_can_be_made_it_is_exit_6(vkzircon: Run, tmp_path: Path, format: str) -> None:
    """An unwritable folder, a folder as FILE, and a missing folder are each exit code 6 with one line."""
    (tmp_path / "folder").mkdir()
    for place in ("/sys/vkzircon-result", "folder", "gone/result"):
        ran = vkzircon("--format", format, "--output", place, **NO_VULKAN)
        assert (ran.code, ran.out) == (6, ""), place
        assert place in ran.err
        assert ran.err.count("\n") == 1
    assert not Path("/sys/vkzircon-result").exists()


@pytest.mark.parametrize("format", BOTH_WAYS)
def test_a_folder_that_vanished_is_exit_6(tmp_path: Path, format: str) -> None:
    """A working directory that was removed before the start is exit code 6."""
    done = _in_shell('mkdir here && cd here && rmdir "$PWD"', tmp_path, "--format", format, "--output", "result")
    assert (done.returncode, done.stdout) == (6, "")
    assert "could not be written to result" in done.stderr


@pytest.mark.parametrize("format", BOTH_WAYS)
def test_a_link_stays_a_link(vkzircon: Run, tmp_path: Path, format: str) -> None:
    """The target of the link is replaced; /dev/stdout is such a link."""
    (tmp_path / "store").mkdir()
    target, link = tmp_path / "store" / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    assert vkzircon("--format", format, "--output", "link", **NO_VULKAN).code == 4
    assert link.is_symlink()
    assert json.loads(target.read_text().splitlines()[0] if format == "trace" else target.read_text())
    assert "{" in vkzircon("--format", format, "--output", "/dev/stdout", **NO_VULKAN).out
    assert Path("/dev/stdout").is_symlink()


def test_a_trace_is_there_when_the_program_is_killed(tmp_path: Path, lavapipe: str) -> None:
    """The temporary file beside FILE has the events so far, and `show` reads it; the old FILE is unchanged."""
    old = tmp_path / "trace"
    old.write_text("old")
    arguments = [str(PROGRAM), "--emulate", "--fault", "hang-in-export", "--format", "trace", "--output", "trace"]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    with subprocess.Popen(arguments, cwd=tmp_path, env=env, start_new_session=True) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until and not any(b"export" in each.read_bytes() for each in tmp_path.glob("*.part")):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    (part,) = tmp_path.glob("trace.*.part")
    assert old.read_text() == "old"
    shown = subprocess.run(
        [PROGRAM, "show", part, "--format", "json"], env=environment(NO_VULKAN), capture_output=True, check=False
    )
    assert json.loads(shown.stdout)["error"]["cause"] == "cut-off"


def test_traces_that_are_written_at_once_are_each_whole(tmp_path: Path) -> None:
    """Each trace has a temporary file of its own, never through a link; FILE is one complete trace."""
    victim = tmp_path / "victim"
    victim.write_text("old")
    (tmp_path / "trace.part").symlink_to(victim)
    command = [str(PROGRAM), "--format", "trace", "--output", "trace"]
    begun = [subprocess.Popen(command, cwd=tmp_path, env=environment(NO_VULKAN)) for _ in range(4)]
    assert [process.wait(60) for process in begun] == [4] * 4
    events = [json.loads(line)["event"] for line in (tmp_path / "trace").read_text().splitlines()]
    assert (events[0], events[-1], events.count("header"), events.count("done")) == ("header", "done", 1, 1)
    assert victim.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trace", "trace.part", "victim"]


def test_documents_are_utf_8_in_every_locale(vkzircon: Run) -> None:
    """A document is always UTF-8; only text for the terminal uses the encoding of the terminal."""
    gone = {"VKZIRCON_LIBVULKAN": "/größe.so", "PYTHONIOENCODING": "ascii"}
    for name in ("html", "markdown", "junit"):
        assert "größe" in vkzircon("--format", name, **gone).out
    assert "größe" not in vkzircon(**gone).out
