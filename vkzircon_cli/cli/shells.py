# SPDX-License-Identifier: Apache-2.0
"""Completion in bash, zsh and fish, on top of Typer's: values behind `=`, and the options of a bare `vkzircon`.

Imported only where a shell asks for completion.
"""

import os
from collections.abc import Iterable
from typing import Any

from typer._click.shell_completion import add_completion_class, split_arg_string
from typer._completion_classes import BashComplete, FishComplete, ZshComplete, completion_init


class _Completes:
    """Completes `--option=VALUE` as one word, and the options of `report` where no command is given yet."""

    def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
        """Return the completions of the word *incomplete* after the words *args*."""
        option, equals, value = incomplete.partition("=")
        if option.startswith("-") and equals:
            found = self._of_typer([*args, option], value)
            for item in found:
                item.value = f"{option}={item.value}"
            return found
        found = self._of_typer(args, incomplete)
        if not args and incomplete.startswith("-"):
            found += self._of_typer(["report"], incomplete)
        return list({item.value: item for item in found}.values())

    def _of_typer(self, args: list[str], incomplete: str) -> list[Any]:
        found: list[Any] = super().get_completions(args, incomplete)  # type: ignore[misc]
        return found


class _Bash(_Completes, BashComplete):
    """bash makes three words of `--option=VALUE`, and replaces only the one after the `=`."""

    _kept = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and that word as far as it is typed."""
        words = split_arg_string(os.environ["COMP_WORDS"])[: int(os.environ["COMP_CWORD"]) + 1]
        is_new = len(words) <= int(os.environ["COMP_CWORD"])
        joined = _joined([*words, ""] if is_new else words)
        if not is_new and words[-1] != joined[-1]:
            self._kept = joined[-1].removesuffix("" if words[-1] == "=" else words[-1])
        return joined[1:-1], joined[-1]

    def format_completion(self, item: Any) -> str:
        """Return the part of a completion that replaces bash's own last word."""
        return str(item.value).removeprefix(self._kept)


def _joined(words: Iterable[str]) -> list[str]:
    joined: list[str] = []
    is_value = False
    for word in words:
        if joined and (word == "=" or is_value):
            joined[-1] += word
        else:
            joined.append(word)
        is_value = word == "="
    return joined


class _Zsh(_Completes, ZshComplete):
    """zsh keeps `--option=VALUE` together."""


class _Fish(_Completes, FishComplete):
    """fish keeps `--option=VALUE` together."""


def register() -> None:
    """Register the shells, which Typer leaves out with ``add_completion=False``."""
    completion_init()
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell, shell.name)
