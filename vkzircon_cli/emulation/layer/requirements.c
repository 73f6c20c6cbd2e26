// SPDX-License-Identifier: Apache-2.0
//
// External buffers and images: the driver makes them for host memory, and names memory types for them of which only
// those are passed on that VMOs can have.
#include "chain.h"

static VkExternalMemoryHandleTypeFlags host_for_zircon(VkExternalMemoryHandleTypeFlags types) {
    return (types & ~(VkExternalMemoryHandleTypeFlags)ZIRCON_VMO) | HOST_MEMORY;
}

// VkExternalMemoryBufferCreateInfo and VkExternalMemoryImageCreateInfo are alike but for their type.
_Static_assert(sizeof(VkExternalMemoryBufferCreateInfo) == sizeof(VkExternalMemoryImageCreateInfo) &&
                   offsetof(VkExternalMemoryBufferCreateInfo, handleTypes) ==
                       offsetof(VkExternalMemoryImageCreateInfo, handleTypes),
               "one function rewrites both");

// Whether the resource is one of ours; then `chain` holds its create-info's pNext for the driver.
static bool rewrite_external(struct chain *chain, const void *first, VkStructureType type,
                             VkExternalMemoryBufferCreateInfo *ours) {
    if (!chain_read(first, type, ours, sizeof *ours) || !(ours->handleTypes & ZIRCON_VMO))
        return false;
    ours->handleTypes = host_for_zircon(ours->handleTypes);
    const struct chain_rule rule = {type, ours};
    chain_rewrite(chain, first, &rule, 1);
    return true;
}

static void remember(struct device *device, struct registry *registry, struct entry *entry, uint64_t handle) {
    pthread_mutex_lock(&device->mutex);
    registry_add(registry, entry, handle);
    pthread_mutex_unlock(&device->mutex);
}

static void forget(struct device *device, struct registry *registry, uint64_t handle,
                   const VkAllocationCallbacks *allocator) {
    pthread_mutex_lock(&device->mutex);
    struct entry *entry = registry_take(registry, handle);
    pthread_mutex_unlock(&device->mutex);
    host_free(allocator, entry);
}

static bool is_ours(struct device *device, struct registry *registry, uint64_t handle) {
    pthread_mutex_lock(&device->mutex);
    const bool found = registry_find(registry, handle) != NULL;
    pthread_mutex_unlock(&device->mutex);
    return found;
}

// Only entries that the application leaked, whose callbacks may be gone: they stay where they are.
void device_forget_resources(struct device *device) {
    while (registry_take_any(&device->buffers) || registry_take_any(&device->images))
        continue;
}

