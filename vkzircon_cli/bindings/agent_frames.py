# SPDX-License-Identifier: Apache-2.0
"""Requests to an agent whose time counts, by the agent's clock: frames of calls, and accesses to its memory."""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.arena import BLOCK, Arena, Malformed, Used
from vkzircon_cli.bindings.caller import Later
from vkzircon_cli.bindings.connection import AgentError, Ask, Connection
from vkzircon_cli.bindings.lost import Lost
from vkzircon_cli.errors import Refused
from vkzircon_cli.model.spec import status_name

NUMBER, TWO, RUN = struct.Struct("<Q"), struct.Struct("<QQ"), struct.Struct("<II")
_ffi: Any = _abi.ffi
_UINTPTR = _ffi.typeof("uintptr_t")
_MASK = (1 << 64) - 1
_CALLS = struct.Struct("<IIII")
_RESULT = struct.Struct("<QII")
_STATUS = (1 << 32) - 1
_LATER = 1 << 16  # flag of the first argument
_MOST_PUT_OFF = 64
# Calls without output: they travel with the next call, which raises the failure of the last one.
_PUT_OFF = ("vkDestroy", "vkFree", "vkUnmap", "vkCmd", _CLOSE := "zx_handle_close")
_LONGEST_NS = 1 << 62
_LEAST_S = 0.1


