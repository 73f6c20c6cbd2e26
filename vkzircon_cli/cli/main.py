# SPDX-License-Identifier: Apache-2.0
"""One command line, from its words to an exit code: what Typer prints and refuses leaves as all else does."""

import contextlib
import io
import os
from collections.abc import Sequence
from typing import Any

import typer
from typer._completion_classes import completion_init

from vkzircon_cli.cli.app import app, commands_with, named, register
from vkzircon_cli.errors import Usage
from vkzircon_cli.output import write

_COMPLETE_VARIABLE = "_VKZIRCON_COMPLETE"
# Typer keeps its error classes to itself; this is the one that all mistakes on a command line share.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; what Typer prints (help, version) is written as results are.

    Raises:
        Stop: what ends a command early, said in a sentence.
        PipeClosed: nobody reads standard output any more.
    """
    if _COMPLETE_VARIABLE in os.environ:
        completion_init()  # with add_completion=False Typer knows no shell until it is told
    printed = io.StringIO()
    try:
        register(named(arguments))
        with contextlib.redirect_stdout(printed):
            code = app(list(arguments), prog_name="vkzircon", complete_var=_COMPLETE_VARIABLE, standalone_mode=False)
    except typer.Abort as aborted:  # a command was interrupted
        raise KeyboardInterrupt from aborted
    except SystemExit as leave:  # how completion ends
        code = leave.code
    except _UsageError as error:
        raise Usage(*_sentence(error, arguments)) from error
    if printed.getvalue():
        write(printed.getvalue(), None)
    return code if isinstance(code, int) else 0


def _sentence(error: Any, arguments: Sequence[str]) -> tuple[str, str]:
    command = error.ctx.command_path if error.ctx is not None else f"vkzircon {named(arguments)}".rstrip()
    message = " ".join(error.format_message().split())
    hint = f"See: {command} --help"
    if "unexpected extra argument" in message and any(
        f"({word}" in message for word in arguments if named([word]) == word
    ):
        hint = "Options come after the command, as in: vkzircon check --emulate"
    if message.startswith("No such option") and (others := commands_with(error.option_name)):
        message, hint = f"{command} has no option {error.option_name}.", f"It belongs to: vkzircon {', '.join(others)}"
    return message if message.endswith((".", "?")) else f"{message}.", hint
