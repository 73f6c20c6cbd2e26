# SPDX-License-Identifier: Apache-2.0
"""The command line itself: what it accepts and what it refuses, both without Vulkan."""

import re
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.cli import app, command_table
from vkzircon_cli.errors import Exit

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
CAPTURE = Path(__file__).parents[1] / "golden" / "captures" / "lavapipe-emulated.json"
COMMANDS = ("report", "check", "devices", "matrix", "bench")


def test_version_is_printed_without_vulkan(vkzircon: Run) -> None:
    """``--version`` never touches Vulkan, before a command and after it."""
    for arguments in (("--version",), *((command, "--version") for command in COMMANDS)):
        ran = vkzircon(*arguments, **NO_VULKAN)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("vkzircon ")


def test_the_help_of_the_program_says_how_to_begin_and_names_every_exit_code(vkzircon: Run) -> None:
    """``--help`` never touches Vulkan; it has one line for each command, and each exit code once."""
    ran = vkzircon("--help", **NO_VULKAN)
    assert (ran.code, ran.err) == (0, "")
    assert "vkzircon --emulate  " in ran.out
    rows = re.findall(r"^  (\d[\d, ]*?)  ", ran.out, re.MULTILINE)
    assert sorted(int(code) for row in rows for code in row.split(", ")) == sorted(Exit)
    assert set(re.findall(r"^  ([a-z]+) +[A-Z]", ran.out, re.MULTILINE)) >= {*command_table.COMMANDS, "help"}


@pytest.mark.parametrize("command", [*command_table.COMMANDS, "help"])
def test_the_help_of_a_command_fits_and_has_an_example(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    """At 80 columns nothing is cut, options have headings, and defaults have units."""
    assert app.run([command, "--help"]) == 0
    shown = capfd.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "..\n" not in shown.replace("COMMAND ...", "")
    assert re.search(rf"^Examples?:\n(  .*\n)*  .*vkzircon {command}", shown, re.MULTILINE)
    options = command_table.COMMANDS[command].options if command in command_table.COMMANDS else ""
    assert ("\nWhat to test:\n" in shown) == ("device" in options or "timeout" in options)
    assert ("\nEmulation:\n" in shown) == ("persona" in options)
    assert not re.search(r"\[default|\d\.0|65536|<=x", shown)


def test_help_is_a_command_too(vkzircon: Run) -> None:
    """``vkzircon help check`` prints what ``vkzircon check --help`` does."""
    assert vkzircon("help", "check", **NO_VULKAN) == vkzircon("check", "--help", **NO_VULKAN)
    assert vkzircon("help", **NO_VULKAN) == vkzircon("--help", **NO_VULKAN)
    ran = vkzircon("help", "chek", **NO_VULKAN)
    assert (ran.code, ran.out) == (2, "")
    assert "No such command 'chek'. Did you mean check" in ran.err


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
        (("report", "--format", "xml"), "'xml' is not one of terminal, json"),
        (("report", "--timeout", "0"), "'0' is not a number of seconds from 0.1 to 3600"),
        (("report", "--timeout", "soon"), "'soon' is not a number of seconds"),
        (("report", "--timeout", "nan"), "nan"),
        (("bench", "--seconds", "0"), "'0' is not a number of seconds from 0.1 to 3600"),
        (("bench", "--size", "1"), "'1' is not a size from 4096"),
        (("bench", "--format", "csv"), "is not one of terminal, json, html"),
        (("matrix", "--format", "trace"), "is not one of terminal, json, csv"),
        (("matrix", "--formats", "most"), "is not one of common, all"),
        (("matrix", "--handle-type", "\x1b[31m"), "is not one of opaque-fd"),
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
    assert "\x1b" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("check", "--size"), "See: vkzircon check --help"),
        (("matrix", "--formats"), "See: vkzircon matrix --help"),
        (("--size",), "See: vkzircon report --help"),
        (("--require", "x"), "vkzircon report has no option --require. It belongs to: vkzircon check"),
        (("doctor", "--size", "1M"), "vkzircon doctor has no option --size. It belongs to: vkzircon report, check, "),
        (("bundle", "--output", "-"), "a zip is not written to standard output"),
        (("chek",), "Did you mean check"),
        (("report", "--fromat", "json"), "Did you mean --format"),
        (("report", "--format", "jsn"), "Did you mean json?"),
        (("matrix", "--handle-type", "zircon"), "Did you mean zircon-vmo?"),
        (("schema", "mtrix"), "Did you mean matrix?"),
        (("emulate", "--print-env", "--shell", "bsh"), "Did you mean bash"),
        (("emulate", "--persona", "goldfisch", "--", "true"), "Did you mean --persona goldfish?"),
        (
            ("emulate", "--fault", "refuse-impor", "--", "true"),
            'There is no fault "refuse-impor" (--fault, --persona or ',
        ),
        (("emulate", "--fault", "refuse-get,refuse-impor", "--", "true"), "Did you mean --fault refuse-import"),
        (("check", "--select", "export,impot"), "Did you mean import"),
        (("check", "--require", "memory.typs>1"), "Did you mean memory.types"),
        (("check", "--require", "device.type=gpu"), "Did you mean cpu? It is one of: other, integrated, discrete, "),
        (("report", "--format", "json", "--output", "x.html"), "--format json contradicts --output x.html."),
        (("devices", "--output", "x.HTML"), "--output x.HTML means the format html, which this command cannot write."),
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


def test_the_suffix_of_a_file_chooses_the_format(vkzircon: Run, tmp_path: Path) -> None:
    """Without --format; an unknown suffix gets the terminal's format."""
    begins = {"a.json": "{", "a.md": "**", "a.html": "<!doctype html>", "a.xml": "<?xml", "a.txt": ""}
    for name, start in begins.items():
        assert vkzircon("show", str(CAPTURE), "-o", name, **NO_VULKAN).out == ""
        assert (tmp_path / name).read_text().lower().startswith(start.lower()), name
    assert "<" not in (tmp_path / "a.txt").read_text()[:1]


def test_a_list_of_checks_may_have_commas(emulated: Run) -> None:
    """``--select a,b`` is ``--select a --select b``."""
    found = emulated("check", "--select", "export,import.twice", "--ignore", "export.rights,export.size", "-f", "json")
    ids = {check["id"] for check in found.json["checks"]}
    assert {each.partition(".")[0] for each in ids - {"import.twice"}} == {"export"}
    assert "import.twice" in ids
    assert ids.isdisjoint({"export.rights", "export.size"})
