# SPDX-License-Identifier: Apache-2.0
"""Features of a loader of Vulkan 1.4: settings, ID filters, folders of implicit layers, meta-layers."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from program import Run

from vkzircon_cli.doctor.loader_trial import Asked, Tried
from vkzircon_cli.doctor.settings import settings_in_force

Newer = dict[str, str]
_DEVICE = {"deviceName": "Example GPU", "deviceUUID": [1] * 16, "driverUUID": [2] * 16, "driverVersion": 3}


def _settings(home: Path, **settings: Any) -> Path:
    path = home / ".local/share/vulkan/loader_settings.d/vk_loader_settings.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"file_format_version": "1.0.1", "settings": settings}))
    return path


def _layer(folder: Path, name: str, **more: Any) -> Path:
    layer = {"name": name, "type": "GLOBAL", "api_version": "1.3.0", "implementation_version": "1", "description": "x"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"file_format_version": "1.1.2", "layer": layer | more}))
    return path


def _children(document: Any, id: str) -> dict[str, dict[str, Any]]:
    branch = next(each for each in document["findings"] if each["id"] == id)
    return {each["subject"]: each for each in branch["children"]}


@pytest.mark.parametrize("devices", [[_DEVICE], []])
def test_settings_that_hide_every_device_are_named_and_no_driver_is_blamed(
    vkzircon: Run, newer: Newer, tmp_path: Path, devices: list[Any]
) -> None:
    """Doctor and report name the file and what it hides; a loader without settings does not read it."""
    path = _settings(tmp_path, device_configurations=devices)
    ran = vkzircon("doctor", "--format", "json", HOME=str(tmp_path), **newer)
    assert ran.code == 4
    (found,) = [each for each in _children(ran.json, "variables").values() if each["id"] == "settings.in-force"]
    assert (found["outcome"], found["command"].startswith("mv ")) == ("fail", True)
    name = "Example GPU" if devices else "none"
    assert f"lists only the devices that it names ({name})" in found["sentence"].replace("loader list", "loader lists")
    assert path.name in ran.json["summary"]["sentence"]
    assert [each["kind"] for each in ran.json["culprits"]] == ["settings"]
    told = vkzircon("devices", "--format", "json", HOME=str(tmp_path), **newer).json["error"]["hint"]
    assert path.name in told
    assert "/dev/dri" not in told


def test_settings_that_name_the_only_drivers_hide_the_others(
    vkzircon: Run, newer: Newer, tmp_path: Path, swiftshader: str, lavapipe: str
) -> None:
    """The settings leave the others out, and the driver that only the settings name is listed."""
    _settings(tmp_path, additional_drivers_use_exclusively=True, additional_drivers=[{"path": swiftshader}])
    ran = vkzircon("doctor", "--format", "json", HOME=str(tmp_path), **newer)
    drivers = _children(ran.json, "drivers")
    assert drivers[lavapipe]["id"] == "manifest.left-out"
    assert "vk_loader_settings.json names the only drivers" in drivers[lavapipe]["sentence"]
    assert (drivers[swiftshader]["id"], drivers[swiftshader]["outcome"]) == ("manifest.fine", "pass")
    assert ran.json["summary"]["sentence"].startswith("~/.local/share/vulkan/loader_settings.d/vk_loader_settings.json")


_EXE = os.path.realpath(sys.executable)


@pytest.mark.parametrize(
    ("keys", "is_ours"),
    [([_EXE], True), ([1, _EXE], True), ({"a": _EXE}, True), (_EXE, False), (7, False), (None, False), ([], False)],
)
def test_settings_of_other_programs_have_no_effect(tmp_path: Path, keys: Any, is_ours: bool) -> None:
    """Its app_keys are a list of whole paths; each case was tried with a loader of Vulkan 1.4."""
    path = _settings(tmp_path, app_keys=keys, device_configurations=[])
    found = settings_in_force(Asked(whole=Tried("VK_SUCCESS", log=(f"INFO: settings from {path}",))))
    assert found is not None
    assert (found.devices == ()) == is_ours


def test_app_keys_that_are_numbers_are_no_error(vkzircon: Run, newer: Newer, tmp_path: Path) -> None:
    """Such settings are for no program, and a device is listed."""
    _settings(tmp_path, app_keys=[7], device_configurations=[])
    ran = vkzircon("doctor", "--format", "json", HOME=str(tmp_path), **newer)
    assert (ran.code, len(ran.json["devices"])) == (0, 1)


def test_a_meta_layer_that_names_itself_is_ignored(vkzircon: Run, loader: Newer, tmp_path: Path) -> None:
    """Its other layers stay off, too."""
    for components in (["VK_LAYER_TEST_self"], ["VK_LAYER_KHRONOS_validation", "VK_LAYER_TEST_self"]):
        switch = {"disable_environment": {"NO_SELF": "1"}, "component_layers": components}
        path = _layer(tmp_path / ".local/share/vulkan/implicit_layer.d", "VK_LAYER_TEST_self", **switch)
        layers = _children(vkzircon("doctor", "--format", "json", HOME=str(tmp_path), **loader).json, "layers")
        found = layers[str(path).replace(str(tmp_path), "~")]
        assert (found["id"], found["outcome"]) == ("layer.component-missing", "warn")
        assert "names itself" in found["sentence"]


@pytest.mark.parametrize(
    "more", [{"app_keys": [1, 2]}, {"app_keys": "x"}, {"blacklisted_layers": [1, [], "VK_LAYER_x"]}]
)
def test_an_override_of_odd_types_is_what_the_loader_makes_of_it(
    vkzircon: Run, loader: Newer, tmp_path: Path, more: dict[str, Any]
) -> None:
    """Loaders differ; the layer that it turns on is on if the loader loads it."""
    switch = {"disable_environment": {"NO_OVERRIDE": "1"}, "component_layers": ["VK_LAYER_KHRONOS_validation"]}
    folder = tmp_path / ".local/share/vulkan/implicit_layer.d"
    meta = str(_layer(folder, "VK_LAYER_LUNARG_override", **switch, **more)).replace(str(tmp_path), "~")
    ran = vkzircon("doctor", "--format", "json", HOME=str(tmp_path), **loader)
    layers = _children(ran.json, "layers")
    validation = next(each for path, each in layers.items() if "khronos_validation" in path)
    assert ran.code == 0
    assert layers[meta]["id"] == validation["id"]


def test_a_filter_of_ids_that_leaves_every_device_out_is_named(vkzircon: Run, newer: Newer) -> None:
    """The variable is the culprit, since without it there is a device; it is in the report."""
    ran = vkzircon("devices", "--format", "json", VK_LOADER_VENDOR_ID_FILTER="0x1", **newer)
    (culprit,) = ran.json["culprits"]
    assert (culprit["kind"], culprit["command"]) == ("variable", "unset VK_LOADER_VENDOR_ID_FILTER")
    assert {"VK_LOADER_VENDOR_ID_FILTER", "VKZIRCON_LIBVULKAN"} == {
        each["name"] for each in ran.json["environment"]["variables"]
    }


@pytest.mark.parametrize("variable", ["VK_IMPLICIT_LAYER_PATH", "VK_ADD_IMPLICIT_LAYER_PATH"])
def test_folders_of_implicit_layers_are_searched_where_the_loader_has_them(
    vkzircon: Run, newer: Newer, tmp_path: Path, variable: str
) -> None:
    """A broken layer there is found; an older loader ignores the variable, and the layer is left out."""
    switch = {"disable_environment": {"NO_TEST": "1"}, "library_path": "libm.so.6"}
    path = str(_layer(tmp_path / "folder", "VK_LAYER_TEST_there", **switch))
    environ = {variable: str(tmp_path / "folder"), "HOME": str(tmp_path)}
    ran = vkzircon("doctor", "--format", "json", **environ, **newer).json
    assert _children(ran, "variables")[variable]["id"] == "variable.in-force"
    shown = path.replace(str(tmp_path), "~")
    assert _children(ran, "layers")[shown]["id"] == "layer.no-entry-point"
    old = vkzircon("doctor", "--format", "json", **environ).json
    if _children(old, "variables")[variable]["id"] == "variable.unknown":
        assert _children(old, "layers")[shown]["id"] == "manifest.left-out"


def test_a_meta_layer_turns_on_its_components_or_is_ignored(vkzircon: Run, loader: Newer, tmp_path: Path) -> None:
    """It is the cause for the layer that it turns on; if a component is missing, the loader ignores it."""
    folder, name = tmp_path / ".local/share/vulkan/implicit_layer.d", "VK_LAYER_LUNARG_override"
    for component, word in (
        ("VK_LAYER_KHRONOS_validation", "layer.on"),
        ("VK_LAYER_TEST_gone", "layer.component-missing"),
    ):
        switch = {"disable_environment": {"NO_OVERRIDE": "1"}, "component_layers": [component]}
        meta = str(_layer(folder, name, **switch)).replace(str(tmp_path), "~")
        layers = _children(vkzircon("doctor", "--format", "json", HOME=str(tmp_path), **loader).json, "layers")
        assert layers[meta]["id"] == word
        validation = next(each for path, each in layers.items() if "khronos_validation" in path)
        assert validation["id"] == ("layer.on" if word == "layer.on" else "layer.off")
        assert (f"{name} ({meta}) turns it on" in validation["cause"]) == (word == "layer.on")


def test_a_meta_layer_that_keeps_the_emulation_out_is_named(vkzircon: Run, lavapipe: str, tmp_path: Path) -> None:
    """It sets the folders in which the loader looks for layers; report and doctor name its file and its switch."""
    switch = {"disable_environment": {"NO_OVERRIDE": "1"}, "component_layers": ["VK_LAYER_KHRONOS_validation"]}
    paths = {"override_paths": ["/usr/share/vulkan/explicit_layer.d"]}
    folder = tmp_path / ".local/share/vulkan/implicit_layer.d"
    path = _layer(folder, "VK_LAYER_LUNARG_override", **switch, **paths)
    ran = vkzircon("check", "--emulate", "--format", "json", HOME=str(tmp_path), VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.json["error"]["cause"]) == (4, "no-emulation")
    assert path.name in ran.json["error"]["hint"]
    assert "export NO_OVERRIDE=1" in ran.json["error"]["hint"]
