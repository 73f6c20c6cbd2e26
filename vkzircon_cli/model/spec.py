# SPDX-License-Identifier: Apache-2.0
"""The names that the spec and the kernel have for their numbers, and the value types that hold both.

Sources: vk.xml 1.4.360, zircon/types.h, zircon/rights.h, zircon/syscalls/object.h, zircon/errors.h.
"""

from collections.abc import Mapping
from functools import lru_cache

from vkzircon_cli.model.base import record

EXTENSION = "VK_FUCHSIA_external_memory"
EXTENSION_REVISION = 1
SIBLING_DEVICE_EXTENSIONS = ("VK_FUCHSIA_external_semaphore", "VK_FUCHSIA_buffer_collection")
SIBLING_INSTANCE_EXTENSIONS = ("VK_FUCHSIA_imagepipe_surface",)
ENTRY_POINTS = ("vkGetMemoryZirconHandleFUCHSIA", "vkGetMemoryZirconHandlePropertiesFUCHSIA")

ZIRCON_VMO = 0x800
ZIRCON_EVENT = 0x80
QUEUE_GRAPHICS, QUEUE_COMPUTE, QUEUE_TRANSFER = 1, 2, 4
USAGE_TRANSFER_SRC, USAGE_TRANSFER_DST = 1, 2
DEDICATED_ONLY, EXPORTABLE, IMPORTABLE = 1, 2, 4
DEVICE_LOCAL, HOST_VISIBLE, HOST_COHERENT = 1, 2, 4
PROTECTED, DEVICE_COHERENT_AMD = 0x20, 0x40

VK_SUCCESS = 0
VK_TIMEOUT = 2
VK_INCOMPLETE = 5
VK_ERROR_DEVICE_LOST = -4


@record
class Flags:
    """A set of flags: the driver's number, and the name of each bit (unknown bits as ``bit N``)."""

    value: int
    names: tuple[str, ...]


@record
class Named:
    """An enumerant: the driver's number, and its name (``unknown (N)`` if the spec has none)."""

    value: int
    name: str


@record
class Version:
    """A packed version: the driver's number, and its text if the packing is known, else ''."""

    value: int
    text: str


def _numbered(table: str) -> Mapping[int, str]:
    """Parse a table of numbers, each with its name."""
    words = table.split()
    return {int(number): name for number, name in zip(words[::2], words[1::2], strict=True)}


def _bits(table: str) -> tuple[str, ...]:
    """Parse the names of a flag word's bits, from bit 0 on; `-` is a bit without a name, which becomes ''."""
    return tuple(name.removeprefix("-") for name in table.split())


VK_RESULTS = _numbered("""
    0 VK_SUCCESS                                         1 VK_NOT_READY
    2 VK_TIMEOUT                                         3 VK_EVENT_SET
    4 VK_EVENT_RESET                                     5 VK_INCOMPLETE
    -1 VK_ERROR_OUT_OF_HOST_MEMORY                       -2 VK_ERROR_OUT_OF_DEVICE_MEMORY
    -3 VK_ERROR_INITIALIZATION_FAILED                    -4 VK_ERROR_DEVICE_LOST
    -5 VK_ERROR_MEMORY_MAP_FAILED                        -6 VK_ERROR_LAYER_NOT_PRESENT
    -7 VK_ERROR_EXTENSION_NOT_PRESENT                    -8 VK_ERROR_FEATURE_NOT_PRESENT
    -9 VK_ERROR_INCOMPATIBLE_DRIVER                      -10 VK_ERROR_TOO_MANY_OBJECTS
    -11 VK_ERROR_FORMAT_NOT_SUPPORTED                    -12 VK_ERROR_FRAGMENTED_POOL
    -13 VK_ERROR_UNKNOWN                                 -1000011001 VK_ERROR_VALIDATION_FAILED
    -1000069000 VK_ERROR_OUT_OF_POOL_MEMORY              -1000072003 VK_ERROR_INVALID_EXTERNAL_HANDLE
    -1000161000 VK_ERROR_FRAGMENTATION                   -1000174001 VK_ERROR_NOT_PERMITTED
    -1000257000 VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS
""")

