# SPDX-License-Identifier: Apache-2.0
"""What was observed of VMOs: exports, imports, and bytes that were moved. See `facts` for the conventions."""

from enum import StrEnum

from vkzircon_cli.model.base import Answer, Size, record
from vkzircon_cli.model.spec import Flags, Named


class Form(StrEnum):
    """How the exported memory is allocated."""

    PLAIN = "plain"
    DEDICATED_BUFFER = "dedicated-buffer"
    DEDICATED_IMAGE = "dedicated-image"


@record
class HandleBasic:
    """ZX_INFO_HANDLE_BASIC."""

    koid: str
    type: Named
    rights: Flags


@record
class VmoInfo:
    """ZX_INFO_VMO in the newest *version* that the kernel has (1 to 4)."""

    version: int
    name: str
    size_bytes: Size
    flags: Flags
    parent_koid: str
    num_children: Size
    num_mappings: Size
    share_count: Size
    committed_bytes: Size
    cache_policy: Named
    name_hex: str | None = None


@record
class Handle:
    """One handle and everything the kernel reports of it. *size* is zx_vmo_get_size."""

    value: str
    written: bool
    valid: Answer[bool]
    basic: Answer[HandleBasic]
    size: Answer[Size]
    info: Answer[VmoInfo]
    handle_count: Answer[int]


@record
class Comparison:
    """A comparison of whole buffers: *count* bytes, how many are *wrong*, and the offset of the first wrong one."""

    count: int
    wrong: int
    first_wrong: int | None


@record
class Export:
    """One allocation of *allocation_size* bytes exported once."""

    form: Form
    memory_type: int
    allocation_size: Size
    handle: Answer[Handle]


@record
class Pair:
    """Two handles to compare.

    Of two gets *seen* compares what was written through the first with what the second reads, of two exports what was
    written into each with what it holds after the other was written. Of a handle that went through a channel *first* is
    what was written, *second* what was read, and *seen* compares what was in the VMO before with what it holds then.
    """

    first: Handle
    second: Handle
    seen: Answer[Comparison]


@record
class PairOfHandles:
    """A Pair got from one memory type: two gets of one allocation, one get of each of two, or one get sent around."""

    memory_type: int
    pair: Answer[Pair]


@record
class FreshBytes:
    """Whether a newly exported VMO holds only zeros."""

    memory_type: int
    zeros: Answer[Comparison]


@record
class Outlives:
    """The VMO's bytes against the pattern written before its memory was freed, reused and the device destroyed."""

    memory_type: int
    kept: Answer[Comparison]


@record
class HandleProperties:
    """vkGetMemoryZirconHandlePropertiesFUCHSIA of one handle.

    *written* is False when two calls with complementary sentinels left both unchanged; *handle_valid* is asked of the
    kernel after the calls; *duplicate_bits* is the answer for a zx_handle_duplicate of the handle.
    """

    memory_type_bits: int
    memory_types: tuple[int, ...]
    written: bool
    header_kept: bool
    handle_valid: Answer[bool]
    duplicate_bits: Answer[int]


@record
class Properties:
    """The properties call for a VMO exported from *memory_type*."""

    memory_type: int
    properties: Answer[HandleProperties]


class ImportKind(StrEnum):
    """Where, or how, an exported VMO is imported."""

    SAME_DEVICE = "same-device"
    SECOND_DEVICE = "second-device"
    SECOND_INSTANCE = "second-instance"
    OTHER_DEVICE = "other-device"
    TWICE = "twice"
    OWN_VMO = "own-vmo"
    WHOLE_SIZE = "whole-size"
    BIND_OFFSET = "bind-offset"
    RE_EXPORT = "re-export"
    BIND_EXPORT_IMPORT_BIND = "bind-export-import-bind"
    EXPORT_BIND_IMPORT_BIND = "export-bind-import-bind"
    EXPORT_IMPORT_BIND_BIND = "export-import-bind-bind"
    SECOND_PROCESS = "second-process"


@record
class Imported:
    """An import that succeeded and was bound. *candidates* is properties bits AND the resource's bits.

    *kept* compares what was written before the import with what the import reads, *shared* what was written through
    the import with what every other side reads.
    """

    memory_type: int
    candidates: int
    allocation_size: Size
    kept: Answer[Comparison]
    shared: Answer[Comparison]


@record
class Import:
    """One import of a VMO that was exported from *memory_type*."""

    kind: ImportKind
    form: Form
    memory_type: int
    imported: Answer[Imported]


@record
class Released:
    """ZX_INFO_HANDLE_COUNT of an imported VMO before the import, and after the imported memory was freed."""

    before: int
    after: int


@record
class Release:
    """What freeing imported memory does to the handle that the import took."""

    memory_type: int
    released: Answer[Released]


class Tiling(StrEnum):
    """VkImageTiling."""

    OPTIMAL = "optimal"
    LINEAR = "linear"


class Write(StrEnum):
    """How the bytes are written."""

    HOST_MAP = "host-map"
    IMPORT_MAP = "import-map"
    GPU_FILL = "gpu-fill"
    GPU_COPY = "gpu-copy"


@record
class RoundTrip:
    """Bytes written on one side and read on every other: the exporter's map, the importer's map and the VMO itself."""

    size: int
    through_export_map: Answer[Comparison]
    through_import_map: Answer[Comparison]
    through_vmo_read: Answer[Comparison]
    through_vmo_map: Answer[Comparison]


@record
class ImageTrip:
    """An image cleared in exported memory, every pixel of it read back from the import."""

    memory_type: int
    size: int
    seen: Comparison


@record
class Image:
    """One format and tiling, in the first memory type that takes such images."""

    tiling: Tiling
    format: Named
    trip: Answer[ImageTrip]


@record
class Stressed:
    """Rounds that were repeated, and the process's open handles and resident bytes before and after them."""

    rounds: int
    handles_before: int
    handles_after: int
    resident_before: int
    resident_after: int


@record
class Stress:
    """One way to repeat: imports of one VMO, or whole rounds of export, import and free."""

    what: str
    memory_type: int
    stressed: Answer[Stressed]


@record
class Refusal:
    """The result of a call that must fail, and whether the caller's handle is still valid (None: it never was)."""

    result: str
    handle_lives: bool | None


@record
class Negative:
    """One wrong input to one call."""

    what: str
    call: str
    refusal: Answer[Refusal]


@record
class Data:
    """One round trip on the device that exported the memory."""

    write: Write
    memory_type: int
    round_trip: Answer[RoundTrip]


class ResourceKind(StrEnum):
    """What is bound to shared memory."""

    BUFFER = "buffer"
    IMAGE = "image"


@record
class MemoryRequirements:
    """VkMemoryRequirements of a resource made for external memory; *requires_dedicated* is None before Vulkan 1.1."""

    size: Size
    alignment: Size
    memory_type_bits: int
    requires_dedicated: bool | None


@record
class Requirements:
    """What memory the test's buffer, or its image, needs."""

    resource: ResourceKind
    needed: Answer[MemoryRequirements]
