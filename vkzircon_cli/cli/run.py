# SPDX-License-Identifier: Apache-2.0
"""The run from a request to a written result: probe, redact, render, write, and the exit code."""

import os
import select
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from vkzircon_cli import pipeline
from vkzircon_cli.cli.command_table import Command
from vkzircon_cli.emulation.installation import is_installed
from vkzircon_cli.errors import Exit, NotWritten
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.model.text import readable
from vkzircon_cli.output import (
    Place,
    is_terminal,
    line_writer,
    must_be_writable,
    reserve,
    say,
    terminal_width,
    write,
    write_file,
)
from vkzircon_cli.render import load, render
from vkzircon_cli.render.style import FOR_STRANGERS, Advice, Format, Page, Progress, Style, View, page_for
from vkzircon_cli.stream.document import Document
from vkzircon_cli.stream.events import Event, to_line
from vkzircon_cli.stream.fold import Transcript
from vkzircon_cli.worker import interrupt

if TYPE_CHECKING:
    from pathlib import Path

    from vkzircon_cli.doctor.background import Trials
    from vkzircon_cli.report.redaction import Hidden

T = TypeVar("T")
Given = Mapping[str, Any]


def carry_out(command: Command, request: Request, given: Given) -> Exit:
    """Run the probe of *request*, and write the document.

    Raises:
        Stop: the command ends early; the message says why.
    """
    style, place = looks_of(command, given)
    if style.format is Format.TRACE:
        return _trace(request, place)
    must_be_writable(place.path)
    _preload(request.depth if request.depth in (Depth.MATRIX, Depth.BENCH) else "report", style, place)
    return deliver(watched(lambda watch: pipeline.run_to_depth(request, watch, _find_culprits)), style, place)


def examine(command: Command, request: Request, trials: "Trials | None", given: Given) -> Exit:
    """Diagnose, and write the document; a device behind an agent has no *trials* on this machine."""
    from vkzircon_cli.doctor.diagnosis import diagnose, diagnose_elsewhere

    style, place = looks_of(command, given)
    must_be_writable(place.path)
    _preload("doctor", style, place)
    if trials is None:
        return deliver(watched(lambda watch: diagnose_elsewhere(request, watch)), style, place)
    return deliver(watched(lambda watch: diagnose(request, trials, watch)), style, place)


def _find_culprits(request: Request, seen: Transcript) -> pipeline.Found:
    """Search for the manifests that kept the loader from working, with `doctor.bisect`, which few runs need."""
    from vkzircon_cli.doctor.bisect import find_culprits

    return find_culprits(request, seen)


def looks_of(command: Command, given: Given) -> tuple[Style, Place]:
    """Return the form and the place of the document, by the options *given* to *command*."""
    verbose, redacts = given.get("verbose", False), not given.get("no_redact")
    probes = command.depth is not None
    advice = Advice(probes, probes and is_installed())
    style = Style(View(command.view), Format(given["format"]), verbose, redacts, advice)
    return style, Place(given["output"], given.get("quiet", False), given["no_color"])


def _preload(kind: str, style: Style, place: Place) -> None:
    """Import the renderer while the probe runs: 34 ms for a terminal.

    Without fork, no module may be imported later: a driver that hangs while it is loaded holds the linker's lock.
    """
    if _is_written(place):
        load(kind, style.format)


def pack(request: Request, named: "Path | None", *, quiet: bool) -> Exit:
    """Run the probe, write the bundle, and list its parts and the missing ones; only a *named* file is replaced."""
    from vkzircon_cli.bundle import USUAL_NAME, make_bundle, render_contents

    must_be_writable(named or USUAL_NAME)
    typed = " ".join(["vkzircon", *(quote(readable(word)) for word in sys.argv[1:])])
    bundle = watched(lambda watch: make_bundle(request, typed, watch))
    path = named or reserve(USUAL_NAME)
    try:
        write_file(bundle.data, path, private=True)
    except NotWritten:
        if named is None:
            path.unlink(missing_ok=True)
        raise
    if not quiet:
        text = render_contents(bundle, str(path), page_of(Place(None, quiet, no_color=True)))
        try:
            interrupt.leavable(partial(write, text, None))
        except NotWritten as not_listed:  # the zip is the result
            say(f"vkzircon: {path} is written. Its list is not: {not_listed.message}")
    # A bundle has no verdict: its exit code reports only a bug of ours.
    code = bundle.report.exit_code
    return code if code is Exit.OUR_FAULT else Exit.OK


