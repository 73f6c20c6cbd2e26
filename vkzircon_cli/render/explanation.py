# SPDX-License-Identifier: Apache-2.0
"""Explanations, and the words that have one, for people and for programs."""

from collections.abc import Sequence

from vkzircon_cli.checks.registry import PRACTICE
from vkzircon_cli.explain import Explained, Explanation, Group, WordGroup
from vkzircon_cli.model.base import plain
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.style import Page
from vkzircon_cli.render.writer import Sheet

EXPLANATION_SCHEMA_VERSION = "1.0"
_KINDS = {
    Group.CHECK: ("check", "Checks"),
    Group.VUID: ("valid usage", "Valid usage"),
    Group.RESULT: ("VkResult", "VkResult"),
    Group.STATUS: ("zx_status_t", "zx_status_t"),
    Group.PERSONA: ("persona of the emulation", "Personas"),
    Group.FAULT: ("fault of the emulation", "Faults"),
    Group.CHECKS: ("group of checks", "Groups of checks"),
    Group.FACT: ("fact", "Facts"),
    Group.RIGHT: ("right of a handle", "Rights"),
    Group.TERM: ("term", "Terms"),
    Group.OUTCOME: ("outcome", "Outcomes"),
}
# The heading of `causes` for groups in which they are not causes.
_CAUSES = {
    Group.PERSONA: "Behaviour of that driver",
    Group.CHECKS: "Its checks",
    Group.RIGHT: "Without it",
    Group.TERM: "Note",
}


def render_explanations(explanations: Sequence[Explanation], page: Page) -> str:
    """Write explanations one below the other."""
    sheet = Sheet(page)
    for explanation in explanations:
        sheet.blank()
        title = sheet.text(explanation.word, "bold")
        kind, _ = _KINDS[explanation.group]
        also = f", also {' or '.join(explanation.also)}" if explanation.also else ""
        sheet.value(sheet.join(title, f"  {kind}{also}") if title.cell_len < sheet.page.width else title)
        sheet.prose(explanation.meaning, indent=2)
        if explanation.rule:
            practice = "It rests on practice: no rule requires it, so a deviation is at most a warning."
            sheet.prose(practice if explanation.rule == PRACTICE else f"It rests on {explanation.rule}.", indent=2)
        if explanation.causes:
            sheet.heading(_CAUSES.get(explanation.group, "Usual causes"))
        for cause in explanation.causes:
            sheet.item(sheet.text("- "), cause, indent=2)
        sheet.heading("What to do")
        sheet.prose(explanation.advice, indent=2)
    return sheet.finish()


def render_words(groups: Sequence[WordGroup], page: Page) -> str:
    """Write the words that have an explanation, in their shortest readable form."""
    sheet = Sheet(page)
    sheet.prose("vkzircon explain WORD explains a word: its meaning, its usual causes and what to do.")
    for group in groups:
        _, title = _KINDS[group.group]
        sheet.heading(f"{title}: {group.about}")
        short = (next(iter(each.also), each.word.removeprefix("VUID-")) for each in group.explanations)
        sheet.prose(", ".join(short) or f"All of them: {group.listed_by}", indent=2)
    return sheet.finish()


def render_explained(found: Explained, page: Page) -> str:
    """Write explanations of one word, or all words."""
    return render_words(found.groups, page) if found.asked is None else render_explanations(found.explanations, page)


def render_explained_json(found: Explained) -> str:
    """Write the same as JSON, with the same keys for every question."""
    groups = [
        {"group": each.group, "about": each.about, "words": [one.word for one in each.explanations]}
        for each in found.groups
    ]
    return render_json(
        {
            "schema_version": EXPLANATION_SCHEMA_VERSION,
            "asked": found.asked,
            "explanations": plain(found.explanations),
            "groups": groups,
        }
    )
