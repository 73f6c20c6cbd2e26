// SPDX-License-Identifier: Apache-2.0
//
// The fault random-answers. An answer is replaced before the driver is asked, or by a value that fits into its output.
#include "faulty.h"

VkResult faulty_result(void) {
    static const VkResult results[] = {
        VK_NOT_READY,
        VK_TIMEOUT,
        VK_INCOMPLETE,
        VK_ERROR_OUT_OF_HOST_MEMORY,
        VK_ERROR_OUT_OF_DEVICE_MEMORY,
        VK_ERROR_INITIALIZATION_FAILED,
        VK_ERROR_DEVICE_LOST,
        VK_ERROR_MEMORY_MAP_FAILED,
        VK_ERROR_EXTENSION_NOT_PRESENT,
        VK_ERROR_INCOMPATIBLE_DRIVER,
        VK_ERROR_TOO_MANY_OBJECTS,
        VK_ERROR_FORMAT_NOT_SUPPORTED,
        VK_ERROR_UNKNOWN,
        VK_ERROR_INVALID_EXTERNAL_HANDLE,
    };
    const size_t known = sizeof results / sizeof results[0];
    uint64_t random;
    if (!vkz_random(&random))
        return VK_SUCCESS;
    return random % (known + 1) < known ? results[random % (known + 1)] : (VkResult)(random >> 32);
}

void faulty_bits(uint32_t *bits) {
    uint64_t random;
    if (vkz_random(&random))
        *bits = (uint32_t)(random >> 32);
}

void faulty_count(uint32_t *count, uint32_t most) {
    uint64_t random;
    if (vkz_random(&random))
        *count = (uint32_t)(random % ((uint64_t)most + 1));
}

// Sizes between these are left out: a VMO of that size can be made, and programs that fill it would use up the memory.
void faulty_size(VkDeviceSize *size) {
    const VkDeviceSize small = (VkDeviceSize)1 << 22, large = (VkDeviceSize)1 << 63;
    uint64_t random;
    if (vkz_random(&random))
        *size = random % 3 ? random % small : random | large;
}

void faulty_bytes(void *bytes, size_t size) {
    uint64_t random;
    if (!vkz_random(&random))
        return;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(random = (random * 6364136223846793005u + 1442695040888963407u) >> 8);
}

static void spoil_memory(VkPhysicalDeviceMemoryProperties *memory) {
    faulty_count(&memory->memoryTypeCount, VK_MAX_MEMORY_TYPES);
    faulty_count(&memory->memoryHeapCount, VK_MAX_MEMORY_HEAPS);
    for (uint32_t i = 0; i < VK_MAX_MEMORY_TYPES; i++) {
        faulty_bits(&memory->memoryTypes[i].propertyFlags);
        faulty_count(&memory->memoryTypes[i].heapIndex, VK_MAX_MEMORY_HEAPS - 1);
    }
    for (uint32_t i = 0; i < VK_MAX_MEMORY_HEAPS; i++) {
        faulty_bits(&memory->memoryHeaps[i].flags);
        faulty_size(&memory->memoryHeaps[i].size);
    }
}

static VKAPI_ATTR void VKAPI_CALL faulty_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice handle,
                                                                           VkPhysicalDeviceMemoryProperties *memory) {
    instance_of(handle)->next.GetPhysicalDeviceMemoryProperties(handle, memory);
    spoil_memory(memory);
}

static VKAPI_ATTR void VKAPI_CALL faulty_GetPhysicalDeviceMemoryProperties2(VkPhysicalDevice handle,
                                                                            VkPhysicalDeviceMemoryProperties2 *memory) {
    instance_of(handle)->next.GetPhysicalDeviceMemoryProperties2(handle, memory);
    spoil_memory(&memory->memoryProperties);
}

static VKAPI_ATTR void VKAPI_CALL faulty_GetPhysicalDeviceQueueFamilyProperties(VkPhysicalDevice handle,
                                                                                uint32_t *count,
                                                                                VkQueueFamilyProperties *families) {
    if (families)
        faulty_count(count, *count);
    instance_of(handle)->next.GetPhysicalDeviceQueueFamilyProperties(handle, count, families);
    for (uint32_t i = 0; families && i < *count; i++) {
        faulty_bits(&families[i].queueFlags);
        faulty_count(&families[i].queueCount, 64);
    }
    if (!families)
        faulty_count(count, 64);
}

static void spoil_requirements(VkMemoryRequirements *requirements) {
    faulty_size(&requirements->size);
    faulty_size(&requirements->alignment);
    faulty_bits(&requirements->memoryTypeBits);
}

#define REQUIREMENTS(Name)                                                                                             \
    static VKAPI_ATTR void VKAPI_CALL faulty_Get##Name##MemoryRequirements(VkDevice handle, Vk##Name resource,         \
                                                                           VkMemoryRequirements *requirements) {       \
        hook_Get##Name##MemoryRequirements(handle, resource, requirements);                                            \
        spoil_requirements(requirements);                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static VKAPI_ATTR void VKAPI_CALL faulty_Get##Name##MemoryRequirements2(                                           \
        VkDevice handle, const Vk##Name##MemoryRequirementsInfo2 *info, VkMemoryRequirements2 *requirements) {         \
        hook_Get##Name##MemoryRequirements2(handle, info, requirements);                                               \
        spoil_requirements(&requirements->memoryRequirements);                                                         \
    }

REQUIREMENTS(Buffer)
REQUIREMENTS(Image)

const struct hook faulty_random_hooks[] = {
    ROW(faulty, INSTANCE, GetPhysicalDeviceMemoryProperties),
    ROW_KHR(faulty, INSTANCE, GetPhysicalDeviceMemoryProperties2),
    ROW(faulty, INSTANCE, GetPhysicalDeviceQueueFamilyProperties),
    ROW(faulty, DEVICE, GetBufferMemoryRequirements),
    ROW_KHR(faulty, DEVICE, GetBufferMemoryRequirements2),
    ROW(faulty, DEVICE, GetImageMemoryRequirements),
    ROW_KHR(faulty, DEVICE, GetImageMemoryRequirements2),
    LAST_ROW,
};
