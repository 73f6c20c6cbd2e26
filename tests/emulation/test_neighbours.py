# SPDX-License-Identifier: Apache-2.0
"""The emulation beside layers of other projects, as Debian ships them: vkcube runs, and memory is shared."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from program import Run

from vkzircon_cli.bindings.dynlib import LAYER_NAME

Stack = Callable[..., list[str]]

MANGOHUD = {"MANGOHUD": "1", "MANGOHUD_CONFIG": "fps_only"}
VKBASALT = {"ENABLE_VKBASALT": "1"}
OVERLAY, VALIDATION = "VK_LAYER_MESA_overlay", "VK_LAYER_KHRONOS_validation"
OTHERS = {
    "VK_LAYER_MANGOHUD_overlay": MANGOHUD,
    "VK_LAYER_VKBASALT_post_processing": VKBASALT,
    OVERLAY: {"VK_INSTANCE_LAYERS": OVERLAY},
    VALIDATION: {"VK_INSTANCE_LAYERS": VALIDATION},
}


@pytest.fixture(name="display", scope="module")
def _display() -> Iterator[str]:
    """Start one X server for all tests of this file."""
    server = shutil.which("Xvfb")
    assert server, "the Debian package xvfb is not installed"
    reading, writing = os.pipe()
    command = [server, "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL) as running:
        os.close(writing)
        with os.fdopen(reading) as number:
            yield f":{number.readline().strip()}"
        running.terminate()


@pytest.fixture(name="vkcube")
def _vkcube(vkzircon: Run, lavapipe: str, display: str) -> Stack:
    """Run vkcube with the emulation on, and return the loader's names of the device's layers, the lowest first."""

    def run(**env: str) -> list[str]:
        settings = {"VK_DRIVER_FILES": lavapipe, "DISPLAY": display, "VK_LOADER_DEBUG": "error,warn,layer", **env}
        ran = vkzircon("emulate", "--", "vkcube", "--c", "3", **settings)
        said = ran.out + ran.err
        assert ran.code == 0, said
        assert not re.search(r"^(\[Vulkan Loader\] )?ERROR *[:|]|VUID", said, re.MULTILINE), said
        return _inserted(said)

    return run


def _inserted(said: str) -> list[str]:
    return re.findall(r'Inserted device layer "(\w+)"', said)


@pytest.mark.parametrize("other", OTHERS)
def test_a_program_runs_with_another_layer_above(vkcube: Stack, other: str) -> None:
    """These ask the layer below for vkCreateDevice in their own ways."""
    lower, upper = vkcube(**OTHERS[other])
    assert lower == LAYER_NAME
    assert upper.startswith(other)  # MangoHud's name may end in the architecture


@pytest.mark.parametrize("other", [OVERLAY, VALIDATION])
def test_a_layer_named_after_the_emulation_is_below_it(vkcube: Stack, other: str) -> None:
    """The order of VK_INSTANCE_LAYERS holds with every loader."""
    assert vkcube(VK_INSTANCE_LAYERS=f"{LAYER_NAME}:{other}") == [other, LAYER_NAME]


def test_mesas_layer_chooses_a_device_above_the_emulation(vkzircon: Run, lavapipe: str) -> None:
    """It is on for every program, and asks the layers below for each device while it makes its list."""
    ran = vkzircon("emulate", "--", "vulkaninfo", VK_DRIVER_FILES=lavapipe, MESA_VK_DEVICE_SELECT="list")
    assert "selectable devices:" in ran.out + ran.err
    assert "llvmpipe" in ran.out + ran.err


@pytest.mark.parametrize("other", sorted(OTHERS.keys() - {VALIDATION}))
def test_memory_is_shared_beside_another_layer(emulated: Run, other: str) -> None:
    """Every call of vkzircon passes through the other layer. Validation has a test file of its own."""
    ran = emulated("check", "--negative", "--format", "json", VK_LOADER_DEBUG="layer", **OTHERS[other])
    assert ran.code == 0, ran.out + ran.err
    layers = _inserted(ran.json["run"]["output"]["text"])
    assert LAYER_NAME in layers
    assert [name for name in layers if name.startswith(other)]
