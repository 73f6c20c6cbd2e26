# SPDX-License-Identifier: Apache-2.0
"""Hides private texts from strangers: names of users and hosts, passwords and keys, and the devices' UUIDs.

A mark replaces each hidden text, which is also counted, so that a reader knows that something is missing.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from vkzircon_cli.model.base import Missing, plain, record
from vkzircon_cli.model.facts import Device, EntryPoint, Facts
from vkzircon_cli.model.home import home_pattern, homes, not_behind, told_once, variables
from vkzircon_cli.model.host import Variable, names
from vkzircon_cli.model.spec import Flags, Named, Version
from vkzircon_cli.report import secrets
from vkzircon_cli.report.summary import REQUIRED, CheckResult
from vkzircon_cli.stream.decoding import decode, fact_of
from vkzircon_cli.stream.document import Header, Tool
from vkzircon_cli.stream.events import Culprit, Event, Failure, Message, Output
from vkzircon_cli.stream.fold import StepTime

T = TypeVar("T")
_Mark = Callable[[re.Match[str]], str]

_HOMES = ("/home", "/Users", "/var/home", "/export/home", "/usr/home")
# The options of OpenSSH's ssh, in the form of getopt, and those of ssh_config that name a host.
_SSH_OPTIONS = "46AaCfGgKkMNnqsTtVvXxYyB:b:c:D:E:e:F:I:i:J:L:l:m:O:o:P:p:Q:R:S:W:w:"
_SSH_HOSTS = ("hostname", "proxyjump", "hostkeyalias")
_USERS = ("USER", "LOGNAME", "SUDO_USER", "DOAS_USER")
_MOST_CLEAN = 10_000
_MOST_CHARACTERS = 256 << 10  # of one text: the output that is kept of a driver, if all of it are escapes
_SHORTEST_NAME = 2
_SHORTEST_IN_WORDS = 5  # letters of a user's name that is hidden inside words too
# Every other thing to hide has a sign in it, or is longer.
_SHORT_WORD = re.compile(r"\w{0,12}")
# Names that identify no person, and that occur in many paths and messages.
_COMMON = frozenset(
    {
        *("root", "user", "admin", "guest", "nobody", "runner", "builder", "jenkins", "vagrant"),
        *("localhost", "home", "lib", "usr", "tmp", "var", "vulkan", "vkzircon", "nvidia", "intel", "mesa", "llvmpipe"),
        *("linux", "fuchsia", "ubuntu", "debian", "fedora", "arch"),
    }
)
# The words of our own marks, which must not be hidden again.
_MARKS = frozenset({"hidden", "host", "uuid"})
# Our own marks, and the names of extensions, in which no name is looked for.
_KEPT = r"<(?:hidden|host|user|UUID \d+)>|(?-i:\bVK_(?!LAYER)[A-Z]{2,}_[a-z0-9_]+)"
_NO_DIGIT = re.compile("0x|[^0-9a-f]", re.IGNORECASE)
_BYTES = r"(?:0x)?[0-9a-f]{2}"
# With dashes, with underscores, as a number, as sixteen bytes, and as sixteen numbers in brackets.
_UUID = re.compile(
    not_behind("0-9A-Za-z") + r"(?:(?:0x)?(?:[0-9a-f]{8}([-_])(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}|[0-9a-f]{32})"
    rf"|{_BYTES}(?:(?:[ :_-]|, ?){_BYTES}){{15}}"
    r"|(?<=[\[({])(?P<decimal>[0-9]{1,3}(?:, ?[0-9]{1,3}){15})(?=[\])}]))(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_WORD = r"\w"
# A terminal's control sequences (ECMA-48, 5.4: CSI), also as text and JSON write the escape character.
_COLOR = "\x1b"
_COLORS = re.compile(rf"(?:{_COLOR}|\\{{1,8}}(?:u001b|x1b|033|e))\[[0-?]*+[ -/]*+[@-~]|{_COLOR}", re.IGNORECASE)
_AT_A_PATH = not_behind(r"\w.~-")
_OTHERS_HOME = re.compile(
    rf"({_AT_A_PATH}(?:{'|'.join(_HOMES)}|/mnt/[a-z]/Users)/|{not_behind(_WORD)}[A-Z]:\\{{1,4}}Users\\{{1,4}})(?!<)[^/\\\s:;,\"'<>]+",
    re.IGNORECASE,
)
_ROOTS_HOME = re.compile(rf"{_AT_A_PATH}/root(?=/)")
_TILDE = re.compile(not_behind(r"\w/.~-") + r"~[a-z_][\w-]*(?=/)")

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
    hosts += [names().nodename, *variables("HOSTNAME")]
    return People(
        homes=homes(),
        users=_names(*of_homes, *users, _account()),
        hosts=_names(*(name for host in hosts for name in (host, host.partition(".")[0]))),
    )


def _addressed(command: str) -> tuple[list[str], list[str]]:
    """Return the users and hosts that a command names: in USER@HOST, and in the options and the destination of ssh."""
    words = command.split()
    addresses = [word for word in words if "@" in word]
    users = [word.rpartition("@")[0].rpartition("/")[2].partition(":")[0] for word in addresses]
    hosts = [word.rpartition("@")[2].partition(":")[0] for word in addresses]
    programs = [at for at, word in enumerate(words) if word.rpartition("/")[2] == "ssh"]
    if programs:  # it may be behind another one, such as sshpass
        more_users, more_hosts = _of_ssh(words[programs[0] + 1 :])
        users, hosts = users + more_users, hosts + more_hosts
    return users, [host.rpartition("/")[2].partition(":")[0] for host in hosts]


def _of_ssh(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the users and hosts among the arguments of ssh, which takes options on both sides of its destination."""
    from getopt import GetoptError, getopt  # only a run with --agent needs it

    options: list[tuple[str, str]] = []
    destination, rest = [""], words
    with suppress(GetoptError):  # an option that this ssh does not have
        options, rest = getopt(words, _SSH_OPTIONS)
        destination = rest[:1]
        options += getopt(rest[1:], _SSH_OPTIONS)[0]
    named = [(letter, *value.partition("=")[::2]) for letter, value in options]
    users = [key for letter, key, _ in named if letter == "-l"]
    users += [value for letter, key, value in named if letter == "-o" and key.casefold() == "user"]
    hosts = [value for letter, key, value in named if letter == "-o" and key.casefold() in _SSH_HOSTS]
    jumps = [key for letter, key, _ in named if letter == "-J"]
    each_host = [host for several in (*hosts, *jumps) for host in several.split(",")]
    return users, [host.rpartition("@")[2] for host in (*destination, *each_host)]


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
        self._patterns = [(pattern, mark, what) for pattern, mark, what in self._table(of) if pattern]
        self._of_names = [(pattern, mark, what) for pattern, mark, what in self._names(of) if pattern]
        self._uuids: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._clean: set[str] = set()  # texts with nothing to hide: each device has the same names of extensions
        self._answers: dict[str, Any] = {}  # the shape of the answer to each step

    def _table(self, of: People) -> Iterator[tuple[re.Pattern[str] | None, str | _Mark, str]]:
        """Yield pattern, mark and name of each thing to hide, in the order in which they are hidden."""
        yield secrets.PRIVATE_KEY, "<hidden>", "private key"
        yield from ((pattern, r"\1<hidden>", "secret") for pattern in secrets.NAMED)
        yield secrets.BEARER, r"\1\2<hidden>", "secret"
        yield secrets.ADDRESS_PASSWORD, "<hidden>", "password in an address"
        yield secrets.TOKEN, "<hidden>", "token"
        yield _UUID, self._uuid, "UUID"
        yield secrets.EMAIL, "<user>@<host>", "e-mail address"
        yield secrets.MAC, "<host>", "MAC address"
        yield secrets.IPV4, "<host>", "IP address"
        yield secrets.IPV6, lambda found: "<host>" if secrets.is_ipv6(found[0]) else found[0], "IP address"
        yield from ((home_pattern(home), "~", "home folder") for home in of.homes)
        yield _OTHERS_HOME, r"\1<user>", "home folder"
        yield _ROOTS_HOME, "/<user>", "home folder"
        yield _TILDE, "~<user>", "home folder"
        yield from self._names(of)

    def _names(self, of: People) -> Iterator[tuple[re.Pattern[str] | None, str | _Mark, str]]:
        """Yield the last lines of the table: the only ones for a single short word."""
        yield _words(of.hosts), lambda found: "<host>" if found["name"] else found[0], "host name"
        yield _words(of.users, _SHORTEST_IN_WORDS), lambda found: "<user>" if found["name"] else found[0], "user name"

    @property
    def hidden(self) -> tuple[Hidden, ...] | None:
        """The things hidden so far, None if hiding is off."""
        return tuple(Hidden(what, count) for what, count in self._counts.items()) if self._hides else None

    def text(self, words: str) -> str:
        """Redact one text; a text that was already redacted stays the same."""
        if not self._hides:
            return words
        if len(words) > _MOST_CHARACTERS:
            words = f"{words[:_MOST_CHARACTERS]} ... ({len(words) - _MOST_CHARACTERS} more characters)"
        if words in self._clean:
            return words
        hidden = self._searched(words) if "[" not in words else self._behind_colors(words)
        if hidden == words and len(self._clean) < _MOST_CLEAN:
            self._clean.add(words)
        return hidden

    def _behind_colors(self, words: str) -> str:
        """Search also without colors, which may be in front of a secret or inside it; such a text may lose them."""
        colors = _COLORS.findall(words)
        hidden = self._searched(marked := _COLORS.sub(_COLOR, words))
        found = self._searched(plain := hidden.replace(_COLOR, ""))
        if hidden == marked and found == plain:
            return words
        if found != plain or hidden.count(_COLOR) != len(colors):
            return found
        return "".join(part + color for part, color in zip(hidden.split(_COLOR), (*colors, ""), strict=True))

    def _searched(self, words: str) -> str:
        for pattern, mark, what in self._of_names if _SHORT_WORD.fullmatch(words) else self._patterns:
            words = pattern.sub(partial(self._marked, mark, what), words)
        return words

    def _marked(self, mark: "str | _Mark", what: str, found: re.Match[str]) -> str:
        """Return what replaces *found*, and count it, unless it stays."""
        new = found.expand(mark) if isinstance(mark, str) else mark(found)
        if new != found[0]:
            self._counts[what] += 1
        return new

    def _uuid(self, found: re.Match[str]) -> str:
        """Return the mark of a UUID. Sixteen numbers of two digits, not in brackets, are none."""
        words = found[0]
        if found["decimal"]:
            words = "".join(f"{int(number):02x}" for number in words.split(","))
        elif not re.search("[-_a-fx]", words, re.IGNORECASE) and any(sign in words for sign in " ,:"):
            return words
        digits = _NO_DIGIT.sub("", words)
        return self._uuids.setdefault(digits.lower(), f"<UUID {len(self._uuids) + 1}>")

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


def _words(names: tuple[str, ...], shortest_in_words: int | None = None) -> re.Pattern[str] | None:
    """Return a pattern that finds *names* in any case as the group "name", and `_KEPT`, which stays.

    A name is a whole word, or the first part of one (NAME-work, NAME2). With *shortest_in_words*, names of at least so
    many characters are found inside words too.
    """
    if not names:
        return None
    longest_first = [re.escape(name) for name in sorted(names, key=len, reverse=True)]
    anywhere = [n for n in names if shortest_in_words is not None and len(n) >= shortest_in_words]
    # Also after a dash, as in runtime-NAME; after a dot only in the name of a hidden folder, not as a file's suffix.
    begins = not_behind(r"\w.")
    words = rf"(?:{begins}|(?<=/\.))(?:{'|'.join(longest_first)})(?![A-Za-z])"
    inside = "".join(f"|{re.escape(name)}" for name in sorted(anywhere, key=len, reverse=True))
    return re.compile(rf"{_KEPT}|(?P<name>{words}{inside})", re.IGNORECASE)
