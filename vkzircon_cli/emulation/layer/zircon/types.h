// SPDX-License-Identifier: Apache-2.0
//
// The part of Zircon's ABI that VK_FUCHSIA_external_memory and its tests use, for programs that are built against the
// emulated libzircon.so. Numbers and layouts are Fuchsia's; <vulkan/vulkan_fuchsia.h> includes this file by name.
#ifndef ZIRCON_TYPES_H_
#define ZIRCON_TYPES_H_

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t zx_handle_t;
typedef int32_t zx_status_t;
typedef uint64_t zx_koid_t;
typedef uint32_t zx_rights_t;
typedef uint32_t zx_obj_type_t;
typedef uint32_t zx_signals_t;
typedef uint32_t zx_vm_option_t;
typedef int64_t zx_time_t;
typedef int64_t zx_duration_t;
typedef int64_t zx_ticks_t;
typedef uint32_t zx_clock_t;
typedef uintptr_t zx_vaddr_t;
typedef uintptr_t zx_paddr_t;
typedef uint64_t zx_off_t;

#define ZX_HANDLE_INVALID         ((zx_handle_t)0)
#define ZX_HANDLE_FIXED_BITS_MASK ((zx_handle_t)3) // set in every valid handle
#define ZX_KOID_INVALID           ((zx_koid_t)0)
#define ZX_KOID_FIRST             ((zx_koid_t)1024)
#define ZX_MAX_NAME_LEN           ((size_t)32) // with its NUL
#define ZX_DURATION_INFINITE      INT64_MAX
#define ZX_DURATION_INFINITE_PAST INT64_MIN
#define ZX_TIME_INFINITE          INT64_MAX
#define ZX_TIME_INFINITE_PAST     INT64_MIN

// zx_status_t: the name without its prefix, and the number. ZX_OK and the ZX_ERR_... constants come from this list, and
// so do zx_status_get_string()'s answers.
#define ZX_ERRORS(X)                                                                                                   \
    X(INTERNAL, -1)                                                                                                    \
    X(NOT_SUPPORTED, -2)                                                                                               \
    X(NO_RESOURCES, -3)                                                                                                \
    X(NO_MEMORY, -4)                                                                                                   \
    X(INTERNAL_INTR_RETRY, -6)                                                                                         \
    X(INVALID_ARGS, -10)                                                                                               \
    X(BAD_HANDLE, -11)                                                                                                 \
    X(WRONG_TYPE, -12)                                                                                                 \
    X(BAD_SYSCALL, -13)                                                                                                \
    X(OUT_OF_RANGE, -14)                                                                                               \
    X(BUFFER_TOO_SMALL, -15)                                                                                           \
    X(BAD_STATE, -20)                                                                                                  \
    X(TIMED_OUT, -21)                                                                                                  \
    X(SHOULD_WAIT, -22)                                                                                                \
    X(CANCELED, -23)                                                                                                   \
    X(PEER_CLOSED, -24)                                                                                                \
    X(NOT_FOUND, -25)                                                                                                  \
    X(ALREADY_EXISTS, -26)                                                                                             \
    X(ALREADY_BOUND, -27)                                                                                              \
    X(UNAVAILABLE, -28)                                                                                                \
    X(ACCESS_DENIED, -30)                                                                                              \
    X(IO, -40)                                                                                                         \
    X(IO_REFUSED, -41)                                                                                                 \
    X(IO_DATA_INTEGRITY, -42)                                                                                          \
    X(IO_DATA_LOSS, -43)                                                                                               \
    X(IO_NOT_PRESENT, -44)                                                                                             \
    X(IO_OVERRUN, -45)                                                                                                 \
    X(IO_MISSED_DEADLINE, -46)                                                                                         \
    X(IO_INVALID, -47)                                                                                                 \
    X(BAD_PATH, -50)                                                                                                   \
    X(NOT_DIR, -51)                                                                                                    \
    X(NOT_FILE, -52)                                                                                                   \
    X(FILE_BIG, -53)                                                                                                   \
    X(NO_SPACE, -54)                                                                                                   \
    X(NOT_EMPTY, -55)                                                                                                  \
    X(STOP, -60)                                                                                                       \
    X(NEXT, -61)                                                                                                       \
    X(ASYNC, -62)                                                                                                      \
    X(PROTOCOL_NOT_SUPPORTED, -70)                                                                                     \
    X(ADDRESS_UNREACHABLE, -71)                                                                                        \
    X(ADDRESS_IN_USE, -72)                                                                                             \
    X(NOT_CONNECTED, -73)                                                                                              \
    X(CONNECTION_REFUSED, -74)                                                                                         \
    X(CONNECTION_RESET, -75)                                                                                           \
    X(CONNECTION_ABORTED, -76)

