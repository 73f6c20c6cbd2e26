# SPDX-License-Identifier: Apache-2.0
"""Writes the home folder as ``~`` in results."""

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from vkzircon_cli.model.text import readable

# A word also begins after an escape, whose last character looks like a letter of the word: \n in JSON, \xff for bytes
# that are not text, a terminal's colors.
_AFTER_ESCAPE = (
    r"(?<=\\[nrtbf])|(?<=\\x[0-9a-fA-F]{2})|(?<=\\u[0-9a-fA-F]{4})|(?<=\\U[0-9a-fA-F]{8})"
    r"|(?<=\x1b\[m)|(?<=\x1b\[\dm)|(?<=\x1b\[\d\dm)|(?<=\x1b\[\d;\d\dm)"
)


def not_behind(characters: str) -> str:
    """Return the pattern of a position that is not inside a word of *characters*."""
    return rf"(?:(?<![{characters}])|{_AFTER_ESCAPE})"


NAMING = ("HOME", "USER", "LOGNAME", "SUDO_USER", "DOAS_USER", "HOSTNAME")
_elsewhere: list[Mapping[str, str]] = []


def also_name(variables: Mapping[str, str]) -> None:
    """Also use an agent's *variables* to find names: those in `NAMING` name people and hosts."""
    _elsewhere.append(variables)


def variables(name: str) -> tuple[str, ...]:
    """Return a variable's values here and in agents, with escapes for bytes that are not UTF-8, as in facts."""
    return tuple(readable(each.get(name, "")) for each in (os.environ, *_elsewhere))


def homes() -> tuple[str, ...]:
    """Return the home folders here and of agents, without trailing slashes; the root is left out."""
    folders = (folder.rstrip("/") for folder in variables("HOME"))
    return tuple(dict.fromkeys(folder for folder in folders if len(folder) > 1))


def without_home(value: Any) -> Any:
    """Write each home folder as ``~`` in every string of *value*, which has JSON's types."""
    for folder in homes():
        value = _shortened(value, folder)
    return value


@cache
def home_pattern(home: str) -> re.Pattern[str] | None:
    """Return a pattern that matches the folder *home* at the beginning of a path, None if it is the root or empty."""
    # Neither /opt/home/x nor /homes is in /home.
    begins = not_behind(r"\w./~-")
    return re.compile(rf"{begins}{re.escape(home)}(?![\w-]|\.\w)") if len(home) > 1 else None


def _shortened(value: Any, folder: str) -> Any:
    """Write *folder* as ``~``. Few strings contain it, and only those need the pattern."""
    if isinstance(value, str):
        home = home_pattern(folder) if folder in value else None
        return home.sub("~", value) if home else value
    if isinstance(value, dict):
        shortened = {name: _shortened(item, folder) for name, item in value.items()}
        return value if shortened == value else told_once(value, shortened)
    if isinstance(value, list | tuple):
        return [_shortened(item, folder) for item in value]
    return value


def told_once(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Remove the hex beside a changed string: it would show what the string hides."""
    hidden = [name for name in after if f"{name}_hex" in after and after[name] != before[name]]
    return after | {f"{name}_hex": None for name in hidden}
