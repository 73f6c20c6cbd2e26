# SPDX-License-Identifier: Apache-2.0
"""The bytes of a scripted agent, whose answers are fixed before it gets requests."""

import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vkzircon_cli.bindings.connection import MAGIC, VERSION, Connection

ADDRESS, ELSEWHERE, SIZE = 0x1234560000, 0x2234560000, 1 << 20
X86_64, SPARC = 62, 43
DONE, FAILED, STARTED, HUNG = 2, 3, 4, 5


def frame_of(kind: int, payload: bytes = b"", number: int = 0) -> bytes:
    """Return a frame of an agent."""
    return struct.pack("<IIII", len(payload), kind, number, 0) + payload


def greeting(
    *,
    version: int = VERSION,
    machine: int = X86_64,
    pointer: int = 8,
    arena: int = SIZE,
    offers: Sequence[int] = (ADDRESS,),
    host: bytes = b"",
) -> bytes:
    """Return a greeting; its *offers* are addresses for an arena of *arena* bytes, and *host* ends in NUL."""
    words = struct.pack("<10IQQ", version, machine, pointer, 4096, 1, 0, 0, 0, 0, 8, arena, 0)
    words += struct.pack("<8Q", *offers, *[0] * (8 - len(offers)))
    return MAGIC + frame_of(1, words + b"Linux\x006.1\0x86_64\0" + host)


@contextmanager
def answering(*said: bytes, made: type[Connection] = Connection) -> Iterator[Connection]:
    """Connect to an agent that sends all its answers at once, and then ends."""
    read, write = os.pipe()
    taken, requests = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 1 << 20)
    try:
        os.write(write, b"".join(said))
        os.close(write)
        yield made(read, requests, 0.2)
    finally:
        for end in (read, taken, requests):
            os.close(end)
