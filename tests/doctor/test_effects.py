# SPDX-License-Identifier: Apache-2.0
"""What a variable is said to do is what the real loader does with it."""

import os
import subprocess

import pytest

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.effects import EFFECTS, variables_finding
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.surroundings import SEARCH_VARIABLES, Surroundings
from vkzircon_cli.model.host import VARIABLES
from vkzircon_cli.model.spec import Version, api_version

NEW = api_version(1 << 22 | 4 << 12)
DEBIAN = api_version(1 << 22 | 3 << 12 | 239)


def _found(environ: dict[str, str], loader: Version = NEW, *, elevated: bool = False) -> dict[str, Finding]:
    where = Surroundings("linux", elevated, environ, environ.get, 1)
    return {child.subject: child for child in variables_finding(where, loader).children}


def test_every_variable_that_is_looked_at_has_its_effect() -> None:
    """None is read without being explained; HOME only says where homes are."""
    assert set(EFFECTS) == {*VARIABLES, *SEARCH_VARIABLES} - {"HOME"}


@pytest.mark.parametrize("name", EFFECTS)
def test_a_variable_that_is_set_is_told_with_its_effect_and_the_way_back(name: str) -> None:
    """It is worth knowing, and no problem."""
    (found,) = _found({name: "/x"}).values()
    assert (found.id, found.outcome) == ("variable.in-force", Outcome.INFO)
    assert found.evidence == (f"{name}=/x",)
    assert found.command == f"unset {name}"


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("VK_DRIVER_FILES", Outcome.FAIL),
        ("VK_ICD_FILENAMES", Outcome.FAIL),
        ("VK_LAYER_PATH", Outcome.WARN),
        ("VK_ADD_DRIVER_FILES", Outcome.INFO),
        ("VK_INSTANCE_LAYERS", Outcome.INFO),
        ("XDG_DATA_DIRS", Outcome.INFO),
    ],
)
def test_an_empty_variable_is_told(name: str, outcome: Outcome) -> None:
    """Some take everything away when they are empty, others do nothing."""
    found = _found({name: ""})[name]
    assert (found.id, found.outcome) == ("variable.empty", outcome)


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("VK_ICD_FILENAMES", "VK_DRIVER_FILES"),
        ("VK_ADD_DRIVER_FILES", "VK_DRIVER_FILES"),
        ("VK_ADD_DRIVER_FILES", "VK_ICD_FILENAMES"),
        ("VK_ADD_LAYER_PATH", "VK_LAYER_PATH"),
    ],
)
@pytest.mark.parametrize("value", ["/y", ""])
def test_the_variable_that_goes_before_is_named(name: str, by: str, value: str) -> None:
    """The one that is ignored is told as such, also where the other is empty."""
    found = _found({name: "/x", by: value})
    assert found[name].id == "variable.overridden"
    assert by in found[name].sentence
    assert found[by].id != "variable.overridden"


def test_raised_privileges_are_why_a_variable_is_ignored() -> None:
    """All but those that the loader reads without looking at who runs it."""
    found = _found({"VK_DRIVER_FILES": "/x", "VK_INSTANCE_LAYERS": "x", "VK_LOADER_DEBUG": "all"}, elevated=True)
    assert {name: each.id for name, each in found.items()} == {
        "VK_DRIVER_FILES": "variable.ignored",
        "VK_INSTANCE_LAYERS": "variable.in-force",
        "VK_LOADER_DEBUG": "variable.in-force",
    }
    assert found["VK_DRIVER_FILES"].outcome is Outcome.WARN


def test_a_variable_that_the_loader_is_too_old_for_is_told() -> None:
    """Debian 12's does not know VK_LOADER_LAYERS_ALLOW; where no loader opens nothing is said of its age."""
    assert _found({"VK_LOADER_LAYERS_ALLOW": "*"}, DEBIAN)["VK_LOADER_LAYERS_ALLOW"].id == "variable.unknown"
    assert _found({"VK_LOADER_LAYERS_DISABLE": "*"}, DEBIAN)["VK_LOADER_LAYERS_DISABLE"].id == "variable.in-force"


def test_a_value_stays_on_its_line() -> None:
    """Whatever it is, it is told in visible characters."""
    (found,) = _found({"VK_DRIVER_FILES": "/x\n\x1b[31m\udcff"}).values()
    assert found.evidence == ("VK_DRIVER_FILES=/x\\n\\x1b[31m\\xff",)


def _loader_says(**environ: str) -> str:
    env = {**os.environ, "VK_LOADER_DEBUG": "all", **environ}
    done = subprocess.run(["vulkaninfo", "--summary"], env=env, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


def test_the_real_loader_does_what_is_said(lavapipe: str) -> None:
    """What is said to be ignored is not looked at, and what is said to take all away does."""
    marked = "/nonexistent-marked.json"
    assert marked in _loader_says(VK_DRIVER_FILES=marked)
    assert marked in _loader_says(VK_ADD_DRIVER_FILES=marked)
    for by in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        assert marked not in _loader_says(**{by: lavapipe, "VK_ADD_DRIVER_FILES": marked})
    assert marked not in _loader_says(VK_DRIVER_FILES=lavapipe, VK_ICD_FILENAMES=marked)
    assert "Found no drivers" in _loader_says(VK_DRIVER_FILES="")
    assert "Found no drivers" in _loader_says(VK_DRIVER_FILES="", VK_ICD_FILENAMES=lavapipe)
    assert "/nonexistent-folder" in _loader_says(VK_ADD_LAYER_PATH="/nonexistent-folder")
    for value in ("", "/nonexistent"):
        assert "/nonexistent-folder" not in _loader_says(VK_LAYER_PATH=value, VK_ADD_LAYER_PATH="/nonexistent-folder")
        assert "/explicit_layer.d" not in _loader_says(VK_LAYER_PATH=value)
