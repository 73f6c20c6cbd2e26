// SPDX-License-Identifier: Apache-2.0
//
// The part of Vulkan that the tests need: an instance with one device, external buffers and images, and GPU work.
#ifndef VKZIRCON_TESTS_GPU_H_
#define VKZIRCON_TESTS_GPU_H_

#define VK_USE_PLATFORM_FUCHSIA
#include <vulkan/vulkan.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zircon/syscalls.h>

#define ZIRCON_VMO VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA

struct gpu {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkPhysicalDeviceMemoryProperties memory;
    VkDevice device; // NULL after gpu_open_instance() alone
    VkQueue queue;
    VkCommandPool pool;
    PFN_vkGetMemoryZirconHandleFUCHSIA get_handle; // NULL unless the extension is enabled
    PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA get_handle_properties;
    uint32_t shared_types; // from get_handle_properties() for a new VMO
    uint32_t shared_type;  // the first of them
};

// The first physical device, with all core features. `extensions` are device extensions. A failure ends the program.
VkResult gpu_create_instance(struct gpu *gpu, uint32_t api_version); // the instance only
void gpu_open_instance(struct gpu *gpu, uint32_t api_version);
void gpu_open(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions);
void gpu_open_zircon(struct gpu *gpu); // with VK_FUCHSIA_external_memory only
VkResult gpu_create_device(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions, const void *next);
VkResult gpu_create_bare_device(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions,
                                const void *next); // makes no query, so shared_types stays 0
void gpu_close_device(struct gpu *gpu);            // keeps the instance
void gpu_close(struct gpu *gpu);

VkBuffer gpu_make_buffer(const struct gpu *gpu, VkDeviceSize size, VkExternalMemoryHandleTypeFlags external);
VkImage gpu_make_linear_image(const struct gpu *gpu, uint32_t width, VkExternalMemoryHandleTypeFlags external);

// The first type among `bits`. Ends the program if there is none.
uint32_t gpu_pick_type(uint32_t bits);

VkResult gpu_export(const struct gpu *gpu, VkDeviceSize size, uint32_t type, VkDeviceMemory *memory);
VkResult gpu_import(const struct gpu *gpu, VkDeviceSize size, uint32_t type, zx_handle_t handle,
                    VkDeviceMemory *memory);
zx_handle_t gpu_get_handle(const struct gpu *gpu, VkDeviceMemory memory); // ZX_HANDLE_INVALID on failure

// Submits, waits, and makes the result visible to the host.
void gpu_fill(const struct gpu *gpu, VkBuffer buffer, uint32_t word);
void gpu_clear(const struct gpu *gpu, VkImage image, const VkClearColorValue *color);

// An exporting allocation with a buffer bound to it.
struct shared_buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDeviceSize size; // of the allocation
    uint32_t type;
};

void shared_buffer_export(const struct gpu *gpu, VkDeviceSize size, struct shared_buffer *shared);
void shared_buffer_import(const struct gpu *gpu, VkDeviceSize size, zx_handle_t handle, struct shared_buffer *shared);
void shared_buffer_free(const struct gpu *gpu, const struct shared_buffer *shared);

#endif
