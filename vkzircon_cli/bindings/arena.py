# SPDX-License-Identifier: Apache-2.0
"""The arena: memory at one address in this process and in an agent's, and the blocks of it that changed."""

from typing import Any

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.dynlib import in_this_process
from vkzircon_cli.errors import NotAsked

BLOCK = 256
_PAGE = 8192  # compared at once
_STEP = 64
_LARGE = 64 * 1024  # from here on, an allocation is at the arena's end, so that little is compared once it is freed
_PROT_READ_WRITE = 3
_MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022
_MAP_FIXED_NOREPLACE = 0x100000
_FAILED = (1 << 64) - 1

_ffi: Any = _abi.ffi
_UINTPTR = _ffi.typeof("uintptr_t")


Used = tuple[int, int]  # blocks in use at the arena's start, and at its end


class Malformed(Exception):
    """The agent sent blocks that are not in the arena."""


class Arena:
    """Allocates structures, and compares the used part with a shadow of what the agent has."""

    def __init__(self, address: int, size: int) -> None:
        """Map the arena at *address*. Raises `OSError` if something is there already."""
        self._libc = in_this_process()
        self._size = size
        self._address = address
        self._own = _map(self._libc, address, size)
        self._shadow = _map(self._libc, 0, size)
        self._bytes = memoryview(_ffi.buffer(self._own, size))
        self._known = memoryview(_ffi.buffer(self._shadow, size))
        self._sizes: dict[int, int] = {}
        self._free: dict[int, list[int]] = {}
        self._top = 0  # the end of the small allocations
        self._large = {size}  # the start of each large allocation, and the arena's end
        self._bottom = size  # the start of the first large allocation

    def close(self) -> None:
        """Unmap both; nothing allocated here may be used any more."""
        for region in (self._own, self._shadow):
            self._libc.munmap(region, self._size)

    def allocate(self, size: int) -> Any:
        """Return a pointer to *size* bytes, for ``ffi.new_allocator``. Raises `NotAsked` if the arena is full."""
        step = _PAGE if size > _LARGE else _STEP
        rounded = max(step, -(-size // step) * step)
        free = self._free.get(rounded)
        if free:
            at = free.pop()
        elif self._top + rounded > self._bottom:
            raise NotAsked("the list is too long for the agent")
        elif size > _LARGE:
            at = self._bottom = self._bottom - rounded
            self._large.add(at)
        else:
            at, self._top = self._top, self._top + rounded
        self._sizes[at] = rounded
        return self._own + at

    def free(self, pointer: Any) -> None:
        """Release what `allocate` returned."""
        at = int(_ffi.cast(_UINTPTR, pointer)) - self._address
        size = self._sizes.pop(at)
        if at in self._large:
            self._large.remove(at)
            self._bottom = min(self._large)
        elif at + size == self._top:
            self._top = at
        else:
            self._free.setdefault(size, []).append(at)

    def changes(self) -> tuple[Used, list[tuple[int, bytes]]]:
        """Return what is compared, and the blocks that differ from what the agent has, as first block and bytes.

        The agent is then taken to have these blocks.
        """
        found = []
        blocks = -(-self._top // BLOCK), (self._size - self._bottom) // BLOCK
        used, large = blocks[0] * BLOCK, self._size - blocks[1] * BLOCK
        memcmp, own, shadow = self._libc.memcmp, self._own, self._shadow
        for page in (*range(0, used, _PAGE), *range(large, self._size, _PAGE)):
            length = min(_PAGE, used - page) if page < large else _PAGE
            if not memcmp(own + page, shadow + page, length):
                continue
            first = -1
            for at in range(page, page + length, BLOCK):
                if memcmp(own + at, shadow + at, BLOCK):
                    first = at if first < 0 else first
                elif first >= 0:
                    found.append(self._known_now(first, at))
                    first = -1
            if first >= 0:
                found.append(self._known_now(first, page + length))
        return blocks, found

    def _known_now(self, start: int, end: int) -> tuple[int, bytes]:
        data = self._bytes[start:end]
        self._known[start:end] = data
        return start // BLOCK, bytes(data)

    def apply(self, first: int, data: memoryview, used: Used) -> None:
        """Write blocks that the agent sent. Raises `Malformed` if they are not in *used*."""
        start, end = first * BLOCK, first * BLOCK + len(data)
        large = self._size - used[1] * BLOCK
        if not data or not (end <= used[0] * BLOCK or large <= start < end <= self._size):
            raise Malformed("a block is outside the arena")
        self._bytes[start:end] = data
        self._known[start:end] = data


def _map(libc: Any, address: int, size: int) -> Any:
    flags = _MAP_PRIVATE_ANONYMOUS_NORESERVE | (_MAP_FIXED_NOREPLACE if address else 0)
    made = libc.mmap(_ffi.cast("void *", address), size, _PROT_READ_WRITE, flags, -1, 0)
    found = int(_ffi.cast(_UINTPTR, made))
    if found == _FAILED:
        raise OSError("the address is in use")
    if address and found != address:  # a kernel before Linux 4.17 takes the address for a hint
        libc.munmap(made, size)
        raise OSError("the address is in use")
    return _ffi.cast("char *", made)
