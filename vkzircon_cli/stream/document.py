# SPDX-License-Identifier: Apache-2.0
"""The base of all documents: the fields that every command with a probe writes, and the header that begins a stream.

`render.json` writes a document. Times, messages and captured output are under ``run`` only, so that two runs on one
machine differ only there and in koids and handle values.
"""

from dataclasses import KW_ONLY
from shlex import quote

from vkzircon_cli import __version__
from vkzircon_cli.checks import Outcome
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Milliseconds, record
from vkzircon_cli.model.host import Environment
from vkzircon_cli.model.request import NOTHING_ASKED, Depth, Judging
from vkzircon_cli.stream.events import Culprit, Failure, Message, Output
from vkzircon_cli.stream.fold import StepTime

SCHEMA_VERSION = "1.6"


@record
class Tool:
    """The program that made the document."""

    name: str
    version: str


@record
class Summary:
    """The worst outcome, one sentence, the process's exit code, and how many results there are of each outcome."""

    outcome: Outcome
    sentence: str
    exit_code: int
    counts: dict[str, int]


@record
class Emulation:
    """Whether the extension is vkzircon's own emulation, by which layer, and with which settings.

    *active* is the loaded emulation, or the requested one if the instance crashed before that was known.
    """

    active: bool
    layer: str | None
    settings: str

    @property
    def options(self) -> str:
        """The options that turn the same emulation on, '' without emulation; other settings have no option."""
        if not self.active:
            return ""
        given = (setting.partition("=") for setting in self.settings.split(","))
        told = [f" --{key} {quote(name)}" for key, _, name in given if key in ("persona", "fault") and name != "strict"]
        return " --emulate" + "".join(told)


@record
class EmulationAsked:
    """Whether the emulation was requested, and its settings if it is on."""

    asked: bool
    settings: str


@record
class Header:
    """The beginning of a stream: depth, surroundings, emulation, and time of the start (UTC, ISO 8601)."""

    schema_version: str
    tool: Tool
    depth: Depth
    environment: Environment
    emulation: EmulationAsked
    started: str
    judging: Judging = NOTHING_ASKED


def make_header(
    depth: Depth, environment: Environment, emulation: EmulationAsked, started: str, judging: Judging = NOTHING_ASKED
) -> Header:
    """Make the header of a stream that begins now."""
    return Header(SCHEMA_VERSION, Tool("vkzircon", __version__), depth, environment, emulation, started, judging)


@record
class Run:
    """The fields that differ from run to run. Times are in milliseconds, *started* is UTC in ISO 8601."""

    started: str
    duration_ms: Milliseconds
    steps: tuple[StepTime, ...]
    messages: tuple[Message, ...]
    output: Output


@record
class Document:
    """The fields of every document that a probe leads to; *error* is the reason why no device could be queried."""

    _: KW_ONLY
    schema_version: str
    kind: str
    tool: Tool
    summary: Summary
    error: Failure | None
    emulation: Emulation
    environment: Environment
    run: Run
    culprits: tuple[Culprit, ...] = ()

    @property
    def options(self) -> str:
        """The options for the same emulation, through the same agent."""
        return f"{self.emulation.options}{self.environment.options}"

    @property
    def exit_code(self) -> Exit:
        """The exit code of the command."""
        return Exit(self.summary.exit_code)
