# SPDX-License-Identifier: Apache-2.0
"""Text: decodes foreign text for facts, escapes it for a page or a log, and adds the article to a noun."""

import re
import unicodedata

# Cf: invisible characters, and those that change the reading direction. Cc, Zl, Zp: cursor moves and line ends.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that are not drawn (DerivedCoreProperties.txt, Default_Ignorable_Code_Point).
_BLANK = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0)
) | frozenset((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))

# What a CI system takes as a command in a log: GitHub "::NAME ...::" at the start of a line (actions/runner,
# src/Runner.Common/ActionCommand.cs), there and on Azure "##[NAME]" anywhere, "##vso[NAME]", "##teamcity[NAME".
# A writer may begin a line at any word, and fold a long word anywhere: there only GitHub's own names count.
_NAMES = "add-|debug|echo|endgroup|error|group|notice|remove-|save-|set-|stop-|warning|internal-"
_COMMAND = re.compile(rf"(?<![\w>)\]])::|::(?={_NAMES})|##(?=\w*\[)", re.IGNORECASE)


def decode(raw: bytes) -> tuple[str, str | None]:
    r"""Decode UTF-8, other bytes as ``\xNN``; the second value has all bytes in hex if there were others, else None."""
    text = raw.decode("utf-8", "backslashreplace")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return text, raw.hex()
    return text, None


def visible(text: str) -> str:
    """Escape what a page acts on or hides: control, format, private and unassigned characters, unusual spaces.

    In the commands of CI systems the second character is escaped too: a log is also a page.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(_visible(character) for character in text)
    return _COMMAND.sub(_broken, text) if "::" in text or "##" in text else text


def without_commands(document: str) -> str:
    """Return a JSON *document* in which no string has ``##``, which may begin a command of a CI system; same values."""
    return document.replace("##", "#\\u0023")


def _broken(command: re.Match[str]) -> str:
    return f"{command[0][0]}\\x{ord(command[0][1]):02x}"


def with_article(noun: str) -> str:
    """Return *noun* with its article: ``a channel``, ``an event``, ``an 8-bit library``."""
    has_vowel_sound = noun.lower().startswith(("a", "e", "i", "o", "un", "8", "msi"))  # MSI is spelled out
    return f"{'an' if has_vowel_sound else 'a'} {noun}"


def _visible(character: str) -> str:
    hidden = ord(character) in _BLANK or unicodedata.category(character) in _HIDDEN_CATEGORIES
    if character.isprintable() and not hidden:
        return character
    return character.encode("unicode_escape").decode("ascii")
