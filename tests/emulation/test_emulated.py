# SPDX-License-Identifier: Apache-2.0
"""The main job on real parts: the real loader, lavapipe, and the emulation layer, whose sharing is real."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from program import Ran, Run, environment

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.emulation import installation
from vkzircon_cli.model.request import Emulate


@pytest.fixture(name="report")
def _report(once: Run) -> Any:
    ran = once("--format", "json")
    assert (ran.code, ran.err) == (0, "")
    return ran.json


def test_every_check_passes_or_says_why_not(report: Any) -> None:
    """On the strict emulation nothing fails or warns."""
    left = {check["id"]: check["outcome"] for check in report["checks"] if check["outcome"] != "pass"}
    assert set(left.values()) == {"skip"}
    assert {name for name in left if not name.startswith(("stress.", "negative."))} == {
        "capabilities.semaphore",  # the sibling is not listed
        "device.hardware",  # an emulated run is not about hardware
        "import.other-device",  # there is one GPU
    }
    assert report["summary"]["exit_code"] == 0


def test_the_report_says_that_it_is_emulated(report: Any, emulated: Run) -> None:
    """JSON has it, and so does the first line on a terminal."""
    assert report["emulation"]["active"] is True
    assert report["emulation"]["layer"] == "VK_LAYER_VKZIRCON_external_memory"
    assert "emulat" in emulated().out.splitlines()[0].lower()


def test_a_loader_that_passes_on_only_what_it_knows_is_enough(emulated: Run, swiftshader: str) -> None:
    """Chromium's loader hides commands that it does not know; the layer lists itself as a tool too."""
    loader = Path(swiftshader).with_name("libvulkan.so.1")
    ran = emulated("check", "-f", "json", VKZIRCON_LIBVULKAN=str(loader))
    assert (ran.code, ran.json["emulation"]["active"]) == (0, True)


def test_the_report_names_what_a_reader_of_json_wants(report: Any) -> None:
    """Driver, memory types, VMO size, rights, koid, memory_type_bits and the round trip's bytes are all there."""
    (device,) = report["devices"]
    assert device["identity"]["value"]["name"].startswith("llvmpipe")
    assert device["identity"]["value"]["driver"]["value"]["name"] == "llvmpipe"
    assert [t["index"] for t in device["memory"]["value"]["types"]] == [0]
    handle = device["exports"][0]["handle"]["value"]
    assert handle["size"]["value"] == 65536
    assert handle["basic"]["value"]["rights"] == {
        "value": 0xD0EF,
        "names": [
            *("DUPLICATE", "TRANSFER", "READ", "WRITE", "MAP"),
            *("GET_PROPERTY", "SET_PROPERTY", "SIGNAL", "WAIT", "INSPECT"),
        ],
    }
    assert int(handle["basic"]["value"]["koid"]) >= 1024
    assert handle["info"]["value"]["version"] == 4
    assert device["properties"][0]["properties"]["value"]["memory_type_bits"] == 1
    for row in device["data"]:
        trip = row["round_trip"]["value"]
        places = [trip[f"through_{name}"]["value"] for name in ("export_map", "import_map", "vmo_read", "vmo_map")]
        assert places == [{"count": 65536, "wrong": 0, "first_wrong": None}] * 4


def test_two_runs_differ_only_where_they_may(report: Any, emulated: Run) -> None:
    """Two runs differ under ``run``, in koids and in handle values only."""
    assert _steady(report) == _steady(emulated("--format", "json").json)


def _steady(report: Any) -> str:
    text = json.dumps({name: value for name, value in report.items() if name != "run"})
    return re.sub(r'("(?:parent_)?koid": )"\d+"|"0x[0-9a-f]{8}"', r'\1"-"', text)


def test_the_document_has_the_same_keys_with_and_without_the_extension(
    report: Any, vkzircon: Run, lavapipe: str
) -> None:
    """No key is ever missing: an absent value is null or []."""
    without = vkzircon("--format", "json", VK_DRIVER_FILES=lavapipe).json
    nothing = vkzircon("--format", "json", VKZIRCON_LIBVULKAN="/nonexistent").json
    assert list(report) == list(without) == list(nothing)
    assert list(report["devices"][0]) == list(without["devices"][0])


def test_the_parser_of_the_standard_library_takes_the_document(once: Run) -> None:
    """``vkzircon --emulate --format json | python3 -m json.tool`` parses."""
    document = once("--format", "json").out
    subprocess.run(["python3", "-m", "json.tool"], input=document, text=True, capture_output=True, check=True)


