# SPDX-License-Identifier: Apache-2.0
"""Import exported VMOs: the form follows the export, the type both masks, the size the original."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from vkzircon_cli.driver import Device
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.probe.export import TEST_SIZE
from vkzircon_cli.probe.handles import OwnedHandle, exported_handle, imported_handle, types_taking
from vkzircon_cli.probe.memory import Memory, bind, exportable_memory, external_buffer
from vkzircon_cli.vmo_facts import BufferRequirements, Imported
from vkzircon_cli.zircon import Zircon


class Shared:
    """One VMO as two allocations: the exporter's memory, the importer's memory and its buffer.

    *handle* is a second handle to the VMO that stays ours.
    """

    def __init__(self, exported: Memory, imported: Memory, buffer: Any, candidates: int, handle: OwnedHandle) -> None:
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
    """Export a buffer's worth of memory, import it on the same device, and bind a buffer to the import.

    Raises:
        NotAsked: it did not come to an import; what was refused before one is no import's fault.
        Refused: the import, or binding to it.
    """
    with ExitStack() as stack:
        try:
            buffer, requirements = stack.enter_context(external_buffer(device, TEST_SIZE))
            exported = stack.enter_context(exportable_memory(device, requirements.size, memory_type))
            handle = stack.enter_context(exported_handle(device, kernel, exported))
            kept = stack.enter_context(_second_handle(device, kernel, exported, handle))
        except Refused as refused:
            raise NotAsked(f"{refused.missing.call} answered {refused.missing.result} before an import") from refused
        _must_hold(kernel, handle, requirements.size)
        import_type, candidates = choose_type(types_taking(device, handle), requirements, memory_type)
        imported = stack.enter_context(imported_handle(device, handle, requirements.size, import_type))
        bind(device, buffer, imported)
        yield Shared(exported, imported, buffer, candidates, kept)


@contextmanager
def _second_handle(
    device: Device, kernel: Zircon | None, exported: Memory, handle: OwnedHandle
) -> Iterator[OwnedHandle]:
    """Make a handle to look into the VMO with while the import has the other: a duplicate, or another get."""
    if kernel is not None and handle.has_right("DUPLICATE"):
        with kernel.duplicated(handle.usable()) as duplicate:
            yield OwnedHandle(kernel, duplicate)
    else:
        with exported_handle(device, kernel, exported) as second:
            yield second


def _must_hold(kernel: Zircon | None, handle: OwnedHandle, size: int) -> None:
    """Keep to VUID-VkMemoryAllocateInfo-allocationSize-07903: an import never asks for more than the VMO holds."""
    value = handle.usable()
    if kernel is not None and (held := kernel.vmo_size(value)) < size:
        raise NotAsked(f"the VMO holds {held} bytes, less than the {size} that were allocated")


def probe_import(device: Device, kernel: Zircon | None, memory_type: int) -> Imported:
    """Import a VMO on the device that exported it and bind a buffer to it."""
    with shared_memory(device, kernel, memory_type) as shared:
        return Imported(shared.imported.memory_type, shared.candidates, shared.imported.size)
