# SPDX-License-Identifier: Apache-2.0
"""What one word is explained with."""

from enum import StrEnum

from vkzircon_cli.model.base import record


class Group(StrEnum):
    """What kind of word it is."""

    CHECK = "check"
    VUID = "vuid"
    RESULT = "result"
    STATUS = "status"
    PERSONA = "persona"
    FAULT = "fault"


@record
class Explanation:
    """A word explained: *causes* are the usual ones, with the driver's name where it is known; there may be none.

    *also* are shorter ways to write the word, the most readable one first; *rule* is what a check rests on, else ''.
    """

    word: str
    group: Group
    meaning: str
    causes: tuple[str, ...]
    advice: str
    also: tuple[str, ...] = ()
    rule: str = ""
