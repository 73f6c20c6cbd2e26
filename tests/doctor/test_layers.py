# SPDX-License-Identifier: Apache-2.0
"""Layers: which are found, which are on, what turns them off, and what is wrong with them."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.manifest import REQUIRED, ManifestExam
from vkzircon_cli.doctor.manifest_check import examine_all, layer_findings
from vkzircon_cli.doctor.search import DRIVERS, EXPLICIT_LAYERS, IMPLICIT_LAYERS, Surroundings, folders


@pytest.fixture(name="library", scope="session")
def _library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build a layer's library."""
    library = tmp_path_factory.mktemp("layers") / "liblayer.so"
    source = Path(__file__).with_name("hiding.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-DHIDES_NAME", "-o", library, source], check=True)
    return str(library)


def _where(home: Path, **environ: str) -> Surroundings:
    given = {"HOME": str(home), "XDG_CONFIG_DIRS": "/nonexistent", "XDG_DATA_DIRS": "/nonexistent", **environ}
    return Surroundings("linux", False, given, 1.0)


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
    return next(exam for exam in examine_all(where).layers if exam.manifest.path == str(path))


def _ids(finding: Finding) -> list[str]:
    return [finding.id, *(word for child in finding.children for word in _ids(child))]


def test_an_implicit_layer_is_on_until_its_switch_is_set(tmp_path: Path, library: str) -> None:
    """The switch is named; with any value, the layer is off."""
    path = _implicit(tmp_path, library_path=library)
    on = _exam(_where(tmp_path), path)
    assert (on.is_on, on.finding.id, on.finding.outcome) == (True, "layer.on", Outcome.INFO)
    assert "NO_TEST_ONE=1 turns it off" in on.finding.sentence
    off = _exam(_where(tmp_path, NO_TEST_ONE="0"), path)
    assert (off.is_on, off.finding.id) == (False, "layer.off")


def test_a_layer_that_waits_for_its_variable_is_off(tmp_path: Path) -> None:
    """It is on only with the value that the manifest asks for."""
    path = _implicit(tmp_path, enable_environment={"TEST_ONE": "yes"})
    assert _exam(_where(tmp_path), path).is_on is False
    assert _exam(_where(tmp_path, TEST_ONE="no"), path).is_on is False
    assert _exam(_where(tmp_path, TEST_ONE="yes"), path).is_on is True


def test_an_explicit_layer_is_on_where_it_is_named(tmp_path: Path) -> None:
    """VK_LAYER_PATH replaces the search, VK_ADD_LAYER_PATH adds to it and is ignored beside the other."""
    path = _install(tmp_path / "layers")
    folder = str(path.parent)
    assert _exam(_where(tmp_path, VK_LAYER_PATH=folder), path).is_on is False
    assert (
        _exam(_where(tmp_path, VK_ADD_LAYER_PATH=folder, VK_INSTANCE_LAYERS="a:VK_LAYER_TEST_one"), path).is_on is True
    )
    where = _where(tmp_path, VK_ADD_LAYER_PATH=folder, VK_LAYER_PATH="/nonexistent")
    assert all(exam.manifest.path != str(path) for exam in examine_all(where).layers)
    where = _where(tmp_path, VK_ADD_LAYER_PATH=folder, VK_LAYER_PATH="")
    assert all(exam.manifest.path != str(path) for exam in examine_all(where).layers)


def test_a_layer_that_is_not_installed_is_told(tmp_path: Path) -> None:
    """The loader silently ignores it."""
    where = _where(tmp_path, VK_INSTANCE_LAYERS="VK_LAYER_NOPE")
    tree = layer_findings(examine_all(where).layers, where)
    assert tree.outcome is Outcome.WARN
    assert "VK_LAYER_NOPE" in next(child.sentence for child in tree.children if child.id == "layer.not-installed")


@pytest.mark.parametrize("is_on", [True, False])
def test_a_layer_without_its_library_is_told(tmp_path: Path, is_on: bool) -> None:
    """It fails where the layer is on, and is a warning where it is off."""
    path = _install(tmp_path / "layers", library_path="/nonexistent/layer.so")
    names = {"VK_INSTANCE_LAYERS": "VK_LAYER_TEST_one"} if is_on else {}
    where = _where(tmp_path, VK_LAYER_PATH=str(path.parent), **names)
    tree = layer_findings(examine_all(where).layers, where)
    found = next(child for child in tree.children if child.id == "layer.library-missing")
    assert found.outcome is (Outcome.FAIL if is_on else Outcome.WARN)
    assert "/nonexistent/layer.so" in found.sentence


