# SPDX-License-Identifier: Apache-2.0
"""Ask vkGetMemoryZirconHandlePropertiesFUCHSIA which memory types take an exported VMO."""

from functools import partial

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.model.base import not_asked
from vkzircon_cli.model.quantities import bits_of
from vkzircon_cli.model.vmo import HandleProperties
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.handles import OwnedHandle, PropertiesAnswer, owned
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.events import answer_of


def probe_properties(target: Target, shape: Shape, memory_type: int) -> HandleProperties:
    """Ask about an exported VMO, and about a duplicate of its handle."""
    with target.export(shape, memory_type) as handle:
        found = PropertiesAnswer(target.device, handle)
        return HandleProperties(
            memory_type_bits=found.bits,
            memory_types=bits_of(found.bits),
            written=found.written,
            header_kept=found.header_kept,
            handle_valid=found.kept,
            duplicate_bits=not_asked("the driver closed the handle")
            if found.kept.value is False
            else answer_of(partial(_duplicates_bits, target.device, handle)),
        )


def _duplicates_bits(device: Device, handle: OwnedHandle) -> int:
    kernel, value = handle.kernel("DUPLICATE")
    with owned(kernel, kernel.duplicate(value)) as duplicate:
        return PropertiesAnswer(device, duplicate).bits
