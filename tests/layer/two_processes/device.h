// SPDX-License-Identifier: Apache-2.0
//
// As little Vulkan as sharing a buffer takes. Every failure ends the program with a sentence.
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

// A buffer of SIZE bytes, its memory, and where the host sees it.
struct shared {
    VkBuffer buffer;
    VkDeviceMemory memory;
    volatile uint32_t *words;
};

void must(int64_t result, const char *call); // 0 is success, of Vulkan and Zircon alike
_Noreturn void fail(const char *what);

struct device device_open(void); // the first that has VK_FUCHSIA_external_memory
void device_close(const struct device *device);

struct shared buffer_export(const struct device *device, zx_handle_t *vmo); // the VMO's handle is the caller's
struct shared buffer_import(const struct device *device, zx_handle_t vmo);  // takes the handle
void buffer_free(const struct device *device, const struct shared *shared);

#endif
