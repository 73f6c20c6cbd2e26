# SPDX-License-Identifier: Apache-2.0
"""Parses a manifest as the loader does, or says where and why the loader cannot.

The loader's parser accepts anything after the first value, bytes that are not UTF-8, control characters anywhere,
numbers like 01 and unknown escapes; of a repeated key the first counts. It rejects a byte-order mark, comments, and a
comma before a closing bracket. Version 1.3.239 mistakes a parse error for running out of memory, and gives up.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from vkzircon_cli.doctor.manifest_file import Unreadable, read_bytes

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"
CRASHES = "The loader expects a text there and does not check it, so the whole program crashes."

# An unterminated text matches as well, so that no start of one is tried twice.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*|-|[\x01-\x08\x0b\x0c\x0e-\x1f]', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LOADERS_NUMBER = re.compile(r"-?0?(?:[1-9][0-9]*)?(?:\.[0-9]+)?(?:[eE][+-]?[0-9]*)?")
_ESCAPE = re.compile(r'\\(u[dD][89abAB]..\\u[dD][c-fC-F]..|u[^"\\]{4}|.)', re.DOTALL)
_HEX = re.compile(r"u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})?")
_DROPPED = re.compile(r"u(?:0000|[dD][89a-fA-F]..)")
_MOST_DIGITS = 18


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
    return _object(_parsed(raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")))


def _parsed(text: str) -> Any:
    same_length = _cleaned(text, exact=False)
    try:
        value = _value(same_length)  # for errors with their place in the file
        return _value(_cleaned(text, exact=True)) if _ESCAPE.search(text) else value
    except json.JSONDecodeError as error:
        raise _malformed(same_length, error) from error
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
            return _ESCAPE.sub(lambda escape: _escape(escape.group(1), exact=exact), found)
        if found < " ":
            return " "
        taken = 0 if _NUMBER.fullmatch(found) else len(_LOADERS_NUMBER.match(found)[0])  # type: ignore[index]
        return "0".ljust(taken) + found[taken:] if taken else found

    return _TOKEN.sub(token, text)


def _escape(escaped: str, *, exact: bool) -> str:
    """Return an escape as the loader reads it: no zero, no half of a pair; an unknown one is its character."""
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
    before = text[: error.pos].rstrip()
    if rest.startswith(("//", "/*", "#")):
        return Unreadable("manifest.comments", "has a comment, which JSON does not allow", place=place)
    if before.endswith(",") and rest[:1] in ("}", "]"):
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
        return Unreadable("manifest.bad-json", "has a trailing comma", place=f"{line}:{column}")
    if not rest or error.msg.startswith("Unterminated"):
        return Unreadable("manifest.truncated", "ends in the middle", place=place)
    return Unreadable("manifest.bad-json", f"is not JSON: {error.msg}", place=place)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        crashes = isinstance(value, list) and bool(value)
        raise Unreadable("manifest.not-an-object", "is JSON, but not an object", stops=crashes, cause=CRASHES)
    return value
