# SPDX-License-Identifier: Apache-2.0
"""Writes results: to standard output, or to a temporary file beside the target that is then renamed.

A result that cannot be written is an error, even where Python would ignore it.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vkzircon_cli.errors import NotWritten
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible

_USUAL_MODE, PRIVATE_MODE = 0o666, 0o600
_MOST_OF_NAME = 200  # bytes; a file system allows 255, and the temporary suffix needs some of them
NO_FILES = ("", ".", "..", "-")  # none of them names a file that can be replaced


@record
class Place:
    """Where a result goes: a file's *path*, None for standard output. If *quiet*, standard output gets nothing."""

    path: Path | None
    quiet: bool
    no_color: bool


class PipeClosed(Exception):
    """The reader closed the pipe of standard output."""


def write(text: str, path: Path | None, *, as_utf8: bool = False) -> None:
    """Write *text* to *path*, or to standard output in its own encoding unless *as_utf8*.

    Raises:
        NotWritten: not all of it could be written.
        PipeClosed: the reader closed the pipe of standard output.
    """
    if path is None:
        _write_stdout(text, as_utf8)
    else:
        write_file(text.encode("utf-8"), path)


@contextmanager
def line_writer(path: Path | None, *, silent: bool = False) -> Iterator[Callable[[bytes], None]]:
    """Yield a function that writes a line unbuffered: to *path*, to standard output, or nowhere if *silent*.

    Until the end the lines are in a temporary file beside *path*, which stays if this process dies.

    Raises:
        NotWritten: not all of it could be written, or the file could not be renamed.
        PipeClosed: the reader closed the pipe of standard output.
    """
    if path is None:
        yield lambda line: None if silent else _write_stdout(line.decode("ascii"))
        return
    with _failing(str(path)):
        file = _File(path, _USUAL_MODE)

    def write_line(line: bytes) -> None:
        with _failing(str(path)):
            file.write(line)

    try:
        yield write_line
    finally:
        with _failing(str(path)):
            file.keep()


class _File:
    """A temporary file beside *path* that `keep` renames; a device or a pipe is written directly."""

    def __init__(self, path: Path, mode: int) -> None:
        is_stream = path.exists() and not path.is_file() and not path.is_dir()
        # Links are followed, so that the target of a link is replaced and not the link: /dev/stdout is one.
        self._place = None if is_stream else Path(os.path.realpath(path))
        if self._place is None:
            self._descriptor, self._written = os.open(path, os.O_WRONLY | os.O_CLOEXEC), path
        elif self._place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        else:
            self._descriptor, self._written = _create_beside(self._place, mode)
        self._is_open = True

    def write(self, data: bytes) -> None:
        """Write all of *data*; remove the file if the system refuses the write."""
        try:
            _write_all(self._descriptor, data)
        except OSError:
            self.remove()
            raise

    def keep(self) -> None:
        """Close the file and rename it; if the disk is full, the old file stays unchanged."""
        if not self._is_open:
            return
        try:
            if self._place is not None:
                os.fsync(self._descriptor)
            self._close()
            if self._place is not None:
                self._written.replace(self._place)
        except OSError:
            self.remove()
            raise

    def remove(self) -> None:
        """Close and remove the unfinished file; a device or a pipe stays."""
        self._close()
        if self._place is not None:
            with suppress(OSError):
                self._written.unlink()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)


def write_file(data: bytes, path: Path, mode: int = _USUAL_MODE) -> None:
    """Write *data* to *path*; PRIVATE_MODE makes the file readable by its owner only.

    Raises:
        NotWritten: not all of it could be written.
    """
    with _failing(str(path)):
        file = _File(path, mode)
        try:
            file.write(data)
            file.keep()
        except BaseException:
            file.remove()
            raise


def _write_stdout(text: str, as_utf8: bool = False) -> None:
    stream = sys.__stdout__
    if stream is None:
        raise NotWritten("The result could not be written: standard output is closed.", "Use --output FILE.")
    data = text.encode("utf-8" if as_utf8 else stream.encoding or "utf-8", "backslashreplace")
    with _failing("standard output"):
        try:
            _write_all(stream.fileno(), data)
        except BrokenPipeError as error:
            raise PipeClosed from error


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _create_beside(path: Path, mode: int) -> tuple[int, Path]:
    """Create a file with a new name beside *path*, and never follow a link.

    In a folder that other users can write to, a guessable name may be a link that another user made.
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


@contextmanager
def _failing(where: str) -> Iterator[None]:
    """Turn an OSError into `NotWritten`, whose message names *where*."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"The result could not be written to {where}: {reason}."
        raise NotWritten(message, "Choose another place: --output FILE.") from error


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
    """Return the columns of the terminal, None if there is no terminal or its size is unknown."""
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else None
    except (OSError, ValueError, AttributeError):
        return None
