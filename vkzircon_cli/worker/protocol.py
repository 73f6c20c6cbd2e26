# SPDX-License-Identifier: Apache-2.0
"""The work of a worker: the probe, for a request and the answers of earlier workers, which arrive as one JSON line.

An unexpected exception of the probe becomes the stream's last events. `in_process` runs the probe without a worker.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vkzircon_cli.errors import OurFault, Stop, missing_package
from vkzircon_cli.model.request import Request
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Event, error, to_line

OnCall = Callable[[str], None]  # is called with the name of each call before it is made
Answered = Mapping[str, Any]  # a step's answer, as JSON
Probe = Callable[[Request, OnCall, Answered], Iterator[Event]]
LoadProbe = Callable[[], Probe]  # imports the probe, which the main process never does, and returns it

_BYTES_PER_LIMIT = 1 << 30  # 70 MB/s at the usual limit, a tenth of what a busy machine with two processors moved
_REPORT = "the command line and the output of the same with --format json"


def time_limit(timeout_s: float, moves: int) -> float:
    """Return the limit in seconds of a step that *moves* so many bytes: *timeout_s*, plus *timeout_s* for each GiB."""
    return timeout_s * (1 + moves // _BYTES_PER_LIMIT)


def probe_events(load: LoadProbe, request: Request, on_call: OnCall, answered: Answered) -> Iterator[Event]:
    """Yield the events of the probe; a missing package or a bug of ours is an error event, never an exception."""
    os.environ.update(request.environ)
    if request.environ:  # that of the emulation
        from vkzircon_cli.emulation.limits import raise_open_files

        raise_open_files()
    try:
        yield from load()(request, on_call, answered)
    except ImportError as gone:
        yield from _last_events(missing_package(gone), "no-package")
    except Exception as fault:  # noqa: BLE001 - its traceback goes into the report with the driver's output
        import traceback  # imported here: only a bug of ours needs it

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        yield from _last_events(OurFault(fault, _REPORT), "our-fault")


def answer(load: LoadProbe, line: bytes, on_call: OnCall) -> Iterator[bytes]:
    """Yield the events of `probe_events` as lines; *line* is the request as `Worker.send` writes it."""
    sent = json.loads(line)
    yield from map(to_line, probe_events(load, decode(Request, sent["request"]), on_call, sent["answered"]))


def _last_events(stop: Stop, cause: str) -> Iterator[Event]:
    yield error(stop, cause)
    yield {"event": "done"}
