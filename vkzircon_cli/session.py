# SPDX-License-Identifier: Apache-2.0
"""One run from request to report: surroundings, emulation, isolated probe, fold, verdicts."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime

from vkzircon_cli import emulation as layer
from vkzircon_cli import isolation
from vkzircon_cli.environment import EMULATION_VARIABLE, environment
from vkzircon_cli.errors import CannotAsk, Exit, Stop
from vkzircon_cli.events import Event, Fold, error
from vkzircon_cli.offer import select_devices
from vkzircon_cli.report import Emulation, Output, Report, make_report
from vkzircon_cli.request import Request


def run(request: Request, watch: Callable[[Event], None]) -> Report:
    """Probe what *request* asks for and judge it; *watch* hears every event as it comes.

    Ctrl-C ends the probe and gives the report of what was learned until then, with exit code 130.

    Raises:
        Usage: the device asked for is not there, or not one, or emulation was asked for in a way that cannot be.
    """
    started, began = datetime.now(UTC), time.monotonic()
    surroundings = environment()
    fold, capture = Fold(), isolation.Capture()
    environ: dict[str, str] = {}
    interrupted = False
    try:
        environ = layer.variables(os.environ) if request.emulate else {}
        with closing(isolation.events(request, environ, capture)) as stream:
            _feed(stream, fold, watch)
    except CannotAsk as stop:
        fold.add(error(stop, stop.cause))
    except KeyboardInterrupt:
        interrupted = True
        fold.add(error(_Interrupted("Interrupted: this report holds what was learned until then."), "interrupted"))
    transcript = fold.transcript()
    if request.device is not None and transcript.facts.devices and not interrupted:
        select_devices([device.identity.value for device in transcript.facts.devices], request.device)
    return make_report(
        transcript,
        request.depth,
        environment=surroundings,
        emulation=_emulation({**os.environ, **environ}),
        started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        duration_ms=round((time.monotonic() - began) * 1000, 3),
        output=Output(bytes(capture.kept).decode("utf-8", "backslashreplace"), capture.dropped),
    )


def _feed(stream: Iterator[Event], fold: Fold, watch: Callable[[Event], None]) -> None:
    for event in stream:
        fold.add(event)
        watch(event)


class _Interrupted(Stop):
    """Ctrl-C."""

    exit_code = Exit.INTERRUPTED


def _emulation(environ: Mapping[str, str]) -> Emulation:
    active = layer.LAYER_NAME in environ.get("VK_INSTANCE_LAYERS", "").split(os.pathsep)
    return Emulation(
        active=active,
        layer=layer.LAYER_NAME if active else None,
        settings=environ.get(EMULATION_VARIABLE, "") if active else "",
    )
