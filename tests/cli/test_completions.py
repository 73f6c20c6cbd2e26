# SPDX-License-Identifier: Apache-2.0
"""Completion: the files match the program, and a real shell of each kind completes with them."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

FOLDER = Path(__file__).parents[2] / "completions"
NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent", "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}


def test_completion_files_are_fresh(tmp_path: Path) -> None:
    """``python completions/generate.py`` would change nothing."""
    shutil.copy(FOLDER / "generate.py", tmp_path)
    subprocess.run([sys.executable, "generate.py"], cwd=tmp_path, env=environment(NO_VULKAN), check=True)
    for name in ("vkzircon.bash", "_vkzircon", "vkzircon.fish"):
        assert (tmp_path / name).read_text() == (FOLDER / name).read_text(), name


# What is typed after `vkzircon ` before TAB, and what then appears.
TYPED = (
    ("re", "report"),
    ("check --fault=export-z", "export-zero"),
    ("check --persona swift", "swiftshader"),
    ("check --select export,import.tw", "import.twice"),
    ("check --require device.type=disc", "device.type=discrete"),
    ("check --require 'vmo.rights>=READ|TRANS", "READ|TRANSFER"),
    ("matrix --handle-type=dma", "dma-buf"),
    ("--format=mark", "markdown"),
    ("explain goldf", "goldfish"),
    ("explain export.ri", "export.rights"),
    ("help mat", "matrix"),
    ("--pers", "--persona"),
)
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])")


def _complete(shell: list[str], setup: str, tab: str = "\t") -> None:
    """Type each line of `TYPED` into an interactive *shell*, and read its terminal until the completion appears."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(shell[0], shell, environment({**NO_VULKAN, "COLUMNS": "200"}))
    try:
        os.write(terminal, f"{setup}; echo rea''dy\n".encode())
        _read(terminal, "ready")
        for typed, wanted in TYPED:
            os.write(terminal, f"vkzircon {typed}{tab}".encode())
            _read(terminal, wanted)
            os.write(terminal, b"\x15")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def _read(terminal: int, wanted: str) -> None:
    shown, deadline = "", time.monotonic() + 20
    while wanted not in _ESCAPES.sub("", shown):
        assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], (wanted, shown)
        shown += os.read(terminal, 4096).decode(errors="replace")


def _need(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.fail(f"{shell} is not installed: .ci/setup brings it")


def test_bash_completes_commands_options_and_values() -> None:
    """In an interactive bash that sourced the file, which makes three words of ``--option=value``."""
    _need("bash")
    _complete(
        ["bash", "--norc", "-i"], f"PS1=; bind 'set enable-bracketed-paste off'; source {FOLDER / 'vkzircon.bash'}"
    )


def test_zsh_completes_commands_options_and_values() -> None:
    """In an interactive zsh that finds the file through fpath."""
    _need("zsh")
    setup = f"PS1=; unsetopt zle_bracketed_paste; fpath=({FOLDER} $fpath); autoload -U compinit; compinit -u -D"
    _complete(["zsh", "-f", "-i"], setup)


def test_fish_completes_commands_options_and_values() -> None:
    """As fish's own ``complete -C`` lists them."""
    _need("fish")
    asked = "".join(f"echo '>'; complete -C {shlex.quote('vkzircon ' + typed)};" for typed, _ in TYPED)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {FOLDER / 'vkzircon.fish'}; {asked}"],
        env=environment(NO_VULKAN),
        capture_output=True,
        text=True,
        check=True,
    )
    for (typed, wanted), found in zip(TYPED, done.stdout.split(">\n")[1:], strict=True):
        assert wanted in found, typed


def test_a_bare_program_completes_the_options_of_report(vkzircon: Run) -> None:
    """``vkzircon --<TAB>`` offers what ``vkzircon report --<TAB>`` does."""
    bash = {"_VKZIRCON_COMPLETE": "complete_bash", **NO_VULKAN}
    bare = vkzircon(COMP_WORDS="vkzircon --", COMP_CWORD="1", **bash).out.split()
    named = vkzircon(COMP_WORDS="vkzircon report --", COMP_CWORD="2", **bash).out.split()
    assert set(bare) == set(named) > {"--persona", "--version"}
