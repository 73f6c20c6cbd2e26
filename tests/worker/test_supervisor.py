# SPDX-License-Identifier: Apache-2.0
"""Drivers that crash, hang or print cost the steps that they did not answer, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli.model.request import Request
from vkzircon_cli.stream.events import Asker, Event
from vkzircon_cli.worker import in_process, supervisor
from vkzircon_cli.worker.interrupt import SIGNALS
from vkzircon_cli.worker.protocol import Answered, OnCall, time_limit

Broken = Callable[[str], str]


def _mark(test: str) -> str:
    """Return a mark that tells this run's processes from those of a parallel run."""
    return f"{test}-{os.getpid()}"


def _processes(marker: str) -> list[int]:
    """Return the running processes whose environment has *marker*."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _wait_until_gone(marker: str) -> None:
    deadline = time.monotonic() + 5
    while _processes(marker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _processes(marker) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("raise(SIGSEGV);", "crashed in vkEnumerateInstanceExtensionProperties (SIGSEGV)"),
        ("abort();", "crashed in vkEnumerateInstanceExtensionProperties (SIGABRT)"),
        ("_exit(0);", "crashed in vkEnumerateInstanceExtensionProperties (the process ended with exit status 0)"),
        ("_exit(70);", "crashed in vkEnumerateInstanceExtensionProperties (the process ended with exit status 70)"),
    ],
)
def test_a_driver_that_dies_is_exit_5(vkzircon: Run, broken_driver: Broken, statement: str, said: str) -> None:
    """A crash is reported with call and signal, and the document is whole."""
    ran = vkzircon("--format", "json", VK_DRIVER_FILES=broken_driver(statement))
    assert ran.code == ran.json["summary"]["exit_code"] == 5
    assert ran.json["error"]["cause"] == "driver-crashed"
    assert said in ran.json["error"]["message"]
    assert ran.json["loader"]["value"]["library"] == "libvulkan.so.1"


def _to_all_descriptors(text: str, *, without_end: bool = False) -> str:
    """Return the C statement that writes *text* to every open descriptor, for ever if *without_end*."""
    writes = f"for (int fd = 3; fd < 1024; fd++) if (write(fd, {json.dumps(text)}, {len(text)}) < 0) continue;"
    return f"for (;;) {{ {writes} usleep(1000); }}" if without_end else writes


def _error(code: int) -> Event:
    return {"event": "error", "cause": "x", "message": "x", "hint": "", "exit_code": code}


# A worker's own pipe would take the last four at that moment; `test_hostile_library` has other forms.
_FORGED = {
    "an error that would be a pass": _error(0),
    "a usage error": _error(2),
    "no driver": _error(4),
    "a signal": _error(130),
    "an answer": {
        "event": "end",
        "step": "instance",
        "answer": {"value": None, "missing": {"kind": "refused", "call": "x", "result": "x", "reason": "x"}},
    },
}


@pytest.mark.parametrize("name", _FORGED)
def test_what_a_driver_writes_to_our_pipe_is_refused_and_told(
    vkzircon: Run, lavapipe: str, broken_driver: Broken, name: str
) -> None:
    """The verdict is that of the good driver beside it, every step is there, and a message counts the refused line."""
    bad = broken_driver(_to_all_descriptors(f"\n{json.dumps(_FORGED[name])}\n"))
    ran = vkzircon("--format", "json", VK_DRIVER_FILES=f"{bad}:{lavapipe}")
    assert (ran.code, ran.json["error"], ran.err) == (3, None, "")
    told = [message["text"] for message in ran.json["run"]["messages"] if "own pipe" in message["text"]]
    assert told == ["The driver or a layer wrote to vkzircon's own pipe. Refused: 1 line."]
    assert ran.json["run"]["steps"][-1]["step"] == "instance.destroy"


@pytest.mark.parametrize("text", ['\n{"event": "tick"}\n', "A"])
def test_what_a_driver_writes_without_end_gains_it_no_time(vkzircon: Run, broken_driver: Broken, text: str) -> None:
    """Lines that are refused, and a line that never ends, do not move the deadline of a step."""
    began = time.monotonic()
    flood = broken_driver(_to_all_descriptors(text, without_end=True))
    ran = vkzircon("--format", "json", "--timeout", "1", VK_DRIVER_FILES=flood)
    assert (ran.code, ran.json["error"]["cause"]) == (5, "driver-hung")
    assert time.monotonic() - began < 6


def test_a_driver_that_hangs_ends_at_the_limit(vkzircon: Run, broken_driver: Broken) -> None:
    """A hang costs the timeout and no more, and no process is left."""
    env = {"VK_DRIVER_FILES": broken_driver("for (;;) pause();"), "VKZIRCON_TEST": _mark("hang-limit")}
    ran = vkzircon("--format", "json", "--timeout", "1", **env)
    assert ran.code == 5
    (hung,) = (step for step in ran.json["run"]["steps"] if step["step"] == "instance")
    assert 1000 <= hung["duration_ms"] < 10_000
    assert ran.json["error"]["cause"] == "driver-hung"
    assert ran.json["summary"]["outcome"] == "timeout"
    assert "no answer within 1 s" in ran.json["error"]["message"]
    assert _processes(f"VKZIRCON_TEST={_mark('hang-limit')}") == []


def test_a_limit_grows_with_the_bytes_that_a_step_moves() -> None:
    """A step of 64 KiB has the usual limit and one of 3 GiB four times as long, in a worker and in a thread."""
    request = Request(timeout_s=0.5)
    for run in (supervisor.events, in_process.events):
        for moves, kinds in ((0, ["timed-out"]), (3 << 30, [None])):
            events = run(partial(partial, _slow, moves), request)
            ends = [event["answer"]["missing"] for event in events if event["event"] == "end"]
            assert [missing and missing["kind"] for missing in ends] == kinds
    assert [time_limit(15, size) for size in (0, 65_536, (1 << 30) - 1, 10 << 30)] == [15, 15, 15, 165]


def _answer_late() -> int:
    time.sleep(1)
    return 0


def _slow(moves: int, _request: Request, _on_call: OnCall, answered: Answered) -> Iterator[Event]:
    """Ask one question that takes a second."""
    yield from Asker(answered)("devices", "device_count", _answer_late, moves=moves)
    yield {"event": "done"}


def test_what_a_driver_prints_never_mixes_with_the_result(vkzircon: Run, broken_driver: Broken, lavapipe: str) -> None:
    """A driver's output is in the report, bounded, and standard output is JSON alone."""
    noisy = broken_driver('for (int i = 0; i < 20000; i++) puts("testing use only"); fflush(stdout);')
    ran = vkzircon("--format", "json", VK_DRIVER_FILES=f"{noisy}:{lavapipe}")
    assert (ran.code, ran.err) == (3, "")
    output = ran.json["run"]["output"]
    assert output["text"].startswith("testing use only\n")
    assert len(output["text"]) + output["dropped"] >= 20000 * 17
    assert len(output["text"]) <= 64 * 1024


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_hung_driver_ends_at_once(broken_driver: Broken, number: int) -> None:
    """The run leaves the report of what was learned, its exit code, and no worker."""
    env = {"VK_DRIVER_FILES": broken_driver("for (;;) pause();"), "VKZIRCON_TEST": _mark("ctrl-c")}
    running = subprocess.Popen(
        [PROGRAM, "--format", "json"], env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _wait_for_worker(f"VKZIRCON_TEST={_mark('ctrl-c')}")
    began = time.monotonic()
    running.send_signal(number)
    out, err = running.communicate(timeout=10)
    assert running.returncode == 128 + number
    assert time.monotonic() - began < 2
    assert b'"interrupted"' in out
    assert b"Traceback" not in out + err
    _wait_until_gone(f"VKZIRCON_TEST={_mark('ctrl-c')}")


def test_an_ignored_sigchld_changes_no_verdict(lavapipe: str) -> None:
    """Some programs ignore SIGCHLD, and their children inherit that: exit statuses are read all the same."""
    env = environment({"VK_DRIVER_FILES": lavapipe})
    command = ["env", "--ignore-signal=CHLD", str(PROGRAM), "devices", "--format", "json"]
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (3, b"")


@pytest.mark.usefixtures("layer")
def test_a_library_that_ignores_sigchld_changes_no_verdict(broken_driver: Broken, lavapipe: str) -> None:
    """The worker's own second process then has no exit status to read."""
    env = environment({"VK_DRIVER_FILES": f"{broken_driver('signal(SIGCHLD, SIG_IGN);')}:{lavapipe}"})
    command = [str(PROGRAM), "check", "--emulate", "--format", "json"]
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["devices", "doctor"])
def test_what_a_library_leaves_behind_ends_with_the_run(broken_driver: Broken, lavapipe: str, command: str) -> None:
    """Also a daemon, in a session of its own and with another program in it, whose parent has ended."""
    mark = _mark(f"daemon-{command}")
    daemon = 'if (fork() == 0) { setsid(); if (fork() == 0) execl("/bin/sleep", "sleep", "60", (char *)0); _exit(0); }'
    drivers = f"{broken_driver(daemon)}:{lavapipe}"
    env = environment({"VK_DRIVER_FILES": drivers, "VKZIRCON_TEST": mark})
    subprocess.run([PROGRAM, command], env=env, check=False)
    assert not _processes(f"VKZIRCON_TEST={mark}")


