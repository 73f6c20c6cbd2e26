// SPDX-License-Identifier: Apache-2.0
//
// Shared by all files of the emulation layer: names, Vulkan's headers, the application's allocation callbacks.
//
// interface.c      entry points for the loader, the search for a hook, the list of extensions
// hooks.h          rows of the hook table, which each file exports
// dispatch.c       dispatch tables: the commands of the layer below
// instance.c       instances, and the trial that decides whether a physical device can be emulated
// device.c         devices
// capabilities.c   external memory queries
// requirements.c   external buffers and images, and their memory types
// device_memory.c  allocation, export, import, the extension's two commands
// chain.c          pNext chains
// faulty_*.c       decorators that replace hooks while some fault is on
#ifndef VKZIRCON_LAYER_H_
#define VKZIRCON_LAYER_H_

#define VK_NO_PROTOTYPES
#define VK_USE_PLATFORM_FUCHSIA
#include <vulkan/vulkan.h>

#include <vulkan/vk_layer.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zircon_private.h"

#define LAYER_NAME  "VK_LAYER_VKZIRCON_external_memory"
#define ZIRCON_VMO  VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA
#define HOST_MEMORY VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT

// Zeroed memory from the application's callbacks, or from libc without callbacks.
static inline void *host_allocate(const VkAllocationCallbacks *allocator, size_t size, VkSystemAllocationScope scope) {
    if (!allocator)
        return calloc(1, size);
    void *memory = allocator->pfnAllocation(allocator->pUserData, size, _Alignof(max_align_t), scope);
    return memory ? memset(memory, 0, size) : NULL;
}

static inline void host_free(const VkAllocationCallbacks *allocator, void *memory) {
    if (!allocator)
        free(memory);
    else if (memory)
        allocator->pfnFree(allocator->pUserData, memory);
}

static inline bool extension_is_named(const char *const *names, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

#endif
