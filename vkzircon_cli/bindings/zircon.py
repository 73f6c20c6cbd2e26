# SPDX-License-Identifier: Apache-2.0
"""The kernel's system calls, through libzircon: inspecting and closing handles, and accessing VMOs.

A bad handle may kill the process under some job policies, so each number from the driver is first passed to
ZX_INFO_HANDLE_VALID, the only call that is safe for any number (job_set_policy.md, ZX_POL_BAD_HANDLE).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.caller import LOCAL, Call, Caller, Later
from vkzircon_cli.bindings.dynlib import CannotOpen
from vkzircon_cli.bindings.faults import refuse_unusable
from vkzircon_cli.bindings.memory import Memory, pieces
from vkzircon_cli.errors import CannotAsk, NotAsked, Refused, of_newer_glibc
from vkzircon_cli.model import spec, text
from vkzircon_cli.model.base import Answer, not_asked
from vkzircon_cli.model.host import LIBZIRCON_VARIABLE
from vkzircon_cli.model.text import with_article
from vkzircon_cli.model.vmo import Handle, HandleBasic, VmoInfo
from vkzircon_cli.stream.events import answer_of

LIBRARY_NAME = "libzircon.so"

_HANDLE_VALID = 1
_HANDLE_BASIC = 2
_HANDLE_COUNT = 19
_PROCESS_HANDLE_STATS = 21
_VMO = 0x17
# (version, size) of ZX_INFO_VMO, newest first: an older kernel returns NOT_SUPPORTED for a newer version.
_VMO_VERSIONS = ((4, 176), (3, 128), (2, 120), (1, 104))
SAME_RIGHTS = 1 << 31
_PERM_READ, _PERM_WRITE = 1, 2
_CACHE_CLEAN_INVALIDATE = 9
_CHANNEL_MOST_BYTES, _CHANNEL_MOST_HANDLES = 65_536, 64
_CHANNEL_READABLE, _CHANNEL_PEER_CLOSED = 1, 4
_STARTUP_ENTRY_SIZE = 96
_STARTUP_INFO = 0xF0  # PA_HND(PA_USER0, 0)

ffi: Any = _abi.ffi


class Zircon:
    """An opened libzircon. Every method raises `Refused` with the zx_status_t if the system call fails.

    A method whose function the library lacks raises `NotAsked`, since no call was made.
    """

    def __init__(self, lib: Any, library: str, on_call: Callable[[str], None], caller: Caller = LOCAL) -> None:
        self.caller = caller
        self.lib = lib
        self.library = library
        self._on_call = on_call
        self._functions: dict[str, Any] = {}

    def file(self) -> str:
        """Return the library's file, '' if it is not known."""
        return self.caller.file_of(self.library)

    def page_size(self) -> int:
        """Return zx_system_get_page_size, which need not be 4096."""
        return int(self._function("zx_system_get_page_size")())

    def valid(self, handle: int) -> bool:
        """Whether *handle* is an open handle; safe for any number."""
        return self._if_valid(handle)

    def basic(self, handle: int) -> HandleBasic:
        """Return ZX_INFO_HANDLE_BASIC."""
        info = self._new("zx_info_handle_basic_t *")
        self._info(handle, _HANDLE_BASIC, info, ffi.sizeof("zx_info_handle_basic_t"))
        return _handle_basic(info)

    def basic_if_valid(self, handle: int | Later, *before: Call) -> HandleBasic | None:
        """Make the calls *before*, and return ZX_INFO_HANDLE_BASIC, None if *handle* is no open handle.

        Safe for any number. Raises what the calls raise.
        """
        if isinstance(handle, int) and not spec.looks_like_handle(handle):
            return None
        info, size = self._new("zx_info_handle_basic_t *"), ffi.sizeof("zx_info_handle_basic_t")
        basic = ("zx_object_get_info", handle, _HANDLE_BASIC, info, size, ffi.NULL, ffi.NULL)
        return _handle_basic(info) if self._if_valid(handle, basic, before) else None

    def handle_count(self, handle: int) -> int:
        """Return ZX_INFO_HANDLE_COUNT: the number of handles, in all processes, to the object."""
        count = self._new("uint32_t *")
        self._info(handle, _HANDLE_COUNT, count, 4)
        return int(count[0])

    def vmo_info(self, handle: int) -> VmoInfo:
        """Return ZX_INFO_VMO in the newest version that the kernel has."""
        for version, size in _VMO_VERSIONS:
            info = self._new("zx_info_vmo_t *")
            try:
                self._info(handle, _VMO | (version - 1) << 28, info, size)
            except Refused as refused:
                if refused.missing.result == "ZX_ERR_NOT_SUPPORTED":
                    continue
                raise
            return _vmo_info(version, info)
        raise NotAsked("the kernel has no version of ZX_INFO_VMO")

    def vmo_size(self, handle: int) -> int:
        """Return zx_vmo_get_size."""
        size = self._new("uint64_t *")
        self._call("zx_vmo_get_size", handle, size)
        return int(size[0])

    def compare(self, handle: int, period: bytes, size: int) -> tuple[int, int]:
        """Read the VMO's first *size* bytes; compare them as `Memory.compare` does."""
        wrong, first, buffer = 0, 0, self._buffer(period, size)
        for offset, length in pieces(period, size):
            self._call("zx_vmo_read", handle, buffer.pointer, offset, length)
            more, at = buffer.compare(period, length)
            first = first if wrong or not more else offset + at
            wrong += more
        return wrong, first

    def fill(self, handle: int, period: bytes, size: int) -> None:
        """Write *size* bytes that repeat *period* to the start of the VMO."""
        buffer = self._buffer(period, size)
        for number, (offset, length) in enumerate(pieces(period, size)):
            if number == 0:  # each piece begins like the first one
                buffer.fill(period, length)
            self._call("zx_vmo_write", handle, buffer.pointer, offset, length)

    def _buffer(self, period: bytes, size: int) -> Memory:
        return self.caller.scratch(ffi, max((length for _, length in pieces(period, size)), default=1))

    @contextmanager
    def mapped(self, handle: int, size: int, *, writes: bool = False) -> Iterator[Memory]:
        """Map the first *size* bytes of the VMO for reading, or also for writing, and unmap them."""
        root, address = self._function("zx_vmar_root_self")(), self._new("uintptr_t *")
        permissions = _PERM_READ | (_PERM_WRITE if writes else 0)
        self._call("zx_vmar_map", root, permissions, 0, handle, 0, size, address)
        try:
            yield self.caller.memory(ffi, address[0], size)
        finally:
            self._call("zx_vmar_unmap", root, address[0], size)

    def duplicate(self, handle: int, rights: int) -> tuple[Any, Call]:
        """Return the call that makes another handle, and the pointer to it; the caller closes that handle."""
        made = self._new("zx_handle_t *")
        return made, self.to_call("zx_handle_duplicate", handle, rights, made)

    def create(self, size: int) -> int:
        """Create a VMO of our own; the caller closes it."""
        return self._made("zx_vmo_create", size, 0)

    def create_event(self) -> int:
        """Create an event, an object that is not a VMO; the caller closes it."""
        return self._made("zx_event_create", 0)

    def _new(self, type: str, value: Any = None) -> Any:
        return self.caller.new(ffi, type, value)

    def _made(self, name: str, *arguments: Any) -> int:
        made = self._new("zx_handle_t *")
        self._call(name, *arguments, made)
        return int(made[0])

    def create_channel(self) -> tuple[int, int]:
        """Create a channel and return its two ends; the caller closes them."""
        ends = self._new("zx_handle_t[2]")
        self._call("zx_channel_create", 0, ends, ends + 1)
        return int(ends[0]), int(ends[1])

    def write_channel(self, channel: int, data: bytes, handles: Sequence[int] = ()) -> None:
        """Write a message; the *handles* leave this process even if the call fails."""
        sent = self._new("zx_handle_t[]", list(handles))
        self._call("zx_channel_write", channel, 0, self._new("char[]", data), len(data), sent, len(handles))

    def read_channel(self, channel: int) -> tuple[bytes, tuple[int, ...]]:
        """Read the first message and its handles, which the caller closes."""
        data, handles = self._new("uint8_t[]", _CHANNEL_MOST_BYTES), self._new("zx_handle_t[]", _CHANNEL_MOST_HANDLES)
        actual = self._new("uint32_t[2]")
        most = (_CHANNEL_MOST_BYTES, _CHANNEL_MOST_HANDLES)
        self._call("zx_channel_read", channel, 0, data, handles, *most, actual, actual + 1)
        if actual[0] > len(data) or actual[1] > len(handles):
            raise Refused("zx_channel_read", "", f"it counts {actual[0]} bytes and {actual[1]} handles")
        return bytes(ffi.buffer(data, actual[0])), tuple(handles[0 : actual[1]])

    def wait_for_message(self, channel: int, limit_s: float | None = None) -> bool:
        """Wait for a message; return False if the other end was closed instead; raise `Refused` past the limit."""
        observed, deadline = self._new("uint32_t *"), (1 << 63) - 1
        if limit_s is not None:
            deadline = self._function("zx_clock_get_monotonic")() + int(limit_s * 1e9)
        self._call("zx_object_wait_one", channel, _CHANNEL_READABLE | _CHANNEL_PEER_CLOSED, deadline, observed)
        return bool(observed[0] & _CHANNEL_READABLE)

    def startup_handle(self, channel: int) -> tuple[int, str]:
        """Turn a channel's end into a descriptor, which a new process inherits and the caller closes, and its entry.

        Only our own libzircon has this function; on Fuchsia, fdio starts processes.
        """
        descriptor, entry = self._new("int *"), self._new("char[]", _STARTUP_ENTRY_SIZE)
        self._call("vkz_startup_handle", _STARTUP_INFO, channel, descriptor, entry)
        return int(descriptor[0]), text.decode(ffi.string(entry))[0]

    def take_startup_handle(self) -> int:
        """Return the channel's end that this process was started with, 0 if there is none."""
        return int(self._function("zx_take_startup_handle")(_STARTUP_INFO))

    def open_handles(self) -> int:
        """Return the number of this process's handles, by ZX_INFO_PROCESS_HANDLE_STATS."""
        counts = self._new("uint32_t[64]")
        process = self._function("zx_process_self")()
        self._info(process, _PROCESS_HANDLE_STATS, counts, 256)
        return sum(counts)

    def clean_and_invalidate(self, handle: int, size: int) -> None:
        """Write back and drop the cache lines of the VMO's first *size* bytes, so that the next read is from memory.

        Does nothing to a physical VMO, which has no such operation (RFC-0252).
        """
        try:
            self._call("zx_vmo_op_range", handle, _CACHE_CLEAN_INVALIDATE, 0, size, ffi.NULL, 0)
        except Refused as refused:
            if refused.missing.result != "ZX_ERR_NOT_SUPPORTED":
                raise

    def close_open(self, handle: int) -> None:
        """Close *handle*, which is known to be open."""
        self._call("zx_handle_close", handle)

    def close(self, handle: int) -> None:
        """Close *handle*, if it is open."""
        if spec.looks_like_handle(handle):
            self._if_valid(handle, ("zx_handle_close", handle))

    def describe(self, value: int, written: bool) -> Handle:
        """Collect everything that is safe to ask about a number that the driver returned as a handle."""
        valid = answer_of(lambda: spec.looks_like_handle(value) and self.valid(value))
        if not valid.value:
            return undescribed(value, written, valid, "the kernel has no such handle")
        basic = answer_of(lambda: self.basic(value))
        if basic.value is not None and basic.value.type.value != spec.OBJECT_TYPE_VMO:
            return undescribed(value, written, valid, f"it is {with_article(basic.value.type.name)}, not a VMO", basic)
        size, info = answer_of(lambda: self.vmo_size(value)), answer_of(lambda: self.vmo_info(value))
        count = answer_of(lambda: self.handle_count(value))
        return Handle(spec.handle_text(value), written, valid, basic, size, info, count)

    def _if_valid(self, handle: int | Later, call: tuple[Any, ...] | None = None, before: Sequence[Call] = ()) -> bool:
        """Make *call* if *handle* is an open handle, which is safe to ask for any number; return whether it is."""
        name, arguments = "zx_object_get_info", (handle, _HANDLE_VALID, ffi.NULL, 0, ffi.NULL, ffi.NULL)
        valid = Call(name, self._function(name), arguments, self._on_call, _must_be_open)
        after = [] if call is None else [self.to_call(*call)]
        try:
            self.caller.in_turn((*before, valid, *after))
        except _NotOpen:
            return False
        return True

    def to_call(self, name: str, *arguments: Any) -> Call:
        """Return a system call, to be made in turn."""
        return Call(name, self._function(name), arguments, self._on_call, _check)

    def _info(self, handle: int, topic: int, record: Any, size: int) -> None:
        self._call("zx_object_get_info", handle, topic, record, size, ffi.NULL, ffi.NULL)

    def _call(self, name: str, *arguments: Any) -> None:
        function = self._function(name)
        self._on_call(name)
        _check(name, function(*arguments))

    def _function(self, name: str) -> Any:
        if name not in self._functions:
            self._functions[name] = self._looked_up(name)
        return self._functions[name]

    def _looked_up(self, name: str) -> Any:
        # On Fuchsia zx_vmar_root_self is in libc.so, not in the vDSO; the process has loaded both.
        for is_open in (False, True):
            try:
                return getattr(self.caller.already_open() if is_open else self.lib, name)
            except (AttributeError, ffi.error):
                continue
        raise NotAsked(f"{text.readable(self.library)} has no {name}")


