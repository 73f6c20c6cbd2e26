# SPDX-License-Identifier: Apache-2.0
"""How words get into Markdown harmlessly: as running text, as a value, in a table, folded away.

Words of a small safe alphabet stay as they are; all others become code, in which nobody is mentioned, nothing is
linked and no mark is one.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vkzircon_cli.model.text import visible

if TYPE_CHECKING:
    from vkzircon_cli.report.redaction import Hidden

_SAFE = re.compile(r"[A-Za-z0-9]+(?:[-.,'/][A-Za-z0-9]+)*")
# Names that trackers link: addresses, issues (GH-12), commits, people and folders of repositories.
_LINKED = re.compile(r"\bwww\.|\bgh-[0-9]|\b[0-9a-f]{7,}\b|/.*/", re.IGNORECASE)
_PARTS = re.compile(r"(\(?)(.*?)([),.;:]*)", re.DOTALL)
_NUMBERED = re.compile(r"[0-9]+[.)]")  # begins a list
_MAIL = re.compile(r"(?<=[\w.+-])(?=@)")
_NOT_IN_SPAN = re.compile(r"[`|\\&<>]|^ | $|  |^$")


def prose(words: str, limit: int = 1000) -> str:
    """Write running text: it reads as it is, and marks nothing."""
    shown = [word for word in visible(_cut(words, limit)).split(" ") if word]
    text = " ".join(_joined(shown))
    return _span(shown[0]) + text[len(shown[0]) :] if shown and _NUMBERED.fullmatch(shown[0]) else text


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Give words in Markdown; those that become code and have nothing between them share one span."""
    waiting: list[str] = []
    for word in words:
        before, core, after = _parts(word)
        if waiting and (before or _is_safe(core)):
            yield _span(" ".join(waiting))
            waiting = []
        if _is_safe(core):
            yield word
        elif before or after:
            yield before + _span(" ".join((*waiting, core))) + after
            waiting = []
        else:
            waiting.append(core)
    if waiting:
        yield _span(" ".join(waiting))


def _parts(word: str) -> tuple[str, str, str]:
    """Take the punctuation of a sentence off a word; what is nothing else is the word."""
    found = _PARTS.fullmatch(word)
    before, core, after = found.groups() if found else ("", word, "")
    return (before, core, after) if core else ("", word, "")


def _is_safe(core: str) -> bool:
    return bool(_SAFE.fullmatch(core)) and not _LINKED.search(core)


def code(words: str, limit: int = 1000) -> str:
    """Write a value."""
    shown = visible(_cut(words, limit))
    return _span(shown) if shown.strip() else ""


def _span(shown: str) -> str:
    if not _NOT_IN_SPAN.search(shown):
        return f"`{shown}`"
    # Mail addresses are looked for after entities were read, in code too: no tag may hold a whole one.
    return "".join(f"<code>{''.join(_entities(part))}</code>" for part in _MAIL.split(shown))


def _entities(shown: str) -> Iterator[str]:
    for character in shown:
        is_mark = character.isascii() and not character.isalnum() and character != " "
        yield f"&#{ord(character)};" if is_mark else character


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of cells that `prose` and `code` made."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def fence(lines: Sequence[str]) -> list[str]:
    """Write lines as a block of code, fenced by more marks than any of them has."""
    shown = [visible(line.expandtabs()) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    mark = "`" * max(3, longest + 1)
    return [f"{mark}text", *shown, mark]


def folded(summary: str, body: str) -> str:
    """Fold *body* away below *summary*, which is ours; the blank line lets a table in it be one."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n</details>\n"


def hidden_words(hidden: "Sequence[Hidden] | None") -> str:
    """Say in a paragraph what was hidden, and nothing where nothing was looked for."""
    if hidden is None:
        return ""
    told = ", ".join(f"{each.what} ({each.count})" for each in hidden)
    return f"\nHidden: {prose(told)}. With --no-redact nothing is.\n" if told else "\nNothing had to be hidden.\n"


def _cut(words: str, limit: int) -> str:
    left = len(words) - limit
    return words if left <= 0 else f"{words[:limit]}... ({left} more characters)"
