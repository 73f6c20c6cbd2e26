# SPDX-License-Identifier: Apache-2.0
"""The options that decide the verdict of `check`: conditions that must be met, and the checks that count.

    CONDITION = CHECK | FACT OPERATOR VALUE
    OPERATOR  = "=" | "!=" | ">=" | "<=" | ">" | "<"
    VALUE     = word | number, also 0x... or with K, M, G for powers of 1024 | version, as 1.1 | flags joined by "|"

A CHECK is met where it passes or only notes something. A FACT is one of `requirable.FACTS`. Flags are compared as
sets: ``>=`` asks for these at least. Words have no order, and no case.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from vkzircon_cli.checks import REGISTRY, Outcome, Verdict
from vkzircon_cli.checks.registry import GROUPS
from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import record
from vkzircon_cli.model.request import Judging
from vkzircon_cli.model.text import visible, with_article
from vkzircon_cli.report.requirable import FACTS, Kind, NamedFact, Seen, Value

_FORM = re.compile(r"\s*([^\s=!<>]*)\s*(?:(>=|<=|!=|==?|>|<)\s*(.*?)\s*)?", re.DOTALL)
_NUMBER = re.compile(r"(0x[0-9a-f]{1,16}|\d{1,20})\s*(?:([KMG])(?:i?B)?|B)?", re.IGNORECASE)
_VERSION = re.compile(r"\d{1,3}(\.\d{1,4}){0,2}")
_JOINED = re.compile(r"&&|\|\||\s(?:and|or)\s", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_HOW = "As in: export.handle-is-vmo, device.type=discrete, memory.exportable-types>=1 or vmo.rights>=READ|WRITE|MAP."


class Judged(Protocol):
    """A check's verdict, also when it is part of a report."""

    @property
    def outcome(self) -> Outcome:
        """The outcome."""

    @property
    def sentence(self) -> str:
        """The outcome in words."""

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps in which it was seen."""


@record
class Condition:
    """A parsed condition; one that names a check has no *fact*."""

    name: str
    fact: NamedFact | None = None
    operator: str = ""
    value: Value | None = None


def parse_condition(text: str) -> Condition:
    """Parse a condition.

    Raises:
        Usage: it is not a condition; the hint has the nearest names.
    """
    found = _FORM.fullmatch(text)
    name, sign, value = (found[1], found[2], found[3] or "") if found else (text, None, "")
    fact = FACTS.get(name)
    if fact is None and name not in REGISTRY:
        raise Usage(f"There is no check and no fact named {_quoted(name)}.", _nearest(name, [*REGISTRY, *FACTS]))
    if fact is None:
        if sign is not None:
            raise Usage(f"{name} is a check, which cannot be compared.", f"As in: --require {name}")
        return Condition(name)
    if sign is None:
        quoting = "Quote it, because > and | are operators of the shell: --require 'memory.exportable-types>=1'."
        raise Usage(f"{name} is a fact, which must be compared with a value.", quoting)
    if _JOINED.search(value):
        raise Usage("Conditions cannot be joined.", "Repeat --require for each: all of them must hold.")
    sign = "=" if sign == "==" else sign
    return Condition(name, fact, sign, _value(fact, sign, value))


def refuse_unknown_checks(names: Iterable[str]) -> None:
    """Refuse what is neither a check's id nor a group's name.

    Raises:
        Usage: one of *names* is unknown; the hint has the nearest names.
    """
    for name in names:
        if name not in REGISTRY and name not in GROUPS:
            problem = f"There is no check and no group of checks named {_quoted(name)}."
            groups = f"The groups are {', '.join(GROUPS)}; vkzircon explain lists the checks."
            raise Usage(problem, _nearest(name, [*GROUPS, *REGISTRY], groups))


def is_chosen(id: str, judging: Judging) -> bool:
    """Whether the check *id* counts: it is selected, where any is, and not ignored."""
    names = {id, id.partition(".")[0]}
    return (not judging.select or bool(names.intersection(judging.select))) and names.isdisjoint(judging.ignore)


def refuse_empty_choice(judging: Judging) -> None:
    """Refuse to judge by nothing, which would always be good.

    Raises:
        Usage: no check is left, and no condition is required.
    """
    if not judging.require and not any(is_chosen(each, judging) for each in REGISTRY):
        raise Usage("--ignore leaves no check of those that --select chose.", "Ignore fewer, or add --require.")


def _quoted(words: str) -> str:
    return f'"{visible(words[:60])}"'


def _nearest(name: str, known: list[str], otherwise: str = _HOW) -> str:
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    near = near or [word for word in known if name and name in word][:3]
    return f"Did you mean {' or '.join(near)}?" if near else otherwise


def _value(fact: NamedFact, sign: str, text: str) -> Value:
    if fact.kind is Kind.WORD and sign not in ("=", "!="):
        raise Usage(f"{fact.name} is a word, and words have no order.", f"Use = or !=, as in: {fact.name}={text}")
    value = {Kind.WORD: _word, Kind.NUMBER: _number, Kind.VERSION: _version, Kind.FLAGS: _flags}[fact.kind](fact, text)
    if value is None:
        raise Usage(f"{fact.name} is compared with {with_article(fact.kind)}, which {_quoted(text)} is not.", _HOW)
    return value


def _word(fact: NamedFact, text: str) -> Value | None:
    if fact.words and text.casefold() not in fact.words:
        known = ", ".join(fact.words)
        raise Usage(f"{fact.name} is never {_quoted(text)}.", f"It is one of: {known}.")
    return text.casefold() or None


def _number(_: NamedFact, text: str) -> Value | None:
    found = _NUMBER.fullmatch(text)
    return (
        int(found[1], 0 if found[1].lower().startswith("0x") else 10) * _UNITS[(found[2] or "").upper()]
        if found
        else None
    )


def _version(_: NamedFact, text: str) -> Value | None:
    return tuple(map(int, text.split("."))) if _VERSION.fullmatch(text) else None


def _flags(fact: NamedFact, text: str) -> Value | None:
    names = frozenset(name.strip().upper() for name in text.split("|") if name.strip())
    for name in sorted(names.difference(fact.words)):
        near = get_close_matches(name, fact.words, n=2, cutoff=0.5)
        knows = f"Did you mean {' or '.join(near)}?" if near else f"Its flags: {', '.join(fact.words)}."
        raise Usage(f"{fact.name} has no flag {_quoted(name)}.", f"{knows} Flags are joined by |.")
    return names or None


def judge(condition: Condition, seen: Seen, verdicts: Mapping[str, Judged]) -> Verdict:
    """Return whether one device meets *condition*, by what was *seen* of it and the *verdicts* of its checks."""
    if condition.fact is None:
        verdict = verdicts[condition.name]
        met = verdict.outcome in (Outcome.PASS, Outcome.INFO)
        return Verdict(Outcome.PASS if met else Outcome.FAIL, verdict.sentence, verdict.steps)
    found = condition.fact.read(seen)
    if found is None:
        return Verdict(Outcome.FAIL, f"{condition.name} was not seen.", ())
    met = _OPERATORS[condition.operator](*_comparable(found, condition.value))
    lacking = _lacking(condition, found)
    said = f"{condition.name} is {_shown(condition.fact, found)}{f', without {lacking}' if lacking else ''}."
    return Verdict(Outcome.PASS if met else Outcome.FAIL, said, ())


def _lacking(condition: Condition, found: Value) -> str:
    """Return the flags that are required and missing."""
    if condition.operator != ">=" or not isinstance(found, frozenset) or not isinstance(condition.value, frozenset):
        return ""
    return "|".join(sorted(condition.value - found))


def _comparable(found: Value, wanted: Value | None) -> tuple[Value, Value | None]:
    if isinstance(found, str):
        return found.casefold(), wanted
    if isinstance(found, tuple) and isinstance(wanted, tuple):
        return found[: len(wanted)], wanted  # 1.3.240 equals 1.3 here
    return found, wanted


def _shown(fact: NamedFact, found: Value) -> str:
    if isinstance(found, tuple):
        return ".".join(map(str, found))
    if isinstance(found, frozenset):
        return "|".join(sorted(found, key=lambda name: (*fact.words, name).index(name))) or "none"
    return str(found)
