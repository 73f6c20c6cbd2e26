# SPDX-License-Identifier: Apache-2.0
"""The options of the command line, each declared once. Their values are checked here, before the probe starts."""

import inspect
import math
import os
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from vkzircon_cli import __version__
from vkzircon_cli.model import request
from vkzircon_cli.model.request import DocumentKind, Formats, Shell
from vkzircon_cli.model.spec import HANDLE_TYPES
from vkzircon_cli.model.text import decode, visible
from vkzircon_cli.output import NO_FILES

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SMALLEST, _LARGEST = 4096, 1 << 40


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


def _seconds(seconds: float) -> float:
    if not math.isfinite(seconds):  # a range does not exclude NaN
        raise typer.BadParameter(f"{seconds} is not a number of seconds")
    return seconds


def _file(path: Path | None) -> Path | None:
    if path is not None and str(path) in NO_FILES:
        raise typer.BadParameter("a file's name is needed; without the option the result goes to standard output")
    return path


def _zip(path: Path | None) -> Path | None:
    if str(path) in NO_FILES:
        raise typer.BadParameter("a file's name is needed: a zip is not written to standard output")
    return path


def _handle_type(name: str) -> int:
    if name not in HANDLE_TYPES:
        raise typer.BadParameter(f"{visible(repr(name))} is not one of {', '.join(HANDLE_TYPES)}")
    return HANDLE_TYPES[name]


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _handle_types(incomplete: str) -> list[str]:
    return _beginning(HANDLE_TYPES, incomplete)


# The functions below import the checks when they run, because the import takes a third of the time of --help.


def _words() -> list[str]:
    from vkzircon_cli.explain import words

    return list(words())


def _checks(incomplete: str) -> list[str]:
    from vkzircon_cli.checks import in_order
    from vkzircon_cli.checks.registry import GROUPS

    return _beginning((*GROUPS, *(check.id for check in in_order())), incomplete)


def _conditions(incomplete: str) -> list[str]:
    from vkzircon_cli.report.conditions import FACTS

    return [*_checks(incomplete), *_beginning(FACTS, incomplete)]


def _require(conditions: list[str] | None) -> list[str] | None:
    from vkzircon_cli.report.conditions import parse_condition

    # Bytes that are not UTF-8 become escapes, so that the report can be read back.
    readable = [decode(os.fsencode(condition))[0] for condition in conditions or ()]
    for condition in readable:
        parse_condition(condition)
    return readable


def _known(names: list[str] | None) -> list[str] | None:
    from vkzircon_cli.report.conditions import refuse_unknown_checks

    refuse_unknown_checks(names or ())
    return names


# The type of a parameter, its default (REQUIRED: none), and its declaration for Typer.
Parameter = tuple[Any, Any, Any]
REQUIRED = inspect.Parameter.empty


def _option(type: Any, default: Any, names: str, help: str, metavar: str | None = None, **more: Any) -> Parameter:
    return type, default, typer.Option(*names.split(), metavar=metavar, help=help, **more)


def _flag(names: str, help: str) -> Parameter:
    return _option(bool, False, names, help)


def _size(default: int, help: str) -> Parameter:
    return _option(int, default, "--size", help, "BYTES", parser=parse_size)


def _time(name: str, default: float, help: str) -> Parameter:
    return _option(float, default, name, help, "SECONDS", min=0.1, max=request.MOST_SECONDS, callback=_seconds)


def _list(name: str, metavar: str, help: str, **more: Any) -> Parameter:
    return _option(list[str] | None, None, name, f"{help}; repeatable.", metavar, **more)


def _checks_named(name: str, help: str) -> Parameter:
    return _list(name, "CHECK", help, autocompletion=_checks, callback=_known)


def _argument(type: Any, default: Any, metavar: str, help: str, **more: Any) -> Parameter:
    return type, default, typer.Argument(metavar=metavar, help=help, **more)


