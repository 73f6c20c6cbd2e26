// SPDX-License-Identifier: Apache-2.0
//
// External buffers and images. The driver creates them for host memory; of the memory types that it reports, the layer
// passes on those that VMOs can have.
#include "chain.h"
#include "device.h"
#include "hooks.h"

// VkExternalMemoryImageCreateInfo has the same members.
typedef VkExternalMemoryBufferCreateInfo external_info;
_Static_assert(sizeof(external_info) == sizeof(VkExternalMemoryImageCreateInfo) &&
                   offsetof(external_info, handleTypes) == offsetof(VkExternalMemoryImageCreateInfo, handleTypes),
               "one function rewrites both");

// A create-info's pNext chain for the driver.
struct rewritten {
    struct chain chain;
    external_info external;
};

// False unless the application asks for a VMO.
static bool rewrite(struct rewritten *rewritten, const struct device *device, const void *first, VkStructureType type) {
    const external_info *asked = emulates(device) ? chain_find(first, type) : NULL;
    if (!asked || !(asked->handleTypes & ZIRCON_VMO))
        return false;
    rewritten->external = *asked;
    rewritten->external.handleTypes = (asked->handleTypes & ~(VkFlags)ZIRCON_VMO) | HOST_MEMORY;
    const struct chain_rule rule = {type, &rewritten->external};
    chain_rewrite(&rewritten->chain, first, &rule, 1);
    return true;
}

// Adds the record of a resource that the driver created, or frees it if the driver failed.
static VkResult remember(struct device *device, struct registry *registry, struct registry_entry *entry,
                         const VkAllocationCallbacks *allocator, VkResult result, uint64_t handle) {
    if (result != VK_SUCCESS) {
        host_free(allocator, entry);
        return result;
    }
    device_add(device, registry, entry, handle);
    return VK_SUCCESS;
}

static void forget(struct device *device, struct registry *registry, uint64_t handle,
                   const VkAllocationCallbacks *allocator) {
    host_free(allocator, device_take(device, registry, handle));
}

// The records stay allocated: the application's callbacks may be invalid by now.
void device_forget_resources(struct device *device) {
    while (registry_take_any(&device->buffers) || registry_take_any(&device->images))
        continue;
}

// The spec forbids an empty mask. A resource that shareable memory cannot back, as the queries reported, keeps the
// driver's types, and the allocation fails later.
static void cut_memory_types(const struct device *device, VkMemoryRequirements *requirements) {
    const uint32_t usable = usable_memory_types(device->physical, requirements->memoryTypeBits);
    if (usable)
        requirements->memoryTypeBits = usable;
}

static void cut_if_external(struct device *device, struct registry *registry, uint64_t handle,
                            VkMemoryRequirements *requirements) {
    if (has_nothing_external(device))
        return;
    pthread_mutex_lock(&device->mutex);
    const bool external = registry_find(registry, handle) != NULL;
    pthread_mutex_unlock(&device->mutex);
    if (external)
        cut_memory_types(device, requirements);
}