def test_check_and_devices_tell_the_same_story(emulated: Run) -> None:
    """`check` prints verdicts, `devices` one record with the extension, `--quiet` nothing; all exit 0."""
    checks, devices, quiet = emulated("check", "--verbose"), emulated("devices"), emulated("check", "--quiet")
    assert (checks.code, devices.code, quiet.code) == (0, 0, 0)
    assert (checks.err, devices.err, quiet.out + quiet.err) == ("", "", "")
    assert "export.handle-is-vmo" in checks.out
    assert "VK_FUCHSIA_external_memory" in devices.out
    assert "llvmpipe" in devices.out


def test_a_device_is_chosen_by_index_name_or_uuid(emulated: Run, report: Any) -> None:
    """Digits are an index; other text is part of the name or the start of the UUID."""
    uuid = report["devices"][0]["identity"]["value"]["uuids"]["value"]["device_uuid"]
    for selector in ("0", "LLVM", uuid[:13]):
        ran = emulated("devices", "--device", selector, "--format", "json")
        assert ran.code == 0
        assert [device["selected"] for device in ran.json["devices"]] == [True]


def test_emulation_refuses_another_libzircon(emulated: Run) -> None:
    """Two kernels for one handle have no meaning: exit 2, and the variable to unset."""
    ran = emulated(VKZIRCON_LIBZIRCON="/some/libzircon.so")
    assert (ran.code, ran.out) == (2, "")
    assert "VKZIRCON_LIBZIRCON" in ran.err


def test_emulation_is_told_from_what_was_loaded(vkzircon: Run, lavapipe: str, layer: installation.Installation) -> None:
    """A layer that the loader's own variables turn on is reported; --emulate that the loader ignored is exit 4."""
    on = {"VK_ADD_LAYER_PATH": str(layer.manifest.parent), "VK_LOADER_LAYERS_ENABLE": "*VKZIRCON*"}
    env = {"VK_DRIVER_FILES": lavapipe, "VKZIRCON_LIBZIRCON": str(layer.libzircon), **on}
    by_the_loader = vkzircon("--format", "json", **env)
    assert (by_the_loader.code, by_the_loader.json["emulation"]["active"]) == (0, True)
    not_there = vkzircon("--format", "json", VK_DRIVER_FILES=lavapipe, VK_INSTANCE_LAYERS=LAYER_NAME)
    assert (not_there.code, not_there.json["emulation"]["active"]) == (3, False)
    off = vkzircon("--emulate", "--format", "json", VK_DRIVER_FILES=lavapipe, VK_LOADER_LAYERS_DISABLE="*")
    assert (off.code, off.json["error"]["cause"]) == (4, "no-emulation")
    assert off.json["error"]["hint"] == 'Unset VK_LOADER_LAYERS_DISABLE: it is "*", which turns the layer off.'


def test_emulation_keeps_the_users_own_layer_settings(emulated: Run, tmp_path: Path) -> None:
    """A VK_LAYER_PATH of the user's is added to, since the loader would ignore VK_ADD_LAYER_PATH beside it."""
    assert emulated(VK_LAYER_PATH=str(tmp_path)).code == 0
    assert emulated(VK_ADD_LAYER_PATH=str(tmp_path), VK_INSTANCE_LAYERS="VK_LAYER_not_there").code == 0


def _vulkaninfo(**env: str) -> Ran:
    done = subprocess.run(["vulkaninfo"], env=environment(env), capture_output=True, check=False)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_vulkaninfo_lists_the_extension_with_the_layer_only(lavapipe: str, layer: installation.Installation) -> None:
    """Every Vulkan program sees the emulated extension, revision 1, and none sees it without the layer."""
    on = installation.variables({}, Emulate()) | {"VK_DRIVER_FILES": lavapipe}
    listed = re.compile(r"VK_FUCHSIA_external_memory\s*:\s*extension revision\s*1")
    assert listed.search(_vulkaninfo(**on).out)
    assert not listed.search(_vulkaninfo(VK_DRIVER_FILES=lavapipe).out)
    assert layer.manifest.parent.samefile(layer.libzircon.parent)


@pytest.mark.parametrize(("words", "most"), [((), 25), (("check",), 3), (("check", "--fault", "refuse-import"), 30)])
def test_the_answer_fits_a_screen(emulated: Run, words: tuple[str, ...], most: int) -> None:
    """A healthy report and check are short at 80 columns, and one refused call is one finding."""
    assert len(emulated(*words, COLUMNS="80").out.splitlines()) <= most
