# SPDX-License-Identifier: Apache-2.0
"""The kernel's side, through libzircon: what a handle is, what its VMO holds, and closing it.

A bad handle may kill the process under some job policies, so a number from the driver is shown to ZX_INFO_HANDLE_VALID,
the one question that is safe to ask, before anything else (job_set_policy.md, ZX_POL_BAD_HANDLE).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.dynlib import CannotOpen, in_this_process, open_library
from vkzircon_cli.bindings.faults import refuse_unknown_faults
from vkzircon_cli.errors import CannotAsk, NotAsked, Refused
from vkzircon_cli.model import text
from vkzircon_cli.model.base import Answer, not_asked
from vkzircon_cli.model.host import LIBZIRCON_VARIABLE
from vkzircon_cli.model.spec import (
    CACHE_POLICIES,
    OBJECT_TYPE_VMO,
    OBJECT_TYPES,
    RIGHT_BITS,
    VMO_BITS,
    VMO_VIA_BITS,
    flags,
    handle_text,
    looks_like_handle,
    named,
    status_name,
)
from vkzircon_cli.model.vmo import Handle, HandleBasic, VmoInfo
from vkzircon_cli.stream.events import answer_of

LIBRARY_NAME = "libzircon.so"

_HANDLE_VALID = 1
_HANDLE_BASIC = 2
_HANDLE_COUNT = 19
_PROCESS_HANDLE_STATS = 21
_VMO = 0x17
# (version, size) of ZX_INFO_VMO, newest first: a kernel answers NOT_SUPPORTED to a version that it does not know.
_VMO_VERSIONS = ((4, 176), (3, 128), (2, 120), (1, 104))
_SAME_RIGHTS = 1 << 31
_PERM_READ = 1
_CACHE_CLEAN_INVALIDATE = 9
_CHANNEL_MOST_BYTES, _CHANNEL_MOST_HANDLES = 65_536, 64
_CHANNEL_READABLE, _CHANNEL_PEER_CLOSED = 1, 4
_STARTUP_ENTRY_SIZE = 96
_STARTUP_INFO = 0xF0  # PA_HND(PA_USER0, 0)

ffi: Any = _abi.ffi


class Zircon:
    """An opened libzircon. Every method raises `Refused` with the zx_status_t when the kernel says no.

    A function that the library lacks is `NotAsked`: nobody was there to say no.
    """

    def __init__(self, lib: Any, library: str, on_call: Callable[[str], None]) -> None:
        self.lib = lib
        self.library = library
        self._on_call = on_call
        self._functions: dict[str, Any] = {}

    def page_size(self) -> int:
        """Ask zx_system_get_page_size: never assume 4096."""
        return int(self._function("zx_system_get_page_size")())

    def valid(self, handle: int) -> bool:
        """Ask whether *handle* is a live handle; safe for any number."""
        try:
            self._call("zx_object_get_info", handle, _HANDLE_VALID, ffi.NULL, 0, ffi.NULL, ffi.NULL)
        except Refused as refused:
            if refused.missing.result == "ZX_ERR_BAD_HANDLE":
                return False
            raise
        return True

    def basic(self, handle: int) -> HandleBasic:
        """Ask ZX_INFO_HANDLE_BASIC."""
        info = ffi.new("zx_info_handle_basic_t *")
        self._info(handle, _HANDLE_BASIC, info, ffi.sizeof("zx_info_handle_basic_t"))
        return HandleBasic(str(info.koid), named(info.type, OBJECT_TYPES), flags(info.rights, RIGHT_BITS))

    def handle_count(self, handle: int) -> int:
        """Ask ZX_INFO_HANDLE_COUNT: how many handles, in all processes, refer to the object."""
        count = ffi.new("uint32_t *")
        self._info(handle, _HANDLE_COUNT, count, 4)
        return int(count[0])

    def vmo_info(self, handle: int) -> VmoInfo:
        """Ask ZX_INFO_VMO in the newest version that the kernel knows."""
        for version, size in _VMO_VERSIONS:
            info = ffi.new("zx_info_vmo_t *")
            try:
                self._info(handle, _VMO | (version - 1) << 28, info, size)
            except Refused as refused:
                if refused.missing.result == "ZX_ERR_NOT_SUPPORTED":
                    continue
                raise
            return _vmo_info(version, info)
        raise NotAsked("the kernel knows no version of ZX_INFO_VMO")

    def vmo_size(self, handle: int) -> int:
        """Ask zx_vmo_get_size."""
        size = ffi.new("uint64_t *")
        self._call("zx_vmo_get_size", handle, size)
        return int(size[0])

    def read(self, handle: int, offset: int, size: int) -> bytes:
        """Copy *size* bytes out of the VMO."""
        buffer = ffi.new("uint8_t[]", size)
        self._call("zx_vmo_read", handle, buffer, offset, size)
        return bytes(ffi.buffer(buffer, size))

    def write(self, handle: int, offset: int, data: bytes) -> None:
        """Copy *data* into the VMO."""
        self._call("zx_vmo_write", handle, ffi.from_buffer(data), offset, len(data))

    @contextmanager
    def mapped(self, handle: int, size: int) -> Iterator[memoryview]:
        """Map the first *size* bytes of the VMO for reading, and unmap them."""
        root, address = self._function("zx_vmar_root_self")(), ffi.new("uintptr_t *")
        self._call("zx_vmar_map", root, _PERM_READ, 0, handle, 0, size, address)
        try:
            yield memoryview(ffi.buffer(ffi.cast("uint8_t *", address[0]), size))
        finally:
            self._call("zx_vmar_unmap", root, address[0], size)

    def duplicate(self, handle: int, rights: int = _SAME_RIGHTS) -> int:
        """Make another handle to the same object, with the same rights if no others are given; the caller closes it."""
        made = ffi.new("zx_handle_t *")
        self._call("zx_handle_duplicate", handle, rights, made)
        return int(made[0])

    def create(self, size: int) -> int:
        """Create a VMO of our own; the caller closes it."""
        made = ffi.new("zx_handle_t *")
        self._call("zx_vmo_create", size, 0, made)
        return int(made[0])

    def create_event(self) -> int:
        """Create an event, an object that is no VMO; the caller closes it."""
        made = ffi.new("zx_handle_t *")
        self._call("zx_event_create", 0, made)
        return int(made[0])

    def create_channel(self) -> tuple[int, int]:
        """Create a channel and give its two ends; the caller closes them."""
        ends = ffi.new("zx_handle_t[2]")
        self._call("zx_channel_create", 0, ends, ends + 1)
        return int(ends[0]), int(ends[1])

    def write_channel(self, channel: int, data: bytes, handles: Sequence[int] = ()) -> None:
        """Write a message; the *handles* are gone, whatever the answer."""
        sent = ffi.new("zx_handle_t[]", list(handles))
        self._call("zx_channel_write", channel, 0, ffi.from_buffer(data), len(data), sent, len(handles))

    def read_channel(self, channel: int) -> tuple[bytes, tuple[int, ...]]:
        """Read the first message and the handles in it, which are the caller's to close."""
        data, handles = ffi.new("uint8_t[]", _CHANNEL_MOST_BYTES), ffi.new("zx_handle_t[]", _CHANNEL_MOST_HANDLES)
        actual = ffi.new("uint32_t[2]")
        most = (_CHANNEL_MOST_BYTES, _CHANNEL_MOST_HANDLES)
        self._call("zx_channel_read", channel, 0, data, handles, *most, actual, actual + 1)
        return bytes(ffi.buffer(data, actual[0])), tuple(handles[0 : actual[1]])

    def wait_for_message(self, channel: int, limit_s: float | None = None) -> bool:
        """Wait until a message can be read, which is False once the other end is closed; `Refused` past the limit."""
        observed, deadline = ffi.new("uint32_t *"), (1 << 63) - 1
        if limit_s is not None:
            deadline = self._function("zx_clock_get_monotonic")() + int(limit_s * 1e9)
        self._call("zx_object_wait_one", channel, _CHANNEL_READABLE | _CHANNEL_PEER_CLOSED, deadline, observed)
        return bool(observed[0] & _CHANNEL_READABLE)

    def startup_handle(self, channel: int) -> tuple[int, str]:
        """Make of a channel's end what a new process inherits: a descriptor, the caller's, and the entry that names it.

        Only our own libzircon has this; on Fuchsia it is fdio that starts processes.
        """
        descriptor, entry = ffi.new("int *"), ffi.new("char[]", _STARTUP_ENTRY_SIZE)
        self._call("vkz_startup_handle", _STARTUP_INFO, channel, descriptor, entry)
        return int(descriptor[0]), ffi.string(entry).decode("ascii")

    def take_startup_handle(self) -> int:
        """Take the channel's end that this process was started with, 0 if there is none."""
        return int(self._function("zx_take_startup_handle")(_STARTUP_INFO))

    def open_handles(self) -> int:
        """Count this process's handles, by ZX_INFO_PROCESS_HANDLE_STATS."""
        counts = ffi.new("uint32_t[64]")
        process = self._function("zx_process_self")()
        self._info(process, _PROCESS_HANDLE_STATS, counts, 256)
        return sum(counts)

    def clean_and_invalidate(self, handle: int, size: int) -> None:
        """Write back and drop the cache lines of the VMO's first *size* bytes, so that the next read is of memory."""
        self._call("zx_vmo_op_range", handle, _CACHE_CLEAN_INVALIDATE, 0, size, ffi.NULL, 0)

    def close(self, handle: int) -> None:
        """Close *handle*, if it is one that lives."""
        if looks_like_handle(handle) and self.valid(handle):
            self._call("zx_handle_close", handle)

    def describe(self, value: int, written: bool) -> Handle:
        """Collect everything that may safely be asked about a number that the driver called a handle."""
        valid = answer_of(lambda: looks_like_handle(value) and self.valid(value))
        if not valid.value:
            return undescribed(value, written, valid, "the kernel knows no such handle")
        basic = answer_of(lambda: self.basic(value))
        if basic.value is not None and basic.value.type.value != OBJECT_TYPE_VMO:
            return undescribed(value, written, valid, f"it is a {basic.value.type.name}, not a VMO", basic)
        return Handle(
            value=handle_text(value),
            written=written,
            valid=valid,
            basic=basic,
            size=answer_of(lambda: self.vmo_size(value)),
            info=answer_of(lambda: self.vmo_info(value)),
            handle_count=answer_of(lambda: self.handle_count(value)),
        )

    def _info(self, handle: int, topic: int, record: Any, size: int) -> None:
        self._call("zx_object_get_info", handle, topic, record, size, ffi.NULL, ffi.NULL)

    def _call(self, name: str, *arguments: Any) -> None:
        function = self._function(name)
        self._on_call(name)
        if (status := function(*arguments)) != 0:
            raise Refused(name, status_name(status))

    def _function(self, name: str) -> Any:
        if name not in self._functions:
            self._functions[name] = self._looked_up(name)
        return self._functions[name]

    def _looked_up(self, name: str) -> Any:
        # On Fuchsia zx_vmar_root_self is in libc.so and not in the vDSO; the process has it either way.
        for lib in (self.lib, in_this_process()):
            try:
                return getattr(lib, name)
            except (AttributeError, ffi.error):
                continue
        raise NotAsked(f"{self.library} has no {name}")


