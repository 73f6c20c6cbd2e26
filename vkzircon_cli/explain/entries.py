# SPDX-License-Identifier: Apache-2.0
"""The explanations, kind by kind. Their texts are in files, except the emulation's, which come from its libzircon."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from vkzircon_cli.checks import in_order
from vkzircon_cli.errors import CannotAsk
from vkzircon_cli.model.base import record
from vkzircon_cli.model.glossary import Text, read_glossary
from vkzircon_cli.model.spec import VK_RESULTS, ZX_STATUS

# The driver's own behaviour, read in its sources, not seen on a device.
_QUIRKS: Mapping[str, tuple[str, ...]] = {
    "swiftshader": (
        "It adds 15 bytes to each allocation, so a VMO is often one page larger, and to the mapping of each import.",
        "The queries report no feature for buffers, but do for images; both can be shared.",
        "A failed import closes the handle, sizes are never compared, and the properties of any number name all types.",
    ),
    "goldfish": (
        "Export needs a dedicated image or buffer; only VMOs that its host knows can be imported; a bad handle aborts.",
        "A failed duplication is ignored: VK_SUCCESS may come with handle 0.",
    ),
    "magma": (
        "Properties are answered by importing a duplicate; a VMO that cannot be mapped has no memory type.",
        "Only the sources of an old fork were read: today's driver may differ.",
    ),
}
# The rule's number in the validation layer of 2023.
_OLDER_NUMBERS = {"09860": ("00656",)}
_UNKNOWN = Text("The call was refused.", (), "Look at what the driver printed: --verbose.")


class Group(StrEnum):
    """The kinds of words."""

    CHECK = "check"
    CHECKS = "checks"
    FACT = "fact"
    TERM = "term"
    RIGHT = "right"
    VUID = "vuid"
    RESULT = "result"
    STATUS = "status"
    OUTCOME = "outcome"
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


def checks() -> Iterator[Explanation]:
    """Explain every registered check, in the order of reports."""
    return (Explanation(check.id, Group.CHECK, *check.text, rule=check.rule) for check in in_order())


def check_groups() -> Iterator[Explanation]:
    """Explain every group of checks; *causes* lists the checks of the group."""
    for word, text in read_glossary(_file("groups")).items():
        its = tuple(f"{each.id}: {each.text.meaning}" for each in in_order() if each.id.startswith(f"{word}."))
        yield Explanation(word, Group.CHECKS, text.meaning, its, text.advice)


def terms() -> Iterator[Explanation]:
    """Explain the terms of a report; one of several words may also be written with hyphens."""
    for each in of_file(Group.TERM, "terms"):
        yield replace(each, also=(each.word.replace(" ", "-"),)) if " " in each.word else each


def of_file(group: Group, file: str) -> Iterator[Explanation]:
    """Explain every word of a *group* whose texts are all in *file*."""
    return (Explanation(word, group, *text) for word, text in read_glossary(_file(file)).items())


def vuids() -> Iterator[Explanation]:
    """Explain every rule of valid usage; a numbered rule may also be written as its number or its older number."""
    for word, text in read_glossary(_file("vuids")).items():
        number = word.rpartition("-")[2]
        also = (number, *_OLDER_NUMBERS.get(number, ())) if number.isdigit() else ()
        yield Explanation(word, Group.VUID, *text, also=also)


def results() -> Iterator[Explanation]:
    """Explain every VkResult."""
    return _codes(Group.RESULT, VK_RESULTS, "results")


def statuses() -> Iterator[Explanation]:
    """Explain every zx_status_t."""
    return _codes(Group.STATUS, ZX_STATUS, "statuses")


def text_of(word: str) -> Text:
    """Return the text of a VkResult, a zx_status_t, an outcome, or what can be wrong with an answer.

    Any other word gets the text of a refused call.
    """
    texts = (read_glossary(_file(name)) for name in ("results", "statuses", "outcomes"))
    return next((text[word] for text in texts if word in text), _UNKNOWN)


def _file(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.txt")


def _codes(group: Group, names: Mapping[int, str], file: str) -> Iterator[Explanation]:
    """Explain codes, which may also be written without VK_ERROR_ or ZX_ERR_, or as numbers."""
    texts = read_glossary(_file(file))
    for number, word in names.items():
        short = word.partition("_")[2].removeprefix("ERROR_").removeprefix("ERR_")
        yield Explanation(word, group, *texts[word], also=(short, str(number)))


def emulated() -> Iterator[Explanation]:
    """Explain every persona and fault, as libzircon lists them; none where the emulation is not installed."""
    try:  # imported here: cffi may be missing, and these words can be explained without it
        from vkzircon_cli.bindings.faults import list_faults, list_personas
        from vkzircon_cli.emulation import installation

        lib = installation.open_libzircon({})
    except (CannotAsk, ImportError, OSError):
        return
    for entry in list_personas(lib):
        advice = f"Try it: vkzircon --emulate --persona {entry.name}"
        yield Explanation(entry.name, Group.PERSONA, entry.description, _QUIRKS.get(entry.name, ()), advice)
    for entry in list_faults(lib):
        advice = f"See what catches it: vkzircon check --emulate --fault {entry.name}"
        yield Explanation(entry.name, Group.FAULT, entry.description, (), advice)
