# SPDX-License-Identifier: Apache-2.0
"""The caller that has an agent make every call: the other side of the seam in `caller`."""

import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any
from weakref import finalize

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.arena import BLOCK, Arena, Malformed, Used
from vkzircon_cli.bindings.caller import LOCAL, Call, Later, Listener
from vkzircon_cli.bindings.connection import AgentError, Ask, Connection, Hello, RelayedConnection
from vkzircon_cli.bindings.dynlib import CannotOpen
from vkzircon_cli.bindings.lost import Failed, Lost
from vkzircon_cli.bindings.memory import Memory
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import BadValue
from vkzircon_cli.model.host import PLATFORM_VARIABLE, platform_of
from vkzircon_cli.model.spec import status_name
from vkzircon_cli.model.text import decode, readable

_ffi: Any = _abi.ffi
_UINTPTR = _ffi.typeof("uintptr_t")
_MASK = (1 << 64) - 1
_CALLS = struct.Struct("<IIII")
_RUN = struct.Struct("<II")
_WORD = struct.Struct("<I")
_ENDED = struct.Struct("<Ii")
_RESULT = struct.Struct("<QII")
_MOST_WORDS = 12
_STATUS = (1 << 32) - 1
_LATER = 1 << 16  # flag of the first argument
_MOST_PUT_OFF = 64
_MOST_TEXT = 4096
# Calls without output: they travel with the next call, which raises the failure of the last one.
_PUT_OFF = ("vkDestroy", "vkFree", "vkUnmap", "vkCmd", _CLOSE := "zx_handle_close")
_KEPT_SCRATCH = 2 << 20
_LONGEST_NS = 1 << 62
_LIMIT = "A limit on address space (ulimit -v) may be the cause."
_NUMBER = struct.Struct("<Q")
_TWO = struct.Struct("<QQ")


class _Function:
    """A function of the agent's process."""

    __slots__ = ("_caller", "_convert", "address", "has_result", "is_put_off", "name")

    def __init__(self, caller: "AgentCaller", ffi: Any, name: str, type: Any, address: int) -> None:
        self._caller = caller
        self._convert = _converter(ffi, type.result)
        self.address = address
        self.name = name
        self.has_result = type.result.kind != "void"
        self.is_put_off = name.startswith(_PUT_OFF)

    def __call__(self, *arguments: Any) -> Any:
        return self.result(self._caller.call(self, arguments))

    def result(self, word: int) -> Any:
        """Convert a result to its type; return None for a function without a result."""
        return self._convert(word) if self._convert is not None else None


def _converter(ffi: Any, type: Any) -> Callable[[int], Any] | None:
    if type.kind == "void":
        return None
    if type.kind in ("pointer", "function"):
        return lambda word: ffi.cast(type, word)
    return lambda word: int(ffi.cast(type, word))


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
        wrong, first = _TWO.unpack(self._caller.on_memory(Ask.COMPARE, self.pointer, size, period, answers=_TWO.size))
        if not 0 <= first <= size or wrong > size:
            raise self._caller.refuse("a comparison outside the memory")
        return wrong, first

    def move_to(self, other: Any, size: int) -> None:
        """Copy the first *size* bytes to the start of *other*."""
        source = _NUMBER.pack(self.pointer)
        self._caller.moved(self._caller.on_memory(Ask.MOVE, other.pointer, size, source, answers=_NUMBER.size))


