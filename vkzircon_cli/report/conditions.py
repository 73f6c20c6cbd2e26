# SPDX-License-Identifier: Apache-2.0
"""The options that decide the verdict of `check`: conditions that must be met, and the checks that count.

    CONDITION = CHECK | FACT OPERATOR VALUE
    OPERATOR  = "=" | "!=" | ">=" | "<=" | ">" | "<"
    VALUE     = word | number, also 0x... or with K, M, G for powers of 1024 | version, as 1.1 | flags joined by "|"

A CHECK is met if its outcome is a pass or a note. A FACT is one of `FACTS`. Flags are compared as sets: ``>=`` requires
at least these flags. Words are compared without regard to case, and have no order.
"""

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any

from vkzircon_cli.checks import REGISTRY, Outcome, Verdict
from vkzircon_cli.checks.registry import GROUPS
from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Device, Extension, Facts, Heap
from vkzircon_cli.model.host import FUCHSIA, LINUX
from vkzircon_cli.model.quantities import UNITS
from vkzircon_cli.model.queries import display_name, find_extension
from vkzircon_cli.model.request import Judging
from vkzircon_cli.model.spec import DEVICE_TYPES, RIGHT_BITS, Version
from vkzircon_cli.model.text import did_you_mean, visible, with_article
from vkzircon_cli.model.vmo import ImportKind
from vkzircon_cli.report.summary import CheckResult

_FORM = re.compile(r"\s*([^\s=!<>]*)\s*(?:(>=|<=|!=|==?|>|<)\s*(.*?)\s*)?", re.DOTALL)
_NUMBER = re.compile(r"(0x[0-9a-f]{1,16}|\d{1,20})\s*(?:([KMG])(?:i?B)?|B)?", re.IGNORECASE)
_VERSION = re.compile(r"\d{1,3}(\.\d{1,4}){0,2}")
_JOINED = re.compile(r"&&|\|\||\s(?:and|or)\s", re.IGNORECASE)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_MOST_WORDS = 8  # values that an error lists in full
_HOW = "As in: export.handle-is-vmo, device.type=discrete, memory.exportable-types>=1 or vmo.rights>=READ|WRITE|MAP."


class Kind(StrEnum):
    """How a fact is compared."""

    WORD = "word"
    NUMBER = "number"
    VERSION = "version"
    FLAGS = "flags"


Value = str | int | tuple[int, ...] | frozenset[str]


@record
class Seen:
    """The source of the facts: the observations of the machine and of one device."""

    facts: Facts
    device: Device
    platform: str
    emulated: bool


@record
class NamedFact:
    """A fact by its public *name*; *words* are its only values, if known. *read* returns None for an unknown value."""

    name: str
    kind: Kind
    meaning: str
    read: Callable[[Seen], Value | None]
    words: tuple[str, ...] = ()


def _at(path: str, value: Callable[[Any], Value | None] = lambda found: found) -> Callable[[Seen], Value | None]:
    """Return a function that applies *value* to the fact at *path*; it returns None if part of the path is missing."""

    def read(seen: Seen) -> Value | None:
        found: Any = seen
        for name in path.split("."):
            found = getattr(found, name)
            found = found.value if isinstance(found, Answer) else found
            if found is None:
                return None
        return value(found)

    return read


def _numbers(of: Version) -> tuple[int, ...]:
    """Unpack VK_MAKE_API_VERSION without its variant."""
    return of.value >> 22 & 0x7F, of.value >> 12 & 0x3FF, of.value & 0xFFF


def _yes_or_no(is_so: bool) -> Value:
    return "yes" if is_so else "no"


def _written(version: Version) -> Value:
    return version.text or f"{version.value:#x}"


def _largest(heaps: tuple[Heap, ...]) -> Value:
    return max((heap.size for heap in heaps), default=0)


def _revision(extensions: tuple[Extension, ...]) -> Value | None:
    found = find_extension(extensions)
    return found.revision if found else None


def _exported(seen: Seen) -> Value | None:
    return len({row.memory_type for row in seen.device.exports if row.handle.value}) if seen.device.exports else None


def _imported(seen: Seen) -> Value | None:
    rows = [row for row in seen.device.imports if row.kind is ImportKind.SAME_DEVICE]
    return len({row.memory_type for row in rows if row.imported.value}) if rows else None


def _rights(seen: Seen) -> Value | None:
    """Return the rights that every exported VMO has."""
    handles = [row.handle.value for row in seen.device.exports if row.handle.value]
    found = [frozenset(handle.basic.value.rights.names) for handle in handles if handle.basic.value]
    return frozenset.intersection(*found) if found else None


