# SPDX-License-Identifier: Apache-2.0
"""The host's side of an agent: how it treats answers that no agent should send."""

import os
import random
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from agent_side import ADDRESS, DONE, ELSEWHERE, FAILED, HUNG, SIZE, SPARC, STARTED, answering, frame_of, greeting

from vkzircon_cli.bindings import _abi, vk
from vkzircon_cli.bindings.agent import AgentCaller
from vkzircon_cli.bindings.arena import BLOCK, Arena, Malformed
from vkzircon_cli.bindings.caller import Call
from vkzircon_cli.bindings.connection import MAGIC, VERSION, AgentError, Ask, Connection
from vkzircon_cli.bindings.dynlib import CannotOpen
from vkzircon_cli.bindings.lost import Ended, Failed, Hung, Lost
from vkzircon_cli.errors import Exit, NotAsked


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"\0" * 70_000, "without an agent's greeting"),
        (greeting(version=9), f"speaks version 9 of the protocol, and this vkzircon version {VERSION}"),
        (greeting(machine=SPARC), "architecture is not supported: ELF machine number 43"),
        (greeting(pointer=4), "pointers have 4 bytes, and this machine's 8"),
        (MAGIC + struct.pack(">IIII", 200, 1, 0, 0), "numbers are big-endian"),
        (greeting(arena=1 << 40), "offers no arena"),
        (greeting(arena=SIZE + BLOCK), "offers no arena"),
        (MAGIC + frame_of(DONE), "a greeting was expected"),
        (MAGIC + struct.pack("<IIII", 1 << 31, 1, 0, 0), "a frame of 2,147,483,648 bytes"),
        (MAGIC + frame_of(1, struct.pack("<I", VERSION)), "the greeting has another shape"),
    ],
)
def test_a_greeting_that_cannot_be_used_is_one_sentence(said: bytes, message: str) -> None:
    """Another version, another architecture, garbage: what it is, and what to do."""
    with answering(said) as connection, pytest.raises(AgentError, match=message) as refused:
        connection.greet()
    assert refused.value.hint.endswith(".")
    assert refused.value.exit_code == Exit.CANNOT_ASK


