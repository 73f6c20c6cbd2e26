# SPDX-License-Identifier: Apache-2.0
"""Measures an installed vkzircon against programs that do the same: `python tests/bench/run.py`, or with --help.

It builds a wheel of this checkout and installs it, because an editable install doubles the time of every import.
Use a machine without other load: the ratios of pairs survive a slower clock, but not a process on the other core.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from growth import grown
from parts import parts
from results import render
from rows import ROWS, Where, measured
from wheels import CHECKOUT, build, install

HERE = Path(__file__).parent
_PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
_PRINT_LAYER = "from vkzircon_cli.emulation import installation; print(installation.find().manifest.parent)"


def main() -> int:
    """Measure what the command line asks for, print a table, and write JSON if it says so."""
    asked = _arguments()
    if asked.render:
        documents = [json.loads(Path(name).read_text(encoding="utf-8")) for name in asked.render]
        sys.stdout.write(render(documents))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        where = _where(asked, Path(folder))
        document = _document(where, asked.rows)
        _keep(document, asked.json)  # before the rest, which takes long
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
    ids = [row.id for row, *_ in ROWS]
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"measure these only: {', '.join(ids)}")
    parser.add_argument("--pairs", type=int, default=11, help="how often the two run in turn (default 11)")
    parser.add_argument("--more", action="store_true", help="also count instructions, measure the parts, and growth")
    parser.add_argument("--json", metavar="FILE", help="also write the results to FILE")
    parser.add_argument("--python", metavar="PATH", help="the Python of an environment with vkzircon installed")
    parser.add_argument("--render", nargs="+", metavar="FILE", help="measure nothing: print the tables of FILEs")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.rows) - set(ids)):
        parser.error(f"no such row: {', '.join(unknown)}")
    return asked


def _where(asked: Any, folder: Path) -> Where:
    """Install vkzircon unless there is a Python that has it, and build the C program if there is a compiler."""
    if asked.python is None:
        wheel, _ = build(CHECKOUT, folder / "dist")
        python = install(wheel, folder / "venv")
    else:
        python = Path(asked.python).absolute()
    program = str(python.with_name("vkzircon"))
    emulating = json.loads(_output([program, "emulate", "--", str(python), "-c", _PRINT_ENVIRONMENT]))
    layer = Path(_output([str(python), "-P", "-c", _PRINT_LAYER]).strip())
    compiler = shutil.which("cc") or shutil.which("gcc")
    baseline = compile_baseline(compiler, layer, folder, "-O2") if compiler else None
    agent = folder / "vkzircon-agent" if compiler else None
    if agent is not None:
        _output([program, "agent", "--build", str(agent)])
    return Where(dict(os.environ), emulating, python, baseline, agent, asked.pairs, asked.more)


def compile_baseline(compiler: str, layer: Path, into: Path, *flags: str) -> Path:
    """Compile the C program against the libzircon of the installed *layer*."""
    program = into / "baseline"
    options = ["-std=c11", "-D_GNU_SOURCE", *flags, f"-I{layer}", "-o", str(program)]
    libraries = ["-lvulkan", f"-L{layer}", f"-Wl,-rpath,{layer}", "-lzircon"]
    subprocess.run([compiler, *options, *sorted(map(str, HERE.glob("*.c"))), *libraries], check=True)
    return program


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _document(where: Where, only: list[str]) -> dict[str, Any]:
    report = json.loads(_output(where.vkzircon("devices", "--emulate", "--format", "json").words))
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
