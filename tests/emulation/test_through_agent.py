# SPDX-License-Identifier: Apache-2.0
"""The program with --agent: the same report as without it, over any connection."""

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.agent import AgentCaller
from vkzircon_cli.bindings.connection import Connection
from vkzircon_cli.cli.command_table import COMMANDS
from vkzircon_cli.diff import ChangeKind, Difference, compare
from vkzircon_cli.emulation import agent_files
from vkzircon_cli.emulation.installation import Installation
from vkzircon_cli.saved.load import read
from vkzircon_cli.worker.agent_process import AgentProcess

DELAY = Path(__file__).parents[1] / "bench" / "delay.py"
MOST_TRIPS = 1330


def _line(agent: Path, folder: Path, *, delay_ms: int) -> str:
    """Return the command of an agent at the end of a slow line, whose round trips are counted."""
    return shlex.join([sys.executable, "-SE", str(DELAY), str(delay_ms), str(folder / "trips"), str(agent)])


@pytest.mark.parametrize(
    "options",
    [
        "--persona strict --stress --negative",
        "--persona goldfish --negative",
        "--persona magma --negative",
        "--persona swiftshader --negative",
        "--fault bad-handle-kills --negative",
        "--fault fewer-rights --fault name-not-utf8 --fault talks-on-stdout",
        "--fault import-copies --fault leak-handle --stress",
        "--fault odd-result-in-properties --fault second-get-child",
        "--fault refuse-export",
        "--fault large-refused --size 1M",
        "--fault segfault-in-destroy-device",
        "--fault abort-in-create-device",
        "--fault exit-in-vmar-map",
        "--fault segfault-in-vmo-read",
        "--fault hang-in-export --timeout 2",
    ],
)
def test_a_report_through_it_differs_only_in_where(emulated: Run, agent: Path, tmp_path: Path, options: str) -> None:
    """Verdicts, answers, crashes, hangs and the calls that they happened in are the same."""
    found = _compared(emulated, tmp_path, options, str(agent))
    assert not found.differs, (found.verdicts, found.facts)
    assert [fact.what for fact in found.facts] == ["agent"]
    assert not [change for change in found.verdicts if change.kind is not ChangeKind.REWORDED]


def _compared(emulated: Run, folder: Path, options: str, agent: str) -> Difference:
    """Compare the direct report with that through *agent*; both are made at once."""
    ways = {"direct.json": (), "agent.json": ("--agent", agent)}
    with ThreadPoolExecutor(len(ways)) as both:
        made = [
            both.submit(emulated, "report", *options.split(), *way, "-o", name, NODEVICE_SELECT="1")
            for name, way in ways.items()
        ]
    direct, through = (each.result() for each in made)
    assert (through.code, through.err) == (direct.code, direct.err)
    return compare(*(read(folder / name) for name in ways))