# Any command may return these, beside the codes that vk.xml lists for it.
_ALWAYS_LISTED = ("VK_ERROR_UNKNOWN", "VK_ERROR_VALIDATION_FAILED")
LISTED_RESULTS: Mapping[str, tuple[str, ...]] = {
    "vkGetMemoryZirconHandleFUCHSIA": ("VK_ERROR_TOO_MANY_OBJECTS", "VK_ERROR_OUT_OF_HOST_MEMORY", *_ALWAYS_LISTED),
    "vkGetMemoryZirconHandlePropertiesFUCHSIA": ("VK_ERROR_INVALID_EXTERNAL_HANDLE", *_ALWAYS_LISTED),
    "vkAllocateMemory": (
        "VK_ERROR_OUT_OF_HOST_MEMORY",
        "VK_ERROR_OUT_OF_DEVICE_MEMORY",
        "VK_ERROR_INVALID_EXTERNAL_HANDLE",
        "VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS",
        *_ALWAYS_LISTED,
    ),
}

ZX_STATUS = _numbered("""
    0 ZX_OK                            -1 ZX_ERR_INTERNAL              -2 ZX_ERR_NOT_SUPPORTED
    -3 ZX_ERR_NO_RESOURCES             -4 ZX_ERR_NO_MEMORY             -6 ZX_ERR_INTERNAL_INTR_RETRY
    -10 ZX_ERR_INVALID_ARGS            -11 ZX_ERR_BAD_HANDLE           -12 ZX_ERR_WRONG_TYPE
    -13 ZX_ERR_BAD_SYSCALL             -14 ZX_ERR_OUT_OF_RANGE         -15 ZX_ERR_BUFFER_TOO_SMALL
    -20 ZX_ERR_BAD_STATE               -21 ZX_ERR_TIMED_OUT            -22 ZX_ERR_SHOULD_WAIT
    -23 ZX_ERR_CANCELED                -24 ZX_ERR_PEER_CLOSED          -25 ZX_ERR_NOT_FOUND
    -26 ZX_ERR_ALREADY_EXISTS          -27 ZX_ERR_ALREADY_BOUND        -28 ZX_ERR_UNAVAILABLE
    -30 ZX_ERR_ACCESS_DENIED           -40 ZX_ERR_IO                   -41 ZX_ERR_IO_REFUSED
    -42 ZX_ERR_IO_DATA_INTEGRITY       -43 ZX_ERR_IO_DATA_LOSS         -44 ZX_ERR_IO_NOT_PRESENT
    -45 ZX_ERR_IO_OVERRUN              -46 ZX_ERR_IO_MISSED_DEADLINE   -47 ZX_ERR_IO_INVALID
    -50 ZX_ERR_BAD_PATH                -51 ZX_ERR_NOT_DIR              -52 ZX_ERR_NOT_FILE
    -53 ZX_ERR_FILE_BIG                -54 ZX_ERR_NO_SPACE             -55 ZX_ERR_NOT_EMPTY
    -60 ZX_ERR_STOP                    -61 ZX_ERR_NEXT                 -62 ZX_ERR_ASYNC
    -70 ZX_ERR_PROTOCOL_NOT_SUPPORTED  -71 ZX_ERR_ADDRESS_UNREACHABLE  -72 ZX_ERR_ADDRESS_IN_USE
    -73 ZX_ERR_NOT_CONNECTED           -74 ZX_ERR_CONNECTION_REFUSED   -75 ZX_ERR_CONNECTION_RESET
    -76 ZX_ERR_CONNECTION_ABORTED
""")

DEVICE_TYPES: Mapping[int, str] = {0: "other", 1: "integrated", 2: "discrete", 3: "virtual", 4: "cpu"}
DEVICE_TYPE_CPU = 4

