// SPDX-License-Identifier: Apache-2.0
//
// Allocations that may fail. All functions return their result instead of ending the program.
#ifndef VKZIRCON_TESTS_SCENE_H_
#define VKZIRCON_TESTS_SCENE_H_

#include "aspects.h"

#include <stdbool.h>
#include <stddef.h>

struct scene {
    struct gpu gpu;
    uint32_t type; // of all allocations; an external buffer can have it
    report_function report;
};

// A buffer and SIZE bytes of memory for it.
struct shared {
    VkBuffer buffer;
    VkDeviceMemory memory; // VK_NULL_HANDLE unless the result is VK_SUCCESS
    unsigned char *bytes;  // mapped, or NULL
};

VkResult scene_allocate(const struct scene *scene, VkDeviceSize size, const void *next, VkDeviceMemory *memory);
VkResult scene_free_at_once(const struct scene *scene, VkResult result, VkDeviceMemory memory); // returns `result`

VkResult scene_export(const struct scene *scene, struct shared *shared); // a dedicated allocation
VkResult scene_import(const struct scene *scene, VkDeviceSize size, zx_handle_t handle, VkDeviceMemory *memory);
VkResult scene_map(const struct scene *scene, struct shared *shared);
void scene_free(const struct scene *scene, struct shared *shared); // may be called twice

VkResult scene_get(const struct scene *scene, VkDeviceMemory memory, zx_handle_t *handle);

// Returns the result and the memory type bits. `header_kept` may be NULL.
VkResult scene_ask(const struct scene *scene, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t handle,
                   uint32_t *bits, bool *header_kept);

void pattern_write(unsigned char *bytes, size_t size, unsigned char seed);
size_t pattern_wrong(const unsigned char *bytes, size_t size, unsigned char seed);

// 1 or 0, or the status of a failed zx_vmo_read().
int64_t pattern_in_vmo(zx_handle_t vmo, unsigned char seed);

zx_handle_t new_vmo(uint64_t size);
zx_status_t valid_status(zx_handle_t handle);
uint32_t handle_count(zx_handle_t handle);
zx_koid_t koid_of(zx_handle_t handle);
zx_obj_type_t type_of(zx_handle_t handle);

#endif
