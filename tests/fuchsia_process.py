# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a Fuchsia process, as far as Linux allows: removes what Fuchsia lacks, then runs the program.

Fuchsia's libc and a component's namespace lack fork, exec, subprocesses, terminal control, signals except SIGINT, HOME,
TERM, the terminal's size, and writable files; standard output is writable.
"""

import builtins
import os
import runpy
import signal
import subprocess
import sys
from typing import Any

_GONE_CALLS = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "execv", "execve", "execvp", "execvpe", "symlink")
_GONE_MODULES = ("multiprocessing", "termios", "fcntl", "tty", "pty", "pwd", "grp", "resource")
# Packages that only commands for a host need.
_GONE_PACKAGES = ("pydantic", "pydantic_core", "jinja2", "markupsafe")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_open, _os_open, _signal = builtins.open, os.open, signal.signal


def _only_ctrl_c(number: int, handler: Any) -> Any:
    if number != signal.SIGINT:
        raise ValueError(f"signal {number} is not there")
    return _signal(number, handler)


def _no_process(*_: Any, **__: Any) -> Any:
    raise OSError("no process can be started")


def _no_size(*_: Any) -> Any:
    raise OSError("no terminal")


def _read_only(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
    if set(mode) & set("wax+"):
        raise OSError(30, "Read-only file system", file)
    return _open(file, mode, *rest, **named)


def _os_read_only(path: Any, flags: int, *rest: Any, **named: Any) -> int:
    if flags & _WRITING:
        raise OSError(30, "Read-only file system", path)
    return _os_open(path, flags, *rest, **named)


def main() -> None:
    """Remove what Fuchsia lacks, then run ``python -m vkzircon_cli`` with this process's arguments."""
    for call in _GONE_CALLS:
        if hasattr(os, call):
            delattr(os, call)
    for module in (*_GONE_MODULES, *_GONE_PACKAGES):
        sys.modules[module] = None  # type: ignore[assignment]
    for variable in ("HOME", "TERM"):
        os.environ.pop(variable, None)
    # Typer imports subprocess, which exists on Fuchsia but starts no process.
    subprocess.Popen = _no_process  # type: ignore[assignment, misc]
    os.get_terminal_size = _no_size
    os.open = _os_read_only
    builtins.open = _read_only
    signal.signal = _only_ctrl_c  # type: ignore[assignment]
    runpy.run_module("vkzircon_cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
