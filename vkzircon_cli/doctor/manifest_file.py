# SPDX-License-Identifier: Apache-2.0
"""Reads the bytes of a manifest without blocking and without reading more than a manifest can have.

A path with a manifest's name may lead to a folder, a pipe, a device, or a file that others must not see.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from vkzircon_cli.model.text import decode

_MOST_BYTES = 1 << 20
_MOST_LINKS = 40  # as many as Linux follows
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_PARSE_ERROR = "The loader mistakes a parse error for running out of memory and gives up on all drivers."
_WAITS = "The loader waits until another program writes into it."
_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


class Unreadable(Exception):
    """A manifest that cannot be read: *id* is the finding's, *words* what is wrong, *place* ``line:column`` or ''.

    *stops*: the loader then gives up on all drivers, and *cause* says why. A file that was not *read* may be valid.
    """

    def __init__(
        self,
        id: str,
        words: str,
        *,
        place: str = "",
        stops: bool = True,
        cause: str = _PARSE_ERROR,
        read: bool = True,
    ) -> None:
        super().__init__(words)
        self.id = id
        self.words = words
        self.place = place
        self.stops = stops
        self.cause = cause if stops else ""
        self.read = read


def read_bytes(path: str, *, within_folder: bool = False) -> bytes:
    """Read a regular file of at most 1 MiB without blocking. All manifests are read by this function.

    With *within_folder*, a link that leads out of the folder of *path* is not followed.

    Raises:
        Unreadable: it is not such a file.
    """
    try:
        descriptor = _open_within_folder(path) if within_folder else os.open(path, _FLAGS)
        try:
            mode = os.fstat(descriptor).st_mode
            raw = _read(descriptor) if stat.S_ISREG(mode) else None
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise _unopened(path, error) from error
    if raw is None:
        raise _not_regular(mode)
    if len(raw) > _MOST_BYTES:
        words = f"is larger than {_MOST_BYTES >> 20} MiB, which no manifest is: it was not read"
        raise Unreadable("manifest.too-large", words, stops=False, read=False)
    return raw


def _open_within_folder(path: str) -> int:
    """Open *path* relative to its folder, which is held open so that it cannot be replaced meanwhile."""
    folder, name = os.path.split(path)
    within = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _ in range(_MOST_LINKS):
            try:
                return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=within)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
            target = os.readlink(name, dir_fd=within)
            folder, name = os.path.split(target)
            if folder and not os.path.samestat(os.stat(folder, dir_fd=within), os.fstat(within)):
                words = f"is a link to {_shown(target)}, in another folder: it was not read"
                raise Unreadable("manifest.link", words, stops=False, read=False)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    finally:
        os.close(within)


def _read(descriptor: int) -> bytes:
    raw = bytearray()
    while len(raw) <= _MOST_BYTES and (data := os.read(descriptor, _MOST_BYTES + 1 - len(raw))):
        raw += data
    return bytes(raw)


def _unopened(path: str, error: OSError | ValueError) -> Unreadable:
    with suppress(OSError, ValueError):  # a socket cannot be opened at all
        if not stat.S_ISREG(mode := Path(path).stat().st_mode):
            return _not_regular(mode)
    if getattr(error, "errno", None) == errno.ELOOP:
        return Unreadable("manifest.unreadable", "is not a regular file: its links lead in a circle", stops=False)
    with suppress(OSError, ValueError):
        words = f"is a link to {_shown(str(Path(path).readlink()))}, which does not exist"
        if not Path(path).exists():
            return Unreadable("manifest.dangling-link", words, stops=False)
    reason = getattr(error, "strerror", None) or error
    return Unreadable("manifest.unreadable", f"cannot be read: {reason}", stops=False)


def _not_regular(mode: int) -> Unreadable:
    """Describe a file that is not regular; of these, only a named pipe always stops the loader."""
    kind = next((kind for is_one, kind in _KINDS if is_one(mode)), "something else")
    is_pipe = stat.S_ISFIFO(mode)
    words = f"is not a regular file, but a {kind}"
    return Unreadable("manifest.unreadable", words, stops=is_pipe, cause=_WAITS)


def _shown(path: str) -> str:
    return decode(os.fsencode(path))[0]
