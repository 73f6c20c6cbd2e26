# SPDX-License-Identifier: Apache-2.0
"""Writes results: to standard output, a descriptor, a pipe, or a temporary file that then gets the target's name.

A result that cannot be written is an error, even where Python would ignore it.
"""

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import NoReturn

from vkzircon_cli.errors import NotWritten
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible

_USUAL_MODE, _PRIVATE_MODE, _ALL_MODES = 0o666, 0o600, 0o777
# A file is written in place if its folder, its mount or its owner (EINVAL: of no user here) lets no other replace it.
_NOT_REPLACED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EINVAL)
_PATIENCE_S, _POLL_S = 10.0, 0.02  # for a program that opens a named pipe
_MOST_LINKS = 40  # as Linux
_CHUNK = 1 << 20
_MOST_RACES = 1000
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

    Until the end the lines are in a temporary file beside *path*, which stays if this process dies or the disk is full.

    Raises:
        NotWritten: not all of it could be written, or the file could not be renamed.
        PipeClosed: the reader closed the pipe of standard output.
    """
    if path is None:
        yield lambda line: None if silent else _write_stdout(line.decode("ascii"))
        return
    with _failing(str(path)):
        file = _File(path, stays=True)

    def write_line(line: bytes) -> None:
        with _failing(str(path)):
            file.write(line)

    try:
        yield write_line
    finally:
        with _failing(str(path)):
            file.keep()


class _File:
    """The file that is written for *path*; `keep` ends it.

    That of a regular file is a temporary one beside it, which gets its mode, its owner and then its name. If *stays*,
    an unfinished one is not removed. A descriptor, a device or a pipe is written directly, as is a file that cannot be
    replaced. A *private* one is for its owner only.
    """

    def __init__(self, path: Path, *, private: bool = False, stays: bool = False) -> None:
        target, known = _target(path)
        self._stays, self._is_stdout = stays, target == 1
        self._place: Path | None = None  # what *written*, the temporary file, replaces
        if isinstance(target, int):
            self._descriptor, self._written = os.dup(_own(target)), path
        elif known is not None and not stat.S_ISREG(known.st_mode):
            self._descriptor, self._written = _open_stream(target, known), path
        else:
            self._begin(target, known, private)
        self._is_open = True

    def _begin(self, target: Path, known: os.stat_result | None, private: bool) -> None:
        try:
            self._descriptor, self._written = _create_beside(target, known, private)
            self._place = target
        except OSError as refused:
            if known is None or refused.errno not in _NOT_REPLACED:
                raise
            self._descriptor, self._written = _open_in_place(target, refused), target

    def write(self, data: bytes) -> None:
        """Write all of *data*; if the system refuses, close the file, and remove it unless it stays."""
        try:
            _write_all(self._descriptor, data)
        except OSError as refused:
            if self._is_stdout and isinstance(refused, BrokenPipeError):
                self._close()
                raise PipeClosed from refused
            self._leave(refused)

    def keep(self) -> None:
        """Close the file and give it its name; if the disk is full, the old file stays unchanged."""
        if not self._is_open:
            return
        try:
            if self._place is not None:
                os.fsync(self._descriptor)
            self._close()
            if self._place is not None:
                self._stays = True  # it is whole
                _replace(self._place, self._written)
        except OSError as refused:
            self._leave(refused)

    def _leave(self, refused: OSError) -> NoReturn:
        """Close the file and raise *refused*; if the file stays and has anything in it, the error names it."""
        if self._place is None or not self._stays or not self._written.stat().st_size:
            self.remove()
            raise refused
        self._close()
        self._place = None
        raise OSError(refused.errno, f"{refused.strerror}. What was written is in {self._written}") from refused

    def remove(self) -> None:
        """Close and remove the unfinished file; what is written directly stays."""
        self._close()
        if self._place is not None:
            with suppress(OSError):
                self._written.unlink()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)


def write_file(data: bytes, path: Path, *, private: bool = False) -> None:
    """Write *data* to *path*, or to a file that is readable by its owner only if *private*.

    Raises:
        NotWritten: not all of it could be written.
    """
    with _failing(str(path)):
        file = _File(path, private=private)
        try:
            file.write(data)
            file.keep()
        except BaseException:
            file.remove()
            raise


def must_be_writable(path: Path | None) -> None:
    """Try whether a result can be written to *path*, before the work that leads to it; nothing is left or changed.

    Raises:
        NotWritten: it cannot be.
    """
    if path is None:
        return
    with _failing(str(path)):
        target, known = _target(path)
        if isinstance(target, int):
            os.close(os.dup(target))
        elif known is None or stat.S_ISREG(known.st_mode):
            try:
                descriptor, beside = _create_beside(target, known, private=True)
                os.close(descriptor)
                beside.unlink()
            except OSError:
                if known is None or not os.access(target, os.W_OK):
                    raise
        elif not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def reserve(path: Path) -> Path:
    """Create an empty file with the name *path*, or with the first of NAME-2, NAME-3 and so on that is free.

    Raises:
        NotWritten: none can be created.
    """
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    with _failing(str(path)):
        for free in chain([path], numbered):
            with suppress(FileExistsError):
                os.close(os.open(free, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _PRIVATE_MODE))
                return free
    raise AssertionError(path)  # the numbers never end


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
    """Write all of *data*, also to a pipe that another program made non-blocking.

    Other writers may be faster each time, but a descriptor that always says both yes and no is refused.
    """
    view, refused = memoryview(data), 0
    while view:
        try:
            view, refused = view[os.write(descriptor, view) :], 0
        except BlockingIOError:
            refused += 1
            if refused > _MOST_RACES:
                raise
            import select

            waiting = select.poll()
            waiting.register(descriptor, select.POLLOUT)
            waiting.poll()


def _target(path: Path) -> tuple[int | Path, os.stat_result | None]:
    """Follow the links of *path*: return the descriptor that it names, else its place, and what is there.

    The target of a link is replaced, and not the link. /dev/stdout is a link to a descriptor, whose file may have
    other writers: a new file in its place would not be theirs.
    """
    try:
        known = path.stat()  # first, because the system refuses links in a public folder that another user made
    except FileNotFoundError:
        known = None
    if known is not None and stat.S_ISDIR(known.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    descriptors = os.path.realpath("/proc/self/fd")
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder == descriptors and path.name.isdecimal():
            return int(path.name), known
        path = Path(folder, path.name)
        if not path.is_symlink():
            return path, known
        path = Path(folder, path.readlink())
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _own(descriptor: int) -> int:
    """Return *descriptor*, or the copy that Python's stream has while a driver in this process may print to it."""
    stream = {1: sys.__stdout__, 2: sys.__stderr__}.get(descriptor)
    return stream.fileno() if stream is not None else descriptor


