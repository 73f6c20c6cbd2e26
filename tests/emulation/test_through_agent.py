# SPDX-License-Identifier: Apache-2.0
"""The program with --agent: the same report as without it, and one sentence where there is no agent."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.emulation import agent_files
from vkzircon_cli.worker.agent_process import ask_surroundings

# Passes bytes on between vkzircon and an agent; after so many bytes of the agent it ends, or writes zeros for ever.
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
            data = bytes(len(data)) if most < 0 else data
        os.write(ends[end], data)
"""


DELAY = Path(__file__).parents[1] / "bench" / "delay.py"
MOST_TRIPS = 1400


def _line(agent: Path, folder: Path, *, delay_ms: int) -> str:
    """Return the command of an agent at the end of a slow line, whose round trips are counted."""
    return shlex.join([sys.executable, "-SE", str(DELAY), str(delay_ms), str(folder / "trips"), str(agent)])


@pytest.mark.parametrize(
    "options",
    [
        ("--negative",),
        ("--persona", "goldfish"),
        ("--fault", "segfault-in-import"),
        ("--fault", "abort-in-free"),
        ("--fault", "hang-in-export", "--timeout", "2"),
    ],
    ids=" ".join,
)
def test_a_report_through_it_differs_only_in_where(
    emulated: Run, vkzircon: Run, agent: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Verdicts, answers, crashes, hangs and the calls that they happened in are the same."""
    direct = emulated("report", *options, "-o", "direct.json")
    through = emulated("report", *options, "--agent", str(agent), "-o", "agent.json")
    assert (through.code, through.err) == (direct.code, direct.err)
    found = vkzircon("diff", "direct.json", "agent.json", "-f", "json").json
    assert found["verdicts"] == []
    assert [fact["what"] for fact in found["facts"]] == ["agent"]
    where = json.loads((tmp_path / "agent.json").read_text())["environment"]
    assert (where["agent"], where["isolated"]) == (str(agent), True)


@pytest.mark.parametrize("command", ["devices", "matrix", "bench --seconds 0.5 --size 64K", "check --quiet"])
def test_other_commands_ask_through_it(emulated: Run, agent: Path, command: str) -> None:
    """Each ends as it does without an agent."""
    ran = emulated(*command.split(), "--agent", str(agent))
    assert (ran.code, ran.err) == (0, "")


def test_the_target_is_the_agents_process(emulated: Run, agent: Path) -> None:
    """Platform and variables are those of the device: a Fuchsia device is isolated, and this process's do not count."""
    command = f"env -u VK_LOADER_DEVICE_SELECT VKZIRCON_PLATFORM=fuchsia {agent}"
    ran = emulated("-f", "json", "--agent", command, VK_LOADER_DEVICE_SELECT="1:2")
    assert ran.code == 0
    where = ran.json["environment"]
    assert (where["platform"], where["isolated"]) == ("fuchsia", True)
    assert "VK_LOADER_DEVICE_SELECT" not in {variable["name"] for variable in where["variables"]}
    told = {check["id"]: check["outcome"] for check in ran.json["checks"]}
    assert told["import.second-process"] == "pass"


def test_a_connection_that_ends_is_a_crash_in_the_call(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """How a remote agent ended is not known; a new one goes on behind the step."""
    (tmp_path / "relay.py").write_text(RELAY)
    ran = emulated("check", "-f", "json", "--agent", f"{sys.executable} relay.py {agent} 200000 end", "--timeout", "5")
    assert ran.code == 5
    lost = [check for check in ran.json["checks"] if check["outcome"] == "crash"]
    assert "the connection to the agent ended" in json.dumps(lost)


def test_an_agent_that_sends_rubbish_is_not_the_drivers_fault(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """The results up to there are a whole report, with exit code 4."""
    (tmp_path / "relay.py").write_text(RELAY)
    ran = emulated("check", "-f", "json", "--agent", f"{sys.executable} relay.py {agent} 100000 zeros")
    assert ran.code == 4
    assert ran.json["error"]["cause"] == "no-agent"
    assert "what the protocol does not allow" in ran.err
    assert ran.json["devices"][0]["identity"]["value"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-command", "The agent's command cannot be started: no-such-command: No such file or directory."),
        ("true", "ended with exit status 0 before the agent's greeting."),
        ("sh -c 'echo denied >&2; exit 3'", "ended with exit status 3 before the agent's greeting. It wrote: denied"),
        ("cat /dev/zero", "without an agent's greeting."),
        ("sleep 60", "did not send its greeting within 0.5 s."),
    ],
)
def test_no_agent_is_one_sentence(vkzircon: Run, command: str, said: str) -> None:
    """Exit code 4, what happened, what to do, and a whole document."""
    ran = vkzircon("check", "-f", "json", "--agent", command, "--timeout", "0.5")
    assert ran.code == 4
    assert ran.json["error"]["cause"] == "no-agent"
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_an_empty_command_is_a_mistake_of_usage(vkzircon: Run) -> None:
    """So is one whose quotes do not end."""
    for command in ("", "ssh 'board"):
        ran = vkzircon("check", "--agent", command)
        assert (ran.code, ran.out) == (2, "")
        assert "is not a command" in ran.err


def test_a_banner_does_not_matter(emulated: Run, agent: Path) -> None:
    """What a shell prints first is skipped, and shown with the driver's output."""
    ran = emulated("devices", "-f", "json", "--agent", f"sh -c 'echo Welcome to the board.; exec {agent}'")
    assert ran.code == 0
    assert "Welcome to the board." in ran.json["run"]["output"]["text"]


def test_a_check_needs_few_round_trips(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """Each costs the time of the line: a change that needs more raises the number here."""
    ran = emulated("check", "--quiet", "--agent", _line(agent, tmp_path, delay_ms=2))
    assert (ran.code, ran.err) == (0, "")
    assert 500 < (tmp_path / "trips").stat().st_size <= MOST_TRIPS


def test_the_limit_of_a_step_does_not_count_the_line(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """A step may take longer than its limit on a slow line: what hangs is a call on the device."""
    ran = emulated("devices", "-f", "trace", "--agent", _line(agent, tmp_path, delay_ms=60), "--timeout", "1")
    assert (ran.code, ran.err) == (0, "")
    events = [json.loads(event) for event in ran.out.splitlines()]
    began, ended = (event["ms"] for event in events if event.get("step") == "instance")
    assert ended - began > 1000


def test_a_line_that_is_too_slow_is_not_the_drivers_fault(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """The connection has a limit of its own, for each answer."""
    ran = emulated("devices", "--agent", _line(agent, tmp_path, delay_ms=700), "--timeout", "1")
    assert ran.code == 4
    assert "The agent's command did not send an answer within 1 s." in ran.out


def test_the_emulation_needs_files_that_the_agent_sees(agent: Path) -> None:
    """The host asks whether they are there, before it turns the layer on."""
    assert ask_surroundings(str(agent), 5, ("/",)).has_paths
    assert not ask_surroundings(str(agent), 5, ("/", "/no/such/file")).has_paths


def test_its_source_compiles_without_a_warning(vkzircon: Run, tmp_path: Path) -> None:
    """`vkzircon agent --source` writes what a build elsewhere needs, and replaces no file."""
    ran = vkzircon("agent", "--source", "source")
    assert (ran.code, ran.out) == (0, "CMakeLists.txt, agent.c\n")
    strict = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2")
    subprocess.run(["cc", *strict, "-o", "a", "source/agent.c", "-pthread", "-ldl"], cwd=tmp_path, check=True)
    again = vkzircon("agent", "--source", "source")
    assert (again.code, again.out) == (6, "")


def test_an_agent_is_compiled_for_this_machine_or_it_says_why(vkzircon: Run, tmp_path: Path) -> None:
    """It needs a compiler, and one of the two options."""
    assert vkzircon("agent", "--build", "made").code == 0
    assert vkzircon("devices", "--agent", str(tmp_path / "made"), VK_DRIVER_FILES="/none").code == 4
    assert "no C compiler no-such-cc" in vkzircon("agent", "--build", "other", CC="no-such-cc").err
    assert vkzircon("agent").code == vkzircon("agent", "--build", "a", "--source", "b").code == 2
    assert agent_files._folder().is_dir()
