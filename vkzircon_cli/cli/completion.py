# SPDX-License-Identifier: Apache-2.0
"""The values that a shell completes. A function that needs checks or libzircon imports them when it runs."""

from collections.abc import Callable, Iterable, Iterator


def of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """Return the function that completes one of *words*."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(words, incomplete)

    return complete


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def _last_of_list(words: Iterable[str], incomplete: str, separator: str) -> list[str]:
    """Complete the last word of a list, and keep the words before it."""
    before, found, last = incomplete.rpartition(separator)
    return [f"{before}{found}{word}" for word in _beginning(words, last)]


def words() -> list[str]:
    """Complete a word that can be explained."""
    from vkzircon_cli.explain import words

    return list(words())


def checks(incomplete: str) -> list[str]:
    """Complete groups and ids of checks, also after a comma."""
    return _last_of_list(_check_names(), incomplete, ",")


def _check_names() -> list[str]:
    from vkzircon_cli.checks import in_order
    from vkzircon_cli.checks.registry import GROUPS

    return [*GROUPS, *(check.id for check in in_order())]


def conditions(incomplete: str) -> list[str]:
    """Complete a condition: a check, or a fact and the words that it is compared with."""
    from vkzircon_cli.report.conditions import FACTS, Kind

    found = [name for name in _check_names() if "." in name]
    for name, fact in FACTS.items():
        if fact.kind is Kind.WORD and fact.words:
            found += [f"{name}={word}" for word in fact.words]
        elif fact.kind is Kind.FLAGS and incomplete.startswith(name):
            found += _flags(name, fact.words, incomplete)
        else:
            found.append(name)
    return _beginning(found, incomplete)


def facts(incomplete: str) -> list[str]:
    """Complete names of facts, also after a comma."""
    from vkzircon_cli.report.conditions import FACTS

    return _last_of_list(FACTS, incomplete, ",")


def _flags(name: str, flags: Iterable[str], incomplete: str) -> Iterator[str]:
    """Yield the comparison of a fact with the flags typed so far and one more."""
    rest = incomplete.removeprefix(name)
    operator = rest[: len(rest) - len(rest.lstrip("!<>="))] or ">="
    typed = rest.lstrip("!<>=")
    yield from (f"{name}{operator}{value}" for value in _last_of_list(flags, typed, "|"))


def personas(incomplete: str) -> list[str]:
    """Complete the name of a persona."""
    return _beginning(_emulated("persona"), incomplete)


def faults(incomplete: str) -> list[str]:
    """Complete names of faults, also after a comma."""
    return _last_of_list(_emulated("fault"), incomplete, ",")


def _emulated(group: str) -> list[str]:
    from vkzircon_cli.explain.entries import emulated

    return [entry.word for entry in emulated() if entry.group == group]
