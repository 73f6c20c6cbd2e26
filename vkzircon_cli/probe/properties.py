# SPDX-License-Identifier: Apache-2.0
"""Ask vkGetMemoryZirconHandlePropertiesFUCHSIA which memory types take an exported VMO."""

from vkzircon_cli.driver import Device
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.events import answer_of
from vkzircon_cli.facts import Answer, HandleProperties, not_asked
from vkzircon_cli.probe.export import NO_KERNEL
from vkzircon_cli.probe.resources import OwnedHandle, PropertiesCall, exportable_memory, exported_handle
from vkzircon_cli.zircon import Zircon

_SENTINEL = 0xA5A5A5A5


def probe_properties(device: Device, kernel: Zircon | None, size: int, memory_type: int) -> HandleProperties:
    """Ask twice with complementary sentinels: every mask is a legal answer, so one call cannot show that none came."""
    with exportable_memory(device, size, memory_type) as memory, exported_handle(device, kernel, memory) as handle:
        value = handle.usable(kernel)
        first = PropertiesCall(device, value, _SENTINEL)
        second = PropertiesCall(device, value, _SENTINEL ^ 0xFFFFFFFF)
        return HandleProperties(
            memory_type_bits=second.bits,
            memory_types=tuple(bit for bit in range(32) if second.bits >> bit & 1),
            written=first.bits == second.bits,
            header_kept=first.header_kept and second.header_kept,
            handle_valid=answer_of(lambda: kernel.valid(value)) if kernel else not_asked(NO_KERNEL),
            duplicate_bits=_duplicate_bits(device, kernel, value),
        )


def _duplicate_bits(device: Device, kernel: Zircon | None, value: int) -> Answer[int]:
    def ask() -> int:
        if kernel is None:
            raise NotAsked(NO_KERNEL)
        duplicate = kernel.duplicate(value)
        try:
            return PropertiesCall(device, duplicate, _SENTINEL).bits
        finally:
            kernel.close(duplicate)

    return answer_of(ask)


def types_taking(device: Device, handle: OwnedHandle) -> int:
    """Ask for the mask of memory types that may import *handle* (VUID-VkMemoryAllocateInfo-None-04749)."""
    return PropertiesCall(device, handle.value, _SENTINEL).bits
