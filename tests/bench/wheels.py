# SPDX-License-Identifier: Apache-2.0
"""Builds wheels, and installs one into an environment with what it declares. Needs no network."""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from email import message_from_string
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[2]


def build(source: Path, into: Path, *arguments: str, env: Mapping[str, str] = os.environ) -> list[Path]:
    """Run `python -m build` with the build tools of this Python; return what it built."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into), *arguments, str(source)]
    subprocess.run(command, env=env, check=True, capture_output=True)
    return sorted(into.iterdir())


def install(wheel: Path, folder: Path) -> Path:
    """Make an environment with *wheel* and the packages that it requires, and return its Python.

    The packages are links to those of this Python.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for distribution in _required(wheel):
        for top in {PurePosixPath(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))  # type: ignore[arg-type]
    return python


def _required(wheel: Path) -> Iterator[importlib.metadata.Distribution]:
    """Yield the packages that the wheel requires here, and those that they require."""
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        asked = message_from_string(archive.read(metadata).decode()).get_all("Requires-Dist") or []
    seen = set()
    while asked:
        requirement = Requirement(asked.pop())
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        asked += distribution.requires or []
        yield distribution
