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
from typer._completion_classes import completion_init
from typer.core import TyperGroup
from typer.main import get_command

from vkzircon_cli.cli import handlers
from vkzircon_cli.cli.command_table import COMMANDS, Command
from vkzircon_cli.cli.options import OPTIONS, signature
from vkzircon_cli.errors import Exit, Usage
from vkzircon_cli.output import write

EPILOG = (
    "Exit codes: 0 nothing failed; 1 a check failed, a condition was not met, or two reports differ; 2 usage; 3 no "
    "chosen device offers the extension; 4 could not ask: no loader, driver, device or permission; 5 the driver "
    "crashed or hung; 6 the result could not be written; 70 a fault of vkzircon's own; 129, 130, 143 ended by "
    "SIGHUP, Ctrl-C or SIGTERM; 141 the reader closed the pipe."
)
_OWN = ("--help", "-h", "--version")
_COMPLETE_VARIABLE = "_VKZIRCON_COMPLETE"
# The base of all errors in a command line, which Typer does not export.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class _ReportByDefault(TyperGroup):
    """Runs `report` if the command line is empty or begins with an option."""

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
    epilog=EPILOG,
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
        declare = app.command(
            command.name,
            help=helps[command.name],
            epilog=EPILOG,
            context_settings={command.passes_on: command.passes_on.startswith("ignore")} if command.passes_on else None,
        )
        declare(_callback(command))


def _helps() -> dict[str, str]:
    """Return the help of each command by its name, which is in brackets above the text."""
    text = Path(__file__).with_name("help.txt").read_text("utf-8")
    _, *parts = re.split(r"^\[(\w+)\]\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _callback(command: Command) -> Callable[..., Exit]:
    def called(**given: Any) -> Exit:
        carry_out: Callable[[Command, dict[str, Any]], Exit] = getattr(handlers, command.run)
        return carry_out(command, given)

    called.__signature__ = signature(command.options, command.formats)  # type: ignore[attr-defined]
    return called


@app.callback()
def _root(version: Annotated[bool, OPTIONS["version"][2]] = False) -> None:
    """Find out whether this device shares Vulkan memory as a Zircon VMO, whether that works, and if not, why.

    Without a command: report.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Help is written like a result; Typer's errors become `Usage`.

    Raises:
        Stop: the command ended early.
        PipeClosed: the reader closed the pipe of standard output.
        KeyboardInterrupt: a signal ended the command.
    """
    if _COMPLETE_VARIABLE in os.environ:
        completion_init()  # registers the shells, which Typer leaves out with add_completion=False
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
    message = " ".join(error.format_message().split())
    hint = f"See: {command} --help"
    if "unexpected extra argument" in message and any(
        f"({word}" in message for word in arguments if _named([word]) == word
    ):
        hint = "Options come after the command, as in: vkzircon check --emulate"
    if message.startswith("No such option") and (others := _commands_with(error.option_name)):
        message, hint = f"{command} has no option {error.option_name}.", f"It belongs to: vkzircon {', '.join(others)}"
    return message if message.endswith((".", "?")) else f"{message}.", hint