enum {
    ZX_OK = 0,
#define ZX_ERROR_CONSTANT(name, number) ZX_ERR_##name = (number),
    ZX_ERRORS(ZX_ERROR_CONSTANT)
#undef ZX_ERROR_CONSTANT
};

#define ZX_OBJ_TYPE_NONE        ((zx_obj_type_t)0)
#define ZX_OBJ_TYPE_PROCESS     ((zx_obj_type_t)1)
#define ZX_OBJ_TYPE_VMO         ((zx_obj_type_t)3)
#define ZX_OBJ_TYPE_CHANNEL     ((zx_obj_type_t)4)
#define ZX_OBJ_TYPE_EVENT       ((zx_obj_type_t)5)
#define ZX_OBJ_TYPE_VMAR        ((zx_obj_type_t)18)
#define ZX_OBJ_TYPE_UPPER_BOUND 64

#define ZX_RIGHT_NONE           ((zx_rights_t)0)
#define ZX_RIGHT_DUPLICATE      ((zx_rights_t)1 << 0)
#define ZX_RIGHT_TRANSFER       ((zx_rights_t)1 << 1)
#define ZX_RIGHT_READ           ((zx_rights_t)1 << 2)
#define ZX_RIGHT_WRITE          ((zx_rights_t)1 << 3)
#define ZX_RIGHT_EXECUTE        ((zx_rights_t)1 << 4)
#define ZX_RIGHT_MAP            ((zx_rights_t)1 << 5)
#define ZX_RIGHT_GET_PROPERTY   ((zx_rights_t)1 << 6)
#define ZX_RIGHT_SET_PROPERTY   ((zx_rights_t)1 << 7)
#define ZX_RIGHT_ENUMERATE      ((zx_rights_t)1 << 8)
#define ZX_RIGHT_DESTROY        ((zx_rights_t)1 << 9)
#define ZX_RIGHT_SET_POLICY     ((zx_rights_t)1 << 10)
#define ZX_RIGHT_GET_POLICY     ((zx_rights_t)1 << 11)
#define ZX_RIGHT_SIGNAL         ((zx_rights_t)1 << 12)
#define ZX_RIGHT_SIGNAL_PEER    ((zx_rights_t)1 << 13)
#define ZX_RIGHT_WAIT           ((zx_rights_t)1 << 14)
#define ZX_RIGHT_INSPECT        ((zx_rights_t)1 << 15)
#define ZX_RIGHT_MANAGE_JOB     ((zx_rights_t)1 << 16)
#define ZX_RIGHT_MANAGE_PROCESS ((zx_rights_t)1 << 17)
#define ZX_RIGHT_MANAGE_THREAD  ((zx_rights_t)1 << 18)
#define ZX_RIGHT_APPLY_PROFILE  ((zx_rights_t)1 << 19)
#define ZX_RIGHT_MANAGE_SOCKET  ((zx_rights_t)1 << 20)
#define ZX_RIGHT_OP_CHILDREN    ((zx_rights_t)1 << 21)
#define ZX_RIGHT_RESIZE         ((zx_rights_t)1 << 22)
#define ZX_RIGHT_ATTACH_VMO     ((zx_rights_t)1 << 23)
#define ZX_RIGHT_MANAGE_VMO     ((zx_rights_t)1 << 24)
#define ZX_RIGHT_SAME_RIGHTS    ((zx_rights_t)1 << 31)