// An empty mask is no answer: a resource that cannot live in shareable memory, which the queries said, keeps the
// driver's types, and the allocation then fails.
static void cut_memory_types(const struct device *device, VkMemoryRequirements *requirements) {
    const uint32_t usable = usable_memory_types(device->physical, requirements->memoryTypeBits);
    if (usable)
        requirements->memoryTypeBits = usable;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateBuffer(VkDevice handle, const VkBufferCreateInfo *info,
                                                 const VkAllocationCallbacks *allocator, VkBuffer *buffer) {
    vkz_point(VKZ_POINT_CREATE_BUFFER);
    struct device *device = device_of(handle);
    struct chain chain;
    VkExternalMemoryBufferCreateInfo external;
    if (!emulates(device) ||
        !rewrite_external(&chain, info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, &external))
        return device->next.CreateBuffer(handle, info, allocator, buffer);
    VkBufferCreateInfo below = *info;
    below.pNext = chain.first;
    struct entry *entry = host_allocate(allocator, sizeof *entry, VK_SYSTEM_ALLOCATION_SCOPE_OBJECT);
    const VkResult result =
        entry ? device->next.CreateBuffer(handle, &below, allocator, buffer) : VK_ERROR_OUT_OF_HOST_MEMORY;
    chain_restore(&chain);
    if (result == VK_SUCCESS)
        remember(device, &device->buffers, entry, (uint64_t)*buffer);
    else
        host_free(allocator, entry);
    return result;
}

VKAPI_ATTR void VKAPI_CALL hook_DestroyBuffer(VkDevice handle, VkBuffer buffer,
                                              const VkAllocationCallbacks *allocator) {
    struct device *device = device_of(handle);
    forget(device, &device->buffers, (uint64_t)buffer, allocator);
    device->next.DestroyBuffer(handle, buffer, allocator);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateImage(VkDevice handle, const VkImageCreateInfo *info,
                                                const VkAllocationCallbacks *allocator, VkImage *image) {
    struct device *device = device_of(handle);
    struct chain chain;
    VkExternalMemoryBufferCreateInfo external;
    if (!emulates(device) ||
        !rewrite_external(&chain, info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, &external))
        return device->next.CreateImage(handle, info, allocator, image);
    VkImageCreateInfo below = *info;
    below.pNext = chain.first;
    struct entry *entry = host_allocate(allocator, sizeof *entry, VK_SYSTEM_ALLOCATION_SCOPE_OBJECT);
    const VkResult result =
        entry ? device->next.CreateImage(handle, &below, allocator, image) : VK_ERROR_OUT_OF_HOST_MEMORY;
    chain_restore(&chain);
    if (result == VK_SUCCESS)
        remember(device, &device->images, entry, (uint64_t)*image);
    else
        host_free(allocator, entry);
    return result;
}

VKAPI_ATTR void VKAPI_CALL hook_DestroyImage(VkDevice handle, VkImage image, const VkAllocationCallbacks *allocator) {
    struct device *device = device_of(handle);
    forget(device, &device->images, (uint64_t)image, allocator);
    device->next.DestroyImage(handle, image, allocator);
}

VKAPI_ATTR void VKAPI_CALL hook_GetBufferMemoryRequirements(VkDevice handle, VkBuffer buffer,
                                                            VkMemoryRequirements *requirements) {
    struct device *device = device_of(handle);
    device->next.GetBufferMemoryRequirements(handle, buffer, requirements);
    if (is_ours(device, &device->buffers, (uint64_t)buffer))
        cut_memory_types(device, requirements);
}

VKAPI_ATTR void VKAPI_CALL hook_GetBufferMemoryRequirements2(VkDevice handle,
                                                             const VkBufferMemoryRequirementsInfo2 *info,
                                                             VkMemoryRequirements2 *requirements) {
    struct device *device = device_of(handle);
    device->next.GetBufferMemoryRequirements2(handle, info, requirements);
    if (is_ours(device, &device->buffers, (uint64_t)info->buffer))
        cut_memory_types(device, &requirements->memoryRequirements);
}

VKAPI_ATTR void VKAPI_CALL hook_GetImageMemoryRequirements(VkDevice handle, VkImage image,
                                                           VkMemoryRequirements *requirements) {
    struct device *device = device_of(handle);
    device->next.GetImageMemoryRequirements(handle, image, requirements);
    if (is_ours(device, &device->images, (uint64_t)image))
        cut_memory_types(device, requirements);
}

VKAPI_ATTR void VKAPI_CALL hook_GetImageMemoryRequirements2(VkDevice handle, const VkImageMemoryRequirementsInfo2 *info,
                                                            VkMemoryRequirements2 *requirements) {
    struct device *device = device_of(handle);
    device->next.GetImageMemoryRequirements2(handle, info, requirements);
    if (is_ours(device, &device->images, (uint64_t)info->image))
        cut_memory_types(device, &requirements->memoryRequirements);
}

VKAPI_ATTR void VKAPI_CALL hook_GetDeviceBufferMemoryRequirements(VkDevice handle,
                                                                  const VkDeviceBufferMemoryRequirements *info,
                                                                  VkMemoryRequirements2 *requirements) {
    struct device *device = device_of(handle);
    const PFN_vkGetDeviceBufferMemoryRequirements next = device->next.GetDeviceBufferMemoryRequirements;
    struct chain chain;
    VkExternalMemoryBufferCreateInfo external;
    if (!emulates(device) || !rewrite_external(&chain, info->pCreateInfo->pNext,
                                               VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, &external)) {
        next(handle, info, requirements);
        return;
    }
    VkBufferCreateInfo create = *info->pCreateInfo;
    VkDeviceBufferMemoryRequirements below = *info;
    create.pNext = chain.first;
    below.pCreateInfo = &create;
    next(handle, &below, requirements);
    chain_restore(&chain);
    cut_memory_types(device, &requirements->memoryRequirements);
}

VKAPI_ATTR void VKAPI_CALL hook_GetDeviceImageMemoryRequirements(VkDevice handle,
                                                                 const VkDeviceImageMemoryRequirements *info,
                                                                 VkMemoryRequirements2 *requirements) {
    struct device *device = device_of(handle);
    const PFN_vkGetDeviceImageMemoryRequirements next = device->next.GetDeviceImageMemoryRequirements;
    struct chain chain;
    VkExternalMemoryBufferCreateInfo external;
    if (!emulates(device) || !rewrite_external(&chain, info->pCreateInfo->pNext,
                                               VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, &external)) {
        next(handle, info, requirements);
        return;
    }
    VkImageCreateInfo create = *info->pCreateInfo;
    VkDeviceImageMemoryRequirements below = *info;
    create.pNext = chain.first;
    below.pCreateInfo = &create;
    next(handle, &below, requirements);
    chain_restore(&chain);
    cut_memory_types(device, &requirements->memoryRequirements);
}