class AgentCaller:
    """Calls in the process of the agent behind *connection*, which has greeted with *hello*."""

    is_here = False

    def __init__(self, connection: Connection, hello: Hello) -> None:
        """Map the arena. Raises `AgentError` if none of the addresses that the agent offers is free here."""
        self.hello = hello
        self._connection = connection
        self._arena = self._mapped()
        self._allocators: dict[int, Any] = {}
        self._symbols: dict[tuple[int, str], int] = {}
        self._variables: dict[str, str | None] = {}
        self._libraries: dict[str, _Library] = {}
        self._put_off: list[tuple[str, bytes, Any]] = []
        self._listen: Listener | None = None
        self._limit_s = self._left_s = 0.0
        self._in_calls_ns = 0
        self._loss: Lost | None = None
        self._last = ""  # the last call that was made
        self._scratch: list[AgentMemory] = []
        self._unused: list[tuple[int, int]] = []

    @property
    def is_gone(self) -> bool:
        """Whether no further call can be made."""
        return self._connection.is_broken

    def _mapped(self) -> Arena:
        if not self.hello.offers:
            raise AgentError("The agent has no address space for its arena.", _LIMIT)
        for address in self.hello.offers:
            with suppress(OSError):
                arena = Arena(address, self.hello.arena_size)
                break
        else:
            text = "None of the addresses that the agent offers for its arena can be mapped here."
            raise AgentError(text, f"Run the same command again. {_LIMIT}")
        with ExitStack() as unless_used:
            unless_used.callback(arena.close)
            try:
                self._connection.ask(Ask.USE_ARENA, _NUMBER.pack(address))
            except Failed as failed:
                raise AgentError(f"The agent cannot map its arena: {failed}.", _LIMIT) from None
            if self.hello.lack:
                text = f"A limit of the agent's process leaves too little for a driver: {self.hello.lack}."
                raise AgentError(text, "Raise the limit where the agent starts.")
            unless_used.pop_all()
        return arena

    def close(self) -> None:
        """Unmap the arena, whose structures may not be used any more."""
        self._arena.close()

    def new(self, ffi: Any, type: str, value: Any = None) -> Any:
        """Make what ``ffi.new`` makes, in the arena. Raises `NotAsked` if it is full."""
        allocator = self._allocators.get(id(ffi))
        if allocator is None:
            allocator = self._allocators[id(ffi)] = ffi.new_allocator(self._arena.allocate, self._arena.free)
        return allocator(type, value)

    def open(self, name: str) -> _Library:
        """Open a library. Raises `CannotOpen` if the device's linker refuses it."""
        try:
            handle = self._number(Ask.OPEN, _text(name), self._limit_s and max(self._left_s, 0.1))
        except Failed as refused:
            raise CannotOpen(readable(name), str(refused)) from refused
        except Lost as lost:
            raise self._first_loss(lost) from None
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
        answer = self._connection.ask(Ask.SYMBOLS, _NUMBER.pack(library) + b"".join(map(_text, names)))
        if len(answer) != _NUMBER.size * len(names):
            raise self.refuse("the addresses of other symbols")
        self._symbols |= {(library, name): at for name, (at,) in zip(names, _NUMBER.iter_unpack(answer), strict=True)}

    def _number(self, kind: Ask, payload: bytes, limit_s: float = 0.0) -> int:
        answer = self._connection.ask(kind, payload, limit_s=limit_s)
        if len(answer) != _NUMBER.size:
            raise self.refuse("a number has another length")
        return int.from_bytes(answer, "little")

    def file_of(self, library: str) -> str:
        """Return the file behind an opened *library*, '' if it is not known."""
        opened = self._libraries.get(library)
        if opened is None or not opened.inside:
            return ""
        return decode(self._connection.ask(Ask.FILE_OF, _NUMBER.pack(opened.inside)))[0]

    def function(self, ffi: Any, type: str, address: Any) -> Callable[..., Any]:
        """Return the function at *address*."""
        return _Function(self, ffi, type.removeprefix("PFN_"), ffi.typeof(type), _word(address))

    def call(self, function: _Function, arguments: tuple[Any, ...]) -> int:
        """Call *function* after all calls that were put off, and return its result as a word."""
        self._put(function, arguments)
        if function.is_put_off and len(self._put_off) < _MOST_PUT_OFF:
            return 0
        return self._make_calls()[-1]

    def in_turn(self, calls: Sequence[Call]) -> None:
        """Make calls, in one frame, up to the first that does not return 0."""
        functions = [call.function for call in calls if isinstance(call.function, _Function)]
        if len(functions) < len(calls):
            LOCAL.in_turn(calls)  # some of them are timed one by one
            return
        for call in calls:
            call.on_call(call.name)
        before = len(self._put_off)
        for function, call in zip(functions, calls, strict=True):
            self._put(function, call.arguments, must_be_0=function.has_result)
        made = self._make_calls(at_least=before + 1)[before:]
        for function, call, word in zip(functions, calls, made, strict=False):
            call.check(call.name, function.result(word) or 0)
        if len(made) < len(calls):
            raise self.refuse("calls were left out")

    def look_up(self, function: Any, owner: Any, names: Sequence[str]) -> list[Any]:
        """Look up each of *names*, in one frame."""
        before = len(self._put_off)
        for name in names:
            self._put(function, (owner, name.encode()))
        return list(map(function.result, self._make_calls()[before:]))

    def _put(self, function: _Function, arguments: tuple[Any, ...], *, must_be_0: bool = False) -> None:
        kept, words, flags = [], [], int(must_be_0)
        for number, argument in enumerate(arguments):
            value = argument
            if isinstance(argument, Later):
                value = argument.pointer
                flags |= _LATER << number
            elif isinstance(argument, bytes):
                value = self.new(_ffi, "char[]", argument)
                kept.append(value)
            words.append(value & _MASK if type(value) is int else int(_ffi.cast(_UINTPTR, value)))
        made = struct.pack(f"<QII{len(words)}Q", function.address, len(words), flags, *words)
        # Kept alive, so that nothing else is allocated in their place before the call.
        self._put_off.append((function.name, made, (arguments, kept)))

    def second(self, descriptor: int, entry: str) -> "SecondAgent":
        """Start another agent, which inherits *descriptor* of this one with the startup *entry*.

        Raises:
            Failed: the agent's system cannot start one.
            AgentError, Lost: it does not greet.
        """
        self._connection.ask(Ask.SPAWN, _WORD.pack(descriptor) + _text(entry))
        return SecondAgent(self._connection)

    def flush(self) -> None:
        """Make every call that was put off."""
        if self._put_off:
            self._make_calls()

    def _make_calls(self, at_least: int = 0) -> tuple[int, ...]:
        """Make the calls that were put off, in one frame; return the results of those that were made.

        These are all of them, or *at_least* so many if a call may be the last one by its result.
        """
        calls, self._put_off = self._put_off, []
        used, runs = self._arena.changes()
        parts = [_CALLS.pack(*used, len(runs), len(calls))]
        for first, data in runs:
            parts += (_RUN.pack(first, len(data) // BLOCK), data)
        parts += [made for _, made, _ in calls]
        try:
            answer = self._connection.ask(
                Ask.CALL,
                b"".join(parts),
                limit_s=max(self._left_s, 0.1),
                calls=len(calls),
                size=sum(used) * (BLOCK + _RUN.size) + len(calls) * _NUMBER.size,
            )
        except Lost as lost:
            # The only call of a frame has been noted already, with more than its name.
            raise self._first_loss(lost, [name for name, *_ in calls] if len(calls) > 1 else ()) from None
        finally:
            self._last = calls[-1][0]
        results = self._results(answer, range(at_least or len(calls), len(calls) + 1), used)
        for (name, *_), word in zip(calls, results, strict=False):
            if name == _CLOSE and word & _STATUS:
                raise Refused(name, status_name(int(_ffi.cast("int32_t", word))))
        return results

    def _first_loss(self, lost: Lost, names: Sequence[str] = ()) -> Lost:
        """Return the loss of the agent: objects that are destroyed behind it lead here again, in other frames.

        *names* are those of the calls in the frame, if the last call that was noted may be another one.
        """
        if self._loss is None:
            name = lost.name or (names[lost.call] if names else "")
            self._loss = type(lost)(0, name, self._limit_s)
            self._connection.lose(self._loss)
        return self._loss

    def _results(self, answer: bytes, calls: range, used: Used) -> tuple[int, ...]:
        """Apply the blocks of an answer, and return its results, whose number must be in *calls*."""
        if len(answer) < _RESULT.size:
            raise self.refuse("an answer is too short")
        took_ns, runs, made = _RESULT.unpack_from(answer)
        at, view = _RESULT.size + made * _NUMBER.size, memoryview(answer)
        if made not in calls or len(answer) < at:
            raise self.refuse("the results of other calls")
        try:
            for _ in range(runs):
                first, count = _RUN.unpack_from(answer, at)
                at += _RUN.size + count * BLOCK
                if at > len(answer):
                    raise Malformed("an answer is too short")
                self._arena.apply(first, view[at - count * BLOCK : at], used)
        except struct.error:
            raise self.refuse("an answer is too short") from None
        except Malformed as malformed:
            raise self.refuse(str(malformed)) from malformed
        self._spend(took_ns)
        return struct.unpack_from(f"<{made}Q", answer, _RESULT.size)

    def _spend(self, took_ns: int) -> None:
        self._in_calls_ns += took_ns
        self._left_s -= took_ns / 1e9
        if self._in_calls_ns > _LONGEST_NS:
            raise self.refuse("calls took longer than is possible")

    def begin_step(self, limit_s: float) -> None:
        """Allow the calls of one step *limit_s* seconds, by the agent's clock."""
        self._limit_s = self._left_s = limit_s

    def clock_ns(self) -> int:
        """Return the nanoseconds that the agent has spent in calls and copies."""
        self.flush()
        return self._in_calls_ns

    def timer(self, limit_s: float) -> Callable[[], bool]:
        """Return a function that reports whether calls took *limit_s* seconds; time on the line does not count."""
        until = self._in_calls_ns + int(limit_s * 1e9)
        return lambda: self._in_calls_ns >= until

    def moved(self, answer: bytes) -> None:
        """Count the time of a copy."""
        self._spend(int.from_bytes(answer, "little"))

    def on_memory(self, kind: Ask, address: int, size: int, data: bytes = b"", *, answers: int | None = None) -> bytes:
        """Access memory outside the arena, after all calls that were put off; *answers* is the answer's length."""
        self.flush()
        payload = _TWO.pack(address, size) + data
        try:
            answer = self._connection.ask(kind, payload, limit_s=max(self._left_s, 0.1))
        except Lost as lost:
            raise self._first_loss(lost) from None
        if answers is not None and len(answer) != answers:
            raise self.refuse("an answer has another length")
        return answer

    def post_fill(self, address: int, size: int, period: bytes) -> None:
        """Write a repeated *period*, as `on_memory`, but read the answer with the next one."""
        self.flush()
        payload = _TWO.pack(address, size) + period
        try:
            self._connection.post(Ask.FILL, payload, limit_s=max(self._left_s, 0.1), name=self._last)
        except Lost as lost:
            raise self._first_loss(lost, [self._last]) from None

    def refuse(self, what: str) -> AgentError:
        """Return the error for an answer with a wrong content, and use the agent no more."""
        return self._connection.refuse(what)

    def string(self, ffi: Any, pointer: Any, most: int = _MOST_TEXT) -> bytes:
        """Read the C string at *pointer*."""
        del ffi
        return self.on_memory(Ask.STRING, _word(pointer), most)[:most]

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
            return self._number(Ask.SCRATCH, _NUMBER.pack(size))
        except Failed as failed:
            raise NotAsked(f"the agent has no memory for {size:,} bytes") from failed

    def listener(self, ffi: Any, listen: Listener) -> Any:
        """Return the agent's own messenger: what a driver gives to a messenger are pointers of its process."""
        self._listen = listen
        return ffi.cast("PFN_vkDebugUtilsMessengerCallbackEXT", self.hello.messenger)

    def heard(self) -> None:
        """Pass on all messages so far."""
        answer = self._connection.ask(Ask.MESSAGES)
        at = 4
        for _ in range(int.from_bytes(answer[:4], "little")):
            if at + _RUN.size > len(answer):
                raise self.refuse("a message is too short")
            severity, size = _RUN.unpack_from(answer, at)
            at += _RUN.size + size
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
        answer = self._connection.ask(Ask.MEMORY)
        if len(answer) != _TWO.size:
            raise self.refuse("an answer has another length")
        resident, free = _TWO.unpack(answer)
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


def variables(connection: Connection, names: Sequence[str]) -> dict[str, str | None]:
    """Return variables of an agent's environment."""
    answers = connection.ask_each(Ask.GETENV, list(map(_text, names)))
    return {name: None if answer is None else _shown(answer) for name, answer in zip(names, answers, strict=True)}


def exist(connection: Connection, paths: Sequence[str]) -> bool:
    """Whether all *paths* exist for an agent."""
    return None not in connection.ask_each(Ask.EXISTS, list(map(_text, paths)))


def _word(pointer: Any) -> int:
    return int(_ffi.cast(_UINTPTR, pointer))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogateescape")
    if b"\0" in encoded:
        raise CannotOpen(decode(encoded)[0], "embedded null byte")
    return encoded + b"\0"


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
