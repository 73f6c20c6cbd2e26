# SPDX-License-Identifier: Apache-2.0
"""The host's side of an agent: the arena, and what is made of answers that no agent should give."""

import fcntl
import os
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.agent import AgentCaller
from vkzircon_cli.bindings.arena import BLOCK, Arena, Malformed
from vkzircon_cli.bindings.connection import MAGIC, VERSION, AgentError, Ask, Connection
from vkzircon_cli.bindings.dynlib import CannotOpen
from vkzircon_cli.bindings.lost import Ended, Failed, Hung, Lost
from vkzircon_cli.errors import NotAsked

ADDRESS, SIZE = 0x1234560000, 1 << 20
X86_64, SPARC = 62, 43
DONE, STARTED, HUNG = 2, 4, 5


def _frame(kind: int, payload: bytes = b"", number: int = 0) -> bytes:
    return struct.pack("<IIII", len(payload), kind, number, 0) + payload


def _hello(version: int = VERSION, machine: int = X86_64, pointer: int = 8, arena: int = SIZE) -> bytes:
    words = struct.pack("<10IQQ8Q", version, machine, pointer, 4096, 1, 0, 0, 0, 0, 8, arena, 0, ADDRESS, *[0] * 7)
    return MAGIC + _frame(1, words + b"Linux\x006.1\0x86_64\0")


@contextmanager
def _answering(*said: bytes) -> Iterator[Connection]:
    """Connect to an agent that has said everything at once, and ends then."""
    read, write = os.pipe()
    taken, requests = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 1 << 20)
    try:
        os.write(write, b"".join(said))
        os.close(write)
        yield Connection(read, requests, 0.2)
    finally:
        for end in (read, taken, requests):
            os.close(end)


@pytest.fixture(name="arena")
def _arena() -> Iterator[Arena]:
    made = Arena(ADDRESS, SIZE)
    yield made
    made.close()


def test_only_blocks_that_changed_are_sent(arena: Arena) -> None:
    """A change is found once; what the agent changed is known already, and a block outside is refused."""
    new = _abi.ffi.new_allocator(arena.allocate, arena.free)
    first, second = new("uint8_t[]", 3 * BLOCK), new("uint8_t[]", 20_000)
    first[BLOCK], second[19_999] = 1, 2
    blocks, changes = arena.changes()
    assert [(number, len(data)) for number, data in changes] == [(1, BLOCK), ((3 * BLOCK + 19_999) // BLOCK, BLOCK)]
    assert arena.changes() == (blocks, [])
    arena.apply(0, memoryview(b"\7" * BLOCK), blocks)
    assert first[0] == 7
    assert arena.changes() == (blocks, [])
    for number, data in ((blocks, b"\0" * BLOCK), (0, b""), (0, b"\0" * BLOCK * (blocks + 1))):
        with pytest.raises(Malformed):
            arena.apply(number, memoryview(data), blocks)


def test_freed_memory_is_used_again_and_zeroed(arena: Arena) -> None:
    """The arena does not grow from step to step, and an arena that is full is no fault of a driver."""
    new = _abi.ffi.new_allocator(arena.allocate, arena.free)
    kept = new("uint8_t[]", 100)
    for _ in range(10_000):
        made = new("uint8_t[]", 1000)
        assert made[0] == 0
        made[0] = 1
        del made
    assert arena.changes()[0] <= 5
    with pytest.raises(NotAsked, match="too long for the agent"):
        new("uint8_t[]", SIZE)
    assert kept[0] == 0


def test_two_arenas_cannot_have_one_address(arena: Arena) -> None:
    """An address that is in use is refused, and what is there stays."""
    pointer = arena.allocate(16)
    with pytest.raises(OSError, match="in use"):
        Arena(ADDRESS, SIZE)
    assert _abi.ffi.buffer(pointer, 16)[:] == bytes(16)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"\0" * 70_000, "without an agent's greeting"),
        (_hello(version=9), f"speaks version 9 of the protocol, and this vkzircon version {VERSION}"),
        (_hello(machine=SPARC), "architecture is not supported: 43"),
        (_hello(pointer=4), "4-byte pointers"),
        (_hello(arena=1 << 40), "offers no arena"),
        (MAGIC + _frame(DONE), "a greeting was expected"),
        (MAGIC + struct.pack("<IIII", 1 << 31, 1, 0, 0), "a frame of 2,147,483,648 bytes"),
        (MAGIC + _frame(1, struct.pack("<I", VERSION)), "the greeting has another shape"),
    ],
)
def test_a_greeting_that_cannot_be_used_is_one_sentence(said: bytes, message: str) -> None:
    """Another version, another architecture, garbage: what it is, and what to do."""
    with _answering(said) as connection, pytest.raises(AgentError, match=message) as refused:
        connection.greet()
    assert refused.value.hint.endswith(".")


