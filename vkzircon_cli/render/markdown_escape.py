# SPDX-License-Identifier: Apache-2.0
"""Escaping for Markdown: running text, values, tables, blocks of code, folds.

Words of a small safe alphabet stay unchanged; all others become code, in which trackers make no mentions, links or
markup.
"""

import re
from collections.abc import Iterator, Sequence

from vkzircon_cli.model.text import visible
from vkzircon_cli.render.content import cut

_SAFE = re.compile(r"[A-Za-z0-9]+(?:[-.,'/][A-Za-z0-9]+)*")
# Names that trackers link: addresses, issues (GH-12), commits, people and folders of repositories.
_LINKED = re.compile(r"\bwww\.|\bgh-[0-9]|\b[0-9a-f]{7,}\b|/.*/", re.IGNORECASE)
_PARTS = re.compile(r"(\(?)(.*?)([),.;:]*)", re.DOTALL)
_NUMBERED = re.compile(r"[0-9]+[.)]")  # begins a list
_MAIL = re.compile(r"(?<=[\w.+-])(?=@)")
_SPAN = re.compile(r"`([^`]*)`")
_NOT_IN_SPAN = re.compile(r"[`|\\&<>]|^ | $|  |^$")


def prose(words: str, limit: int = 1000) -> str:
    """Return running text that reads unchanged and contains no markup."""
    shown = [word for word in visible(cut(words, limit)).split(" ") if word]
    text = " ".join(_joined(shown))
    return _span(shown[0]) + text[len(shown[0]) :] if shown and _NUMBERED.fullmatch(shown[0]) else text


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Yield words in Markdown; neighbours that become code share one span."""
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
    """Split a word from the punctuation around it; a word of punctuation only stays whole."""
    found = _PARTS.fullmatch(word)
    before, core, after = found.groups() if found else ("", word, "")
    return (before, core, after) if core else ("", word, "")


def _is_safe(core: str) -> bool:
    return bool(_SAFE.fullmatch(core)) and not _LINKED.search(core)


def code(words: str, limit: int = 1000) -> str:
    """Return a value as code."""
    shown = visible(cut(words, limit))
    return _span(shown) if shown.strip() else ""


def _span(shown: str) -> str:
    return _tagged(shown) if _NOT_IN_SPAN.search(shown) else f"`{shown}`"


def _tagged(shown: str) -> str:
    # Trackers look for mail addresses after decoding entities, in code too, so that no tag may hold a whole one.
    return "".join(f"<code>{''.join(_entities(part))}</code>" for part in _MAIL.split(shown))


def _entities(shown: str) -> Iterator[str]:
    for character in shown:
        is_mark = character.isascii() and not character.isalnum() and character != " "
        yield f"&#{ord(character)};" if is_mark else character


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def fence(lines: Sequence[str]) -> list[str]:
    """Return lines as a block of code, with a fence longer than any in them."""
    shown = [visible(line.expandtabs()) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    mark = "`" * max(3, longest + 1)
    return [f"{mark}text", *shown, mark]


def folded(summary: str, body: str) -> str:
    """Return *body* folded away below *summary*; Markdown in HTML needs the blank line."""
    # Inside a tag no Markdown is read, so that a span in backticks would be plain text.
    title = _SPAN.sub(lambda span: _tagged(span[1]), prose(summary))
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n"
