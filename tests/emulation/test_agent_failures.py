# SPDX-License-Identifier: Apache-2.0
"""An agent that cannot be started, goes silent, or ends: one sentence, a whole report, and no driver is blamed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli.bindings.connection import MAGIC, AgentError, Ask, Connection
from vkzircon_cli.worker.agent_process import AgentProcess, ask_surroundings

# Passes bytes on between vkzircon and an agent; after so many bytes of the agent it ends, stalls, or writes zeros.
RELAY = """
import os, select, subprocess, sys
agent, most, way = sys.argv[1], int(sys.argv[2]), sys.argv[3]
child = subprocess.Popen([agent], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
ends = {0: child.stdin.fileno(), child.stdout.fileno(): 1}
while True:
    for end in select.select(list(ends), [], [])[0]:
        data = os.read(end, 65536)
        if not data:
            sys.exit()
        if end:
            most -= len(data)
            if most < 0 and way == "end":
                sys.exit()
            if most < 0 and way == "stall":
                continue
            data = bytes(len(data)) if most < 0 else data
        os.write(ends[end], data)
"""


def test_a_connection_that_ends_is_a_crash_in_the_call(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """How a remote agent ended is not known; a new one goes on behind the step."""
    (tmp_path / "relay.py").write_text(RELAY)
    ran = emulated("check", "-f", "json", "--agent", f"{sys.executable} relay.py {agent} 200000 end", "--timeout", "5")
    assert ran.code == 5
    lost = [check for check in ran.json["checks"] if check["outcome"] == "crash"]
    assert "the connection to the agent ended" in json.dumps(lost)


@pytest.mark.parametrize(
    ("way", "said"), [("zeros", "what the protocol does not allow"), ("stall", "did not send an answer within 1 s")]
)
def test_a_connection_that_fails_is_not_the_drivers_fault(
    emulated: Run, agent: Path, tmp_path: Path, way: str, said: str
) -> None:
    """The results up to there are a whole report, with exit code 4."""
    (tmp_path / "relay.py").write_text(RELAY)
    command = f"{sys.executable} relay.py {agent} 100000 {way}"
    ran = emulated("check", "-f", "json", "--timeout", "1", "--agent", command)
    assert ran.code == 4
    assert ran.json["error"]["cause"] == "no-agent"
    assert said in ran.err
    assert not {check["outcome"] for check in ran.json["checks"]} & {"crash", "timeout"}
    assert ran.json["devices"][0]["identity"]["value"]


@pytest.mark.parametrize(
    ("command", "said", "hint"),
    [
        (
            "no-such-command",
            "The agent's command cannot be started: no-such-command: No such file or directory.",
            "Check the name.",
        ),
        ("/etc/passwd", "cannot be started: /etc/passwd: Permission denied.", "must be executable"),
        ("true", "ended with exit status 0 before the agent's greeting.", "Run the command by itself"),
        ("echo hello", "ended with exit status 0 before the agent's greeting. It wrote: hello", "by itself"),
        (
            "sh -c 'echo no >&2; exit 3'",
            "ended with exit status 3 before the agent's greeting. It wrote: no",
            "by itself",
        ),
        ("cat /dev/zero", "without an agent's greeting.", "Run the command by itself"),
        ("sleep 60", "did not send its greeting within 0.5 s.", "--timeout allows more"),
    ],
)
def test_no_agent_is_one_sentence(vkzircon: Run, command: str, said: str, hint: str) -> None:
    """Exit code 4, what happened, what to do about this cause, and a whole document."""
    ran = vkzircon("check", "-f", "json", "--agent", command, "--timeout", "0.5")
    assert ran.code == 4
    assert ran.json["error"]["cause"] == "no-agent"
    assert said in ran.err
    assert hint in ran.err
    assert len(ran.err.splitlines()) == 1


def test_an_agent_that_cannot_go_on_tells_why(agent: Path) -> None:
    """What ends it by itself, such as a lack of memory, looks like no driver's crash."""
    process = AgentProcess(str(agent), keeps_errors=True)
    try:
        connection = Connection(process.read, process.write, 5)
        connection.greet()
        with pytest.raises(AgentError, match=r"refused a request of kind 7 \(a frame is too short\)\.") as refused:
            connection.ask(Ask.CALL)
        assert "limits of the agent's process" in refused.value.hint
        assert process.exit_status() == 64
    finally:
        process.end()


def test_an_error_is_told_once(vkzircon: Run) -> None:
    """If nothing is between the first and the last lines of the page, the last lines are left out."""
    ran = vkzircon("check", "--agent", "true")
    assert (ran.code, ran.out.count("ERROR")) == (4, 1)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("-v 50000", "The agent has no address space for its arena."),
        ("-v 90000", "The agent cannot map its arena: Cannot"),
        ("-v 600000", "A limit of the agent's process leaves too little for a driver: address space (ulimit -v)."),
        ("-n 12", "A limit of the agent's process leaves too little for a driver: open files (ulimit -n)."),
    ],
)
def test_an_agent_with_a_low_limit_gives_one_sentence(vkzircon: Run, agent: Path, limit: str, said: str) -> None:
    """The driver is not blamed, although it is what would fail."""
    ran = vkzircon("check", "-f", "json", "--agent", f"sh -c 'ulimit {limit}; exec {agent}'")
    assert (ran.code, ran.json["error"]["cause"]) == (4, "no-agent")
    assert ran.err.startswith(f"vkzircon: {said}")
    assert len(ran.err.splitlines()) == 1


