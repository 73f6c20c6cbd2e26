# SPDX-License-Identifier: Apache-2.0
"""Compares a whole buffer, by the probe's pattern or by memcmp with a copy, and prints how many milliseconds it took.

A process of its own: the memory of a parent would count as the peak of each process that it starts.
"""

import ctypes
import mmap
import sys
import time

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.caller import LOCAL
from vkzircon_cli.bindings.memory import LocalMemory
from vkzircon_cli.probe.patterns import new_pattern

SIZE = 1 << 30


def pattern_ms(size: int = SIZE) -> float:
    """Compare *size* bytes with the pattern that they hold, as a round trip does."""
    pattern = new_pattern(size)
    memory = LOCAL.scratch(_abi.ffi, size)
    pattern.put(memory)
    began = time.perf_counter()
    assert pattern.compare(memory).wrong == 0
    return (time.perf_counter() - began) * 1000


def memcmp_ms(size: int = SIZE) -> float:
    """Compare *size* bytes with a copy of them."""
    pattern = new_pattern(size)
    memcmp = ctypes.CDLL(None).memcmp
    memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    with mmap.mmap(-1, size) as one, mmap.mmap(-1, size) as other:
        for buffer in (one, other):
            pattern.put(LocalMemory(_abi.ffi, _abi.ffi.from_buffer(buffer), size))
        first, second = (ctypes.c_char.from_buffer(buffer) for buffer in (one, other))
        began = time.perf_counter()
        assert memcmp(ctypes.addressof(first), ctypes.addressof(second), size) == 0
        took = (time.perf_counter() - began) * 1000
        del first, second  # otherwise the maps cannot be closed
    return took


if __name__ == "__main__":
    print(memcmp_ms() if sys.argv[1:] == ["memcmp"] else pattern_ms())
