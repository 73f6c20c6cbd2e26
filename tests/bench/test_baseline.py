# SPDX-License-Identifier: Apache-2.0
"""The C program that the probe is compared with makes as many of each call as the probe does."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from program import environment
from run import compile_baseline

from vkzircon_cli.emulation import installation
from vkzircon_cli.model.request import Emulate
from vkzircon_cli.model.spec import IMAGE_USAGES
from vkzircon_cli.probe.resources import TILINGS

RECORDER = Path(__file__).parents[1] / "layer"
IMAGE_QUERY = "vkGetPhysicalDeviceImageFormatProperties2"
# Also looks for undefined behaviour: a call with wrong arguments would measure something else.
STRICT = (
    *("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Wvla"),
    *("-g", "-fsanitize=undefined", "-fno-sanitize-recover=all"),
)

# Without its second process, which the C program does not have either.
ALONE = {"VKZIRCON_PLATFORM": "fuchsia"}
PROBE = """
import sys
from vkzircon_cli.model.request import Depth, Formats, Request
from vkzircon_cli.probe import probe

for name in sys.argv[1:]:
    print(name)
    request = Request(depth=Depth(name), formats=Formats.ALL)
    (*events, last) = probe(request, print, {})
    assert last["event"] == "done"
    for _ in range(str(events).count("'create_flag': '")):
        print("with a create flag")
"""
MODES = {"everything": "check", "identity": "devices", "matrix": "matrix"}

PRETEND = """
#include "recorder.h"
__attribute__((constructor)) static void pretend(void) { recorder.pretense = PRETEND_MANY_TYPES; }
"""

Compare = Callable[..., Counter[str]]


@pytest.fixture(name="baseline", scope="module")
def _baseline(layer: installation.Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_baseline("cc", layer.manifest.parent, tmp_path_factory.mktemp("baseline"), *STRICT)


@pytest.fixture(name="emulating")
def _emulating(lavapipe: str) -> dict[str, str]:
    base = environment({"VK_DRIVER_FILES": lavapipe})
    return base | installation.variables(base, Emulate())


def _lines(command: list[str], env: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def _probes_calls(depths: list[str], env: dict[str, str]) -> dict[str, Counter[str]]:
    """Count the probe's calls at each of *depths*, in one process."""
    found: dict[str, Counter[str]] = {}
    name = ""
    for line in _lines([sys.executable, "-c", PROBE, *depths], env | ALONE):
        if line in MODES:
            name, found[line] = line, Counter()
        else:
            found[name][line] += 1
    if "matrix" in found:  # the probe reports one call per format for each tiling and usage, and for create flags
        found["matrix"][IMAGE_QUERY] *= len(TILINGS) * len(IMAGE_USAGES)
        found["matrix"][IMAGE_QUERY] += found["matrix"].pop("with a create flag")
    return found


def _baselines_calls(baseline: Path, depths: list[str], env: dict[str, str]) -> dict[str, Counter[str]]:
    return {depth: Counter(_lines([str(baseline), "--calls", MODES[depth]], env)) for depth in depths}


def test_every_mode_makes_as_many_of_each_call_as_the_probe(baseline: Path, emulating: dict[str, str]) -> None:
    """The rows of the benchmark compare equal work: check, devices and matrix."""
    found = _baselines_calls(baseline, list(MODES), emulating)
    assert found == _probes_calls(list(MODES), emulating)
    assert found["everything"]["zx_vmar_map"]
    assert found["matrix"][IMAGE_QUERY] > 218 * len(TILINGS) * len(IMAGE_USAGES)


def test_check_makes_as_many_calls_where_there_are_two_devices_with_many_memory_types(
    baseline: Path, emulating: dict[str, str], layer: installation.Installation, tmp_path: Path
) -> None:
    """As on a machine with GPUs, whose driver refuses some memory types and images."""
    again = tmp_path / "again.json"
    again.write_text(Path(emulating["VK_DRIVER_FILES"]).read_text())
    emulating["VK_DRIVER_FILES"] += f":{again}"
    _pretend_many_types(tmp_path, layer)
    emulating["VK_ADD_LAYER_PATH"] += f":{tmp_path}"
    emulating["VK_INSTANCE_LAYERS"] += ":VK_LAYER_VKZIRCON_TEST_recorder"
    found = _baselines_calls(baseline, ["everything"], emulating)
    assert found == _probes_calls(["everything"], emulating)
    calls = found["everything"]
    assert calls["vkAllocateMemory"] - calls["vkFreeMemory"] == 4  # refused
    assert calls["vkCreateDevice"] == 10  # for each device four, and the other one


def _pretend_many_types(folder: Path, layer: installation.Installation) -> None:
    """Put the layer's recorder into *folder*, which pretends to be a driver with three memory types."""
    manifest = (RECORDER / "layer.json.in").read_text()
    manifest = manifest.replace("$<TARGET_FILE_NAME:@TEST_LAYER@>", "librecorder.so")
    manifest = manifest.replace("@TEST_LAYER@", "recorder")
    (folder / "recorder.json").write_text(manifest)
    (folder / "pretend.c").write_text(PRETEND)
    sources = (folder / "pretend.c", RECORDER / "recorder.c", layer.libzircon)
    headers = Path(installation.__file__).parent / "layer"
    options = ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", f"-I{headers}", f"-I{RECORDER}"]
    rpath = f"-Wl,-rpath,{layer.libzircon.parent}"
    subprocess.run(["cc", *options, *sources, rpath, "-o", folder / "librecorder.so"], check=True)


def test_a_call_that_fails_ends_it(baseline: Path, emulating: dict[str, str]) -> None:
    """A run that went wrong is no measurement."""
    emulating["VKZIRCON_EMULATION"] = "fault=invalid-import"
    done = subprocess.run([baseline, "check"], env=emulating, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"baseline: vkAllocateMemory returned -1000072003.\n"
