# SPDX-License-Identifier: Apache-2.0
"""The order in which one device is measured, and how the time is divided."""

import time
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any

from vkzircon_cli.bindings.vk import PhysicalDevice
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.bench import Choice, Limits, Move, Place, TimedCall, Way
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.facts import Extension, Identity, Memory
from vkzircon_cli.model.quantities import exactly
from vkzircon_cli.model.queries import find_extension
from vkzircon_cli.model.request import DEFAULT_SIZE
from vkzircon_cli.model.spec import DEDICATED_ONLY, ZIRCON_VMO
from vkzircon_cli.probe.bench_budget import Budget, ladder, probe_limits
from vkzircon_cli.probe.bench_calls import CallProbe
from vkzircon_cli.probe.bench_moves import PASSES, HandOverProbe, MoveProbe, size_to_move
from vkzircon_cli.probe.bench_sharing import Sharing, choose
from vkzircon_cli.probe.capabilities import probe_external_buffer
from vkzircon_cli.probe.physical_device import DeviceOpener
from vkzircon_cli.probe.resources import TRANSFER
from vkzircon_cli.probe.session import DeviceSession, Run
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.events import Event

_CALL_WEIGHT, _MOVE_WEIGHT = 1.0, 2.0
_WEIGHTS = {Way.VMO: 1.0, Way.COPY: 2.0}
_BIG, _BIGGER = 256 << 20, 1 << 30
# A step must end well before its timeout.
_OF_TIMEOUT = 3


class BenchProbe(DeviceSession):
    """Measures one device within the time of the whole run."""

    def __init__(self, run: Run, physical: PhysicalDevice, index: int, identity: Identity) -> None:
        super().__init__(run, physical, index, identity)
        self._deadline = time.monotonic() + run.request.seconds - elapsed_ms() / 1000
        self._budget = Budget(self._deadline, (), 0.0)

    def probe(self) -> Generator[Event, None, bool]:
        """Measure the device if it offers the extension, and return whether it does."""
        extensions = (yield from self.extensions()).value
        if extensions is None or find_extension(extensions) is None:
            return False
        memory = (yield from self.memory()).value
        if memory is not None:
            yield from self.opened(
                extensions, memory.types, partial(self._opened, memory=memory, extensions=extensions)
            )
        return True

    def _opened(
        self, target: Target, _opener: DeviceOpener, *, memory: Memory, extensions: tuple[Extension, ...]
    ) -> Iterator[Event]:
        choice = (yield from self.ask("choice", "choice", partial(self._choose, target))).value
        if choice is None:
            return
        finding = partial(probe_limits, self.physical, self.identity, memory, extensions=extensions, choice=choice)
        limits = (yield from self.ask("limits", "limits", finding)).value
        sizes = [size for size in ladder(self.of_run.request.size) if size <= _room(limits)]
        parts = list(weights(sizes))
        self._budget = Budget(self._deadline, parts, self.of_run.request.timeout_s / _OF_TIMEOUT)
        sharing = Sharing(target, choice)
        yield from self._calls(CallProbe(sharing))
        yield from self._moves(sharing, limits, self.of_run.request.seconds * _MOVE_WEIGHT / sum(parts))
        yield from self._hand_overs(HandOverProbe(sharing), limits)

    def _choose(self, target: Target) -> Choice:
        offer = probe_external_buffer(self.physical, self.identity, TRANSFER, ZIRCON_VMO)
        only_dedicated = offer.written and bool(offer.features.value & DEDICATED_ONLY)
        return choose(target.device, target.types, DEFAULT_SIZE, only_dedicated=only_dedicated)

    def _calls(self, probe: CallProbe) -> Iterator[Event]:
        yield from self.ask("call/overhead", "overhead", partial(probe.overhead, self._budget.take()))
        for call in TimedCall:
            question = partial(probe.time, call, self._budget.take())
            yield from self.ask(f"call/{call}", "latencies", question, call=call)

    def _moves(self, sharing: Sharing, limits: Limits | None, seconds: float) -> Iterator[Event]:
        size = size_to_move(_room(limits), seconds)
        probe = MoveProbe(sharing, size)
        for move in Move:
            for place in Place:
                question = partial(probe.measure, move, place, self._budget.take())
                if size < DEFAULT_SIZE:
                    question = partial(_left_out, _no_room(DEFAULT_SIZE, limits))
                yield from self.ask(f"move/{move}.{place}", "bandwidths", question, move=move, place=place)

    def _hand_overs(self, probe: HandOverProbe, limits: Limits | None) -> Iterator[Event]:
        for size in ladder(self.of_run.request.size):
            for way in Way:
                if size > _room(limits):
                    question = partial(_left_out, _no_room(size, limits))
                else:
                    share_s = self._budget.take()
                    # At most half of a step's timeout: a slow copy must not count as a hang.
                    most_s = min(max(self._budget.left_s, share_s), self.of_run.request.timeout_s / 2)
                    question = partial(probe.time, way, size, share_s, most_s)
                name = exactly(size).replace(" ", "")
                moves = PASSES * size
                yield from self.ask(f"share/{name}.{way}", "hand_overs", question, moves=moves, size=size, way=way)


def weights(sizes: Sequence[int]) -> Iterator[float]:
    """Yield the weight of each measurement's share of the time, in the order of the measurements."""
    yield from [_CALL_WEIGHT] * (1 + len(TimedCall))
    yield from [_MOVE_WEIGHT] * (len(Move) * len(Place))
    for size in sizes:
        bigger = 6.0 if size >= _BIGGER else 3.0 if size >= _BIG else 1.0
        yield from (bigger * _WEIGHTS[way] for way in Way)


def _room(limits: Limits | None) -> int:
    """Return the largest size at which two buffers fit at once, a multiple of 64 KiB."""
    if limits is None:
        return 0
    one = min(limits.largest // 2, limits.largest_allocation or limits.largest)
    return one - one % DEFAULT_SIZE


def _no_room(size: int, limits: Limits | None) -> str:
    if limits is None:
        return "the amount of free memory is not known"
    if limits.largest_allocation is not None and size > limits.largest_allocation:
        return f"maxMemoryAllocationSize is {limits.largest_allocation} bytes"
    return f"two of {exactly(size)} would be more than {limits.bound}"


def _left_out(reason: str) -> Any:
    raise NotAsked(reason)
