# SPDX-License-Identifier: Apache-2.0
"""Export memory and ask the kernel what was exported."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import Answer, not_asked, record
from vkzircon_cli.model.vmo import Comparison, Handle, Pair
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.handles import OwnedHandle, exported_handle, owned
from vkzircon_cli.probe.patterns import Pattern, both, new_pattern, zeros
from vkzircon_cli.probe.physical_device import DeviceOpener
from vkzircon_cli.probe.target import NOT_VISIBLE, Target
from vkzircon_cli.stream.events import answer_of


def probe_export(target: Target, shape: Shape, memory_type: int) -> Handle:
    """Export one allocation and describe the handle.

    Raises:
        NotAsked: the dedicated resource does not take this memory type.
    """
    if shape.is_dedicated and not shape.needs.memory_type_bits >> memory_type & 1:
        raise NotAsked(f"the {shape.kind} does not take this memory type")
    with target.export(shape, memory_type) as handle:
        return handle.describe()


@record
class ExportProbe:
    """Looks closer at what one form exports from one memory type."""

    target: Target
    opener: DeviceOpener
    shape: Shape
    memory_type: int

    def two_gets(self) -> Pair:
        """Export one allocation twice: the two handles should be to one VMO."""
        with (
            self.shape.memory(self.target.device, self.memory_type) as memory,
            self.target.exported(memory) as first,
            self.target.exported(memory) as second,
        ):
            return Pair(first.describe(), second.describe(), self._seen(partial(self._through, first, second)))

    def two_exports(self) -> Pair:
        """Export two allocations: they should be two VMOs."""
        with (
            self.shape.memory(self.target.device, self.memory_type) as one,
            self.shape.memory(self.target.device, self.memory_type) as other,
            self.target.exported(one) as first,
            self.target.exported(other) as second,
        ):
            return Pair(first.describe(), second.describe(), self._seen(partial(self._apart, first, second)))

    def through_channel(self) -> Pair:
        """Write the handle to a channel and read it again: nothing about it should change."""
        kernel = self.target.must_have_kernel()
        with (
            self.target.export(self.shape, self.memory_type) as handle,
            _channel(kernel) as (writer, reader),
        ):
            before, value = handle.describe(), handle.usable("TRANSFER")
            written = answer_of(partial(self._written, handle))
            handle.taken = True
            kernel.write_channel(writer, b"", (value,))
            (arrived,) = kernel.read_channel(reader)[1]
            with owned(kernel, arrived) as second:
                known = written.value
                seen = Answer(None, written.missing) if known is None else answer_of(partial(compared, second, known))
                return Pair(before, second.describe(), seen)

    def _written(self, handle: OwnedHandle) -> Pattern:
        self.target.must_be_visible(self.memory_type)
        pattern = new_pattern(self.shape.needs.size)
        write(handle, pattern)
        return pattern

    def fresh_bytes(self) -> Comparison:
        """Look for another program's bytes in a VMO that was just exported."""
        self.target.must_be_visible(self.memory_type)
        with self.target.export(self.shape, self.memory_type) as handle:
            return compared(handle, zeros(self.shape.needs.size))

    def outlives(self) -> Comparison:
        """Write, get, free, allocate and fill again, destroy the device, and read the VMO."""
        self.target.must_be_visible(self.memory_type)
        kernel = self.target.must_have_kernel()  # nothing else could close the handle once its device is gone
        written = new_pattern(self.shape.needs.size)
        with ExitStack() as kept:
            with ExitStack() as opened:
                device = self._second_device(opened)
                with self.shape.memory(device, self.memory_type) as memory:
                    handle = kept.enter_context(exported_handle(device, kernel, memory))
                    write(handle, written)
                with (
                    self.shape.memory(device, self.memory_type) as memory,
                    exported_handle(device, kernel, memory) as later,
                ):
                    write(later, new_pattern(self.shape.needs.size))
            return compared(handle, written)

    def _second_device(self, stack: ExitStack) -> Device:
        try:
            return stack.enter_context(self.opener.open())
        except Refused as refused:
            # A driver may have a limit on devices (VK_ERROR_TOO_MANY_OBJECTS).
            raise NotAsked(f"no second device: {refused.missing.result}") from refused

    def _seen(self, question: Callable[[], Comparison]) -> Answer[Comparison]:
        return answer_of(question) if self.target.is_visible(self.memory_type) else not_asked(NOT_VISIBLE)

    def _through(self, first: OwnedHandle, second: OwnedHandle) -> Comparison:
        """Write through *first* and read through *second*."""
        written = new_pattern(self.shape.needs.size)
        write(first, written)
        return compared(second, written)

    def _apart(self, first: OwnedHandle, second: OwnedHandle) -> Comparison:
        """Write each in turn and compare the other with what it held; both may still have old bytes."""
        in_first, in_second, again = (new_pattern(self.shape.needs.size) for _ in range(3))
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