// Buffers and images have the same commands under different names.
#define RESOURCE_HOOKS(Name, name, NAME)                                                                               \
    VKAPI_ATTR VkResult VKAPI_CALL hook_Create##Name(VkDevice handle, const Vk##Name##CreateInfo *info,                \
                                                     const VkAllocationCallbacks *allocator, Vk##Name *name) {         \
        struct device *device = device_of(handle);                                                                     \
        struct rewritten rewritten;                                                                                    \
        if (!rewrite(&rewritten, device, info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_##NAME##_CREATE_INFO))         \
            return device->next.Create##Name(handle, info, allocator, name);                                           \
        Vk##Name##CreateInfo below = *info;                                                                            \
        below.pNext = rewritten.chain.first;                                                                           \
        struct registry_entry *entry = host_allocate(allocator, sizeof *entry, VK_SYSTEM_ALLOCATION_SCOPE_OBJECT);     \
        const VkResult result =                                                                                        \
            entry ? device->next.Create##Name(handle, &below, allocator, name) : VK_ERROR_OUT_OF_HOST_MEMORY;          \
        return remember(device, &device->name##s, entry, allocator, result, (uint64_t)*name);                          \
    }                                                                                                                  \
                                                                                                                       \
    static VKAPI_ATTR void VKAPI_CALL hook_Destroy##Name(VkDevice handle, Vk##Name name,                               \
                                                         const VkAllocationCallbacks *allocator) {                     \
        struct device *device = device_of(handle);                                                                     \
        forget(device, &device->name##s, (uint64_t)name, allocator);                                                   \
        device->next.Destroy##Name(handle, name, allocator);                                                           \
    }                                                                                                                  \
                                                                                                                       \
    VKAPI_ATTR void VKAPI_CALL hook_Get##Name##MemoryRequirements(VkDevice handle, Vk##Name name,                      \
                                                                  VkMemoryRequirements *requirements) {                \
        struct device *device = device_of(handle);                                                                     \
        device->next.Get##Name##MemoryRequirements(handle, name, requirements);                                        \
        cut_if_external(device, &device->name##s, (uint64_t)name, requirements);                                       \
    }                                                                                                                  \
                                                                                                                       \
    VKAPI_ATTR void VKAPI_CALL hook_Get##Name##MemoryRequirements2(                                                    \
        VkDevice handle, const Vk##Name##MemoryRequirementsInfo2 *info, VkMemoryRequirements2 *requirements) {         \
        struct device *device = device_of(handle);                                                                     \
        device->next.Get##Name##MemoryRequirements2(handle, info, requirements);                                       \
        cut_if_external(device, &device->name##s, (uint64_t)info->name, &requirements->memoryRequirements);            \
    }                                                                                                                  \
                                                                                                                       \
    static VKAPI_ATTR void VKAPI_CALL hook_GetDevice##Name##MemoryRequirements(                                        \
        VkDevice handle, const VkDevice##Name##MemoryRequirements *info, VkMemoryRequirements2 *requirements) {        \
        struct device *device = device_of(handle);                                                                     \
        struct rewritten rewritten;                                                                                    \
        if (!rewrite(&rewritten, device, info->pCreateInfo->pNext,                                                     \
                     VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_##NAME##_CREATE_INFO)) {                                        \
            device->next.GetDevice##Name##MemoryRequirements(handle, info, requirements);                              \
            return;                                                                                                    \
        }                                                                                                              \
        Vk##Name##CreateInfo create = *info->pCreateInfo;                                                              \
        VkDevice##Name##MemoryRequirements below = *info;                                                              \
        create.pNext = rewritten.chain.first;                                                                          \
        below.pCreateInfo = &create;                                                                                   \
        device->next.GetDevice##Name##MemoryRequirements(handle, &below, requirements);                                \
        cut_memory_types(device, &requirements->memoryRequirements);                                                   \
    }

RESOURCE_HOOKS(Buffer, buffer, BUFFER)
RESOURCE_HOOKS(Image, image, IMAGE)

// An image's create-info for the driver: the application's own, or a copy in `below`.
struct image_below {
    struct rewritten rewritten;
    VkImageCreateInfo info;
};

static const VkImageCreateInfo *image_info_below(struct image_below *below, const struct device *device,
                                                 const VkImageCreateInfo *info) {
    if (!rewrite(&below->rewritten, device, info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO))
        return info;
    below->info = *info;
    below->info.pNext = below->rewritten.chain.first;
    return &below->info;
}

static VKAPI_ATTR void VKAPI_CALL
hook_GetDeviceImageSparseMemoryRequirements(VkDevice handle, const VkDeviceImageMemoryRequirements *info,
                                            uint32_t *count, VkSparseImageMemoryRequirements2 *requirements) {
    const struct device *device = device_of(handle);
    VkDeviceImageMemoryRequirements below = *info;
    struct image_below image;
    below.pCreateInfo = image_info_below(&image, device, info->pCreateInfo);
    device->next.GetDeviceImageSparseMemoryRequirements(handle, &below, count, requirements);
}

static VKAPI_ATTR void VKAPI_CALL hook_GetDeviceImageSubresourceLayout(VkDevice handle,
                                                                       const struct newer_image_subresource *info,
                                                                       void *layout) {
    const struct device *device = device_of(handle);
    struct newer_image_subresource below = *info;
    struct image_below image;
    below.pCreateInfo = image_info_below(&image, device, info->pCreateInfo);
    device->next.GetDeviceImageSubresourceLayout(handle, &below, layout);
}

#define RESOURCE_ROWS(Name)                                                                                            \
    ROW(hook, DEVICE, Create##Name), ROW(hook, DEVICE, Destroy##Name),                                                 \
        ROW(hook, DEVICE, Get##Name##MemoryRequirements), ROW_KHR(hook, DEVICE, Get##Name##MemoryRequirements2),       \
        ROW_KHR(hook, DEVICE, GetDevice##Name##MemoryRequirements)

const struct hook resource_hooks[] = {
    RESOURCE_ROWS(Buffer),
    RESOURCE_ROWS(Image),
    ROW_KHR(hook, DEVICE, GetDeviceImageSparseMemoryRequirements),
    ROW_KHR(hook, DEVICE, GetDeviceImageSubresourceLayout),
    LAST_ROW,
};
