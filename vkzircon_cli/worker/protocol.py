# SPDX-License-Identifier: Apache-2.0
"""The work of a worker: the probe, for a request and the answers of earlier workers, which arrive as one JSON line.

An unexpected exception of the probe becomes the stream's last events. `in_process` runs the probe without a worker.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vkzircon_cli.errors import CannotAsk, OurFault, Stop, by_limit, missing_package, refused_call
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.request import Request
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Event, error, to_line
from vkzircon_cli.worker.isolation import AgentLost

OnCall = Callable[[str], None]  # is called with the name of each call before it is made
Answered = Mapping[str, Any]  # a step's answer, as JSON
Probe = Callable[..., Iterator[Event]]  # of a request, `OnCall`, `Answered` and, with an agent, its `Caller`
LoadProbe = Callable[[], Probe]  # imports the probe, which the main process never does, and returns it

_BYTES_PER_LIMIT = 1 << 30  # 70 MB/s at the usual limit, a tenth of what a busy machine with two processors moved
# What drivers return, and the loader for a library that it cannot load, if they get no memory, file or thread.
_OF_LACK = (
    "VK_ERROR_OUT_OF_HOST_MEMORY",
    "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    "VK_ERROR_TOO_MANY_OBJECTS",
    "VK_ERROR_MEMORY_MAP_FAILED",
    "VK_ERROR_INITIALIZATION_FAILED",
    "VK_ERROR_INCOMPATIBLE_DRIVER",
    "VK_ERROR_UNKNOWN",
)
_REPORT = "the command line and the output of the same with --format json"


def time_limit(timeout_s: float, moves: int) -> float:
    """Return the limit in seconds of a step that *moves* so many bytes: *timeout_s*, plus *timeout_s* for each GiB."""
    return timeout_s * (1 + moves // _BYTES_PER_LIMIT)


def probe_events(load: LoadProbe, request: Request, on_call: OnCall, answered: Answered) -> Iterator[Event]:
    """Yield the events of the probe; a missing package or a bug of ours is an error event, never an exception."""
    if request.environ:  # that of the emulation
        from vkzircon_cli.model.limits import raise_open_files

        raise_open_files()
    try:
        if request.agent is None:
            os.environ.update(request.environ)
            yield from _within_limits(request, load()(request, on_call, answered))
        else:
            yield from _through_agent(load, request, on_call, answered)
    except AgentLost:
        raise
    except CannotAsk as no_agent:
        yield from _last_events(no_agent, no_agent.cause)
    except ImportError as gone:
        yield from _last_events(missing_package(gone), "no-package")
    except Exception as fault:  # noqa: BLE001 - its traceback goes into the report with the driver's output
        import traceback  # imported here: only a bug of ours needs it

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        refused = refused_call(fault)
        yield from _last_events(refused or OurFault(fault, _REPORT), refused.cause if refused else "our-fault")


def _within_limits(request: Request, events: Iterator[Event]) -> Iterator[Event]:
    """Yield the probe's events, but no answer that a limit of this process may have spoiled, and none behind it.

    Raises:
        CannotAsk: there is such an answer.
    """
    for event in events:
        is_end = event["event"] == "end"
        if is_end and (happened := _lacking(event["answer"])) and (limited := by_limit(happened)):
            raise limited
        yield event
        unfit = _unfit(event) if is_end and request.emulate is not None else ""
        if unfit and (limited := by_limit(unfit)):
            raise limited


def _lacking(answer: Any) -> str:
    """Return the first thing in an answer that a lack of memory, files or threads may cause, '' without one."""
    for missing in _missing_in(answer):
        if missing.result in _OF_LACK or missing.kind is MissingKind.CRASHED:
            from vkzircon_cli.checks.registry import describe, sentence_case  # few runs need it

            return sentence_case(describe(missing))
    return ""


def _unfit(event: Event) -> str:
    """Return how the answer of a step shows that the emulation is missing, '' if it does not."""
    value, step = event["answer"]["value"], event["step"]
    if value is not None and step == "instance" and not value["is_emulated"]:
        return "The loader did not load the emulation layer"
    if value is not None and step.endswith("/extensions") and all(each["name"] != EXTENSION for each in value):
        return f"The emulation does not offer {EXTENSION} with this driver"
    return ""


def _missing_in(answer: Any) -> Iterator[Missing]:
    """Yield every missing answer in an answer, which may have further ones in it."""
    if isinstance(answer, dict):
        if answer.get("missing") is not None:
            yield decode(Missing, answer["missing"])
        answer = list(answer.values())
    if isinstance(answer, list):
        for part in answer:
            yield from _missing_in(part)


def _through_agent(load: LoadProbe, request: Request, on_call: OnCall, answered: Answered) -> Iterator[Event]:
    probe = load()
    from vkzircon_cli.worker.agent_process import connected  # imported here: only a run with --agent needs it

    with connected(request) as caller:

        def note(name: str) -> None:
            if not caller.is_gone:  # what is destroyed behind a loss is not called any more
                on_call(name)

        yield from probe(request, note, answered, caller)


def answer(load: LoadProbe, line: bytes, on_call: OnCall) -> Iterator[bytes]:
    """Yield the events of `probe_events` as texts; *line* is the request as `Worker.send` writes it."""
    sent = json.loads(line)
    for event in probe_events(load, decode(Request, sent["request"]), on_call, sent["answered"]):
        yield to_line(event).rstrip(b"\n")


def _last_events(stop: Stop, cause: str) -> Iterator[Event]:
    yield error(stop, cause)
    yield {"event": "done"}
