# SPDX-License-Identifier: Apache-2.0
"""Completion: the files match the program, and a real shell of each kind completes with them."""

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import PROGRAM, environment

FOLDER = Path(__file__).parents[2] / "completions"
NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent", "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}


def test_completion_files_are_fresh(tmp_path: Path) -> None:
    """``python completions/generate.py`` would change nothing."""
    shutil.copy(FOLDER / "generate.py", tmp_path)
    subprocess.run([sys.executable, "generate.py"], cwd=tmp_path, env=environment(NO_VULKAN), check=True)
    for name in ("vkzircon.bash", "_vkzircon", "vkzircon.fish"):
        assert (tmp_path / name).read_text() == (FOLDER / name).read_text(), name


def _typed(shell: list[str], lines: list[str], wanted: str) -> str:
    """Type *lines* into an interactive *shell* and read its terminal until *wanted* appears."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(shell[0], shell, environment(NO_VULKAN))
    shown = ""
    try:
        for line in lines:
            time.sleep(0.5)
            os.write(terminal, line.encode())
        deadline = time.monotonic() + 15
        while wanted not in shown and time.monotonic() < deadline:
            shown += os.read(terminal, 4096).decode(errors="replace")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)
    return shown


def _need(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.fail(f"{shell} is not installed: .ci/setup brings it")


def test_bash_completes_a_command() -> None:
    """``vkzircon re<TAB>`` becomes ``vkzircon report`` in an interactive bash."""
    _need("bash")
    lines = [f"PS1=; source {FOLDER / 'vkzircon.bash'}\n", "vkzircon re\t", "\x15echo done-$((20+22))\n"]
    assert "vkzircon report " in _typed(["bash", "--norc", "-i"], lines, "done-42")


def test_zsh_completes_a_command() -> None:
    """``vkzircon re<TAB>`` becomes ``vkzircon report`` in an interactive zsh that finds the file through fpath."""
    _need("zsh")
    setup = f"PS1=; unsetopt zle_bracketed_paste; fpath=({FOLDER} $fpath); autoload -U compinit; compinit -u -D\n"
    shown = _typed(["zsh", "-f", "-i"], [setup, "vkzircon re\t"], "report")
    assert "vkzircon report" in shown.replace("\x1b[1m \x1b[0m", " ")


def test_fish_completes_a_command() -> None:
    """``vkzircon re<TAB>`` offers ``report`` in fish."""
    _need("fish")
    script = f"source {FOLDER / 'vkzircon.fish'}; complete -C 'vkzircon re'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], env=environment(NO_VULKAN), capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == "report"
