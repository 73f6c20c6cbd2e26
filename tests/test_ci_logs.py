# SPDX-License-Identifier: Apache-2.0
"""No text of a driver, a path or the environment becomes a command of a CI system that logs it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from program import Ran, Run

_COMMANDS = (
    "::error file=x::hit",
    " ::stop-commands::hit",
    "##[group]hit",
    "##vso[task.complete]hit",
    "##teamcity[hit]",
)
_IS_COMMAND = re.compile(r"^\s*::[\w-]+( [^:]*)?::|##\w*\[", re.MULTILINE)


def _is_harmless(ran: Ran) -> bool:
    return "hit" in ran.out + ran.err and not _IS_COMMAND.search(ran.out + ran.err)


@pytest.fixture(name="hostile")
def _hostile(broken_driver: Callable[[str], str], lavapipe: str) -> dict[str, str]:
    """An environment with a driver that prints commands, and commands as a file's name and as a layer's."""
    prints = "".join(f"puts({json.dumps(command)});" for command in _COMMANDS)
    files = (broken_driver(prints + "fflush(stdout);"), lavapipe, "::error::hit.json", "##vso[hit].json")
    return {"VK_DRIVER_FILES": ":".join(files), "VK_INSTANCE_LAYERS": "::error::hit:##[hit"}


@pytest.mark.parametrize(
    "command", [("report", "--verbose"), ("doctor", "--verbose"), ("devices", "--format", "trace")]
)
def test_no_command_of_a_driver_reaches_the_log(
    vkzircon: Run, hostile: dict[str, str], command: tuple[str, ...]
) -> None:
    """On a terminal, in a pipe and in a trace, at any width."""
    for columns in ("23", None):
        assert _is_harmless(vkzircon(*command, COLUMNS=columns, **hostile))


def test_no_format_passes_a_command_on(vkzircon: Run, hostile: dict[str, str], tmp_path: Path) -> None:
    """The JSON has the same values for a program, and no other format has a command either."""
    saved = tmp_path / "report.json"
    ran = vkzircon("--format", "json", **hostile)
    saved.write_text(ran.out)
    assert _is_harmless(ran)
    assert "".join(f"{command}\n" for command in _COMMANDS) in ran.json["run"]["output"]["text"]
    for written in ("markdown", "html", "junit"):
        assert not _IS_COMMAND.search(vkzircon("show", str(saved), "--format", written).out)


def test_no_message_of_ours_passes_a_command_on(vkzircon: Run) -> None:
    """A word of the command line is foreign too, where a script made it."""
    for words in (("explain", "::error::hit"), ("show", "##[error]hit"), ("check", "--require", "##vso[hit]")):
        assert _is_harmless(vkzircon(*words))
