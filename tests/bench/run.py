# SPDX-License-Identifier: Apache-2.0
"""Measures vkzircon against what else does the same: `python tests/bench/run.py`, or with --help.

On a machine that nobody else works on: ratios of pairs stand a drift, but not a neighbour who takes the other core.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from growth import grown
from measure import program
from parts import parts
from results import render
from rows import ROWS, Where, measured

HERE = Path(__file__).parent


def main() -> int:
    """Measure what the command line asks for, print a table, and write JSON where it says so."""
    asked = _arguments()
    if asked.render:
        documents = [json.loads(Path(name).read_text(encoding="utf-8")) for name in asked.render]
        sys.stdout.write(render(documents))
        return 0
    with _built(asked.baseline) as baseline:
        where = Where(dict(os.environ), sys.executable, baseline, asked.pairs)
        document = _document(where, asked.rows)
        _keep(document, asked.json)  # what follows takes long
        if asked.more:
            document["parts"] = [asdict(part) for part in parts(where)]
            document["growth"] = [asdict(each) | {"each_ms": each.each_ms} for each in grown(where)]
            _keep(document, asked.json)
    sys.stdout.write(render([document]))
    return 0


def _keep(document: dict[str, Any], name: str | None) -> None:
    if name is not None:
        Path(name).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description="Measure vkzircon in pairs; prints a table in Markdown.")
    ids = [row.id for row, _ in ROWS]
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"measure these only: {', '.join(ids)}")
    parser.add_argument("--pairs", type=int, default=11, help="how often the two run in turn (default 11)")
    parser.add_argument("--more", action="store_true", help="also measure the parts, and how cost grows")
    parser.add_argument("--json", metavar="FILE", help="also write what was measured to FILE")
    parser.add_argument("--baseline", metavar="FILE", help="the C program, if it is built already")
    parser.add_argument("--render", nargs="+", metavar="FILE", help="measure nothing: print the table of such FILEs")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.rows) - set(ids)):
        parser.error(f"no such row: {', '.join(unknown)}")
    return asked


@contextmanager
def _built(given: str | None) -> Iterator[Path | None]:
    """Build the C program, unless one is *given*; None where there is no compiler."""
    if given is not None:
        yield Path(given)
        return
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "baseline"
        sources = sorted(map(str, HERE.glob("*.c")))
        flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", f"-I{HERE.parents[1] / 'vkzircon_cli' / 'emulation' / 'layer'}"]
        subprocess.run([compiler, *flags, "-o", built, *sources, "-ldl"], check=True)
        yield built


def _document(where: Where, only: list[str]) -> dict[str, Any]:
    command = [*program(), "devices", "--emulate", "--format", "json"]
    done = subprocess.run(command, env=where.environ, capture_output=True, check=True)
    report = json.loads(done.stdout)
    devices = [device["identity"]["value"] for device in report["devices"]]
    return {
        "tool": report["tool"]["version"],
        "python": platform.python_version(),
        "processors": len(os.sched_getaffinity(0)),
        "devices": [{"name": device["name"], "driver": device["driver"]["value"]["info"]} for device in devices],
        "rows": [asdict(row) | {"is_met": row.is_met} for row in measured(where, only)],
        "parts": [],
        "growth": [],
    }


if __name__ == "__main__":
    sys.exit(main())
