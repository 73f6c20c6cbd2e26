# SPDX-License-Identifier: Apache-2.0
"""The times that sharing takes. See `facts` for the conventions. Times are whole nanoseconds, sizes bytes."""

import math
from collections.abc import Sequence
from enum import StrEnum

from vkzircon_cli.model.base import Answer, Size, record
from vkzircon_cli.model.facts import Extension, Identity, Memory, OpenDevice
from vkzircon_cli.model.vmo import Form

# With fewer rounds the 99th percentile would be the slowest one.
LEAST_FOR_P99 = 100
_NS_PER_S = 1_000_000_000


class TimedCall(StrEnum):
    """A driver call, and the memory that it concerns."""

    ALLOCATE = "allocate"
    FREE = "free"
    ALLOCATE_EXPORTABLE = "allocate-exportable"
    FREE_EXPORTED = "free-exported"
    GET_HANDLE = "get-handle"
    GET_PROPERTIES = "get-properties"
    IMPORT = "import"
    FREE_IMPORTED = "free-imported"


class Move(StrEnum):
    """The ways to move bytes: the host through a mapping, or the device."""

    HOST_WRITE = "host-write"
    HOST_READ = "host-read"
    GPU_COPY = "gpu-copy"


class Place(StrEnum):
    """The memory that bytes are moved into, or out of if the host reads."""

    ORDINARY = "ordinary"
    VMO = "vmo"


class Way(StrEnum):
    """The ways to pass a buffer from one user to another.

    By VMO: vkGetMemoryZirconHandleFUCHSIA, its properties, the import and the bind. By copy: memcpy between two mapped
    buffers that both exist already.
    """

    VMO = "vmo"
    COPY = "copy"


@record
class Timing:
    """A summary of *rounds* durations; *p99_ns* is None where there are too few."""

    rounds: int
    median_ns: int
    p99_ns: int | None
    min_ns: int


def timing_of(durations_ns: Sequence[int]) -> Timing:
    """Summarize at least one duration; the percentile is the nearest rank."""
    ranked = sorted(durations_ns)
    middle = len(ranked) // 2
    median = ranked[middle] if len(ranked) % 2 else (ranked[middle - 1] + ranked[middle]) / 2
    is_enough = len(ranked) >= LEAST_FOR_P99
    return Timing(
        rounds=len(ranked),
        median_ns=round(median),
        p99_ns=ranked[math.ceil(0.99 * len(ranked)) - 1] if is_enough else None,
        min_ns=ranked[0],
    )


@record
class Moved:
    """Moving *size* bytes each round; *bytes_per_second* is by the median."""

    size: Size
    timing: Timing
    bytes_per_second: int


def moved(size: int, durations_ns: Sequence[int]) -> Moved:
    """Summarize rounds of *size* bytes."""
    timing = timing_of(durations_ns)
    return Moved(size, timing, round(size * _NS_PER_S / max(timing.median_ns, 1)))


@record
class Limits:
    """The limits of an allocation: a quarter of the least of heap, budget and the system's free memory.

    *budget* is VkPhysicalDeviceMemoryBudgetPropertiesEXT's budget less its usage. *system* is the memory that the
    system and this process's group may still take. Each is None if unknown. *largest* is the most bytes held at once.
    """

    heap: int
    heap_size: Size
    budget: int | None
    system: int | None
    largest_allocation: int | None
    largest: int
    bound: str


@record
class Choice:
    """The measured memory: the first form and memory type that can be allocated for export, host-visible ones first.

    *ordinary_type* is the memory type of buffers that are not shared, the same type if such a buffer may use it. Single
    calls are timed with buffers of *size* bytes.
    """

    form: Form
    memory_type: int
    ordinary_type: int
    size: int


@record
class Latency:
    """The time that one call takes."""

    call: TimedCall
    timed: Answer[Timing]


@record
class Bandwidth:
    """The speed at which bytes are moved."""

    move: Move
    place: Place
    moved: Answer[Moved]


@record
class HandOver:
    """The time that it takes to pass a buffer of *size* bytes to another user."""

    size: int
    way: Way
    timed: Answer[Timing]


@record
class BenchDevice:
    """One physical device; only the first selected one that offers the extension is measured.

    *overhead* is the time of a call that does almost nothing: what Python, or an agent,
    and the clock add to each time.
    """

    index: int
    selected: bool
    identity: Answer[Identity]
    extensions: Answer[tuple[Extension, ...]]
    memory: Answer[Memory]
    limits: Answer[Limits]
    opened: Answer[OpenDevice]
    choice: Answer[Choice]
    overhead: Answer[Timing]
    latencies: tuple[Latency, ...]
    bandwidths: tuple[Bandwidth, ...]
    hand_overs: tuple[HandOver, ...]
    closed: Answer[bool]
