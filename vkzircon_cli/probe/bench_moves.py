# SPDX-License-Identifier: Apache-2.0
"""Time moves of bytes by host and device, and the handover of a whole buffer by VMO or by copy."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.bench import Move, Moved, Place, Timing, Way, moved, timing_of
from vkzircon_cli.probe.bench_budget import fitting, rate_of, repeat, took
from vkzircon_cli.probe.bench_sharing import Sharing
from vkzircon_cli.probe.commands import copies
from vkzircon_cli.probe.handles import ask_properties
from vkzircon_cli.probe.resources import Memory, bind, flush, invalidate

_MIB = 1 << 20
_MOST_MOVED = 64 * _MIB
_LEAST_ROUNDS = 2
_TRIALS = 3
ALWAYS = 4 * _MIB  # a buffer up to this size is handed over even when the time is up
PASSES = 6  # of a handover: two new buffers, two that are filled, a copy to prepare and one to time
_SLOW = 500e6  # bytes per second assumed for preparing buffers, until it is measured
_LEAST_PART = 4  # a quarter of a share is for rounds, however long the preparation takes
_AND_AFTER = 1.5  # times the preparation: one more round, and freeing everything
_OF_HAND_OVER = (
    "vkGetMemoryZirconHandleFUCHSIA",
    "vkGetMemoryZirconHandlePropertiesFUCHSIA",
    "vkAllocateMemory",
    "vkBindBufferMemory",
)
_OF_SUBMISSION = ("vkQueueSubmit", "vkWaitForFences")
_MEMCPY = "memcpy"  # reported as the current call while a mapping is accessed, in case the process dies there


def size_to_move(room: int, seconds: float) -> int:
    """Return one size for all rows, which makes them comparable: above any cache, if *seconds* for each allow it."""
    largest = min(_MOST_MOVED, room)
    return fitting(largest, min(_MIB, largest), _SLOW, seconds / 2)


class MoveProbe:
    """Moves *size* bytes per round, fewer if mapped memory is slow; two such buffers exist at once."""

    def __init__(self, sharing: Sharing, size: int) -> None:
        self._sharing = sharing
        self._device = sharing.target.device
        self._size = size
        self._clock = self._device.vulkan.caller.clock_ns

    def measure(self, move: Move, place: Place, share_s: float) -> Moved:
        """Move bytes for *share_s* seconds.

        Raises:
            Refused: the driver refused one of the calls.
            NotAsked: the host cannot map such memory, or there is no queue.
        """
        began = time.monotonic()
        with ExitStack() as stack:
            buffer = self._sharing.buffer(place, self._size, stack)
            if move is Move.GPU_COPY:
                size, once = self._size, self._by_gpu(buffer[0], stack, shared=place is Place.VMO)
            else:
                self._sharing.must_be_visible(buffer[1])
                self._sharing.fill(buffer, self._size)
                size, once = self._by_host(move, buffer[1], share_s, stack)
            return moved(size, repeat(once, _rest(share_s, began)))

    def _by_host(self, move: Move, memory: Memory, share_s: float, stack: ExitStack) -> tuple[int, Callable[[], int]]:
        """Return the number of bytes that a round moves, and the function that runs a round."""
        view = stack.enter_context(self._sharing.target.mapped(memory))
        own = self._device.vulkan.caller.scratch(self._device.vulkan.ffi, self._size)
        coherent = self._sharing.is_coherent(memory)

        def act(size: int) -> None:
            if move is Move.HOST_READ:
                if not coherent:
                    invalidate(self._device, memory)
                view.move_to(own, size)
                return
            own.move_to(view, size)
            if not coherent:
                flush(self._device, memory)

        self._device.vulkan.on_call(_MEMCPY)
        smallest = min(_MIB, self._size)
        trial = min(took(lambda: act(smallest), self._clock) for _ in range(_TRIALS))
        size = fitting(self._size, smallest, rate_of(smallest, trial), share_s / _LEAST_ROUNDS)
        return size, lambda: took(lambda: act(size), self._clock)

    def _by_gpu(self, target: object, stack: ExitStack, *, shared: bool) -> Callable[[], int]:
        source = self._sharing.buffer(Place.ORDINARY, self._size, stack)
        self._sharing.fill(source, self._size)
        run = stack.enter_context(copies(self._device, source[0], target, self._size, shared=shared))
        times = stack.enter_context(self._device.stopwatch(*_OF_SUBMISSION))
        return _summed(times, run)


class HandOverProbe:
    """Hands over whole buffers; estimates the preparation time of each size from the earlier sizes."""

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing
        self._device = sharing.target.device
        # An estimate until a size was tried; a process that continues after a crash starts with it as well.
        self._seconds_per_byte = dict.fromkeys(Way, 1 / _SLOW)

    def time(self, way: Way, size: int, share_s: float, most_s: float) -> Timing:
        """Hand a buffer of *size* bytes over for *share_s* seconds.

        Raises:
            Refused: the driver refused one of the calls.
            NotAsked: a large buffer would take more than *most_s* seconds, or the host cannot map the memory to copy.
        """
        if size > ALWAYS and self._seconds_per_byte[way] * size > most_s:
            raise NotAsked("too little time was left: increase --seconds, or --timeout for each step")
        began = time.monotonic()
        with ExitStack() as stack:
            try:
                once = (self._by_vmo if way is Way.VMO else self._by_copy)(size, stack)
                once()
            finally:
                prepared_s = time.monotonic() - began
                self._seconds_per_byte[way] = _AND_AFTER * prepared_s / size
            return timing_of(repeat(once, _rest(share_s, began), warm_up=0))

    def _by_vmo(self, size: int, stack: ExitStack) -> Callable[[], int]:
        device, target, shape = self._device, self._sharing.target, self._sharing.shape(size)
        memory, resource = self._sharing.exported(shape, stack)
        import_type = self._sharing.import_type(memory, resource)
        times = stack.enter_context(device.stopwatch(*_OF_HAND_OVER))

        def hand_over() -> None:
            with ExitStack() as each:
                imported_to = each.enter_context(shape.resource(device))
                handle = each.enter_context(target.exported(memory))
                ask_properties(device, handle.usable(), 0)
                importing = target.imported(shape, handle, imported_to, import_type, size=memory.size)
                bind(device, imported_to, each.enter_context(importing))

        hand_over()  # before anything is written: a refusal then costs no time
        self._sharing.fill((resource.handle, memory), size)
        return _summed(times, hand_over)

    def _by_copy(self, size: int, stack: ExitStack) -> Callable[[], int]:
        source, target = (self._sharing.buffer(Place.ORDINARY, size, stack) for _ in range(2))
        for buffer in (source, target):
            self._sharing.must_be_visible(buffer[1])
            self._sharing.fill(buffer, size)
        read, written = (stack.enter_context(self._sharing.target.mapped(buffer[1])) for buffer in (source, target))
        coherent = self._sharing.is_coherent(source[1])

        def copy() -> None:
            if not coherent:
                invalidate(self._device, source[1])
            read.move_to(written, size)
            if not coherent:
                flush(self._device, target[1])

        self._device.vulkan.on_call(_MEMCPY)
        return lambda: took(copy, self._device.vulkan.caller.clock_ns)


def _rest(share_s: float, began: float) -> float:
    """Return the rest of a share, for the rounds, after a preparation that *began* at that time."""
    return max(share_s - (time.monotonic() - began), share_s / _LEAST_PART)


def _summed(times: list[int], once: Callable[[], None]) -> Callable[[], int]:
    """Return a round that runs *once* and sums up the *times* of its calls."""

    def one_round() -> int:
        times.clear()
        once()
        return sum(times)

    return one_round
