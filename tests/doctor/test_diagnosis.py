# SPDX-License-Identifier: Apache-2.0
"""The whole command: it works where nothing else does, names what is wrong, and exits by the verdict."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Run, environment

from vkzircon_cli.bindings.dynlib import LAYER_NAME

NO_LOADER = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
_WORST_TO_BEST = ("crash", "timeout", "fail", "warn", "skip", "info", "pass")


def _walk(findings: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for finding in findings:
        yield finding
        yield from _walk(finding["children"])


def _by_id(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["id"]: finding for finding in _walk(document["findings"])}


def _hold_together(document: dict[str, Any]) -> None:
    """Parents have the outcome of their worst child, a note or skip only if there is no other."""
    for finding in _walk(document["findings"]):
        assert "\n" not in finding["sentence"]
        found = {child["outcome"] for child in finding["children"]}
        counting = found - {"info", "skip"} or found or {"pass"}
        if "." not in finding["id"]:
            assert finding["outcome"] == min(counting, key=_WORST_TO_BEST.index)
    assert [finding["id"] for finding in document["findings"]] == [
        "loader",
        "variables",
        "drivers",
        "layers",
        "access",
        "extension",
    ]


def test_a_healthy_machine_is_healthy(vkzircon: Run, lavapipe: str) -> None:
    """Exit code 0: on Linux a missing extension is no problem, but is not marked as good; the first line names it."""
    ran = vkzircon("doctor", "--format", "json", VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.err) == (0, "")
    document = ran.json
    _hold_together(document)
    assert document["summary"]["outcome"] == "info"
    assert document["summary"]["sentence"].startswith("Vulkan works, but llvmpipe")
    assert document["summary"]["sentence"].endswith(" does not offer VK_FUCHSIA_external_memory.")
    assert {each["id"]: each["outcome"] for each in document["findings"]}["extension"] == "info"
    assert document["error"] is None
    assert document["devices"][0]["offers"] is False
    found = _by_id(document)
    assert found["loader.opened"]["outcome"] == "pass"
    assert found["manifest.fine"]["subject"] == lavapipe
    assert found["extension.not-fuchsia"]["outcome"] == "info"


def test_an_emulated_device_offers_it(emulated: Run) -> None:
    """The emulation's own layer and variables are not findings."""
    ran = emulated("doctor", "--format", "json")
    assert ran.code == 0
    _hold_together(ran.json)
    found = _by_id(ran.json)
    assert found["extension.offered"]["outcome"] == "pass"
    variables = next(each for each in ran.json["findings"] if each["id"] == "variables")
    assert [child["subject"] for child in variables["children"]] == ["VK_DRIVER_FILES"]


def test_it_works_without_a_loader(vkzircon: Run) -> None:
    """Exit 4, the linker's own words, and the manifests are examined nevertheless."""
    ran = vkzircon("doctor", "--format", "json", **NO_LOADER)
    assert ran.code == 4
    document = ran.json
    _hold_together(document)
    assert document["error"]["cause"] == "no-loader"
    found = _by_id(document)
    assert "No such file" in found["loader.not-found"]["evidence"][0]
    assert found["loader.not-found"]["command"] == "unset VKZIRCON_LIBVULKAN"
    assert found["probe.no-loader"]["outcome"] == "skip"
    assert "/nonexistent/libvulkan.so" in document["summary"]["sentence"]


def test_it_works_without_a_driver(vkzircon: Run) -> None:
    """Exit 4: the missing manifest is the problem, and the missing device follows from it."""
    ran = vkzircon("doctor", "--format", "json", VK_DRIVER_FILES="/nonexistent/driver.json")
    assert ran.code == 4
    _hold_together(ran.json)
    assert "/nonexistent/driver.json" in ran.json["summary"]["sentence"]
    assert {each["id"]: each["outcome"] for each in ran.json["findings"]}["extension"] == "skip"
    ran = vkzircon("doctor", VK_DRIVER_FILES="")
    assert ran.code == 4
    assert "VK_DRIVER_FILES is empty, so the loader" in ran.out


def test_a_crashing_driver_hides_no_good_one(vkzircon: Run, lavapipe: str, broken_driver: Callable[[str], str]) -> None:
    """Exit 1: the crash is reported with its file, and the device beside it is found."""
    bad = broken_driver("abort();")
    ran = vkzircon("doctor", "--format", "json", VK_DRIVER_FILES=f"{bad}:{lavapipe}")
    assert ran.code == 1
    document = ran.json
    _hold_together(document)
    assert len(document["devices"]) == 1
    assert _by_id(document)["library.crashes"]["subject"] == bad
    assert document["summary"]["outcome"] == "crash"
    assert bad in document["summary"]["sentence"]
    assert document["summary"]["sentence"].endswith(" does not offer VK_FUCHSIA_external_memory.")


