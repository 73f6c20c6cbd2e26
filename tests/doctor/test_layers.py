# SPDX-License-Identifier: Apache-2.0
"""Layers: which are there, which are on, what turns them off, and what is wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.exams import ManifestExam, examine_layers, layer_findings
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.search import DRIVERS, IMPLICIT_LAYERS, folders
from vkzircon_cli.doctor.surroundings import Surroundings


def _nothing(_: str) -> str | None:
    return None


def _where(home: Path, **environ: str) -> Surroundings:
    given = {"HOME": str(home), "XDG_CONFIG_DIRS": "/nonexistent", "XDG_DATA_DIRS": "/nonexistent", **environ}
    return Surroundings("linux", False, given, given.get, 1.0)


def _install(folder: Path, file: str = "layer.json", **changes: Any) -> Path:
    layer = {
        "name": "VK_LAYER_TEST_one",
        "type": "GLOBAL",
        "library_path": "libc.so.6",
        "api_version": "1.1.0",
        "implementation_version": "1",
        "description": "for a test",
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    path.write_text(json.dumps({"file_format_version": "1.0.0", "layer": layer}))
    return path


def _implicit(home: Path, file: str = "layer.json", **changes: Any) -> Path:
    folder = home / ".local" / "share" / "vulkan" / "implicit_layer.d"
    return _install(folder, file, **{"disable_environment": {"NO_TEST_ONE": "1"}, **changes})


def _exam(where: Surroundings, path: Path) -> ManifestExam:
    return next(exam for exam in examine_layers(where) if exam.path == str(path))


def _ids(finding: Finding) -> list[str]:
    return [finding.id, *(word for child in finding.children for word in _ids(child))]


def test_an_implicit_layer_is_on_until_its_switch_is_set(tmp_path: Path) -> None:
    """The switch is named; set to anything, the layer is off."""
    path = _implicit(tmp_path)
    on = _exam(_where(tmp_path), path)
    assert (on.is_on, on.finding.id, on.finding.outcome) == (True, "layer.on", Outcome.INFO)
    assert "NO_TEST_ONE=1 turns it off" in on.finding.sentence
    off = _exam(_where(tmp_path, NO_TEST_ONE="0"), path)
    assert (off.is_on, off.finding.id) == (False, "layer.off")


def test_a_layer_that_waits_for_its_variable_is_off(tmp_path: Path) -> None:
    """It is on when that has the value that the manifest asks for, and no other."""
    path = _implicit(tmp_path, enable_environment={"TEST_ONE": "yes"})
    assert _exam(_where(tmp_path), path).is_on is False
    assert _exam(_where(tmp_path, TEST_ONE="no"), path).is_on is False
    assert _exam(_where(tmp_path, TEST_ONE="yes"), path).is_on is True


def test_an_explicit_layer_is_on_where_it_is_named(tmp_path: Path) -> None:
    """VK_LAYER_PATH replaces the search, VK_ADD_LAYER_PATH adds to it and counts for nothing beside the other."""
    path = _install(tmp_path / "layers")
    folder = str(path.parent)
    assert _exam(_where(tmp_path, VK_LAYER_PATH=folder), path).is_on is False
    assert (
        _exam(_where(tmp_path, VK_ADD_LAYER_PATH=folder, VK_INSTANCE_LAYERS="a:VK_LAYER_TEST_one"), path).is_on is True
    )
    where = _where(tmp_path, VK_ADD_LAYER_PATH=folder, VK_LAYER_PATH="/nonexistent")
    assert all(exam.path != str(path) for exam in examine_layers(where))
    where = _where(tmp_path, VK_ADD_LAYER_PATH=folder, VK_LAYER_PATH="")
    assert all(exam.path != str(path) for exam in examine_layers(where))


def test_a_layer_that_is_not_installed_is_told(tmp_path: Path) -> None:
    """The loader says nothing, and goes on without it."""
    where = _where(tmp_path, VK_INSTANCE_LAYERS="VK_LAYER_NOPE")
    tree = layer_findings(examine_layers(where), where)
    assert tree.outcome is Outcome.WARN
    assert "VK_LAYER_NOPE" in next(child.sentence for child in tree.children if child.id == "layer.not-installed")


@pytest.mark.parametrize("is_on", [True, False])
def test_a_layer_without_its_library_is_told(tmp_path: Path, is_on: bool) -> None:
    """It fails where the layer is on, and is a warning where it is off."""
    path = _install(tmp_path / "layers", library_path="/nonexistent/layer.so")
    names = {"VK_INSTANCE_LAYERS": "VK_LAYER_TEST_one"} if is_on else {}
    where = _where(tmp_path, VK_LAYER_PATH=str(path.parent), **names)
    tree = layer_findings(examine_layers(where), where)
    found = next(child for child in tree.children if child.id == "layer.library-missing")
    assert found.outcome is (Outcome.FAIL if is_on else Outcome.WARN)
    assert "/nonexistent/layer.so" in found.sentence


def test_two_layers_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Both files are named; the first that the loader finds counts."""
    first, second = _install(tmp_path / "layers", "a.json"), _install(tmp_path / "layers", "b.json")
    where = _where(tmp_path, VK_LAYER_PATH=str(first.parent))
    found = next(c for c in layer_findings(examine_layers(where), where).children if c.id == "layer.same-name")
    assert found.evidence == (str(first), str(second))


def test_a_driver_among_layers_is_told(tmp_path: Path) -> None:
    """A manifest in the wrong folder is told as what it is."""
    folder = tmp_path / ".local" / "share" / "vulkan" / "implicit_layer.d"
    folder.mkdir(parents=True)
    path = folder / "driver.json"
    path.write_text('{"file_format_version": "1.0.0", "ICD": {"library_path": "x", "api_version": "1.1.0"}}')
    assert _exam(_where(tmp_path), path).finding.id == "manifest.is-a-driver"


def test_folders_are_searched_in_the_loaders_order() -> None:
    """Configuration before data, a person's before the system's, and no folder of an empty entry."""
    home = Surroundings("linux", False, {"HOME": "/h", "XDG_DATA_DIRS": "/usr/share::"}, _nothing, 1.0)
    assert list(folders(home, IMPLICIT_LAYERS)) == [
        "/h/.config/vulkan/implicit_layer.d",
        "/etc/xdg/vulkan/implicit_layer.d",
        "/etc/vulkan/implicit_layer.d",
        "/h/.local/share/vulkan/implicit_layer.d",
        "/usr/share/vulkan/implicit_layer.d",
    ]
    elevated = Surroundings("linux", True, {"HOME": "/h", "XDG_DATA_HOME": "/x"}, _nothing, 1.0)
    assert [folder for folder in folders(elevated, DRIVERS) if folder.startswith(("/h", "/x"))] == []
