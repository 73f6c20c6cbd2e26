# SPDX-License-Identifier: Apache-2.0
"""The search for layers' manifests that kill the loader blames those that do, and none for what else is there."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

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
