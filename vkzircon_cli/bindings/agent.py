# SPDX-License-Identifier: Apache-2.0
"""The caller that has an agent make every call: the other side of the seam in `caller`."""

import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any
from weakref import finalize

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.agent_frames import NUMBER, RUN, TWO, AgentFrames, Function, word_of
from vkzircon_cli.bindings.arena import Arena
from vkzircon_cli.bindings.caller import LOCAL, Call, Listener
from vkzircon_cli.bindings.connection import AgentError, Ask, Connection, Hello, RelayedConnection
from vkzircon_cli.bindings.dynlib import CannotOpen
from vkzircon_cli.bindings.lost import Failed
from vkzircon_cli.bindings.memory import Memory
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import BadValue
from vkzircon_cli.model.host import PLATFORM_VARIABLE, platform_of
from vkzircon_cli.model.text import decode, readable

_ffi: Any = _abi.ffi
_ENDED = struct.Struct("<Ii")
_WORD = struct.Struct("<I")
_MOST_TEXT = 4096
_KEPT_SCRATCH = 2 << 20
_LIMIT = "A limit on address space (ulimit -v) may be the cause."


class _Library:
    """A library that is open in the agent's process; *handle* 0 stands for all that are loaded already."""

    def __init__(self, caller: "AgentCaller", handle: int) -> None:
        self._caller = caller
        self._handle = handle
        self.inside = 0  # an address in it

    def address(self, symbol: str) -> int:
        """Return the address of *symbol*, 0 if the library does not have it."""
        self.inside = self._caller.symbol(self._handle, symbol) or self.inside
        return self._caller.symbol(self._handle, symbol)

    def through(self, ffi: Any) -> Any:
        """Return the library with the functions and constants that *ffi* declares."""
        if ffi is _ffi:  # of Vulkan's hundreds of functions, only the look-up is a symbol
            self._caller.look_for(self._handle, [name[4:] for name in ffi.list_types()[0] if name.startswith("PFN_zx")])
        return _Functions(self._caller, self, ffi)


class _Functions:
    """Functions of a library as attributes, and the constants of the binding, which need no library."""

    def __init__(self, caller: "AgentCaller", library: _Library, ffi: Any) -> None:
        self._of = caller, library, ffi, ffi.dlopen(None)

    def __getattr__(self, name: str) -> Any:
        caller, library, ffi, constants = self._of
        if name.startswith("VK_"):
            found = getattr(constants, name)
        elif address := library.address(name):
            found = caller.function(ffi, f"PFN_{name}", address)
        else:
            raise AttributeError(name)
        setattr(self, name, found)
        return found


class AgentMemory:
    """Memory of the agent's process outside the arena."""

    def __init__(self, caller: "AgentCaller", address: int, size: int) -> None:
        self._caller = caller
        self.pointer = address
        self.size = size

    def fill(self, period: bytes, size: int) -> None:
        """Write *size* bytes that repeat *period* to the start."""
        self._caller.post_fill(self.pointer, size, period)

    def compare(self, period: bytes, size: int) -> tuple[int, int]:
        """Compare the first *size* bytes with a repeated *period*; return the number of wrong ones, and the first."""
        answer = self._caller.on_memory(Ask.COMPARE, self.pointer, size, period)
        wrong, first = self._caller.numbers(TWO, answer)
        if not 0 <= first <= size or wrong > size:
            raise self._caller.refuse("a comparison outside the memory")
        return wrong, first

    def move_to(self, other: Any, size: int) -> None:
        """Copy the first *size* bytes to the start of *other*."""
        answer = self._caller.on_memory(Ask.MOVE, other.pointer, size, NUMBER.pack(self.pointer))
        self._caller.spend(*self._caller.numbers(NUMBER, answer))


