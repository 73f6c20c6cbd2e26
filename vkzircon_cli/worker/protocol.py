# SPDX-License-Identifier: Apache-2.0
"""The probe in this process, whichever that is, with what must not happen turned into the stream's last words."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vkzircon_cli.errors import Exit, Stop, missing_package
from vkzircon_cli.model.request import Request
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Event, error, to_line

REPORT_A_FAULT = "Please report it, with the command line and the output of the same with --format json."


class _OurFault(Stop):
    """The probe raised what it should not."""

    exit_code = Exit.OUR_FAULT


def probe_events(request: Request, on_call: Callable[[str], None], answered: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the events of `probe`; a missing package or a fault of ours is an error event, never an exception."""
    try:
        from vkzircon_cli.probe import probe

        yield from probe(request, on_call, answered)
    except ImportError as gone:
        yield from _last_words(missing_package(gone), "no-package")
    except Exception as fault:  # noqa: BLE001 - the trace goes where the driver's words go, and into the report
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        said = f"A fault of vkzircon's own ended the probe: {type(fault).__name__}: {fault}."
        yield from _last_words(_OurFault(said, REPORT_A_FAULT), "our-fault")


def answer(question: bytes, on_call: Callable[[str], None]) -> Iterator[bytes]:
    """Yield the lines of `probe_events` for a *question* that another process asked: see `question`."""
    asked = json.loads(question)
    os.environ.update(asked["environ"])
    request = decode(Request, asked["request"])
    yield from map(to_line, probe_events(request, on_call, asked["answered"]))


def _last_words(stop: Stop, cause: str) -> Iterator[Event]:
    yield error(stop, cause)
    yield {"event": "done"}
