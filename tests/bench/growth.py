# SPDX-License-Identifier: Apache-2.0
"""How cost grows: with devices, memory types, formats and rounds. Linear is that one more always costs the same."""

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from measure import program, sample
from rows import Where

Event = dict[str, Any]
_NO_TYPE = 100  # no device has so many memory types


@dataclass(frozen=True)
class Growth:
    """What it costs to have so many of something, in milliseconds."""

    what: str
    counts: tuple[int, ...]
    costs_ms: tuple[float, ...]

    @property
    def each_ms(self) -> tuple[float, ...]:
        """Give what one more costs between each count and the next: what is there anyway falls out."""
        steps = pairwise(zip(self.counts, self.costs_ms, strict=True))
        return tuple((cost - before) / (count - fewer) for (fewer, before), (count, cost) in steps)


def grown(where: Where) -> Iterator[Growth]:
    """Measure all of it."""
    yield _rounds(where, "import", "IMPORTS", "stress.imports")
    yield _rounds(where, "export, import and free", "ROUNDS", "stress.rounds")
    yield _formats(where)
    yield from _devices(where)
    with tempfile.TemporaryDirectory() as folder:
        file, trace = Path(folder) / "trace.jsonl", _trace(where)
        for what, multiplied, counts in _SHOWN:
            costs = [_cost_of_showing(where, file, multiplied(trace, count)) for count in counts]
            yield Growth(f"{what} in a trace that is shown", counts, tuple(costs))


_STRESS = """
import json, sys
from vkzircon_cli.worker.protocol import probe_events
from vkzircon_cli.probe import leaks
from vkzircon_cli.model.request import Request
leaks.IMPORTS, leaks.ROUNDS = 1, 1
setattr(leaks, sys.argv[1], int(sys.argv[2]))
for event in probe_events(Request(stress=True, timeout_s=600.0), lambda _: None, {}):
    print(json.dumps(event))
"""


def _rounds(where: Where, what: str, constant: str, step: str) -> Growth:
    counts = (1000, 2000, 5000, 10_000)

    def cost(count: int) -> float:
        events = _events([where.python, "-c", _STRESS, constant, str(count)], where.under_emulation)
        times = {event["event"]: event["ms"] for event in events if str(event.get("step", "")).endswith(step)}
        return float(times["end"] - times["begin"])

    return Growth(what, counts, tuple(map(cost, counts)))


def _formats(where: Where) -> Growth:
    command = [*program(), "matrix", "--emulate", "--format", "json", "--formats"]
    counts, costs = [], []
    for formats in ("common", "all"):
        done = subprocess.run([*command, formats], env=where.environ, capture_output=True, check=True)
        counts.append(len(json.loads(done.stdout)["devices"][0]["image_formats"]))
        costs.append(_median(where, lambda formats=formats: sample([*command, formats], where.environ).wall_s * 1000))  # type: ignore[misc]
    return Growth("format of a matrix", tuple(counts), tuple(costs))


def _devices(where: Where) -> Iterator[Growth]:
    """Give the loader one manifest several times: each is one more device. Only where one file names the driver."""
    manifest = where.environ.get("VK_DRIVER_FILES", "")
    if not Path(manifest).is_file():
        return
    with tempfile.TemporaryDirectory() as folder:
        counts = (1, 2, 4, 8)
        files = [shutil.copy(manifest, Path(folder) / f"{number}.json") for number in range(max(counts))]
        costs = []
        for count in counts:
            environ = {**where.environ, "VK_DRIVER_FILES": os.pathsep.join(map(str, files[:count]))}
            command = [*program(), "report", "--emulate", "--format", "json"]
            costs.append(_median(where, lambda e=environ, c=command: sample(c, e).wall_s * 1000))  # type: ignore[misc]
    yield Growth("device that is asked everything", counts, tuple(costs))


def _median(where: Where, once: Callable[[], float]) -> float:
    return statistics.median(once() for _ in range(max(1, where.pairs // 2)))


def _events(command: Iterable[str], environ: Mapping[str, str]) -> list[Event]:
    done = subprocess.run([*command], env=environ, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _trace(where: Where) -> list[Event]:
    return _events([*program(), "report", "--emulate", "--device", "0", "--format", "trace"], where.environ)


def _cost_of_showing(where: Where, file: Path, events: Iterable[Event]) -> float:
    file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="ascii")
    command = [*program(), "show", str(file), "--format", "json"]
    return _median(where, lambda: sample(command, where.environ).wall_s * 1000)


def _with_devices(trace: list[Event], count: int) -> Iterator[Event]:
    """Repeat what was asked of device 0 as if there were *count* like it."""
    for event in trace:
        if event["event"] == "select":
            yield event | {"devices": list(range(count))}
        elif not str(event.get("step", "")).startswith("device0/"):
            yield event
        else:
            for number in range(count):
                yield _renamed(event, "device0/", f"device{number}/") | _of_device(event, number)


def _of_device(event: Event, number: int) -> Event:
    return {"device": number} if event["event"] == "begin" else {}


def _with_types(trace: list[Event], count: int) -> Iterator[Event]:
    """Repeat what was asked of the first memory type that is shared, for *count* more types like it."""
    steps = [str(event.get("step", "")) for event in trace]
    shared = next(found[0] for step in steps if (found := re.match(r"device0/type\d+/(?=import)", step)))
    for event in trace:
        yield event
        if str(event.get("step", "")).startswith(shared):
            for number in range(_NO_TYPE, _NO_TYPE + count):
                again = _renamed(event, shared, f"device0/type{number}/")
                if "memory_type" in event.get("key", {}):
                    again["key"] = event["key"] | {"memory_type": number}
                yield again


def _renamed(event: Event, start: str, other: str) -> Event:
    return event | {"step": event["step"].replace(start, other, 1)}


_SHOWN: tuple[tuple[str, Callable[[list[Event], int], Iterable[Event]], tuple[int, ...]], ...] = (
    ("device", _with_devices, (1, 50, 100, 200)),  # more of what an H100 is asked is more than is read
    ("memory type", _with_types, (1, 8, 16, 32)),
)