def test_processes_of_the_program_before_are_left_alone(lavapipe: str) -> None:
    """A shell that becomes vkzircon passes its children on, such as one that reads its output."""
    script = f"sleep 60 & exec {PROGRAM} devices"
    mark = _mark("before")
    env = environment({"VK_DRIVER_FILES": lavapipe, "VKZIRCON_TEST": mark})
    subprocess.run(["sh", "-c", script], env=env, stdout=subprocess.DEVNULL, check=False)
    (left,) = _processes(f"VKZIRCON_TEST={mark}")
    os.kill(left, signal.SIGKILL)


_INTERRUPTED_IMPORT = """
import sys
class Finder:
    def find_spec(self, name, *_):
        if name == "vkzircon_cli.cli.run":
            raise WHAT
sys.meta_path.insert(0, Finder())
from vkzircon_cli.__main__ import main
main()
"""


@pytest.mark.parametrize("what", ["KeyboardInterrupt", "RuntimeError('in __set_name__') from KeyboardInterrupt()"])
def test_ctrl_c_while_a_command_is_loaded_is_no_fault_of_ours(lavapipe: str, what: str) -> None:
    """Typer turns it into an exception of its own, which is no fault of vkzircon: exit code 130, and no output."""
    env = environment({"VK_DRIVER_FILES": lavapipe})
    program = _INTERRUPTED_IMPORT.replace("WHAT", what)
    done = subprocess.run([sys.executable, "-c", program, "check"], env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_right_after_the_fork_ends_at_once_too(broken_driver: Broken) -> None:
    """At no moment does SIGINT leave a worker with a driver that hangs, or a run without a report."""
    mark = _mark("after-the-fork")
    env = environment({"VK_DRIVER_FILES": broken_driver("for (;;) pause();"), "VKZIRCON_TEST": mark})
    for number in range(20):
        running = subprocess.Popen(
            [PROGRAM, "--format", "json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        while running.poll() is None and not children.read_text():
            pass
        time.sleep(number * 0.01)  # the worker is forked before the command line is parsed
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=10)
        assert (running.returncode, b"Traceback" in err) == (130, False)
        assert json.loads(out)["error"]["cause"] == "interrupted"
        _wait_until_gone(f"VKZIRCON_TEST={mark}")


@pytest.mark.parametrize("gap_s", [0.0, 0.001, 0.02])
def test_ctrl_c_that_comes_twice_at_once_is_one(broken_driver: Broken, gap_s: float) -> None:
    """As `timeout` sends it, to the process and to its group: the report is whole."""
    mark = _mark("twice")
    env = environment({"VK_DRIVER_FILES": broken_driver("for (;;) pause();"), "VKZIRCON_TEST": mark})
    for when_s in (0.05, 0.3):
        running = subprocess.Popen([PROGRAM, "--format", "json"], env=env, stdout=subprocess.PIPE)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        while running.poll() is None and not children.read_text():
            pass
        time.sleep(when_s)
        running.send_signal(signal.SIGINT)
        time.sleep(gap_s)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=10)
        assert running.returncode == 130
        assert json.loads(out)["error"]["cause"] == "interrupted"
        _wait_until_gone(f"VKZIRCON_TEST={mark}")


def test_killing_the_main_process_leaves_no_worker(broken_driver: Broken) -> None:
    """The worker of a main process that is killed ends too, even inside a driver."""
    env = {"VK_DRIVER_FILES": broken_driver("for (;;) pause();"), "VKZIRCON_TEST": _mark("killed")}
    running = subprocess.Popen([PROGRAM, "--format", "json"], env=environment(env), stdout=subprocess.PIPE)
    _wait_for_worker(f"VKZIRCON_TEST={_mark('killed')}")
    running.kill()
    running.communicate(timeout=10)
    _wait_until_gone(f"VKZIRCON_TEST={_mark('killed')}")


def _wait_for_worker(marker: str) -> None:
    deadline = time.monotonic() + 10
    while len(_processes(marker)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    assert len(_processes(marker)) == 2


def test_the_main_process_opens_no_vulkan(lavapipe: str, broken_driver: Broken) -> None:
    """Only the worker maps libvulkan: a driver's faults in its process cannot reach the report."""
    env = {"VK_DRIVER_FILES": broken_driver("for (;;) pause();"), "VKZIRCON_TEST": _mark("mapped")}
    running = subprocess.Popen([PROGRAM, "-q"], env=environment(env))
    _wait_for_worker(f"VKZIRCON_TEST={_mark('mapped')}")
    try:
        maps = Path(f"/proc/{running.pid}/maps").read_text()
        assert "libvulkan" not in maps
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    assert lavapipe
