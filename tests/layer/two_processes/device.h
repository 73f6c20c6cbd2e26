// SPDX-License-Identifier: Apache-2.0
//
// The part of Vulkan that sharing a buffer needs. A failure prints a sentence and ends the program.
#ifndef TWO_PROCESSES_DEVICE_H_
#define TWO_PROCESSES_DEVICE_H_

#include <stdint.h>
#include <vulkan/vulkan.h> // with VK_USE_PLATFORM_FUCHSIA, which `vkzircon emulate --cflags` defines

#define SIZE ((VkDeviceSize)65536)

struct device {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    PFN_vkGetMemoryZirconHandleFUCHSIA get_handle;
    PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA get_properties;
};

// A buffer of SIZE bytes, its memory, and the host address.
struct shared {
    VkBuffer buffer;
    VkDeviceMemory memory;
    volatile uint32_t *words;
};

void must(int64_t result, const char *call); // 0 is success in Vulkan and in Zircon
_Noreturn void fail(const char *what);

struct device device_open(void); // the first with VK_FUCHSIA_external_memory
void device_close(const struct device *device);

struct shared buffer_export(const struct device *device, zx_handle_t *vmo); // the VMO's handle belongs to the caller
struct shared buffer_import(const struct device *device, zx_handle_t vmo);  // takes the handle
void buffer_free(const struct device *device, const struct shared *shared);

#endif
