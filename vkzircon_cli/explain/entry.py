# SPDX-License-Identifier: Apache-2.0
"""The explanation of one word."""

from collections.abc import Mapping
from enum import StrEnum

from vkzircon_cli.model.base import record


class Group(StrEnum):
    """The kinds of words."""

    CHECK = "check"
    VUID = "vuid"
    RESULT = "result"
    STATUS = "status"
    PERSONA = "persona"
    FAULT = "fault"


@record
class Explanation:
    """A word explained: *causes* are the usual ones, with the driver's name where it is known; there may be none.

    *also* are shorter ways to write the word, the most readable one first; *rule* is the text that a check rests on,
    '' for other words.
    """

    word: str
    group: Group
    meaning: str
    causes: tuple[str, ...]
    advice: str
    also: tuple[str, ...] = ()
    rule: str = ""


def code(group: Group, names: Mapping[int, str], word: str, meaning: str, *causes: str, advice: str) -> Explanation:
    """Explain a code of *names*, which may also be written without VK_ERROR_ or ZX_ERR_, or as its number."""
    number = next(number for number, name in names.items() if name == word)
    short = word.partition("_")[2].removeprefix("ERROR_").removeprefix("ERR_")
    return Explanation(word, group, meaning, causes, advice, also=(short, str(number)))
