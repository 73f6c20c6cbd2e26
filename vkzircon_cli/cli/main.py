# SPDX-License-Identifier: Apache-2.0
"""Runs one command line with Typer. Its help is written like a result, its errors become `Usage`."""

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
# The base of all errors in a command line, which Typer does not export.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    Raises:
        Stop: the command ended early.
        PipeClosed: the reader of standard output went away.
        KeyboardInterrupt: a signal ended the command.
    """
    if _COMPLETE_VARIABLE in os.environ:
        completion_init()  # registers the shells, which Typer leaves out with add_completion=False
    printed = io.StringIO()
    try:
        register(named(arguments))
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
