# SPDX-License-Identifier: Apache-2.0
"""Manifests are found, and filtered, as the real loader's log shows."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.doctor.manifest_check import examine_all
from vkzircon_cli.doctor.search import (
    DRIVERS,
    EXPLICIT_LAYERS,
    IMPLICIT_LAYERS,
    Surroundings,
    drivers,
    explicit_layers,
    folders,
    implicit_layers,
)

_INDENT = 3  # of a list's entries, from its heading
_LISTS = {"In following locations:": "folders", "Found the following files:": "files"}
Log = dict[str, list[str]]


def _where(environ: dict[str, str], platform: str = "linux") -> Surroundings:
    return Surroundings(platform, False, environ, 1.0)


def _logged(environ: dict[str, str], cwd: Path) -> tuple[Log, Log, Log]:
    """Return the folders and files in the loader's log: of implicit layers, of explicit ones, of drivers."""
    # Without a cache: Mesa would make the home folder for it.
    env = {"PATH": os.environ["PATH"], "VK_LOADER_DEBUG": "all", "MESA_SHADER_CACHE_DISABLE": "true", **environ}
    ran = subprocess.run(["vulkaninfo", "--summary"], env=env, cwd=cwd, capture_output=True, text=True, check=False)
    searches: dict[str, list[Log]] = {"layer": [], "driver": []}
    current: Log = {}
    taking, start = "", 0
    for whole in ran.stderr.splitlines():
        line = whole.removeprefix("[Vulkan Loader] ")
        words = line.partition(":")[2].strip()
        if words.startswith("Searching for ") and words.endswith(" manifest files"):
            current = {"folders": [], "files": []}
            searches["driver" if "driver" in words else "layer"].append(current)
        elif words in _LISTS:
            taking, start = _LISTS[words], line.index(words) + _INDENT
        elif taking and line.startswith(("DRIVER:", "LAYER:")) and not line[:start].rstrip().partition(":")[2]:
            current[taking].append(line[start:])
        else:
            taking = ""
    implicit, *others = searches["layer"]
    explicit = next(each for each in others if each["folders"] != implicit["folders"])
    return implicit, explicit, searches["driver"][0]


def _manifest(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(name="places")
def _places(tmp_path: Path, lavapipe: str) -> Path:
    """Lay out folders with manifests and with files that only look like manifests."""
    driver = Path(lavapipe).read_text()
    for name in ("z.json", "a.json", "M.JSON", ".hidden.json", "x.json.bak", "none"):
        _manifest(tmp_path / "some" / name, driver)
        _manifest(tmp_path / "base" / "vulkan" / DRIVERS / name, driver)
    (tmp_path / "some" / "folder.json").mkdir()
    layer = {"name": "VK_LAYER_T", "type": "GLOBAL", "library_path": "/x.so", "api_version": "1.1.0"}
    body = json.dumps({"file_format_version": "1.0.0", "layer": {**layer, "implementation_version": "1"}})
    for kind in (EXPLICIT_LAYERS, IMPLICIT_LAYERS):
        for name in ("c.json", "b.json"):
            _manifest(tmp_path / "base" / "vulkan" / kind / name, body)
    return tmp_path


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HOME": ""},
        {"HOME": "BASE"},
        {"HOME": "/h/", "XDG_CONFIG_HOME": "/c/:/d", "XDG_DATA_HOME": "relative"},
        {"HOME": "/h", "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "XDG_CONFIG_DIRS": "", "XDG_DATA_DIRS": ""},
        {"HOME": "/h", "XDG_CONFIG_DIRS": ":/a::/b:", "XDG_DATA_DIRS": "BASE/base:"},
        {"HOME": "/h", "XDG_CONFIG_DIRS": "BASE/base", "XDG_DATA_DIRS": "BASE/base:BASE/base/"},
        {"HOME": "/h", "XDG_DATA_DIRS": "::"},
        {"HOME": "/h", "XDG_DATA_DIRS": "/usr/share//:/"},
    ],
)
def test_folders_and_files_are_the_loaders(environ: dict[str, str], places: Path) -> None:
    """The same folders in the same order, and the same files in them."""
    given = {name: value.replace("BASE", str(places)) for name, value in environ.items()}
    where = _where(given)
    implicit, explicit, found = _logged(given, places)
    assert list(folders(where, IMPLICIT_LAYERS)) == implicit["folders"]
    assert list(folders(where, EXPLICIT_LAYERS)) == explicit["folders"]
    assert list(folders(where, DRIVERS)) == found["folders"]
    assert list(implicit_layers(where)) == implicit["files"]
    assert list(explicit_layers(where)) == explicit["files"]
    assert list(drivers(where)) == found["files"]