_W, _N, _V, _F = Kind.WORD, Kind.NUMBER, Kind.VERSION, Kind.FLAGS
_TYPES = tuple(DEVICE_TYPES.values())
_IDENTITY = "device.identity"
_ALL = (
    NamedFact("platform", _W, "the platform that vkzircon assumes", _at("platform"), (FUCHSIA, LINUX)),
    NamedFact(
        "emulated", _W, "whether the extension is vkzircon's own emulation", _at("emulated", _yes_or_no), ("yes", "no")
    ),
    NamedFact("loader.version", _V, "the Vulkan version of the loader", _at("facts.loader.api_version", _numbers)),
    NamedFact("device.type", _W, "VkPhysicalDeviceType", _at("device.identity.type.name"), _TYPES),
    NamedFact("device.name", _W, "the device's full name", _at("device.identity", display_name)),
    NamedFact("device.vendor", _N, "vendorID", _at("device.identity.vendor_id")),
    NamedFact("device.id", _N, "deviceID", _at("device.identity.device_id")),
    NamedFact("device.version", _V, "the Vulkan version of the device", _at("device.identity.api_version", _numbers)),
    NamedFact("driver.name", _W, "driverName", _at("device.identity.driver.name")),
    NamedFact(
        "driver.version", _W, "driverVersion, in the driver's own form", _at(f"{_IDENTITY}.driver_version", _written)
    ),
    NamedFact(
        "extension.revision",
        _N,
        "the listed revision of VK_FUCHSIA_external_memory",
        _at("device.extensions", _revision),
    ),
    NamedFact("memory.types", _N, "how many memory types there are", _at("device.memory.types", len)),
    NamedFact("memory.largest-heap", _N, "size of the largest heap, in bytes", _at("device.memory.heaps", _largest)),
    NamedFact(
        "memory.largest-allocation",
        _N,
        "maxMemoryAllocationSize, in bytes",
        _at(f"{_IDENTITY}.max_memory_allocation_size"),
    ),
    NamedFact("memory.exportable-types", _N, "how many memory types a VMO was exported from", _exported),
    NamedFact(
        "memory.importable-types", _N, "how many memory types have a VMO that the same device imported", _imported
    ),
    NamedFact("vmo.rights", _F, "the rights that every exported VMO has", _rights, RIGHT_BITS),
)
FACTS: Mapping[str, NamedFact] = {fact.name: fact for fact in _ALL}


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
        hint = did_you_mean(name, [*REGISTRY, *FACTS], _HOW)
        raise Usage(f"There is no check and no fact named {_quoted(name)}.", hint)
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
    """Refuse a name that is neither a check's id nor a group's.

    Raises:
        Usage: one of *names* is unknown; the hint has the nearest names.
    """
    for name in names:
        if name not in REGISTRY and name not in GROUPS:
            problem = f"There is no check and no group of checks named {_quoted(name)}."
            groups = f"The groups are {', '.join(GROUPS)}; vkzircon explain lists the checks."
            raise Usage(problem, did_you_mean(name, [*GROUPS, *REGISTRY], groups))


def is_chosen(id: str, judging: Judging) -> bool:
    """Whether the check *id* counts: it is not ignored, and it is selected if any check is."""
    names = {id, id.partition(".")[0]}
    return (not judging.select or bool(names.intersection(judging.select))) and names.isdisjoint(judging.ignore)


def refuse_empty_choice(judging: Judging, given: Collection[str] = ()) -> None:
    """Refuse options that leave nothing to judge by, because such a run could not fail; *given* options add steps.

    Raises:
        Usage: no check is left that would run, and no condition is required.
    """
    chosen = [check for name, check in REGISTRY.items() if is_chosen(name, judging)]
    if judging.require or any(not check.option or check.option in given for check in chosen):
        return
    if not chosen:
        raise Usage("--ignore leaves no check of those that --select chose.", "Ignore fewer, or add --require.")
    needed = " and ".join(sorted({check.option for check in chosen}))
    raise Usage(f"The checks that are left run only with {needed}.", f"Add {needed}, or choose other checks.")


def _quoted(words: str) -> str:
    return f'"{visible(words[:60])}"'


def _value(fact: NamedFact, sign: str, text: str) -> Value:
    if fact.kind is Kind.WORD and sign not in ("=", "!="):
        raise Usage(f"{fact.name} is a word, and words have no order.", f"Use = or !=, as in: {fact.name}={text}")
    value = {Kind.WORD: _word, Kind.NUMBER: _number, Kind.VERSION: _version, Kind.FLAGS: _flags}[fact.kind](fact, text)
    if value is None:
        raise Usage(f"{fact.name} is compared with {with_article(fact.kind)}, which {_quoted(text)} is not.", _HOW)
    return value


def _word(fact: NamedFact, text: str) -> Value | None:
    if fact.words and text.casefold() not in fact.words:
        known = f"It is one of: {', '.join(fact.words)}."
        near = did_you_mean(text, fact.words, known)
        more = f" {known}" if near != known and len(fact.words) <= _MOST_WORDS else ""
        raise Usage(f"{fact.name} is never {_quoted(text)}.", near + more)
    return text.casefold() or None


def _number(_: NamedFact, text: str) -> Value | None:
    if (found := _NUMBER.fullmatch(text)) is None:
        return None
    base = 16 if found[1].lower().startswith("0x") else 10
    return int(found[1], base) * UNITS[(found[2] or "").upper()]


def _version(_: NamedFact, text: str) -> Value | None:
    return tuple(map(int, text.split("."))) if _VERSION.fullmatch(text) else None


def _flags(fact: NamedFact, text: str) -> Value | None:
    names = frozenset(name.strip().upper() for name in text.split("|") if name.strip())
    for name in sorted(names.difference(fact.words)):
        knows = did_you_mean(name, fact.words, f"Its flags: {', '.join(fact.words)}.")
        raise Usage(f"{fact.name} has no flag {_quoted(name)}.", f"{knows} Flags are joined by |.")
    return names or None


def judge(condition: Condition, seen: Seen, verdicts: Mapping[str, CheckResult]) -> Verdict:
    """Return whether one device meets *condition*, by the facts that were *seen* and the *verdicts* of its checks."""
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
    """Return the required flags that are missing."""
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
