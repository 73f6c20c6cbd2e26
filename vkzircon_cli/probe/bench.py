# SPDX-License-Identifier: Apache-2.0
"""The order in which one device is measured, and how its time is split."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.bench import Choice, Limits, Move, Place, TimedCall, Way
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.facts import Extension, Identity, Instance, Memory, OpenDevice
from vkzircon_cli.model.quantities import exactly
from vkzircon_cli.model.queries import CAPABILITIES_EXTENSION, dependency_leg, find_extension
from vkzircon_cli.model.request import DEFAULT_SIZE, Request
from vkzircon_cli.model.spec import DEDICATED_ONLY, ZIRCON_VMO
from vkzircon_cli.probe.bench_budget import Budget
from vkzircon_cli.probe.bench_calls import CallProbe
from vkzircon_cli.probe.bench_limits import ladder, probe_limits
from vkzircon_cli.probe.bench_moves import HandOverProbe, MoveProbe, size_to_move
from vkzircon_cli.probe.bench_sharing import Sharing, choose
from vkzircon_cli.probe.capabilities import probe_external_buffer
from vkzircon_cli.probe.device import DeviceOpener, probe_extensions, probe_memory
from vkzircon_cli.probe.memory import TRANSFER
from vkzircon_cli.stream.events import Asker, Asking, Event

T = TypeVar("T")
_CALL_WEIGHT, _MOVE_WEIGHT = 1.0, 2.0
_WEIGHTS = {Way.VMO: 1.0, Way.COPY: 2.0}
_BIG, _BIGGER = 256 << 20, 1 << 30
# A step must end well before it would be taken for hung.
_OF_TIMEOUT = 3


class BenchProbe:
    """Measures one physical device within the seconds that the whole run has; *made* and *kernel* are as elsewhere."""

    def __init__(
        self,
        ask: Asker,
        instance: vk.Instance,
        physical: Any,
        index: int,
        *,
        request: Request,
        made: Instance,
        kernel: Zircon | None,
    ) -> None:
        self._asker = ask
        self._instance = instance
        self._physical = physical
        self._index = index
        self._request = request
        self._made = made
        self._kernel = kernel
        self._deadline = time.monotonic() + request.seconds - elapsed_ms() / 1000
        self._budget = Budget(self._deadline, (), 0.0)
        self._stack = ExitStack()
        self._device: vk.Device | None = None

    def probe(self, identity: Identity) -> Generator[Event, None, bool]:
        """Measure the device if it offers the extension, and tell whether it does."""
        extensions = (
            yield from self._ask("extensions", "extensions", lambda: probe_extensions(self._instance, self._physical))
        ).value
        if extensions is None or find_extension(extensions) is None:
            return False
        memory = (yield from self._ask("memory", "memory", lambda: probe_memory(self._instance, self._physical))).value
        leg = dependency_leg(self._made, identity, extensions)
        if memory is None:
            return True
        opener = DeviceOpener(self._instance, self._physical, extensions, leg or "")
        with self._stack:
            yield from self._ask("open", "opened", partial(self._open, opener, leg), live=True)
            if self._device is not None:
                yield from self._opened(self._device, identity, memory, extensions)
                yield from self._asker(f"device{self._index}/close", "closed", self._close, device=self._index)
        return True

    def _ask(self, name: str, fact: str, question: Callable[[], T], **key: Any) -> Asking[T]:
        """Ask under this device's prefix; a lost device is not asked anything more."""

        def unless_lost() -> T:
            if self._device is not None and (self._device.lost or self._device.stuck):
                raise NotAsked(f"the device was {'lost' if self._device.lost else 'stuck'} in an earlier step")
            return question()

        return self._asker(f"device{self._index}/{name}", fact, unless_lost, device=self._index, **key)

    def _open(self, opener: DeviceOpener, leg: str | None) -> OpenDevice:
        if leg is None:
            raise NotAsked(f"the extension needs Vulkan 1.1, or {CAPABILITIES_EXTENSION} and VK_KHR_external_memory")
        self._device = self._stack.enter_context(opener.open())
        return opener.describe(self._device)

    def _close(self) -> bool:
        if self._instance.vulkan.on_call.hangs("vkDestroyDevice"):
            raise NotAsked("vkDestroyDevice hung in an earlier step")
        self._stack.close()
        return True

    def _opened(
        self, device: vk.Device, identity: Identity, memory: Memory, extensions: tuple[Extension, ...]
    ) -> Iterator[Event]:
        question = partial(self._choose, device, identity, memory)
        choice = (yield from self._ask("choice", "choice", question)).value
        if choice is None:
            return
        finding = partial(
            probe_limits, self._instance, self._physical, identity, memory, extensions=extensions, choice=choice
        )
        limits = (yield from self._ask("limits", "limits", finding)).value
        self._share_out(limits)
        sharing = Sharing(device, self._kernel, memory.types, choice)
        yield from self._calls(CallProbe(sharing))
        yield from self._moves(sharing, limits)
        yield from self._hand_overs(HandOverProbe(sharing), limits)

    def _choose(self, device: vk.Device, identity: Identity, memory: Memory) -> Choice:
        offer = probe_external_buffer(self._instance, self._physical, identity, TRANSFER, ZIRCON_VMO)
        only_dedicated = offer.written and bool(offer.features.value & DEDICATED_ONLY)
        return choose(device, memory.types, DEFAULT_SIZE, only_dedicated=only_dedicated)

    def _share_out(self, limits: Limits | None) -> None:
        parts = list(weights(self._sizes(limits)))
        self._budget = Budget(self._deadline, parts, self._request.timeout_s / _OF_TIMEOUT)

    def _sizes(self, limits: Limits | None) -> list[int]:
        return [size for size in ladder(self._request.size) if size <= _room(limits)]

    def _calls(self, probe: CallProbe) -> Iterator[Event]:
        yield from self._ask("call/overhead", "overhead", partial(probe.overhead, self._budget.take()))
        for call in TimedCall:
            question = partial(probe.time, call, self._budget.take())
            yield from self._ask(f"call/{call}", "latencies", question, call=call)

    def _moves(self, sharing: Sharing, limits: Limits | None) -> Iterator[Event]:
        parts = list(weights(self._sizes(limits)))
        size = size_to_move(_room(limits), self._request.seconds * _MOVE_WEIGHT / sum(parts))
        probe = MoveProbe(sharing, size)
        for move in Move:
            for place in Place:
                question = partial(probe.measure, move, place, self._budget.take())
                if size < DEFAULT_SIZE:
                    question = partial(_left_out, _no_room(DEFAULT_SIZE, limits))
                yield from self._ask(f"move/{move}.{place}", "bandwidths", question, move=move, place=place)

    def _hand_overs(self, probe: HandOverProbe, limits: Limits | None) -> Iterator[Event]:
        for size in ladder(self._request.size):
            for way in Way:
                if size > _room(limits):
                    question = partial(_left_out, _no_room(size, limits))
                else:
                    question = partial(probe.time, way, size, *self._time_for_hand_over())
                name = exactly(size).replace(" ", "")
                yield from self._ask(f"share/{name}.{way}", "hand_overs", question, size=size, way=way)

    def _time_for_hand_over(self) -> tuple[float, float]:
        """Give its share, and the most that it may take: half of a step's limit, since a slow copy is not a hang."""
        share_s = self._budget.take()
        return share_s, min(max(self._budget.left_s, share_s), self._request.timeout_s / 2)


def weights(sizes: Sequence[int]) -> Iterator[float]:
    """Give each measurement its part of the time, in the order in which they are made."""
    yield from [_CALL_WEIGHT] * (1 + len(TimedCall))
    yield from [_MOVE_WEIGHT] * (len(Move) * len(Place))
    for size in sizes:
        bigger = 6.0 if size >= _BIGGER else 3.0 if size >= _BIG else 1.0
        yield from (bigger * _WEIGHTS[way] for way in Way)


def _room(limits: Limits | None) -> int:
    """Give the largest of two buffers that are there at once, in whole pages' worth of 64 KiB."""
    if limits is None:
        return 0
    one = min(limits.largest // 2, limits.largest_allocation or limits.largest)
    return one - one % DEFAULT_SIZE


def _no_room(size: int, limits: Limits | None) -> str:
    if limits is None:
        return "how much memory there is was not learned"
    if limits.largest_allocation is not None and size > limits.largest_allocation:
        return f"maxMemoryAllocationSize is {limits.largest_allocation} bytes"
    return f"two of {exactly(size)} would be more than {limits.bound}"


def _left_out(reason: str) -> Any:
    raise NotAsked(reason)
