# SPDX-License-Identifier: Apache-2.0
"""SIGINT, SIGTERM and SIGHUP: each ends the probe, leaves a whole document, and shows in the exit code.

No test sleeps until a signal is likely to hit the right moment: a driver sends it to the main process, or an import
hook does, or the test does while the program is blocked.
"""

import fcntl
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli.worker import interrupt

Broken = Callable[[str], str]

_SIGNALS = [pytest.param(number, id=number.name) for number in interrupt.SIGNALS]
_CAPTURE = Path(__file__).parents[1] / "golden" / "captures" / "lavapipe.json"
_DRIVER = 'kill(getppid(), atoi(getenv("TEST_SIGNAL"))); pause();'


def _sending(driver: str, number: int) -> dict[str, str]:
    return {"VK_DRIVER_FILES": driver, "TEST_SIGNAL": str(int(number))}


@pytest.fixture(name="driver", scope="module")
def _driver(broken_driver: Broken) -> str:
    """Build a driver that sends TEST_SIGNAL to the main process, and hangs."""
    return broken_driver(_DRIVER)


@pytest.mark.parametrize("number", _SIGNALS)
def test_a_signal_ends_the_probe_with_a_document(vkzircon: Run, driver: str, number: signal.Signals) -> None:
    """The document has what was learned; exit code, document and standard error name the signal."""
    ran = vkzircon("--format", "json", **_sending(driver, number))
    assert ran.code == ran.json["summary"]["exit_code"] == 128 + number
    assert ran.json["error"]["cause"] == "interrupted"
    assert ran.err == f"vkzircon: Interrupted by {number.name}: this report holds what was learned until then.\n"


@pytest.mark.parametrize("arguments", ["check", "devices", "matrix", "bench", "doctor"])
def test_every_command_that_asks_the_driver_ends_with_a_document(vkzircon: Run, driver: str, arguments: str) -> None:
    """No command loses its document to SIGTERM."""
    ran = vkzircon(arguments, "--format", "json", **_sending(driver, signal.SIGTERM))
    assert ran.code == ran.json["summary"]["exit_code"] == 143
    assert ran.json["error"]["cause"] == "interrupted"


def test_a_signal_before_the_agent_has_answered_leaves_a_document(vkzircon: Run) -> None:
    """Nothing is known of the device yet; the document says that, and who ended the run."""
    agent = "sh -c 'kill -TERM $PPID; exec sleep 60'"
    ran = vkzircon("check", "--format", "json", "--agent", agent, "--timeout", "30")
    assert ran.code == ran.json["summary"]["exit_code"] == 143
    assert (ran.json["error"]["cause"], ran.json["environment"]["system"]) == ("interrupted", "unknown")


def test_a_bundle_of_an_interrupted_probe_is_whole(vkzircon: Run, driver: str, tmp_path: Path) -> None:
    """The loader's log is not made, and the bundle says so."""
    ran = vkzircon("bundle", **_sending(driver, signal.SIGTERM))
    assert ran.code == 143
    assert [path.name for path in tmp_path.iterdir()] == ["vkzircon-bundle.zip"]
    assert json.loads(_bundled(tmp_path, "report.json"))["error"]["cause"] == "interrupted"
    assert b"VK_LOADER_DEBUG=all: interrupted\n" in _bundled(tmp_path, "CONTENTS.txt")


def _bundled(folder: Path, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO((folder / "vkzircon-bundle.zip").read_bytes())) as archive:
        return archive.read(f"vkzircon-bundle/{name}")


