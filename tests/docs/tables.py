# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reference.md, and the man page, from what the program itself knows."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import typer.main

from vkzircon_cli import __version__
from vkzircon_cli.checks import in_order
from vkzircon_cli.cli import app
from vkzircon_cli.cli.command_table import COMMANDS
from vkzircon_cli.cli.options import OPTIONS
from vkzircon_cli.render import RENDERERS
from vkzircon_cli.render.style import Format
from vkzircon_cli.report.conditions import FACTS, Kind, NamedFact
from vkzircon_cli.survey.tables import TABLES as SURVEYED


def checks() -> Iterator[str]:
    """Yield the rows of all checks."""
    yield from ("| check | holds when | rests on |", "|---|---|---|")
    yield from (f"| `{check.id}` | {check.text.meaning} | {check.rule} |" for check in in_order())


def facts() -> Iterator[str]:
    """Yield the rows of all facts that a condition can name."""
    yield from ("| fact | is a | what it is |", "|---|---|---|")
    yield from (f"| `{fact.name}` | {_kind(fact)} | {fact.meaning} |" for fact in FACTS.values())


def _kind(fact: NamedFact) -> str:
    return f"{fact.kind}: {', '.join(fact.words)}" if fact.words and fact.kind is Kind.WORD else fact.kind


def commands() -> Iterator[str]:
    """Yield the rows of all commands."""
    yield from ("| command | does |", "|---|---|")
    for name, command in _commands().items():
        arguments = "".join(f" {param.metavar}" for param in command.params if param.param_type_name == "argument")
        yield f"| `vkzircon {name}{arguments}` | {' '.join(command.short_help.split())} |"


def options() -> Iterator[str]:
    """Yield the rows of all options: how they are typed, the commands that have them, and the help."""
    yield from ("| option | of | meaning |", "|---|---|---|", _formatted())
    for name in OPTIONS:
        groups: dict[tuple[str, str], list[str]] = {}
        for each, command in _commands().items():
            if typed := _typed(command, name):
                groups.setdefault(typed, []).append(each)
        yield from (f"| `{words}` | {', '.join(of)} | {meaning} |" for (words, meaning), of in groups.items())


def _formatted() -> str:
    having = [name for name, command in _commands().items() if _typed(command, "format")]
    return f"| `--format, -f FORMAT` | {', '.join(having)} | See [formats](#formats). |"


def _typed(command: Any, name: str) -> tuple[str, str] | None:
    """Return how the option *name* of *command* is typed, and its help; None if the command does not have it."""
    for param in command.params:
        if param.name == name and param.param_type_name == "option":
            metavar = "" if param.is_flag else f" {param.metavar}"
            return f"{', '.join(param.opts)}{metavar}", param.help
    return None


def tables() -> Iterator[str]:
    """Yield the rows of all columns of a survey's tables."""
    yield from ("| table | column | type | what it is |", "|---|---|---|---|")
    for name, table in SURVEYED.items():
        for number, column in enumerate(table.columns):
            first = "" if number else f"`{name}`, {table.meaning}"
            yield f"| {first} | `{column.name}` | {column.type} | {_cell(column.meaning)} |"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def formats() -> Iterator[str]:
    """Yield a row per command with its formats; `show` has a row per kind of document."""
    yield f"| command | {' | '.join(Format)} |"
    yield f"|---|{'---|' * len(Format)}"
    for command in COMMANDS.values():
        known = command.formats.split()
        if command.name == "show":
            kinds = ("report", "matrix", "bench")
            yield from (
                _grid(f"`show` of a {kind}", [each for each in known if each in RENDERERS[kind]]) for kind in kinds
            )
        elif known:
            yield _grid(f"`{command.name}`", known)


def _grid(command: str, known: Sequence[str]) -> str:
    cells = ("default" if each == known[0] else "yes" if each in known else "" for each in Format)
    return f"| {command} | {' | '.join(cells)} |"


@cache
def _commands() -> dict[str, Any]:
    app._register("")
    group: Any = typer.main.get_command(app.app)
    return dict(group.commands)


_SYNOPSIS = r"""
.SH SYNOPSIS
.B vkzircon
.RI [ COMMAND ]
.RI [ OPTIONS "] [" ARGUMENTS ]
"""
_SEE_ALSO = r"""
.SH SEE ALSO
.BR vulkaninfo (1)
"""


def man_page() -> Iterator[str]:
    """Yield the lines of vkzircon.1: the help of the program and of each command."""
    text, epilog = app._helps()["vkzircon"]
    summary, *_ = text.split(". ")
    yield f'.TH VKZIRCON 1 "" "vkzircon {__version__}" "User Commands"'
    yield from (".SH NAME", _roff(f"vkzircon - {summary[0].lower()}{summary[1:].splitlines()[0].rstrip('.')}"))
    yield _SYNOPSIS.strip()
    yield from (".SH DESCRIPTION", *_paragraphs(text))
    yield ".SH COMMANDS"
    for name, command in _commands().items():
        yield from (
            f".SS {_roff(f'vkzircon {name}')}",
            *_paragraphs(command.help),
            *_option_list(command),
            *_as_shown(command.epilog),
        )
    examples, _, codes = epilog.partition("\n\nExit codes:\n")
    yield from (".SH EXIT STATUS", *_as_shown(codes), ".SH EXAMPLES", *_as_shown(examples.partition("\n")[2]))
    yield _SEE_ALSO.strip()


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield from (".PP", _roff(" ".join(paragraph.split())))


def _option_list(command: Any) -> Iterator[str]:
    for param in command.params:
        if typed := _typed(command, param.name):
            yield from (".TP", f".B {_roff(typed[0])}", _roff(typed[1]))


def _as_shown(text: str) -> Iterator[str]:
    yield from (".PP", ".nf", *map(_roff, text.strip("\n").splitlines()), ".fi")


def _roff(text: str) -> str:
    """Escape what roff would interpret: backslashes, hyphens, and a dot or quote at the start."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
