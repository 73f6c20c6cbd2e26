# SPDX-License-Identifier: Apache-2.0
"""Glossaries: files that explain words, each with its meaning, usual causes and advice; read when a text is shown.

A file's first paragraph has comments and shared sentences, `NAME = sentence`; elsewhere `{NAME}` stands for one. Each
other paragraph is a word, its meaning, a line `- ` for each cause, and a line `> ` of advice. A line that begins with
two spaces continues the line before it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Text(NamedTuple):
    """The explanation of a word: *causes* are the usual ones, with the driver's name where it is known."""

    meaning: str
    causes: tuple[str, ...]
    advice: str


@cache
def read_glossary(path: Path) -> Mapping[str, Text]:
    """Return the texts of a glossary by their words, in the file's order."""
    head, *paragraphs = path.read_text(encoding="ascii").rstrip().replace("\n  ", " ").split("\n\n")
    shared = dict(line.split(" = ", 1) for line in head.splitlines() if not line.startswith("#"))
    return dict(_parsed(paragraph.format_map(shared)) for paragraph in paragraphs)


def _parsed(paragraph: str) -> tuple[str, Text]:
    word, meaning, *causes, advice = paragraph.splitlines()
    return word, Text(meaning, tuple(cause.removeprefix("- ") for cause in causes), advice.removeprefix("> "))
