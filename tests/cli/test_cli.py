# SPDX-License-Identifier: Apache-2.0
"""The command line itself: what it accepts and what it refuses, both without Vulkan."""

import pytest
from program import Run

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
COMMANDS = ("report", "check", "devices", "matrix", "bench")


def test_version_is_printed_without_vulkan(vkzircon: Run) -> None:
    """``--version`` never touches Vulkan, before a command and after it."""
    for arguments in (("--version",), *((command, "--version") for command in COMMANDS)):
        ran = vkzircon(*arguments, **NO_VULKAN)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("vkzircon ")


@pytest.mark.parametrize("arguments", [(), *((command,) for command in COMMANDS)])
def test_help_names_every_exit_code(vkzircon: Run, arguments: tuple[str, ...]) -> None:
    """``--help`` never touches Vulkan, and scripts find the exit codes in it."""
    ran = vkzircon(*arguments, "--help", **NO_VULKAN)
    assert (ran.code, ran.err) == (0, "")
    text = " ".join(ran.out.split())
    codes = ("0 nothing", "1 a check", "2 usage", "3 no chosen", "4 could", "5 the", "6 the", "70 a", "129, 130, 143")
    for code in (*codes, "141"):
        assert code in text


def test_help_has_no_escape_codes_on_a_build_server(vkzircon: Run) -> None:
    """GITHUB_ACTIONS makes Typer color its help, also into a file; this program's help has no colors."""
    for arguments in (("--help",), ("--nope",)):
        ran = vkzircon(*arguments, GITHUB_ACTIONS="true", FORCE_COLOR="1", **NO_VULKAN)
        assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nope",), "No such option: --nope"),
        (("nope",), "No such command 'nope'"),
        (("report", "extra"), "unexpected extra argument"),
        (("report", "--format", "xml"), "'xml' is not one of 'terminal', 'json'"),
        (("report", "--timeout", "0"), "is not in the range"),
        (("report", "--timeout", "soon"), "'soon' is not a valid float"),
        (("report", "--timeout", "nan"), "nan"),
        (("report", "--output", ""), "a file's name is needed"),
        (("check", "--device"), "requires an argument"),
        (("report", "--output", "-"), "a file's name is needed"),
        (("--emulate", "check"), "unexpected extra argument"),
    ],
)
def test_usage_errors_are_one_sentence(vkzircon: Run, arguments: tuple[str, ...], said: str) -> None:
    """A mistake on the command line is exit 2, one line on stderr with the help to ask, and nothing on stdout."""
    ran = vkzircon(*arguments, **NO_VULKAN)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("vkzircon: ")
    assert said in ran.err
    assert " --help" in ran.err or "Options come after the command" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("check", "--size"), "See: vkzircon check --help"),
        (("matrix", "--formats"), "See: vkzircon matrix --help"),
        (("--size",), "See: vkzircon report --help"),
        (("--require", "x"), "vkzircon report has no option --require. It belongs to: vkzircon check"),
        (("doctor", "--size", "1M"), "vkzircon doctor has no option --size. It belongs to: vkzircon report, check, "),
        (("bundle", "--output", "-"), "a zip is not written to standard output"),
    ],
)
def test_usage_errors_lead_to_the_command_that_was_meant(vkzircon: Run, arguments: tuple[str, ...], hint: str) -> None:
    """The hint names the command's own help, and the commands that have the option."""
    ran = vkzircon(*arguments, **NO_VULKAN)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert hint in ran.err


def test_options_without_a_command_are_those_of_report(vkzircon: Run) -> None:
    """A bare ``vkzircon --option`` is ``vkzircon report --option``."""
    bare, named = vkzircon("--format", "json", **NO_VULKAN), vkzircon("report", "--format", "json", **NO_VULKAN)
    assert bare.code == named.code == 4
    assert bare.json["error"] == named.json["error"]
