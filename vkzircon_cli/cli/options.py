# SPDX-License-Identifier: Apache-2.0
"""The options of the command line, each written once. Their values are checked here, before the driver is asked."""

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
from vkzircon_cli.model.request import (
    DEFAULT_SECONDS,
    DEFAULT_SIZE,
    DEFAULT_TIMEOUT_S,
    LARGEST_SHARED,
    DocumentKind,
    Formats,
    Shell,
)
from vkzircon_cli.model.spec import HANDLE_TYPES
from vkzircon_cli.model.text import decode, visible
from vkzircon_cli.output import NO_FILES

_MOST_SECONDS = 3600.0
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


def _zip(path: Path) -> Path:
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


# The functions below import the checks when they run: that takes a third of the time of --help.


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


def _flag(*names: str, help: str) -> Parameter:
    return bool, False, typer.Option(*names, help=help)


def _size(default: int, help: str) -> Parameter:
    return int, default, typer.Option("--size", metavar="BYTES", parser=parse_size, help=help)


def _time(name: str, default: float, help: str) -> Parameter:
    option = typer.Option(name, metavar="SECONDS", min=0.1, max=_MOST_SECONDS, callback=_seconds, help=help)
    return float, default, option


def _list(name: str, metavar: str, help: str, **more: Any) -> Parameter:
    return list[str] | None, None, typer.Option(name, metavar=metavar, help=f"{help}; repeatable.", **more)


def _argument(type: Any, default: Any, metavar: str, help: str | None = None, **more: Any) -> Parameter:
    return type, default, typer.Argument(metavar=metavar, help=help, **more)


OPTIONS: Mapping[str, Parameter] = {
    "device": (
        str | None,
        None,
        typer.Option(
            "--device", "-d", metavar="SEL", help="Ask one device: its index, UUID prefix, or part of its name."
        ),
    ),
    "output": (
        Path | None,
        None,
        typer.Option(
            "--output", "-o", metavar="FILE", callback=_file, help="Write to FILE, and nothing to standard output."
        ),
    ),
    "quiet": _flag("--quiet", "-q", help="Print nothing: only the exit code counts."),
    "verbose": _flag("--verbose", "-v", help="Print more rows, and the time of each step."),
    "no_color": _flag("--no-color", help="Print without colour, as with NO_COLOR."),
    "no_redact": _flag("--no-redact", help="Hide nothing: leave in names of users and hosts, UUIDs and the like."),
    "emulate": _flag("--emulate", help="On Linux: turn on the emulation layer."),
    "persona": (
        str | None,
        None,
        typer.Option("--persona", metavar="NAME", help="With --emulate: behave as this driver does (emulate --list)."),
    ),
    "fault": _list("--fault", "NAME", "With --emulate: add this fault (emulate --list)"),
    "timeout": _time("--timeout", DEFAULT_TIMEOUT_S, "How long one step may take."),
    "size": _size(DEFAULT_SIZE, "Bytes that a round trip moves: 4096, 64K, 16MiB, 1GiB."),
    "stress": _flag("--stress", help="Also repeat imports and exports until a leak would show."),
    "negative": _flag("--negative", help="Also call with wrong inputs, last of all."),
    "require": _list(
        "--require",
        "CONDITION",
        "Fail unless this holds: a check's id, or a fact compared, as device.type=discrete",
        autocompletion=_conditions,
        callback=_require,
    ),
    "select": _list("--select", "CHECK", "Only this check or group", autocompletion=_checks, callback=_known),
    "ignore": _list("--ignore", "CHECK", "Not this check or group", autocompletion=_checks, callback=_known),
    "handle_type": (
        str,
        "zircon-vmo",
        typer.Option(
            "--handle-type",
            metavar="NAME",
            callback=_handle_type,
            autocompletion=_handle_types,
            help="The type of handle to share by: zircon-vmo, opaque-fd, dma-buf, host-allocation, ...",
        ),
    ),
    "formats": (Formats, Formats.COMMON, typer.Option("--formats", help="Which image formats are asked for.")),
    "seconds": _time("--seconds", DEFAULT_SECONDS, "How long to measure in total."),
    "largest": _size(LARGEST_SHARED, "The largest buffer to share: 64K, 64MiB, 1GiB."),
    "zip": (
        Path,
        Path("vkzircon-bundle.zip"),
        typer.Option("--output", "-o", metavar="FILE", callback=_zip, help="The zip's name."),
    ),
    "command": _argument(list[str] | None, None, "-- COMMAND ...", "The program and its arguments."),
    "print_env": _flag("--print-env", help="Print what a shell must set to turn the emulation on."),
    "shell": (
        Shell | None,
        None,
        typer.Option("--shell", help="With --print-env: the shell; without the option, that of $SHELL."),
    ),
    "cflags": _flag("--cflags", help="Print what a compiler needs to find Zircon's headers."),
    "libs": _flag("--libs", help="Print what a linker needs to find libzircon."),
    "list": _flag("--list", help="List the personas and the faults."),
    "file": _argument(Path, REQUIRED, "FILE", "A report (--format json) or a trace."),
    "before": _argument(Path, REQUIRED, "A", "A report or a trace, the earlier one."),
    "after": _argument(Path, REQUIRED, "B", "The later one."),
    "word": _argument(str | None, None, "[WORD]", "What to explain, in upper or lower case.", autocompletion=_words),
    "document": _argument(DocumentKind, DocumentKind.REPORT, "[DOCUMENT]", "report, matrix, diff, doctor or bench."),
    "version": (
        bool,
        False,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ),
}


def signature(options: str, formats: str) -> inspect.Signature:
    """Return the signature that Typer reads: *options*, with the first of *formats* as the default of ``format``."""
    return inspect.Signature([_parameter(name, *(OPTIONS.get(name) or _format(formats))) for name in options.split()])


def _format(formats: str) -> Parameter:
    known = StrEnum("Format", [(each.upper(), each) for each in formats.split()])  # type: ignore[misc]
    return known, next(iter(known)), typer.Option("--format", "-f", help="The format of the result.")


def _parameter(name: str, of: Any, default: Any, declaration: Any) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=Annotated[of, declaration])
