# SPDX-License-Identifier: Apache-2.0
"""Import exported VMOs: the form follows the export, the type both masks, the size the original."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vkzircon_cli.driver import Device
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.facts import BufferRequirements, Imported
from vkzircon_cli.probe.export import TEST_SIZE
from vkzircon_cli.probe.properties import types_taking
from vkzircon_cli.probe.resources import (
    Memory,
    OwnedHandle,
    bind,
    exportable_memory,
    exported_handle,
    external_buffer,
    imported_memory,
)
from vkzircon_cli.zircon import Zircon


class Shared:
    """One VMO as two allocations: the exporter's memory, the importer's memory and buffer, and a handle to the VMO.

    *handle* is a duplicate that stays ours, None where no kernel is there to make one.
    """

    def __init__(self, exported: Memory, imported: Memory, buffer: Any, candidates: int, handle: int | None) -> None:
        self.exported = exported
        self.imported = imported
        self.buffer = buffer
        self.candidates = candidates
        self.handle = handle


def choose_type(bits: int, requirements: BufferRequirements, preferred: int) -> tuple[int, int]:
    """Choose the importing memory type, *preferred* if it may, and give all candidates as a mask.

    Raises:
        NotAsked: no type is in both masks.
    """
    candidates = bits & requirements.memory_type_bits
    if not candidates:
        raise NotAsked(
            f"no memory type takes both the VMO (0x{bits:x}) and the buffer (0x{requirements.memory_type_bits:x})"
        )
    lowest = (candidates & -candidates).bit_length() - 1
    return (preferred if candidates >> preferred & 1 else lowest), candidates


@contextmanager
def shared_memory(device: Device, kernel: Zircon | None, memory_type: int) -> Iterator[Shared]:
    """Export a buffer's worth of memory, import it on the same device, and bind a buffer to the import."""
    with (
        external_buffer(device, TEST_SIZE) as (buffer, requirements),
        exportable_memory(device, requirements.size, memory_type) as exported,
        exported_handle(device, kernel, exported) as handle,
    ):
        _must_hold(kernel, handle, requirements.size)
        import_type, candidates = choose_type(_types_taking(device, handle), requirements, memory_type)
        with (
            _duplicate(kernel, handle) as kept,
            imported_memory(device, handle, requirements.size, import_type) as imported,
        ):
            bind(device, buffer, imported)
            yield Shared(exported, imported, buffer, candidates, kept)


def _must_hold(kernel: Zircon | None, handle: OwnedHandle, size: int) -> None:
    """Keep to VUID-VkMemoryAllocateInfo-allocationSize-07903: an import never asks for more than the VMO holds."""
    value = handle.usable(kernel)
    if kernel is not None and (held := kernel.vmo_size(value)) < size:
        raise NotAsked(f"the VMO holds {held} bytes, less than the {size} that were allocated")


def _types_taking(device: Device, handle: OwnedHandle) -> int:
    try:
        return types_taking(device, handle)
    except Refused as refused:
        raise NotAsked(f"{refused.missing.call} answered {refused.missing.result}, so no type is known") from refused


@contextmanager
def _duplicate(kernel: Zircon | None, handle: OwnedHandle) -> Iterator[int | None]:
    if kernel is None:
        yield None
        return
    duplicate = kernel.duplicate(handle.value)
    try:
        yield duplicate
    finally:
        kernel.close(duplicate)


def probe_import(device: Device, kernel: Zircon | None, memory_type: int) -> Imported:
    """Import a VMO on the device that exported it and bind a buffer to it."""
    with shared_memory(device, kernel, memory_type) as shared:
        return Imported(shared.imported.memory_type, shared.candidates, shared.imported.size)
