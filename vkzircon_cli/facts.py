# SPDX-License-Identifier: Apache-2.0
"""What was seen, as frozen data: never good or bad, only seen or missing.

Sizes and offsets are in bytes, indices count from 0, handles and koids are strings (``0x…`` and decimal), UUIDs are
8-4-4-4-12 lower case. Foreign text is kept as it came; bytes that are not UTF-8 stand as ``\\xNN`` in it, and the
field's ``_hex`` neighbour then has all of the bytes. The annotations are real objects, since `events` decodes by them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from vkzircon_cli.vocabulary import Flags, Named, Version

T = TypeVar("T")


class MissingKind(StrEnum):
    """Why a question has no answer."""

    REFUSED = "refused"
    NOT_ASKED = "not-asked"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"


@dataclass(frozen=True, slots=True)
class Missing:
    """An answer that never came: the call that was asked, its result by name ('' if none) and a plain reason."""

    kind: MissingKind
    call: str
    result: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Exactly one of *value* and *missing* is there."""

    value: T | None
    missing: Missing | None = None


def not_asked(reason: str) -> Answer[T]:
    """Answer for a question that was not put, and why."""
    return Answer(None, Missing(MissingKind.NOT_ASKED, "", "", reason))


NEVER_REACHED: Missing = Missing(MissingKind.NOT_ASKED, "", "", "not reached")


@dataclass(frozen=True, slots=True)
class Extension:
    """A name and specVersion out of an extension list."""

    name: str
    revision: int


@dataclass(frozen=True, slots=True)
class Loader:
    """The Vulkan library that was opened. *path* is the file behind *library* where the system tells, else ''."""

    library: str
    path: str
    api_version: Version


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that the loader found; found is not enabled."""

    name: str
    description: str
    api_version: Version
    revision: int


@dataclass(frozen=True, slots=True)
class Instance:
    """What vkCreateInstance was given and made among; *is_emulated* tells whether our own layer was loaded by it."""

    api_version: Version
    enabled_extensions: tuple[str, ...]
    extensions: tuple[Extension, ...]
    layers: tuple[Layer, ...]
    is_emulated: bool


@dataclass(frozen=True, slots=True)
class Kernel:
    """The libzircon that was opened. Source of *page_size*: zx_system_get_page_size."""

    library: str
    path: str
    page_size: Answer[int]


@dataclass(frozen=True, slots=True)
class DriverIdentity:
    """VkPhysicalDeviceDriverProperties."""

    id: Named
    name: str
    name_hex: str | None
    info: str
    info_hex: str | None
    conformance_version: str


@dataclass(frozen=True, slots=True)
class Uuids:
    """VkPhysicalDeviceIDProperties."""

    device_uuid: str
    driver_uuid: str


@dataclass(frozen=True, slots=True)
class Identity:
    """VkPhysicalDeviceProperties: who the device says it is."""

    name: str
    name_hex: str | None
    type: Named
    vendor_id: int
    device_id: int
    api_version: Version
    driver_version: Version
    driver: Answer[DriverIdentity]
    uuids: Answer[Uuids]
    max_memory_allocation_count: int
    max_memory_allocation_size: Answer[int]
    non_coherent_atom_size: int


@dataclass(frozen=True, slots=True)
class Heap:
    """One of VkPhysicalDeviceMemoryProperties.memoryHeaps."""

    index: int
    size: int
    flags: Flags


@dataclass(frozen=True, slots=True)
class MemoryType:
    """One of VkPhysicalDeviceMemoryProperties.memoryTypes."""

    index: int
    heap_index: int
    flags: Flags


@dataclass(frozen=True, slots=True)
class Memory:
    """VkPhysicalDeviceMemoryProperties."""

    heaps: tuple[Heap, ...]
    types: tuple[MemoryType, ...]


@dataclass(frozen=True, slots=True)
class QueueFamily:
    """One of the device's queue families."""

    index: int
    flags: Flags
    count: int


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Whether vkGetDeviceProcAddr gave an address for *name*."""

    name: str
    resolved: bool


@dataclass(frozen=True, slots=True)
class OpenDevice:
    """A VkDevice made with the extension enabled. *queue_family* is the one used for transfers, if any can."""

    enabled_extensions: tuple[str, ...]
    queue_families: tuple[QueueFamily, ...]
    queue_family: int | None
    entry_points: tuple[EntryPoint, ...]


@dataclass(frozen=True, slots=True)
class ExternalMemoryProperties:
    """VkExternalMemoryProperties. *written* is False when two calls with complementary sentinels left them there.

    *header_kept* is False when the driver changed the structure's sType or pNext.
    """

    features: Flags
    export_from_imported_handle_types: Flags
    compatible_handle_types: Flags
    written: bool
    header_kept: bool


@dataclass(frozen=True, slots=True)
class ExternalBuffer:
    """vkGetPhysicalDeviceExternalBufferProperties for one usage, set of create flags and handle type."""

    usage: Flags
    flags: Flags
    handle_type: Flags
    properties: Answer[ExternalMemoryProperties]


@dataclass(frozen=True, slots=True)
class BufferRequirements:
    """VkMemoryRequirements of a buffer made with VkExternalMemoryBufferCreateInfo."""

    buffer_size: int
    size: int
    alignment: int
    memory_type_bits: int


class Form(StrEnum):
    """How the exported memory is allocated."""

    PLAIN = "plain"
    DEDICATED_BUFFER = "dedicated-buffer"
    DEDICATED_IMAGE = "dedicated-image"


@dataclass(frozen=True, slots=True)
class HandleBasic:
    """ZX_INFO_HANDLE_BASIC."""

    koid: str
    type: Named
    rights: Flags


@dataclass(frozen=True, slots=True)
class VmoInfo:
    """ZX_INFO_VMO in the newest *version* that the kernel speaks (1 to 4)."""

    version: int
    name: str
    size_bytes: int
    flags: Flags
    parent_koid: str
    num_children: int
    num_mappings: int
    share_count: int
    committed_bytes: int
    cache_policy: Named


@dataclass(frozen=True, slots=True)
class Handle:
    """One handle and everything the kernel says of it. *size* is zx_vmo_get_size."""

    value: str
    written: bool
    valid: Answer[bool]
    basic: Answer[HandleBasic]
    size: Answer[int]
    info: Answer[VmoInfo]
    handle_count: Answer[int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of whole buffers: *count* bytes looked at, *wrong* of them, the first wrong one's offset."""

    count: int
    wrong: int
    first_wrong: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """One allocation of *allocation_size* bytes exported once."""

    form: Form
    memory_type: int
    allocation_size: int
    handle: Answer[Handle]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two handles side by side.

    Of two gets *seen* compares what was written through the first with what the second reads, of two exports what was
    written into each with what it holds after the other was written.
    """

    first: Handle
    second: Handle
    seen: Answer[Comparison]


@dataclass(frozen=True, slots=True)
class PairOfHandles:
    """A Pair got from one memory type: two gets of one allocation, or one get of each of two allocations."""

    memory_type: int
    pair: Answer[Pair]


@dataclass(frozen=True, slots=True)
class FreshBytes:
    """Whether a just exported VMO holds only zeros."""

    memory_type: int
    zeros: Answer[Comparison]


@dataclass(frozen=True, slots=True)
class Outlives:
    """The VMO's bytes against the pattern written before its memory was freed, reused and the device destroyed."""

    memory_type: int
    kept: Answer[Comparison]


