# SPDX-License-Identifier: Apache-2.0
"""Lookup of a word: its explanation, or the nearest words."""

import re
from collections.abc import Iterable, Iterator
from typing import NoReturn

from vkzircon_cli.errors import Usage
from vkzircon_cli.explain import entries
from vkzircon_cli.explain.entries import Explanation, Group
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import did_you_mean, visible

_LONGEST = 128  # every word is shorter, so a longer one is not compared
_MOST_SHOWN = 60
_ALL_WORDS = "All words: vkzircon explain"
# The number identifies a VUID: vkBindBufferMemory and VkBindBufferMemoryInfo share their rules and numbers.
_VUID_NUMBER = re.compile(r"(?:(?:vuid-)?[a-z0-9]+-[a-z0-9]+-)?(\d{1,5})", re.ASCII)
_CODE = re.compile(r"-?\d{1,4}|-\d+", re.ASCII)


@record
class WordGroup:
    """The words of one kind, and how they are written; *listed_by* is the command that lists them, if not `explain`."""

    group: Group
    about: str
    explanations: tuple[Explanation, ...]
    listed_by: str = ""


@record
class Explained:
    """The result of `vkzircon explain`: *explanations* of the word that was *asked*, or without a word all *groups*."""

    asked: str | None
    explanations: tuple[Explanation, ...]
    groups: tuple[WordGroup, ...]
    kind: str = "explain"


def explained(word: str | None) -> Explained:
    """Explain *word*, or list the words if it is None.

    Raises:
        Usage: the word is unknown; the hint has the nearest words.
    """
    return Explained(word, explain(word), ()) if word is not None else Explained(None, (), word_groups())


def explain(word: str) -> tuple[Explanation, ...]:
    """Explain *word*, in upper or lower case; a number may be both a VkResult and a zx_status_t.

    Raises:
        Usage: the word is unknown; the hint has the nearest words.
    """
    asked = word.lower() if len(word) <= _LONGEST else ""
    written = _written()
    if found := _find(asked, written):
        return found
    emulated = list(entries.emulated())
    return _find(asked, emulated) or _refuse(word, asked, [*written, *emulated])


def word_groups() -> tuple[WordGroup, ...]:
    """Return every kind of word."""
    codes = "by name, by the name without {} in front, or by number"
    return (
        WordGroup(Group.CHECK, "what vkzircon checks", tuple(entries.checks())),
        WordGroup(Group.CHECKS, "what vkzircon checks, in groups", tuple(entries.check_groups())),
        WordGroup(Group.FACT, "what vkzircon check --require compares", tuple(entries.of_file(Group.FACT, "facts"))),
        WordGroup(Group.TERM, "terms of a report", tuple(entries.terms())),
        WordGroup(Group.RIGHT, "what a handle allows", tuple(entries.of_file(Group.RIGHT, "rights"))),
        WordGroup(Group.VUID, "rules of valid usage, whole or by number", tuple(entries.vuids())),
        WordGroup(Group.RESULT, "what Vulkan returns, " + codes.format("VK_ERROR_"), tuple(entries.results())),
        WordGroup(Group.STATUS, "what the kernel returns, " + codes.format("ZX_ERR_"), tuple(entries.statuses())),
        WordGroup(
            Group.OUTCOME,
            "outcomes, and what can be wrong with an answer",
            tuple(entries.of_file(Group.OUTCOME, "outcomes")),
        ),
        WordGroup(Group.PERSONA, "drivers that the emulation imitates", (), "vkzircon emulate --list"),
        WordGroup(Group.FAULT, "faults that the emulation can have", (), "vkzircon emulate --list"),
    )


def words() -> Iterator[str]:
    """Yield every word, the whole ones before the short ones; personas and faults only where libzircon is installed."""
    explanations = [*_written(), *entries.emulated()]
    yield from (explanation.word for explanation in explanations)
    yield from (short for explanation in explanations for short in explanation.also)


def _written() -> list[Explanation]:
    return [explanation for group in word_groups() for explanation in group.explanations]


def _spellings(explanation: Explanation) -> Iterator[str]:
    """Yield every way to write a word, in lower case: VK_ERROR_X may be ERROR_X, or X, its short form."""
    yield explanation.word.lower()
    yield from (short.lower() for short in explanation.also)
    if explanation.group is Group.VUID:
        yield explanation.word.lower().removeprefix("vuid-")
    elif explanation.group in (Group.RESULT, Group.STATUS):
        yield explanation.word.lower().partition("_")[2]
    elif explanation.group is Group.RIGHT:
        yield f"zx_right_{explanation.word.lower()}"


def _find(asked: str, explanations: Iterable[Explanation]) -> tuple[Explanation, ...]:
    number = _VUID_NUMBER.fullmatch(asked)
    wanted = {asked, number[1].zfill(5)} if number else {asked}
    return tuple(each for each in explanations if not wanted.isdisjoint(_spellings(each)))


def _refuse(word: str, asked: str, explanations: Iterable[Explanation]) -> NoReturn:
    shown = _shortened(word)
    if _CODE.fullmatch(asked):
        raise Usage(f"{shown} is not the number of a known VkResult or zx_status_t.", _ALL_WORDS)
    if word.startswith("-"):
        raise Usage(f"No such option: {shown}.", "See: vkzircon explain --help")
    near = did_you_mean(asked, {spelling: each.word for each in explanations for spelling in _spellings(each)})
    raise Usage(f'"{shown}" is not a word that can be explained.', f"{near} {_ALL_WORDS}".lstrip())


def _shortened(word: str) -> str:
    shown = visible(word[: _MOST_SHOWN + 1])
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."
