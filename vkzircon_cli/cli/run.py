# SPDX-License-Identifier: Apache-2.0
"""From a request to a result in its place: probe, redact, render, write, and the exit code."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vkzircon_cli import pipeline
from vkzircon_cli.errors import Exit
from vkzircon_cli.model.request import Request
from vkzircon_cli.output import Lines, Place, is_terminal, say, terminal_width, write, write_private
from vkzircon_cli.render import FOR_STRANGERS, BenchFormat, DiffFormat, Format, Style, render, render_bench
from vkzircon_cli.render.page import Page, page_for
from vkzircon_cli.render.progress import Progress
from vkzircon_cli.report.report import Document, Report
from vkzircon_cli.stream.events import Event, to_line
from vkzircon_cli.worker import interrupt

if TYPE_CHECKING:
    from vkzircon_cli.report.redaction import Hidden

T = TypeVar("T")


def finish(request: Request, style: Style, place: Place) -> Exit:
    """Probe, render, write, and give the exit code."""
    if style.format is Format.TRACE:
        return _trace(request, place)
    return present(watched(lambda watch: pipeline.run(request, watch)), style, place)


def compare(before: Path, after: Path, format: DiffFormat, place: Place, *, redacts: bool) -> Exit:
    """Read two reports, write what differs, and tell whether anything does."""
    from vkzircon_cli import diff
    from vkzircon_cli.render import render_difference
    from vkzircon_cli.saved.load import read

    found = interrupt.endable(lambda: diff.compare(read(before), read(after)))
    hidden: tuple[Hidden, ...] | None = None
    if format is DiffFormat.MARKDOWN and redacts:
        found, hidden = _for_strangers(found)
    if place.path is not None or not place.quiet:
        is_for_people = format is DiffFormat.TERMINAL
        write(render_difference(found, format, page_of(place), hidden), place.path, as_utf8=not is_for_people)
    return Exit.FAILED if found.differs else Exit.OK


def measure(request: Request, format: BenchFormat, place: Place, *, verbose: bool) -> Exit:
    """Measure, render, write, and give the exit code; a page is for strangers, as a report's is."""
    found = watched(lambda watch: pipeline.run_bench(request, watch))
    hidden: tuple[Hidden, ...] | None = None
    if format is BenchFormat.HTML and request.redacts:
        found, hidden = _for_strangers(found)
    is_for_people = format is BenchFormat.TERMINAL
    return deliver(found, is_for_people, lambda page: render_bench(found, format, verbose, page, hidden), place)


def pack(request: Request, path: Path, *, quiet: bool) -> Exit:
    """Probe, write the bundle, and say what is in it and what is not."""
    from vkzircon_cli.bundle import make_bundle
    from vkzircon_cli.render.bundle_contents import Contents, render_contents

    bundle = watched(lambda watch: make_bundle(request, watch))
    write_private(bundle.data, path)
    if not quiet:
        missing = [(part.about, part.missing) for part in bundle.parts if part.missing]
        files = len(bundle.parts) - len(missing)
        contents = Contents(len(bundle.data), files, missing, bundle.report.summary, bundle.hidden)
        write(render_contents(contents, str(path), page_of(Place(None, quiet, no_color=True))), None)
    # The zip judges nothing; only a fault of ours shows in the code.
    code = bundle.report.exit_code
    return code if code is Exit.OUR_FAULT else Exit.OK


def watched(run: Callable[[Callable[[Event], None]], T]) -> T:
    """Run with a sign of life on a terminal."""
    progress = Progress(_line_writer(), terminal_width() or 80)
    try:
        return run(progress)
    finally:
        progress.close()


def _trace(request: Request, place: Place) -> Exit:
    """Write each event as it comes, so that what was asked last is known even when nothing comes after it."""
    with Lines(None if place.quiet else place.path, silent=place.quiet) as lines:

        def write_event(event: Event) -> None:
            if event["event"] != "tick":
                lines.write(to_line(event))

        return pipeline.run(request, write_event).exit_code


def present(report: Report, style: Style, place: Place) -> Exit:
    """Render, write, and give the exit code; strangers are told nothing of people and machines unless asked for."""
    hidden: tuple[Hidden, ...] | None = None
    if style.format in FOR_STRANGERS and style.redacts:
        report, hidden = _for_strangers(report)
    return deliver(report, style.format is Format.TERMINAL, lambda page: render(report, style, page, hidden), place)


def deliver(report: Document, is_for_people: bool, rendered: Callable[[Page], str], place: Place) -> Exit:
    """Write what is *rendered*, say an error where it would be overlooked, and give the exit code."""
    if place.path is not None or not place.quiet:
        write(rendered(page_of(place)), place.path, as_utf8=not is_for_people)
    if report.error is not None and _must_be_said(report, is_for_people, place):
        say(f"vkzircon: {report.error.message} {report.error.hint}".rstrip())
    return report.exit_code


def _for_strangers(found: T) -> "tuple[T, tuple[Hidden, ...]]":
    from vkzircon_cli.report.redaction import Redactor, people

    redactor = Redactor(people())
    return redactor.facts(found), redactor.hidden


def _must_be_said(report: Document, is_for_people: bool, place: Place) -> bool:
    """Tell whether the error goes to standard error too; where a person reads the report it stands on top of that."""
    if place.quiet:
        return report.exit_code is Exit.OUR_FAULT
    return not is_for_people or place.path is not None


def _line_writer() -> Callable[[str], None] | None:
    stream = sys.__stderr__
    if not is_terminal(stream) or os.environ.get("TERM") == "dumb" or stream is None:
        return None

    def put(text: str) -> None:
        # Asked again each time: while a driver runs in this process, what it prints goes where this stream went before.
        if sys.__stderr__ is not None:
            sys.__stderr__.write(text)
            sys.__stderr__.flush()

    return put


def page_of(place: Place) -> Page:
    """Describe the page that the result is written on."""
    to_terminal = place.path is None and is_terminal(sys.__stdout__)
    encoding = "utf-8" if place.path or sys.__stdout__ is None else sys.__stdout__.encoding
    return page_for(to_terminal, encoding, os.environ, place.no_color, terminal_width())
