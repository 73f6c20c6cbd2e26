# SPDX-License-Identifier: Apache-2.0
"""Writes results: to standard output, or to a file that is written beside its place and renamed.

A result that cannot be written is an error, also where Python would ignore it.
"""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Self

from vkzircon_cli.errors import NotWritten
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible

_USUAL_MODE, _PRIVATE_MODE = 0o666, 0o600
_MOST_OF_NAME = 200  # bytes; a file system takes 255, of which the temporary suffix needs some
NO_FILES = ("", ".", "..", "-")  # none of them names a file that can be replaced


@record
class Place:
    """Where a result goes: a file's *path*, None for standard output. If *quiet*, standard output gets nothing."""

    path: Path | None
    quiet: bool
    no_color: bool


class PipeClosed(Exception):
    """The reader of standard output went away."""


def write(text: str, path: Path | None, *, as_utf8: bool = False) -> None:
    """Write *text* to *path*, or to standard output in its own encoding unless *as_utf8*.

    Raises:
        NotWritten: not all of it could be written.
        PipeClosed: the reader of standard output went away.
    """
    if path is None:
        _write_stdout(text, as_utf8)
    else:
        _write_file(text.encode("utf-8"), path)


class Lines:
    """Writes lines unbuffered: to *path*, to standard output, or nowhere if *silent*.

    Until the end they are in a file beside *path*, which stays if this process dies.
    """

    def __init__(self, path: Path | None, *, silent: bool = False) -> None:
        self._silent = silent
        self._wanted = path
        self._place: Path | None = None
        self._written: Path | None = None
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Open the file; an older file of the same name is replaced at the end."""
        if self._wanted is not None:
            try:
                self._open(self._wanted)
            except OSError as error:
                _fail(str(self._wanted), error)
        return self

    def _open(self, wanted: Path) -> None:
        if _is_stream(wanted):
            self._written = wanted
            self._descriptor = os.open(wanted, os.O_WRONLY | os.O_CLOEXEC)
            return
        self._place = _real(wanted)
        if self._place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        self._descriptor, self._written = _create_beside(self._place, _USUAL_MODE)

    def write(self, line: bytes) -> None:
        """Write one line.

        Raises:
            NotWritten: not all of it could be written.
            PipeClosed: the reader of standard output went away.
        """
        if self._descriptor is not None:
            try:
                _write_all(self._descriptor, line)
            except OSError as error:
                self._give_up()
                _fail(str(self._wanted), error)
        elif not self._silent:
            _write_stdout(line.decode("ascii"))

    def _give_up(self) -> None:
        """Remove the unfinished file; a device or a pipe stays."""
        if self._place is not None and self._written is not None:
            with suppress(OSError):
                self._written.unlink()
            self._place = None

    def __exit__(self, *_: object) -> None:
        """Close the file and rename it.

        Raises:
            NotWritten: the system refuses one of the two.
        """
        if self._descriptor is None or self._written is None:
            return
        try:
            os.close(self._descriptor)
            if self._place is not None:
                self._written.replace(self._place)
        except OSError as error:
            self._give_up()
            _fail(str(self._wanted), error)


def _is_stream(path: Path) -> bool:
    """Whether *path* is a device or a pipe, which is written to and never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _real(path: Path) -> Path:
    """Follow links, so that the target of a link is replaced and not the link: /dev/stdout is one."""
    return Path(os.path.realpath(path))


def write_private(data: bytes, path: Path) -> None:
    """Write *data* to *path*, readable by its owner only.

    Raises:
        NotWritten: not all of it could be written.
    """
    _write_file(data, path, _PRIVATE_MODE)


def _write_stdout(text: str, as_utf8: bool = False) -> None:
    stream = sys.__stdout__
    if stream is None:
        raise NotWritten("The result could not be written: standard output is closed.", "Use --output FILE.")
    data = text.encode("utf-8" if as_utf8 else stream.encoding or "utf-8", "backslashreplace")
    try:
        _write_all(stream.fileno(), data)
    except BrokenPipeError as error:
        raise PipeClosed from error
    except OSError as error:
        _fail("standard output", error)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_file(data: bytes, path: Path, mode: int = _USUAL_MODE) -> None:
    try:
        if _is_stream(path):
            path.write_bytes(data)
        else:
            _replace(_real(path), data, mode)
    except OSError as error:
        _fail(str(path), error)


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Write beside *path* and rename: a full disk leaves the old file whole."""
    descriptor, beside = _create_beside(path, mode)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def _create_beside(path: Path, mode: int) -> tuple[int, Path]:
    """Create a file with a new name beside *path*, and never follow a link.

    In a folder that other users can write to, a name that can be guessed may be a link of theirs.
    """
    import tempfile

    kept = os.fsdecode(os.fsencode(path.name)[:_MOST_OF_NAME])
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f"{kept}.", suffix=".part")
    try:
        os.fchmod(descriptor, mode & ~_umask())
    except BaseException:
        os.close(descriptor)
        Path(beside).unlink()
        raise
    return descriptor, Path(beside)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fail(where: str, error: OSError) -> NoReturn:
    reason = error.strerror or type(error).__name__
    raise NotWritten(f"The result could not be written to {where}: {reason}.", "Choose another place: --output FILE.")


def say(text: str) -> None:
    """Write a message to standard error. An error there is ignored, since there is no other place for it."""
    stream = sys.__stderr__
    if stream is not None:
        with suppress(OSError, ValueError):
            os.write(stream.fileno(), (visible(text) + "\n").encode(stream.encoding or "utf-8", "backslashreplace"))


def is_terminal(stream: object) -> bool:
    """Whether *stream* is an open terminal."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError, OSError):
        return False


def terminal_width() -> int | None:
    """Return the columns of the terminal, None if there is no terminal or the system does not say."""
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else None
    except (OSError, ValueError, AttributeError):
        return None
