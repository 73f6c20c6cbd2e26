# SPDX-License-Identifier: Apache-2.0
"""What every command costs before it does anything: modules, processes, calls and handles. Times are no test's."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from program import environment

from vkzircon_cli.__main__ import PROBING
from vkzircon_cli.emulation import installation
from vkzircon_cli.model.request import Emulate

Loaded = Callable[..., set[str]]

# What draws pages and reads reports, and what the probe's child alone needs.
HEAVY = {"rich", "jinja2", "pydantic", "markupsafe"}
CHILDS = {"vulkan", "vulkan._vulkancache", "_cffi_backend", "vkzircon_cli.bindings.vk", "vkzircon_cli.probe"}
COMPLETION = {"_VKZIRCON_COMPLETE": "complete_bash", "COMP_WORDS": "vkzircon ch", "COMP_CWORD": "1"}


@pytest.fixture(name="loaded")
def _loaded(lavapipe: str) -> Loaded:
    """Run a command line and tell which modules its first process loaded."""

    def run(*arguments: str, **env: str) -> set[str]:
        command = [sys.executable, "-X", "importtime", "-m", "vkzircon_cli", *arguments]
        done = subprocess.run(
            command, env=environment({"VK_DRIVER_FILES": lavapipe, **env}), capture_output=True, text=True, check=True
        )
        return set(re.findall(r"^import time:.*\|\s*(\S+)$", done.stderr, re.MULTILINE))

    return run


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--version",), {}),
        (("--help",), {}),
        (("check", "--help"), {}),
        ((), COMPLETION),
    ],
)
def test_who_asks_nothing_loads_neither_vulkan_nor_a_report(
    loaded: Loaded, arguments: tuple[str, ...], env: Mapping[str, str]
) -> None:
    """Version, help and completion are Typer's and the options': no facts, no checks, no binding, nothing to draw."""
    modules = loaded(*arguments, **env)
    assert "typer" in modules
    ours = {name for name in modules if name.startswith("vkzircon_cli")}
    assert ours <= {
        "vkzircon_cli",
        "vkzircon_cli.cli",
        "vkzircon_cli.cli.app",
        "vkzircon_cli.cli.asked",
        "vkzircon_cli.cli.main",
        "vkzircon_cli.cli.offline",
        "vkzircon_cli.cli.options",
        "vkzircon_cli.cli.outermost",
        "vkzircon_cli.cli.probing",
        "vkzircon_cli.errors",
        "vkzircon_cli.model",
        "vkzircon_cli.model.base",
        "vkzircon_cli.model.request",
        "vkzircon_cli.model.spec",
        "vkzircon_cli.model.text",
        "vkzircon_cli.output",
        "vkzircon_cli.render",
        "vkzircon_cli.saved",
        "vkzircon_cli.saved.kinds",
        "vkzircon_cli.worker",
        "vkzircon_cli.worker.interrupt",
    }
    assert not modules & (HEAVY | CHILDS)


@pytest.mark.parametrize("arguments", [("check", "--quiet"), ("check", "--format", "json"), ("report", "-f", "json")])
@pytest.mark.usefixtures("layer")
def test_the_parent_loads_no_binding_and_draws_nothing_for_programs(loaded: Loaded, arguments: tuple[str, ...]) -> None:
    """Where no person reads, Rich stays out; Typer, where the line is plain; the binding is the child's in any case."""
    modules = loaded(*arguments, "--emulate")
    assert "vkzircon_cli.report.report" in modules
    assert not modules & (HEAVY | CHILDS | {"typer"})


_COUNT_FORKS = """
import os, sys
forks = []
sys.addaudithook(lambda name, _: name == "os.fork" and forks.append(name))
leave = os._exit
os._exit = lambda code: (print(len(forks), file=sys.stderr), sys.stderr.flush(), leave(code))
from vkzircon_cli.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "forks"),
    [
        (("--version",), 0),
        (("explain", "VK_SUCCESS"), 0),
        (("schema",), 0),
        (("check", "--no-such-option"), int(len(os.sched_getaffinity(0)) > 1)),  # early, or not at all
        (("devices",), 1),
        (("check", "--emulate", "--quiet"), 1),
        (("--emulate", "--size", "4K", "--format", "json"), 1),
        (("matrix", "--emulate", "-f", "csv"), 1),
        (("bench", "--emulate", "--seconds", "0.2", "--size", "64K"), 1),
    ],
)
@pytest.mark.usefixtures("layer")
def test_a_command_forks_what_it_needs(lavapipe: str, arguments: tuple[str, ...], forks: int) -> None:
    """One child for a probe, which is the one that was forked first; none where nobody is asked."""
    command = [sys.executable, "-c", _COUNT_FORKS, *arguments]
    done = subprocess.run(command, env=environment({"VK_DRIVER_FILES": lavapipe}), capture_output=True, check=False)
    assert int(done.stderr.split()[-1]) == forks


def test_every_probing_command_is_one() -> None:
    """The list that decides who gets a child early has no command that is not there."""
    from vkzircon_cli.cli import probing  # noqa: F401 - which registers itself
    from vkzircon_cli.cli.app import app

    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(PROBING) <= commands


_COUNT_CALLS = """
import json, sys
from vkzircon_cli.worker.protocol import probe_events
from vkzircon_cli.model.request import Request
calls = []
events = list(probe_events(Request(), calls.append, {}))
json.dump(calls, sys.stdout)
"""


def _calls(lavapipe: str) -> Counter[str]:
    env = environment({"VK_DRIVER_FILES": lavapipe})
    added = installation.variables(env, Emulate())
    done = subprocess.run([sys.executable, "-c", _COUNT_CALLS], env={**env, **added}, capture_output=True, check=True)
    return Counter(json.loads(done.stdout))


# One device with one memory type: two instances (one to import into), and four devices (theirs, and two that die).
_COSTLY = {
    "vkCreateInstance": 2,
    "vkCreateDevice": 4,
    "vkAllocateMemory": 111,
    "vkGetMemoryZirconHandleFUCHSIA": 62,
    "vkQueueSubmit": 22,
    "zx_handle_duplicate": 36,
    "zx_vmo_create": 1,
}
_MOST_CALLS = 2600


@pytest.mark.usefixtures("layer")
def test_a_report_makes_as_many_calls_and_handles_as_it_needs(lavapipe: str) -> None:
    """More of them cost every user time; whoever needs more says so here."""
    calls = _calls(lavapipe)
    assert {name: calls[name] for name in _COSTLY} == _COSTLY
    assert sum(calls.values()) <= _MOST_CALLS