def test_a_big_endian_host_has_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Structures are sent unchanged, so both sides must have the same byte order."""
    monkeypatch.setattr(sys, "byteorder", "big")
    with answering(greeting()) as connection, pytest.raises(AgentError, match="this machine big-endian"):
        connection.greet()


def test_an_arena_that_cannot_be_mapped_gives_one_sentence(arena: Arena) -> None:
    """Its address is in use here, refused by the agent, or not offered; it is free again afterwards."""
    assert arena.allocate(16)
    for said, message in (
        ((greeting(),), "None of the addresses"),
        ((greeting(offers=[]),), "has no address space"),
        ((greeting(offers=[ELSEWHERE]), frame_of(FAILED, b"Cannot allocate memory")), "arena: Cannot allocate memory"),
    ):
        with answering(*said) as connection, pytest.raises(AgentError, match=message) as refused:
            AgentCaller(connection, connection.greet())
        assert refused.value.exit_code == Exit.CANNOT_ASK
    Arena(ELSEWHERE, SIZE).close()


def test_a_large_structure_is_compared_only_while_it_exists(arena: Arena) -> None:
    """It is at the arena's end, so a small structure that is made later and kept is not behind it."""
    new = _abi.ffi.new_allocator(arena.allocate, arena.free)
    large, larger = new("uint8_t[]", 65_537), new("uint8_t[]", 300_000)
    small = new("uint8_t[]", 65_536)
    large[65_536], larger[299_999], small[0] = 1, 2, 3
    (at_start, at_end), changes = arena.changes()
    assert (at_start, sum(len(data) for _, data in changes)) == (65_536 // BLOCK, 3 * BLOCK)
    assert at_end >= (65_537 + 300_000) // BLOCK
    last = SIZE // BLOCK - 1
    arena.apply(last, memoryview(bytes(BLOCK)), (at_start, at_end))
    for number, data in ((last - at_end, bytes(BLOCK)), (last, bytes(2 * BLOCK)), (at_start, bytes(BLOCK))):
        with pytest.raises(Malformed):
            arena.apply(number, memoryview(data), (at_start, at_end))
    del large
    assert arena.changes() == ((at_start, at_end), [])
    del larger
    assert arena.changes() == ((at_start, 0), [])


def test_what_comes_before_the_greeting_is_skipped() -> None:
    """A shell's banner does not matter."""
    with answering(b"Welcome!\nvkzircon-", greeting()) as connection:
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


def test_a_silent_agent_is_not_waited_for_the_time_of_calls_that_never_began() -> None:
    """Of several calls in one frame, the first one's limit counts, and that of each one that begins."""
    silent, requests = os.pipe(), os.pipe()
    began = time.monotonic()
    with pytest.raises(AgentError, match="did not send an answer"):
        Connection(silent[0], requests[1], 0.05).ask(Ask.CALL, limit_s=0.2, calls=20)
    assert 0.2 < time.monotonic() - began < 2
    for end in (*silent, *requests):
        os.close(end)


@pytest.mark.parametrize(
    ("said", "lost", "call"),
    [
        ((), Ended, 0),
        ((frame_of(STARTED, number=1),), Ended, 1),
        ((frame_of(STARTED, number=1), frame_of(STARTED, number=2), frame_of(HUNG)), Hung, 2),
    ],
)
def test_a_loss_names_the_call(said: tuple[bytes, ...], lost: type[Lost], call: int) -> None:
    """Of several calls in one frame, it is the last that began; later requests fail alike."""
    with answering(greeting(), *said) as connection:
        connection.greet()
        for _ in range(2):
            with pytest.raises(lost) as gone:
                connection.ask(Ask.CALL, limit_s=0.1, calls=3)
            assert gone.value.call == call


def test_a_loss_is_named_alike_in_every_later_frame() -> None:
    """The agent ended in the second call of a frame, and the next frame has only one call."""
    with answering(greeting(), frame_of(DONE), frame_of(STARTED, number=1)) as connection:
        caller = AgentCaller(connection, connection.greet())
        free = caller.function(vk.binding().ffi, "PFN_vkDestroyInstance", 4096)
        read = caller.function(_abi.ffi, "PFN_zx_vmo_read", 4096)
        free(0, _abi.ffi.NULL)
        for _ in range(2):
            with pytest.raises(Ended) as ended:
                read(1, _abi.ffi.NULL, 0, 0)
            assert ended.value.name == "zx_vmo_read"
        caller.close()


def _destroy(caller: AgentCaller) -> None:
    """Send three calls in one frame."""
    vulkan = vk.binding().ffi
    for _ in range(2):
        caller.function(vulkan, "PFN_vkDestroyInstance", 4096)(vulkan.NULL, vulkan.NULL)
    caller.function(_abi.ffi, "PFN_zx_process_self", 4096)()


def _copy(caller: AgentCaller) -> None:
    memory = caller.scratch(_abi.ffi, 64)
    memory.fill(b"x", 64)
    memory.compare(b"x", 64)
    memory.move_to(memory, 64)


def _ask_another(caller: AgentCaller) -> None:
    with suppress(Failed, Lost):  # as `peer` does; the first agent's loss is raised again later
        second = caller.second(5, "entry")
        second.caller.close()
        second.exit_status(0.0)


def _use(connection: Connection) -> None:
    """Do with an agent what a probe does."""
    caller = AgentCaller(connection, connection.greet())
    caller.listener(vk.binding().ffi, lambda _severity, _text: None)
    steps: list[Callable[[], object]] = [
        lambda: caller.variable("X"),
        lambda: caller.set_variables({"X": "Y"}),
        lambda: caller.open("libvulkan.so").address("vkGetInstanceProcAddr"),
        lambda: caller.file_of("libvulkan.so"),
        lambda: caller.function(_abi.ffi, "PFN_zx_vmo_create", 4096)(1, 2, caller.new(_abi.ffi, "uint32_t *")),
        lambda: caller.string(_abi.ffi, _abi.ffi.cast("char *", 1)),
        lambda: _copy(caller),
        lambda: _destroy(caller),
        caller.heard,
        caller.resident,
        lambda: _ask_another(caller),
        caller.free_memory,
    ]
    try:
        for step in steps:
            caller.begin_step(0.1)
            with suppress(CannotOpen, NotAsked):
                step()
    finally:
        caller.close()


def _good_answers() -> list[bytes]:
    """Return the frames of an agent that answers all of `_use`."""
    nothing, number = frame_of(DONE), frame_of(DONE, struct.pack("<Q", 4096))
    called = frame_of(DONE, struct.pack("<QII3Q", 1000, 0, 3, 0, 0, 0))
    wrote = frame_of(DONE, struct.pack("<QIIQII", 1000, 1, 1, 0, 0, 1) + bytes(BLOCK))
    message = struct.pack("<III", 1, 4096, 5) + b"hello"
    greeted = frame_of(DONE, greeting(offers=[ELSEWHERE]))
    return [
        *(greeting(), nothing, frame_of(DONE, b"value"), nothing, number, number, frame_of(DONE, b"/lib/libvulkan.so")),
        *(wrote, frame_of(DONE, b"text"), number, nothing, frame_of(DONE, bytes(16)), number),
        *(
            frame_of(STARTED, number=1),
            frame_of(STARTED, number=2),
            called,
            frame_of(DONE, message),
            frame_of(DONE, bytes(16)),
        ),
        *(nothing, greeted, nothing, frame_of(DONE, frame_of(DONE)), frame_of(DONE, struct.pack("<Ii", 1, 0))),
        frame_of(DONE, bytes(16)),
    ]


def _spoil(frames: list[bytes], chance: random.Random) -> bytes:
    """Return the bytes of *frames* with one error."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(frames))
        frame = bytearray(frames[at] or frame_of(DONE))
        place = chance.randrange(len(frame))
        match chance.randrange(7):
            case 0:
                frame[place] ^= 1 << chance.randrange(8)
            case 1:
                frame[0:4] = struct.pack("<I", chance.choice((0, 1, 1 << 20, (1 << 20) + 1, 96 << 20, (1 << 32) - 1)))
            case 2:
                frame[place : place + 8] = chance.choice((bytes(8), b"\xff" * 8, chance.randbytes(8)))
            case 3:
                kind = chance.choice((DONE, FAILED, STARTED, HUNG, 77))
                size = chance.choice((0, 4, 8, 16, 32, 300, 2000))
                frame = bytearray(frame_of(kind, chance.randbytes(size), chance.choice((0, 1, 5))))
            case 4:
                frame[16:] = chance.randbytes(len(frame))[: chance.randrange(len(frame))]
                frame[0:4] = struct.pack("<I", len(frame) - 16)
            case 5:
                frame *= chance.choice((0, 2))
            case _:
                return b"".join((*frames[:at], frame[:place]))
        frames[at] = bytes(frame)
    return b"".join(frames)


class _Counting(Connection):
    """Counts the frames of all agents in *taken*."""

    taken = 0

    def _frame(self, until: float, most: int) -> tuple[int, int, bytes]:
        _Counting.taken += 1
        return super()._frame(until, most)


def test_an_agent_that_answers_well_is_used_to_the_end() -> None:
    """The frames that the next test damages are valid."""
    with answering(*_good_answers()) as connection:
        _use(connection)


def test_only_time_in_calls_counts() -> None:
    """A timer stops between calls, so a slow line does not look like a slow driver."""
    took_ns = 3_000_000
    answer = struct.pack("<QIIQ", took_ns, 0, 1, 0)
    with answering(greeting(), frame_of(DONE), frame_of(DONE, answer)) as connection:
        caller = AgentCaller(connection, connection.greet())
        call = caller.function(_abi.ffi, "PFN_zx_process_self", 4096)
        is_over = caller.timer(0.002)
        time.sleep(0.003)
        assert not is_over()
        call()
        assert is_over()
        caller.close()


def test_the_name_of_the_agents_host_may_be_missing() -> None:
    """It is the last text of the greeting."""
    for said, host in ((greeting(), ""), (greeting(host=b"board\0"), "board")):
        with answering(said) as connection:
            assert connection.greet().host == host


def test_a_wrong_answer_raises_one_of_two_errors() -> None:
    """10,000 frames: random ones, truncated ones, huge lengths, valid ones with a flipped bit.

    The error comes at once and needs little memory. FUZZ_SEED and FUZZ_FRAMES change the frames.
    """
    seed, frames = int(os.environ.get("FUZZ_SEED", "0")), int(os.environ.get("FUZZ_FRAMES", "10000"))
    good, before, errors = _good_answers(), _memory("VmRSS"), 0
    Path("/proc/self/clear_refs").write_text("5")  # begins VmHWM anew
    _Counting.taken = 0
    while _Counting.taken < frames:
        with answering(_spoil(list(good), random.Random(seed)), made=_Counting) as connection:
            try:
                _use(connection)
            except (AgentError, Lost):
                errors += 1
            except BaseException as other:
                raise AssertionError(f"FUZZ_SEED={seed}") from other
        seed += 1
    assert errors > frames / 100
    assert _memory("VmHWM") - before < 16 << 20


def _memory(name: str) -> int:
    """Return a number of bytes from this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def test_an_answer_that_no_request_has_is_not_read() -> None:
    """Its length is refused before memory is allocated for it."""
    with answering(greeting(), struct.pack("<IIII", (1 << 20) + 1, DONE, 0, 0)) as connection:
        connection.greet()
        with pytest.raises(AgentError, match="a frame of 1,048,577 bytes"):
            connection.ask(Ask.MEMORY)


def test_a_request_that_cannot_be_refused_is_the_agents_mistake() -> None:
    """Only some requests may fail; for the others, the reason is shown once."""
    with answering(greeting(), frame_of(FAILED, b"no way")) as connection:
        connection.greet()
        with pytest.raises(AgentError, match=r"The agent refused a request of kind 17 \(no way\)\."):
            connection.ask(Ask.MEMORY)
        assert connection.is_broken


def test_blocks_outside_the_arena_are_refused() -> None:
    """The host checks the place of each block that comes back."""
    answer = struct.pack("<QIIQ", 0, 1, 1, 0) + struct.pack("<II", 1 << 20, 1) + bytes(BLOCK)
    with answering(greeting(), frame_of(DONE), frame_of(DONE, answer)) as connection:
        caller = AgentCaller(connection, connection.greet())
        with pytest.raises(AgentError, match="a block is outside the arena"):
            caller.function(_abi.ffi, "PFN_zx_process_self", 4096)()
        caller.close()


def test_a_request_that_was_posted_fails_in_the_next_one() -> None:
    """The next request reads its answer: a hang has the posted request's name, and a failure keeps the next answer."""
    said = [frame_of(DONE), frame_of(DONE, b"x"), frame_of(FAILED), frame_of(DONE, b"y"), frame_of(FAILED)]
    with answering(greeting(), *said, frame_of(HUNG)) as connection:
        connection.greet()
        connection.post(Ask.FILL, b"")
        assert connection.ask(Ask.MEMORY) == b"x"
        connection.post(Ask.SEND_ON, b"")
        assert connection.ask(Ask.MEMORY) == b"y"
        with pytest.raises(Failed):
            connection.ask(Ask.RECEIVE)
        connection.post(Ask.FILL, b"", name="vkMapMemory")
        with pytest.raises(Hung) as hung:
            connection.ask(Ask.MEMORY)
        assert hung.value.name == "vkMapMemory"


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda connection: connection.ask_each(Ask.SETENV, [b"x\0y\0"] * 2), 3),
        (lambda connection: (connection.post(Ask.FILL, b""), connection.ask(Ask.OPEN)), 11),
    ],
)
def test_no_other_request_is_named_for_one_that_the_agent_refused(
    ask: Callable[[Connection], object], kind: int
) -> None:
    """Neither a request that was sent with it, nor the one that reads the answer, which may fail itself."""
    with answering(greeting(), frame_of(FAILED), frame_of(DONE)) as connection:
        connection.greet()
        with pytest.raises(AgentError, match=rf"The agent refused a request of kind {kind}\b"):
            ask(connection)
        assert connection.is_broken


