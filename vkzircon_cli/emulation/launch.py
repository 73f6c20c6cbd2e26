# SPDX-License-Identifier: Apache-2.0
"""Other programs with the emulation on: run here, started from a shell of the user's, or built against our headers."""

import os
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.bindings.faults import list_faults, list_personas, refuse_unknown_faults
from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import Usage
from vkzircon_cli.model.host import EMULATION_VARIABLE
from vkzircon_cli.model.loader_filters import layer_filter
from vkzircon_cli.model.request import Emulate, Shell
from vkzircon_cli.model.text import decode, visible

_LIBRARY_PATH = "LD_LIBRARY_PATH"
_FILTER = "VK_LOADER_LAYERS_DISABLE"
_PLAIN = range(0x20, 0x7F)  # what may stand on any terminal as it is
_EXAMPLE = "As in: vkzircon emulate -- vulkaninfo"


def refuse_mixture(
    command: Sequence[str] | None, *, print_env: bool, shell: Shell | None, builds: bool, lists: bool
) -> None:
    """Look whether one thing is asked for, and one only.

    Raises:
        Usage: it is not.
    """
    asked = (bool(command), print_env, builds, lists)
    if not any(asked):
        raise Usage("There is no program to run.", _EXAMPLE)
    if sum(asked) > 1:
        said = "A program, --print-env, --cflags or --libs, and --list are different things to ask for."
        raise Usage(said, f"Ask for one. {_EXAMPLE}")
    if shell is not None and not print_env:
        raise Usage("--shell says how --print-env is written.", "Add --print-env, or leave out --shell.")


def variables(environ: Mapping[str, str], asked: Emulate) -> dict[str, str]:
    """Give what turns the emulation on for a program that is not ours: it finds libzircon.so by that name, too.

    Raises:
        Usage: there is no such persona or fault, a filter leaves the layer out, or `emulation.variables` says no.
        CannotAsk: there is no layer.
    """
    added = installation.variables(environ, asked)
    if layer_filter({**environ, **added}, LAYER_NAME, is_implicit=False) is False:
        value = visible(decode(os.fsencode(environ[_FILTER]))[0])
        raise Usage(f'{_FILTER} is "{value}", which turns the emulation off.', "Unset it.")
    refuse_unknown_faults(installation.open_libzircon({**environ, **added}))
    folder = str(installation.find().libzircon.parent)
    others = [each for each in environ.get(_LIBRARY_PATH, "").split(os.pathsep) if each not in ("", folder)]
    # First, so that there is one libzircon.so for program and layer; nothing else of that folder has another's name.
    return {**added, _LIBRARY_PATH: os.pathsep.join((folder, *others))}


def become(command: Sequence[str], asked: Emulate, restore_signals: Callable[[], None]) -> NoReturn:
    """Replace this process by *command*: signals and the exit code are its own from then on.

    Raises:
        Usage: it cannot be run.
        KeyboardInterrupt: a signal came before.
    """
    environ = {**os.environ, **variables(os.environ, asked)}
    # Python ignores these two, and what is ignored stays so behind an exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    restore_signals()
    try:
        os.execvpe(command[0], tuple(command), environ)
    except OSError as error:
        raise Usage(f"{command[0]} cannot be run: {error.strerror}.", "Give a program that is there.") from error


def assignments(asked: Emulate, shell: Shell | None) -> str:
    """Write what *shell*, or the user's own, must evaluate, a variable a line, in ASCII."""
    syntax = shell or _own_shell(os.environ)
    given = variables(os.environ, asked)
    return "".join(f"{_assignment(syntax, name, value)};\n" for name, value in given.items())


def _own_shell(environ: Mapping[str, str]) -> Shell:
    name = Path(environ.get("SHELL", "")).name
    return Shell(name) if name in tuple(Shell) else Shell.BASH


def _assignment(shell: Shell, name: str, value: str) -> str:
    if shell is Shell.FISH:
        return f"set -gx {name} {_quoted_for_fish(os.fsencode(value))}"
    return f"export {name}={_quoted(os.fsencode(value))}"


def _quoted(value: bytes) -> str:
    """Quote for bash and zsh; what no terminal should see is written in hex."""
    if all(byte in _PLAIN for byte in value):
        return "'" + value.decode("ascii").replace("'", "'\\''") + "'"
    return "$'" + "".join(_escaped(byte, "\\x{:02x}") for byte in value) + "'"


def _quoted_for_fish(value: bytes) -> str:
    """Quote for fish, which knows bytes in hex outside of quotes only."""
    return "'" + "".join(_escaped(byte, "'\\X{:02x}'") for byte in value) + "'"


def _escaped(byte: int, in_hex: str) -> str:
    if byte not in _PLAIN:
        return in_hex.format(byte)
    return f"\\{chr(byte)}" if byte in b"'\\" else chr(byte)


def build_flags(*, cflags: bool, libs: bool) -> str:
    """Write the compiler's and the linker's flags for a program that uses the extension, quoted as for a shell.

    Raises:
        CannotAsk: there is no layer.
    """
    folder = installation.find().libzircon.parent
    flags = []
    if cflags:
        flags += [f"-I{folder}", "-DVK_USE_PLATFORM_FUCHSIA"]
    if libs:
        flags += [f"-L{folder}", "-lzircon", f"-Wl,-rpath,{folder}"]
    return shlex.join(flags) + "\n"


def listing() -> str:
    """Write a line for each persona and each fault."""
    lib = installation.open_libzircon({EMULATION_VARIABLE: os.environ.get(EMULATION_VARIABLE, "")})
    personas = [f"  {entry.name:<28}  {entry.description}" for entry in list_personas(lib)]
    faults = [f"  {entry.name:<28}  {entry.description}" for entry in list_faults(lib)]
    return "\n".join(["Personas (--persona):", *personas, "", "Faults (--fault):", *faults, ""])