DRIVER_IDS = _numbered("""
    1 amd-proprietary                2 amd-open-source         3 mesa-radv                4 nvidia-proprietary
    5 intel-proprietary-windows      6 intel-open-source-mesa  7 imagination-proprietary  8 qualcomm-proprietary
    9 arm-proprietary                10 google-swiftshader     11 ggp-proprietary         12 broadcom-proprietary
    13 mesa-llvmpipe                 14 moltenvk               15 coreavi-proprietary     16 juice-proprietary
    17 verisilicon-proprietary       18 mesa-turnip            19 mesa-v3dv               20 mesa-panvk
    21 samsung-proprietary           22 mesa-venus             23 mesa-dozen              24 mesa-nvk
    25 imagination-open-source-mesa  26 mesa-honeykrisp
""")
_MESA_DRIVER_IDS = {3, 6, 13, 18, 19, 20, 22, 23, 24, 25, 26}
_NVIDIA_PROPRIETARY = 4

OBJECT_TYPES = _numbered("""
    0 none         1 process     2 thread   3 vmo        4 channel     5 event     6 port      9 interrupt
    11 pci-device  12 debuglog   14 socket  15 resource  16 eventpair  17 job      18 vmar     19 fifo
    20 guest       21 vcpu       22 timer   23 iommu     24 bti        25 profile  26 pmt      27 suspend-token
    28 pager       29 exception  30 clock   31 stream    32 msi        33 iob      34 counter  35 iob-shared-region
""")
OBJECT_TYPE_VMO = 3
_FIXED_BITS = 3  # ZX_HANDLE_FIXED_BITS_MASK
CACHE_POLICIES: Mapping[int, str] = {0: "cached", 1: "uncached", 2: "uncached-device", 3: "write-combining"}

MEMORY_PROPERTY_BITS = _bits("""
    DEVICE_LOCAL      HOST_VISIBLE  HOST_COHERENT        HOST_CACHED
    LAZILY_ALLOCATED  PROTECTED     DEVICE_COHERENT_AMD  DEVICE_UNCACHED_AMD
    RDMA_CAPABLE_NV
""")
HEAP_BITS = ("DEVICE_LOCAL", "MULTI_INSTANCE")
QUEUE_BITS = ("GRAPHICS", "COMPUTE", "TRANSFER", "SPARSE_BINDING", "PROTECTED", "VIDEO_DECODE", "VIDEO_ENCODE")
FEATURE_BITS = ("DEDICATED_ONLY", "EXPORTABLE", "IMPORTABLE")
HANDLE_TYPE_BITS = _bits("""
    OPAQUE_FD                       OPAQUE_WIN32  OPAQUE_WIN32_KMT                 D3D11_TEXTURE
    D3D11_TEXTURE_KMT               D3D12_HEAP    D3D12_RESOURCE                   HOST_ALLOCATION_EXT
    HOST_MAPPED_FOREIGN_MEMORY_EXT  DMA_BUF_EXT   ANDROID_HARDWARE_BUFFER_ANDROID  ZIRCON_VMO_FUCHSIA
    RDMA_ADDRESS_NV                 SCI_BUF_NV    SCREEN_BUFFER_QNX
""")
SEMAPHORE_FEATURE_BITS = ("EXPORTABLE", "IMPORTABLE")
SEMAPHORE_HANDLE_BITS = _bits("""
    OPAQUE_FD  OPAQUE_WIN32  OPAQUE_WIN32_KMT  D3D12_FENCE  SYNC_FD  SCI_SYNC_OBJ_NV  -  ZIRCON_EVENT_FUCHSIA
""")
_AUTHORS = ("_EXT", "_ANDROID", "_FUCHSIA", "_NV", "_QNX")


def _plain_name(handle_type: str) -> str:
    for author in _AUTHORS:
        handle_type = handle_type.removesuffix(author)
    return handle_type.lower().replace("_", "-")


