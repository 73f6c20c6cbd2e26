# SPDX-License-Identifier: Apache-2.0
"""The two pipes of an agent: its greeting, and frames to and from it, as docs/agent-protocol.md describes them.

Nothing that an agent sends is trusted: lengths are bounded, and each wait has an end.
"""

import os
import select
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum

from vkzircon_cli.bindings.lost import Ended, Failed, Hung, Lost
from vkzircon_cli.errors import CannotAsk
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import decode

VERSION = 1
MAGIC = b"vkzircon-agent\r\n"
MACHINES = {62: "x86_64", 183: "aarch64"}  # e_machine of ELF
_MOST_BANNER = 64 * 1024
_MOST_ANSWER = 1 << 20  # bytes of an answer without blocks of the arena
_MOST_WORDS = 300
_CHUNK = 1 << 16
_RELAY_WAIT_S = 1.0
_HEADER = struct.Struct("<IIII")
_WORD = struct.Struct("<I")
_HELLO_TEXTS = 3
_POINTER_SIZE = struct.calcsize("P")
_HELLO = struct.Struct("<10IQQ8Q")
_SUPPORTED = f"Supported are {' and '.join(MACHINES.values())}, both little-endian with 64-bit pointers."
_OTHER_AGENT = "Use an agent that was built from this vkzircon: vkzircon agent --source DIR writes its source."
_ALTERED = f"Its output must reach vkzircon unchanged, and not through a terminal (ssh without -t). {_OTHER_AGENT}"
BY_ITSELF = "Run the command by itself: an agent first writes vkzircon-agent."
_LIMITS = f"Check the limits of the agent's process (ulimit -a). {_OTHER_AGENT}"


class Ask(IntEnum):
    """The kinds of a request."""

    USE_ARENA = 1
    GETENV = 2
    SETENV = 3
    OPEN = 4
    SYMBOLS = 5
    FILE_OF = 6
    CALL = 7
    STRING = 10
    FILL = 11
    COMPARE = 12
    MOVE = 13
    SCRATCH = 14
    DROP = 15
    EXISTS = 16
    MEMORY = 17
    MESSAGES = 18
    SPAWN = 19
    SEND_ON = 20
    RECEIVE = 21
    STATUS = 22


_HELLO_KIND, _DONE, _FAILED, _STARTED, _HUNG = 1, 2, 3, 4, 5
_OTHER_ORDER = _HELLO_KIND << 24  # the kind of a greeting in the other order of bytes
_MAY_FAIL = {
    *(Ask.USE_ARENA, Ask.GETENV, Ask.OPEN, Ask.SCRATCH, Ask.EXISTS),
    *(Ask.SPAWN, Ask.SEND_ON, Ask.RECEIVE),
}


