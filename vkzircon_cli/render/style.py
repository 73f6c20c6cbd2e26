# SPDX-License-Identifier: Apache-2.0
"""How a result is shown: which part of it, in which format, and how much of it."""

from enum import StrEnum

from vkzircon_cli.model.base import record


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


# Formats that strangers read, so that names of people and machines are hidden in them.
FOR_STRANGERS = (Format.MARKDOWN, Format.HTML)


@record
class Style:
    """How the command line wants a result; *redacts* hides names of people and machines from strangers."""

    view: View
    format: Format
    verbose: bool = False
    redacts: bool = True
