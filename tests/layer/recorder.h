// SPDX-License-Identifier: Apache-2.0
//
// A layer between the emulation and the driver. It records what the emulation passes down, counts what no driver should
// get, and can imitate drivers with more restrictions than lavapipe. Tests link the library that the loader opens, and
// so share this state with it.
#ifndef VKZIRCON_TESTS_RECORDER_H_
#define VKZIRCON_TESTS_RECORDER_H_

#define VK_USE_PLATFORM_FUCHSIA
#include <vulkan/vulkan.h>

#include <stdbool.h>

enum pretense {
    PRETEND_NOTHING,
    // Types 0 DEVICE_LOCAL, 1 HOST_VISIBLE, 2 HOST_VISIBLE but its imports fail; buffers and linear images allow all,
    // optimal images type 0 only; nonCoherentAtomSize 256. NVIDIA's driver is similar.
    PRETEND_MANY_TYPES,
    PRETEND_NO_HOST_MEMORY,  // VK_EXT_external_memory_host is not listed
    PRETEND_REFUSED_PAGES,   // vkGetMemoryHostPointerPropertiesEXT fails, as on drivers that take anonymous pages only
    PRETEND_REFUSED_IMPORTS, // every import of host memory fails
    PRETEND_HIDDEN_TYPES,    // only type 0 takes host memory, and it is not HOST_VISIBLE
    PRETEND_DENIED_IMPORTS,  // the queries report nothing for host memory, but its imports work, as in SwiftShader
    PRETEND_NATIVE,          // the driver offers VK_FUCHSIA_external_memory itself, and returns RECORDER_HANDLE
    PRETEND_LOST_HANDLES,    // closes `steal` while it allocates, as another thread of the application could
};

#define RECORDER_CHAIN  64
#define RECORDER_HANDLE 0x5a5a5a5bu

struct recorder {
    enum pretense pretense; // set before the instance is created
    uint32_t steal;

    uint32_t violations; // each one is printed to stderr
    uint32_t devices;    // created so far
    uint32_t allocations;
    uint32_t live_allocations;

    // The structs in the chain of the last allocation, buffer, image or query of one, and their contents.
    uint32_t chain_length;
    VkStructureType chain[RECORDER_CHAIN];
    VkDeviceSize allocation_size;
    uint32_t memory_type;
    void *host_pointer; // NULL: no host memory was imported

    VkDeviceSize mapped_size; // by vkMapMemory or vkMapMemory2KHR
    VkMappedMemoryRange range;
    uint32_t num_ranges; // of the last call
    uint32_t range_calls;
};

extern __attribute__((visibility("default"))) struct recorder recorder;

#endif
