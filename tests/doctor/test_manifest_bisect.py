# SPDX-License-Identifier: Apache-2.0
"""The search for layers' manifests that kill the loader blames those that do, and none for what else is there."""

import os
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.doctor.manifest_bisect import fatal_manifests
from vkzircon_cli.doctor.search import Surroundings

NAMES = [f"{number}.json" for number in range(9)]


def _found(home: Path, fatal: Collection[str], *, settings_kill: bool = False) -> tuple[str, ...]:
    """Search where the loader dies of the *fatal* manifests together, and of settings in the folder *home*."""
    folder = home / "vulkan" / "implicit_layer.d"
    folder.mkdir(parents=True)

    def helps(changed: Mapping[str, str]) -> bool:
        read = Path(changed["XDG_DATA_HOME"])
        names = {link.resolve().name for link in read.glob("vulkan/implicit_layer.d/*.json")}
        return not (fatal and names >= set(fatal)) and not (settings_kill and read == home)

    for name in NAMES:
        (folder / name).touch()
    where = Surroundings("linux", False, {"XDG_DATA_HOME": str(home)}, 1.0)
    return tuple(Path(path).name for path in fatal_manifests([str(folder / name) for name in NAMES], where, helps))


@pytest.mark.parametrize("fatal", [["0.json"], ["7.json"], ["1.json", "6.json"]])
def test_the_fatal_manifests_are_found(tmp_path: Path, fatal: list[str]) -> None:
    """One that kills the loader alone; of two that kill it together, one is enough to leave out."""
    found = _found(tmp_path, fatal)
    assert len(found) == 1
    assert set(found) <= set(fatal)


def test_no_manifest_is_blamed_for_what_else_the_folders_hold(tmp_path: Path) -> None:
    """Without the usual folders the loader lives, but with all manifests as well: a settings file kills it."""
    assert _found(tmp_path, (), settings_kill=True) == ()


_LAYER = """{"file_format_version": "1.0.0", "layer": {"name": "VK_LAYER_%s", "type": "GLOBAL", "api_version": "1.3.0",
 "library_path": "lib.so", "implementation_version": "1", "description": "", "disable_environment": {"N": "1"}}%s}"""
_FATAL = {
    "a key twice": ', "component_layers": ["x"], "component_layers": {}',
    "deep": f', "x": {"[" * 500_000}{"]" * 500_000}',
}


@pytest.mark.parametrize("how", _FATAL)
def test_a_manifest_that_kills_the_loader_is_found_among_many(
    vkzircon: Run, lavapipe: str, tmp_path: Path, how: str
) -> None:
    """Its text is JSON, and no switch turns it off: the loader dies while it reads. No driver or loader is blamed."""
    folder = tmp_path / "vulkan" / "implicit_layer.d"
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"{number}.json").write_text(_LAYER % (number, _FATAL[how] if number == 13 else ""))
    env = {"HOME": "/nonexistent", "XDG_DATA_HOME": str(tmp_path), "VK_DRIVER_FILES": lavapipe}
    given = {"PATH": os.environ["PATH"], **env}
    has_died = subprocess.run(["vulkaninfo", "--summary"], env=given, capture_output=True, check=False).returncode < 0
    ran = vkzircon("doctor", "--format", "json", **env)
    culprits = [(each["path"], each["left_out"]) for each in ran.json["culprits"]]
    assert culprits == [(str(folder / "13.json"), True)] * has_died
    assert all("the process crashed" in each["sentence"] for each in ran.json["culprits"])
    found = {each["id"]: each["outcome"] for each in ran.json["findings"]}
    assert (len(ran.json["devices"]), found["loader"], found["drivers"]) == (1, "pass", "pass")
