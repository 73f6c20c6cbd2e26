# SPDX-License-Identifier: Apache-2.0
"""Export memory and ask the kernel what came out."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from vkzircon_cli.answers import Answer, not_asked
from vkzircon_cli.driver import Device
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.events import answer_of
from vkzircon_cli.probe.bytes import both, compare, new_pattern
from vkzircon_cli.probe.device import DeviceOpener
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, exported_handle
from vkzircon_cli.probe.memory import exportable_memory, external_buffer
from vkzircon_cli.vmo_facts import BufferRequirements, Comparison, Handle, Pair
from vkzircon_cli.zircon import Zircon

TEST_SIZE = 65_536


def probe_buffer_requirements(device: Device) -> BufferRequirements:
    """Ask what memory an external transfer buffer of the test's size needs."""
    with external_buffer(device, TEST_SIZE) as (_, requirements):
        return requirements


def probe_export(device: Device, kernel: Zircon | None, size: int, memory_type: int) -> Handle:
    """Export a plain allocation and describe the handle."""
    with exportable_memory(device, size, memory_type) as memory, exported_handle(device, kernel, memory) as handle:
        return handle.describe()


def probe_two_gets(device: Device, kernel: Zircon | None, size: int, memory_type: int, *, look: bool) -> Pair:
    """Export one allocation twice; the two handles should be two doors to one VMO. *look* into it only if it may be."""
    with (
        exportable_memory(device, size, memory_type) as memory,
        exported_handle(device, kernel, memory) as first,
        exported_handle(device, kernel, memory) as second,
    ):
        return Pair(first.describe(), second.describe(), _seen(look, partial(_through, first, second, size)))


def _seen(look: bool, compared: Callable[[], Comparison]) -> Answer[Comparison]:
    return answer_of(compared) if look else not_asked("the memory type is not HOST_VISIBLE")


def _through(first: OwnedHandle, second: OwnedHandle, size: int) -> Comparison:
    """Write through *first* and read through *second*."""
    written = new_pattern(size)
    _write(first, written)
    return compare(written, _read(second, size))


def probe_two_exports(device: Device, kernel: Zircon | None, size: int, memory_type: int, *, look: bool) -> Pair:
    """Export two allocations; they should be two VMOs. *look* into them only if they may be."""
    with (
        exportable_memory(device, size, memory_type) as one,
        exportable_memory(device, size, memory_type) as other,
        exported_handle(device, kernel, one) as first,
        exported_handle(device, kernel, other) as second,
    ):
        return Pair(first.describe(), second.describe(), _seen(look, partial(_apart, first, second, size)))


def _apart(first: OwnedHandle, second: OwnedHandle, size: int) -> Comparison:
    """Write each in turn, and see whether the other still holds what it held: old bytes of others may be in both."""
    in_first, in_second, again = new_pattern(size), new_pattern(size), new_pattern(size)
    _write(first, in_first)
    _write(second, in_second)
    kept_by_first = compare(in_first, _read(first, size))
    _write(first, again)
    return both(kept_by_first, compare(in_second, _read(second, size)))


def probe_fresh_bytes(device: Device, kernel: Zircon | None, size: int, memory_type: int) -> Comparison:
    """Look for bytes that somebody else left in a VMO that was just exported."""
    with exportable_memory(device, size, memory_type) as memory, exported_handle(device, kernel, memory) as handle:
        return compare(bytes(size), _read(handle, size))


def probe_outlives(opener: DeviceOpener, kernel: Zircon | None, size: int, memory_type: int) -> Comparison:
    """Write, get, free, allocate and fill anew, destroy the device, and read the VMO."""
    if kernel is None:
        raise NotAsked(NO_KERNEL)  # and nobody could close the handle once its device is gone
    written = new_pattern(size)
    with ExitStack() as kept:
        with ExitStack() as opened:
            try:
                device = opened.enter_context(opener.open())
            except Refused as refused:
                # A driver may have a limit on devices (VK_ERROR_TOO_MANY_OBJECTS).
                raise NotAsked(f"no second device: {refused.missing.result}") from refused
            with exportable_memory(device, size, memory_type) as memory:
                handle = kept.enter_context(exported_handle(device, kernel, memory))
                _write(handle, written)
            with (
                exportable_memory(device, size, memory_type) as memory,
                exported_handle(device, kernel, memory) as later,
            ):
                _write(later, new_pattern(size))
        return compare(written, _read(handle, size))


def _write(handle: OwnedHandle, data: bytes) -> None:
    kernel, value = handle.kernel("WRITE")
    kernel.write(value, 0, data)


def _read(handle: OwnedHandle, size: int) -> bytes:
    kernel, value = handle.kernel("READ")
    return kernel.read(value, 0, size)
