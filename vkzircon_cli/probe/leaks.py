# SPDX-License-Identifier: Apache-2.0
"""Repeat exports and imports until a leak would show in the kernel's counts."""

from collections.abc import Callable
from contextlib import ExitStack

from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import Unanswered
from vkzircon_cli.model.base import record
from vkzircon_cli.model.vmo import Stressed
from vkzircon_cli.probe.handles import OwnedHandle, duplicated
from vkzircon_cli.probe.resources import Memory, Resource, Shape
from vkzircon_cli.probe.target import Target

IMPORTS = 4096
ROUNDS = 1024
_WARM_UP = 16


@record
class StressProbe:
    """Repeats exports and imports of one form from one memory type."""

    target: Target
    shape: Shape
    memory_type: int
    limit_s: float

    def imports(self) -> Stressed:
        """Import one VMO again and again, one import alive at a time, as the conformance suite does."""
        kernel = self.target.must_have_kernel()
        with ExitStack() as stack:
            memory, handle, resource, import_type = self._export(stack)

            def once() -> None:
                with (
                    duplicated(kernel, handle.usable("DUPLICATE")) as again,
                    self.target.imported(self.shape, again, resource, import_type, size=memory.size),
                ):
                    pass

            return self._repeat(IMPORTS, once)

    def rounds(self) -> Stressed:
        """Export, import and free, each round from the start."""

        def once() -> None:
            with ExitStack() as stack:
                memory, handle, resource, import_type = self._export(stack)
                stack.enter_context(self.target.imported(self.shape, handle, resource, import_type, size=memory.size))

        return self._repeat(ROUNDS, once)

    def _export(self, stack: ExitStack) -> tuple[Memory, OwnedHandle, Resource, int]:
        """Export memory, and make the resource that it is imported for."""
        memory = stack.enter_context(self.shape.memory(self.target.device, self.memory_type))
        handle = stack.enter_context(self.target.exported(memory))
        resource = stack.enter_context(self.shape.resource(self.target.device))
        return memory, handle, resource, self.target.import_type(handle, resource, self.memory_type)[0]

    def _repeat(self, rounds: int, once: Callable[[], None]) -> Stressed:
        """Run *once* a few times, to exclude the costs of first use, then *rounds* times between two counts.

        A slow driver gets fewer rounds: a step that takes too long would count as hung.
        """
        kernel = self.target.must_have_kernel()
        for _ in range(_WARM_UP):
            once()
        caller = self.target.device.vulkan.caller
        handles, resident = _open_handles(kernel), caller.resident()
        is_over, done = caller.timer(self.limit_s), 0
        while done < rounds and not is_over():
            once()
            done += 1
        return Stressed(done, handles, _open_handles(kernel), resident, caller.resident())


def _open_handles(kernel: Zircon) -> int | None:
    """Return the count of this process's handles, None if a sandbox or an older kernel refuses it."""
    try:
        return kernel.open_handles()
    except Unanswered:
        return None
