# SPDX-License-Identifier: Apache-2.0
"""The Typer application: its group of commands, each built from the table, and `report` as the default."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from vkzircon_cli.cli.command_table import COMMANDS, Command
from vkzircon_cli.cli.options import OPTIONS, signature
from vkzircon_cli.errors import Exit

EPILOG = (
    "Exit codes: 0 nothing failed; 1 a check failed, a condition was not met, or two reports differ; 2 usage; 3 no "
    "chosen device offers the extension; 4 could not ask: no loader, driver, device or permission; 5 the driver "
    "crashed or hung; 6 the result could not be written; 70 a fault of vkzircon's own; 129, 130, 143 ended by "
    "SIGHUP, Ctrl-C or SIGTERM; 141 the reader closed the pipe."
)


_OWN = ("--help", "-h", "--version")


class _ReportByDefault(TyperGroup):
    """Runs `report` where the command line begins with an option or is empty."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Completion parses an empty command line, and expects the commands, not the options of `report`.
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


def named(args: Sequence[str]) -> str:
    """Return the command that *args* name, '' if they name none."""
    name = "report" if _begins_with_an_option(args) else next(iter(args), "")
    return name if name in COMMANDS else ""


def commands_with(option: str) -> list[str]:
    """Return the names of the commands that have an *option*, as it is typed."""
    register("")
    group: Any = get_command(app)
    return [name for name, command in group.commands.items() if any(option in param.opts for param in command.params)]


def register(name: str) -> None:
    """Declare the command *name* to Typer, or all commands where it is '', which Typer builds in 20 ms more."""
    app.registered_commands.clear()
    for command in [COMMANDS[name]] if name else COMMANDS.values():
        declare = app.command(
            command.name,
            help=command.help,
            epilog=EPILOG,
            context_settings={command.passes_on: command.passes_on.startswith("ignore")} if command.passes_on else None,
        )
        declare(_callback(command))


def _callback(command: Command) -> Callable[..., Exit]:
    def run(**given: Any) -> Exit:
        module, _, function = command.run.partition(".")
        carry_out: Callable[[Command, dict[str, Any]], Exit]
        carry_out = getattr(import_module(f"vkzircon_cli.cli.{module}"), function)
        return carry_out(command, given)

    run.__signature__ = signature(command.options, command.formats)  # type: ignore[attr-defined]
    return run


@app.callback()
def _root(version: Annotated[bool, OPTIONS["version"][2]] = False) -> None:
    """Find out whether this device shares Vulkan memory as a Zircon VMO, whether that works, and if not, why.

    Without a command: report.
    """
