# SPDX-License-Identifier: Apache-2.0
"""The source of vkzircon-agent: writes it for a build elsewhere, and compiles it for this machine."""

import os
import shutil
import subprocess
from pathlib import Path

from vkzircon_cli.emulation.installation import folder_with
from vkzircon_cli.errors import CannotAsk, NotWritten
from vkzircon_cli.model.text import decode, readable

_SOURCE = "agent.c"
_FLAGS = ("-std=c11", "-O2")
_LIBRARIES = ("-pthread", "-ldl")
_MOST_WORDS = 300


def _folder() -> Path:
    if folder := folder_with("agent", _SOURCE):
        return folder
    raise CannotAsk("no-package", f"This vkzircon was installed without {_SOURCE}.", "Install it again.")


def write_source(target: Path) -> list[Path]:
    """Write the files to the folder *target*, which is created; return their paths.

    Raises:
        NotWritten: a file cannot be written, or exists already.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        written = []
        for file in sorted(path for path in _folder().iterdir() if path.is_file()):
            with (target / file.name).open("xb") as copy:
                copy.write(file.read_bytes())
            written.append(target / file.name)
    except OSError as error:
        raise NotWritten(f"{readable(error.filename or target)} cannot be written: {error.strerror}.") from error
    return written


def build(target: Path) -> None:
    """Compile the agent for this machine, with the compiler that CC names, else cc, and write it to *target*.

    Raises:
        NotWritten: there is no compiler, or it failed; or the folder of *target* cannot be written to.
    """
    if not os.access(target.parent, os.W_OK | os.X_OK):
        why = "cannot be written to" if target.parent.is_dir() else "does not exist"
        raise NotWritten(f"The agent cannot be written to {readable(target)}: its folder {why}.", "Name another FILE.")
    hint = "Install a C compiler, or name one in CC."
    compiler = os.environ.get("CC") or "cc"
    if shutil.which(compiler) is None:
        raise NotWritten(f"There is no C compiler {readable(compiler)}.", hint)
    command = [compiler, *_FLAGS, "-o", str(target), str(_folder() / _SOURCE), *_LIBRARIES]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ran.returncode != 0:
        said = " ".join(decode(ran.stderr)[0].split())[:_MOST_WORDS]
        raise NotWritten(f"The agent cannot be compiled: {said}.", hint)
