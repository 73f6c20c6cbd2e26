// SPDX-License-Identifier: Apache-2.0
//
// Exported and imported memory: what is known of it, and of a request for it.
#ifndef VKZIRCON_DEVICE_MEMORY_H_
#define VKZIRCON_DEVICE_MEMORY_H_

#include "layer.h"

struct memory {
    struct entry entry; // by VkDeviceMemory
    zx_handle_t vmo;    // ours: closed when the memory is freed
    bool exportable;
    bool imported;
    uint32_t type;
    zx_handle_t given; // the last number that the application got; none yet: ZX_HANDLE_INVALID
    zx_vaddr_t pages;
    size_t length;
    VkDeviceSize asked; // allocationSize, the application's
    VkDeviceSize size;  // and the driver's
};

// What an application's VkMemoryAllocateInfo asks of us.
struct request {
    bool imports;
    bool exports;
    bool refused;   // something that only another handle type could give
    bool dedicated; // to a buffer or an image
    zx_handle_t handle;
};

// Copies what is known of it, so that no lock is held meanwhile; an unknown handle leaves `memory` alone.
bool memory_find(struct device *device, VkDeviceMemory handle, struct memory *memory);

void memory_note_given(struct device *device, VkDeviceMemory handle, zx_handle_t given);

#endif
