# SPDX-License-Identifier: Apache-2.0
"""The C program that the probe's time is held against: it makes the probe's calls, all of them and no others."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from program import environment

from vkzircon_cli.bindings.formats import all_formats, common_formats
from vkzircon_cli.emulation import installation
from vkzircon_cli.model.request import Emulate
from vkzircon_cli.model.spec import IMAGE_USAGES
from vkzircon_cli.probe.resources import TILINGS

HERE = Path(__file__).parent
ZIRCON_HEADERS = HERE.parents[1] / "vkzircon_cli" / "emulation" / "layer"
IMAGE_QUERY = "vkGetPhysicalDeviceImageFormatProperties2"
STRICT = (
    "-std=c11",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-Wcast-qual",
    "-Wvla",
)
SANITIZED = ("-O1", "-g", "-rdynamic", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

# None, and those that a good run gets past on another way, as it does with other drivers and kernels.
FAULTS = ("", "fault=old-kernel", "fault=dedicated-only-reported", "fault=deny-export", "fault=deny-all")

# The probe in a process of its own, and without a second one: who cannot fork asks nothing of it.
ALONE = {"VKZIRCON_PLATFORM": "fuchsia"}
PROBE = """
import sys
from vkzircon_cli.worker.protocol import probe_events
from vkzircon_cli.model.request import Depth, Formats, Request

request = Request(depth=Depth(sys.argv[1]), formats=Formats(sys.argv[2]))
(*_, last) = probe_events(request, print, {})
assert last["event"] == "done"
"""

PRETEND = """
#include "recorder.h"
__attribute__((constructor)) static void pretend(void) { recorder.pretense = PRETEND_MANY_TYPES; }
"""

Calls = Callable[..., list[str]]


@pytest.fixture(name="build", scope="module")
def _build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the program with more flags, each way once."""

    @cache
    def build(*flags: str) -> Path:
        program = tmp_path_factory.mktemp("baseline") / "baseline"
        sources = sorted(HERE.glob("baseline*.c"))
        options = [*STRICT, *flags, f"-I{ZIRCON_HEADERS}"]
        subprocess.run(["cc", *options, *sources, "-o", program, "-ldl"], check=True)
        return program

    return build


@pytest.fixture(name="emulating")
def _emulating(lavapipe: str, layer: installation.Installation) -> dict[str, str]:
    """Give the surroundings in which both are run."""
    assert layer.libzircon.is_file()
    base = environment({"VK_DRIVER_FILES": lavapipe})
    return base | installation.variables(base, Emulate())


@pytest.fixture(name="calls")
def _calls(build: Callable[..., Path], emulating: dict[str, str]) -> Calls:
    """Run the program and give the names of its calls."""
    program = build("-O2")
    return lambda *mode: _lines([str(program), "--calls", *mode], emulating)


@pytest.fixture(name="probes_calls")
def _probes_calls(emulating: dict[str, str]) -> Calls:
    """Run the probe and give the names of its calls."""
    return lambda depth, formats="common": _lines([sys.executable, "-c", PROBE, depth, formats], emulating | ALONE)


def _lines(command: list[str], env: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("fault", FAULTS)
def test_check_makes_the_calls_of_the_whole_diagnosis(
    calls: Calls, probes_calls: Calls, emulating: dict[str, str], fault: str
) -> None:
    emulating["VKZIRCON_EMULATION"] = f"persona=strict,{fault}"
    made = calls("check")
    assert {"vkGetMemoryZirconHandleFUCHSIA", "zx_vmar_map"} < set(made)
    assert made == probes_calls("everything")


def test_check_makes_the_calls_where_there_are_two_devices(
    calls: Calls, probes_calls: Calls, emulating: dict[str, str], tmp_path: Path
) -> None:
    again = tmp_path / "again.json"
    again.write_text(Path(emulating["VK_DRIVER_FILES"]).read_text())
    emulating["VK_DRIVER_FILES"] += f":{again}"
    made = calls("check")
    assert made.count("vkCreateDevice") == 10  # four for each alone, and the other one
    assert made == probes_calls("everything")


def test_check_makes_the_calls_where_some_types_and_images_are_refused(
    calls: Calls, probes_calls: Calls, emulating: dict[str, str], layer: installation.Installation, tmp_path: Path
) -> None:
    _pretend_many_types(tmp_path, layer)
    emulating["VK_ADD_LAYER_PATH"] += f":{tmp_path}"
    emulating["VK_INSTANCE_LAYERS"] += ":VK_LAYER_VKZIRCON_TEST_recorder"
    made = calls("check")
    refused = made.count("vkAllocateMemory") - made.count("vkFreeMemory")
    assert refused == 2
    assert made == probes_calls("everything")


def _pretend_many_types(folder: Path, layer: installation.Installation) -> None:
    """Put the layer's recorder, which can pretend to be a harder driver, into *folder*, with that pretense on."""
    recorder = HERE.parent / "layer"
    manifest = (recorder / "recorder.json.in").read_text().replace("@RECORDER_NAME@", "librecorder.so")
    (folder / "recorder.json").write_text(manifest)
    (folder / "pretend.c").write_text(PRETEND)
    sources = (folder / "pretend.c", recorder / "recorder.c", layer.libzircon)
    options = ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", f"-I{ZIRCON_HEADERS}", f"-I{recorder}"]
    rpath = f"-Wl,-rpath,{layer.libzircon.parent}"
    subprocess.run(["cc", *options, *sources, rpath, "-o", folder / "librecorder.so"], check=True)


def test_devices_makes_the_calls_of_the_list_of_devices(calls: Calls, probes_calls: Calls) -> None:
    made = calls("devices")
    assert made.count("vkGetPhysicalDeviceProperties") == 1
    assert made == probes_calls("identity")


@pytest.mark.parametrize(("formats", "count"), [("common", len(common_formats())), ("all", len(all_formats()))])
def test_matrix_makes_the_calls_of_the_matrix(calls: Calls, probes_calls: Calls, formats: str, count: int) -> None:
    made = calls("matrix", formats)
    assert made.count(IMAGE_QUERY) == count * len(TILINGS) * len(IMAGE_USAGES)
    assert made == list(_each_told(probes_calls("matrix", formats)))


def _each_told(names: list[str]) -> Iterator[str]:
    """Undo what the probe saves: it tells once a format that it asks for every tiling and usage."""
    for name in names:
        yield from [name] * (len(TILINGS) * len(IMAGE_USAGES) if name == IMAGE_QUERY else 1)


def test_nothing_leaks_or_is_overrun(build: Callable[..., Path], emulating: dict[str, str]) -> None:
    program = build(*SANITIZED)
    for mode in (["check"], ["devices"], ["matrix", "common"]):
        assert _lines([str(program), *mode], emulating) == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("odd-result-in-export", "vkGetMemoryZirconHandleFUCHSIA answered -3."),
        ("invalid-import", "vkAllocateMemory answered -1000072003."),
        ("old-data", "zx_vmo_read read other bytes than those that were written."),
    ],
)
def test_what_is_no_good_run_ends_with_a_sentence(
    build: Callable[..., Path], emulating: dict[str, str], fault: str, sentence: str
) -> None:
    emulating["VKZIRCON_EMULATION"] = f"fault={fault}"
    done = subprocess.run([build(), "check"], env=emulating, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (1, b"", f"baseline: {sentence}\n")


def test_without_a_mode_it_says_which_there_are(build: Callable[..., Path]) -> None:
    done = subprocess.run([build(), "--calls"], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"matrix common" in done.stderr
