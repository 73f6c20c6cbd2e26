# SPDX-License-Identifier: Apache-2.0
"""Makes many reports out of the captures: devices, versions and verdicts vary by a seed, and what is true is known.

.venv/bin/python tests/bench/many_reports.py FOLDER COUNT [SEED]
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from vkzircon_cli.render.json import render_json
from vkzircon_cli.saved.load import read
from vkzircon_cli.stream.document import SCHEMA_VERSION

_CAPTURES = Path(__file__).parents[1] / "golden" / "captures"
_MODELS = ("goldfish", "lavapipe-emulated", "magma", "nvidia-h200-emulated", "swiftshader")
_VERSIONS = 4
_FIRST = datetime(2026, 1, 1)  # noqa: DTZ001 # written as UTC
_DAYS = 120
_MARKS = {"started": "@STARTED@", "uuid": "@UUID@", "driver": "@DRIVER@", "checks": "@CHECKS@"}
_ODD = "import.shares"  # fails on one device, with each of its drivers
_BAD = ("fail", "timeout", "crash")


@dataclass(frozen=True)
class Made:
    """One run: its device, the start, the version of the driver, and the checks that fail by the plan."""

    device: int
    started: str
    version: str
    broken: tuple[str, ...]

    @property
    def model(self) -> str:
        """The capture that the report is made of."""
        return _MODELS[self.device % len(_MODELS)]

    @property
    def uuid(self) -> str:
        """The UUID of the device, the same in all its runs."""
        return f"5eed0000-0000-4000-8000-{self.device + 1:012x}"

    @property
    def outcomes(self) -> Mapping[str, str]:
        """The outcome of each check."""
        return _outcomes(self.model) | dict.fromkeys(self.broken, "fail")


def plan(count: int, seed: int = 1) -> list[Made]:
    """Return *count* runs of about a fortieth as many devices; a driver's version decides what fails on it."""
    chance = random.Random(seed)
    of_version = {
        (model, number): tuple(sorted(check for check in _outcomes(model) if chance.random() < 1 / 40))
        for model in _MODELS
        for number in range(_VERSIONS)
    }
    devices = max(len(_MODELS), count // 40)
    step = timedelta(days=_DAYS) / count
    made = []
    for number in range(count):
        run = Made(chance.randrange(devices), f"{_FIRST + number * step:%Y-%m-%dT%H:%M:%SZ}", "", ())
        version = min(_VERSIONS - 1, int(number / count * _VERSIONS + chance.random()))
        odd = {_ODD} if run.device == devices // 2 else set()
        broken = tuple(sorted({*of_version[run.model, version], *odd}))
        made.append(replace(run, version=f"{version}.0", broken=broken))
    return made


def write(folder: Path, runs: Sequence[Made]) -> None:
    """Write a report for each run, a folder for each device."""
    for number, run in enumerate(runs):
        text, good, bad = _parts(run.model)
        checks = ",".join(bad[check] if check in run.broken else good[check] for check in good)
        filled = {"started": run.started, "uuid": run.uuid, "driver": run.version, "checks": checks}
        for name, mark in _MARKS.items():
            text = text.replace(f'"{mark}"' if name == "checks" else mark, filled[name])
        place = folder / f"device{run.device}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"run{number:06}.json").write_text(text, "utf-8")


def coverage(runs: Sequence[Made]) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """Return for each check, driver and version how many runs met it, were judged, and failed."""
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for run in runs:
        for check, outcome in run.outcomes.items():
            counts.setdefault((check, _driver(run.model), run.version), Counter())[outcome] += 1
    return {
        key: (of["pass"] + of["info"], of.total() - of["skip"], sum(of[bad] for bad in _BAD))
        for key, of in counts.items()
    }


def changes(runs: Sequence[Made], since: str) -> set[tuple[str, str | None, str]]:
    """Return what got worse or better on each device between its last run before *since* and its last run after."""
    before = {run.uuid: run for run in runs if run.started < since}
    after = {run.uuid: run for run in runs if run.started >= since}
    found: set[tuple[str, str | None, str]] = {("new", None, uuid) for uuid in after.keys() - before.keys()}
    found |= {("gone", None, uuid) for uuid in before.keys() - after.keys()}
    for uuid in before.keys() & after.keys():
        was, now = before[uuid], after[uuid]
        for check in {*was.broken} ^ {*now.broken}:
            if (usual := _outcomes(now.model)[check]) not in _BAD:
                kind = "worse" if check in now.broken else "changed" if usual == "skip" else "better"
                asked = not _needs_option(now.model, check)
                found.add((kind if asked else "changed", check, uuid))
    return found


@cache
def _document(model: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render_json(read(_CAPTURES / f"{model}.json")))
    return document


def _outcomes(model: str) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in _document(model)["checks"]}


def _needs_option(model: str, check: str) -> bool:
    said = next(each for each in _document(model)["checks"] if each["id"] == check)
    return said["outcome"] == "skip" and any(option in said["sentence"] for option in ("--stress", "--negative"))


def _driver(model: str) -> str:
    name: str = _document(model)["devices"][0]["identity"]["value"]["driver"]["value"]["name"]
    return name


@cache
def _parts(model: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return a report with marks in place of what varies, and the JSON of each check as captured and as failed."""
    document = json.loads(render_json(_document(model)))
    good = {each["id"]: json.dumps(each, indent=2) for each in document["checks"]}
    bad = {
        each["id"]: json.dumps(each | {"outcome": "fail", "sentence": "It is broken."}) for each in document["checks"]
    }
    identity = document["devices"][0]["identity"]["value"]
    identity["driver_version"]["text"] = _MARKS["driver"]
    identity["uuids"]["value"]["device_uuid"] = _MARKS["uuid"]
    document["run"]["started"] = _MARKS["started"]
    document["schema_version"] = SCHEMA_VERSION
    document["checks"] = [_MARKS["checks"]]
    return render_json(document), good, bad


if __name__ == "__main__":
    write(Path(sys.argv[1]), plan(int(sys.argv[2]), *map(int, sys.argv[3:])))
