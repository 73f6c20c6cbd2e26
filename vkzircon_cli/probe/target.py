# SPDX-License-Identifier: Apache-2.0
"""An open device for steps that export, import and examine memory; and the devices that can import."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

from vkzircon_cli.bindings.memory import Memory as MappedMemory
from vkzircon_cli.bindings.vk import Device, PhysicalDevice
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Identity, MemoryType
from vkzircon_cli.model.quantities import bits_of
from vkzircon_cli.model.queries import is_host_coherent, is_host_visible
from vkzircon_cli.model.vmo import Comparison, ImportKind
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, exported_handle, taking, types_taking
from vkzircon_cli.probe.instance import list_devices
from vkzircon_cli.probe.patterns import Pattern, new_pattern
from vkzircon_cli.probe.physical_device import DeviceOpener, find_device, lists_extension, probe_memory
from vkzircon_cli.probe.resources import Memory, Resource, Shape, mapped
from vkzircon_cli.stream.events import answer_of

T = TypeVar("T")


@record
class Target:
    """An open device, its memory types, and the *kernel* to examine VMOs, None if there is no libzircon."""

    device: Device
    types: Sequence[MemoryType]
    kernel: Zircon | None

    def must_have_kernel(self) -> Zircon:
        """Return the kernel. Raises `NotAsked` if there is none."""
        if self.kernel is None:
            raise NotAsked(NO_KERNEL)
        return self.kernel

    def is_visible(self, memory_type: int) -> bool:
        """Whether the host can map memory of this type."""
        return is_host_visible(self.types[memory_type])

    def must_be_visible(self, memory_type: int) -> None:
        """Raise `NotAsked` if the host cannot map memory of this type."""
        if not self.is_visible(memory_type):
            raise NotAsked("the memory type is not HOST_VISIBLE")

    def visible_types(self) -> int:
        """Return the mask of the memory types that the host can map."""
        return sum(1 << memory_type.index for memory_type in self.types if is_host_visible(memory_type))

    def exported(self, memory: Memory) -> AbstractContextManager[OwnedHandle]:
        """Get a handle to *memory*'s VMO and close it, unless an import took it."""
        return exported_handle(self.device, self.kernel, memory)

    @contextmanager
    def export(self, shape: Shape, memory_type: int) -> Iterator[OwnedHandle]:
        """Allocate memory of *shape* and get a handle to its VMO; at the end close the handle and free the memory."""
        with shape.memory(self.device, memory_type) as memory, self.exported(memory) as handle:
            yield handle

    def import_type(self, handle: OwnedHandle, resource: Resource, preferred: int) -> tuple[int, int]:
        """Choose the type to import *handle* into, *preferred* if possible; return it with all candidates as a mask.

        Raises `NotAsked` if none of the memory types takes both the VMO and *resource*.
        """
        bits, taken = types_taking(self.device, handle), resource.needs.memory_type_bits
        candidates = bits & taken & ((1 << len(self.types)) - 1)
        if not candidates:
            raise NotAsked(f"no memory type takes both the VMO (0x{bits:x}) and the resource (0x{taken:x})")
        return (preferred if candidates >> preferred & 1 else bits_of(candidates)[0]), candidates

    def imported(
        self, shape: Shape, handle: OwnedHandle, resource: Resource, memory_type: int, **how: Any
    ) -> AbstractContextManager[Memory]:
        """Import *handle* as `Shape.imported` for *resource*, which is not bound yet: success takes the handle."""
        return taking(handle, shape.imported(self.device, handle.usable(), memory_type, resource, **how))

    def put(self, memory: Memory, pattern: Pattern | None = None) -> Pattern:
        """Write *pattern*, or a new one over all of *memory*, through a mapping; return what was written.

        Raises `NotAsked` if the host cannot map the memory.
        """
        self.must_be_visible(memory.memory_type)
        written = pattern or new_pattern(memory.size)
        with self.mapped(memory) as view:
            written.put(view)
        return written

    def mapped(self, memory: Memory) -> AbstractContextManager[MappedMemory]:
        """Map all of *memory*, as `resources.mapped`."""
        return mapped(self.device, memory, is_coherent=is_host_coherent(self.types[memory.memory_type]))

    def compare(self, memory: Memory, written: Pattern) -> Comparison:
        """Compare *written* with *memory* through a mapping, up to the end of the shorter one; raises as `put`."""
        self.must_be_visible(memory.memory_type)
        with self.mapped(memory) as view:
            return Pattern(written.period, min(written.size, memory.size)).compare(view)


def open_target(physical: PhysicalDevice, enabled: tuple[str, ...], kernel: Zircon | None, stack: ExitStack) -> Target:
    """Open a device, which *stack* destroys. Raises `Refused` if vkCreateDevice fails."""
    device = stack.enter_context(DeviceOpener(physical, enabled).open())
    return Target(device, probe_memory(physical).types, kernel)


class ImportTargets:
    """The devices that a VMO can be imported on: this one, another like it, one of a second instance, another GPU.

    Opens each device when it is first needed and keeps it open until *stack* closes.
    """

    def __init__(self, own: Target, opener: DeviceOpener, identity: Identity, index: int, stack: ExitStack) -> None:
        self._own = own
        self._opener = opener
        self._identity = identity
        self._index = index
        self._stack = stack
        self._opened: dict[ImportKind, Answer[Target]] = {}
        self._others: list[PhysicalDevice] | None = None

    def find(self, kind: ImportKind) -> Target:
        """Return the device that *kind* imports on. Raises `NotAsked` if there is none, or it did not open."""
        openers = {
            ImportKind.SECOND_DEVICE: self._second_device,
            ImportKind.SECOND_INSTANCE: self._second_instance,
            ImportKind.OTHER_DEVICE: self._other_device,
        }
        if kind not in openers:
            return self._own
        if kind not in self._opened:  # only once, even if it fails: a driver may take seconds to make an instance
            self._opened[kind] = answer_of(openers[kind])
        target, missing = self._opened[kind].value, self._opened[kind].missing
        if missing is not None:
            raise NotAsked(f"{missing.call} returned {missing.result}" if missing.result else missing.reason)
        return target  # type: ignore[return-value]

    def _second_device(self) -> Target:
        return Target(self._stack.enter_context(self._opener.open()), self._own.types, self._own.kernel)

    def _second_instance(self) -> Target:
        physical = find_device(self._identity, self._index, self._listed_again(), by_index=False)
        if physical is None:
            raise NotAsked("a second instance does not list the device again")
        return self._open(physical)

    def _other_device(self) -> Target:
        for index, physical in enumerate(self._listed_again()):
            if lists_extension(physical) and index != self._index:
                return self._open(physical)
        raise NotAsked("no other device offers the extension")

    def _open(self, physical: PhysicalDevice) -> Target:
        return open_target(physical, self._opener.enabled, self._own.kernel, self._stack)

    def _listed_again(self) -> list[PhysicalDevice]:
        """Return the devices of a second instance, which is created once."""
        if self._others is None:
            self._others = list_devices(self._own.device.vulkan, self._stack)
        return self._others


def before_import(step: Callable[[], T]) -> T:
    """Run a step before an import; if the driver refuses it, the import is not tried."""
    try:
        return step()
    except Refused as refused:
        raise NotAsked(f"{refused.said}, before an import") from refused