def test_what_comes_before_the_greeting_is_skipped() -> None:
    """A shell's banner does not matter."""
    with _answering(b"Welcome!\nvkzircon-", _hello()) as connection:
        hello = connection.greet()
    assert (hello.system, hello.machine_name, hello.offers) == ("Linux", "x86_64", (ADDRESS,))
    assert connection.banner == b"Welcome!\nvkzircon-"


def test_a_silent_agent_is_waited_for_no_longer_than_the_limit() -> None:
    """It is a limit of the connection, which is no driver's fault."""
    read, write = os.pipe()
    with pytest.raises(AgentError, match=r"did not send its greeting within 0\.05 s"):
        Connection(read, write, 0.05).greet()
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("said", "lost", "call"),
    [
        ((), Ended, 0),
        ((_frame(STARTED, number=1),), Ended, 1),
        ((_frame(STARTED, number=1), _frame(STARTED, number=2), _frame(HUNG)), Hung, 2),
    ],
)
def test_a_loss_names_the_call(said: tuple[bytes, ...], lost: type[Lost], call: int) -> None:
    """Of several calls in one frame, it is the last that began; later requests fail alike."""
    with _answering(_hello(), *said) as connection:
        connection.greet()
        for _ in range(2):
            with pytest.raises(lost) as gone:
                connection.ask(Ask.CALL, limit_s=0.1, calls=3)
            assert gone.value.call == call


def _use(connection: Connection) -> None:
    """Do with an agent what a probe does."""
    caller = AgentCaller(connection, connection.greet())
    steps: list[Callable[[], object]] = [
        lambda: caller.variable("X"),
        lambda: caller.open("libvulkan.so").address("vkGetInstanceProcAddr"),
        lambda: caller.function(_abi.ffi, "PFN_zx_vmo_create", 4096)(1, 2, caller.new(_abi.ffi, "uint32_t *")),
        lambda: caller.string(_abi.ffi, _abi.ffi.cast("char *", 1)),
        lambda: caller.scratch(_abi.ffi, 64).compare(b"x", 64),
        caller.heard,
        *[caller.resident] * 20,  # more than it can answer
    ]
    try:
        for step in steps:
            caller.begin_step(0.1)
            with suppress(Failed, CannotOpen):
                step()
    finally:
        caller.close()


@pytest.mark.parametrize("seed", range(40))
def test_no_answer_makes_the_host_fail_otherwise(seed: int) -> None:
    """Random frames, cut frames and huge lengths end in one of two errors, at once and in bounded memory."""
    random_one = random.Random(seed)
    said = [_hello(), _frame(DONE)]
    for _ in range(12):
        kind = random_one.choice((DONE, DONE, DONE, 3, STARTED, HUNG, 77))
        payload = random_one.randbytes(random_one.choice((0, 4, 8, 16, 32, 300, 2000)))
        said.append(_frame(kind, payload, random_one.choice((0, 1, 5))))
    whole = b"".join(said)
    cut = whole[: random_one.randrange(len(_hello()), len(whole))]
    with _answering(cut) as connection, pytest.raises((AgentError, Lost)):
        _use(connection)


def test_blocks_outside_the_arena_are_refused() -> None:
    """The host checks the place of each block that comes back."""
    answer = struct.pack("<QIIQ", 0, 1, 1, 0) + struct.pack("<II", 1 << 20, 1) + bytes(BLOCK)
    with _answering(_hello(), _frame(DONE), _frame(DONE, answer)) as connection:
        caller = AgentCaller(connection, connection.greet())
        with pytest.raises(AgentError, match="a block is outside the arena"):
            caller.function(_abi.ffi, "PFN_zx_process_self", 4096)()
        caller.close()


def test_a_request_that_was_posted_fails_in_the_next_one() -> None:
    """Its answer is read then: a hang has the name of the posted one, and a failure leaves the next answer in place."""
    with _answering(
        _hello(), _frame(DONE), _frame(DONE, b"x"), _frame(3), _frame(DONE, b"y"), _frame(HUNG)
    ) as connection:
        connection.greet()
        connection.post(Ask.FILL, b"")
        assert connection.ask(Ask.MEMORY) == b"x"
        connection.post(Ask.SEND_ON, b"")
        with pytest.raises(Failed):
            connection.ask(Ask.RECEIVE)
        connection.post(Ask.FILL, b"", name="vkMapMemory")
        with pytest.raises(Hung) as hung:
            connection.ask(Ask.MEMORY)
        assert hung.value.name == "vkMapMemory"
