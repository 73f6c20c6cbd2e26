// SPDX-License-Identifier: Apache-2.0
//
// A layer that stands where the driver stands: right below the emulation. It notes what the emulation sends down,
// counts what no driver should see, and can pretend to be a harder driver than lavapipe. Tests link the very library
// that the loader opens, and so share this state with it.
#ifndef VKZIRCON_TESTS_RECORDER_H_
#define VKZIRCON_TESTS_RECORDER_H_

#define VK_USE_PLATFORM_FUCHSIA
#include <vulkan/vulkan.h>

#include <stdbool.h>

enum pretense {
    PRETEND_NOTHING,
    // Types 0 DEVICE_LOCAL, 1 HOST_VISIBLE, 2 HOST_VISIBLE but its imports fail; buffers and linear images allow all,
    // optimal images type 0 only; nonCoherentAtomSize 256. Much like an NVIDIA card, seen from here.
    PRETEND_MANY_TYPES,
    PRETEND_NO_HOST_MEMORY,  // VK_EXT_external_memory_host is not listed
    PRETEND_REFUSED_PAGES,   // vkGetMemoryHostPointerPropertiesEXT fails, as it does where only anonymous pages may go
    PRETEND_REFUSED_IMPORTS, // every import of host memory fails
    PRETEND_HIDDEN_TYPES,    // host memory goes into type 0 only, which is not HOST_VISIBLE
    PRETEND_NATIVE,          // the driver lists VK_FUCHSIA_external_memory itself
    PRETEND_LOST_HANDLES,    // closes `steal` while it allocates, as another thread of the application might
};

#define RECORDER_CHAIN 32

struct recorder {
    enum pretense pretense; // set before the instance is created
    uint32_t steal;

    uint32_t violations; // each one is told on stderr
    uint32_t devices;    // created so far, alive or not
    uint32_t allocations;
    uint32_t live_allocations;

    // The last allocation's structs, without the first; and what they held.
    uint32_t chain_length;
    VkStructureType chain[RECORDER_CHAIN];
    VkDeviceSize allocation_size;
    uint32_t memory_type;
    void *host_pointer; // NULL: no host memory was imported

    VkDeviceSize mapped_size;
    VkMappedMemoryRange range;
    uint32_t num_ranges; // of the last call
    uint32_t range_calls;
};

extern __attribute__((visibility("default"))) struct recorder recorder;

#endif
