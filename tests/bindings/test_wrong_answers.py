# SPDX-License-Identifier: Apache-2.0
"""Answers of a driver, a kernel or an agent that cannot be right: each is refused where it is read."""

import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from agent_side import DONE, FAILED, answering, frame_of, greeting

from vkzircon_cli.bindings import _abi, vk
from vkzircon_cli.bindings.agent import AgentCaller
from vkzircon_cli.bindings.arena import BLOCK
from vkzircon_cli.bindings.connection import AgentError
from vkzircon_cli.bindings.dynlib import CannotOpen
from vkzircon_cli.bindings.faults import list_faults, refuse_unusable
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused, Usage

NUMBER = frame_of(DONE, struct.pack("<Q", 4096))
SYMBOLS = frame_of(DONE, struct.pack("<Q", 4096) * sum(name.startswith("PFN_zx") for name in _abi.ffi.list_types()[0]))
OF_MESSAGE = 65_536 // BLOCK + 1  # the blocks of a channel's message and of its handles


def _called(result: int = 0, nanoseconds: int = 0, runs: bytes = b"", count: int = 0) -> bytes:
    return frame_of(DONE, struct.pack("<QIIQ", nanoseconds, count, 1, result) + runs)


def _told(ask: Callable[[AgentCaller], Any], *said: bytes) -> Any:
    """Return the result of *ask* with an agent that sends these answers."""
    with answering(greeting(), frame_of(DONE), *said) as connection:
        caller = AgentCaller(connection, connection.greet())
        try:
            return ask(caller)
        finally:
            caller.close()


def test_a_list_that_is_longer_than_its_room_is_refused() -> None:
    """The second count exceeds the array that the driver was given."""
    ffi = vk.binding().ffi

    def lie(count: Any, array: Any) -> int:
        count[0] = 3 if array == ffi.NULL else 4
        return 0

    vulkan = vk.Vulkan(ffi, None, "", vk.Calls(lambda _: None))
    with pytest.raises(Refused, match="it counts 4 entries for an array of 3"):
        vulkan.enumerate("vkEnumerateInstanceLayerProperties", lie, "VkLayerProperties")


def test_a_message_that_is_longer_than_its_room_is_refused() -> None:
    """The kernel counts more bytes than a message can have."""
    runs = struct.pack("<II", OF_MESSAGE, 1) + b"\xff" * BLOCK

    def ask(caller: AgentCaller) -> None:
        kernel = Zircon(caller.open("libzircon.so").through(_abi.ffi), "libzircon.so", lambda _: None, caller)
        kernel.read_channel(1)

    with pytest.raises(Refused, match="it counts 4294967295 bytes and 4294967295 handles"):
        _told(ask, NUMBER, SYMBOLS, _called(runs=runs, count=1))


def test_a_time_that_no_call_takes_is_refused() -> None:
    """A sum of such times would not fit in a report's numbers."""
    with pytest.raises(AgentError, match="calls took longer than is possible"):
        _told(lambda caller: caller.function(_abi.ffi, "PFN_zx_process_self", 1)(), _called(nanoseconds=1 << 63))


def test_a_platform_that_does_not_exist_is_the_devices_setting() -> None:
    """The error is not reported as an option of this command line."""
    with pytest.raises(AgentError, match='On the device, VKZIRCON_PLATFORM is "windows"'):
        _told(lambda caller: caller.platform(), frame_of(DONE, b"windows"))


def test_paths_of_the_device_may_have_any_bytes() -> None:
    r"""They are shown with ``\xNN``; a report has no lone surrogates."""

    def file_of(caller: AgentCaller) -> str:
        assert caller.open("libz.so").address("f")
        return caller.file_of("libz.so")

    assert _told(file_of, NUMBER, NUMBER, frame_of(DONE, b"/lib\x92z.so")) == r"/lib\x92z.so"
    with pytest.raises(CannotOpen, match=r"/lib\\x92z\.so"):
        _told(lambda caller: caller.open("/lib\udc92z.so"), frame_of(FAILED, b"no such file"))


def test_a_buffer_that_the_device_has_no_memory_for_is_not_asked() -> None:
    """It is neither a failure of the driver nor of vkzircon."""
    with pytest.raises(NotAsked, match="the agent has no memory for 4,000,000 bytes"):
        _told(lambda caller: caller.scratch(_abi.ffi, 4_000_000), frame_of(FAILED))


def test_a_libzircon_that_lists_without_end_is_cut() -> None:
    """Its texts may have any bytes."""
    caller: Any = SimpleNamespace(string=lambda _ffi, _characters: b"VKZIRCON_EMULATION: \xff")
    lib = SimpleNamespace(
        vkz_emulation_error=lambda: 1,
        **{f"vkz_{kind}_count": lambda: 1 << 31 for kind in ("fault", "persona")},
        **dict.fromkeys(
            ("vkz_fault_name", "vkz_fault_description", "vkz_persona_name", "vkz_persona_description"), lambda _: 1
        ),
    )
    assert len(list_faults(lib, caller)) == 1000
    with pytest.raises(Usage, match=r"^\\xff \(--fault, --persona or VKZIRCON_EMULATION\)\.$"):
        refuse_unusable(lib, caller)
