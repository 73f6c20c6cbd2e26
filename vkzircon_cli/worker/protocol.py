# SPDX-License-Identifier: Apache-2.0
"""What is sent to a worker, as one JSON line: the request with its environment, and what earlier workers answered."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vkzircon_cli.model.base import plain
from vkzircon_cli.model.request import Request
from vkzircon_cli.stream.decoding import decode

OnCall = Callable[[str], None]  # hears the name of each call before it is made
Answered = Mapping[str, Any]  # a step's answer, as JSON
Probe = Callable[[Request, OnCall, Answered], Iterator[dict[str, Any]]]  # yields events; see stream.events
LoadProbe = Callable[[], Probe]  # imports the probe, which the main process never does, and returns it


def to_line(request: Request, answered: Answered) -> bytes:
    """Write a request, and the answers that are known already."""
    return json.dumps({"request": plain(request), "answered": answered}).encode("ascii") + b"\n"


def from_line(line: bytes) -> tuple[Request, Answered]:
    """Read what `to_line` wrote."""
    sent = json.loads(line)
    return decode(Request, sent["request"]), sent["answered"]