def test_a_trace_ends_with_the_signal(vkzircon: Run, driver: str, tmp_path: Path) -> None:
    """Every line is whole, the last one names the signal, and the file is renamed."""
    ran = vkzircon("--format", "trace", "--output", "trace", **_sending(driver, signal.SIGHUP))
    assert ran.code == 129
    assert [path.name for path in tmp_path.iterdir()] == ["trace"]
    events = [json.loads(line) for line in (tmp_path / "trace").read_bytes().splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("header", "error")
    assert (events[-1]["cause"], events[-1]["exit_code"]) == ("interrupted", 129)


def test_timeout_ends_it_with_a_document(broken_driver: Broken) -> None:
    """`timeout` sends SIGTERM twice, to the process and to its group: that counts as one signal."""
    env = environment({"VK_DRIVER_FILES": broken_driver("for (;;) pause();")})
    command = ["timeout", "--preserve-status", "1", str(PROGRAM), "--format", "json"]
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 143
    assert json.loads(done.stdout)["error"]["cause"] == "interrupted"


def test_a_signal_that_is_ignored_stays_ignored(broken_driver: Broken) -> None:
    """As under `nohup`: SIGHUP ends neither the run nor the worker, whose own crash is reported."""
    driver = broken_driver("kill(getppid(), SIGHUP); raise(SIGHUP); raise(SIGSEGV);")
    command = ["env", "--ignore-signal=HUP", str(PROGRAM), "--format", "json"]
    done = subprocess.run(command, env=environment({"VK_DRIVER_FILES": driver}), capture_output=True, check=False)
    assert done.returncode == 5
    assert "SIGSEGV" in json.loads(done.stdout)["error"]["message"]


def test_the_first_process_of_a_container_ends_too(driver: str) -> None:
    """The kernel delivers to process 1 only those signals that it handles."""
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process namespace can be made here")
    env = environment(_sending(driver, signal.SIGTERM))
    done = subprocess.run([*alone, PROGRAM, "--format", "json"], env=env, capture_output=True, check=False)
    assert done.returncode == 143
    assert json.loads(done.stdout)["error"]["cause"] == "interrupted"


def test_doctor_tells_what_it_found_before_a_signal(
    vkzircon: Run, broken_driver: Broken, lavapipe: str, tmp_path: Path
) -> None:
    """Its looks at libraries, after the probe, end as the probe does: the devices are told, the rest was not tried.

    The driver works with the loader. Alone it aborts at first, so that it is loaded again, after the probe.
    """
    driver = broken_driver(
        'extern void *dlopen(const char *, int); if (dlopen("libvulkan.so.1", 1 | 4)) return;'
        'if (!access("tried", F_OK)) { kill(getppid(), SIGTERM); pause(); } fclose(fopen("tried", "w")); abort();'
    )
    began = time.monotonic()
    ran = vkzircon("doctor", "--format", "json", "--timeout", "60", VK_DRIVER_FILES=f"{driver}:{lavapipe}")
    assert time.monotonic() - began < 20
    assert (tmp_path / "tried").exists()
    assert ran.code == ran.json["summary"]["exit_code"] == 143
    assert ran.json["error"]["cause"] == "interrupted"
    assert len(ran.json["devices"]) == 1
    assert "there was no time to try it" in ran.out


_WHEN_IMPORTED = """
import os, pathlib, signal, sys, time
module, statement = sys.argv[1:3]
del sys.argv[1:3]
sys.modules.pop(module, None)  # pathlib of Python 3.13 imports pwd
class Finder:
    def find_spec(self, name, *_):
        if name == module:
            sys.meta_path.remove(self)
            exec(statement)
sys.meta_path.insert(0, Finder())
from vkzircon_cli.__main__ import main
main()
"""
_ONCE = "os.kill(os.getpid(), signal.SIGTERM)"
_TWICE = f"{_ONCE}; time.sleep(0.6); {_ONCE}"


@pytest.fixture(name="while_importing")
def _while_importing(tmp_path: Path, lavapipe: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program, and a statement in it just before it imports a module."""

    def run(module: str, statement: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _WHEN_IMPORTED, module, statement, *arguments]
        env = environment({"VK_DRIVER_FILES": lavapipe})
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


Importing = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("arguments", [("report",), ("show", str(_CAPTURE))])
def test_a_signal_while_a_document_is_made_costs_nothing(
    while_importing: Importing, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """The whole page is there and does not mention the signal; only the exit code does."""
    # Redaction imports pwd, behind the probe.
    done = while_importing("pwd", _ONCE, *arguments, "--format", "html", "--output", "page.html")
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    page = (tmp_path / "page.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert "SIGTERM" not in page


def test_a_signal_while_a_bundle_is_made_costs_the_log_only(while_importing: Importing, tmp_path: Path) -> None:
    """The report in it is of the whole probe."""
    done = while_importing("jinja2", _ONCE, "bundle", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert json.loads(_bundled(tmp_path, "report.json"))["error"] is None
    assert _bundled(tmp_path, "report.html").rstrip().endswith(b"</html>")


@pytest.mark.parametrize("arguments", [("report", "--format", "html", "--output", "page.html"), ("bundle",)])
def test_a_report_in_memory_is_written_after_a_second_signal_too(
    while_importing: Importing, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """The second signal comes after the first one's grace, while the page is made: the page is whole."""
    done = while_importing("pwd", _TWICE, *arguments)  # redaction imports it, behind the probe
    assert (done.returncode, done.stderr) == (143, "")
    page = (tmp_path / "page.html").read_bytes() if "--output" in arguments else _bundled(tmp_path, "report.html")
    assert page.rstrip().endswith(b"</html>")
    assert len(list(tmp_path.iterdir())) == 1


def test_without_a_result_a_second_signal_ends_at_once(while_importing: Importing) -> None:
    """`explain` has nothing to lose."""
    done = while_importing("vkzircon_cli.explain", _TWICE, "explain")
    said = "vkzircon: Interrupted by SIGTERM before a whole result was written.\n"
    assert (done.returncode, done.stdout, done.stderr) == (143, "", said)


@pytest.mark.parametrize("module", ["vkzircon_cli.cli.command_table", "vkzircon_cli.worker.worker"])
def test_a_signal_is_noted_before_any_more_is_imported(while_importing: Importing, module: str) -> None:
    """Only a signal during Python's own start costs the document."""
    done = while_importing(module, _ONCE, "check", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["error"]["cause"]) == (143, "interrupted")


def test_a_signal_before_another_program_starts_keeps_it_from_starting(while_importing: Importing) -> None:
    """`emulate` becomes that program, to which the signal would be lost."""
    done = while_importing("vkzircon_cli.emulation.launch", _ONCE, "emulate", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (143, "")


def _small_pipe() -> tuple[int, int]:
    """Return the ends of a pipe that is smaller than any document."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    return read, write


def test_a_document_that_is_being_written_is_written_whole(lavapipe: str) -> None:
    """The signal comes while the reader has one byte: the others follow, and mention no interruption."""
    read, write = _small_pipe()
    command = [str(PROGRAM), "devices", "--format", "json"]
    with subprocess.Popen(command, env=environment({"VK_DRIVER_FILES": lavapipe}), stdout=write) as running:
        os.close(write)
        with os.fdopen(read, "rb", buffering=0) as out:
            text = out.read(1)
            running.send_signal(signal.SIGINT)
            text += out.read()
    assert running.returncode == 130
    document = json.loads(text)
    assert (document["summary"]["exit_code"], document["error"]) == (3, None)


def _end_of(running: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Return what it wrote until it ended, which it does within 20 s."""
    try:
        return running.communicate(timeout=20)
    finally:
        running.kill()


@pytest.mark.parametrize(
    ("limit", "grace", "signals", "is_blocking"), [(0.7, 60, 1, True), (60, 0, 2, True), (0.7, 60, 1, False)]
)
def test_a_reader_that_never_reads_blocks_no_end(
    lavapipe: str, limit: float, grace: float, signals: int, is_blocking: bool
) -> None:
    """A second signal ends the run, or the limit of ten seconds, here less: it says that its result is not whole."""
    read, write = _small_pipe()
    os.set_blocking(write, is_blocking)
    imports = "from vkzircon_cli import __main__; from vkzircon_cli.worker import interrupt"
    program = f"{imports}; interrupt._LIMIT_S, interrupt._GRACE_S = {limit}, {grace}; __main__.main()"
    command = [sys.executable, "-c", program, "devices", "--format", "json"]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    with subprocess.Popen(command, env=env, stdout=write, stderr=subprocess.PIPE) as running:
        os.close(write)
        os.read(read, 1)
        for number in (signal.SIGINT, signal.SIGTERM)[:signals]:  # Python handles them in this order
            running.send_signal(number)
        _, err = _end_of(running)
    os.close(read)
    assert running.returncode == 130
    assert err == b"vkzircon: Interrupted by SIGINT before a whole result was written.\n"


def test_a_terminal_that_is_closed_costs_no_document(broken_driver: Broken, tmp_path: Path) -> None:
    """The window is closed while the progress is shown: SIGHUP arrives, and writing to the terminal fails."""
    controller, terminal = pty.openpty()
    env = environment({"VK_DRIVER_FILES": broken_driver("pause();")})
    command = [str(PROGRAM), "--format", "json", "--output", "report.json"]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=terminal) as running:
        os.close(terminal)
        assert b"instance" in os.read(controller, 1 << 16)
        os.close(controller)
        running.send_signal(signal.SIGHUP)
        _end_of(running)
    assert running.returncode == 129
    assert json.loads((tmp_path / "report.json").read_text())["error"]["cause"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_that_no_program_writes_to_can_be_left(tmp_path: Path, number: signal.Signals) -> None:
    """`show` waits for a named pipe as `cat` does, since a shell's pipes are files too; a signal ends the wait."""
    fifo = tmp_path / "report.json"
    os.mkfifo(fifo)
    with subprocess.Popen([PROGRAM, "show", fifo], env=environment({}), stderr=subprocess.PIPE) as running:
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.5)
        running.send_signal(number)
        _, err = _end_of(running)
    assert (running.returncode, err) == (
        128 + number,
        f"vkzircon: Interrupted by {number.name} before a whole result was written.\n".encode(),
    )


def test_a_file_that_is_being_read_can_be_left(tmp_path: Path) -> None:
    """`show` of a pipe whose writer is silent ends with the first signal."""
    fifo = tmp_path / "report.json"
    os.mkfifo(fifo)
    with subprocess.Popen([PROGRAM, "show", fifo], env=environment({}), stderr=subprocess.PIPE) as running:
        held = os.open(fifo, os.O_WRONLY)  # waits until the program has opened it
        running.send_signal(signal.SIGHUP)
        _, err = _end_of(running)
        os.close(held)
    assert running.returncode == 129
    assert err.endswith(b"vkzircon: Interrupted by SIGHUP before a whole result was written.\n")


def test_what_python_makes_of_a_signal_in_a_class_is_an_interruption() -> None:
    """Before 3.12 it is a RuntimeError; other errors stay what they are."""

    def fail(cause: BaseException) -> None:
        raise RuntimeError("Error calling __set_name__") from cause

    with pytest.raises(interrupt.Interrupted):
        interrupt.endable(lambda: fail(KeyboardInterrupt()))
    with pytest.raises(RuntimeError):
        interrupt.endable(lambda: fail(ValueError()))