def test_an_agent_that_ends_before_it_is_asked_is_no_crash(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """The driver was not called yet."""
    (tmp_path / "relay.py").write_text(RELAY)
    texts = (os.uname().sysname, os.uname().release, os.uname().machine, os.uname().nodename)
    greeting = len(MAGIC) + 16 + 120 + sum(len(text) + 1 for text in (*texts, ""))
    ran = emulated("check", "-f", "json", "--agent", _later(agent, f"{sys.executable} relay.py {agent} {greeting} end"))
    assert (ran.code, ran.json["error"]["cause"]) == (4, "no-agent")
    assert "The connection to the agent ended before the first request. Run the command by itself" in ran.err


def _later(agent: Path, command: str) -> str:
    """Return a command that starts *agent*, and *command* from the second time on."""
    return f"sh -c '[ -e once ] || {{ touch once; exec {agent}; }}; exec {command}'"


@pytest.mark.parametrize("is_first", [True, False])
def test_ctrl_c_during_the_greeting_ends_with_a_report(agent: Path, tmp_path: Path, is_first: bool) -> None:
    """The run ends with exit code 130, one sentence, a document, and no process left; for the worker's agent too."""
    if is_first:
        (tmp_path / "once").touch()
    (tmp_path / "silent.sh").write_text("echo $$ > started\nmv started pid\nexec sleep 60\n")
    running = subprocess.Popen(
        [PROGRAM, "check", "-f", "json", "--agent", _later(agent, "sh silent.sh")],
        env=environment({}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not (tmp_path / "pid").exists() and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=10)
    document = json.loads(out)
    assert (running.returncode, document["error"]["cause"]) == (130, "interrupted")
    assert (document["environment"]["platform"] == "unknown") is is_first
    assert err.decode().splitlines() == [f"vkzircon: {document['error']['message']}"]
    until = time.monotonic() + 20
    while _runs(tmp_path / "pid"):
        assert time.monotonic() < until
        time.sleep(0.01)


def _runs(file: Path) -> bool:
    """Whether the process runs whose number is in *file*; one that is not reaped has no command line."""
    command_line = Path("/proc", file.read_text().strip(), "cmdline")
    return command_line.exists() and bool(command_line.read_bytes())


def test_an_empty_command_is_a_mistake_of_usage(vkzircon: Run) -> None:
    """So is one whose quotes do not end."""
    for command in ("", "ssh 'board"):
        ran = vkzircon("check", "--agent", command)
        assert (ran.code, ran.out) == (2, "")
        assert "is not a command" in ran.err


def test_the_emulation_needs_files_that_the_agent_sees(agent: Path) -> None:
    """The host asks whether they are there, before it turns the layer on."""
    assert ask_surroundings(str(agent), 5, ("/",)).has_paths
    assert not ask_surroundings(str(agent), 5, ("/", "/no/such/file")).has_paths
