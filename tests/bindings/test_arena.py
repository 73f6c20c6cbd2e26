# SPDX-License-Identifier: Apache-2.0
"""The arena: memory at the same address here and in the agent's process."""

import pytest
from agent_side import ADDRESS, SIZE

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.arena import BLOCK, Arena, Malformed
from vkzircon_cli.errors import NotAsked


def test_only_blocks_that_changed_are_sent(arena: Arena) -> None:
    """A change is found once; what the agent changed is known already, and a block outside is refused."""
    new = _abi.ffi.new_allocator(arena.allocate, arena.free)
    first, second = new("uint8_t[]", 3 * BLOCK), new("uint8_t[]", 20_000)
    first[BLOCK], second[19_999] = 1, 2
    used, changes = arena.changes()
    assert [(number, len(data)) for number, data in changes] == [(1, BLOCK), ((3 * BLOCK + 19_999) // BLOCK, BLOCK)]
    assert arena.changes() == (used, [])
    arena.apply(0, memoryview(b"\7" * BLOCK), used)
    assert first[0] == 7
    assert arena.changes() == (used, [])
    blocks, at_end = used
    assert at_end == 0
    for number, data in ((blocks, b"\0" * BLOCK), (0, b""), (0, b"\0" * BLOCK * (blocks + 1))):
        with pytest.raises(Malformed):
            arena.apply(number, memoryview(data), used)


def test_freed_memory_is_used_again_and_zeroed(arena: Arena) -> None:
    """The arena does not grow from step to step, and an arena that is full is no fault of a driver."""
    new = _abi.ffi.new_allocator(arena.allocate, arena.free)
    kept = new("uint8_t[]", 100)
    for _ in range(10_000):
        made = new("uint8_t[]", 1000)
        assert made[0] == 0
        made[0] = 1
        del made
    assert arena.changes()[0] <= (5, 0)
    with pytest.raises(NotAsked, match="too long for the agent"):
        new("uint8_t[]", SIZE)
    assert kept[0] == 0


def test_two_arenas_cannot_have_one_address(arena: Arena) -> None:
    """An address that is in use is refused, and what is there stays."""
    pointer = arena.allocate(16)
    with pytest.raises(OSError, match="in use"):
        Arena(ADDRESS, SIZE)
    assert _abi.ffi.buffer(pointer, 16)[:] == bytes(16)
