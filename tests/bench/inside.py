# SPDX-License-Identifier: Apache-2.0
"""What is measured within this process: comparing whole buffers, against memcmp of the same bytes."""

import ctypes
import json
import mmap
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from measure import Pairs, paired

from vkzircon_cli.probe.patterns import new_pattern

SIZE = 1 << 30


def verification(count: int, size: int = SIZE) -> Pairs:
    """Compare *size* bytes with the pattern that they hold, as a round trip does, and with a copy of them by memcmp."""
    pattern = new_pattern(size)
    with mmap.mmap(-1, size) as seen, mmap.mmap(-1, size) as copy:
        for buffer in (seen, copy):
            with memoryview(buffer) as view:
                pattern.put(view)
        memcmp = ctypes.CDLL(None).memcmp
        memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
        first, second = (ctypes.c_char.from_buffer(buffer) for buffer in (seen, copy))
        addresses = ctypes.addressof(first), ctypes.addressof(second)

        def ours() -> None:
            with memoryview(seen) as view:
                assert pattern.compare(view).wrong == 0

        def theirs() -> None:
            assert memcmp(*addresses, size) == 0

        pairs = paired(lambda: _ms(ours), lambda: _ms(theirs), count)
        del first, second  # else the maps cannot be closed
    return pairs


def _ms(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    print(json.dumps(asdict(verification(int(sys.argv[1])))))
