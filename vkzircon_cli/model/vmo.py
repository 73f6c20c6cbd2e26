# SPDX-License-Identifier: Apache-2.0
"""The observations of VMOs: exports, imports, and moved bytes. See `facts` for the conventions."""

from enum import StrEnum

from vkzircon_cli.model.base import Answer, Size, record
from vkzircon_cli.model.spec import Flags, Named

# The kinds of VMOs that are not ordinary paged memory; those that harm sharing most come first.
VMO_KINDS = (
    *("DISCARDABLE", "IMMUTABLE", "COW_CLONE", "SLICE_OR_REFERENCE"),
    *("PAGER_BACKED", "PHYSICAL", "CONTIGUOUS", "NOT_CACHED"),
)


class Form(StrEnum):
    """How the exported memory is allocated, and what is bound to it; *plain* memory is for a buffer."""

    PLAIN = "plain"
    DEDICATED_BUFFER = "dedicated-buffer"
    DEDICATED_IMAGE = "dedicated-image"
    PLAIN_IMAGE = "plain-image"

    @property
    def is_dedicated(self) -> bool:
        """Whether the memory is for one resource only."""
        return self in (Form.DEDICATED_BUFFER, Form.DEDICATED_IMAGE)

    @property
    def is_image(self) -> bool:
        """Whether an image is bound to the memory, not a buffer."""
        return self in (Form.DEDICATED_IMAGE, Form.PLAIN_IMAGE)


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

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of this VMO, by flags, parent and cache policy; ordinary paged memory has none.

        A child that is no clone is a slice or a reference; no header has the flags that RFC-0280 plans for them.
        """
        flags = set(self.flags.names)
        is_window = self.parent_koid != "0" and "COW_CLONE" not in flags
        unnamed = {
            "PHYSICAL": "PAGED" not in flags,
            "SLICE_OR_REFERENCE": is_window,
            "NOT_CACHED": bool(self.cache_policy.value),
        }
        return tuple(kind for kind in VMO_KINDS if unnamed.get(kind, kind in flags))


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
    """One allocation of *allocation_size* bytes, exported once."""

    form: Form
    memory_type: int
    allocation_size: Size
    handle: Answer[Handle]


@record
class Pair:
    """Two handles to compare.

    *seen* compares bytes. For two gets: those written through the first with those read through the second. For two
    exports: those written into each with its bytes after the other was written. For a handle that went through a
    channel, *first* is the handle sent and *second* the one received: the VMO's bytes before with those after.
    """

    first: Handle
    second: Handle
    seen: Answer[Comparison]


@record
class PairOfHandles:
    """A Pair from one memory type: two gets of one allocation, one get of each of two, or one get sent by channel."""

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

    *written* is False if two calls with complementary sentinels left both unchanged; *handle_valid* is the kernel's
    answer after the calls; *duplicate_bits* is the answer for a zx_handle_duplicate of the handle.
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


@record
class OwnVmoProperties:
    """The properties call for a VMO that Vulkan did not export; *what* is the handle: with all rights, or with none."""

    what: str
    bits: Answer[int]


class ImportKind(StrEnum):
    """The place or the way of an import; a VMO of our own has one page more than the allocation, or its exact size."""

    SAME_DEVICE = "same-device"
    SECOND_DEVICE = "second-device"
    SECOND_INSTANCE = "second-instance"
    OTHER_DEVICE = "other-device"
    TWICE = "twice"
    OWN_VMO = "own-vmo"
    OWN_VMO_EXACT = "own-vmo-exact"
    WHOLE_SIZE = "whole-size"
    BIND_OFFSET = "bind-offset"
    SMALL = "small"
    RE_EXPORT = "re-export"
    BIND_EXPORT_IMPORT_BIND = "bind-export-import-bind"
    EXPORT_BIND_IMPORT_BIND = "export-bind-import-bind"
    EXPORT_IMPORT_BIND_BIND = "export-import-bind-bind"
    SECOND_PROCESS = "second-process"


@record
class Imported:
    """An import that succeeded and was bound. *candidates* is properties bits AND the resource's bits.

    *kept* compares the bytes written before the import with those that the import reads. *shared* compares the bytes
    written through the import with those that every other side reads.
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
    """ZX_INFO_HANDLE_COUNT of an imported VMO before the import, and after the imported memory was freed.

    *settled* is False if the count kept changing while the VMO was not used.
    """

    before: int
    after: int
    settled: bool = True


@record
class Release:
    """The effect of freeing imported memory on the handle that the import took."""

    memory_type: int
    released: Answer[Released]


class Tiling(StrEnum):
    """VkImageTiling."""

    OPTIMAL = "optimal"
    LINEAR = "linear"


class Write(StrEnum):
    """The ways to write the bytes."""

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
class Trial:
    """The *largest* buffer that could be shared, and why the size that was asked for is refused, '' if it is not."""

    largest: Size
    refusal: str


@record
class AskedSize:
    """The size from the command line: *asked* bytes. If they are refused, round trips have the usual size."""

    memory_type: int
    asked: Size
    trial: Answer[Trial]


@record
class ImageTrip:
    """An image cleared in exported memory, every pixel of it read back from the import."""

    memory_type: int
    size: int
    seen: Comparison


@record
class Image:
    """One format and tiling, in memory of one form and of the first type that takes such images."""

    tiling: Tiling
    format: Named
    trip: Answer[ImageTrip]
    form: Form = Form.DEDICATED_IMAGE


@record
class Stressed:
    """Rounds that were repeated, and the process's open handles and resident bytes before and after them.

    The handles are None if the kernel does not count them (ZX_INFO_PROCESS_HANDLE_STATS).
    """

    rounds: int
    handles_before: int | None
    handles_after: int | None
    resident_before: int
    resident_after: int


@record
class Stress:
    """The repeated work: imports of one VMO, or whole rounds of export, import and free."""

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
    """A resource that is bound to shared memory."""

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
    """The memory requirements of the test's buffer, or of its image."""

    resource: ResourceKind
    needed: Answer[MemoryRequirements]