def _open_stream(path: Path, known: os.stat_result) -> int:
    """Open a device or a pipe. A pipe that no program reads has some time to be opened, but not for ever."""
    until = time.monotonic() + _PATIENCE_S
    descriptor = -1
    while descriptor < 0:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as refused:
            if refused.errno != errno.ENXIO or not stat.S_ISFIFO(known.st_mode):
                raise
            if time.monotonic() >= until:
                raise OSError(errno.ENXIO, f"no program opened this pipe within {_PATIENCE_S:g} s") from refused
            time.sleep(_POLL_S)
    os.set_blocking(descriptor, True)
    return descriptor


def _open_in_place(path: Path, refused: OSError) -> int:
    """Open a file that cannot be replaced, and empty it, after a message."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    say(f"vkzircon: {path} cannot be replaced ({refused.strerror}), so it is written in place.")
    os.ftruncate(descriptor, 0)
    return descriptor


def _replace(path: Path, written: Path) -> None:
    """Rename *written* to *path*; a mount point cannot be replaced, so the bytes are copied into it."""
    try:
        written.replace(path)
    except OSError as refused:
        if refused.errno not in _NOT_REPLACED:
            raise
        descriptor = _open_in_place(path, refused)
        try:
            with written.open("rb") as source:
                while data := source.read(_CHUNK):
                    _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        written.unlink()


def _create_beside(path: Path, known: os.stat_result | None, private: bool) -> tuple[int, Path]:
    """Create a file with a new name beside *path*, and never follow a link.

    In a folder that other users can write to, a guessable name may be a link that another user made.
    """
    import tempfile

    kept = os.fsdecode(os.fsencode(path.name)[:_MOST_OF_NAME])
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f"{kept}.", suffix=".part")
    try:
        _make_alike(descriptor, known, private)
    except BaseException:
        os.close(descriptor)
        Path(beside).unlink()
        raise
    return descriptor, Path(beside)


def _make_alike(descriptor: int, known: os.stat_result | None, private: bool) -> None:
    """Set the owner and the mode of a new file to those of the *known* one that it replaces."""
    if known is not None:
        made = os.fstat(descriptor)
        if (made.st_uid, made.st_gid) != (known.st_uid, known.st_gid):
            os.fchown(descriptor, known.st_uid, known.st_gid)
    usual = _USUAL_MODE & ~_umask() if known is None else known.st_mode & _ALL_MODES
    os.fchmod(descriptor, _PRIVATE_MODE if private else usual)


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
            data = (visible(text) + "\n").encode(stream.encoding or "utf-8", "backslashreplace")
            _write_all(stream.fileno(), data)


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
