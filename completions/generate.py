# SPDX-License-Identifier: Apache-2.0
"""Write the completion files beside this one: ``python completions/generate.py``. A test proves them fresh."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = {"bash": "vkzircon.bash", "zsh": "_vkzircon", "fish": "vkzircon.fish"}

# Found through fpath, the file is the body of the function _vkzircon, which zsh calls to complete; else it was sourced.
_ZSH_AUTOLOAD = """\
if [[ $funcstack[1] == _vkzircon ]]; then
  _vkzircon_completion "$@"
else
  compdef _vkzircon_completion vkzircon
fi
"""
_ZSH_COMPDEF = "compdef _vkzircon_completion vkzircon\n"


def script(shell: str) -> str:
    """Ask the program itself for its completion script of *shell*."""
    environ = {**os.environ, "_VKZIRCON_COMPLETE": f"source_{shell}"}
    asked = subprocess.run(
        [sys.executable, "-m", "vkzircon_cli"], env=environ, capture_output=True, text=True, check=True
    )
    text = asked.stdout.strip() + "\n"
    # zsh looks for #compdef in the first line only.
    return text.replace(_ZSH_COMPDEF, _ZSH_AUTOLOAD) if shell == "zsh" else text


if __name__ == "__main__":
    for name, file in FILES.items():
        (FOLDER / file).write_text(script(name), encoding="utf-8")
