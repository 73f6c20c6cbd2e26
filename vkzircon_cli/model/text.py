# SPDX-License-Identifier: Apache-2.0
"""Text: decodes foreign text, escapes it for a page or a log, adds the article to a noun, finds the nearest words."""

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping

# Cf: invisible characters, and those that change the reading direction. Cc, Zl, Zp: cursor moves and line ends.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that are not drawn (DerivedCoreProperties.txt, Default_Ignorable_Code_Point).
_BLANK = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0)
) | frozenset((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))

_LONGEST = 128  # every known word is shorter
_SHORTEST_PART = 3  # of a word, as in `rights` for `vmo.rights`
_MOST_NEAR = 3
_MOST_SPELLINGS = 9  # a word may have several
# What a CI system takes as a command in a log: GitHub "::NAME ...::" at the start of a line (actions/runner,
# src/Runner.Common/ActionCommand.cs), there and on Azure "##[NAME]" anywhere, "##vso[NAME]", "##teamcity[NAME".
# A line may break before any word, or inside a long word; inside a word only GitHub's own command names match.
_NAMES = "add-|debug|echo|endgroup|error|group|notice|remove-|save-|set-|stop-|warning|internal-"
# An escape in JSON: a surrogate pair, a lone surrogate by which Python keeps a byte that is not UTF-8, another lone
# surrogate, or any other escape.
_ESCAPE = re.compile(r"\\(?:ud[89ab]..\\ud[c-f]..|udc([89a-f].)|(ud[89a-f]..)|.)")
_COMMAND = re.compile(rf"(?<![\w>)\]])::|::(?={_NAMES})|##(?=\w*\[)", re.IGNORECASE)


def readable(name: str | os.PathLike[str]) -> str:
    r"""Return a path, an argument or a variable as text, bytes that are not UTF-8 as ``\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def decode(raw: bytes) -> tuple[str, str | None]:
    r"""Decode UTF-8, other bytes as ``\xNN``; the second value has all bytes in hex if there were others, else None."""
    text = raw.decode("utf-8", "backslashreplace")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return text, raw.hex()
    return text, None


def visible(text: str) -> str:
    r"""Escape what a page acts on or hides: control, format, private and unassigned characters, unusual spaces.

    A byte that is not UTF-8, which a path or variable may have, becomes ``\xNN``, as `decode` shows it.

    The second character of a CI system's command is escaped too, because the text may be printed to a CI log.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(_visible(character) for character in text)
    return _COMMAND.sub(_broken, text) if "::" in text or "##" in text else text


def printable_json(document: str) -> str:
    r"""Return a JSON *document* in ASCII without ``##``, which may begin a command of a CI system.

    Its values stay the same, but a lone surrogate is not a character: a byte that is not UTF-8 becomes ``\xNN``, and
    another lone surrogate, which a trace may hold, ``\uNNNN``.
    """
    if "\\ud" in document:
        document = _ESCAPE.sub(_whole, document)
    return document.replace("##", "#\\u0023")


def _whole(escape: re.Match[str]) -> str:
    byte, half = escape[1], escape[2]
    return rf"\\x{byte}" if byte else rf"\\{half}" if half else escape[0]


def _broken(command: re.Match[str]) -> str:
    return f"{command[0][0]}\\x{ord(command[0][1]):02x}"


def with_article(noun: str) -> str:
    """Return *noun* with its article: ``a channel``, ``an event``, ``an 8-bit library``."""
    has_vowel_sound = noun.lower().startswith(("a", "e", "i", "o", "un", "8", "msi"))  # MSI is spelled out
    return f"{'an' if has_vowel_sound else 'a'} {noun}"


def did_you_mean(word: str, known: Iterable[str] | Mapping[str, str], otherwise: str = "") -> str:
    """Return ``Did you mean A or B?`` with the *known* words nearest to *word*, or *otherwise* if none is near.

    A mapping has the word to show for each spelling. Upper and lower case do not matter.
    """
    from difflib import get_close_matches  # 1 ms, which only an error needs

    shown = known if isinstance(known, Mapping) else {name: name for name in known}
    by_spelling = {spelling.casefold(): name for spelling, name in shown.items()}
    typed = word[:_LONGEST].casefold()
    near = get_close_matches(typed, by_spelling, n=_MOST_SPELLINGS)
    near = near or [spelling for spelling in by_spelling if len(typed) >= _SHORTEST_PART and typed in spelling]
    names = list(dict.fromkeys(by_spelling[spelling] for spelling in near))[:_MOST_NEAR]
    return f"Did you mean {' or '.join(names)}?" if names else otherwise


def _visible(character: str) -> str:
    hidden = ord(character) in _BLANK or unicodedata.category(character) in _HIDDEN_CATEGORIES
    if character.isprintable() and not hidden:
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) & 0xFF:02x}"
    return character.encode("unicode_escape").decode("ascii")
