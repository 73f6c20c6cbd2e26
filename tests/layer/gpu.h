// SPDX-License-Identifier: Apache-2.0
//
// As much Vulkan as the tests need: an instance with one device, external buffers and images, and work for the GPU.
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
    VkDevice device; // NULL where gpu_open_instance() was all
    VkQueue queue;
    VkCommandPool pool;
    PFN_vkGetMemoryZirconHandleFUCHSIA get_handle; // NULL unless the extension is enabled
    PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA get_handle_properties;
    uint32_t shared_types; // what get_handle_properties() says of a fresh VMO,
    uint32_t shared_type;  // and the first of them
};

// The first physical device. `extensions` are the device's; all core features are on. Failing ends the program.
VkResult gpu_create_instance(struct gpu *gpu, uint32_t api_version); // and nothing else
void gpu_open_instance(struct gpu *gpu, uint32_t api_version);
void gpu_open(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions);
void gpu_open_zircon(struct gpu *gpu); // with VK_FUCHSIA_external_memory alone
VkResult gpu_create_device(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions, const void *next);
VkResult gpu_create_bare_device(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions,
                                const void *next); // asks nothing of it, so that shared_types stays 0
void gpu_close_device(struct gpu *gpu);            // and not the instance
void gpu_close(struct gpu *gpu);

VkBuffer gpu_make_buffer(const struct gpu *gpu, VkDeviceSize size, VkExternalMemoryHandleTypeFlags external);
VkImage gpu_make_linear_image(const struct gpu *gpu, uint32_t width, VkExternalMemoryHandleTypeFlags external);

// The first type among `bits`; ends the program when there is none.
uint32_t gpu_pick_type(uint32_t bits);

VkResult gpu_export(const struct gpu *gpu, VkDeviceSize size, uint32_t type, VkDeviceMemory *memory);
VkResult gpu_import(const struct gpu *gpu, VkDeviceSize size, uint32_t type, zx_handle_t handle,
                    VkDeviceMemory *memory);
zx_handle_t gpu_get_handle(const struct gpu *gpu, VkDeviceMemory memory); // ZX_HANDLE_INVALID on failure

// Does it and waits, with a barrier to the host behind it.
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