@dataclass(frozen=True, slots=True)
class HandleProperties:
    """vkGetMemoryZirconHandlePropertiesFUCHSIA of one handle.

    *written* is False when two calls with complementary sentinels left both as they were; *handle_valid* is asked of
    the kernel after the calls; *duplicate_bits* is the answer for a zx_handle_duplicate of the handle.
    """

    memory_type_bits: int
    memory_types: tuple[int, ...]
    written: bool
    header_kept: bool
    handle_valid: Answer[bool]
    duplicate_bits: Answer[int]


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties call for a VMO exported from *memory_type*."""

    memory_type: int
    properties: Answer[HandleProperties]


class ImportKind(StrEnum):
    """Where an exported VMO is imported."""

    SAME_DEVICE = "same-device"


@dataclass(frozen=True, slots=True)
class Imported:
    """An import that succeeded and was bound to a buffer. *candidates* is properties bits AND the buffer's bits."""

    memory_type: int
    candidates: int
    allocation_size: int


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a VMO that was exported from *memory_type*."""

    kind: ImportKind
    form: Form
    memory_type: int
    imported: Answer[Imported]


class Write(StrEnum):
    """Who writes the bytes."""

    HOST_MAP = "host-map"
    GPU_FILL = "gpu-fill"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Bytes written on one side and read on every other: the exporter's map, the importer's map and the VMO itself."""

    size: int
    through_export_map: Answer[Comparison]
    through_import_map: Answer[Comparison]
    through_vmo_read: Answer[Comparison]
    through_vmo_map: Answer[Comparison]


@dataclass(frozen=True, slots=True)
class Data:
    """One round trip on the device that exported the memory."""

    write: Write
    memory_type: int
    round_trip: Answer[RoundTrip]


@dataclass(frozen=True, slots=True)
class Device:
    """Everything that was seen of one physical device; *closed* is vkDestroyDevice returning.

    Only selected devices are asked more than who they are.
    """

    index: int
    selected: bool
    identity: Answer[Identity]
    memory: Answer[Memory]
    extensions: Answer[tuple[Extension, ...]]
    opened: Answer[OpenDevice]
    buffer_requirements: Answer[BufferRequirements]
    external_buffers: tuple[ExternalBuffer, ...]
    exports: tuple[Export, ...]
    two_gets: tuple[PairOfHandles, ...]
    two_exports: tuple[PairOfHandles, ...]
    fresh_bytes: tuple[FreshBytes, ...]
    outlives: tuple[Outlives, ...]
    properties: tuple[Properties, ...]
    imports: tuple[Import, ...]
    data: tuple[Data, ...]
    closed: Answer[bool]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was seen of one machine; *closed* is vkDestroyInstance returning."""

    loader: Answer[Loader]
    kernel: Answer[Kernel]
    instance: Answer[Instance]
    device_count: Answer[int]
    devices: tuple[Device, ...]
    closed: Answer[bool]
