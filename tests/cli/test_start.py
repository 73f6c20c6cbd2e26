# SPDX-License-Identifier: Apache-2.0
"""What a command costs before it does its work: modules, processes, calls and handles. No test measures time."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from program import environment

from vkzircon_cli.cli import handlers
from vkzircon_cli.cli.command_table import COMMANDS, Command
from vkzircon_cli.cli.options import OPTIONS
from vkzircon_cli.emulation import installation
from vkzircon_cli.model.request import Depth, Emulate
from vkzircon_cli.render.style import Format

PROBE = Path(__file__).parents[1] / "bench" / "probe.py"
# For pages and saved reports; and for the probe, whose worker is another process.
HEAVY = {"rich", "jinja2", "pydantic", "markupsafe"}
WORKERS = {"vulkan", "vulkan._vulkancache", "_cffi_backend", "vkzircon_cli.bindings.vk", "vkzircon_cli.probe"}
COMPLETION = {"_VKZIRCON_COMPLETE": "complete_bash", "COMP_WORDS": "vkzircon ch", "COMP_CWORD": "1"}
# The rooms that the options need; none of facts, checks, reports or bindings.
LIGHT = {"cli", "errors", "model", "output", "render", "saved", "worker"}
MOST_LIGHT = 23  # modules of ours

# Runs the program, and prints last what its first process did.
_WATCHED = """
import json, os, sys
forks = []
sys.addaudithook(lambda name, _: name == "os.fork" and forks.append(name))
leave, first = os._exit, os.getpid()
def leave_and_tell(code):
    if os.getpid() == first:
        print(json.dumps([len(forks), list(sys.modules)]), file=sys.stderr, flush=True)
    leave(code)
os._exit = leave_and_tell
from vkzircon_cli.__main__ import main
main()
"""


class Start(NamedTuple):
    """What the first process of a run did."""

    forks: int
    modules: set[str]


def _start(lavapipe: str, arguments: Sequence[str], **env: str) -> Start:
    command = [sys.executable, "-c", _WATCHED, *arguments]
    env = environment({"VK_DRIVER_FILES": lavapipe, **env})
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    forks, modules = json.loads(done.stderr.splitlines()[-1])
    return Start(forks, set(modules))


@pytest.mark.parametrize(
    ("line", "env"), [("--version", {}), ("--help", {}), ("check --help", {}), ("", COMPLETION)], ids=str
)
def test_help_version_and_completion_load_the_options_only(lavapipe: str, line: str, env: dict[str, str]) -> None:
    """They fork nothing and load neither facts nor checks nor the binding, and nothing that renders."""
    start = _start(lavapipe, line.split(), **env)
    ours = {name for name in start.modules if name.startswith("vkzircon_cli.")}
    assert start.forks == 0
    assert "typer" in start.modules
    assert {name.split(".")[1] for name in ours} <= LIGHT | {"__main__"}
    assert len(ours) <= MOST_LIGHT
    assert not start.modules & (HEAVY | WORKERS)


@pytest.mark.parametrize("line", ["check --emulate --quiet", "check --emulate -f json", "report --emulate -f json"])
@pytest.mark.usefixtures("layer")
def test_the_main_process_of_a_probe_loads_neither_the_binding_nor_what_renders(lavapipe: str, line: str) -> None:
    """The binding belongs to the worker, Rich to people, and explanations to what is wrong."""
    start = _start(lavapipe, line.split())
    assert start.forks == 1
    assert "vkzircon_cli.report.report" in start.modules
    unused = HEAVY | WORKERS | {"vkzircon_cli.explain"}
    # cffi calls prctl, by which a process that a driver leaves behind is found.
    assert not start.modules & (unused - {"_cffi_backend"})


@pytest.mark.parametrize(
    ("line", "forks"),
    [
        ("explain VK_SUCCESS", 0),
        ("schema", 0),
        ("check --no-such-option", int(len(os.sched_getaffinity(0)) > 1)),  # before the options are parsed, or never
        ("devices", 1),
        ("--emulate --size 4K --format json", 1),
        ("matrix --emulate -f csv", 1),
        ("bench --emulate --seconds 0.2 --size 64K", 1),
    ],
)
@pytest.mark.usefixtures("layer")
def test_a_command_forks_what_it_needs(lavapipe: str, line: str, forks: int) -> None:
    """A probe has one worker, the one that is forked first; other commands have none."""
    assert _start(lavapipe, line.split()).forks == forks


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_one_record(command: Command) -> None:
    """It names options, formats and a function that exist; a command that probes is one that gets a worker early."""
    assert callable(getattr(handlers, command.run))
    assert set(command.options.split()) - {"format"} <= set(OPTIONS)
    assert ("format" in command.options.split()) == bool(command.formats)
    assert set(command.formats.split()) <= set(Format)
    assert (command.run in ("probe", "doctor", "bundle")) == (command.depth in set(Depth))


# One device with one memory type: two instances (one to import into), and four devices (three more are closed again).
_COSTLY = {
    "vkCreateInstance": 2,
    "vkCreateDevice": 4,
    "vkAllocateMemory": 129,
    "vkGetMemoryZirconHandleFUCHSIA": 70,
    "vkQueueSubmit": 26,
    "zx_handle_duplicate": 44,
    "zx_vmo_create": 4,
}
_MOST_CALLS = 3000


@pytest.mark.usefixtures("layer")
def test_a_report_makes_as_many_calls_and_handles_as_it_needs(lavapipe: str) -> None:
    """More calls cost every user time: a change that needs more raises the numbers here."""
    env = environment({"VK_DRIVER_FILES": lavapipe})
    env |= installation.variables(env, Emulate())
    done = subprocess.run([sys.executable, PROBE, "calls", "everything"], env=env, capture_output=True, check=True)
    calls = Counter(done.stdout.decode().split())
    assert {name: calls[name] for name in _COSTLY} == _COSTLY
    assert calls.total() <= _MOST_CALLS