_BY = "The type of handle to share by: zircon-vmo, opaque-fd, dma-buf, host-allocation, ..."
_ZIP = "The zip's name; without it vkzircon-bundle.zip, with a number if that exists."
_NEEDS = "Fail unless this holds: a check's id, or a fact compared, as device.type=discrete"
OPTIONS: Mapping[str, Parameter] = {
    "device": _option(
        str | None, None, "--device -d", "Use one device: its index, UUID prefix, or part of its name.", "SEL"
    ),
    "output": _option(
        Path | None, None, "--output -o", "Write to FILE, and nothing to standard output.", "FILE", callback=_file
    ),
    "quiet": _flag("--quiet -q", "Print nothing: only the exit code counts."),
    "verbose": _flag("--verbose -v", "Print more rows, and the time of each step."),
    "no_color": _flag("--no-color", "Print without colour, as with NO_COLOR."),
    "no_redact": _flag("--no-redact", "Hide nothing: leave in user and host names, UUIDs, passwords and keys."),
    "emulate": _flag("--emulate", "On Linux: turn on the emulation layer."),
    "persona": _option(
        str | None, None, "--persona", "With --emulate: behave as this driver does (emulate --list).", "NAME"
    ),
    "fault": _list("--fault", "NAME", "With --emulate: add this fault (emulate --list)"),
    "timeout": _time("--timeout", request.DEFAULT_TIMEOUT_S, "The time limit of one step."),
    "size": _size(request.DEFAULT_SIZE, "Bytes that a round trip moves: 4096, 64K, 16MiB, 1GiB."),
    "stress": _flag("--stress", "Also repeat imports and exports until a leak would show."),
    "negative": _flag("--negative", "Also make calls with wrong inputs, after all others."),
    "require": _list("--require", "CONDITION", _NEEDS, autocompletion=_conditions, callback=_require),
    "select": _checks_named("--select", "Only this check or group"),
    "ignore": _checks_named("--ignore", "Not this check or group"),
    "handle_type": _option(
        str, "zircon-vmo", "--handle-type", _BY, "NAME", callback=_handle_type, autocompletion=_handle_types
    ),
    "formats": _option(Formats, Formats.COMMON, "--formats", "The image formats to query."),
    "seconds": _time("--seconds", request.DEFAULT_SECONDS, "The total time to measure."),
    "largest": _size(request.LARGEST_SHARED, "The largest buffer to share: 64K, 64MiB, 1GiB."),
    "zip": _option(Path | None, None, "--output -o", _ZIP, "FILE", callback=_zip),
    "command": _argument(list[str] | None, None, "-- COMMAND ...", "The program and its arguments."),
    "print_env": _flag("--print-env", "Print the variables that turn the emulation on."),
    "shell": _option(Shell | None, None, "--shell", "With --print-env: the shell; without the option, that of $SHELL."),
    "cflags": _flag("--cflags", "Print the compiler flags to find Zircon's headers."),
    "libs": _flag("--libs", "Print the linker flags to find libzircon."),
    "list": _flag("--list", "List the personas and the faults."),
    "file": _argument(Path, REQUIRED, "FILE", "A report (--format json) or a trace."),
    "before": _argument(Path, REQUIRED, "A", "A report or a trace, the earlier one."),
    "after": _argument(Path, REQUIRED, "B", "The later one."),
    "word": _argument(str | None, None, "[WORD]", "What to explain, in upper or lower case.", autocompletion=_words),
    "document": _argument(DocumentKind, DocumentKind.REPORT, "[DOCUMENT]", "report, matrix, diff, doctor or bench."),
    "version": _option(bool, False, "--version", "Print the version and exit.", callback=_show_version, is_eager=True),
}


def signature(options: str, formats: str) -> inspect.Signature:
    """Return the signature that Typer reads: *options*, with the first of *formats* as the default of ``format``."""
    return inspect.Signature([_parameter(name, *(OPTIONS.get(name) or _format(formats))) for name in options.split()])


def _format(formats: str) -> Parameter:
    known = StrEnum("Format", [(each.upper(), each) for each in formats.split()])  # type: ignore[misc]
    return _option(known, next(iter(known)), "--format -f", "The format of the result.")


def _parameter(name: str, of: Any, default: Any, declaration: Any) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=Annotated[of, declaration])