class AgentCaller(AgentFrames):
    """Calls in the process of the agent behind *connection*, which has greeted with *hello*."""

    is_here = False

    def __init__(self, connection: Connection, hello: Hello) -> None:
        """Map the arena. Raises `AgentError` if none of the addresses that the agent offers is free here."""
        super().__init__(connection, _mapped(connection, hello))
        self.hello = hello
        self._symbols: dict[tuple[int, str], int] = {}
        self._variables: dict[str, str | None] = {}
        self._libraries: dict[str, _Library] = {}
        self._listen: Listener | None = None
        self._scratch: list[AgentMemory] = []
        self._unused: list[tuple[int, int]] = []

    @property
    def is_gone(self) -> bool:
        """Whether no further call can be made."""
        return self._connection.is_broken

    def close(self) -> None:
        """Unmap the arena, whose structures may not be used any more."""
        self._arena.close()

    def open(self, name: str) -> _Library:
        """Open a library. Raises `CannotOpen` if the device's linker refuses it."""
        try:
            handle = self.open_handle(_text(name))
        except Failed as refused:
            raise CannotOpen(readable(name), str(refused)) from refused
        self._libraries[name] = _Library(self, handle)
        return self._libraries[name]

    def already_open(self) -> Any:
        """Return the functions of libraries that the agent's process has loaded already."""
        return _Library(self, 0).through(_ffi)

    def symbol(self, library: int, name: str) -> int:
        """Return the address of a symbol, 0 if there is none."""
        if (library, name) not in self._symbols:
            self.look_for(library, [name])
        return self._symbols[library, name]

    def look_for(self, library: int, names: Sequence[str]) -> None:
        """Ask for the addresses of symbols."""
        answer = self._connection.ask(Ask.SYMBOLS, NUMBER.pack(library) + b"".join(map(_text, names)))
        if len(answer) != NUMBER.size * len(names):
            raise self.refuse("the addresses of other symbols")
        self._symbols |= {(library, name): at for name, (at,) in zip(names, NUMBER.iter_unpack(answer), strict=True)}

    def file_of(self, library: str) -> str:
        """Return the file behind an opened *library*, '' if it is not known."""
        opened = self._libraries.get(library)
        if opened is None or not opened.inside:
            return ""
        return decode(self._connection.ask(Ask.FILE_OF, NUMBER.pack(opened.inside)))[0]

    def function(self, ffi: Any, type: str, address: Any) -> Callable[..., Any]:
        """Return the function at *address*."""
        return Function(self, ffi, type.removeprefix("PFN_"), ffi.typeof(type), word_of(address))

    def in_turn(self, calls: Sequence[Call]) -> None:
        """Make calls, in one frame, up to the first that does not return 0."""
        functions = [call.function for call in calls if isinstance(call.function, Function)]
        if len(functions) < len(calls):
            LOCAL.in_turn(calls)  # some of them are timed one by one
            return
        for call in calls:
            call.on_call(call.name)
        before = self.waiting
        for function, call in zip(functions, calls, strict=True):
            self.put(function, call.arguments, must_be_0=function.has_result)
        made = self.make_calls(at_least=before + 1)[before:]
        for function, call, word in zip(functions, calls, made, strict=False):
            call.check(call.name, function.result(word) or 0)
        if len(made) < len(calls):
            raise self.refuse("calls were left out")

    def look_up(self, function: Any, owner: Any, names: Sequence[str]) -> list[Any]:
        """Look up each of *names*, in one frame."""
        before = self.waiting
        for name in names:
            self.put(function, (owner, name.encode()))
        return list(map(function.result, self.make_calls()[before:]))

    def second(self, descriptor: int, entry: str) -> "SecondAgent":
        """Start another agent, which inherits *descriptor* of this one with the startup *entry*.

        Raises:
            Failed: the agent's system cannot start one.
            AgentError, Lost: it does not greet.
        """
        self._connection.ask(Ask.SPAWN, _WORD.pack(descriptor) + _text(entry))
        return SecondAgent(self._connection)

    def string(self, ffi: Any, pointer: Any, most: int = _MOST_TEXT) -> bytes:
        """Read the C string at *pointer*."""
        del ffi
        return self.on_memory(Ask.STRING, word_of(pointer), most)[:most]

    def memory(self, ffi: Any, address: int, size: int) -> Memory:
        """Return the *size* bytes that a function has mapped at *address*."""
        del ffi
        return AgentMemory(self, address, size)

    def scratch(self, ffi: Any, size: int) -> Memory:
        """Return memory whose pages exist. One that was large enough is used again."""
        del ffi
        while self._unused:
            self.on_memory(Ask.DROP, *self._unused.pop())
        if size > _KEPT_SCRATCH:
            made = AgentMemory(self, self._scratch_address(size), size)
            finalize(made, self._unused.append, (made.pointer, size))  # dropped later: a request may be under way
            return made
        if not self._scratch:
            self._scratch.append(AgentMemory(self, self._scratch_address(_KEPT_SCRATCH), _KEPT_SCRATCH))
        return self._scratch[0]

    def _scratch_address(self, size: int) -> int:
        try:
            answer = self._connection.ask(Ask.SCRATCH, NUMBER.pack(size))
        except Failed as failed:
            raise NotAsked(f"the agent has no memory for {size:,} bytes") from failed
        return self.numbers(NUMBER, answer)[0]

    def listener(self, ffi: Any, listen: Listener) -> Any:
        """Return the agent's own messenger: what a driver gives to a messenger are pointers of its process."""
        self._listen = listen
        return ffi.cast("PFN_vkDebugUtilsMessengerCallbackEXT", self.hello.messenger)

    def heard(self) -> None:
        """Pass on all messages so far."""
        answer = self._connection.ask(Ask.MESSAGES)
        at = 4
        for _ in range(int.from_bytes(answer[:4], "little")):
            if at + RUN.size > len(answer):
                raise self.refuse("a message is too short")
            severity, size = RUN.unpack_from(answer, at)
            at += RUN.size + size
            if self._listen is not None:
                self._listen(severity, answer[at - size : at])

    def variable(self, name: str) -> str | None:
        """Return a variable of the agent's environment."""
        if name not in self._variables:
            self._variables |= variables(self._connection, [name])
        return self._variables[name]

    def set_variables(self, environ: Mapping[str, str]) -> None:
        """Set variables of the agent's environment."""
        self._connection.ask_each(Ask.SETENV, [_text(name) + _text(environ[name]) for name in environ])
        self._variables.clear()

    def exists(self, path: str) -> bool:
        """Whether the agent's process sees a file or a folder of this name."""
        return exist(self._connection, (path,))

    def platform(self) -> str:
        """Return the platform of the agent's system."""
        try:
            return platform_of(self.variable(PLATFORM_VARIABLE), self.hello.system)
        except BadValue as bad:
            raise AgentError(f"On the device, {bad.message}", bad.hint) from bad

    def resident(self) -> int:
        """Return the resident bytes of the agent's process, 0 if they are not known."""
        return self._memory()[0]

    def free_memory(self) -> int | None:
        """Return the bytes that the device can still allocate, None if they are not known."""
        return self._memory()[1] or None

    def _memory(self) -> tuple[int, int]:
        self.flush()
        resident, free = self.numbers(TWO, self._connection.ask(Ask.MEMORY))
        return resident, free