def test_a_hanging_driver_costs_its_limit(vkzircon: Run, broken_driver: Callable[[str], str]) -> None:
    """Exit 4 in bounded time, with the file that hangs."""
    bad = broken_driver("for (;;) pause();")
    began = time.monotonic()
    ran = vkzircon("doctor", "--format", "json", "--timeout", "1", VK_DRIVER_FILES=bad)
    assert time.monotonic() - began < 20
    assert ran.code == 4
    assert _by_id(ran.json)["library.hangs"]["subject"] == bad


def test_a_driver_that_crashes_when_it_is_called_is_named(vkzircon: Run, tmp_path: Path) -> None:
    """Its manifest and library are valid; the loader with this driver alone shows that it crashes."""
    source, library, manifest = tmp_path / "d.c", tmp_path / "libd.so", tmp_path / "d.json"
    source.write_text("#include <stdlib.h>\nvoid *vk_icdGetInstanceProcAddr(void *i, const char *n) { abort(); }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    body = {"file_format_version": "1.0.0", "ICD": {"library_path": str(library), "api_version": "1.1.0"}}
    manifest.write_text(json.dumps(body))
    ran = vkzircon("doctor", "--format", "json", VK_DRIVER_FILES=str(manifest))
    assert ran.code == 4
    found = _by_id(ran.json)
    assert (found["library.crashes"]["subject"], found["library.crashes"]["outcome"]) == (str(manifest), "crash")
    assert "crashes in vkCreateInstance (SIGABRT)" in ran.json["summary"]["sentence"]
    assert found["probe.driver-crashed"]["outcome"] == "skip"


def _hiding(folder: Path, define: str) -> dict[str, str]:
    """Build a layer that hides the extension, and return the variables that turn it on beside a missing one.

    It is named before the emulation, so that every loader puts it above.
    """
    library, source = folder / "libhiding.so", Path(__file__).with_name("hiding.c")
    subprocess.run(["cc", "-shared", "-fPIC", define, "-o", library, source], check=True)
    for name, path in (("VK_LAYER_TEST_hiding", library), ("VK_LAYER_TEST_gone", "/nonexistent.so")):
        layer = {"name": name, "type": "GLOBAL", "library_path": str(path), "api_version": "1.1.0"}
        layer |= {"implementation_version": "1", "description": "hides"}
        (folder / f"{name}.json").write_text(json.dumps({"file_format_version": "1.0.0", "layer": layer}))
    names = f"VK_LAYER_TEST_gone:VK_LAYER_TEST_hiding:{LAYER_NAME}"
    return {"VK_ADD_LAYER_PATH": str(folder), "VK_INSTANCE_LAYERS": names}


def test_check_blames_the_layer_that_hides_the_commands(emulated: Run, tmp_path: Path) -> None:
    """The first line names the layer, once; no check blames the driver, and the rest is skipped."""
    ran = emulated("check", "--format", "json", **_hiding(tmp_path, "-DHIDES_COMMANDS"))
    assert (ran.code, ran.json["summary"]["outcome"]) == (1, "fail")
    said = "The layer VK_LAYER_TEST_hiding hides vkGetMemoryZirconHandleFUCHSIA and "
    assert (
        f"does NOT share its memory: extension.entry-points: {said[:1].lower()}{said[1:]}"
        in ran.json["summary"]["sentence"]
    )
    (bad,) = (check for check in ran.json["checks"] if check["outcome"] not in ("pass", "skip", "warn"))
    assert bad["id"] == "extension.entry-points"
    assert bad["sentence"].startswith(said)
    assert "VK_LOADER_LAYERS_DISABLE=VK_LAYER_TEST_hiding VK_INSTANCE_LAYERS= vkzircon check" in bad["advice"]


def test_a_command_that_no_layer_hides_is_told_as_it_is(emulated: Run) -> None:
    """Without another layer, the report only says that the command is NULL."""
    ran = emulated("check", "--format", "json", "--fault", "hide-properties")
    assert (ran.code, ran.json["culprits"]) == (1, [])
    assert (
        "extension.entry-points: vkGetMemoryZirconHandlePropertiesFUCHSIA: advertised"
        in ran.json["summary"]["sentence"]
    )
    (bad,) = (check for check in ran.json["checks"] if check["outcome"] == "fail")
    assert bad["sentence"].endswith("advertised, but vkGetDeviceProcAddr returns NULL.")


@pytest.mark.parametrize(("define", "word"), [("-DHIDES_NAME", "does not offer"), ("-DHIDES_COMMANDS", "returns NULL")])
def test_a_layer_that_hides_the_extension_is_named(emulated: Run, tmp_path: Path, define: str, word: str) -> None:
    """It is found beside another layer, by probing without each of them."""
    ran = emulated("doctor", "--format", "json", **_hiding(tmp_path, define))
    assert ran.code == 1
    found = _by_id(ran.json)["extension.hidden"]
    assert word in found["sentence"]
    assert found["cause"] == "The layer VK_LAYER_TEST_hiding hides it."
    assert found["command"].endswith("vkzircon doctor --emulate")


def test_on_fuchsia_the_services_are_looked_at(vkzircon: Run, lavapipe: str) -> None:
    """Each is reported with its shard; neither /dev nor a package manager is mentioned."""
    ran = vkzircon("doctor", "--format", "json", VKZIRCON_PLATFORM="fuchsia", VK_DRIVER_FILES=lavapipe)
    assert ran.code == 1
    _hold_together(ran.json)
    access = next(each for each in ran.json["findings"] if each["id"] == "access")
    assert access["children"][0]["subject"] == "/svc/fuchsia.vulkan.loader.Loader"
    assert "vulkan/client.shard.cml" in access["children"][0]["cause"]
    told = json.dumps(ran.json["findings"])
    assert "apt-get" not in told
    assert "/dev/" not in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program that runs as another group")
def test_raised_privileges_are_told(tmp_path: Path, lavapipe: str) -> None:
    """A real set-group-ID process, in which the real loader ignores its variables."""
    python = tmp_path / "python"
    shutil.copy(os.path.realpath(sys.executable), python)
    os.chown(python, 0, 65534)
    python.chmod(0o2755)
    tmp_path.chmod(0o755)
    env = environment({"VK_DRIVER_FILES": "/nonexistent.json", "PYTHONHOME": sys.base_prefix})
    env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [python, "-m", "vkzircon_cli", "doctor", "--format", "json"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Could not find platform" in done.stderr or "AT_SECURE" in done.stderr:
        pytest.skip("this Python cannot run from another place")
    document = json.loads(done.stdout)
    if not document["environment"]["elevated"]:
        pytest.skip("set-group-ID does not count in this place")
    assert document["devices"], "the loader should have found the usual drivers"
    assert _by_id(document)["variable.ignored"]["subject"] == "VK_DRIVER_FILES"
    assert lavapipe in done.stdout


def test_a_terminal_shows_what_is_wrong_and_folds_what_is_fine(vkzircon: Run, lavapipe: str, tmp_path: Path) -> None:
    """Sentence, place, cause and command of the bad file; the good one only with --verbose."""
    bad = tmp_path / "bad.json"
    bad.write_text('{"file_format_version": "1.0.0",}')
    environ = {"VK_DRIVER_FILES": f"{bad}:{lavapipe}", "COLUMNS": "200"}
    ran = vkzircon("doctor", **environ)
    assert ran.code == 1
    assert f"{bad}:1:" in ran.out
    assert "try: " in ran.out
    assert "which loads" not in ran.out
    assert "which loads" in vkzircon("doctor", "--verbose", **environ).out


def test_quiet_and_output(vkzircon: Run, lavapipe: str, tmp_path: Path) -> None:
    """Only the exit code, or a file."""
    ran = vkzircon("doctor", "--quiet", VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    target = tmp_path / "doctor.json"
    ran = vkzircon("doctor", "--format", "json", "--output", str(target), VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.out) == (0, "")
    assert json.loads(target.read_text())["findings"]
    shown = vkzircon("show", str(target))
    assert shown.code == 2
    assert "a diagnosis" in shown.err


def test_two_runs_say_the_same(vkzircon: Run, lavapipe: str) -> None:
    """Times are under `run`, and nowhere else."""
    first, second = (vkzircon("doctor", "--format", "json", VK_DRIVER_FILES=lavapipe).json for _ in range(2))
    for document in (first, second):
        del document["run"]
    assert first == second


def test_the_home_folder_is_not_told(vkzircon: Run, lavapipe: str, tmp_path: Path) -> None:
    """It is written as ~, as in every result."""
    folder = tmp_path / ".local/share/vulkan/icd.d"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text("[]")
    ran = vkzircon("doctor", "--format", "json", HOME=str(tmp_path), VK_ADD_DRIVER_FILES=lavapipe)
    assert "~/.local/share/vulkan/icd.d/mine.json" in ran.out
    assert str(tmp_path) not in ran.out


@pytest.mark.parametrize("pattern", ["VK_LAYER_VKZ*", "*", "~explicit~"])
def test_a_filter_that_leaves_the_emulation_out_is_named(emulated: Run, pattern: str) -> None:
    """One finding is a failure: the variable, with the command that unsets it; no layer is named."""
    ran = emulated("doctor", "--format", "json", VK_LOADER_LAYERS_DISABLE=pattern)
    assert ran.code == 1
    failed = [each for each in _walk(ran.json["findings"]) if each["outcome"] == "fail" and not each["children"]]
    assert [each["id"] for each in failed] == ["probe.no-emulation"]
    assert failed[0]["command"] == "unset VK_LOADER_LAYERS_DISABLE"
    assert _by_id(ran.json)["extension.no-emulation"]["outcome"] == "skip"
