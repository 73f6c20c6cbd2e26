# SPDX-License-Identifier: Apache-2.0
"""The options of the command line, each declared once. Their values are checked here, before the probe starts."""

import inspect
import math
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from vkzircon_cli import __version__
from vkzircon_cli.cli import completion
from vkzircon_cli.cli.command_table import COMMANDS
from vkzircon_cli.errors import Usage
from vkzircon_cli.model import request
from vkzircon_cli.model.quantities import exactly
from vkzircon_cli.model.request import DocumentKind, FailOn, Formats, Shell
from vkzircon_cli.model.spec import HANDLE_TYPES
from vkzircon_cli.model.text import decode, did_you_mean, visible
from vkzircon_cli.output import NO_FILES

_LEAST_SECONDS = 0.1
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SMALLEST, _LARGEST = 4096, 1 << 40
SUFFIXES = {".html": "html", ".json": "json", ".md": "markdown", ".xml": "junit", ".csv": "csv"}


def parse_size(text: str | int) -> int:
    """Parse a size in bytes: a whole number, K, M or G (powers of 1024) or none, then iB, B or nothing."""
    found = re.fullmatch(r"(\d{1,15})\s*([KMG]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if not _SMALLEST <= size <= _LARGEST:
        raise typer.BadParameter(
            f"{str(text)!r} is not a size from {_SMALLEST} bytes to 1024 GiB (4096, 64K, 16MiB, 1GiB)"
        )
    return size - size % 4  # a device fills whole 32-bit words


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vkzircon {__version__}")
        raise typer.Exit


def parse_seconds(text: str | float) -> float:
    """Parse a number of seconds, with or without an s."""
    try:
        seconds = float(str(text).strip().removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not _LEAST_SECONDS <= seconds <= request.MOST_SECONDS:  # NaN is in no range
        raise typer.BadParameter(
            f"{visible(repr(text))} is not a number of seconds from {_LEAST_SECONDS:g} to {request.MOST_SECONDS:g}"
        )
    return seconds


def _file(path: Path | None) -> Path | None:
    if path is not None and str(path) in NO_FILES:
        raise typer.BadParameter("a file's name is needed; without the option the result goes to standard output")
    return path


def _zip(path: Path | None) -> Path | None:
    if str(path) in NO_FILES:
        raise typer.BadParameter("a file's name is needed: a zip is not written to standard output")
    return path


def _words(command: str | None) -> str | None:
    try:
        if command is None or shlex.split(command):
            return command
        reason = "it is empty"
    except ValueError as error:
        reason = str(error)
    raise typer.BadParameter(f"{visible(repr(command))} is not a command: {reason}")


# The functions below import the checks if the option is given: the worker waits for its request until all are parsed.


def _require(conditions: list[str] | None) -> list[str] | None:
    if not conditions:
        return []
    from vkzircon_cli.report.conditions import parse_condition

    # Bytes that are not UTF-8 become escapes, so that the report can be read back.
    readable = [decode(os.fsencode(condition))[0] for condition in conditions]
    for condition in readable:
        parse_condition(condition)
    return readable


def _condition(condition: str | None) -> str | None:
    return condition and "".join(_require([condition]) or ())


def _spark(engine: str | None) -> str | None:
    if engine is None or (engine.startswith("spark=") and engine != "spark="):
        return engine
    raise typer.BadParameter(f"{visible(repr(engine))} is not spark= and a master, as in spark=local[2]")


def _split(lists: list[str] | None) -> list[str]:
    return [name for each in lists or () for name in each.split(",")]


def _known(lists: list[str] | None) -> list[str]:
    if not lists:
        return []
    from vkzircon_cli.report.conditions import refuse_unknown_checks

    refuse_unknown_checks(_split(lists))
    return _split(lists)


def _listed(words: Iterable[str]) -> str:
    *all_but_last, last = words
    return f"{', '.join(all_but_last)} or {last}"


# The type of a parameter, its default (REQUIRED: none), and its declaration for Typer.
Parameter = tuple[Any, Any, Any]
REQUIRED = inspect.Parameter.empty


def _option(type: Any, default: Any, names: str, help: str, metavar: str | None = None, **more: Any) -> Parameter:
    return type, default, typer.Option(*names.split(), metavar=metavar, help=help, show_default=False, **more)


def _flag(names: str, help: str) -> Parameter:
    return _option(bool, False, names, help)


def _size(default: int, help: str) -> Parameter:
    return _option(int, default, "--size", f"{help} (default: {exactly(default)}).", "BYTES", parser=parse_size)


def _time(name: str, default: float, help: str) -> Parameter:
    return _option(float, default, name, f"{help} (default: {default:g} s).", "SECONDS", parser=parse_seconds)


def _list(name: str, metavar: str, help: str, **more: Any) -> Parameter:
    return _option(list[str] | None, None, name, help, metavar, **more)


def _checks_named(name: str, help: str) -> Parameter:
    return _list(name, "CHECK", help, autocompletion=completion.checks, callback=_known)


def _one_of(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for an option that takes one of the words of *known*, which maps each word to its value."""

    def parse(typed: Any) -> Any:
        if typed not in known:
            sentence = f"{visible(repr(typed))} is not one of {', '.join(known)}"
            raise typer.BadParameter(" ".join(filter(None, (f"{sentence}.", did_you_mean(typed, list(known))))))
        return known[typed]

    return {"parser": parse, "autocompletion": completion.of(known)}


def _choice(of: type[StrEnum], default: Any, names: str, help: str, metavar: str) -> Parameter:
    return _option(Any, default, names, help, metavar, **_one_of({each.value: each for each in of}))


def _argument(type: Any, default: Any, metavar: str, help: str, **more: Any) -> Parameter:
    return type, default, typer.Argument(metavar=metavar, help=help, show_default=False, **more)


def _panel(title: str, options: dict[str, Parameter]) -> dict[str, Parameter]:
    """Put *options* under a heading of the help."""
    for _, _, declaration in options.values():
        declaration.rich_help_panel = title
    return options


_DOCUMENTS = {each.value: each for each in DocumentKind}
_TEST = {
    "device": _option(
        str | None, None, "--device -d", "Use one device: its index, UUID prefix, or part of its name.", "SEL"
    ),
    "require": _list(
        "--require",
        "CONDITION",
        "Fail unless this holds: a check's id, or a comparison such as device.type=discrete. Repeatable.",
        autocompletion=completion.conditions,
        callback=_require,
    ),
    "select": _checks_named("--select", "Use only these checks or groups: A,B, or repeat the option."),
    "ignore": _checks_named("--ignore", "Leave out these checks or groups: A,B, or repeat the option."),
    "size": _size(request.DEFAULT_SIZE, "Bytes that a round trip moves: 4096, 64K, 16MiB, 1GiB"),
    "stress": _flag("--stress", "Also repeat imports and exports until a leak would show."),
    "negative": _flag("--negative", "Also make calls with wrong inputs, after all others."),
    "handle_type": _option(
        Any,
        "zircon-vmo",
        "--handle-type",
        "The type of handle to share by: zircon-vmo (the default), opaque-fd, dma-buf, host-allocation and the like.",
        "NAME",
        **_one_of(HANDLE_TYPES),
    ),
    "formats": _choice(Formats, Formats.COMMON, "--formats", "The image formats: common (the default) or all.", "SET"),
    "seconds": _time("--seconds", request.DEFAULT_SECONDS, "The total time to measure"),
    "largest": _size(request.LARGEST_SHARED, "The largest buffer to share: 64K, 64MiB, 1GiB"),
    "timeout": _time("--timeout", request.DEFAULT_TIMEOUT_S, "The time limit of one step"),
    "agent": _option(
        str | None,
        None,
        "--agent",
        "Call the driver through the agent that COMMAND starts: 'ssh board vkzircon-agent' (vkzircon help agent).",
        "COMMAND",
        callback=_words,
    ),
}
_SURVEY = {
    "by": _list(
        "--by",
        "FACT",
        "A column of coverage for each value of these facts: A,B, or repeat the option.",
        autocompletion=completion.facts,
        callback=_split,
    ),
    "where": _list(
        "--where",
        "CONDITION",
        "Only devices that meet this condition, as --require takes it. Repeatable.",
        autocompletion=completion.conditions,
        callback=_require,
    ),
    "since": _option(
        str | None, None, "--since", "Compare the last run of each device before DATE with its last one after.", "DATE"
    ),
    "until": _option(str | None, None, "--until", "With --since: leave out runs after DATE.", "DATE"),
    "baseline": _option(
        str | None,
        None,
        "--baseline",
        "Compare the last run of each device that meets this condition with its last one that does not.",
        "CONDITION",
        autocompletion=completion.conditions,
        callback=_condition,
    ),
    "outliers": _flag("--outliers", "List what differs on one device from all others of the same driver."),
    "sql": _option(str | None, None, "--sql", "Run your own query on the tables (docs/reference.md).", "QUERY"),
    "print_sql": _flag("--print-sql", "Print the query, and run nothing."),
    "export": _option(
        Path | None,
        None,
        "--export",
        "Also write the tables as Parquet to DIR, and read only new files there.",
        "DIR",
        callback=_file,
    ),
    "engine": _option(
        str | None,
        None,
        "--engine",
        "Query exported tables on Spark: spark=local[2], spark=spark://HOST:PORT.",
        "spark=MASTER",
        callback=_spark,
    ),
}
_EMULATION = {
    "emulate": _flag("--emulate", "On Linux: turn on the emulation layer."),
    "persona": _option(
        str | None,
        None,
        "--persona",
        "Imitate this driver (vkzircon emulate --list).",
        "NAME",
        autocompletion=completion.personas,
    ),
    "fault": _list(
        "--fault",
        "NAME",
        "Add these faults: A,B, or repeat the option (vkzircon emulate --list).",
        autocompletion=completion.faults,
        callback=_split,
    ),
}
_OUTPUT = {
    "fail_on": _choice(
        FailOn,
        FailOn.ANY,
        "--fail-on",
        "The differences that cause exit code 1: any (the default) or worse.",
        "KIND",
    ),
    "output": _option(
        Path | None, None, "--output -o", "Write to FILE, and nothing to standard output.", "FILE", callback=_file
    ),
    "zip": _option(
        Path,
        None,
        "--output -o",
        "The zip's name (default: vkzircon-bundle.zip, with a number if that exists).",
        "FILE",
        callback=_zip,
    ),
    "quiet": _flag("--quiet -q", "Print nothing: only the exit code counts."),
    "verbose": _flag("--verbose -v", "Print more rows, and the time of each step."),
    "no_color": _flag("--no-color", "Print without colour, as with NO_COLOR."),
    "no_redact": _flag("--no-redact", "Hide nothing: leave in user and host names, UUIDs, passwords and keys."),
    "source": _option(
        Path | None, None, "--source", "Write the agent's source to the folder DIR.", "DIR", callback=_file
    ),
    "build": _option(
        Path | None, None, "--build", "Compile the agent for this machine to FILE.", "FILE", callback=_file
    ),
    "print_env": _flag("--print-env", "Print the variables that turn the emulation on."),
    "shell": _choice(Shell, None, "--shell", "With --print-env: bash, zsh or fish (default: that of $SHELL).", "NAME"),
    "cflags": _flag("--cflags", "Print the compiler flags to find Zircon's headers."),
    "libs": _flag("--libs", "Print the linker flags to find libzircon."),
    "list": _flag("--list", "List the personas and the faults."),
}
OPTIONS: Mapping[str, Parameter] = {
    **_panel("What to test", _TEST),
    **_panel("Question", _SURVEY),
    **_panel("Emulation", _EMULATION),
    **_panel("Output", _OUTPUT),
    "command": _argument(list[str] | None, None, "-- COMMAND ...", "The program and its arguments."),
    "file": _argument(
        Path, REQUIRED, "FILE", "A saved document (--format json) or a trace (--format trace); - is standard input."
    ),
    "before": _argument(Path, REQUIRED, "A", "A saved document or a trace, the earlier one; - is standard input."),
    "after": _argument(Path, REQUIRED, "B", "The later one."),
    "paths": _argument(
        list[str] | None, None, "PATH...", "Folders, files, patterns in quotes, or one folder of exported tables."
    ),
    "word": _argument(
        str | None, None, "[WORD]", "What to explain, in upper or lower case.", autocompletion=completion.words
    ),
    "document": _argument(
        Any, DocumentKind.REPORT, "[DOCUMENT]", f"{_listed(_DOCUMENTS)}; report by default.", **_one_of(_DOCUMENTS)
    ),
    "topic": _argument(
        str | None, None, "[COMMAND]", "The command to describe.", autocompletion=completion.of([*COMMANDS, "help"])
    ),
    "version": _option(bool, False, "--version", "Print the version and exit.", callback=_show_version, is_eager=True),
}


def signature(options: str, formats: str) -> inspect.Signature:
    """Return the signature that Typer reads: *options*, with the first of *formats* as the default of ``format``."""
    return inspect.Signature([_parameter(name, *(OPTIONS.get(name) or _format(formats))) for name in options.split()])


def _format(formats: str) -> Parameter:
    known = formats.split()
    first, *others = known
    about = f"The format: {_listed([f'{first} (the default)', *others])}. The suffix of --output can choose it too."
    option = _option(Any, None, "--format -f", about, "FORMAT", **_one_of({each: each for each in known}))
    return _panel("Output", {"format": option})["format"]


def chosen_format(formats: str, asked: str | None, output: Path | None) -> str:
    """Return the format of a result: the one *asked* for, or that of *output*'s suffix, or the first of *formats*.

    Raises:
        Usage: the suffix belongs to another format than the one asked for, or to one that the command does not have.
    """
    known = formats.split()
    by_suffix = SUFFIXES.get(output.suffix.lower()) if output else None
    if output is None or by_suffix is None or asked == by_suffix:
        return asked or known[0]
    name = visible(output.name)
    if asked:
        raise Usage(f"--format {asked} contradicts --output {name}.", "Change one, or leave out --format.")
    if by_suffix not in known:
        raise Usage(
            f"--output {name} means the format {by_suffix}, which this command cannot write.",
            f"Formats: {', '.join(known)}.",
        )
    return by_suffix


def _parameter(name: str, of: Any, default: Any, declaration: Any) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=Annotated[of, declaration])
