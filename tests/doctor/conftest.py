# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the loaders that are at hand."""

from pathlib import Path

import pytest

from vkzircon_cli.worker import task

CHROMIUM = Path("/usr/lib/chromium/libvulkan.so.1")


@pytest.fixture(name="newer", scope="session")
def _newer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variable by which vkzircon opens Chromium's loader, which is newer than the system's."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium's loader is not installed")
    link = tmp_path_factory.mktemp("loader") / "libvulkan.so"  # the name that vulkaninfo looks for
    link.symlink_to(CHROMIUM)
    return {"VKZIRCON_LIBVULKAN": str(link)}


@pytest.fixture(name="loader", params=["system", "chromium"])
def _loader(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the variable by which vkzircon opens one of the loaders."""
    return {} if request.param == "system" else request.getfixturevalue("newer")


@pytest.fixture(name="less_memory")
def _less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a task use 128 MiB, which a library fills quickly."""
    monkeypatch.setattr(task, "MOST_MEMORY_MIB", 128)