class SecondAgent:
    """An agent that another one started; *caller* calls in its process."""

    def __init__(self, first: Connection) -> None:
        self._first = first
        relayed = RelayedConnection(first)
        self.caller = AgentCaller(relayed, relayed.greet())

    def exit_status(self, patience_s: float) -> int | None:
        """Return its exit status, or minus the signal; None, and end it, if it still runs after *patience_s*."""
        answer = self._first.ask(Ask.STATUS, limit_s=patience_s)
        if len(answer) != _ENDED.size:
            raise self._first.refuse("an answer has another length")
        ended, status = _ENDED.unpack(answer)
        return status if ended else None


def _mapped(connection: Connection, hello: Hello) -> Arena:
    if not hello.offers:
        raise AgentError("The agent has no address space for its arena.", _LIMIT)
    for address in hello.offers:
        with suppress(OSError):
            arena = Arena(address, hello.arena_size)
            break
    else:
        text = "None of the addresses that the agent offers for its arena can be mapped here."
        raise AgentError(text, f"Run the same command again. {_LIMIT}")
    with ExitStack() as unless_used:
        unless_used.callback(arena.close)
        try:
            connection.ask(Ask.USE_ARENA, NUMBER.pack(address))
        except Failed as failed:
            raise AgentError(f"The agent cannot map its arena: {failed}.", _LIMIT) from None
        if hello.lack:
            text = f"A limit of the agent's process leaves too little for a driver: {hello.lack}."
            raise AgentError(text, "Raise the limit where the agent starts.")
        unless_used.pop_all()
    return arena


def variables(connection: Connection, names: Sequence[str]) -> dict[str, str | None]:
    """Return variables of an agent's environment."""
    answers = connection.ask_each(Ask.GETENV, list(map(_text, names)))
    return {name: None if answer is None else _shown(answer) for name, answer in zip(names, answers, strict=True)}


def exist(connection: Connection, paths: Sequence[str]) -> bool:
    """Whether all *paths* exist for an agent."""
    return None not in connection.ask_each(Ask.EXISTS, list(map(_text, paths)))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogateescape")
    if b"\0" in encoded:
        raise CannotOpen(decode(encoded)[0], "embedded null byte")
    return encoded + b"\0"


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