def undescribed(
    value: int, written: bool, valid: Answer[bool], reason: str, basic: Answer[HandleBasic] | None = None
) -> Handle:
    """Make the record of a handle that cannot be asked more about, and say why."""
    return Handle(
        value=handle_text(value),
        written=written,
        valid=valid,
        basic=basic or not_asked(reason),
        size=not_asked(reason),
        info=not_asked(reason),
        handle_count=not_asked(reason),
    )


def _vmo_info(version: int, info: Any) -> VmoInfo:
    name, name_hex = text.decode(ffi.string(info.name, 32))
    return VmoInfo(
        version=version,
        name=name,
        size_bytes=info.size_bytes,
        flags=flags(info.flags & ~VMO_VIA_BITS, VMO_BITS),
        parent_koid=str(info.parent_koid),
        num_children=info.num_children,
        num_mappings=info.num_mappings,
        share_count=info.share_count,
        committed_bytes=info.committed_bytes,
        cache_policy=named(info.cache_policy, CACHE_POLICIES),
        name_hex=name_hex,
    )


def open_zircon(on_call: Callable[[str], None]) -> Zircon:
    """Open libzircon: the library that VKZIRCON_LIBZIRCON names, or the soname, mapped in every Fuchsia process.

    Raises:
        Refused: there is none, which leaves the Vulkan side to be tested.
        CannotAsk: VKZIRCON_LIBZIRCON names one that cannot be opened.
        Usage: it is our own, and was told of a persona or fault that it does not have.
    """
    chosen = os.environ.get(LIBZIRCON_VARIABLE)
    library = chosen or LIBRARY_NAME
    try:
        lib = open_library(library).through(ffi)
    except CannotOpen as refused:
        if chosen:
            hint = f"Set {LIBZIRCON_VARIABLE} to a library that has the zx_ functions, or unset it."
            raise CannotAsk("no-libzircon", f"{LIBZIRCON_VARIABLE} cannot be opened: {refused}.", hint) from refused
        raise Refused("dlopen", "", f"no libzircon here ({refused})") from refused
    refuse_unknown_faults(lib)
    return Zircon(lib, library, on_call)
