# SPDX-License-Identifier: Apache-2.0
"""An emulation that was built elsewhere says so where it does not fit."""

import subprocess
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import CannotAsk

pytestmark = pytest.mark.usefixtures("layer")


@pytest.fixture(name="too_new")
def _too_new(tmp_path: Path) -> Path:
    """Build a libzircon that needs a glibc which does not exist yet."""
    (tmp_path / "libc.map").write_text("GLIBC_9.99 { from_the_future; };")
    (tmp_path / "libc.c").write_text("int from_the_future(void) { return 0; }")
    (tmp_path / "zircon.c").write_text("int from_the_future(void); int zx(void) { return from_the_future(); }")
    cc = ["cc", "-shared", "-fPIC", "-nostdlib"]
    version = "-Wl,-soname,libc.so.6,--version-script=libc.map"
    subprocess.run([*cc, version, "-o", "libc.so.6", "libc.c"], cwd=tmp_path, check=True)
    subprocess.run([*cc, "-o", "libzircon.so", "zircon.c", "libc.so.6"], cwd=tmp_path, check=True)
    return tmp_path / "libzircon.so"


def test_a_build_for_a_newer_glibc_is_named(
    vkzircon: Run, lavapipe: str, too_new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message does not blame a variable, and the hint is to build here."""
    ran = vkzircon("check", "--format", "json", VK_DRIVER_FILES=lavapipe, VKZIRCON_LIBZIRCON=str(too_new))
    assert (ran.code, ran.json["error"]["cause"]) == (4, "no-libzircon")
    message, hint = ran.json["error"]["message"], ran.json["error"]["hint"]
    assert message.startswith("libzircon does not fit this system's glibc: ")
    assert "GLIBC_9.99" in message
    assert "built elsewhere" in hint
    assert "VKZIRCON_LIBZIRCON" not in message + hint
    monkeypatch.setattr(installation, "find", lambda: installation.Installation(too_new, too_new))
    with pytest.raises(CannotAsk, match="does not fit this system's glibc"):
        installation.open_libzircon({})
