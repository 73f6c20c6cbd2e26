# SPDX-License-Identifier: Apache-2.0
"""What is sent to a child, as one line: the request, the environment to add, and what its forerunners got answered."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from vkzircon_cli import child, emulation
from vkzircon_cli.errors import Stop
from vkzircon_cli.records import plain
from vkzircon_cli.request import Depth, Emulate, Formats, Request


def question(request: Request, environ: Mapping[str, str], answered: Mapping[str, Any]) -> bytes:
    """Write the question down; `guard.answer` reads it."""
    asked = {"request": plain(request), "environ": environ, "answered": answered}
    return json.dumps(asked).encode("ascii") + b"\n"


_DEPTHS = {
    "report": Depth.EVERYTHING,
    "check": Depth.EVERYTHING,
    "devices": Depth.IDENTITY,
    "doctor": Depth.IDENTITY,
    "matrix": Depth.MATRIX,
}
# What only says how and where the result is written, alone and with a word behind it.
_ALONE = ("--quiet", "-q", "--verbose", "-v", "--no-color")
_WITH_A_WORD = ("--format", "-f", "--output", "-o")


def guess(arguments: Sequence[str]) -> Request | None:
    """Guess what a command line asks, None where it is not plain; Typer, which knows, takes long to load.

    Where the guess is wrong the driver was asked in vain, and another child is asked what was meant.
    """
    is_bare = not arguments or arguments[0].startswith("-")
    command, *options = ["report", *arguments] if is_bare else arguments
    found = Request(_DEPTHS[command]) if command in _DEPTHS else None
    words = iter(options)
    for word in words:
        if found is None or word in _ALONE:
            continue
        if word == "--emulate":
            found = replace(found, emulate=Emulate())
        elif word == "--formats" and (formats := next(words, "")) in tuple(Formats):
            found = replace(found, formats=Formats(formats))
        elif word not in _WITH_A_WORD or not next(words, ""):
            found = None
    return found


def begin(arguments: Sequence[str]) -> None:
    """Begin what a plain command line is sure to ask; what goes wrong is met again, and said, where it is read."""
    if (request := guess(arguments)) is None:
        return
    ask_early(request)
    if arguments[:1] == ["doctor"]:
        from vkzircon_cli.doctor.trials import begin_early

        begin_early(request)


def ask_early(request: Request) -> None:
    """Have the child that is there begin, while this side still imports what it takes to listen."""
    with suppress(Stop):  # the run says so
        environ = emulation.variables(os.environ, request.emulate) if request.emulate else {}
        child.ask_early(question(request, environ, {}))
