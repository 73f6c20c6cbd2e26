# SPDX-License-Identifier: Apache-2.0
"""The buffers of a bench: the form and memory type that are exported, and an import of them."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import record
from vkzircon_cli.model.bench import Choice, Place
from vkzircon_cli.model.facts import MemoryType
from vkzircon_cli.model.queries import cannot_export, is_host_coherent, is_host_visible
from vkzircon_cli.model.vmo import Form
from vkzircon_cli.probe.commands import fill
from vkzircon_cli.probe.patterns import new_pattern, new_word
from vkzircon_cli.probe.resources import Memory, Resource, Shape, bind, external_buffer, host_buffer
from vkzircon_cli.probe.target import Target

Buffer = tuple[Any, Memory]


def choose(device: Device, types: Sequence[MemoryType], size: int, *, only_dedicated: bool) -> Choice:
    """Try forms and memory types until one can be allocated; if none can, choose the first, whose steps show why.

    Raises `NotAsked` if no memory type takes a buffer that is shared.
    """
    with external_buffer(device, size) as buffer:
        needs = buffer.needs
    takes = [each for each in types if needs.memory_type_bits >> each.index & 1 and cannot_export(each) is None]
    if not takes:
        raise NotAsked("no memory type takes a buffer that is shared")
    takes.sort(key=lambda each: not is_host_visible(each))
    forms = (Form.DEDICATED_BUFFER,) if only_dedicated else (Form.PLAIN, Form.DEDICATED_BUFFER)
    pairs = [(Shape(form, size, None, needs), each) for form in forms for each in takes]
    shape, chosen = next((pair for pair in pairs if _is_allocated(device, *pair)), pairs[0])
    return Choice(
        form=shape.form, memory_type=chosen.index, ordinary_type=_ordinary_type(device, types, chosen, size), size=size
    )


def _is_allocated(device: Device, shape: Shape, memory_type: MemoryType) -> bool:
    try:
        with shape.memory(device, memory_type.index):
            return True
    except Refused:
        return False


def _ordinary_type(device: Device, types: Sequence[MemoryType], chosen: MemoryType, size: int) -> int:
    """Choose the memory type of ordinary buffers: the same if the host can map it and a buffer takes it."""
    visible = [each.index for each in types if is_host_visible(each)]
    preferred = [chosen.index] if chosen.index in visible else []
    for mask in (*(1 << index for index in preferred), sum(1 << index for index in visible)):
        try:
            with host_buffer(device, size, mask) as (_, memory):
                return memory.memory_type
        except (NotAsked, Refused):
            continue
    return chosen.index


@record
class Sharing:
    """Makes buffers on one device by *choice*, and imports them there."""

    target: Target
    choice: Choice

    def shape(self, size: int) -> Shape:
        """Return the shape of a buffer of *size* bytes."""
        with external_buffer(self.target.device, size) as buffer:
            return Shape(self.choice.form, size, None, buffer.needs)

    def buffer(self, place: Place, size: int, stack: ExitStack) -> Buffer:
        """Make a bound buffer, which *stack* frees."""
        if place is Place.ORDINARY:
            return stack.enter_context(host_buffer(self.target.device, size, 1 << self.choice.ordinary_type))
        memory, resource = self.exported(self.shape(size), stack)
        return resource.handle, memory

    def exported(self, shape: Shape, stack: ExitStack) -> tuple[Memory, Resource]:
        """Make a buffer bound to memory that may be exported, which *stack* frees."""
        memory, resource = stack.enter_context(shape.exportable(self.target.device, self.choice.memory_type))
        bind(self.target.device, resource, memory)
        return memory, resource

    def import_type(self, memory: Memory, resource: Resource) -> int:
        """Return the memory type into which *memory*'s VMO is imported for *resource*.

        Raises `NotAsked` if there is none, or the properties call wrote no answer.
        """
        with self.target.exported(memory) as handle:
            return self.target.import_type(handle, resource, memory.memory_type)[0]

    def must_be_visible(self, memory: Memory) -> None:
        """Raise `NotAsked` if the host cannot map *memory*."""
        if not self.target.is_visible(memory.memory_type):
            raise NotAsked(f"memory type {memory.memory_type} is not HOST_VISIBLE")

    def is_coherent(self, memory: Memory) -> bool:
        """Whether mapped memory needs neither flush nor invalidate."""
        return is_host_coherent(self.target.types[memory.memory_type])

    def fill(self, buffer: Buffer, size: int) -> None:
        """Write to every page of a buffer, so that no copy reads pages that do not exist yet."""
        handle, memory = buffer
        if self.target.is_visible(memory.memory_type):
            with suppress(Refused), self.target.mapped(memory) as view:  # else the device fills it
                new_pattern(size).put(view)
                return
        fill(self.target.device, handle, int.from_bytes(new_word(size).period, "little"))
