# SPDX-License-Identifier: Apache-2.0
"""Other programs with the emulation: started here, started from a shell, or built against the emulation's headers."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.bindings.faults import Entry, list_faults, list_personas, refuse_unusable
from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import EMULATION_VARIABLE
from vkzircon_cli.model.limits import raise_open_files
from vkzircon_cli.model.loader_filters import layer_filter
from vkzircon_cli.model.request import Emulate, Shell
from vkzircon_cli.model.text import visible

_LIBRARY_PATH = "LD_LIBRARY_PATH"
_FILTER = "VK_LOADER_LAYERS_DISABLE"
_FOLDERS = "VK_LAYER_PATH"
_ADDED_FOLDERS = "VK_ADD_LAYER_PATH"
_PLAIN = range(0x20, 0x7F)  # bytes that need no escape on any terminal
_EXAMPLE = "As in: vkzircon emulate -- vulkaninfo"


def refuse_mixture(
    command: Sequence[str] | None, *, print_env: bool, shell: Shell | None, builds: bool, lists: bool
) -> None:
    """Check that the options ask for exactly one thing.

    Raises:
        Usage: they ask for nothing, or for several things.
    """
    asked = (bool(command), print_env, builds, lists)
    if not any(asked):
        raise Usage("There is no program to run.", _EXAMPLE)
    if sum(asked) > 1:
        said = "A program, --print-env, --cflags or --libs, and --list exclude each other."
        raise Usage(said, f"Choose one. {_EXAMPLE}")
    if shell is not None and not print_env:
        raise Usage("--shell needs --print-env.", "Add --print-env, or leave out --shell.")


def variables(environ: Mapping[str, str], asked: Emulate) -> dict[str, str]:
    """Return the variables that turn the emulation on for another program, which finds libzircon.so by name.

    Raises:
        Usage: a persona or fault is unknown, a filter leaves the layer out, or as `installation.variables` does.
        CannotAsk: the layer is not installed, or the system refuses to create a memfd.
    """
    added = _stacked(environ, installation.variables(environ, asked))
    if layer_filter({**environ, **added}, LAYER_NAME, is_implicit=False) is False:
        value = visible(environ[_FILTER])
        raise Usage(f'{_FILTER} is "{value}", which turns the emulation off.', "Unset it.")
    refuse_unusable(installation.open_libzircon({**environ, **added}))
    folder = str(installation.find().libzircon.parent)
    others = [each for each in environ.get(_LIBRARY_PATH, "").split(os.pathsep) if each not in ("", folder)]
    # First, so that program and layer share one libzircon.so; the folder has no other library that could be loaded.
    return {**added, _LIBRARY_PATH: os.pathsep.join((folder, *others))}


def _stacked(environ: Mapping[str, str], added: dict[str, str]) -> dict[str, str]:
    """Return *added* with the emulation where the user named it, or else below the layers that the user named.

    Validation, for example, then sees the program's own calls. Later loaders stack layers in the order of their names,
    the first on top. The loader of Debian 12 uses the order of their folders, so the emulation's is first or last.
    """
    named = [name for name in environ.get("VK_INSTANCE_LAYERS", "").split(":") if name]
    if set(named) <= {LAYER_NAME}:
        return added
    path = _FOLDERS if _FOLDERS in added else _ADDED_FOLDERS
    own = str(installation.find().manifest.parent)
    folders = [each for each in added[path].split(os.pathsep) if each != own]
    if named[0] == LAYER_NAME:
        folders.insert(0, own)
    else:
        usual = _usual_folders(environ) if path == _ADDED_FOLDERS else ()
        folders = [*dict.fromkeys((*folders, *usual)), own]
    names = ":".join(dict.fromkeys((*named, LAYER_NAME)))
    return {**added, "VK_INSTANCE_LAYERS": names, path: os.pathsep.join(folders)}


def _usual_folders(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the folders where explicit layers are installed."""
    home = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "/")) / ".local" / "share")
    shared = (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(os.pathsep)
    for folder in (home, "/etc", *shared):
        layers = Path(folder) / "vulkan" / "explicit_layer.d"
        if layers.is_dir():
            yield str(layers)


def become(command: Sequence[str], asked: Emulate, restore_signals: Callable[[], None]) -> NoReturn:
    """Replace this process by *command*, after *restore_signals*; from then on signals and exit code are the command's.

    Raises:
        Usage: the command cannot be run.
        KeyboardInterrupt: a signal came before.
    """
    environ = {**os.environ, **variables(os.environ, asked)}
    # Python ignores these two, and an ignored signal stays ignored after exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    restore_signals()
    raise_open_files()
    try:
        os.execvpe(command[0], tuple(command), environ)
    except OSError as error:
        raise Usage(f"{command[0]} cannot be run: {error.strerror}.", "Check its name and permissions.") from error


def assignments(asked: Emulate, shell: Shell | None) -> str:
    """Return the lines that *shell*, by default the user's, must evaluate: one variable a line, in ASCII."""
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
    """Quote for bash and zsh; bytes other than printable ASCII are in hex."""
    if all(byte in _PLAIN for byte in value):
        return "'" + value.decode("ascii").replace("'", "'\\''") + "'"
    return "$'" + "".join(_escaped(byte, "\\x{:02x}") for byte in value) + "'"


def _quoted_for_fish(value: bytes) -> str:
    """Quote for fish, which reads hex bytes only outside quotes."""
    return "'" + "".join(_escaped(byte, "'\\X{:02x}'") for byte in value) + "'"


def _escaped(byte: int, in_hex: str) -> str:
    if byte not in _PLAIN:
        return in_hex.format(byte)
    return f"\\{chr(byte)}" if byte in b"'\\" else chr(byte)


def build_flags(*, cflags: bool, libs: bool) -> str:
    """Return the compiler's and the linker's flags for a program that uses the extension, quoted for a shell.

    Raises:
        CannotAsk: the layer is not installed.
    """
    folder = installation.find().libzircon.parent
    flags = []
    if cflags:
        flags += [f"-I{folder}", "-DVK_USE_PLATFORM_FUCHSIA"]
    if libs:
        flags += [f"-L{folder}", "-lzircon", f"-Wl,-rpath,{folder}"]
    return shlex.join(flags) + "\n"


@record
class Listing:
    """The personas and the faults of the emulation."""

    personas: tuple[Entry, ...]
    faults: tuple[Entry, ...]
    kind: str = "listing"


def listing() -> Listing:
    """Return every persona and every fault.

    Raises:
        CannotAsk: the layer is not installed.
    """
    lib = installation.open_libzircon({EMULATION_VARIABLE: os.environ.get(EMULATION_VARIABLE, "")})
    return Listing(tuple(list_personas(lib)), tuple(list_faults(lib)))
