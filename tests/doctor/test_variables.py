# SPDX-License-Identifier: Apache-2.0
"""The effect that doctor states for a variable is what the real loader does."""

import os
import subprocess
from pathlib import Path

import pytest

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.search import Surroundings, variables_finding
from vkzircon_cli.model.host import VARIABLES


def _found(environ: dict[str, str], loader: str = "", *, elevated: bool = False) -> dict[str, Finding]:
    where = Surroundings("linux", elevated, environ, 1)
    return {child.subject: child for child in variables_finding(where, loader).children}


def test_a_variable_that_is_set_has_its_effect_and_the_way_back() -> None:
    """A variable in force is informational, and its value is the evidence."""
    for name, known in VARIABLES.items():
        (found,) = _found({name: "/x"}).values()
        assert (found.id, found.outcome) == ("variable.in-force", Outcome.INFO)
        assert found.sentence == f"{name} {known.effect}."
        assert found.evidence == (f"{name}=/x",)
        assert found.command == f"unset {name}"


def test_an_empty_variable_may_remove_all_drivers_or_layers() -> None:
    """Without drivers that is a failure, without explicit layers a warning; other variables have no effect."""
    outcomes = {name: _found({name: ""})[name] for name in VARIABLES}
    assert {found.id for found in outcomes.values()} == {"variable.empty"}
    assert {name: found.outcome for name, found in outcomes.items() if found.outcome is not Outcome.INFO} == {
        "VK_DRIVER_FILES": Outcome.FAIL,
        "VK_ICD_FILENAMES": Outcome.FAIL,
        "VK_LAYER_PATH": Outcome.WARN,
    }


@pytest.mark.parametrize("value", ["/y", ""])
def test_a_variable_that_overrides_another_is_named(value: str) -> None:
    """The other one is ignored, also where the overriding one is empty."""
    for name, by in (
        ("VK_ICD_FILENAMES", "VK_DRIVER_FILES"),
        ("VK_ADD_DRIVER_FILES", "VK_DRIVER_FILES"),
        ("VK_ADD_DRIVER_FILES", "VK_ICD_FILENAMES"),
        ("VK_ADD_LAYER_PATH", "VK_LAYER_PATH"),
    ):
        found = _found({name: "/x", by: value})
        assert found[name].id == "variable.overridden"
        assert by in found[name].sentence
        assert found[by].id != "variable.overridden"


def test_raised_privileges_are_why_a_variable_is_ignored() -> None:
    """Only variables that the loader reads in every process are in force."""
    found = _found({"VK_DRIVER_FILES": "/x", "VK_INSTANCE_LAYERS": "x", "VK_LOADER_DEBUG": "all"}, elevated=True)
    assert {name: each.id for name, each in found.items()} == {
        "VK_DRIVER_FILES": "variable.ignored",
        "VK_INSTANCE_LAYERS": "variable.in-force",
        "VK_LOADER_DEBUG": "variable.in-force",
    }
    assert found["VK_DRIVER_FILES"].outcome is Outcome.WARN


def test_a_variable_that_the_loader_does_not_have_is_unknown(tmp_path: Path, newer: dict[str, str]) -> None:
    """Its name is in the file of a loader that reads it; variables of others than the loader are never unknown."""
    given = dict.fromkeys(VARIABLES, "/x")
    old = tmp_path / "libvulkan.so"
    old.write_bytes(b"\x7fELF\0VK_ICD_FILENAMES\0VK_LAYER_PATH\0")
    known = {name for name, found in _found(given, str(old)).items() if found.id != "variable.unknown"}
    assert known == {"VK_LAYER_PATH", "VK_ICD_FILENAMES"} | {name for name in VARIABLES if not name.startswith("VK_")}
    assert "variable.unknown" not in {found.id for found in _found(given, newer["VKZIRCON_LIBVULKAN"]).values()}


def test_a_value_stays_on_its_line() -> None:
    """A value is shown in printable characters."""
    (found,) = _found({"VK_DRIVER_FILES": "/x\n\x1b[31m\udcff"}).values()
    assert found.evidence == ("VK_DRIVER_FILES=/x\\n\\x1b[31m\\xff",)


def _loader_says(**environ: str) -> str:
    env = {**os.environ, "VK_LOADER_DEBUG": "all", **environ}
    done = subprocess.run(["vulkaninfo", "--summary"], env=env, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


def test_the_real_loader_does_what_is_said(lavapipe: str) -> None:
    """An ignored variable is not read, and one that removes all drivers or layers does so."""
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
