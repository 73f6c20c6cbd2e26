# SPDX-License-Identifier: Apache-2.0
"""Time one driver call at a time, over and over."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from vkzircon_cli.model.bench import Place, TimedCall, Timing, timing_of
from vkzircon_cli.probe.bench_budget import repeat
from vkzircon_cli.probe.bench_sharing import Sharing
from vkzircon_cli.probe.handles import ask_properties

_ALLOCATE, _FREE = "vkAllocateMemory", "vkFreeMemory"
_NOTHING = "vkDestroyFence"
_WARM_UP = 8
Once = Callable[[], object]


class CallProbe:
    """Times calls with buffers of the choice's size."""

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing
        self._target = sharing.target
        self._device = sharing.target.device
        self._size = sharing.choice.size

    def time(self, call: TimedCall, share_s: float) -> Timing:
        """Time *call* for *share_s* seconds, excluding the set-up before it and the clean-up after it.

        Raises:
            Refused: the driver refused the call, or one before it.
            NotAsked: an object that the call needs is missing.
        """
        name, prepare = {
            TimedCall.ALLOCATE: (_ALLOCATE, self._ordinary),
            TimedCall.FREE: (_FREE, self._ordinary),
            TimedCall.ALLOCATE_EXPORTABLE: (_ALLOCATE, self._exportable),
            TimedCall.FREE_EXPORTED: (_FREE, self._exportable),
            TimedCall.GET_HANDLE: ("vkGetMemoryZirconHandleFUCHSIA", self._get_handle),
            TimedCall.GET_PROPERTIES: ("vkGetMemoryZirconHandlePropertiesFUCHSIA", self._get_properties),
            TimedCall.IMPORT: (_ALLOCATE, self._import),
            TimedCall.FREE_IMPORTED: (_FREE, self._import),
        }[call]
        with ExitStack() as stack:
            return self._timed(name, prepare(stack), share_s)

    def overhead(self, share_s: float) -> Timing:
        """Time vkDestroyFence with VK_NULL_HANDLE, which the spec allows and which does almost nothing."""
        null = self._device.vulkan.ffi.NULL
        return self._timed(_NOTHING, lambda: self._device.get(_NOTHING, self._device.handle, null, null), share_s)

    def _timed(self, name: str, once: Once, share_s: float) -> Timing:
        """Time the one call of *name* in each round."""
        with self._device.stopwatch(name) as times:

            def one_round() -> int:
                times.clear()
                once()
                return times[0]

            return timing_of(repeat(one_round, share_s, warm_up=_WARM_UP))

    def _ordinary(self, _stack: ExitStack) -> Once:
        def once() -> None:
            with ExitStack() as stack:
                self._sharing.buffer(Place.ORDINARY, self._size, stack)

        return once

    def _exportable(self, _stack: ExitStack) -> Once:
        shape = self._sharing.shape(self._size)

        def once() -> None:
            with shape.memory(self._device, self._sharing.choice.memory_type):
                pass

        return once

    def _get_handle(self, stack: ExitStack) -> Once:
        memory, _ = self._sharing.exported(self._sharing.shape(self._size), stack)

        def once() -> None:
            with self._target.exported(memory) as handle:
                handle.usable()

        return once

    def _get_properties(self, stack: ExitStack) -> Once:
        memory, _ = self._sharing.exported(self._sharing.shape(self._size), stack)
        handle = stack.enter_context(self._target.exported(memory))
        return partial(ask_properties, self._device, handle.usable(), 0)

    def _import(self, stack: ExitStack) -> Once:
        shape = self._sharing.shape(self._size)
        memory, resource = self._sharing.exported(shape, stack)
        target = stack.enter_context(shape.resource(self._device))
        import_type = self._sharing.import_type(memory, resource)

        def once() -> None:
            with (
                self._target.exported(memory) as handle,
                self._target.imported(shape, handle, target, import_type, size=memory.size),
            ):
                pass

        return once
