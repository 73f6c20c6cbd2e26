# SPDX-License-Identifier: Apache-2.0
"""The source of vkzircon-agent: writes it for a build elsewhere, and compiles it for this machine."""

import os
import shutil
import subprocess
from pathlib import Path

import vkzircon_cli
from vkzircon_cli.errors import CannotAsk, NotWritten
from vkzircon_cli.model.text import decode

_SOURCE = "agent.c"
_FLAGS = ("-std=c11", "-O2")
_LIBRARIES = ("-pthread", "-ldl")
_MOST_WORDS = 300


def _folder() -> Path:
    # An editable install has Python files and other files in different folders.
    for folder in vkzircon_cli.__path__:
        if (found := Path(folder) / "emulation" / "agent" / _SOURCE).is_file():
            return found.parent
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
        raise NotWritten(f"{_shown(error.filename or target)} cannot be written: {error.strerror}.") from error
    return written


def build(target: Path) -> None:
    """Compile the agent for this machine, with the compiler that CC names, else cc, and write it to *target*.

    Raises:
        NotWritten: there is no compiler, or it failed.
    """
    hint = "Install a C compiler, or name one in CC."
    compiler = os.environ.get("CC") or "cc"
    if shutil.which(compiler) is None:
        raise NotWritten(f"There is no C compiler {_shown(compiler)}.", hint)
    command = [compiler, *_FLAGS, "-o", str(target), str(_folder() / _SOURCE), *_LIBRARIES]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ran.returncode != 0:
        said = " ".join(decode(ran.stderr)[0].split())[:_MOST_WORDS]
        raise NotWritten(f"The agent cannot be compiled: {said}.", hint)


def _shown(path: object) -> str:
    return decode(os.fsencode(str(path)))[0]