def test_two_layers_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Both files are named; the loader uses the first."""
    first, second = _install(tmp_path / "layers", "a.json"), _install(tmp_path / "layers", "b.json")
    where = _where(tmp_path, VK_LAYER_PATH=str(first.parent))
    found = next(c for c in layer_findings(examine_all(where).layers, where).children if c.id == "layer.same-name")
    assert found.evidence == (str(first), str(second))


def test_a_driver_among_layers_is_told(tmp_path: Path) -> None:
    """A manifest in the wrong folder is reported as what it is."""
    folder = tmp_path / ".local" / "share" / "vulkan" / "implicit_layer.d"
    folder.mkdir(parents=True)
    path = folder / "driver.json"
    path.write_text('{"file_format_version": "1.0.0", "ICD": {"library_path": "x", "api_version": "1.1.0"}}')
    assert _exam(_where(tmp_path), path).finding.id == "manifest.is-a-driver"


def test_folders_are_searched_in_the_loaders_order() -> None:
    """Configuration before data, the home folder before the system, and no folder of an empty entry."""
    home = Surroundings("linux", False, {"HOME": "/h", "XDG_DATA_DIRS": "/usr/share::"}, 1.0)
    assert list(folders(home, IMPLICIT_LAYERS)) == [
        "/h/.config/vulkan/implicit_layer.d",
        "/etc/xdg/vulkan/implicit_layer.d",
        "/etc/vulkan/implicit_layer.d",
        "/h/.local/share/vulkan/implicit_layer.d",
        "/usr/share/vulkan/implicit_layer.d",
    ]
    elevated = Surroundings("linux", True, {"HOME": "/h", "XDG_DATA_HOME": "/x"}, 1.0)
    assert [folder for folder in folders(elevated, DRIVERS) if folder.startswith(("/h", "/x"))] == []


NAME = "VK_LAYER_TEST_one"
EXPLICIT, IMPLICIT = EXPLICIT_LAYERS, IMPLICIT_LAYERS
_NO_SWITCH = {"disable_environment": None}
# What is changed in the manifest, the environment, and what is found; None takes a key away.
FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    **{f"no-{key}": (EXPLICIT, {key: None}, "manifest.missing-key") for key in REQUIRED},
    "no-library": (EXPLICIT, {"library_path": None}, "manifest.missing-key"),
    "both-libraries": (EXPLICIT, {"component_layers": ["VK_LAYER_x"]}, "manifest.layer-library"),
    "library-is-no-text": (EXPLICIT, {"library_path": {}}, "manifest.wrong-type"),
    "library-gone": (EXPLICIT, {"library_path": "/nonexistent/x.so"}, "layer.library-missing"),
    "library-gone-beside": (EXPLICIT, {"library_path": "./x.so"}, "layer.library-missing"),
    "no-layer": (EXPLICIT, {"library_path": "libc.so.6"}, "layer.no-entry-point"),
    "device-layer": (EXPLICIT, {"type": "DEVICE"}, "manifest.layer-type"),
    "type-in-small-letters": (EXPLICIT, {"type": "global"}, "manifest.layer-type"),
    "variant": (EXPLICIT, {"api_version": "1.1.1.0"}, "manifest.left-out"),
    "version-is-a-number": (EXPLICIT, {"api_version": 1.1}, "manifest.wrong-type"),
    "32-bit-by-word": (EXPLICIT, {"library_arch": "32"}, "manifest.left-out"),
    "no-switch": (IMPLICIT, _NO_SWITCH, "manifest.missing-key"),
    "empty-switch": (IMPLICIT, {"disable_environment": {}}, "manifest.missing-key"),
    "switch-is-text": (IMPLICIT, {"disable_environment": "NO_TEST_ONE"}, "manifest.missing-key"),
    "switch-is-a-number": (IMPLICIT, {"disable_environment": {"NO_TEST_ONE": 1}}, "manifest.wrong-type"),
    "switch-is-a-list": (IMPLICIT, {"disable_environment": ["NO_TEST_ONE"]}, "manifest.wrong-type"),
    "enabler-is-a-number": (IMPLICIT, {"enable_environment": {"TEST_ONE": 1}}, "manifest.wrong-type"),
    "enabler-is-empty": (IMPLICIT, {"enable_environment": {}}, "manifest.wrong-type"),
    "enabler-is-text": (IMPLICIT, {"enable_environment": "TEST_ONE"}, "manifest.wrong-type"),
}
_YES = {"enable_environment": {"TEST_ONE": "1"}}
_TWO = {"disable_environment": {"NO_TEST_ONE": "1", "NO_TEST_TWO": "1"}}
SWITCHES: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "named": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": f"x:{NAME}"}),
    "not-named": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": ""}),
    "in-small-letters": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": NAME.lower()}),
    "with-a-comma": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": f"x,{NAME}"}),
    "with-switches": (EXPLICIT, {**_YES, "disable_environment": {"NO": "1"}}, {"VK_INSTANCE_LAYERS": NAME, "NO": "1"}),
    "type-instance": (EXPLICIT, {"type": "INSTANCE"}, {"VK_INSTANCE_LAYERS": NAME}),
    "by-filter": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": "", "VK_LOADER_LAYERS_ENABLE": "x,*TEST_O*"}),
    "against-filter": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": NAME, "VK_LOADER_LAYERS_DISABLE": "*_one"}),
    "against-word": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": NAME, "VK_LOADER_LAYERS_DISABLE": "~explicit~"}),
    "past-word": (EXPLICIT, {}, {"VK_INSTANCE_LAYERS": NAME, "VK_LOADER_LAYERS_DISABLE": "~implicit~"}),
    "implicit": (IMPLICIT, {}, {}),
    "off": (IMPLICIT, {}, {"NO_TEST_ONE": "1"}),
    "off-by-0": (IMPLICIT, {}, {"NO_TEST_ONE": "0"}),
    "off-by-nothing": (IMPLICIT, {}, {"NO_TEST_ONE": ""}),
    "off-but-named": (IMPLICIT, {}, {"NO_TEST_ONE": "1", "VK_INSTANCE_LAYERS": NAME}),
    "off-but-filtered": (IMPLICIT, {}, {"NO_TEST_ONE": "1", "VK_LOADER_LAYERS_ENABLE": "*"}),
    "first-switch": (IMPLICIT, _TWO, {"NO_TEST_ONE": "1"}),
    "second-switch": (IMPLICIT, _TWO, {"NO_TEST_TWO": "1"}),
    "waits": (IMPLICIT, _YES, {}),
    "waits-for-another-value": (IMPLICIT, _YES, {"TEST_ONE": "2"}),
    "waited": (IMPLICIT, _YES, {"TEST_ONE": "1"}),
    "waits-but-named": (IMPLICIT, _YES, {"VK_INSTANCE_LAYERS": NAME}),
    "waits-but-filtered": (IMPLICIT, _YES, {"VK_LOADER_LAYERS_ENABLE": "~all~"}),
    "all-off": (IMPLICIT, {}, {"VK_LOADER_LAYERS_DISABLE": "~all~"}),
    "implicit-off": (IMPLICIT, {}, {"VK_LOADER_LAYERS_DISABLE": "~implicit~"}),
    "all-off-but-one": (IMPLICIT, {}, {"VK_LOADER_LAYERS_DISABLE": "~all~", "VK_LOADER_LAYERS_ENABLE": NAME}),
}


def _loader(environ: dict[str, str], lavapipe: str) -> tuple[int, str]:
    """Run the real loader, the one of VKZIRCON_LIBVULKAN if that is set; return how it ended and what it printed."""
    env = {"PATH": os.environ["PATH"], "VK_LOADER_DEBUG": "all", "VK_DRIVER_FILES": lavapipe, **environ}
    env["LD_LIBRARY_PATH"] = str(Path(environ["VKZIRCON_LIBVULKAN"]).parent) if "VKZIRCON_LIBVULKAN" in environ else ""
    ran = subprocess.run(["vulkaninfo", "--summary"], env=env, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stderr


def _laid(base: Path, kind: str, library: str, changes: dict[str, Any]) -> Path:
    switch = {"disable_environment": {"NO_TEST_ONE": "1"}} if kind == IMPLICIT else {}
    path = _install(base / "vulkan" / kind, **{"library_path": library, **switch, **changes})
    body = json.loads(path.read_text())
    body["layer"] = {key: value for key, value in body["layer"].items() if value is not None}
    path.write_text(json.dumps(body))
    return path


@pytest.mark.parametrize("name", FAULTS)
def test_a_layer_is_judged_as_the_loader_does(
    name: str, loader: dict[str, str], tmp_path: Path, library: str, lavapipe: str
) -> None:
    """A layer that doctor names is enabled only if the loader accepts it anyway, or crashes if doctor says so."""
    kind, changes, word = FAULTS[name]
    path = _laid(tmp_path, kind, library, changes)
    given = {"HOME": "/dev/null", "XDG_DATA_DIRS": str(tmp_path), "VK_INSTANCE_LAYERS": NAME, **loader}
    given["VK_DRIVER_FILES"] = lavapipe
    exam = _exam(Surroundings("linux", False, given, 1.0), path)
    code, log = _loader(given, lavapipe)
    assert exam.is_usable == (f'Insert instance layer "{NAME}"' in log)
    assert (code < 0) == exam.stops
    own = {each.id: each.sentence for each in (exam.finding, *exam.finding.children)}
    assert str(path) in own[word]  # a note, if the loader accepts the file anyway


@pytest.mark.parametrize("name", SWITCHES)
def test_a_layer_is_on_where_the_loader_has_it_on(
    name: str, loader: dict[str, str], tmp_path: Path, library: str, lavapipe: str
) -> None:
    """A layer is on if the loader enables it."""
    kind, changes, environ = SWITCHES[name]
    path = _laid(tmp_path, kind, library, changes)
    given = {"HOME": "/dev/null", "XDG_DATA_DIRS": str(tmp_path), "VK_DRIVER_FILES": lavapipe, **environ, **loader}
    exam = _exam(Surroundings("linux", False, given, 1.0), path)
    _, log = _loader(given, lavapipe)
    assert exam.is_on == (f'Insert instance layer "{NAME}"' in log)
    assert exam.finding.id == ("layer.on" if exam.is_on else "layer.off")


def test_each_of_several_layers_is_examined(tmp_path: Path, library: str, lavapipe: str) -> None:
    """A broken one among them keeps its finding, and the others are on where the loader has them on."""
    path = _laid(tmp_path, EXPLICIT, library, {})
    layer = json.loads(path.read_text())["layer"]
    other = str(shutil.copy(library, tmp_path / "other.so"))
    several = [{**layer, "name": "VK_LAYER_TEST_a"}, 5, {**layer, "name": "VK_LAYER_TEST_b", "library_path": other}]
    path.write_text(json.dumps({"file_format_version": "1.0.1", "layers": several, "layer": layer}))
    names = "VK_LAYER_TEST_a:VK_LAYER_TEST_b:VK_LAYER_TEST_one"
    given = {"HOME": "/dev/null", "XDG_DATA_DIRS": str(tmp_path), "VK_INSTANCE_LAYERS": names}
    given["VK_DRIVER_FILES"] = lavapipe
    where = Surroundings("linux", False, given, 1.0)
    found = [
        (each.manifest.name, each.finding.id) for each in examine_all(where).layers if each.manifest.path == str(path)
    ]
    _, log = _loader(given, lavapipe)
    inserted = [letter for letter in ("a", "b", "one") if f'Insert instance layer "VK_LAYER_TEST_{letter}"' in log]
    assert inserted in (["a", "b"], ["a"])  # later loaders give up at the broken one
    last = "layer.on" if "b" in inserted else "layer.not-used"
    assert found == [("VK_LAYER_TEST_a", "layer.on"), ("", "manifest.missing-key"), ("VK_LAYER_TEST_b", last)]
    told = next(c for c in layer_findings(examine_all(where).layers, where).children if c.id == "layer.not-installed")
    assert "VK_LAYER_TEST_one" in told.sentence