@pytest.mark.parametrize("variable", ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"])
@pytest.mark.parametrize(
    "value",
    [
        "LVP",
        "BASE/some",
        "BASE/some/",
        "BASE/some:BASE/some/z.json",
        "BASE/some/folder.json:LVP",
        ":LVP::LVP:",
        "some/z.json",
        "./some",
        "BASE/none:LVP",
        "BASE/some/M.JSON:LVP",
    ],
)
def test_what_a_variable_names_is_the_loaders(variable: str, value: str, places: Path, lavapipe: str) -> None:
    """Files, folders, empty entries, and files that are named twice."""
    given = {"HOME": "/h", variable: value.replace("BASE", str(places)).replace("LVP", lavapipe)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(places)
        assert list(drivers(_where(given))) == _logged(given, places)[2]["files"]


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({"VK_LAYER_PATH": "BASE:BASE"}, 1),
        ({"VK_ADD_LAYER_PATH": "BASE:BASE"}, 1),
        ({"VK_LAYER_PATH": "/none", "VK_ADD_LAYER_PATH": "BASE"}, 0),
        ({"VK_LAYER_PATH": "BASE/c.json"}, 0.5),
        ({"VK_LAYER_PATH": "BASE:BASE/c.json"}, 1.5),
        ({"VK_ADD_LAYER_PATH": "BASE:BASE/c.json"}, 1.5),
    ],
)
def test_layer_paths_are_the_loaders(environ: dict[str, str], files: float, places: Path) -> None:
    """A folder is searched once, a file named beside it is read again, and VK_LAYER_PATH replaces all others."""
    folder = places / "base" / "vulkan" / EXPLICIT_LAYERS
    given = {"HOME": "/h", "XDG_DATA_DIRS": "/none"}
    given |= {name: value.replace("BASE", str(folder)) for name, value in environ.items()}
    found = list(explicit_layers(_where(given)))
    assert found == _logged(given, places)[1]["files"]
    assert len(found) == 2 * files


_FILTERS = (
    "*lvp*",
    "LVP*",
    "lvp",
    "*JSON",
    "/usr/*",
    "x,*lvp*",
    "x:*lvp*",
    " *lvp*",
    "",
    "*",
    "**",
    "l*n",
    "~all~",
    ",",
)


@pytest.mark.parametrize("value", _FILTERS)
@pytest.mark.parametrize("variable", ["VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE"])
def test_a_filter_leaves_out_what_the_loader_leaves_out(variable: str, value: str, lavapipe: str) -> None:
    """A driver that is left out is reported with the variable that leaves it out."""
    given = {"VK_DRIVER_FILES": lavapipe, variable: value}
    env = {"PATH": os.environ["PATH"], "HOME": "/dev/null", **given}
    ran = subprocess.run(["vulkaninfo", "--summary"], env=env, capture_output=True, check=False)
    (exam,) = examine_all(_where(given)).drivers
    assert exam.is_usable == (b"deviceName" in ran.stdout)
    if not exam.is_usable:
        assert (exam.finding.id, variable in exam.finding.sentence) == ("manifest.left-out", True)


def test_fuchsia_has_folders_of_its_own() -> None:
    """No folder of XDG's, and none under /usr."""
    given = {"HOME": "/h", "XDG_DATA_DIRS": "/x"}
    found = list(folders(_where(given, "fuchsia"), DRIVERS))
    assert found == [f"{base}/vulkan/icd.d" for base in ("/vulkan-loader-configuration", "/config", "/pkg/data")]


def test_a_variable_that_hides_the_usual_drivers_is_named(vkzircon: Run, lavapipe: str) -> None:
    """A folder of conda's instead of /usr/share: the installed driver is not reported as missing."""
    ran = vkzircon("doctor", "--format", "json", XDG_DATA_DIRS="/nonexistent/conda/share", HOME="/dev/null")
    assert ran.code == 4
    assert "XDG_DATA_DIRS hides" in ran.json["summary"]["sentence"]
    (found,) = [
        each for branch in ran.json["findings"] for each in branch["children"] if each["id"] == "variable.hides"
    ]
    assert (found["outcome"], found["command"]) == ("fail", "unset XDG_DATA_DIRS")
    assert lavapipe in found["evidence"]
    assert "apt-get" not in json.dumps(ran.json["findings"][2])
