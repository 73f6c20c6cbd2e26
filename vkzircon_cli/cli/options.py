# SPDX-License-Identifier: Apache-2.0
"""The command line's options, each written once. Accepted values are checked here, before anything is asked."""

import math
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from vkzircon_cli import __version__
from vkzircon_cli.model.request import Formats, Shell
from vkzircon_cli.model.spec import HANDLE_TYPES
from vkzircon_cli.model.text import decode, visible
from vkzircon_cli.output import NO_FILES
from vkzircon_cli.render import BenchFormat, DevicesFormat, DiffFormat, Format, MatrixFormat, Rendered, WordFormat
from vkzircon_cli.stream.document import DocumentKind

_MOST_SECONDS = 3600.0


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SMALLEST, _LARGEST = 4096, 1 << 40


def parse_size(text: str | int) -> int:
    """Read a size in bytes: a whole number with K, M or G (powers of 1024), and iB behind it or not."""
    found = re.fullmatch(r"(\d{1,15})\s*([KMG]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if not _SMALLEST <= size <= _LARGEST:
        raise typer.BadParameter(
            f"{str(text)!r} is no size from {_SMALLEST} bytes to 1024 GiB (4096, 64K, 16MiB, 1GiB)"
        )
    return size - size % 4  # a device fills whole 32-bit words


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vkzircon {__version__}")
        raise typer.Exit


def _seconds(seconds: float) -> float:
    if not math.isfinite(seconds):  # which no range excludes
        raise typer.BadParameter(f"{seconds} is not a number of seconds")
    return seconds


def _output(path: Path | None) -> Path | None:
    if path is not None and str(path) in NO_FILES:
        raise typer.BadParameter("a file's name is needed; without the option the result goes to standard output")
    return path


def _zip(path: Path) -> Path:
    if str(path) in NO_FILES:
        raise typer.BadParameter("a file's name is needed: a zip is not written to standard output")
    return path


def _handle_type(name: str) -> str:
    if name not in HANDLE_TYPES:
        raise typer.BadParameter(f"{visible(repr(name))} is not one of {', '.join(HANDLE_TYPES)}")
    return name


def _handle_types(incomplete: str) -> list[str]:
    return [name for name in HANDLE_TYPES if name.startswith(incomplete)]


def _words() -> list[str]:
    from vkzircon_cli.explain import words

    return list(words())


def _checks(incomplete: str) -> list[str]:
    from vkzircon_cli.checks import in_order
    from vkzircon_cli.checks.registry import GROUPS

    return [name for name in (*GROUPS, *(check.id for check in in_order())) if name.startswith(incomplete)]


def _conditions(incomplete: str) -> list[str]:
    from vkzircon_cli.report.requirable import FACTS

    return [*_checks(incomplete), *(name for name in FACTS if name.startswith(incomplete))]


def _require(conditions: list[str] | None) -> list[str] | None:
    from vkzircon_cli.report.conditions import parse_condition

    # Bytes that are no UTF-8 stand as escapes from here on: a report of them must be read back.
    readable = [decode(os.fsencode(condition))[0] for condition in conditions or ()]
    for condition in readable:
        parse_condition(condition)
    return readable


def _known(names: list[str] | None) -> list[str] | None:
    from vkzircon_cli.report.conditions import refuse_unknown_checks

    refuse_unknown_checks(names or ())
    return names


Device = Annotated[
    str | None,
    typer.Option("--device", "-d", metavar="SEL", help="Ask one device: its index, UUID prefix, or part of its name."),
]
OutputFormat = Annotated[Format, typer.Option("--format", "-f", help="How the result is written.")]
DevicesOutputFormat = Annotated[DevicesFormat, typer.Option("--format", "-f", help="How the result is written.")]
ExplainFormat = Annotated[WordFormat, typer.Option("--format", "-f", help="How the result is written.")]
ShowFormat = Annotated[Rendered, typer.Option("--format", "-f", help="How the result is written.")]
SavedFile = Annotated[Path, typer.Argument(metavar="FILE", help="A report (--format json) or a trace.")]
Before = Annotated[Path, typer.Argument(metavar="A", help="A report or a trace, the earlier one.")]
After = Annotated[Path, typer.Argument(metavar="B", help="The later one.")]
Word = Annotated[
    str | None,
    typer.Argument(metavar="[WORD]", autocompletion=_words, help="What to explain, in upper or lower case."),
]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", callback=_output, help="Write to FILE; standard output then stays empty."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing: the exit code tells.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print more rows, and the time of each step.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print without colour, as with NO_COLOR.")]
EmulateOption = Annotated[bool, typer.Option("--emulate", help="On Linux: turn on the emulation layer.")]
Persona = Annotated[
    str | None,
    typer.Option("--persona", metavar="NAME", help="With --emulate: behave as that driver does (emulate --list)."),
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="NAME", help="With --emulate: be wrong in that way (emulate --list); repeatable."),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        "--require",
        metavar="CONDITION",
        autocompletion=_conditions,
        callback=_require,
        help="Fail unless this holds: a check's id, or a fact compared, as device.type=discrete; repeatable.",
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="CHECK",
        autocompletion=_checks,
        callback=_known,
        help="Only this check or group; repeatable.",
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="CHECK",
        autocompletion=_checks,
        callback=_known,
        help="Not this check or group; repeatable.",
    ),
]
NoRedact = Annotated[
    bool,
    typer.Option("--no-redact", help="Hide nothing: leave names of users and hosts, UUIDs and the like in."),
]
Stress = Annotated[bool, typer.Option("--stress", help="Also repeat imports and exports until a leak would show.")]
Negative = Annotated[bool, typer.Option("--negative", help="Also call with wrong inputs, last of all.")]
Size = Annotated[
    int,
    typer.Option(
        "--size", metavar="BYTES", parser=parse_size, help="Bytes that a round trip moves: 4096, 64K, 16MiB, 1GiB."
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.1,
        max=_MOST_SECONDS,
        callback=_seconds,
        help="How long one step may take.",
    ),
]
HandleType = Annotated[
    str,
    typer.Option(
        "--handle-type",
        metavar="NAME",
        callback=_handle_type,
        autocompletion=_handle_types,
        help="What to share by: zircon-vmo, opaque-fd, dma-buf, host-allocation, ...",
    ),
]
FormatSet = Annotated[Formats, typer.Option("--formats", help="Which image formats are asked for.")]
MatrixOutputFormat = Annotated[MatrixFormat, typer.Option("--format", "-f", help="How the result is written.")]
BenchOutputFormat = Annotated[BenchFormat, typer.Option("--format", "-f", help="How the result is written.")]
Seconds = Annotated[
    float,
    typer.Option(
        "--seconds",
        metavar="SECONDS",
        min=0.1,
        max=_MOST_SECONDS,
        callback=_seconds,
        help="How long to measure, all in all.",
    ),
]
Largest = Annotated[
    int,
    typer.Option("--size", metavar="BYTES", parser=parse_size, help="The largest buffer to share: 64K, 64MiB, 1GiB."),
]
ListFaults = Annotated[bool, typer.Option("--list", help="List the personas and the faults.")]
PrintEnv = Annotated[bool, typer.Option("--print-env", help="Print what a shell must set to turn the emulation on.")]
ShellSyntax = Annotated[
    Shell | None, typer.Option("--shell", help="With --print-env: the shell; that of $SHELL unless told.")
]
CompilerFlags = Annotated[bool, typer.Option("--cflags", help="Print what a compiler needs to find Zircon's headers.")]
LinkerFlags = Annotated[bool, typer.Option("--libs", help="Print what a linker needs to find libzircon.")]
Command = Annotated[list[str] | None, typer.Argument(metavar="-- COMMAND ...", help="The program and its arguments.")]
DiffOutputFormat = Annotated[DiffFormat, typer.Option("--format", "-f", help="How the result is written.")]
DEFAULT_BUNDLE = Path("vkzircon-bundle.zip")
BundleFile = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", callback=_zip, help="The zip's name."),
]
DocumentName = Annotated[
    DocumentKind, typer.Argument(metavar="[DOCUMENT]", help="report, matrix, diff, doctor or bench.")
]
Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
]
