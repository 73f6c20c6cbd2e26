# SPDX-License-Identifier: Apache-2.0
"""How cost grows with devices, memory types, formats and rounds. It is linear if one more always costs the same."""

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from measure import Command, printed_ms, wall_ms
from rows import Where

Event = dict[str, Any]
_ROUNDS = (1000, 2000, 5000, 10_000)
_FIRST_TYPE = 100  # the number of the first memory type that is added to a trace: no device has as many


@dataclass(frozen=True)
class Growth:
    """What it costs, in milliseconds, to have each of *counts* of something."""

    what: str
    counts: tuple[int, ...]
    costs_ms: tuple[float, ...]

    @property
    def each_ms(self) -> tuple[float, ...]:
        """What one more costs between two counts; fixed costs cancel out."""
        steps = pairwise(zip(self.counts, self.costs_ms, strict=True))
        return tuple((cost - before) / (count - fewer) for (fewer, before), (count, cost) in steps)


def grown(where: Where) -> Iterator[Growth]:
    """Measure how each cost grows."""
    yield _rounds(where, "import", "IMPORTS", "stress.imports")
    yield _rounds(where, "export, import and free", "ROUNDS", "stress.rounds")
    yield _formats(where)
    yield from _devices(where)
    yield from _traces(where)


def _rounds(where: Where, what: str, constant: str, step: str) -> Growth:
    costs = [printed_ms(where.probe("stress", constant, str(count), step)) for count in _ROUNDS]
    return Growth(what, _ROUNDS, tuple(costs))


def _formats(where: Where) -> Growth:
    counts, costs = [], []
    for formats in ("common", "all"):
        command = where.vkzircon("matrix", "--emulate", "--format", "json", "--formats", formats)
        counts.append(len(json.loads(_output(command))["devices"][0]["image_formats"]))
        costs.append(_median(where, command))
    return Growth("format of a matrix", tuple(counts), tuple(costs))


def _devices(where: Where) -> Iterator[Growth]:
    """Name one driver several times to the loader, each time another device. Only if one manifest names the driver."""
    manifest = where.environ.get("VK_DRIVER_FILES", "")
    if not Path(manifest).is_file():
        return
    counts, costs = (1, 2, 4, 8), []
    with tempfile.TemporaryDirectory() as folder:
        files = [shutil.copy(manifest, Path(folder) / f"{number}.json") for number in range(max(counts))]
        for count in counts:
            drivers = os.pathsep.join(map(str, files[:count]))
            costs.append(_median(where, where.vkzircon("report", "--emulate", "-f", "json", VK_DRIVER_FILES=drivers)))
    yield Growth("device that is asked everything", counts, tuple(costs))


def _traces(where: Where) -> Iterator[Growth]:
    lines = _output(where.vkzircon("report", "--emulate", "--device", "0", "--format", "trace")).splitlines()
    trace = [json.loads(line) for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.jsonl"
        command = where.vkzircon("show", str(file), "--format", "json")
        for what, multiplied, counts in _MULTIPLIED:
            costs = []
            for count in counts:
                file.write_text("".join(json.dumps(event) + "\n" for event in multiplied(trace, count)))
                costs.append(_median(where, command))
            yield Growth(f"{what} in a trace that is shown", counts, tuple(costs))


def _median(where: Where, command: Command) -> float:
    return statistics.median(wall_ms(command) for _ in range(max(1, where.pairs // 2)))


def _output(command: Command) -> bytes:
    return subprocess.run(command.words, env=command.environ, capture_output=True, check=True).stdout


def _with_devices(trace: list[Event], count: int) -> Iterator[Event]:
    """Repeat the steps of device 0 for *count* devices."""
    for event in trace:
        if event["event"] == "select":
            yield event | {"devices": list(range(count))}
        elif not str(event.get("step", "")).startswith("device0/"):
            yield event
        else:
            for number in range(count):
                again = _renamed(event, "device0/", f"device{number}/")
                yield again | ({"device": number} if event["event"] == "begin" else {})


def _with_types(trace: list[Event], count: int) -> Iterator[Event]:
    """Repeat the steps of the first memory type that is shared for *count* more types."""
    steps = [str(event.get("step", "")) for event in trace]
    shared = next(found[0] for step in steps if (found := re.match(r"device0/type\d+/(?=import)", step)))
    for event in trace:
        yield event
        if str(event.get("step", "")).startswith(shared):
            for number in range(_FIRST_TYPE, _FIRST_TYPE + count):
                again = _renamed(event, shared, f"device0/type{number}/")
                if "memory_type" in event.get("key", {}):
                    again["key"] = event["key"] | {"memory_type": number}
                yield again


def _renamed(event: Event, start: str, other: str) -> Event:
    return event | {"step": event["step"].replace(start, other, 1)}


_MULTIPLIED: tuple[tuple[str, Callable[[list[Event], int], Iterable[Event]], tuple[int, ...]], ...] = (
    ("device", _with_devices, (1, 50, 100, 200)),  # a trace of more devices like an H200 exceeds the limit of a file
    ("memory type", _with_types, (1, 8, 16, 32)),
)
