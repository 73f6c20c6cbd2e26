# SPDX-License-Identifier: Apache-2.0
"""Memory outside the structures of a call: mapped memory and buffers, filled and compared where they are."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

_CHUNK = 1 << 20


class Memory(Protocol):
    """*size* bytes at an address of the process that calls the driver; *pointer* is that address for a call."""

    size: int
    pointer: Any

    def fill(self, period: bytes, size: int) -> None:
        """Write *size* bytes that repeat *period* to the start."""

    def compare(self, period: bytes, size: int) -> tuple[int, int]:
        """Compare the first *size* bytes with a repeated *period*; return the number of wrong ones, and the first."""

    def move_to(self, other: Any, size: int) -> None:
        """Copy the first *size* bytes to the start of *other*, memory of the same kind."""


class LocalMemory:
    """Memory of this process, at *pointer*, which must stay valid."""

    def __init__(self, ffi: Any, pointer: Any, size: int) -> None:
        self.pointer = pointer
        self.size = size
        self._ffi = ffi
        self._view = memoryview(ffi.buffer(pointer, size))

    def fill(self, period: bytes, size: int) -> None:
        """Write *size* bytes that repeat *period* to the start."""
        for offset, data in _pieces(period, size):
            self._view[offset : offset + len(data)] = data

    def compare(self, period: bytes, size: int) -> tuple[int, int]:
        """Compare the first *size* bytes with a repeated *period*; return the number of wrong ones, and the first."""
        wrong, first = 0, 0
        for offset, expected in _pieces(period, size):
            seen = bytes(self._view[offset : offset + len(expected)])
            if seen != expected:
                # As one number each: their exclusive or, and the count of its zeros, need no Python loop over bytes.
                ours, theirs = int.from_bytes(expected, "little"), int.from_bytes(seen, "little")
                unlike = (ours ^ theirs).to_bytes(len(seen), "little")
                first = first if wrong else offset + len(unlike) - len(unlike.lstrip(b"\0"))
                wrong += len(unlike) - unlike.count(0)
        return wrong, first

    def move_to(self, other: Any, size: int) -> None:
        """Copy the first *size* bytes to the start of *other*."""
        self._ffi.memmove(other.pointer, self.pointer, size)


@lru_cache(maxsize=8)
def _chunk(period: bytes, size: int) -> bytes:
    """Return whole periods, so that every chunk begins like the first."""
    return period * max(1, min(size, _CHUNK) // len(period) + 1)


def _pieces(period: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    chunk = _chunk(period, size)
    for offset, length in pieces(period, size):
        yield offset, chunk if length == len(chunk) else chunk[:length]


def pieces(period: bytes, size: int) -> Iterator[tuple[int, int]]:
    """Divide *size* bytes into pieces of whole periods, the last one shorter: the offset and length of each."""
    whole = len(period) * max(1, min(size, _CHUNK) // len(period) + 1)
    for offset in range(0, size, whole):
        yield offset, min(whole, size - offset)
