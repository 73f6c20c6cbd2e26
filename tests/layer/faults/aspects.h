// SPDX-License-Identifier: Apache-2.0
//
// Aspects: what a program can observe of a driver. Each is a number. A fault changes some of them and no others.
#ifndef VKZIRCON_TESTS_ASPECTS_H_
#define VKZIRCON_TESTS_ASPECTS_H_

#include "faults.h"
#include "gpu.h"

#define SIZE   ((VkDeviceSize)65536)
#define UNSEEN INT64_MIN       // an earlier step failed
#define ANY    (INT64_MIN + 1) // depends on the driver

// The aspects of a group are observed together or not at all. Beside each aspect is its value on a driver without
// faults. "Ours" is the exported VMO. VALID and the like are results of the topic ZX_INFO_HANDLE_VALID.
#define ASPECTS(X)                                                                                                     \
    X(LOADED, CREATE_INSTANCE, VK_SUCCESS)                                                                             \
    X(INSTANCE, ENUMERATION, VK_SUCCESS)                                                                               \
    X(INSTANCE, HAS_DEVICE, 1)                                                                                         \
    X(DEVICE, DEVICE_TYPE, ANY)                                                                                        \
    X(DEVICE, API_MINOR, ANY)                                                                                          \
    X(DEVICE, ATOM_SIZE, ANY)                                                                                          \
    X(DEVICE, LARGEST_SIZE, ANY)                                                                                       \
    X(DEVICE, NAME_LENGTH, ANY)                                                                                        \
    X(DEVICE, NAME_IS_PLAIN, 1)                                                                                        \
    X(DEVICE, BOTH_PROPERTIES_AGREE, 1)                                                                                \
    X(DEVICE, EXTENSION_LIST, VK_SUCCESS)                                                                              \
    X(DEVICE, EXTENSION_REVISION, 1)                                                                                   \
    X(DEVICE, LISTS_DEPENDENCY, 1)                                                                                     \
    X(DEVICE, LISTS_SEMAPHORE, 0)                                                                                      \
    X(DEVICE, BUFFER_FEATURES, 6)                                                                                      \
    X(DEVICE, BUFFER_COMPATIBLE, ZIRCON_VMO)                                                                           \
    X(DEVICE, BUFFER_EXPORTED_AGAIN, ZIRCON_VMO)                                                                       \
    X(DEVICE, BUFFER_HEADER_KEPT, 1)                                                                                   \
    X(DEVICE, IMAGE_QUERY, VK_SUCCESS)                                                                                 \
    X(DEVICE, IMAGE_FEATURES, 6)                                                                                       \
    X(DEVICE, IMAGE_COMPATIBLE, ZIRCON_VMO)                                                                            \
    X(DEVICE, IMAGE_HEADERS_KEPT, 1)                                                                                   \
    X(DEVICE, IMAGE_QUERY_OF_OTHER_TYPE, VK_ERROR_FORMAT_NOT_SUPPORTED)                                                \
    X(DEVICE, SEMAPHORE_FEATURES, 0)                                                                                   \
    X(DEVICE, SEMAPHORE_HEADER_KEPT, 1)                                                                                \
    X(DEVICE, CREATE_DEVICE, VK_SUCCESS)                                                                               \
    X(OPEN, HANDLE_STATS, ZX_OK)                                                                                       \
    X(OPEN, HAS_GET, 1)                                                                                                \
    X(OPEN, HAS_PROPERTIES, 1)                                                                                         \
    X(OPEN, PLAIN_EXPORT, VK_SUCCESS)                                                                                  \
    X(OPEN, SMALL_EXPORT, VK_SUCCESS)                                                                                  \
    X(OPEN, LARGE_EXPORT, VK_SUCCESS)                                                                                  \
    X(OPEN, EXPORT_WITHOUT_TYPE, VK_SUCCESS)                                                                           \
    X(OPEN, ALLOCATE_1_GIB, ANY)                                                                                       \
    X(OPEN, DEDICATED_EXPORT, VK_SUCCESS)                                                                              \
    X(EXPORTED, BIND, VK_SUCCESS)                                                                                      \
    X(EXPORTED, MAP, VK_SUCCESS)                                                                                       \
    X(BYTES, OLD_BYTES, 0)                                                                                             \
    X(GETTING, GET_UNEXPORTABLE, VK_ERROR_UNKNOWN)                                                                     \
    X(GETTING, GET, VK_SUCCESS)                                                                                        \
    X(GOT, WRITTEN, 1)                                                                                                 \
    X(GOT, IS_ZERO, 0)                                                                                                 \
    X(GOT, LOW_BITS, 3)                                                                                                \
    X(GOT, VALID, ZX_OK)                                                                                               \
    X(OBJECT, TYPE, ZX_OBJ_TYPE_VMO)                                                                                   \
    X(OBJECT, RIGHTS, ZX_DEFAULT_VMO_RIGHTS)                                                                           \
    X(VMO, VMO_SIZE, SIZE)                                                                                             \
    X(VMO, READ, ZX_OK)                                                                                                \
    X(VMO, OLD_BYTE_AT_END, 0)                                                                                         \
    X(VMO, CLEAN, ZX_OK)                                                                                               \
    X(VMO, WRITE, ZX_OK)                                                                                               \
    X(VMO, OLDEST_INFO, ZX_OK)                                                                                         \
    X(VMO, NEWEST_INFO, ZX_OK)                                                                                         \
    X(VMO, FLAGS, ZX_INFO_VMO_TYPE_PAGED | ZX_INFO_VMO_VIA_HANDLE)                                                     \
    X(VMO, CACHE_POLICY, ZX_CACHE_POLICY_CACHED)                                                                       \
    X(VMO, HAS_PARENT, 0)                                                                                              \
    X(VMO, IS_NAMED, 1)                                                                                                \
    X(VMO, IS_COMMITTED, 1)                                                                                            \
    X(VMO, VMAR_MAP, ZX_OK)                                                                                            \
    X(PROPERTIES, ASK, VK_SUCCESS)                                                                                     \
    X(PROPERTIES, ASK_BITS, ANY)                                                                                       \
    X(PROPERTIES, ASK_NAMES_OUR_TYPE, 1)                                                                               \
    X(PROPERTIES, ASK_HEADER_KEPT, 1)                                                                                  \
    X(PROPERTIES, VALID_AFTER_ASK, ZX_OK)                                                                              \
    X(PROPERTIES, ASK_DUPLICATE_AGREES, 1)                                                                             \
    X(ASKING, ASK_FOREIGN, VK_SUCCESS)                                                                                 \
    X(ASKING, ASK_FOREIGN_NAMES_OUR_TYPE, 1)                                                                           \
    X(ASKING, ASK_WITHOUT_DUPLICATE, VK_SUCCESS)                                                                       \
    X(ASKING, ASK_WITHOUT_DUPLICATE_NAMES_OUR_TYPE, 1)                                                                 \
    X(ASKING, ASK_WITHOUT_RIGHTS, VK_SUCCESS)                                                                          \
    X(ASKING, ASK_WITHOUT_RIGHTS_BITS, 0)                                                                              \
    X(ASKING, ASK_EVENT, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                             \
    X(ASKING, ASK_OTHER_TYPE, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                        \
    X(ASKING, ASK_ZERO, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                              \
    X(SECOND, SECOND_GET, VK_SUCCESS)                                                                                  \
    X(SECOND, SECOND_IS_FIRST, 0)                                                                                      \
    X(SECOND, SECOND_HAS_KOID, 1)                                                                                      \
    X(SECOND, SECOND_SHARES, 1)                                                                                        \
    X(SECOND, OTHER_HAS_KOID, 0)                                                                                       \
    X(SECOND, OTHER_SHARES, 0)                                                                                         \
    X(IMPORTING, IMPORT, VK_SUCCESS)                                                                                   \
    X(IMPORTED, VALID_AFTER_IMPORT, ZX_ERR_BAD_HANDLE)                                                                 \
    X(IMPORTED, HANDLES_BY_IMPORT, 0)                                                                                  \
    X(IMPORTED, GET_IMPORTED, VK_ERROR_UNKNOWN)                                                                        \
    X(IMPORTED, MAP_IMPORTED, VK_SUCCESS)                                                                              \
    X(IMPORTED_BYTES, WRONG_IN_IMPORT, 0)                                                                              \
    X(IMPORTED_BYTES, WRONG_IN_EXPORT, 0)                                                                              \
    X(IMPORTED_BYTES, IMPORT_SHARES, 1)                                                                                \
    X(IMPORTED, HANDLES_BY_FREE, -1)                                                                                   \
    X(IMPORTED, VALID_AFTER_FREE, ZX_ERR_BAD_HANDLE)                                                                   \
    X(OPEN, IMPORT_FOREIGN, VK_SUCCESS)                                                                                \
    X(OPEN, IMPORT_WITHOUT_TYPE, VK_SUCCESS)                                                                           \
    X(OPEN, IMPORT_TOO_MUCH, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                         \
    X(OPEN, VALID_AFTER_IMPORT_TOO_MUCH, ZX_OK)                                                                        \
    X(OPEN, IMPORT_EVENT, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                            \
    X(OPEN, VALID_AFTER_IMPORT_EVENT, ZX_OK)                                                                           \
    X(OPEN, SUBMIT, VK_SUCCESS)                                                                                        \
    X(OPEN, WAIT, VK_SUCCESS)                                                                                          \
    X(KEPT, OUTLIVES, 1)                                                                                               \
    X(OPEN, HANDLES_LEFT, 0)                                                                                           \
    X(OPEN, IMPORTS_GROW, 0)                                                                                           \
    X(REFUSED, IMPORT_WITHOUT_DUPLICATE, VK_SUCCESS)                                                                   \
    X(REFUSED, IMPORT_ZERO, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                          \
    X(BAD_ASKING, ASK_GARBAGE, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                       \
    X(BAD, IMPORT_GARBAGE, VK_ERROR_INVALID_EXTERNAL_HANDLE)                                                           \
    X(CLOSING, DESTROY_DEVICE, 1)                                                                                      \
    X(ENDING, DESTROY_INSTANCE, 1)                                                                                     \
    X(PROCESS, TALKS_ON_STDOUT, 0)                                                                                     \
    X(PROCESS, TALKS_ON_STDERR, 0)                                                                                     \
    X(PROCESS, ENDED, 0) /* exit status, or 1000 + signal */

enum aspect {
#define ASPECT_ID(group, name, strict) name,
    ASPECTS(ASPECT_ID)
#undef ASPECT_ID
        NUM_ASPECTS
};

enum group {
    LOADED,
    INSTANCE, // there is one
    DEVICE,   // a physical one was listed,
    OPEN,     // and opened
    EXPORTED, // memory was allocated for export,
    BYTES,    // and mapped
    GETTING,  // its handle can be asked for,
    GOT,      // was,
    OBJECT,   // is one,
    VMO,      // to a VMO
    SECOND,
    ASKING,     // properties can be asked for,
    PROPERTIES, // and those of our VMO
    IMPORTING,
    IMPORTED,
    IMPORTED_BYTES, // which was mapped
    KEPT,
    REFUSED, // calls that crash some drivers
    BAD_ASKING,
    BAD,
    CLOSING,
    ENDING,
    PROCESS,
};

#define GROUP(name) (1u << (name))

struct aspect_description {
    const char *name;
    enum group group;
    int64_t strict;
};

extern const struct aspect_description aspects[NUM_ASPECTS];

struct observation {
    int64_t values[NUM_ASPECTS];
};

// Observes all aspects and reports each at once.
typedef void (*report_function)(enum aspect aspect, int64_t value);
void observe_all(report_function report);

// Calls that crash some drivers and fail on the others, which is the only aspect reported: an export of VK_NULL_HANDLE;
// an access to the last byte of memory that was imported from a VMO that is too small.
void observe_null_memory(report_function report);
void observe_missing_byte(report_function report);

#endif