#define ZX_RIGHTS_BASIC    (ZX_RIGHT_TRANSFER | ZX_RIGHT_DUPLICATE | ZX_RIGHT_WAIT | ZX_RIGHT_INSPECT)
#define ZX_RIGHTS_IO       (ZX_RIGHT_READ | ZX_RIGHT_WRITE)
#define ZX_RIGHTS_PROPERTY (ZX_RIGHT_GET_PROPERTY | ZX_RIGHT_SET_PROPERTY)
#define ZX_DEFAULT_VMO_RIGHTS                                                                                          \
    (ZX_RIGHTS_BASIC | ZX_RIGHTS_IO | ZX_RIGHTS_PROPERTY | ZX_RIGHT_MAP | ZX_RIGHT_SIGNAL) // 0xd0ef
#define ZX_DEFAULT_EVENT_RIGHTS (ZX_RIGHTS_BASIC | ZX_RIGHT_SIGNAL)                        // 0xd003
static_assert(ZX_DEFAULT_VMO_RIGHTS == 0xd0ef && ZX_DEFAULT_EVENT_RIGHTS == 0xd003, "rights that drivers hand out");
// One end of a channel has one handle, ever.
#define ZX_DEFAULT_CHANNEL_RIGHTS                                                                                      \
    ((ZX_RIGHTS_BASIC & ~ZX_RIGHT_DUPLICATE) | ZX_RIGHTS_IO | ZX_RIGHT_SIGNAL | ZX_RIGHT_SIGNAL_PEER) // 0xf00e
static_assert(ZX_DEFAULT_CHANNEL_RIGHTS == 0xf00e, "ABI");

#define ZX_SIGNAL_NONE          ((zx_signals_t)0)
#define ZX_EVENT_SIGNALED       ((zx_signals_t)1 << 3)
#define ZX_VMO_ZERO_CHILDREN    ((zx_signals_t)1 << 3)
#define ZX_CHANNEL_READABLE     ((zx_signals_t)1 << 0)
#define ZX_CHANNEL_WRITABLE     ((zx_signals_t)1 << 1)
#define ZX_CHANNEL_PEER_CLOSED  ((zx_signals_t)1 << 2)
#define ZX_SIGNAL_HANDLE_CLOSED ((zx_signals_t)1 << 23) // of a wait whose handle was closed
#define ZX_USER_SIGNAL_ALL      ((zx_signals_t)0xff << 24)

#define ZX_CHANNEL_MAX_MSG_BYTES    ((uint32_t)65536)
#define ZX_CHANNEL_MAX_MSG_HANDLES  ((uint32_t)64)
#define ZX_CHANNEL_READ_MAY_DISCARD ((uint32_t)1)

#define ZX_PROP_NAME             ((uint32_t)3)
#define ZX_PROP_VMO_CONTENT_SIZE ((uint32_t)17) // ZX_PROP_STREAM_SIZE in newer headers

#define ZX_CACHE_POLICY_CACHED          ((uint32_t)0)
#define ZX_CACHE_POLICY_UNCACHED        ((uint32_t)1)
#define ZX_CACHE_POLICY_UNCACHED_DEVICE ((uint32_t)2)
#define ZX_CACHE_POLICY_WRITE_COMBINING ((uint32_t)3)

#define ZX_VMO_RESIZABLE   ((uint32_t)1 << 1)
#define ZX_VMO_DISCARDABLE ((uint32_t)1 << 2)
#define ZX_VMO_TRAP_DIRTY  ((uint32_t)1 << 3)
#define ZX_VMO_UNBOUNDED   ((uint32_t)1 << 4)