class AgentError(CannotAsk):
    """The agent cannot be used; *hint* fits the cause."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("no-agent", message, hint)


@record
class Hello:
    """What an agent says of itself: its *offers* are addresses for an arena of *arena_size* bytes.

    *lack* is what a limit of its process leaves too little of, '' if there is enough.
    """

    machine: int
    page_size: int
    pid: int
    elevated: bool
    offers: tuple[int, ...]
    arena_size: int
    messenger: int
    system: str
    release: str
    machine_name: str
    host: str = ""
    lack: str = ""


class Connection:
    """Speaks with one agent. *patience_s* is the limit of everything but calls, for which no driver is to blame."""

    def __init__(self, read: int, write: int, patience_s: float) -> None:
        self.banner = b""
        self.patience_s = patience_s
        self._read = read
        self._write = write
        self._broken: Exception | None = None
        self._owed: list[tuple[Ask, str, float]] = []
        self._data = bytearray()
        for end in (read, write):
            if end >= 0:
                os.set_blocking(end, False)

    @property
    def is_broken(self) -> bool:
        """Whether the agent cannot be used any more."""
        return self._broken is not None

    def lose(self, loss: Lost) -> None:
        """Raise *loss*, which names the call, in every later request."""
        self._broken = loss

    def unread(self) -> bytes:
        """Return the bytes that were received but not parsed yet."""
        return bytes(self._data)

    def greet(self) -> Hello:
        """Skip what is before the greeting, and read it.

        Raises:
            AgentError: there is none, or it is one of another agent.
            Ended: the connection ended before.
        """
        until = time.monotonic() + self.patience_s
        while (at := self._data.find(MAGIC)) < 0:
            if len(self._data) > _MOST_BANNER:
                text = f"The agent's command wrote {len(self._data):,} bytes without an agent's greeting."
                raise AgentError(text, BY_ITSELF)
            self._more(until, "its greeting")
        self.banner = bytes(self._data[:at])
        del self._data[: at + len(MAGIC)]
        kind, _, payload = self._frame(until, _CHUNK)
        if kind != _HELLO_KIND or len(payload) < _WORD.size:
            raise self._malformed("a greeting was expected")
        (version,) = _WORD.unpack_from(payload)
        if version != VERSION:
            text = f"The agent speaks version {version} of the protocol, and this vkzircon version {VERSION}."
            raise AgentError(text, _OTHER_AGENT)
        return self._hello(payload)

    def _hello(self, payload: bytes) -> Hello:
        texts = payload[_HELLO.size :].split(b"\0")
        if len(payload) < _HELLO.size or len(texts) < _HELLO_TEXTS:
            raise self._malformed("the greeting has another shape")
        found = _HELLO.unpack_from(payload)
        _, machine, pointer_size, page_size, pid, uid, euid, gid, egid, offers, arena_size, messenger, *addresses = (
            found
        )
        if sys.byteorder != "little":
            raise AgentError("The agent is little-endian, and this machine big-endian.", _SUPPORTED)
        if pointer_size != _POINTER_SIZE:
            raise AgentError(
                f"The agent's pointers have {pointer_size} bytes, and this machine's {_POINTER_SIZE}.", _SUPPORTED
            )
        if machine not in MACHINES:
            raise AgentError(f"The agent's architecture is not supported: ELF machine number {machine}.", _SUPPORTED)
        if not 1 << 20 <= arena_size <= 1 << 30 or arena_size % _CHUNK or offers > len(addresses):
            raise self._malformed("it offers no arena")
        elevated = uid != euid or gid != egid
        words = (decode(text)[0] for text in texts[: _HELLO_TEXTS + 2])
        kept = tuple(filter(None, addresses[:offers]))
        return Hello(machine, page_size, pid, elevated, kept, arena_size, messenger, *words)

    def ask(
        self,
        kind: Ask,
        payload: bytes = b"",
        *,
        limit_s: float = 0.0,
        calls: int = 1,
        size: int = 0,
    ) -> bytes:
        """Send a request and return the answer. *limit_s* is the limit of each of its *calls*, 0 for none.

        *size* is the largest size of the arena's blocks in the answer.

        Raises:
            Failed: the agent reports a failure; only for the kinds `_MAY_FAIL`.
            AgentError: the answer is not one, or too late.
            Ended, Hung: the agent is gone; the number of the call is that of the last one that began.
        """
        until = time.monotonic() + limit_s + self.patience_s
        with self._breaking():
            self._send_behind(_request(kind, payload, limit_s), until)
            self._settle(until)
            return self._reply(kind, until, calls, _MOST_ANSWER + size, limit_s)

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Raise the earlier loss of the agent, and record a loss inside the block."""
        if self._broken is not None:
            raise self._broken
        try:
            yield
        except (AgentError, Lost) as broken:
            self._broken = broken
            raise

    def ask_each(self, kind: Ask, payloads: Sequence[bytes]) -> list[bytes | None]:
        """Send all requests, then read the answers; an answer is None where `ask` raises `Failed`.

        Otherwise raises as `ask`.
        """
        answers: list[bytes | None] = []
        until = time.monotonic() + self.patience_s
        with self._breaking():
            self._send_behind(b"".join(_request(kind, payload, 0) for payload in payloads), until)
            self._settle(until)
            for _ in payloads:
                try:
                    answers.append(self._reply(kind, until))
                except Failed:
                    answers.append(None)
        return answers

    def post(self, kind: Ask, payload: bytes, *, limit_s: float = 0.0, name: str = "") -> None:
        """Send a request whose answer is empty. The next request reads the answer, and raises a loss with *name*."""
        with self._breaking():
            self._send_behind(_request(kind, payload, limit_s), time.monotonic() + self.patience_s)
        self._owed.append((kind, name, limit_s))

    def _send_behind(self, frame: bytes, until: float) -> None:
        """Send a frame. If the agent has ended, raise the loss from a posted request: it names the cause."""
        try:
            self._send(frame, until)
        except Ended:
            self._settle(until)
            raise

    def _settle(self, until: float) -> None:
        """Read the answers to what was posted.

        A `SEND_ON` may fail: the next wait for the other agent's answer finds that it has ended.
        """
        while self._owed:
            kind, name, limit_s = self._owed.pop(0)
            try:
                if self._reply(kind, until + limit_s):
                    raise self._malformed("a result for a request that has none")
            except Failed:
                continue
            except Lost as lost:
                raise type(lost)(0, name) from None

    def _reply(self, asked: Ask, until: float, calls: int = 1, most: int = _MOST_ANSWER, limit_s: float = 0.0) -> bytes:
        """Read the answer to a request with so many *calls*. Each call that begins has *limit_s* more time."""
        call = 0
        try:
            while True:
                kind, number, payload = self._frame(until, most)
                if kind == _DONE:
                    return payload
                if kind == _FAILED:
                    raise self._failed(asked, decode(payload[:_MOST_WORDS])[0])
                if kind == _HUNG and not payload:
                    raise Hung(call)
                if kind != _STARTED or payload or not call < number < calls:
                    raise self._malformed(f"a frame of kind {kind}")
                until += limit_s * (number - call)
                call = number
        except Ended:
            raise Ended(call) from None

    @staticmethod
    def _failed(asked: Ask, why: str) -> Failed | AgentError:
        if asked in _MAY_FAIL:
            return Failed(why)
        reason = f" ({why})" if why else ""
        return AgentError(
            f"The agent refused a request of kind {asked.value}{reason}.", _LIMITS if why else _OTHER_AGENT
        )

    def _send(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._write, view) :]
            except BlockingIOError:
                self._wait(until, "a request", writes=True)
            except OSError:
                raise Ended(0) from None

    def _frame(self, until: float, most: int) -> tuple[int, int, bytes]:
        while len(self._data) < _HEADER.size:
            self._more(until, "an answer")
        size, kind, number, _ = _HEADER.unpack_from(self._data)
        if kind == _OTHER_ORDER:
            raise AgentError("The agent's numbers are big-endian, which the protocol does not allow.", _SUPPORTED)
        if size > most:
            raise self._malformed(f"a frame of {size:,} bytes")
        end = _HEADER.size + size
        while len(self._data) < end:
            self._more(until, "an answer")
        payload = bytes(self._data[_HEADER.size : end])
        del self._data[:end]
        return kind, number, payload

    def _more(self, until: float, what: str) -> None:
        self._wait(until, what)
        with suppress(BlockingIOError):
            try:
                data = os.read(self._read, _CHUNK)
            except ConnectionError:
                data = b""
            if not data:
                raise Ended(0)
            self._data += data

    def _wait(self, until: float, what: str, *, writes: bool = False) -> None:
        ends: Sequence[int] = (self._write if writes else self._read,)
        left = until - time.monotonic()
        if left <= 0 or not any(select.select(() if writes else ends, ends if writes else (), (), left)):
            text = f"The agent's command did not {'take' if writes else 'send'} {what} within {self.patience_s:g} s."
            raise AgentError(text, "Check the connection; --timeout allows more.")

    def _malformed(self, what: str) -> AgentError:
        return AgentError(f"The agent's command sent what the protocol does not allow: {what}.", _ALTERED)

    def refuse(self, what: str) -> AgentError:
        """Return the error for an answer with a wrong content, and use the agent no more."""
        error = self._malformed(what)
        self._broken = error
        return error


def _request(kind: Ask, payload: bytes, limit_s: float) -> bytes:
    limit_ms = max(1, int(limit_s * 1000)) if limit_s else 0
    return _HEADER.pack(len(payload), kind, limit_ms, 0) + payload


class RelayedConnection(Connection):
    """Speaks with an agent that another one has started, through that one's connection *through*."""

    def __init__(self, through: Connection) -> None:
        super().__init__(-1, -1, through.patience_s)
        self._through = through

    def _send(self, data: bytes, until: float) -> None:
        del until
        self._through.post(Ask.SEND_ON, data)  # the next wait for its answer finds that it has ended

    def _more(self, until: float, what: str) -> None:
        left = until - time.monotonic()
        if left <= 0:
            text = f"The second agent did not send {what} within {self.patience_s:g} s."
            raise AgentError(text, "--timeout allows more.")
        try:
            # Asked in short waits: the answer of a wait counts as one of the first agent's.
            self._data += self._through.ask(Ask.RECEIVE, limit_s=min(left, _RELAY_WAIT_S))
        except Failed:
            raise Ended(0) from None
