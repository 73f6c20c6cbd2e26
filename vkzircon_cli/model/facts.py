# SPDX-License-Identifier: Apache-2.0
"""The observations, as frozen data: an answer, or the reason why there is none; never a judgement.

Sizes and offsets are in bytes, indices count from 0, handles and koids are strings (``0x…`` and decimal), UUIDs are
8-4-4-4-12 lower case. Foreign text is kept unchanged, but bytes that are not UTF-8 become ``\\xNN``; the field's
``_hex`` neighbour then has all bytes. The annotations are real objects, since `decoding` decodes by them.
"""

from vkzircon_cli.model import vmo
from vkzircon_cli.model.base import Answer, Size, record
from vkzircon_cli.model.spec import Flags, Named, Version


@record
class Extension:
    """A name and specVersion from an extension list."""

    name: str
    revision: int
    name_hex: str | None = None


@record
class Loader:
    """The Vulkan library that was opened. *path* is the file behind *library*, '' where it is not known."""

    library: str
    path: str
    api_version: Version


@record
class Layer:
    """A layer that the loader found, enabled or not."""

    name: str
    description: str
    api_version: Version
    revision: int
    name_hex: str | None = None
    description_hex: str | None = None


@record
class Instance:
    """The instance: the arguments of vkCreateInstance, and its result. *is_emulated*: it loaded our own layer."""

    api_version: Version
    enabled_extensions: tuple[str, ...]
    extensions: tuple[Extension, ...]
    layers: tuple[Layer, ...]
    is_emulated: bool


@record
class Kernel:
    """The libzircon that was opened. Source of *page_size*: zx_system_get_page_size."""

    library: str
    path: str
    page_size: Answer[int]


@record
class DriverIdentity:
    """VkPhysicalDeviceDriverProperties."""

    id: Named
    name: str
    name_hex: str | None
    info: str
    info_hex: str | None
    conformance_version: str


@record
class Uuids:
    """VkPhysicalDeviceIDProperties."""

    device_uuid: str
    driver_uuid: str


@record
class Identity:
    """VkPhysicalDeviceProperties, with the structures for the driver and the UUIDs."""

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
    max_memory_allocation_size: Answer[Size]
    non_coherent_atom_size: Size


@record
class Heap:
    """One of VkPhysicalDeviceMemoryProperties.memoryHeaps."""

    index: int
    size: Size
    flags: Flags


@record
class MemoryType:
    """One of VkPhysicalDeviceMemoryProperties.memoryTypes."""

    index: int
    heap_index: int
    flags: Flags


@record
class Memory:
    """VkPhysicalDeviceMemoryProperties."""

    heaps: tuple[Heap, ...]
    types: tuple[MemoryType, ...]


@record
class QueueFamily:
    """One of the device's queue families."""

    index: int
    flags: Flags
    count: int


@record
class EntryPoint:
    """Whether vkGetDeviceProcAddr returned an address for *name*."""

    name: str
    resolved: bool


@record
class OpenDevice:
    """A VkDevice with the extension enabled. *queue_family* is the one used for transfers, None if there is none."""

    enabled_extensions: tuple[str, ...]
    queue_families: tuple[QueueFamily, ...]
    queue_family: int | None
    entry_points: tuple[EntryPoint, ...]


@record
class ExternalMemoryProperties:
    """VkExternalMemoryProperties. *written* is False if two calls with complementary sentinels left both unchanged.

    *header_kept* is False if the driver changed the structure's sType or pNext.
    """

    features: Flags
    export_from_imported_handle_types: Flags
    compatible_handle_types: Flags
    written: bool
    header_kept: bool


@record
class ExternalBuffer:
    """vkGetPhysicalDeviceExternalBufferProperties for one usage, set of create flags and handle type."""

    usage: Flags
    flags: Flags
    handle_type: Flags
    properties: Answer[ExternalMemoryProperties]


@record
class ExternalImage:
    """vkGetPhysicalDeviceImageFormatProperties2 for 2D images of one format, tiling, usage and handle type."""

    format: Named
    tiling: vmo.Tiling
    usage: Flags
    handle_type: Flags
    properties: Answer[ExternalMemoryProperties]


@record
class ExternalSemaphore:
    """vkGetPhysicalDeviceExternalSemaphoreProperties for ZIRCON_EVENT; the rest as `ExternalMemoryProperties`."""

    features: Flags
    export_from_imported_handle_types: Flags
    compatible_handle_types: Flags
    written: bool = True
    header_kept: bool = True


@record
class Device:
    """Everything observed of one physical device; *closed*: whether vkDestroyDevice returned.

    A device that is not selected is only asked for its identity.
    """

    index: int
    selected: bool
    identity: Answer[Identity]
    memory: Answer[Memory]
    extensions: Answer[tuple[Extension, ...]]
    opened: Answer[OpenDevice]
    requirements: tuple[vmo.Requirements, ...]
    external_buffers: tuple[ExternalBuffer, ...]
    external_images: tuple[ExternalImage, ...]
    external_semaphore: Answer[ExternalSemaphore]
    exports: tuple[vmo.Export, ...]
    two_gets: tuple[vmo.PairOfHandles, ...]
    two_exports: tuple[vmo.PairOfHandles, ...]
    fresh_bytes: tuple[vmo.FreshBytes, ...]
    outlives: tuple[vmo.Outlives, ...]
    properties: tuple[vmo.Properties, ...]
    imports: tuple[vmo.Import, ...]
    releases: tuple[vmo.Release, ...]
    data: tuple[vmo.Data, ...]
    images: tuple[vmo.Image, ...]
    stress: tuple[vmo.Stress, ...]
    negative: tuple[vmo.Negative, ...]
    closed: Answer[bool]
    through_channel: tuple[vmo.PairOfHandles, ...] = ()
    asked_sizes: tuple[vmo.AskedSize, ...] = ()
    own_vmo_properties: tuple[vmo.OwnVmoProperties, ...] = ()


@record
class Facts:
    """Everything observed of one machine; *closed*: whether vkDestroyInstance returned."""

    loader: Answer[Loader]
    kernel: Answer[Kernel]
    instance: Answer[Instance]
    device_count: Answer[int]
    devices: tuple[Device, ...]
    closed: Answer[bool]