#define ZX_VMO_CHILD_SNAPSHOT                   ((uint32_t)1 << 0)
#define ZX_VMO_CHILD_RESIZABLE                  ((uint32_t)1 << 2)
#define ZX_VMO_CHILD_SLICE                      ((uint32_t)1 << 3)
#define ZX_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE ((uint32_t)1 << 4)
#define ZX_VMO_CHILD_NO_WRITE                   ((uint32_t)1 << 5)
#define ZX_VMO_CHILD_REFERENCE                  ((uint32_t)1 << 6)
#define ZX_VMO_CHILD_SNAPSHOT_MODIFIED          ((uint32_t)1 << 7)

#define ZX_VMO_OP_COMMIT                 ((uint32_t)1)
#define ZX_VMO_OP_DECOMMIT               ((uint32_t)2)
#define ZX_VMO_OP_LOCK                   ((uint32_t)3)
#define ZX_VMO_OP_UNLOCK                 ((uint32_t)4)
#define ZX_VMO_OP_CACHE_SYNC             ((uint32_t)6)
#define ZX_VMO_OP_CACHE_INVALIDATE       ((uint32_t)7)
#define ZX_VMO_OP_CACHE_CLEAN            ((uint32_t)8)
#define ZX_VMO_OP_CACHE_CLEAN_INVALIDATE ((uint32_t)9)
#define ZX_VMO_OP_ZERO                   ((uint32_t)10)
#define ZX_VMO_OP_TRY_LOCK               ((uint32_t)11)
#define ZX_VMO_OP_DONT_NEED              ((uint32_t)12)
#define ZX_VMO_OP_ALWAYS_NEED            ((uint32_t)13)
#define ZX_VMO_OP_PREFETCH               ((uint32_t)14)

// What ZX_VMO_OP_LOCK writes. The emulation discards no pages, so the last two are 0.
typedef struct zx_vmo_lock_state {
    uint64_t offset;
    uint64_t size;
    uint64_t discarded_offset;
    uint64_t discarded_size;
} zx_vmo_lock_state_t;

#define ZX_VM_PERM_READ             ((zx_vm_option_t)1 << 0)
#define ZX_VM_PERM_WRITE            ((zx_vm_option_t)1 << 1)
#define ZX_VM_PERM_EXECUTE          ((zx_vm_option_t)1 << 2)
#define ZX_VM_MAP_RANGE             ((zx_vm_option_t)1 << 10)
#define ZX_VM_REQUIRE_NON_RESIZABLE ((zx_vm_option_t)1 << 11)
#define ZX_VM_ALLOW_FAULTS          ((zx_vm_option_t)1 << 12)

// Topics of zx_object_get_info(): a number in the low bits, the version of its record in the top four.
#define ZX_INFO_TOPIC(number, version) ((uint32_t)(number) | (uint32_t)(version) << 28)
#define ZX_INFO_HANDLE_VALID           ZX_INFO_TOPIC(1, 0)
#define ZX_INFO_HANDLE_BASIC           ZX_INFO_TOPIC(2, 0)
#define ZX_INFO_HANDLE_COUNT           ZX_INFO_TOPIC(19, 0)
#define ZX_INFO_PROCESS_HANDLE_STATS   ZX_INFO_TOPIC(21, 0)
#define ZX_INFO_TASK_RUNTIME           ZX_INFO_TOPIC(30, 1)
#define ZX_INFO_VMO_V1                 ZX_INFO_TOPIC(23, 0)
#define ZX_INFO_VMO_V2                 ZX_INFO_TOPIC(23, 1)
#define ZX_INFO_VMO_V3                 ZX_INFO_TOPIC(23, 2)
#define ZX_INFO_VMO_V4                 ZX_INFO_TOPIC(23, 3)
#define ZX_INFO_VMO                    ZX_INFO_VMO_V4

typedef struct zx_info_handle_basic {
    zx_koid_t koid;
    zx_rights_t rights;
    zx_obj_type_t type;
    zx_koid_t related_koid;
    uint32_t reserved;
    uint8_t padding1[4];
} zx_info_handle_basic_t;

typedef struct zx_wait_item {
    zx_handle_t handle;
    zx_signals_t waitfor;
    zx_signals_t pending;
} zx_wait_item_t;