def watched(run: Callable[[Callable[[Event], None]], T]) -> T:
    """Run with a progress line on a terminal."""
    progress = Progress(_line_writer(), terminal_width() or 80)
    try:
        return run(progress)
    finally:
        progress.close()


def _trace(request: Request, place: Place) -> Exit:
    """Write each event at once, so that the trace has the last question even if that question ends the process."""
    with line_writer(None if place.quiet else place.path, silent=place.quiet) as write_line:

        def write_event(event: Event) -> None:
            if event["event"] != "tick":
                interrupt.leavable(partial(write_line, to_line(event)))

        return pipeline.run(request, write_event, _find_culprits).exit_code


def deliver(document: Document, style: Style, place: Place) -> Exit:
    """Write *document*, repeat its error on standard error if it could be overlooked, and return the exit code."""
    write_document(document, style, place)
    if document.error is not None and _must_be_repeated(document, style, place):
        say(f"vkzircon: {document.error.message} {document.error.hint}".rstrip())
    return document.exit_code


def write_document(document: Any, style: Style, place: Place) -> None:
    """Render *document* and write it; names are hidden in the formats that strangers read."""
    if not _is_written(place):
        return
    hidden: tuple[Hidden, ...] | None = None
    if style.redacts and style.format in FOR_STRANGERS:
        from vkzircon_cli.report.redaction import Redactor, people  # its patterns take 20 ms

        redactor = Redactor(people(*_agents(document)))
        document, hidden = redactor.facts(document), redactor.hidden
    text = render(document, style, page_of(place), hidden)
    put = partial(write, text, place.path, as_utf8=style.format is not Format.TERMINAL)
    _ = put() if place.path else interrupt.leavable(put)  # a file is short to write, a pipe may have no reader


def _agents(document: Any) -> tuple[str | None, ...]:
    """Return the commands of the agents that a document is about; a difference has those of both reports."""
    if isinstance(document, Document):
        return (document.environment.agent,)
    changes = (change for change in getattr(document, "facts", ()) if change.what == "agent")
    return tuple(agent for change in changes for agent in (change.before, change.after))


def _is_written(place: Place) -> bool:
    return place.path is not None or not place.quiet


def _must_be_repeated(document: Document, style: Style, place: Place) -> bool:
    """Whether to print the error on standard error too; a document for people has it at the top already."""
    if place.quiet:
        return document.exit_code is Exit.OUR_FAULT
    return style.format is not Format.TERMINAL or place.path is not None


def _line_writer() -> Callable[[str], None] | None:
    stream = sys.__stderr__
    if not is_terminal(stream) or os.environ.get("TERM") == "dumb" or stream is None:
        return None

    def put(text: str) -> None:
        # Looked up each time: while a driver runs in this process, sys.__stderr__ is a copy of the original stream.
        stream = sys.__stderr__
        with suppress(OSError, ValueError):  # the terminal may be closed while the run goes on
            if stream is not None and _takes_more(stream):
                os.write(stream.fileno(), text.encode(stream.encoding, "replace"))

    return put


def _takes_more(stream: TextIO) -> bool:
    """Whether a write does not wait: a terminal that was stopped with Ctrl-S must not stop the run too."""
    return bool(select.select((), (stream.fileno(),), (), 0)[1])


def page_of(place: Place) -> Page:
    """Return the page that the result is written on."""
    to_terminal = place.path is None and is_terminal(sys.__stdout__)
    encoding = "utf-8" if place.path or sys.__stdout__ is None else sys.__stdout__.encoding
    return page_for(to_terminal, encoding, os.environ, place.no_color, terminal_width())
