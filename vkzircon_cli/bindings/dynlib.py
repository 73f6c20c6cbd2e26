# SPDX-License-Identifier: Apache-2.0
"""Shared libraries: opening one, its symbols, the linker's reason for a refusal, and its file."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

# The names under which a Vulkan loader is looked for, in this order; Fuchsia has the second only.
LOADER_NAMES = ("libvulkan.so.1", "libvulkan.so")
# The emulation's layer, by its name in Vulkan.
LAYER_NAME = "VK_LAYER_VKZIRCON_external_memory"
_MAPS = "/proc/self/maps"


class CannotOpen(OSError):
    """The linker refused a library: *words* are the linker's own, to which the text adds the library's name."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(words if name in words else f"{name}: {words}")
        self.words = words


class Library:
    """An opened library, which stays open until the process ends."""

    def __init__(self, name: str, handle: Any) -> None:
        self.name = name
        self._handle = handle

    def address(self, symbol: str) -> int:
        """Return the address of *symbol*, 0 if the library does not have it."""
        try:
            name = _c_string(symbol)
        except ValueError:
            return 0
        return int(_ffi().cast("uintptr_t", in_this_process().dlsym(self._handle, name)))

    def through(self, ffi: Any) -> Any:
        """Return the library with the functions that *ffi* declares."""
        return ffi.dlopen(ffi.cast("void *", int(_ffi().cast("uintptr_t", self._handle))))


def can_open() -> bool:
    """Return whether libraries can be opened, for which cffi must be installed."""
    try:
        return bool(_ffi())
    except ImportError:
        return False


def open_library(name: str) -> Library:
    """Open the library *name*, a path or a name that the linker looks up.

    Raises:
        CannotOpen: the linker refused it.
        ImportError: cffi is missing.
    """
    process = in_this_process()
    last_error = process.dlerror  # looked up first: looking up a symbol clears the error
    try:
        path = _c_string(name)
    except ValueError as error:
        raise CannotOpen(name.encode(errors="backslashreplace").decode(), str(error)) from error
    handle = process.dlopen(path, os.RTLD_NOW | os.RTLD_LOCAL)
    if handle == _ffi().NULL:
        raise CannotOpen(_text(path), _text(_ffi().string(last_error())))
    return Library(name, handle)


@cache
def in_this_process() -> Any:
    """Return the functions of libraries that this process has loaded already, libc first, as abi.h declares them."""
    return _ffi().dlopen(None)


def _ffi() -> Any:
    # Imported here: takes 2.4 ms (ctypes 3.6 ms), and only processes that open a library need it.
    from vkzircon_cli.bindings import _abi

    return _abi.ffi


def _c_string(text: str) -> bytes:
    """Encode *text* as a path for C. Raises `ValueError` if it contains a zero byte."""
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def mapped_file(library: str) -> str:
    """Return the file behind an opened *library*, '' on systems without /proc."""
    stem = _file_name(library).split(".so", 1)[0] + ".so"
    return next((path for path in mapped_files() if _file_name(path).startswith(stem)), "")


def mapped_files() -> Iterator[str]:
    """Yield the files that this process has mapped, none on systems without /proc."""
    try:
        with open(_MAPS, encoding="utf-8", errors="backslashreplace") as maps:
            yield from dict.fromkeys("/" + line.partition("/")[2].rstrip("\n") for line in maps if "/" in line)
    except OSError:
        return


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]
