# SPDX-License-Identifier: Apache-2.0
"""One run from request to report: surroundings, emulation, isolated probe, fold, verdicts."""

import os
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace

from vkzircon_cli.emulation.installation import find, with_environment
from vkzircon_cli.errors import CannotAsk, Exit, Stop, Usage, refused_call
from vkzircon_cli.model.base import plain, record
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.home import also_name, without_home
from vkzircon_cli.model.host import EMULATION_VARIABLE, Environment, environment, unknown_environment
from vkzircon_cli.model.queries import hidden_commands, select_devices
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.report.report import Report, make_report
from vkzircon_cli.report.stop_reason import FIRST_ONLY, is_in_trouble, is_limited, lacks_emulation
from vkzircon_cli.stream.document import Document, EmulationAsked, make_header
from vkzircon_cli.stream.events import Culprit, Event, error, own_message
from vkzircon_cli.stream.fold import Fold, Transcript
from vkzircon_cli.worker import in_process, interrupt, supervisor, worker
from vkzircon_cli.worker.isolation import NoProcess, can_fork
from vkzircon_cli.worker.protocol import Probe

Watch = Callable[[Event], None]


@record
class Found:
    """The result of a search: the culprits, and the environment that leaves them out, None if no driver would be left.

    *passed* describes an error that did not happen again.
    """

    culprits: tuple[Culprit, ...] = ()
    environ: dict[str, str] | None = None
    passed: str = ""


# Takes a request and the transcript of its probe, and searches for the manifests that kept it from every device, or for
# the layers that hide the extension's commands.
Search = Callable[[Request, Transcript], Found]


def run(request: Request, watch: Watch, search: Search) -> Report:
    """Run the probe of *request* and judge the facts; *watch* receives every event at once, the header first.

    If no device could be queried, or a command is hidden, *search* finds the culprits. A signal ends the probe: the
    report then holds the results up to the signal, and its exit code is 128 + the signal's number.

    Raises:
        BadValue: no device, or more than one, matches the requested device.
        Usage: the requested emulation cannot be turned on.
    """
    return make_report(_folded(request, watch, search)[1])


def run_to_depth(request: Request, watch: Watch, search: Search) -> Document:
    """Make the document that *request* asks for: a matrix, a bench, or a report (as `run` does)."""
    if request.depth not in (Depth.MATRIX, Depth.BENCH):
        return run(request, watch, search)
    fold, transcript = _folded(request, watch, search)
    # Imported here: 1 and 2 ms that a report does not need.
    if request.depth is Depth.MATRIX:
        from vkzircon_cli.model.matrix import MatrixDevice
        from vkzircon_cli.report.matrix import make_matrix

        return make_matrix(transcript, fold.devices(MatrixDevice), request.handle_type)
    from vkzircon_cli.model.bench import BenchDevice
    from vkzircon_cli.report.bench import make_bench

    return make_bench(transcript, fold.devices(BenchDevice), request.seconds)


def events(request: Request) -> Generator[Event, None, None]:
    """Yield the events of the probe alone, without header and search.

    Raises:
        NoProcess: neither a process nor a thread can be started for the driver.
    """
    run_probe = supervisor.events if is_isolated(request) else in_process.events
    return run_probe(load_probe, request)


def is_isolated(request: Request) -> bool:
    """Whether the driver is called outside this process: by a worker here, or by an agent elsewhere."""
    return request.agent is not None or can_fork()


def load_probe() -> Probe:
    """Import the probe and return it. It takes 30 ms, with the binding, and only the worker needs it."""
    from vkzircon_cli.probe import probe

    return probe


def _folded(request: Request, watch: Watch, search: Search) -> tuple[Fold, Transcript]:
    fold = Fold(request.device_shape)
    interrupted = False
    with closing(_stream(request, search)) as stream:
        told = map(without_home, stream) if request.redacts else stream
        _feed([next(told)], fold, watch)  # the header: every report needs it
        interrupt.keep_result()
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


