# SPDX-License-Identifier: Apache-2.0
"""A manifest's text, read as the loader reads it: what it says, or where and why it says nothing.

The loader's reader takes anything behind the first value, bytes that are no UTF-8, control characters anywhere, numbers
like 01 and unknown escapes; of a key that comes twice the first counts. It takes no byte-order mark, no comments, and
no comma before a closing bracket. What it cannot parse, 1.3.239 takes for a lack of memory, and gives up.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from vkzircon_cli.doctor.manifest_file import Unreadable, read_bytes

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"
DIES = "The loader looks for a text there without asking whether it is one, and the whole program dies of it."

# A text without its end is taken as well, so that no start of one is tried twice.
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
        Unreadable: the loader gets nothing out of it.
    """
    return parse(read_bytes(path))


def parse(raw: bytes) -> dict[str, Any]:
    """Return what the bytes of a manifest say.

    Raises:
        Unreadable: the loader gets nothing out of them.
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
        value = _value(same_length)  # errors have the places of the file as it is
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
    # The loader's reader stops behind the first value, whatever follows.
    return decoder.raw_decode(text, len(text) - len(text.lstrip(" \t\r\n")))[0]


def _first_of_each(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    first: dict[str, Any] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    return first


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _cleaned(text: str, *, exact: bool) -> str:
    """Write what only the loader's reader takes as JSON has it; not *exact*, each character stays where it is."""

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
    """Give an escape as the loader reads it: no zero, no half of a pair, and of what is unknown the character."""
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
    return Unreadable("manifest.too-deep", "is nested too deep to be judged", stops=False, judged=False)


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
        is_deadly = isinstance(value, list) and bool(value)
        raise Unreadable("manifest.not-an-object", "is JSON, but no object", stops=is_deadly, cause=DIES)
    return value
