# SPDX-License-Identifier: Apache-2.0
"""Export memory and ask the kernel what came out."""

from contextlib import ExitStack

from vkzircon_cli.driver import Device
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.events import answer_of
from vkzircon_cli.facts import BufferRequirements, Comparison, Handle, Pair
from vkzircon_cli.probe.bytes import compare, pattern
from vkzircon_cli.probe.device import DeviceOpener
from vkzircon_cli.probe.resources import OwnedHandle, describe, exportable_memory, exported_handle, external_buffer
from vkzircon_cli.zircon import Zircon

TEST_SIZE = 65_536
NO_KERNEL = "no libzircon to look into the VMO with"


def probe_buffer_requirements(device: Device) -> BufferRequirements:
    """Ask what memory an external transfer buffer of the test's size needs."""
    with external_buffer(device, TEST_SIZE) as (_, requirements):
        return requirements


def probe_export(device: Device, kernel: Zircon | None, size: int, memory_type: int) -> Handle:
    """Export a plain allocation and describe the handle."""
    with exportable_memory(device, size, memory_type) as memory, exported_handle(device, kernel, memory) as handle:
        return describe(kernel, handle)


def probe_two_gets(device: Device, kernel: Zircon | None, size: int, memory_type: int) -> Pair:
    """Export one allocation twice; the two handles should be two doors to one VMO."""
    with (
        exportable_memory(device, size, memory_type) as memory,
        exported_handle(device, kernel, memory) as first,
        exported_handle(device, kernel, memory) as second,
    ):
        return _pair(kernel, first, second, size)


def probe_two_exports(device: Device, kernel: Zircon | None, size: int, memory_type: int) -> Pair:
    """Export two allocations; they should be two VMOs."""
    with (
        exportable_memory(device, size, memory_type) as one,
        exportable_memory(device, size, memory_type) as other,
        exported_handle(device, kernel, one) as first,
        exported_handle(device, kernel, other) as second,
    ):
        return _pair(kernel, first, second, size)


def _pair(kernel: Zircon | None, first: OwnedHandle, second: OwnedHandle, size: int) -> Pair:
    def seen() -> Comparison:
        written = pattern(size, 0x51)
        opened = _kernel(kernel)
        opened.write(first.usable(kernel), 0, written)
        return compare(written, opened.read(second.usable(kernel), 0, size))

    return Pair(describe(kernel, first), describe(kernel, second), answer_of(seen))


def _kernel(kernel: Zircon | None) -> Zircon:
    if kernel is None:
        raise NotAsked(NO_KERNEL)
    return kernel


def probe_fresh_bytes(device: Device, kernel: Zircon | None, size: int, memory_type: int) -> Comparison:
    """Look for bytes that somebody else left in a VMO that was just exported."""
    opened = _kernel(kernel)
    with exportable_memory(device, size, memory_type) as memory, exported_handle(device, kernel, memory) as handle:
        return compare(bytes(size), opened.read(handle.usable(kernel), 0, size))


def probe_outlives(opener: DeviceOpener, kernel: Zircon | None, size: int, memory_type: int) -> Comparison:
    """Write, get, free, allocate and fill anew, destroy the device, and read the VMO."""
    opened = _kernel(kernel)
    written = pattern(size, 0x0C)
    with ExitStack() as kept:
        with opener.open() as device:
            with exportable_memory(device, size, memory_type) as memory:
                handle = kept.enter_context(exported_handle(device, kernel, memory))
                opened.write(handle.usable(kernel), 0, written)
            with (
                exportable_memory(device, size, memory_type) as memory,
                exported_handle(device, kernel, memory) as later,
            ):
                opened.write(later.usable(kernel), 0, pattern(size, 0x99))
        return compare(written, opened.read(handle.usable(kernel), 0, size))
