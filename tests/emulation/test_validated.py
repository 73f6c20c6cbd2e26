# SPDX-License-Identifier: Apache-2.0
"""The Khronos validation layer below the emulation judges every call that vkzircon and the layer make together."""

from pathlib import Path

import pytest
from program import Run

_MANIFEST = Path("/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json")


@pytest.mark.skipif(not _MANIFEST.is_file(), reason="the Khronos validation layer is not installed")
@pytest.mark.parametrize("command", [("check", "--negative", "--stress"), ("matrix", "--formats", "all")])
def test_the_validation_layer_has_nothing_to_object_to(emulated: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """The layer reports its presence, and neither an error nor a warning."""
    log = tmp_path / "validation.txt"
    settings = {
        "debug_action": "VK_DBG_LAYER_ACTION_LOG_MSG",
        "report_flags": "error,warn,perf,info",
        "log_filename": str(log),
    }
    lines = [f"khronos_validation.{name} = {value}\n" for name, value in settings.items()]
    (tmp_path / "vk_layer_settings.txt").write_text("".join(lines))
    ran = emulated(*command, VK_INSTANCE_LAYERS="VK_LAYER_KHRONOS_validation", VK_LAYER_SETTINGS_PATH=str(tmp_path))
    assert (ran.code, ran.err) == (0, "")
    said = [line for line in log.read_text().splitlines() if "MessageID = " in line]
    assert said, "the validation layer was not there"
    assert not [line for line in said if "Validation Information: [" not in line]
