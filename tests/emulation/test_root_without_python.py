# SPDX-License-Identifier: Apache-2.0
"""A device without Python: a root folder with an agent, a driver and the libraries that they need, and nothing else."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.emulation.installation import Installation


@pytest.fixture(name="root")
def _root(agent: Path, lavapipe: str, layer: Installation, tmp_path: Path) -> Path:
    """Fill the folder: each file is at the path that it has on this machine, and the agent at the top."""
    root = tmp_path / "root"
    root.mkdir()
    _put(agent, root / agent.name)
    libraries = [_driver(Path(lavapipe)), _path_of("libvulkan.so.1"), *layer.manifest.parent.glob("*.so")]
    for file in {Path(lavapipe), layer.manifest, *libraries, *_needed_by(agent, *libraries)}:
        _put(file, root / file.relative_to("/"))
    return root


def _driver(manifest: Path) -> Path:
    library = json.loads(manifest.read_text())["ICD"]["library_path"]
    return manifest.parent / library if "/" in library else _path_of(library)


def _path_of(library: str) -> Path:
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^\s*{re.escape(library)} .*=> (/\S+)$", listed, re.MULTILINE)
    assert found, library
    return Path(found[1])


def _needed_by(*files: Path) -> set[Path]:
    printed = subprocess.run(["ldd", *files], capture_output=True, text=True, check=True).stdout
    return {Path(path) for path in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", printed, re.MULTILINE)}


def _put(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(os.path.realpath(file), target)
    except OSError:  # another file system
        shutil.copy(file, target)


def _agent_in(root: Path) -> str:
    """Return the command that starts the agent with *root* as its root folder, as this user may."""
    for command in (["chroot"], ["unshare", "-r", "chroot"]):
        words = [*command, str(root), "/vkzircon-agent"]
        if subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0:
            return shlex.join(words)
    pytest.skip("this user may neither change the root folder nor start a user namespace")


def test_its_report_is_the_same(emulated: Run, vkzircon: Run, root: Path, tmp_path: Path) -> None:
    """Nothing but the agent's process runs there: no Python, no /proc and no /dev are needed."""
    assert not [path for path in root.rglob("*") if path.is_file() and "python" in path.name]
    assert not (root / "proc").exists()
    direct = emulated("report", "--negative", "-o", "direct.json")
    there = emulated("report", "--negative", "--agent", _agent_in(root), "-o", "there.json")
    assert (there.code, there.err) == (direct.code, direct.err) == (0, "")
    found = vkzircon("diff", "direct.json", "there.json", "-f", "json").json
    assert found["verdicts"] == []
    # The folder has no layer but ours, and another path to the loader.
    where = {re.sub(r"^layer .*", "layer", fact["what"]) for fact in found["facts"]}
    assert where <= {"agent", "layer", "loader, path"}
    checks = {check["id"]: check["outcome"] for check in json.loads((tmp_path / "there.json").read_text())["checks"]}
    assert checks["import.second-process"] == "pass"
