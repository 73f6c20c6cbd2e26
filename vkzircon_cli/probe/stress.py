# SPDX-License-Identifier: Apache-2.0
"""Repeat exports and imports until a leak would show in the kernel's counts."""

import mmap
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.facts import MemoryType
from vkzircon_cli.model.vmo import Stressed
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.handles import NO_KERNEL, exported_handle, owned, taking, types_taking
from vkzircon_cli.probe.imports import choose_type

IMPORTS = 4096
ROUNDS = 1024
_WARM_UP = 16


class StressProbe:
    """Repeats with one form from one memory type."""

    def __init__(
        self,
        device: Device,
        kernel: Zircon | None,
        shape: Shape,
        memory_type: int,
        *,
        types: Sequence[MemoryType],
        limit_s: float,
    ) -> None:
        self._device = device
        self._kernel = kernel
        self._shape = shape
        self._memory_type = memory_type
        self._types = types
        self._limit_s = limit_s

    def imports(self) -> Stressed:
        """Import one VMO again and again, one import alive at a time, as the conformance suite does."""
        kernel = self._opened()
        with ExitStack() as stack:
            memory = stack.enter_context(self._shape.memory(self._device, self._memory_type))
            handle = stack.enter_context(exported_handle(self._device, kernel, memory))
            resource = stack.enter_context(self._shape.resource(self._device))
            bits = types_taking(self._device, handle)
            import_type, _ = choose_type(bits, resource.needs.memory_type_bits, self._memory_type, self._types)

            def once() -> None:
                with owned(kernel, kernel.duplicate(handle.usable("DUPLICATE"))) as again:
                    importing = self._shape.imported(self._device, again.value, import_type, resource, size=memory.size)
                    with taking(again, importing):
                        pass

            return self._repeat(IMPORTS, once)

    def rounds(self) -> Stressed:
        """Export, import and free, all of it anew each time."""
        kernel = self._opened()

        def once() -> None:
            with ExitStack() as stack:
                memory = stack.enter_context(self._shape.memory(self._device, self._memory_type))
                handle = stack.enter_context(exported_handle(self._device, kernel, memory))
                resource = stack.enter_context(self._shape.resource(self._device))
                bits = types_taking(self._device, handle)
                import_type, _ = choose_type(bits, resource.needs.memory_type_bits, self._memory_type, self._types)
                importing = self._shape.imported(self._device, handle.value, import_type, resource, size=memory.size)
                stack.enter_context(taking(handle, importing))

        return self._repeat(ROUNDS, once)

    def _opened(self) -> Zircon:
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        return self._kernel

    def _repeat(self, rounds: int, once: Callable[[], None]) -> Stressed:
        """Run *once* a few times for whatever is made on first use, then *rounds* times between two looks.

        Where the driver is slow it is fewer times: one step that says nothing for long would be taken for hung.
        """
        kernel = self._opened()
        for _ in range(_WARM_UP):
            once()
        handles, resident = kernel.open_handles(), _resident()
        deadline, done = time.monotonic() + self._limit_s, 0
        while done < rounds and time.monotonic() < deadline:
            once()
            done += 1
        return Stressed(done, handles, kernel.open_handles(), resident, _resident())


def _resident() -> int:
    """Give the process's resident bytes, 0 where the system does not tell (only Linux's /proc does)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:
            return int(told.read().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0