class _NotOpen(Exception):
    """The number is not an open handle."""


def _must_be_open(name: str, status: int) -> None:
    if spec.status_name(status) == "ZX_ERR_BAD_HANDLE":
        raise _NotOpen
    _check(name, status)


def _check(name: str, status: int) -> None:
    if status != 0:
        raise Refused(name, spec.status_name(status))


def undescribed(
    value: int, written: bool, valid: Answer[bool], reason: str, basic: Answer[HandleBasic] | None = None
) -> Handle:
    """Return the record of a handle that cannot be queried further, with the *reason*."""
    missing: Answer[Any] = not_asked(reason)
    return Handle(spec.handle_text(value), written, valid, basic or missing, missing, missing, missing)


def _handle_basic(info: Any) -> HandleBasic:
    return HandleBasic(
        str(info.koid), spec.named(info.type, spec.OBJECT_TYPES), spec.flags(info.rights, spec.RIGHT_BITS)
    )


def _vmo_info(version: int, info: Any) -> VmoInfo:
    name, name_hex = text.decode(ffi.string(info.name, 32))
    return VmoInfo(
        version=version,
        name=name,
        size_bytes=info.size_bytes,
        flags=spec.flags(info.flags & ~spec.VMO_VIA_BITS, spec.VMO_BITS),
        parent_koid=str(info.parent_koid),
        num_children=info.num_children,
        num_mappings=info.num_mappings,
        share_count=info.share_count,
        committed_bytes=info.committed_bytes,
        cache_policy=spec.named(info.cache_policy, spec.CACHE_POLICIES),
        name_hex=name_hex,
    )


def open_zircon(on_call: Callable[[str], None], caller: Caller = LOCAL) -> Zircon:
    """Open libzircon: the library that VKZIRCON_LIBZIRCON names, or the soname, mapped in every Fuchsia process.

    Raises:
        Refused: there is no libzircon; the Vulkan side can still be tested.
        CannotAsk: VKZIRCON_LIBZIRCON names a library that cannot be opened.
        Usage, CannotAsk: as `refuse_unusable` does.
    """
    chosen = caller.variable(LIBZIRCON_VARIABLE)
    library = chosen or LIBRARY_NAME
    try:
        lib = caller.open(library).through(ffi)
    except CannotOpen as refused:
        if newer := of_newer_glibc(refused):
            raise newer from refused
        if chosen:
            hint = f"Set {LIBZIRCON_VARIABLE} to a library that has the zx_ functions, or unset it."
            raise CannotAsk("no-libzircon", f"{LIBZIRCON_VARIABLE} cannot be opened: {refused}.", hint) from refused
        raise Refused("dlopen", "", f"no libzircon here ({refused})") from refused
    refuse_unusable(lib, caller)
    return Zircon(lib, library, on_call, caller)