# In the form of the command line: opaque-fd, zircon-vmo.
HANDLE_TYPES: Mapping[str, int] = {_plain_name(name): 1 << bit for bit, name in enumerate(HANDLE_TYPE_BITS)}
BUFFER_USAGE_BITS = _bits("""
    TRANSFER_SRC     TRANSFER_DST    UNIFORM_TEXEL_BUFFER  STORAGE_TEXEL_BUFFER
    UNIFORM_BUFFER   STORAGE_BUFFER  INDEX_BUFFER          VERTEX_BUFFER
    INDIRECT_BUFFER
""")
BUFFER_USAGES: Mapping[str, int] = {name: 1 << bit for bit, name in enumerate(BUFFER_USAGE_BITS)}
IMAGE_USAGE_BITS = _bits("""
    TRANSFER_SRC      TRANSFER_DST              SAMPLED               STORAGE
    COLOR_ATTACHMENT  DEPTH_STENCIL_ATTACHMENT  TRANSIENT_ATTACHMENT  INPUT_ATTACHMENT
""")
# The usages that an image may have alone (VUID-VkImageCreateInfo-usage-00966).
IMAGE_USAGES: Mapping[str, int] = {
    name: 1 << bit for bit, name in enumerate(IMAGE_USAGE_BITS) if name != "TRANSIENT_ATTACHMENT"
}
# Flags that change which memory an image takes, or how it is laid out, and that need no further structure.
IMAGE_CREATE_FLAGS: Mapping[str, int] = {"MUTABLE_FORMAT": 8, "CUBE_COMPATIBLE": 16, "SPARSE_BINDING": 1}
BUFFER_CREATE_BITS = ("SPARSE_BINDING", "SPARSE_RESIDENCY", "SPARSE_ALIASED", "PROTECTED")
RIGHT_BITS = _bits("""
    DUPLICATE   TRANSFER        READ           WRITE          EXECUTE        MAP          GET_PROPERTY  SET_PROPERTY
    ENUMERATE   DESTROY         SET_POLICY     GET_POLICY     SIGNAL         SIGNAL_PEER  WAIT          INSPECT
    MANAGE_JOB  MANAGE_PROCESS  MANAGE_THREAD  APPLY_PROFILE  MANAGE_SOCKET  OP_CHILDREN  RESIZE        ATTACH_VMO
    MANAGE_VMO
""")
VMO_BITS = _bits("""
    PAGED      RESIZABLE       COW_CLONE  VIA_HANDLE  VIA_MAPPING  PAGER_BACKED  CONTIGUOUS  DISCARDABLE
    IMMUTABLE  VIA_IOB_HANDLE
""")
# VIA_* describe how a process has access to a VMO, and have a meaning in ZX_INFO_PROCESS_VMOS only.
VMO_VIA_BITS = 0b10_0001_1000


@lru_cache(maxsize=64)
def flags(value: int, bits: tuple[str, ...]) -> Flags:
    """Name every set bit of *value*, lowest first."""
    names = []
    for bit in range(value.bit_length()):
        if value >> bit & 1:
            known = bit < len(bits) and bits[bit]
            names.append(bits[bit] if known else f"bit {bit}")
    return Flags(value, tuple(names))


def named(value: int, names: Mapping[int, str]) -> Named:
    """Name *value*; ``unknown (N)`` if the spec has no name for it."""
    return Named(value, names.get(value, f"unknown ({value})"))


def result_name(code: int) -> str:
    """Name a VkResult; one that is not in the registry stays a number."""
    return VK_RESULTS.get(code, f"VkResult {code}")


def status_name(code: int) -> str:
    """Name a zx_status_t; one that is not in the kernel's headers stays a number."""
    return ZX_STATUS.get(code, f"zx_status_t {code}")


def api_version(value: int) -> Version:
    """Unpack VK_MAKE_API_VERSION; a variant other than 0 is shown before a colon."""
    variant, text = value >> 29, f"{value >> 22 & 0x7F}.{value >> 12 & 0x3FF}.{value & 0xFFF}"
    return Version(value, f"{variant}:{text}" if variant else text)


def driver_version(value: int, driver_id: int | None) -> Version:
    """Unpack a driverVersion if the driver's packing is known. Each vendor has its own, so this never guesses."""
    if driver_id == _NVIDIA_PROPRIETARY:
        return Version(value, f"{value >> 22}.{value >> 14 & 0xFF}.{value >> 6 & 0xFF}.{value & 0x3F}")
    if driver_id in _MESA_DRIVER_IDS:
        return Version(value, api_version(value).text)
    return Version(value, "")


def looks_like_handle(value: int) -> bool:
    """Whether *value* has the shape of a handle: not ZX_HANDLE_INVALID, both low bits set."""
    return value & _FIXED_BITS == _FIXED_BITS


def handle_text(value: int) -> str:
    """Format a handle as reports show it."""
    return f"0x{value:08x}"
