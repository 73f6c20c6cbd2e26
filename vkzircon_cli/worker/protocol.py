# SPDX-License-Identifier: Apache-2.0
"""What a worker runs: the probe, for a request and the answers of earlier workers, which come as one JSON line.

What the probe should not raise becomes the stream's last events. `in_process` runs the probe without a worker.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vkzircon_cli.errors import OurFault, Stop, missing_package
from vkzircon_cli.model.request import Request
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Event, error, to_line

OnCall = Callable[[str], None]  # hears the name of each call before it is made
Answered = Mapping[str, Any]  # a step's answer, as JSON
Probe = Callable[[Request, OnCall, Answered], Iterator[Event]]
LoadProbe = Callable[[], Probe]  # imports the probe, which the main process never does, and returns it

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
    """Yield the lines of `probe_events` for a request that came as the line that `Worker.send` writes."""
    sent = json.loads(line)
    yield from map(to_line, probe_events(load, decode(Request, sent["request"]), on_call, sent["answered"]))


def _last_events(stop: Stop, cause: str) -> Iterator[Event]:
    yield error(stop, cause)
    yield {"event": "done"}
