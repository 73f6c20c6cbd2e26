# SPDX-License-Identifier: Apache-2.0
"""One run from request to report: surroundings, emulation, isolated probe, fold, verdicts."""

import os
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from vkzircon_cli.emulation import installation as layer
from vkzircon_cli.errors import CannotAsk, Exit, Stop, Usage
from vkzircon_cli.model.base import plain
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.home import without_home
from vkzircon_cli.model.host import EMULATION_VARIABLE, can_fork, environment
from vkzircon_cli.model.queries import select_devices
from vkzircon_cli.model.request import Request
from vkzircon_cli.report.report import Report, make_report
from vkzircon_cli.report.stop_reason import FIRST_ONLY, is_in_trouble
from vkzircon_cli.stream.document import EmulationAsked, make_header
from vkzircon_cli.stream.events import Event, error
from vkzircon_cli.stream.fold import Fold, Transcript
from vkzircon_cli.worker import interrupt, supervisor, worker

if TYPE_CHECKING:
    from vkzircon_cli.report.bench import BenchReport
    from vkzircon_cli.report.matrix import MatrixReport


def run(request: Request, watch: Callable[[Event], None]) -> Report:
    """Probe what *request* asks for and judge it; *watch* hears every event as it comes, the header first.

    A signal ends the probe: the report holds what was learned until then, and exits with 128 + the signal's number.

    Raises:
        BadValue: the device asked for is not there, or not one.
        Usage: emulation was asked for in a way that cannot be.
    """
    return make_report(_folded(request, watch)[1])


def run_matrix(request: Request, watch: Callable[[Event], None]) -> "MatrixReport":
    """Ask for the matrix that *request* wants, as `run` does for a report."""
    from vkzircon_cli.model.matrix import MatrixDevice
    from vkzircon_cli.report.matrix import make_matrix

    fold, transcript = _folded(request, watch)
    return make_matrix(transcript, fold.devices(MatrixDevice), request.handle_type)


def run_bench(request: Request, watch: Callable[[Event], None]) -> "BenchReport":
    """Measure what *request* wants, as `run` probes; a signal leaves what was measured until then."""
    from vkzircon_cli.model.bench import BenchDevice
    from vkzircon_cli.report.bench import make_bench

    fold, transcript = _folded(request, watch)
    return make_bench(transcript, fold.devices(BenchDevice), request.seconds)


def _folded(request: Request, watch: Callable[[Event], None]) -> tuple[Fold, Transcript]:
    fold = Fold()
    interrupted = False
    with closing(_stream(request)) as stream:
        told = map(without_home, stream) if request.redacts else stream
        _feed([next(told)], fold, watch)  # the header, without which there is nothing to report
        try:
            _feed(interrupt.each(told), fold, watch)
        except interrupt.Interrupted:
            interrupted = True
            _feed([interruption()], fold, watch)
    transcript = fold.transcript()
    if transcript.failure is not None and transcript.failure.exit_code == Exit.USAGE:
        raise Usage(transcript.failure.message, transcript.failure.hint)
    if request.device is not None and transcript.facts.devices and not interrupted:
        select_devices([device.identity.value for device in transcript.facts.devices], request.device)
    return fold, transcript


def _stream(request: Request) -> Generator[Event, None, None]:
    """Yield the whole stream: header, probe, what was printed meanwhile, and the end."""
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    stop: CannotAsk | None = None
    environ: dict[str, str] = {}
    try:
        environ = layer.variables(os.environ, request.emulate) if request.emulate else {}
    except CannotAsk as no_layer:
        stop = no_layer
    if stop is None and can_fork():
        worker.start_first()
    header = make_header(
        request.depth,
        environment(),
        EmulationAsked(request.emulate is not None, {**os.environ, **environ}.get(EMULATION_VARIABLE, "")),
        started,
        request.judging,
    )
    yield {"event": "header", **plain(header)}
    if stop is not None:
        yield error(stop, stop.cause)
    else:
        try:
            yield from _probed(request, environ)
        except supervisor.NoProcess as alone:
            yield error(alone, alone.cause)
    yield {"event": "done", "ms": elapsed_ms()}


def _probed(request: Request, environ: dict[str, str]) -> Iterator[Event]:
    """Probe; where nothing could be asked, look for what is to blame, leave it out, and probe once more."""
    seen = Fold()
    for event in supervisor.events(request, environ):
        if "/" not in event.get("step", ""):  # what was asked of a device has its name in front, and tells nothing here
            seen.add(event)
        yield event
    # Without fork the driver may hang in this process, with the linker's lock in its hand: no library is opened then.
    if not can_fork() or not is_in_trouble(seen.transcript()):
        return
    from vkzircon_cli.doctor.bisect import find_culprits

    try:
        found = find_culprits(request, environ, seen.transcript())
    except supervisor.NoProcess as alone:
        text = f"What is to blame was not looked for. {alone.message}"
        yield {"event": "message", "severity": "warning", "text": text}
        return
    yield from ({"event": "culprit", **plain(culprit)} for culprit in found.culprits)
    if found.passed:
        text = f"{FIRST_ONLY}{found.passed}; asked again, it did not happen."
        yield {"event": "message", "severity": "warning", "text": text}
    if found.environ is not None:
        yield {"event": "again"}
        yield from supervisor.events(request, {**environ, **found.environ})


def _feed(stream: Iterable[Event], fold: Fold, watch: Callable[[Event], None]) -> None:
    for event in stream:
        fold.add(event)
        watch(event)


def interruption() -> Event:
    """Return the event that says which signal ended the run."""
    return error(_Interrupted(), "interrupted")


class _Interrupted(Stop):
    """A signal came."""

    def __init__(self) -> None:
        heard = interrupt.signal_heard() or signal.SIGINT
        super().__init__(f"Interrupted by {heard.name}: this report holds what was learned until then.")
        self.exit_code = Exit(interrupt.exit_code(Exit.INTERRUPTED))
