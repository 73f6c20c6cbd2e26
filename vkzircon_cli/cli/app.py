# SPDX-License-Identifier: Apache-2.0
"""The Typer application: commands built from the table, `report` as the default, and the run of one command line."""

import contextlib
import io
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from vkzircon_cli.cli import handlers
from vkzircon_cli.cli.command_table import COMMANDS, Command
from vkzircon_cli.cli.options import OPTIONS, chosen_format, signature
from vkzircon_cli.errors import Exit, Usage
from vkzircon_cli.model.text import did_you_mean, visible
from vkzircon_cli.output import write

_OWN = ("--help", "-h", "--version")
_COMPLETE_VARIABLE = "_VKZIRCON_COMPLETE"
_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")  # what repr makes of a byte that is not UTF-8
# The base of all errors in a command line, which Typer does not export.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class _Help:
    """Writes options under the headings of `OPTIONS`, and examples last, as they are."""

    def format_options(self: Any, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options heading by heading, those without a heading last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            usual = "Arguments" if param.param_type_name == "argument" else "Options"
            title = getattr(param, "rich_help_panel", None) or usual
            sections.setdefault(title, []).append(param.get_help_record(ctx))
        sections["Options"] = sections.pop("Options")
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])

    def format_epilog(self: Any, _: Any, formatter: Any) -> None:
        """Write the epilog, whose lines are laid out already."""
        formatter.write(f"\n{self.epilog}\n")


class _Command(_Help, TyperCommand):
    """A command with the help of `_Help`."""


class _ReportByDefault(_Help, TyperGroup):
    """Runs `report` if the command line is empty or begins with an option."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands first."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Completion parses an empty command line and needs the commands, not the options of `report`.
        is_bare = not args and not ctx.resilient_parsing
        if is_bare or _begins_with_an_option(args):
            args = ["report", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a signal becomes an `Abort`, since Typer turns a KeyboardInterrupt into an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupted:
            raise typer.Abort from interrupted


def _begins_with_an_option(args: Sequence[str]) -> bool:
    return bool(args) and args[0].startswith("-") and args[0] not in _OWN


app = typer.Typer(
    name="vkzircon",
    cls=_ReportByDefault,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    suggest_commands=False,
    subcommand_metavar="[COMMAND] [ARGS]...",
)


def _named(args: Sequence[str]) -> str:
    """Return the command that *args* name, '' if they name none."""
    name = "report" if _begins_with_an_option(args) else next(iter(args), "")
    return name if name in COMMANDS else ""


def _commands_with(option: str) -> list[str]:
    """Return the names of the commands that have *option*, given in the form in which it is typed."""
    _register("")
    group: Any = get_command(app)
    return [name for name, command in group.commands.items() if any(option in param.opts for param in command.params)]


def _register(name: str) -> None:
    """Declare the command *name* to Typer, or all commands if it is ''; all of them take 20 ms more."""
    app.registered_commands.clear()
    helps = _helps()
    for command in [COMMANDS[name]] if name else COMMANDS.values():
        _declare(command.name, *helps[command.name], passes_on=command.passes_on)(_callback(command))
    if not name:
        _declare("help", *helps["help"])(_show_help)
    assert app.registered_callback is not None
    app.registered_callback.help, app.registered_callback.epilog = helps["vkzircon"]


def _declare(name: str, help: str, epilog: str, passes_on: str = "") -> Callable[..., Any]:
    settings = {passes_on: passes_on.startswith("ignore")} if passes_on else None
    short = help.partition("\n\n")[0]
    return app.command(name, cls=_Command, help=help, short_help=short, epilog=epilog, context_settings=settings)


def _helps() -> dict[str, tuple[str, str]]:
    """Return the help and the epilog of each command by its name, which is in brackets above the text."""
    text = Path(__file__).with_name("help.txt").read_text("utf-8")
    _, *parts = re.split(r"^\[(\w+)\]\n", text, flags=re.MULTILINE)
    return {name: _split_help(whole) for name, whole in zip(parts[::2], parts[1::2], strict=True)}


def _split_help(whole: str) -> tuple[str, str]:
    text, _, examples = whole.rstrip().partition("\n\nExample")
    return text, f"Example{examples}"


def _callback(command: Command) -> Callable[..., Exit]:
    def called(**given: Any) -> Exit:
        if command.formats:
            given["format"] = chosen_format(command.formats, given["format"], given.get("output"))
        carry_out: Callable[[Command, dict[str, Any]], Exit] = getattr(handlers, command.run)
        return carry_out(command, given)

    called.__signature__ = signature(command.options, command.formats)  # type: ignore[attr-defined]
    return called


@app.callback()
def _root(version: Annotated[bool, OPTIONS["version"][2]] = False) -> None:
    """Parse the options of `vkzircon` without a command. The help is in help.txt."""


def _show_help(command: Annotated[str | None, OPTIONS["topic"][2]] = None) -> Any:
    return app([*filter(None, [command]), "--help"], prog_name="vkzircon", standalone_mode=False)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Help is written like a result; Typer's errors become `Usage`.

    Raises:
        Stop: the command ended early.
        PipeClosed: the reader closed the pipe of standard output.
        KeyboardInterrupt: a signal ended the command.
    """
    if _COMPLETE_VARIABLE in os.environ:
        from vkzircon_cli.cli import shells  # takes 4 ms, and only a completion needs it

        shells.register()
    printed = io.StringIO()
    try:
        _register(_named(arguments))
        with contextlib.redirect_stdout(printed):
            code = app(list(arguments), prog_name="vkzircon", complete_var=_COMPLETE_VARIABLE, standalone_mode=False)
    except typer.Abort as aborted:
        raise KeyboardInterrupt from aborted
    except SystemExit as leave:  # the end of a completion
        code = leave.code
    except _UsageError as error:
        raise Usage(*_sentence(error, arguments)) from error
    if printed.getvalue():
        write(printed.getvalue(), None)
    return code if isinstance(code, int) else 0


def _sentence(error: Any, arguments: Sequence[str]) -> tuple[str, str]:
    command = error.ctx.command_path if error.ctx is not None else f"vkzircon {_named(arguments)}".rstrip()
    message = _BYTE.sub(r"\\x\1", " ".join(error.format_message().split()))
    hint = f"See: {command} --help"
    if "unexpected extra argument" in message and any(
        f"({word}" in message for word in arguments if _named([word]) == word
    ):
        hint = "Options come after the command, as in: vkzircon check --emulate"
    if message.startswith("No such option"):
        message, others = f"No such option: {visible(error.option_name)}", _commands_with(error.option_name)
        if others:
            return f"{command} has no option {error.option_name}.", f"It belongs to: vkzircon {', '.join(others)}"
        own = [name for param in error.ctx.command.params for name in param.opts]
        hint = f"{did_you_mean(error.option_name, own)} {hint}".lstrip()
    if message.startswith("No such command"):
        hint = f"{did_you_mean(message.split(chr(39))[1], [*COMMANDS, 'help'])} {hint}".lstrip()
    return message if message.endswith((".", "?")) else f"{message}.", hint