def test_of_requests_that_were_sent_together_each_may_fail() -> None:
    """The others keep their answers."""
    with answering(greeting(), frame_of(DONE, b"x"), frame_of(FAILED), frame_of(DONE, b"")) as connection:
        connection.greet()
        assert connection.ask_each(Ask.GETENV, [b"a\0", b"b\0", b"c\0"]) == [b"x", None, b""]


def test_an_answer_that_ends_within_a_run_of_blocks_is_one_sentence() -> None:
    """No words of Python's are shown."""
    answer = struct.pack("<QIIQ", 0, 1, 1, 0) + b"\0\0"
    with answering(greeting(), frame_of(DONE), frame_of(DONE, answer)) as connection:
        caller = AgentCaller(connection, connection.greet())
        with pytest.raises(AgentError, match=r"what the protocol does not allow: an answer is too short\.$"):
            caller.function(_abi.ffi, "PFN_zx_process_self", 4096)()
        caller.close()


def test_calls_that_were_left_out_are_refused() -> None:
    """Only a result other than 0 of a call that must return 0 may end a frame early."""
    ffi = vk.binding().ffi
    answer = frame_of(DONE, struct.pack("<QIIQ", 0, 0, 1, 0))
    asks: tuple[tuple[Callable[[AgentCaller, Any], Any], str], ...] = (
        (lambda caller, function: caller.look_up(function, ffi.NULL, ["vkA", "vkB"]), "the results of other calls"),
        (lambda caller, function: caller.in_turn([_called(function)] * 2), "calls were left out"),
    )
    for ask, message in asks:
        with answering(greeting(), frame_of(DONE), answer) as connection:
            caller = AgentCaller(connection, connection.greet())
            with pytest.raises(AgentError, match=message):
                ask(caller, caller.function(ffi, "PFN_vkGetInstanceProcAddr", 4096))
            caller.close()


def _called(function: Callable[..., object]) -> Call:
    null = _abi.ffi.NULL
    return Call("vkGetInstanceProcAddr", function, (null, null), lambda _name: None, lambda _name, _result: None)


@pytest.mark.parametrize(("made", "results"), [(0, 0), (2, 2), (1, 0), ((1 << 32) - 1, 1)])
def test_results_of_other_calls_are_refused(made: int, results: int) -> None:
    """The answer has one result per call that was made: at least one, and at most as many as were requested."""
    answer = frame_of(DONE, struct.pack("<QII", 0, 0, made) + bytes(8 * results))
    with answering(greeting(), frame_of(DONE), answer) as connection:
        caller = AgentCaller(connection, connection.greet())
        with pytest.raises(AgentError, match="the results of other calls"):
            caller.function(_abi.ffi, "PFN_zx_process_self", 4096)()
        caller.close()
