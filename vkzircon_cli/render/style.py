# SPDX-License-Identifier: Apache-2.0
"""How a result is shown: which part of it, in which format, on what page, and the progress before it."""

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible


class View(StrEnum):
    """How much of a report is shown to people; documents for programs are always the whole report."""

    REPORT = "report"
    CHECKS = "checks"
    DEVICES = "devices"


class Format(StrEnum):
    """The format of a result. A trace is not a rendering of a document but the events themselves."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    CSV = "csv"
    TRACE = "trace"


# Formats that are meant to be published, so names of people and machines are hidden in them.
FOR_STRANGERS = (Format.MARKDOWN, Format.HTML)


@record
class Advice:
    """Which commands can be advised: *probes* is False for a result from a file, *emulates* without the layer."""

    probes: bool = True
    emulates: bool = True


ANY_ADVICE = Advice()


@record
class Style:
    """How the command line wants a result; *redacts* hides names of people and machines from strangers."""

    view: View
    format: Format
    verbose: bool = False
    redacts: bool = True
    advice: Advice = ANY_ADVICE


DEFAULT_WIDTH = 80
_PATIENCE_S = 0.5  # before a step is named
_CLEAR = "\r\x1b[K"
# Narrower lines are unreadable, so a narrower terminal wraps them itself.
MIN_WIDTH = 20
_MAX_DIGITS = 4  # no screen has more columns, and a longer number is a mistake
GLYPHS = "█░─✓✗"


@record
class Page:
    """Where a report is written: *width* in columns, for prose; long values fold there only if *cuts* is set.

    *ascii* says that the stream cannot encode our glyphs.
    """

    width: int
    cuts: bool
    color: bool
    ascii: bool


def page_for(
    stdout_is_terminal: bool, encoding: str, environ: Mapping[str, str], no_color: bool, terminal_width: int | None
) -> Page:
    """Return the page for standard output.

    COLUMNS overrides *terminal_width*; a value that is not a positive number counts as unset. Colour depends on, in
    this order: *no_color*, NO_COLOR, TERM=dumb, FORCE_COLOR, whether it is a terminal; empty variables count as unset.
    """
    width = _columns(environ) or (terminal_width if stdout_is_terminal else None)
    try:
        is_ascii = not GLYPHS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        is_ascii = True
    is_plain = no_color or bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
    return Page(
        width=max(width or DEFAULT_WIDTH, MIN_WIDTH),
        cuts=stdout_is_terminal or _columns(environ) is not None,
        color=not is_plain and (bool(environ.get("FORCE_COLOR")) or stdout_is_terminal),
        ascii=is_ascii,
    )


def _columns(environ: Mapping[str, str]) -> int | None:
    text = environ.get("COLUMNS", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    return int(text) or None


class Progress:
    """Takes events and names the current step on one line of a terminal through *put*, None to show nothing."""

    def __init__(self, put: Callable[[str], None] | None, width: int = 80) -> None:
        self._put = put
        self._width = width
        self._began = time.monotonic()
        self._step = ""
        self._shown = False

    def __call__(self, event: dict[str, Any]) -> None:
        """Take one event."""
        if event["event"] == "begin":
            self._step = visible(event["step"])
        elapsed = time.monotonic() - self._began
        if self._put is not None and self._step and elapsed >= _PATIENCE_S:
            self._put(f"{_CLEAR}{f'{elapsed:3.0f} s  {self._step} ...'[: self._width - 1]}")
            self._shown = True

    def close(self) -> None:
        """Clear the line."""
        if self._put is not None and self._shown:
            self._put(_CLEAR)
            self._shown = False