def _stream(request: Request, search: Search) -> Generator[Event, None, None]:
    """Yield the whole stream: header, probe, captured output, and the end."""
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    stop: CannotAsk | None = None
    where, variables = None, dict(os.environ)
    try:
        if request.agent is not None:
            with suppress(interrupt.Interrupted):  # the first wait below raises it again, behind the header
                where, variables = _surroundings(request)
        request = with_environment(request, variables)
        if is_isolated(request):
            worker.start_first(load_probe)
    except CannotAsk as not_possible:
        stop = not_possible
    except interrupt.Interrupted:  # raised once more after the header, which every report needs
        pass
    if where is None:
        where = environment(isolated=can_fork()) if request.agent is None else unknown_environment(request.agent)
    header = make_header(
        request.depth,
        where,
        EmulationAsked(request.emulate is not None, {**variables, **request.environ}.get(EMULATION_VARIABLE, "")),
        started,
        request.judging,
    )
    yield {"event": "header", **plain(header)}
    if stop is not None:
        yield error(stop, stop.cause)
    else:
        try:
            yield from _probed(request, search)
        except NoProcess as alone:
            yield error(alone, alone.cause)
        except OSError as failed:
            if (refused := refused_call(failed)) is None:
                raise
            yield error(refused, refused.cause)
    yield {"event": "done", "ms": elapsed_ms()}


def _surroundings(request: Request) -> tuple[Environment, dict[str, str]]:
    """Ask the agent of *request* for its environment, and whether it has the emulation's files if those are needed.

    Raises:
        CannotAsk: there is no agent, or the emulation cannot be turned on there.
    """
    from vkzircon_cli.worker.agent_process import ask_surroundings  # imported here: only --agent needs it, and cffi

    paths: tuple[str, ...] = ()
    if request.emulate is not None:
        installed = find()
        paths = (str(installed.manifest), str(installed.libzircon))
    found = interrupt.endable(lambda: ask_surroundings(request.agent or "", request.timeout_s, paths))
    also_name(found.variables)
    also_name({"HOSTNAME": found.host})
    if not found.has_paths:
        raise CannotAsk(
            "no-layer",
            "The agent does not find the emulation layer of this vkzircon.",
            "Leave out --emulate, or use an agent that sees the same files.",
        )
    return found.environment, found.variables


def _probed(request: Request, search: Search) -> Iterator[Event]:
    """Run the probe. If no device could be queried, search for the culprits, leave them out, and probe once more."""
    seen = Fold()
    for event in events(request):
        if event.get("step", "").partition("/")[2] in _SEARCHED:  # of a device's steps, only those that a search needs
            seen.add(event)
        yield event
    # Without fork, the driver may hang in this process while it holds the linker's lock, so no library is opened.
    transcript = seen.transcript()
    hides = request.depth is Depth.EVERYTHING and any(map(hidden_commands, transcript.facts.devices))
    is_lost = request.emulate is not None and lacks_emulation(transcript.facts)
    may_find = can_fork() and not is_limited(transcript.failure)
    if not may_find or not (hides or is_lost or is_in_trouble(transcript)):
        return
    if request.agent is not None:
        yield own_message("warning", _NOT_ON_DEVICES)
        return
    try:
        found = search(request, transcript)
    except NoProcess as alone:
        yield own_message("warning", f"No search for the culprit was made. {alone.message}")
        return
    yield from ({"event": "culprit", **plain(culprit)} for culprit in found.culprits)
    if found.passed:
        yield own_message("warning", f"{FIRST_ONLY}{found.passed}; it did not happen again.")
    if found.environ is not None:
        yield {"event": "again"}
        yield from events(replace(request, environ={**request.environ, **found.environ}))


_SEARCHED = ("", "extensions", "open")
_NOT_ON_DEVICES = (
    "No search for a layer or driver that is the cause was made: vkzircon reads the manifests of its own machine only."
)


def _feed(stream: Iterable[Event], fold: Fold, watch: Watch) -> None:
    for event in stream:
        fold.add(event)
        watch(event)


def interruption() -> Event:
    """Return the event that names the signal that ended the run."""
    heard = interrupt.signal_heard() or signal.SIGINT
    stop = Stop(f"Interrupted by {heard.name}: this report holds what was learned until then.")
    stop.exit_code = Exit(interrupt.exit_code(Exit.INTERRUPTED))
    return error(stop, "interrupted")