class Function:
    """A function of the agent's process."""

    __slots__ = ("_convert", "_frames", "address", "has_result", "is_put_off", "name")

    def __init__(self, frames: "AgentFrames", ffi: Any, name: str, type: Any, address: int) -> None:
        self._frames = frames
        self._convert = _converter(ffi, type.result)
        self.address = address
        self.name = name
        self.has_result = type.result.kind != "void"
        self.is_put_off = name.startswith(_PUT_OFF)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function and return its result; for a call that is put off, return the result of a success."""
        return self.result(self._frames.call(self, arguments))

    def result(self, word: int) -> Any:
        """Convert a result to its type; return None for a function without a result."""
        return self._convert(word) if self._convert is not None else None


def _converter(ffi: Any, type: Any) -> Callable[[int], Any] | None:
    if type.kind == "void":
        return None
    if type.kind in ("pointer", "function"):
        return lambda word: ffi.cast(type, word)
    return lambda word: int(ffi.cast(type, word))


def word_of(pointer: Any) -> int:
    """Return a pointer, or another argument of a call, as a number."""
    return int(_ffi.cast(_UINTPTR, pointer))


class AgentFrames:
    """The calls that wait for the next frame, the *arena* of their structures, and the time that they may take."""

    def __init__(self, connection: Connection, arena: Arena) -> None:
        self._connection = connection
        self._arena = arena
        self._allocators: dict[int, Any] = {}
        self._put_off: list[tuple[str, bytes, Any]] = []
        self._limit_s = self._left_s = 0.0
        self._in_calls_ns = 0
        self._loss: Lost | None = None
        self._last = ""  # the last call that was made

    def new(self, ffi: Any, type: str, value: Any = None) -> Any:
        """Make what ``ffi.new`` makes, in the arena. Raises `NotAsked` if it is full."""
        allocator = self._allocators.get(id(ffi))
        if allocator is None:
            allocator = self._allocators[id(ffi)] = ffi.new_allocator(self._arena.allocate, self._arena.free)
        return allocator(type, value)

    def call(self, function: Function, arguments: tuple[Any, ...]) -> int:
        """Call *function* after all calls that were put off, and return its result as a word."""
        self.put(function, arguments)
        if function.is_put_off and len(self._put_off) < _MOST_PUT_OFF:
            return 0
        return self.make_calls()[-1]

    def put(self, function: Function, arguments: tuple[Any, ...], *, must_be_0: bool = False) -> None:
        """Put off a call. With *must_be_0*, any other result makes it the last call of its frame that is made."""
        kept, words, flags = [], [], int(must_be_0)
        for number, argument in enumerate(arguments):
            value = argument
            if isinstance(argument, Later):
                value = argument.pointer
                flags |= _LATER << number
            elif isinstance(argument, bytes):
                value = self.new(_ffi, "char[]", argument)
                kept.append(value)
            words.append(value & _MASK if type(value) is int else word_of(value))
        made = struct.pack(f"<QII{len(words)}Q", function.address, len(words), flags, *words)
        # Kept alive, so that nothing else is allocated in their place before the call.
        self._put_off.append((function.name, made, (arguments, kept)))

    @property
    def waiting(self) -> int:
        """The number of calls that were put off."""
        return len(self._put_off)

    def flush(self) -> None:
        """Make every call that was put off."""
        if self._put_off:
            self.make_calls()

    def make_calls(self, at_least: int = 0) -> tuple[int, ...]:
        """Make the calls that were put off, in one frame; return the results of those that were made.

        These are all of them, or *at_least* so many if a call may be the last one by its result.
        """
        calls, self._put_off = self._put_off, []
        used, runs = self._arena.changes()
        parts = [_CALLS.pack(*used, len(runs), len(calls))]
        for first, data in runs:
            parts += (RUN.pack(first, len(data) // BLOCK), data)
        parts += [made for _, made, _ in calls]
        size = sum(used) * (BLOCK + RUN.size) + len(calls) * NUMBER.size
        try:
            # The only call of a frame has been noted already, with more than its name.
            with self._noting_loss([name for name, *_ in calls] if len(calls) > 1 else ()):
                answer = self._connection.ask(
                    Ask.CALL, b"".join(parts), limit_s=self._time_left, calls=len(calls), size=size
                )
        finally:
            self._last = calls[-1][0]
        results = self._results(answer, range(at_least or len(calls), len(calls) + 1), used)
        for (name, *_), word in zip(calls, results, strict=False):
            if name == _CLOSE and word & _STATUS:
                raise Refused(name, status_name(int(_ffi.cast("int32_t", word))))
        return results

    @property
    def _time_left(self) -> float:
        return max(self._left_s, _LEAST_S)

    @contextmanager
    def _noting_loss(self, names: Sequence[str] = ()) -> Iterator[None]:
        """Raise the first loss of the agent, also for later ones: objects that are destroyed after it send frames too.

        *names* are those of the calls in the frame, if the last call that was noted may be another one.
        """
        try:
            yield
        except Lost as lost:
            if self._loss is None:
                name = lost.name or (names[lost.call] if names else "")
                self._loss = type(lost)(0, name, self._limit_s)
                self._connection.lose(self._loss)
            raise self._loss from None

    def _results(self, answer: bytes, calls: range, used: Used) -> tuple[int, ...]:
        """Apply the blocks of an answer, and return its results, whose number must be in *calls*."""
        if len(answer) < _RESULT.size:
            raise self.refuse("an answer is too short")
        took_ns, runs, made = _RESULT.unpack_from(answer)
        at, view = _RESULT.size + made * NUMBER.size, memoryview(answer)
        if made not in calls or len(answer) < at:
            raise self.refuse("the results of other calls")
        try:
            for _ in range(runs):
                first, count = RUN.unpack_from(answer, at)
                at += RUN.size + count * BLOCK
                if at > len(answer):
                    raise Malformed("an answer is too short")
                self._arena.apply(first, view[at - count * BLOCK : at], used)
        except struct.error:
            raise self.refuse("an answer is too short") from None
        except Malformed as malformed:
            raise self.refuse(str(malformed)) from malformed
        self.spend(took_ns)
        return struct.unpack_from(f"<{made}Q", answer, _RESULT.size)

    def spend(self, took_ns: int) -> None:
        """Count the time of calls, or of a copy."""
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

    def open_handle(self, name: bytes) -> int:
        """Open a library, within the time limit of a step if one has begun, and return its handle."""
        with self._noting_loss():
            answer = self._connection.ask(Ask.OPEN, name, limit_s=self._limit_s and self._time_left)
        return self.numbers(NUMBER, answer)[0]

    def on_memory(self, kind: Ask, address: int, size: int, data: bytes = b"") -> bytes:
        """Access memory outside the arena, after all calls that were put off."""
        self.flush()
        with self._noting_loss():
            return self._connection.ask(kind, TWO.pack(address, size) + data, limit_s=self._time_left)

    def post_fill(self, address: int, size: int, period: bytes) -> None:
        """Write a repeated *period*, as `on_memory`, but read the answer with the next one."""
        self.flush()
        payload = TWO.pack(address, size) + period
        with self._noting_loss([self._last]):
            self._connection.post(Ask.FILL, payload, limit_s=self._time_left, name=self._last)

    def numbers(self, shape: struct.Struct, answer: bytes) -> tuple[int, ...]:
        """Return the numbers of an answer, whose length must be that of *shape*."""
        if len(answer) != shape.size:
            raise self.refuse("an answer has another length")
        return shape.unpack(answer)

    def refuse(self, what: str) -> AgentError:
        """Return the error for an answer with a wrong content, and use the agent no more."""
        return self._connection.refuse(what)
