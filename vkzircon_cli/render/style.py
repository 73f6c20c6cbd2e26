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
    """How a result is written. A trace is no rendering of a report, but the events themselves as they come."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    TRACE = "trace"


# Written to be read by strangers, so that what tells of people and machines is hidden in them.
FOR_STRANGERS = (Format.MARKDOWN, Format.HTML)


@record
class Style:
    """What the command line says of the looks; *redacts*: strangers are told nothing of people and machines."""

    view: View
    format: Format
    verbose: bool = False
    redacts: bool = True
