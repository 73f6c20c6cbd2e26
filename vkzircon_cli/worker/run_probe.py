# SPDX-License-Identifier: Apache-2.0
"""Runs the probe in this process, a worker or not; what the probe should not raise becomes the stream's last events."""

import os
from collections.abc import Iterator

from vkzircon_cli.errors import OurFault, Stop, missing_package
from vkzircon_cli.model.request import Request
from vkzircon_cli.stream.events import Event, error, to_line
from vkzircon_cli.worker.protocol import Answered, LoadProbe, OnCall, from_line

_REPORT = "the command line and the output of the same with --format json"


def probe_events(load: LoadProbe, request: Request, on_call: OnCall, answered: Answered) -> Iterator[Event]:
    """Yield the events of the probe; a missing package or a fault of ours is an error event, never an exception."""
    os.environ.update(request.environ)
    try:
        yield from load()(request, on_call, answered)
    except ImportError as gone:
        yield from _last_events(missing_package(gone), "no-package")
    except Exception as fault:  # noqa: BLE001 - its trace goes with the driver's output into the report
        import traceback  # for a fault of ours only

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        yield from _last_events(OurFault(fault, _REPORT), "our-fault")


def answer(load: LoadProbe, line: bytes, on_call: OnCall) -> Iterator[bytes]:
    """Yield the lines of `probe_events` for a request that came as a line."""
    request, answered = from_line(line)
    yield from map(to_line, probe_events(load, request, on_call, answered))


def _last_events(stop: Stop, cause: str) -> Iterator[Event]:
    yield error(stop, cause)
    yield {"event": "done"}
