# SPDX-License-Identifier: Apache-2.0
"""Hides private texts from strangers: names of users and hosts, passwords and keys, and the devices' UUIDs.

A mark replaces each hidden text, which is also counted, so that a reader knows that something is missing.
"""

import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

from vkzircon_cli.model.base import Missing, plain, record
from vkzircon_cli.model.facts import Device, EntryPoint, Facts
from vkzircon_cli.model.home import home_pattern, homes, not_behind, told_once, variables
from vkzircon_cli.model.host import Variable
from vkzircon_cli.model.spec import Flags, Named, Version
from vkzircon_cli.report.summary import REQUIRED, CheckResult
from vkzircon_cli.stream.decoding import decode, fact_of
from vkzircon_cli.stream.document import Header, Tool
from vkzircon_cli.stream.events import Culprit, Event, Failure, Message, Output
from vkzircon_cli.stream.fold import StepTime

T = TypeVar("T")

_HOMES = ("/home", "/Users", "/var/home", "/export/home")
_USERS = ("USER", "LOGNAME", "SUDO_USER", "DOAS_USER")
_SHORTEST_NAME = 2
# Names that identify no person, and that occur in many paths and messages.
_COMMON = frozenset({"root", "user", "localhost", "home", "lib", "usr", "tmp", "var", "vulkan", "linux", "fuchsia"})
# The words of our own marks, which must not be hidden again.
_MARKS = frozenset({"hidden", "host", "uuid"})
_SECRET_WORDS = "TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|COOKIE|APIKEY|(?:API|ACCESS|PRIVATE|SECRET)_KEY"
# A name that contains such a word, and its value, which ends at its closing quote, or where the text was cut before it.
_SECRET = re.compile(
    rf"""(?<![A-Z0-9_])(?=[A-Z0-9_]*?(?<![A-Z0-9])(?:{_SECRET_WORDS})(?![A-Z0-9]))"""
    r"""([A-Z0-9_]++(?:=|["']\s*+:\s*+))(?!<hidden>)"""
    r"""(?:"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|(?<==)[^\s;&"']+|[^\s,;}\]"']+)""",
    re.IGNORECASE | re.DOTALL,
)
# A password may come without a user name, and may contain an @.
_URL_PASSWORD = re.compile(r"""(?<=://)(?!<hidden>@)[^\s/?#"'<>]+(?=@)""")
_UUID = re.compile(
    not_behind("0-9A-Za-z") + r"(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_AT_A_PATH = not_behind(r"\w.~-")
_OTHERS_HOME = re.compile(rf"{_AT_A_PATH}({'|'.join(_HOMES)})/(?!<)[^/\s:;,\"'<>]+")

# Records that hold only our own words and the standards', which identify no person.
_OURS = (Enum, Flags, Named, Version, Tool, StepTime, EntryPoint)
_OUR_FIELDS: dict[type, set[str]] = {
    CheckResult: {"steps", "rule", "advice"},
    Culprit: {"kind"},
    Failure: {"cause"},
    Missing: {"kind", "call", "result"},
    Variable: {"name"},
}
_EVENTS = {"header": Header, "message": Message, "output": Output, "error": Failure, "culprit": Culprit}


@record
class Hidden:
    """One kind of hidden text, and how often it was hidden."""

    what: str
    count: int


@record
class People:
    """The texts that identify people here and on an agent's device: home folders, names of users, names of hosts."""

    homes: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def people(*agents: str | None) -> People:
    """Return the identifying texts here, on agents' devices, and in the addresses of *agents*, which are commands."""
    of_homes = [home.rpartition("/")[2] for home in homes() if home.startswith(tuple(f"{each}/" for each in _HOMES))]
    addressed = [_addressed(agent) for agent in agents if agent]
    users = [user for named, _ in addressed for user in named]
    hosts = [host for _, named in addressed for host in named]
    users += [user for name in _USERS for user in variables(name)]
    hosts += [os.uname().nodename, *variables("HOSTNAME")]
    return People(
        homes=homes(),
        users=_names(*of_homes, *users, _account()),
        hosts=_names(*(name for host in hosts for name in (host, host.partition(".")[0]))),
    )


def _addressed(command: str) -> tuple[list[str], list[str]]:
    """Return the users and hosts that a command names: in USER@HOST, and the destination of ssh."""
    program, *words = command.split() or [""]
    addresses = [word for word in words if "@" in word]
    hosts = [word.rpartition("@")[2].partition(":")[0] for word in addresses]
    if program.rpartition("/")[2] == "ssh" and not addresses:
        named = (word for word in words if not word.startswith("-") and not word.isdigit() and "/" not in word)
        hosts += [next(named, "")]
    return [word.rpartition("@")[0].rpartition("/")[2].partition(":")[0] for word in addresses], hosts


def _account() -> str:
    with suppress(ImportError, KeyError, OSError):  # no such database, or no entry for this user id in it
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    return ""


def _names(*names: str) -> tuple[str, ...]:
    telling = (n for n in names if len(n) >= _SHORTEST_NAME and n.casefold() not in _COMMON | _MARKS)
    return tuple(dict.fromkeys(telling))


class Redactor:
    """Hides texts and counts them; a UUID has the same mark everywhere. With *of* None it hides nothing."""

    def __init__(self, of: People | None) -> None:
        self._hides = of is not None
        of = of or People()
        patterns: tuple[tuple[re.Pattern[str] | None, str, str], ...] = (
            (_SECRET, r"\1<hidden>", "secret"),
            (_URL_PASSWORD, "<hidden>", "password in an address"),
            *((home_pattern(home), "~", "home folder") for home in of.homes),
            (_OTHERS_HOME, r"\1/<user>", "home folder"),
            (_words(of.hosts), "<host>", "host name"),
            (_words(of.users), "<user>", "user name"),
        )
        self._patterns = [(pattern, mark, what) for pattern, mark, what in patterns if pattern]
        self._uuids: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._answers: dict[str, Any] = {}  # the shape of the answer to each step

    @property
    def hidden(self) -> tuple[Hidden, ...] | None:
        """The things hidden so far, None if hiding is off."""
        return tuple(Hidden(what, count) for what, count in self._counts.items()) if self._hides else None

    def text(self, words: str) -> str:
        """Redact one text; a text that was already redacted stays the same."""
        if not self._hides:
            return words
        for pattern, mark, what in self._patterns:
            words, count = pattern.subn(mark, words)
            if count:
                self._counts[what] += count
        return _UUID.sub(self._uuid, words)

    def _uuid(self, found: re.Match[str]) -> str:
        digits = found[0].replace("-", "").lower()
        self._counts["UUID"] += 1
        return self._uuids.setdefault(digits, f"<UUID {len(self._uuids) + 1}>")

    def facts(self, value: T) -> T:
        """Redact every foreign text in *value*, a record of a document; everything else stays the same."""
        hidden: T = self._of(value) if self._hides else value
        return hidden

    def event(self, event: Event) -> Event:
        """Redact an event in the same way as the report that it is folded into."""
        kind = event["event"]
        if kind == "begin":
            owner = Facts if event["device"] is None else Device
            self._answers[event["step"]] = fact_of(owner, event["fact"]).answer
        elif kind == "end":
            answer = decode(self._answers[event["step"]], event["answer"])
            return event | {"answer": plain(self.facts(answer))}
        shape = _EVENTS.get(kind)
        return event | plain(self.facts(decode(shape, event))) if shape else event

    def _of(self, value: Any) -> Any:
        if isinstance(value, _OURS):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self._of(item) for item in value)
        return self._fields_of(value) if is_dataclass(value) else value

    def _fields_of(self, value: Any) -> Any:
        ours = _OUR_FIELDS.get(type(value), set())
        before = {f.name: getattr(value, f.name) for f in fields(value)}
        if isinstance(value, CheckResult) and not value.id.startswith(REQUIRED):
            ours = ours | {"id"}  # a condition is text from the command line
        after = {name: item if name in ours else self._of(item) for name, item in before.items()}
        return type(value)(**told_once(before, after))


def _words(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return a pattern for *names* as whole words, or as the first part of one (NAME-work), the longest first."""
    if not names:
        return None
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    # Also after a dash, as in runtime-NAME; after a dot only in the name of a hidden folder, not as a file's suffix.
    begins = not_behind(r"\w.")
    return re.compile(rf"(?:{begins}|(?<=/\.))(?:{longest_first})(?![A-Za-z0-9])")
