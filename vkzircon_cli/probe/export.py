# SPDX-License-Identifier: Apache-2.0
"""Export memory and ask the kernel what came out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import Answer, not_asked
from vkzircon_cli.model.vmo import Comparison, Handle, Pair
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.device import DeviceOpener
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, exported_handle, owned
from vkzircon_cli.probe.patterns import Pattern, both, new_pattern, zeros
from vkzircon_cli.stream.events import answer_of


def probe_export(device: Device, kernel: Zircon | None, shape: Shape, memory_type: int) -> Handle:
    """Export one allocation and describe the handle.

    Raises:
        NotAsked: the dedicated resource does not take this memory type.
    """
    if shape.is_dedicated and not shape.needs.memory_type_bits >> memory_type & 1:
        raise NotAsked(f"the {shape.kind} does not take this memory type")
    with shape.memory(device, memory_type) as memory, exported_handle(device, kernel, memory) as handle:
        return handle.describe()


class ExportProbe:
    """Looks closer at what one form exports from one memory type. *look* tells whether the host may look into it."""

    def __init__(
        self, device: Device, opener: DeviceOpener, kernel: Zircon | None, shape: Shape, memory_type: int, *, look: bool
    ) -> None:
        self._device = device
        self._opener = opener
        self._kernel = kernel
        self._shape = shape
        self._memory_type = memory_type
        self._look = look

    @property
    def _size(self) -> int:
        return self._shape.needs.size

    def two_gets(self) -> Pair:
        """Export one allocation twice; the two handles should be two doors to one VMO."""
        with (
            self._shape.memory(self._device, self._memory_type) as memory,
            exported_handle(self._device, self._kernel, memory) as first,
            exported_handle(self._device, self._kernel, memory) as second,
        ):
            return Pair(first.describe(), second.describe(), self._seen(partial(self._through, first, second)))

    def two_exports(self) -> Pair:
        """Export two allocations; they should be two VMOs."""
        with (
            self._shape.memory(self._device, self._memory_type) as one,
            self._shape.memory(self._device, self._memory_type) as other,
            exported_handle(self._device, self._kernel, one) as first,
            exported_handle(self._device, self._kernel, other) as second,
        ):
            return Pair(first.describe(), second.describe(), self._seen(partial(self._apart, first, second)))

    def through_channel(self) -> Pair:
        """Write the handle to a channel and read it again: it should be as good as it was."""
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        with (
            self._shape.memory(self._device, self._memory_type) as memory,
            exported_handle(self._device, self._kernel, memory) as handle,
            _channel(self._kernel) as (writer, reader),
        ):
            before, value = handle.describe(), handle.usable("TRANSFER")
            written = answer_of(lambda: self._written(handle))
            handle.taken = True
            self._kernel.write_channel(writer, b"", (value,))
            (arrived,) = self._kernel.read_channel(reader)[1]
            with owned(self._kernel, arrived) as second:
                known = written.value
                seen = Answer(None, written.missing) if known is None else answer_of(partial(compared, second, known))
                return Pair(before, second.describe(), seen)

    def _written(self, handle: OwnedHandle) -> Pattern:
        self._must_look()
        pattern = new_pattern(self._size)
        write(handle, pattern)
        return pattern

    def fresh_bytes(self) -> Comparison:
        """Look for bytes that somebody else left in a VMO that was just exported."""
        self._must_look()
        with (
            self._shape.memory(self._device, self._memory_type) as memory,
            exported_handle(self._device, self._kernel, memory) as handle,
        ):
            return compared(handle, zeros(self._size))

    def outlives(self) -> Comparison:
        """Write, get, free, allocate and fill anew, destroy the device, and read the VMO."""
        self._must_look()
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)  # and nobody could close the handle once its device is gone
        written = new_pattern(self._size)
        with ExitStack() as kept:
            with ExitStack() as opened:
                device = self._second_device(opened)
                with self._shape.memory(device, self._memory_type) as memory:
                    handle = kept.enter_context(exported_handle(device, self._kernel, memory))
                    write(handle, written)
                with (
                    self._shape.memory(device, self._memory_type) as memory,
                    exported_handle(device, self._kernel, memory) as later,
                ):
                    write(later, new_pattern(self._size))
            return compared(handle, written)

    def _second_device(self, stack: ExitStack) -> Device:
        try:
            return stack.enter_context(self._opener.open())
        except Refused as refused:
            # A driver may have a limit on devices (VK_ERROR_TOO_MANY_OBJECTS).
            raise NotAsked(f"no second device: {refused.missing.result}") from refused

    def _must_look(self) -> None:
        if not self._look:
            raise NotAsked("the memory type is not HOST_VISIBLE")

    def _seen(self, question: Callable[[], Comparison]) -> Answer[Comparison]:
        return answer_of(question) if self._look else not_asked("the memory type is not HOST_VISIBLE")

    def _through(self, first: OwnedHandle, second: OwnedHandle) -> Comparison:
        """Write through *first* and read through *second*."""
        written = new_pattern(self._size)
        write(first, written)
        return compared(second, written)

    def _apart(self, first: OwnedHandle, second: OwnedHandle) -> Comparison:
        """Write each in turn, and see whether the other still holds what it held; old bytes may be in both."""
        in_first, in_second, again = (new_pattern(self._size) for _ in range(3))
        write(first, in_first)
        write(second, in_second)
        kept_by_first = compared(first, in_first)
        write(first, again)
        return both(kept_by_first, compared(second, in_second))


@contextmanager
def _channel(kernel: Zircon) -> Iterator[tuple[int, int]]:
    ends = kernel.create_channel()
    try:
        yield ends
    finally:
        for end in ends:
            kernel.close(end)


def write(handle: OwnedHandle, pattern: Pattern) -> None:
    """Write *pattern* to the start of the VMO."""
    kernel, value = handle.kernel("WRITE")
    for offset, data in pattern.chunks():
        kernel.write(value, offset, data)


def compared(handle: OwnedHandle, pattern: Pattern) -> Comparison:
    """Compare *pattern* with the start of the VMO."""
    kernel, value = handle.kernel("READ")
    return pattern.compare_chunks(lambda offset, size: kernel.read(value, offset, size))