typedef struct zx_channel_call_args {
    const void *wr_bytes;
    const zx_handle_t *wr_handles;
    void *rd_bytes;
    zx_handle_t *rd_handles;
    uint32_t wr_num_bytes;
    uint32_t wr_num_handles;
    uint32_t rd_num_bytes;
    uint32_t rd_num_handles;
} zx_channel_call_args_t;

typedef struct zx_info_handle_count {
    uint32_t handle_count;
} zx_info_handle_count_t;

typedef struct zx_info_process_handle_stats {
    uint32_t handle_count[ZX_OBJ_TYPE_UPPER_BOUND]; // one an object type
} zx_info_process_handle_stats_t;

typedef struct zx_info_task_runtime {
    zx_duration_t cpu_time;
    zx_duration_t queue_time;
    zx_duration_t page_fault_time;
    zx_duration_t lock_contention_time;
} zx_info_task_runtime_t;

#define ZX_INFO_VMO_TYPE_PAGED   ((uint32_t)1 << 0)
#define ZX_INFO_VMO_RESIZABLE    ((uint32_t)1 << 1)
#define ZX_INFO_VMO_IS_COW_CLONE ((uint32_t)1 << 2)
#define ZX_INFO_VMO_VIA_HANDLE   ((uint32_t)1 << 3)
#define ZX_INFO_VMO_VIA_MAPPING  ((uint32_t)1 << 4)
#define ZX_INFO_VMO_PAGER_BACKED ((uint32_t)1 << 5)
#define ZX_INFO_VMO_CONTIGUOUS   ((uint32_t)1 << 6)
#define ZX_INFO_VMO_DISCARDABLE  ((uint32_t)1 << 7)
#define ZX_INFO_VMO_IMMUTABLE    ((uint32_t)1 << 8)

// Older versions of the record are prefixes of this one: each comment closes one.
typedef struct zx_info_vmo {
    zx_koid_t koid;
    char name[32]; // ZX_MAX_NAME_LEN
    uint64_t size_bytes;
    zx_koid_t parent_koid;
    size_t num_children;
    size_t num_mappings;
    size_t share_count;
    uint32_t flags;
    uint8_t padding1[4];
    uint64_t committed_bytes;
    zx_rights_t handle_rights; // meant only where flags has VIA_HANDLE
    uint32_t cache_policy;     // V1
    uint64_t metadata_bytes;
    uint64_t committed_change_events; // V2
    uint64_t populated_bytes;         // V3
    uint64_t committed_private_bytes;
    uint64_t populated_private_bytes;
    uint64_t committed_scaled_bytes;
    uint64_t populated_scaled_bytes;
    uint64_t committed_fractional_scaled_bytes;
    uint64_t populated_fractional_scaled_bytes; // V4
} zx_info_vmo_t;

#define ZX_INFO_VMO_SIZE_V1 offsetof(zx_info_vmo_t, metadata_bytes)
#define ZX_INFO_VMO_SIZE_V2 offsetof(zx_info_vmo_t, populated_bytes)
#define ZX_INFO_VMO_SIZE_V3 offsetof(zx_info_vmo_t, committed_private_bytes)
#define ZX_INFO_VMO_SIZE_V4 sizeof(zx_info_vmo_t)

static_assert(sizeof(zx_info_handle_basic_t) == 32, "ABI");
static_assert(sizeof(zx_info_handle_count_t) == 4, "ABI");
static_assert(sizeof(zx_info_process_handle_stats_t) == 256, "ABI");
static_assert(offsetof(zx_info_vmo_t, flags) == 80, "ABI");
static_assert(offsetof(zx_info_vmo_t, committed_bytes) == 88, "ABI");
static_assert(ZX_INFO_VMO_SIZE_V1 == 104, "ABI");
static_assert(ZX_INFO_VMO_SIZE_V2 == 120, "ABI");
static_assert(ZX_INFO_VMO_SIZE_V3 == 128, "ABI");
static_assert(ZX_INFO_VMO_SIZE_V4 == 176, "ABI");

#endif
