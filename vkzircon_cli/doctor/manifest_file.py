# SPDX-License-Identifier: Apache-2.0
"""Reads and parses a manifest as the loader does, or says where and why the loader cannot.

A path with a manifest's name may lead to a folder, a pipe, a device, or a file that others must not see: reading never
blocks, and is limited to the size of a large manifest.

The loader's parser accepts anything after the first value, bytes that are not UTF-8, control characters anywhere,
numbers like 01 and unknown escapes; of a repeated key the first counts. It rejects a byte-order mark, comments, and a
comma before a closing bracket. Version 1.3.239 mistakes a parse error for running out of memory, and gives up. Version
1.4.309 passes over the file; it takes a byte-order mark and a zero byte, but no unknown escape or incomplete number.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, NoReturn

from vkzircon_cli.model.text import readable

_MOST_BYTES = 1 << 20
_MOST_LINKS = 40  # as many as Linux follows
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"

# An unterminated text matches as well, so that no start of one is tried twice.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*|-|[\x01-\x08\x0b\x0c\x0e-\x1f]', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LOADERS_NUMBER = re.compile(r"-?0?(?:[1-9][0-9]*)?(?:\.[0-9]+)?(?:[eE][+-]?[0-9]*)?")
_ESCAPE = re.compile(r'\\(u[dD][89abAB]..\\u[dD][c-fC-F]..|u[^"\\]{4}|.)', re.DOTALL)
_HEX = re.compile(r"u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})?")
_DROPPED = re.compile(r"u(?:0000|[dD][89a-fA-F]..)")
_MOST_DIGITS = 18


@dataclass(eq=False)
class Unreadable(Exception):
    """A manifest that cannot be read: *id* is the finding's, *words* what is wrong, *place* ``line:column`` or ''.

    *stops*: some loaders then give up on all drivers. A file that was not *read* may be valid.
    """

    id: str
    words: str
    _: KW_ONLY
    place: str = ""
    stops: bool = True
    read: bool = True


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
                words = f"is a link to {readable(target)}, in another folder: it was not read"
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
        words = f"is a link to {readable(Path(path).readlink())}, which does not exist"
        if not Path(path).exists():
            return Unreadable("manifest.dangling-link", words, stops=False)
    reason = getattr(error, "strerror", None) or error
    return Unreadable("manifest.unreadable", f"cannot be read: {reason}", stops=False)


def _not_regular(mode: int) -> Unreadable:
    """Describe a file that is not regular; of these, only a named pipe always stops the loader."""
    kind = next((kind for is_one, kind in _KINDS if is_one(mode)), "something else")
    is_pipe = stat.S_ISFIFO(mode)
    words = f"is not a regular file, but a {kind}"
    return Unreadable("manifest.unreadable", words, stops=is_pipe)


def read_manifest(path: str) -> dict[str, Any]:
    """Read *path* as the loader does.

    Raises:
        Unreadable: the loader cannot parse it.
    """
    return parse(read_bytes(path))


def parse(raw: bytes) -> dict[str, Any]:
    """Return the object that the bytes of a manifest hold.

    Raises:
        Unreadable: the loader cannot parse them.
    """
    if not raw.strip(b" \t\r\n"):
        raise Unreadable("manifest.empty", "is empty", stops=bool(raw))
    if raw.startswith(_UTF_8_MARK):
        words = "starts with a byte-order mark, which the loader cannot read"
        raise Unreadable("manifest.byte-order-mark", words, place="1:1")
    if raw.startswith(_UTF_16) or b"\0" in raw[:4]:
        raise Unreadable("manifest.utf-16", "is UTF-16, and the loader reads UTF-8 only", place="1:1")
    # To the loader, which is written in C, a file ends at its first zero byte.
    value = _parsed(raw.partition(b"\0")[0].decode("utf-8", "surrogateescape"))
    if not isinstance(value, dict):
        crashes = isinstance(value, list) and bool(value)
        raise Unreadable("manifest.not-an-object", "is JSON, but not an object", stops=crashes)
    return value


def _parsed(text: str, *, exact: bool = True) -> Any:
    cleaned = _cleaned(text, exact=exact)
    try:
        return _value(cleaned)
    except json.JSONDecodeError as error:
        if exact:
            return _parsed(text, exact=False)  # once more, for the error's place in the file
        raise _malformed(cleaned, error) from error
    except RecursionError as error:
        raise _deep(text) from error
    except ValueError as error:
        raise Unreadable("manifest.bad-json", f"is not JSON: {error}") from error


def _value(text: str) -> Any:
    decoder = json.JSONDecoder(
        strict=False, object_pairs_hook=_first_of_each, parse_constant=_refuse, parse_int=_whole_number
    )
    # The loader's parser stops after the first value.
    return decoder.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))[0]


def _first_of_each(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    first: dict[str, Any] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    return first


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _cleaned(text: str, *, exact: bool) -> str:
    """Return valid JSON for what only the loader accepts; if not *exact*, each character keeps its place."""

    def token(match: re.Match[str]) -> str:
        found = match.group()
        if found.startswith('"'):
            return _ESCAPE.sub(lambda escape: _escape(escape.group(1), exact=exact), found) if "\\" in found else found
        if found < " ":
            return " "
        taken = 0 if _NUMBER.fullmatch(found) else len(_LOADERS_NUMBER.match(found)[0])  # type: ignore[index]
        return "0".ljust(taken) + found[taken:] if taken else found

    return _TOKEN.sub(token, text)


def _escape(escaped: str, *, exact: bool) -> str:
    """Return an escape as the loader reads it: no zero, no lone surrogate; an unknown one is its character."""
    if escaped[0] == "u" and len(escaped) > 1:
        is_one = _HEX.fullmatch(escaped) and not (exact and _DROPPED.fullmatch(escaped))
        return f"\\{escaped}" if is_one else "" if exact else "?" * (len(escaped) + 1)
    if escaped in '"\\/bfnrtu':
        return f"\\{escaped}"
    return escaped if exact else escaped * 2


def _deep(text: str) -> Unreadable:
    opened, closed = (sum(map(text.count, brackets)) for brackets in ("[{", "]}"))
    if opened > closed:
        return Unreadable("manifest.truncated", "ends in the middle")
    return Unreadable("manifest.too-deep", "is nested too deep to be checked", stops=False, read=False)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a value")


def _malformed(text: str, error: json.JSONDecodeError) -> Unreadable:
    place = f"{error.lineno}:{error.colno}"
    rest = text[error.pos :].lstrip()
    # Python 3.13 names the place of such a comma, earlier versions that of the bracket.
    before = text[: error.pos + error.msg.startswith("Illegal trailing comma")].rstrip()
    if rest.startswith(("//", "/*", "#")):
        return Unreadable("manifest.comments", "has a comment, which JSON does not allow", place=place)
    if before.endswith(",") and rest.removeprefix(",").lstrip()[:1] in ("}", "]"):
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
        return Unreadable("manifest.bad-json", "has a trailing comma", place=f"{line}:{column}")
    if not rest or error.msg.startswith("Unterminated"):
        return Unreadable("manifest.truncated", "ends in the middle", place=place)
    return Unreadable("manifest.bad-json", f"is not JSON: {error.msg}", place=place)
