# SPDX-License-Identifier: Apache-2.0
"""Export memory and ask the kernel what was exported."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from vkzircon_cli.bindings.memory import Memory
from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import Answer, not_asked, record
from vkzircon_cli.model.quantities import bits_of
from vkzircon_cli.model.vmo import Comparison, Form, Handle, HandleProperties, Pair
from vkzircon_cli.probe.handles import OwnedHandle, PropertiesAnswer, duplicated, exported_handle, owned
from vkzircon_cli.probe.patterns import Pattern, both, new_pattern, zeros
from vkzircon_cli.probe.physical_device import DeviceOpener
from vkzircon_cli.probe.resources import Shape
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.events import answer_of

_MOST_BEHIND = 64 << 20  # bytes to read past the end of an allocation: a VMO may be a pool of many allocations
# Results of zx_vmo_read and zx_vmo_write for a VMO that has no such access: it is physical, or it is not CACHED.
_ONLY_MAPPED = ("ZX_ERR_NOT_SUPPORTED", "ZX_ERR_BAD_STATE")


@record
class ExportProbe:
    """Examines the exports of one form from one memory type."""

    target: Target
    opener: DeviceOpener
    shape: Shape
    memory_type: int

    def export(self) -> Handle:
        """Export one allocation and describe the handle. Raises `NotAsked` if its resource lacks the type.

        Plain memory is for any buffer, so every type of it is exported.
        """
        if self.shape.form is not Form.PLAIN and not self.shape.takes(self.memory_type):
            raise NotAsked(f"the {self.shape.kind} does not take this memory type")
        with self._exported() as handle:
            return handle.describe()

    def _exported(self) -> AbstractContextManager[OwnedHandle]:
        return self.target.export(self.shape, self.memory_type)

    def properties(self) -> HandleProperties:
        """Ask which memory types take an exported VMO, by its handle and by a duplicate of it."""
        with self._exported() as handle:
            found = PropertiesAnswer(self.target.device, handle)
            if found.kept.value is False:
                of_duplicate: Answer[int] = not_asked("the driver closed the handle")
            else:
                of_duplicate = answer_of(partial(_bits_of_duplicate, self.target.device, handle))
            types = bits_of(found.bits)
            return HandleProperties(found.bits, types, found.written, found.header_kept, found.kept, of_duplicate)

    def two_gets(self) -> Pair:
        """Export one allocation twice: the two handles should be to one VMO."""
        with (
            self.shape.memory(self.target.device, self.memory_type) as memory,
            self.target.exported(memory) as first,
            self.target.exported(memory) as second,
        ):
            return Pair(first.describe(), second.describe(), answer_of(partial(self._through, first, second)))

    def two_exports(self) -> Pair:
        """Export two allocations: they should be two VMOs."""
        with (
            self.shape.memory(self.target.device, self.memory_type) as one,
            self.shape.memory(self.target.device, self.memory_type) as other,
            self.target.exported(one) as first,
            self.target.exported(other) as second,
        ):
            return Pair(first.describe(), second.describe(), answer_of(partial(self._apart, first, second)))

    def through_channel(self) -> Pair:
        """Write the handle to a channel and read it again: its properties should not change."""
        kernel = self.target.must_have_kernel()
        with self._exported() as handle, ExitStack() as stack:
            writer, reader = kernel.create_channel()
            stack.callback(kernel.close, reader)
            stack.callback(kernel.close, writer)
            before, value = handle.describe(), handle.usable("TRANSFER")
            written = answer_of(partial(self._write_new, handle))
            handle.taken = True
            kernel.write_channel(writer, b"", (value,))
            (arrived,) = kernel.read_channel(reader)[1]
            with owned(kernel, arrived) as second:
                known = written.value
                seen = Answer(None, written.missing) if known is None else answer_of(partial(compared, second, known))
                return Pair(before, second.describe(), seen)

    def fresh_bytes(self) -> Comparison:
        """Look for old bytes in a VMO that was just exported, also past the end of the allocation."""
        self.target.must_be_visible(self.memory_type)
        with self._exported() as handle:
            kernel, value = handle.kernel("READ")
            size = self.shape.needs.size
            return compared(handle, zeros(max(size, min(kernel.vmo_size(value), size + _MOST_BEHIND))))

    def outlives(self) -> Comparison:
        """Write, get, free, allocate and fill again, destroy the device, and read the VMO."""
        self.target.must_be_visible(self.memory_type)
        kernel = self.target.must_have_kernel()  # nothing else could close the handle once its device is gone
        with ExitStack() as kept:
            with ExitStack() as opened:
                device = self._second_device(opened)
                with self.shape.memory(device, self.memory_type) as memory:
                    handle = kept.enter_context(exported_handle(device, kernel, memory))
                    written = self._write_new(handle)
                with (
                    self.shape.memory(device, self.memory_type) as memory,
                    exported_handle(device, kernel, memory) as later,
                ):
                    self._write_new(later)
            return compared(handle, written)

    def _second_device(self, stack: ExitStack) -> Device:
        try:
            return stack.enter_context(self.opener.open())
        except Refused as refused:
            # A driver may have a limit on devices (VK_ERROR_TOO_MANY_OBJECTS).
            raise NotAsked(f"no second device: {refused.missing.result}") from refused

    def _write_new(self, handle: OwnedHandle) -> Pattern:
        self.target.must_be_visible(self.memory_type)
        return write(handle, new_pattern(self.shape.needs.size))

    def _through(self, first: OwnedHandle, second: OwnedHandle) -> Comparison:
        return compared(second, self._write_new(first))

    def _apart(self, first: OwnedHandle, second: OwnedHandle) -> Comparison:
        """Write to each in turn and compare the other with its contents before; both may still have old bytes."""
        in_first, in_second = self._write_new(first), self._write_new(second)
        kept_by_first = compared(first, in_first)
        self._write_new(first)
        return both(kept_by_first, compared(second, in_second))


def _bits_of_duplicate(device: Device, handle: OwnedHandle) -> int:
    kernel, value = handle.kernel("DUPLICATE")
    with duplicated(kernel, value) as duplicate:
        return PropertiesAnswer(device, duplicate).bits


def write(handle: OwnedHandle, pattern: Pattern) -> Pattern:
    """Write *pattern* to the start of the VMO, and return it; through a mapping if nothing else is possible."""
    kernel, value = handle.kernel("WRITE")
    try:
        pattern.put_into(kernel, value)
    except Refused as refused:
        with _mapped_instead(handle, pattern.size, refused, writes=True) as view:
            pattern.put(view)
    return pattern


def compared(handle: OwnedHandle, pattern: Pattern) -> Comparison:
    """Compare *pattern* with the start of the VMO; through a mapping if nothing else is possible."""
    try:
        return compared_by_read(handle, pattern)
    except Refused as refused:
        with _mapped_instead(handle, pattern.size, refused) as view:
            return pattern.compare(view)


@contextmanager
def _mapped_instead(handle: OwnedHandle, size: int, refused: Refused, *, writes: bool = False) -> Iterator[Memory]:
    """Map the VMO for an access that was *refused*; raises that again if a mapping does not help."""
    if refused.missing.result not in _ONLY_MAPPED:
        raise refused
    kernel, value = handle.kernel("MAP")
    with kernel.mapped(value, size, writes=writes) as view:
        yield view


def compared_by_read(handle: OwnedHandle, pattern: Pattern) -> Comparison:
    """Compare *pattern* with the start of the VMO through zx_vmo_read only."""
    kernel, value = handle.kernel("READ")
    return pattern.compare_with(kernel, value)
