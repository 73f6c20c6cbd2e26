# SPDX-License-Identifier: Apache-2.0
"""A manifest's text, read as the loader reads it: what it says, or where and why it says nothing.

The loader's reader takes anything behind the first value, and bytes that are no UTF-8; it takes no byte-order mark, no
comments, and no comma before a closing bracket. What it cannot parse, 1.3.239 takes for a lack of memory, and gives up.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

_MOST_BYTES = 1 << 20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """A manifest that says nothing: *id* is doctor's word, *words* the fact, *place* ``line:column`` or ''.

    *stops* tells that the loader then gives up on all drivers.
    """

    def __init__(self, id: str, words: str, *, place: str = "", stops: bool = True) -> None:
        super().__init__(words)
        self.id = id
        self.words = words
        self.place = place
        self.stops = stops


def read_manifest(path: str) -> dict[str, Any]:
    """Read *path*.

    Raises:
        Unreadable: the loader gets nothing out of it.
    """
    raw = _bytes(path)
    if not raw.strip(b" \t\r\n"):
        raise Unreadable("manifest.empty", "is empty", stops=bool(raw))
    if raw.startswith(_UTF_8_MARK):
        words = "starts with a byte-order mark, which the loader cannot read"
        raise Unreadable("manifest.byte-order-mark", words, place="1:1")
    if raw.startswith(_UTF_16):
        raise Unreadable("manifest.utf-16", "is UTF-16, and the loader reads UTF-8 only", place="1:1")
    return _object(_parsed(raw.decode("utf-8", "surrogateescape")))


def _bytes(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if target := _dangling(path):
            words = f"is a link to {target}, which is not there"
            raise Unreadable("manifest.dangling-link", words, stops=False) from error
        raise Unreadable("manifest.unreadable", f"cannot be read: {error.strerror}", stops=False) from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("manifest.unreadable", "is no file", stops=False)
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        words = f"is larger than {_MOST_BYTES >> 20} MiB, as no manifest is"
        raise Unreadable("manifest.unreadable", words, stops=False)
    return raw


def _dangling(path: str) -> str:
    is_one = Path(path).is_symlink() and not Path(path).exists()
    return str(Path(path).readlink()) if is_one else ""


def _parsed(text: str) -> Any:
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        # The loader's reader stops behind the first value, whatever follows.
        return json.JSONDecoder(parse_constant=_refuse).raw_decode(text, start)[0]
    except json.JSONDecodeError as error:
        raise _malformed(text, error) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable("manifest.bad-json", f"is not JSON: {error}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no value")


def _malformed(text: str, error: json.JSONDecodeError) -> Unreadable:
    place = f"{error.lineno}:{error.colno}"
    rest = text[error.pos :].lstrip()
    before = text[: error.pos].rstrip()
    if rest.startswith(("//", "/*", "#")):
        return Unreadable("manifest.comments", "has a comment, and JSON has none", place=place)
    if before.endswith(",") and rest[:1] in ("}", "]"):
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
        return Unreadable("manifest.bad-json", "has a comma behind its last item", place=f"{line}:{column}")
    if not rest or error.msg.startswith("Unterminated"):
        return Unreadable("manifest.truncated", "ends in the middle", place=place)
    return Unreadable("manifest.bad-json", f"is not JSON: {error.msg}", place=place)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("manifest.not-an-object", "is JSON, but no object", stops=False)
    return value
