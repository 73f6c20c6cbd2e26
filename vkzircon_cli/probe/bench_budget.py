# SPDX-License-Identifier: Apache-2.0
"""How much time and memory a bench may use.

Time is divided by weights, and the rounds of a measurement use up its share. Memory is limited to a quarter of the
free memory, so that no other program is swapped out.
"""

import time
from array import array
from collections.abc import Callable, Iterable, Sequence

from vkzircon_cli.bindings.vk import PhysicalDevice
from vkzircon_cli.model.bench import Choice, Limits
from vkzircon_cli.model.facts import Extension, Identity, Memory
from vkzircon_cli.model.quantities import about
from vkzircon_cli.model.queries import find_extension, has_vulkan_1_1

_NS_PER_S = 1_000_000_000
_MOST_ROUNDS = 20_000  # of one measurement, which bounds its memory
_LEAST_SHARE_S = 0.01  # of a measurement, if the earlier ones used up the time
_BUDGET = "VK_EXT_memory_budget"
_CALL = "vkGetPhysicalDeviceMemoryProperties2"
_SHARE = 4
_MIB = 1 << 20
SIZES = tuple(_MIB << shift for shift in (0, 2, 4, 6, 8, 10))


class Budget:
    """Time until *deadline* on *clock*, in seconds, shared by weights; *limit_s* is the longest share.

    Time that a measurement does not use goes to the later ones.
    """

    def __init__(
        self, deadline: float, weights: Sequence[float], limit_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._deadline = deadline
        self._waiting = list(weights)
        self._limit_s = limit_s
        self._clock = clock

    @property
    def left_s(self) -> float:
        """Return the seconds until the deadline, 0 when it has passed."""
        return max(0.0, self._deadline - self._clock())

    def take(self) -> float:
        """Return the next measurement's share in seconds, a small minimum if no time is left."""
        of_all = sum(self._waiting)
        share = self.left_s * self._waiting.pop(0) / of_all if of_all else self.left_s
        return min(max(share, _LEAST_SHARE_S), self._limit_s)


def repeat(once: Callable[[], int], share_s: float, *, warm_up: int = 1) -> Sequence[int]:
    """Call *once*, which returns its time in nanoseconds, until the share is used up, but at least one time.

    The results of the *warm_up* rounds are dropped, since they include the costs of first use. Their time counts,
    and they end early when the share is used up.
    """
    deadline = time.monotonic() + share_s
    for _ in range(warm_up):
        once()
        if time.monotonic() >= deadline:
            break
    durations = array("q", [once()])
    while len(durations) < _MOST_ROUNDS and time.monotonic() < deadline:
        durations.append(once())
    return durations


def took(action: Callable[[], object], clock_ns: Callable[[], int] = time.perf_counter_ns) -> int:
    """Return the nanoseconds that *action* takes by *clock_ns*."""
    began = clock_ns()
    action()
    return clock_ns() - began


def fitting(largest: int, smallest: int, bytes_per_second: float, seconds: float) -> int:
    """Halve *largest*, not below *smallest*, until it can be moved in *seconds*."""
    size = largest
    while size // 2 >= smallest and size > bytes_per_second * seconds:
        size //= 2
    return size


def rate_of(size: int, duration_ns: int) -> float:
    """Return bytes per second."""
    return size * _NS_PER_S / max(duration_ns, 1)


def ladder(largest: int) -> tuple[int, ...]:
    """Return the sizes to share: the usual ones, and the *largest* last."""
    rungs = [size for size in SIZES if size < largest]
    return (*rungs, largest)


def probe_limits(
    physical: PhysicalDevice, identity: Identity, memory: Memory, *, extensions: Iterable[Extension], choice: Choice
) -> Limits:
    """Find what bounds the memory types of *choice*."""
    heap = _heap(memory, choice)
    budget = None
    if has_vulkan_1_1(identity) and find_extension(extensions, _BUDGET) and physical.has_function(_CALL):
        budget = _budget(physical, heap)
    size, system = memory.heaps[heap].size, physical.vulkan.caller.free_memory()
    bounds = [(size, f"heap {heap}")]
    if budget is not None:
        bounds.append((budget, f"the budget left in heap {heap}"))
    if system is not None:
        bounds.append((system, "the system's free memory"))
    least, named = min(bounds)
    return Limits(
        heap=heap,
        heap_size=size,
        budget=budget,
        system=system,
        largest_allocation=identity.max_memory_allocation_size.value,
        largest=least // _SHARE,
        bound=f"a quarter of {named}, {about(least)}",
    )


def _heap(memory: Memory, choice: Choice) -> int:
    """Choose the smaller heap of the two memory types."""
    heaps = {memory.types[index].heap_index for index in (choice.memory_type, choice.ordinary_type)}
    return min(heaps, key=lambda index: memory.heaps[index].size)


def _budget(physical: PhysicalDevice, heap: int) -> int:
    vulkan = physical.vulkan
    found = vulkan.struct("VkPhysicalDeviceMemoryBudgetPropertiesEXT")
    both = vulkan.struct("VkPhysicalDeviceMemoryProperties2", found)
    physical.get(_CALL, both)
    return max(int(found.heapBudget[heap]) - int(found.heapUsage[heap]), 0)
