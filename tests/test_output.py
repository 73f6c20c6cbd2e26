# SPDX-License-Identifier: Apache-2.0
"""--output writes the complete result, or keeps the old file: in every format, also if writing fails."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli import output
from vkzircon_cli.errors import NotWritten
from vkzircon_cli.output import line_writer, must_be_writable, reserve, write_file

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
    """If only 256 bytes can be written, the exit code is 6, and the old file is unchanged; a trace's events stay."""
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
    left = [path for path in tmp_path.iterdir() if path != old]
    if format == "json":
        assert left == []
    else:
        (part,) = left
        assert f"What was written is in {part}." in done.stderr
        assert part.read_text().startswith('{"event":"header"')
        assert part.stat().st_size == 256


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


@pytest.fixture(name="put", params=BOTH_WAYS)
def _put(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Write the line "new" to a path, as a document and as a trace."""

    def put(path: Path) -> None:
        if request.param == "json":
            write_file(b"new\n", path)
        else:
            with line_writer(path) as write_line:
                write_line(b"new\n")

    return put


Put = Callable[[Path], None]


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_the_name_of_a_descriptor_is_that_descriptor(put: Put, tmp_path: Path, name: str) -> None:
    """What another program wrote to its file stays, and the file is the same one."""
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as file:
        file.write(b"old\n")
        (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
        put(tmp_path / name.format(file.fileno()))
        file.write(b"last\n")
        assert os.fstat(file.fileno()).st_ino == log.stat().st_ino
    assert log.read_text() == "old\nnew\nlast\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "log"]


@pytest.mark.parametrize("format", BOTH_WAYS)
def test_dev_stdout_is_standard_output(tmp_path: Path, format: str) -> None:
    """A file behind it is not replaced, and a reader that leaves is no error."""
    arguments = (str(PROGRAM), "--format", format, "--output", "/dev/stdout")
    log = tmp_path / "log"
    with log.open("ab") as file:
        done = subprocess.run(arguments, env=environment(NO_VULKAN), stdout=file, check=False)
        assert (done.returncode, os.fstat(file.fileno()).st_size) == (4, log.stat().st_size)
    assert log.stat().st_size > 200
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(arguments, env=environment(NO_VULKAN), stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
def test_a_file_that_is_replaced_keeps_its_mode_and_owner(put: Put, tmp_path: Path, mode: int) -> None:
    """A private file stays private, and the file of a user stays the user's, also if root writes it."""
    old = tmp_path / "old"
    old.write_text("old")
    old.chmod(mode)
    if os.geteuid() == 0:
        os.chown(old, 1234, 2345)
    before = old.stat()
    put(old)
    after = old.stat()
    assert old.read_text() == "new\n"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A bundle is private even where a public file had its name."""
    old = tmp_path / "old"
    old.write_text("old")
    old.chmod(0o644)
    for path in (old, tmp_path / "new"):
        write_file(b"new", path, private=True)
        assert path.stat().st_mode & 0o777 == 0o600


_WRITE = """
import sys
from pathlib import Path
from vkzircon_cli.output import line_writer, must_be_writable, write_file
for path in map(Path, sys.argv[1:]):
    must_be_writable(path)
    write_file(b"new", path)
    with line_writer(path) as write_line:
        write_line(b"newer")
"""


def test_a_writable_file_in_an_unwritable_folder_is_written_in_place(tmp_path: Path) -> None:
    """It cannot be replaced: a message says so, and the file has the result."""
    ours = tmp_path / "ours"
    ours.write_text("an old result that is longer")
    tmp_path.chmod(0o555)
    bound = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []  # permissions do not bind root
    done = subprocess.run([*bound, sys.executable, "-c", _WRITE, ours], capture_output=True, text=True, check=True)
    tmp_path.chmod(0o755)
    assert ours.read_text() == "newer"
    told = f"vkzircon: {ours} cannot be replaced (Permission denied), so it is written in place.\n"
    assert done.stderr == told * 2


_MOUNT = 'mount --bind "$1" "$1" && exec "$2" -c "$3" "$1"'


def test_a_mounted_file_is_written_in_place(tmp_path: Path) -> None:
    """A container often mounts a single file for the result: it cannot be renamed over."""
    mounted = tmp_path / "mounted"
    mounted.write_text("an old result that is longer")
    command = ["unshare", "-rm", "sh", "-c", _MOUNT, "sh", str(mounted), sys.executable, _WRITE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no mount namespace can be made here")
    told = f"vkzircon: {mounted} cannot be replaced (Device or resource busy), so it is written in place.\n"
    assert (done.returncode, done.stderr) == (0, told * 2)
    assert mounted.read_text() == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["mounted"]


def test_the_place_is_tried_before_the_work(vkzircon: Run, lavapipe: str) -> None:
    """A bench that would take minutes ends at once if its result cannot be written."""
    for command in (("bench", "--seconds", "60"), ("doctor",), ("bundle",)):
        ran = vkzircon(*command, "--output", "gone/result", VK_DRIVER_FILES=lavapipe)
        assert (ran.code, ran.out, ran.err.count("\n")) == (6, "", 1)


def test_trying_a_place_changes_nothing(tmp_path: Path) -> None:
    """No file is left or emptied, no named pipe is opened, and what is not writable is told."""
    old, pipe = tmp_path / "old", tmp_path / "pipe"
    old.write_text("old")
    os.mkfifo(pipe)
    for place in (None, old, pipe, tmp_path / "new", Path("/dev/null"), Path("/dev/stderr")):
        must_be_writable(place)
    for place in (tmp_path, tmp_path / "gone" / "x", Path("/dev/fd/999")):
        with pytest.raises(NotWritten, match="could not be written to"):
            must_be_writable(place)
    assert old.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "pipe"]


def test_a_named_pipe_is_not_waited_for_without_end(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that opens it a little later gets the result; without one, writing fails after some time."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"sleep 0.2; cat {pipe}"], stdout=subprocess.PIPE) as reader:
        put(pipe)
        assert reader.communicate()[0] == b"new\n"
    monkeypatch.setattr(output, "_PATIENCE_S", 0.1)
    with pytest.raises(NotWritten, match=f"to {pipe}: no program opened this pipe within 0.1 s"):
        put(pipe)


def test_a_pipe_that_does_not_block_gets_all(tmp_path: Path) -> None:
    """Another program may have made it non-blocking: what does not fit waits for the reader."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    got: list[bytes] = []

    def take() -> None:
        time.sleep(0.2)
        with open(read, "rb") as end:  # noqa: PTH123 - a descriptor
            got.append(end.read())

    reader = threading.Thread(target=take)
    reader.start()
    write_file(b"x" * 1_000_000, Path(f"/dev/fd/{write}"))
    os.close(write)
    reader.join()
    assert (len(got[0]), list(tmp_path.iterdir())) == (1_000_000, [])


def test_two_writers_never_get_one_free_name(tmp_path: Path) -> None:
    """A name is reserved by creating its file, so that the second writer takes the next name."""
    (tmp_path / "x-2.zip").symlink_to("gone")
    assert [reserve(tmp_path / "x.zip").name for _ in range(3)] == ["x.zip", "x-3.zip", "x-4.zip"]


def test_documents_are_utf_8_in_every_locale(vkzircon: Run) -> None:
    """A document is always UTF-8; only text for the terminal uses the encoding of the terminal."""
    gone = {"VKZIRCON_LIBVULKAN": "/größe.so", "PYTHONIOENCODING": "ascii"}
    for name in ("html", "markdown", "junit"):
        assert "größe" in vkzircon("--format", name, **gone).out
    assert "größe" not in vkzircon(**gone).out
