# SPDX-License-Identifier: Apache-2.0
"""Reads the command lines that are typed most, without Typer, which takes as long to load as a driver to answer.

These are a command that asks the driver, ``--emulate``, and options that only say how the result is written, each with
its value as a word of its own. Of anything else, mistakes and help as well, nothing is said here: that is Typer's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from vkzircon_cli.cli.asked import Asked, carry_out
from vkzircon_cli.model.request import Depth, Emulate, Formats, Request
from vkzircon_cli.output import NO_FILES, Place
from vkzircon_cli.render import DevicesFormat, Format, MatrixFormat, WordFormat

__all__ = ["carry_out", "read"]
_COMMANDS: Mapping[str, tuple[Depth, type[StrEnum]]] = {
    "report": (Depth.EVERYTHING, Format),
    "check": (Depth.EVERYTHING, Format),
    "devices": (Depth.IDENTITY, DevicesFormat),
    "doctor": (Depth.IDENTITY, WordFormat),
    "matrix": (Depth.MATRIX, MatrixFormat),
}
_QUIET, _VERBOSE = ("--quiet", "-q"), ("--verbose", "-v")
_FORMAT, _OUTPUT = ("--format", "-f"), ("--output", "-o")


class _NotPlain(Exception):
    """A word that is Typer's to read."""


def read(arguments: Sequence[str]) -> Asked | None:
    """Give what a plain command line asks, None of all others."""
    command, *options = arguments if arguments and not arguments[0].startswith("-") else ["report", *arguments]
    if command not in _COMMANDS:
        return None
    asked = Asked(command, Request(_COMMANDS[command][0]), "terminal", verbose=False, place=Place(None, False, False))
    words = iter(options)
    try:
        for word in words:
            asked = _with(asked, word, words)
    except _NotPlain:
        return None
    return asked


def _with(asked: Asked, word: str, more: Iterator[str]) -> Asked:
    if word == "--emulate":
        return replace(asked, request=replace(asked.request, emulate=Emulate()))
    if word == "--formats" and asked.command == "matrix":
        return replace(asked, request=replace(asked.request, formats=Formats(_one_of(Formats, more))))
    if word in _FORMAT:
        return replace(asked, format=_one_of(_COMMANDS[asked.command][1], more))
    if word in _VERBOSE:
        return replace(asked, verbose=True)
    return replace(asked, place=_place(asked.place, word, more))


def _place(place: Place, word: str, more: Iterator[str]) -> Place:
    if word in _QUIET:
        return replace(place, quiet=True)
    if word == "--no-color":
        return replace(place, no_color=True)
    path = next(more, "") if word in _OUTPUT else ""
    if path.startswith("-") or path in NO_FILES:
        raise _NotPlain
    return replace(place, path=Path(path))


def _one_of(known: type[StrEnum], more: Iterator[str]) -> str:
    value = next(more, "")
    if value not in tuple(known):
        raise _NotPlain
    return value
