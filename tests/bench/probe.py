# SPDX-License-Identifier: Apache-2.0
"""Runs the probe in a process of its own: its time, its calls, the time of one stress step, or its imports only."""

import sys
import time

from vkzircon_cli.bindings import vk
from vkzircon_cli.model.request import Depth, Formats, Request
from vkzircon_cli.probe import leaks, probe
from vkzircon_cli.stream.events import to_line


def main(what: str, *arguments: str) -> None:
    """Print milliseconds, or for *calls* one name a line."""
    vk.binding()
    if what == "time":
        print(_time(arguments[0]))
    elif what == "calls":
        (*_, last) = probe(_request(arguments[0]), print, {})
        assert last["event"] == "done", last
    elif what == "stress":
        print(_stress(*arguments))


def _request(depth: str) -> Request:
    return Request(Depth(depth), formats=Formats.ALL)


def _time(depth: str) -> float:
    request = _request(depth)
    began = time.perf_counter()
    for event in probe(request, lambda _: None, {}):
        to_line(event)
    return (time.perf_counter() - began) * 1000


def _stress(constant: str, count: str, step: str) -> float:
    """Measure the step with *count* rounds; the other step has one."""
    leaks.IMPORTS = leaks.ROUNDS = 1
    setattr(leaks, constant, int(count))
    times = {
        event["event"]: event["ms"]
        for event in probe(Request(stress=True, timeout_s=600.0), lambda _: None, {})
        if str(event.get("step", "")).endswith(step)
    }
    return float(times["end"] - times["begin"])


if __name__ == "__main__":
    main(*sys.argv[1:])