def test_a_library_that_hangs_while_it_is_opened_hangs_there_too(vkzircon: Run, agent: Path, tmp_path: Path) -> None:
    """The limit of a step covers the loader's constructors, by the agent's clock."""
    start = "__attribute__((constructor)) static void start(void) { for (;;) pause(); }"
    (tmp_path / "hang.c").write_text(f"#include <unistd.h>\n{start}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "hang.so", "hang.c"], cwd=tmp_path, check=True)
    library = {"VKZIRCON_LIBVULKAN": str(tmp_path / "hang.so"), "VK_DRIVER_FILES": "/none"}
    with ThreadPoolExecutor(2) as both:
        ways = ((), ("--agent", str(agent)))
        made = [both.submit(vkzircon, "check", "-f", "json", "--timeout", "2", *way, **library) for way in ways]
    direct, through = (each.result() for each in made)
    assert (through.code, through.json["error"]["cause"]) == (direct.code, direct.json["error"]["cause"])
    assert through.json["error"]["message"] == direct.json["error"]["message"]


def test_how_an_agent_behind_another_program_died_does_not_count(
    emulated: Run, vkzircon: Run, agent: Path, tmp_path: Path
) -> None:
    """The connection ended in a call; the program exits with 0 for two such reports, and shows where they were made."""
    found = _compared(emulated, tmp_path, "--fault segfault-in-create-device", f"sh -c '{agent}; true'")
    assert "the connection to the agent ended" in (tmp_path / "agent.json").read_text()
    assert "the process was killed by SIGSEGV" in (tmp_path / "direct.json").read_text()
    assert not found.differs, (found.verdicts, found.facts)
    ran = vkzircon("diff", "direct.json", "agent.json")
    assert (ran.code, ran.err) == (0, "")
    assert "Nothing differs but" in ran.out
    assert "Where the driver was called, which makes no difference" in ran.out


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


def test_a_command_without_a_driver_has_no_agent(vkzircon: Run) -> None:
    """Each command that calls the driver has the option; the others name those commands in one sentence."""
    having = {name for name, command in COMMANDS.items() if "agent" in command.options.split()}
    assert having == {name for name, command in COMMANDS.items() if command.depth}
    ran = vkzircon("diff", "--agent", "true", "a.json", "b.json")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "vkzircon diff has no option --agent. It belongs to: vkzircon report, check" in ran.err


def test_the_cause_is_searched_for_through_the_same_agent(vkzircon: Run, agent: Path) -> None:
    """The hint and the next commands name the agent: without it, they would examine this machine.

    No layer is left out there, and the report has the reason.
    """
    ran = vkzircon("check", "-f", "json", "--agent", str(agent), VK_DRIVER_FILES="/none")
    assert ran.code == 4
    assert "vkzircon reads the manifests of its own machine only." in json.dumps(ran.json["run"]["messages"])
    assert f"Run vkzircon doctor --agent {agent} for the cause." in ran.err


def test_the_end_of_the_second_agent_is_known_though_sigchld_is_ignored(emulated: Run, agent: Path) -> None:
    """An ignored SIGCHLD is inherited, and the system then discards exit statuses."""
    ran = emulated("check", "-f", "json", "--agent", f"env --ignore-signal=CHLD {agent}", "--fault", "abort-in-import")
    told = {check["id"]: check["sentence"] for check in ran.json["checks"]}
    assert "the second process was killed by SIGABRT" in told["import.second-process"]


@pytest.mark.parametrize(
    ("sanitizers", "options", "code"),
    [("address,undefined", ("--negative",), 0), ("thread", ("--fault", "hang-in-export", "--timeout", "1"), 5)],
)
def test_sanitizers_find_nothing(
    emulated: Run, tmp_path: Path, sanitizers: str, options: tuple[str, ...], code: int
) -> None:
    """A whole report, also one in which the watchdog's thread ends the agent."""
    flags = (f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1")
    source = agent_files._folder() / "agent.c"
    subprocess.run(["cc", "-std=c11", *flags, "-o", tmp_path / "agent", source, "-pthread", "-ldl"], check=True)
    ran = emulated("check", "-f", "json", *options, "--agent", "./agent", TSAN_OPTIONS="halt_on_error=1")
    printed = ran.json["run"]["output"]["text"]
    assert "Sanitizer" not in printed
    assert "runtime error" not in printed
    assert (ran.code, ran.json["summary"]["counts"]["crash"]) == (code, 0)


def test_an_agent_needs_little_memory(agent: Path, layer: Installation) -> None:
    """At most 8 MiB, after its greeting and a thousand calls."""
    process = AgentProcess(str(agent))
    try:
        connection = Connection(process.read, process.write, 5)
        caller = AgentCaller(connection, connection.greet())
        address = caller.open(str(layer.libzircon)).address("zx_system_get_page_size")
        page_size = caller.function(_abi.ffi, "PFN_zx_system_get_page_size", address)
        caller.begin_step(5)
        assert {page_size() for _ in range(1000)} == {os.sysconf("SC_PAGESIZE")}
        highest = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        caller.close()
    finally:
        process.end()
    assert highest is not None
    assert int(highest[1]) <= 8 * 1024


def test_a_banner_does_not_matter(emulated: Run, agent: Path) -> None:
    """What a shell prints first is skipped, and shown with the driver's output."""
    ran = emulated("devices", "-f", "json", "--agent", f"sh -c 'echo Welcome to the board.; exec {agent}'")
    assert ran.code == 0
    assert "Welcome to the board." in ran.json["run"]["output"]["text"]


def test_no_name_of_the_device_is_left_in_a_bundle(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """Home, user and host of the agent are hidden in each part; the loader's log is that of the device."""
    names = {"HOME": "/data/zaphod", "USER": "beeblebrox", "LOGNAME": "trillian", "HOSTNAME": "heartofgold"}
    script = tmp_path / "agent.sh"
    there = {**names, "VK_LAYER_PATH": "/data/zaphod/beeblebrox"}
    exports = "".join(f"export {name}={value}\n" for name, value in there.items())
    script.write_text(f"#!/bin/sh\n{exports}echo trillian@heartofgold >&2\nexec {agent}\n")
    script.chmod(0o755)
    ran = emulated("bundle", "--agent", str(script))
    with zipfile.ZipFile(tmp_path / "vkzircon-bundle.zip") as archive:
        parts = {name.partition("/")[2]: archive.read(name).decode() for name in archive.namelist()}
    assert "Vulkan Loader Version" in parts["loader.log"]
    assert ".json: it is on the device." in " ".join(ran.out.split())
    assert "VK_LAYER_PATH=~/<user>" in parts["environment.txt"]
    assert "<user>@<host>" in parts["report.json"]
    for name in ("zaphod", "beeblebrox", "trillian", "heartofgold"):
        assert [part for part, text in parts.items() if name in text] == []


def test_a_check_needs_few_round_trips(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """Each round trip costs the delay of the line: a change that needs more must raise the number here."""
    ran = emulated("check", "--quiet", "--agent", _line(agent, tmp_path, delay_ms=2))
    assert (ran.code, ran.err) == (0, "")
    assert 500 < (tmp_path / "trips").stat().st_size <= MOST_TRIPS


def test_the_limit_of_a_step_does_not_count_the_line(emulated: Run, agent: Path, tmp_path: Path) -> None:
    """A step may take longer than its limit on a slow line: only time in calls counts."""
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


def test_its_source_compiles_without_a_warning(vkzircon: Run, tmp_path: Path) -> None:
    """`vkzircon agent --source` writes what a build elsewhere needs, and replaces no file."""
    ran = vkzircon("agent", "--source", "source")
    assert (ran.code, ran.out) == (0, "BUILD.bazel, BUILD.gn, CMakeLists.txt, agent.c, vkzircon-agent.cml\n")
    strict = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2")
    subprocess.run(["cc", *strict, "-o", "a", "source/agent.c", "-pthread", "-ldl"], cwd=tmp_path, check=True)
    again = vkzircon("agent", "--source", "source")
    assert (again.code, again.out) == (6, "")


def test_an_agent_is_compiled_for_this_machine_or_it_says_why(vkzircon: Run, tmp_path: Path) -> None:
    """It needs a compiler, and one of the two options."""
    assert vkzircon("agent", "--build", "made").code == 0
    assert vkzircon("devices", "--agent", str(tmp_path / "made"), VK_DRIVER_FILES="/none").code == 4
    assert "no C compiler no-such-cc" in vkzircon("agent", "--build", "other", CC="no-such-cc").err
    nowhere = vkzircon("agent", "--build", "nowhere/made")
    assert (nowhere.code, nowhere.err) == (
        6,
        "vkzircon: The agent cannot be written to nowhere/made: its folder does not exist. Name another FILE.\n",
    )
    assert vkzircon("agent").code == vkzircon("agent", "--build", "a", "--source", "b").code == 2
    assert agent_files._folder().is_dir()
