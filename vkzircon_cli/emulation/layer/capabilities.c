// SPDX-License-Identifier: Apache-2.0
//
// The external-memory queries. The driver is asked about host memory, and its answer told as one about VMOs.
#include "chain.h"
#include "faulty.h"

#include <string.h>

// What an external resource of ours can do: export and import, alone among the handle types.
static const VkExternalMemoryProperties zircon_properties = {
    .externalMemoryFeatures = VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
    .exportFromImportedHandleTypes = ZIRCON_VMO,
    .compatibleHandleTypes = ZIRCON_VMO,
};

static VkExternalMemoryProperties told_properties(bool shareable) {
    VkExternalMemoryProperties told = shareable ? zircon_properties : (VkExternalMemoryProperties){0};
    if (shareable)
        faulty_capabilities(&told);
    return told;
}

// Export rests on import: our VMO is what the driver takes in. A resource that must have a dedicated allocation cannot
// be shared, because none is allowed beside a host pointer (VUID-VkMemoryAllocateInfo-pNext-02806).
static bool takes_host_memory(const VkExternalMemoryProperties *answer) {
    return (answer->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) &&
           !(answer->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT);
}

// The trial device enables no extension, so it is asked without what extensions add. The spec lets memory types depend
// on little more than tiling, format, sparseness and transience, and never on a size.
#define CORE_BUFFER_USAGE ((VkBufferUsageFlags)VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT * 2 - 1)
#define CORE_IMAGE_USAGE  ((VkImageUsageFlags)VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT * 2 - 1)
#define SPARSE_IMAGE                                                                                                   \
    (VK_IMAGE_CREATE_SPARSE_BINDING_BIT | VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT | VK_IMAGE_CREATE_SPARSE_ALIASED_BIT)
#define ASKED_IMAGE_FLAGS                                                                                              \
    (SPARSE_IMAGE | VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT | VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT |                         \
     VK_IMAGE_CREATE_2D_ARRAY_COMPATIBLE_BIT | VK_IMAGE_CREATE_BLOCK_TEXEL_VIEW_COMPATIBLE_BIT |                       \
     VK_IMAGE_CREATE_EXTENDED_USAGE_BIT | VK_IMAGE_CREATE_ALIAS_BIT)

static uint32_t buffer_memory_types(const struct physical_device *physical,
                                    const VkPhysicalDeviceExternalBufferInfo *asked) {
    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = HOST_MEMORY,
    };
    const VkBufferUsageFlags usage = asked->usage & CORE_BUFFER_USAGE;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .flags = asked->flags & (VK_BUFFER_CREATE_SPARSE_BINDING_BIT | VK_BUFFER_CREATE_SPARSE_RESIDENCY_BIT |
                                 VK_BUFFER_CREATE_SPARSE_ALIASED_BIT),
        .size = VKZ_GRANULE,
        .usage = usage ? usage : VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    const struct device_commands *next = &physical->scratch_next;
    VkBuffer buffer;
    if (next->CreateBuffer(physical->scratch, &info, NULL, &buffer) != VK_SUCCESS)
        return 0;
    VkMemoryRequirements requirements;
    next->GetBufferMemoryRequirements(physical->scratch, buffer, &requirements);
    next->DestroyBuffer(physical->scratch, buffer, NULL);
    return usable_memory_types(physical, requirements.memoryTypeBits);
}

VKAPI_ATTR void VKAPI_CALL hook_GetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalBufferInfo *info, VkExternalBufferProperties *properties) {
    struct instance *instance = instance_of(handle);
    const PFN_vkGetPhysicalDeviceExternalBufferProperties next =
        instance->next.GetPhysicalDeviceExternalBufferProperties;
    const struct physical_device *physical =
        info->handleType == ZIRCON_VMO ? physical_device_of(instance, handle) : NULL;
    if (!physical || !physical->memory_types) {
        next(handle, info, properties);
        return;
    }
    vkz_point(VKZ_POINT_CAPABILITIES);
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_UNWRITTEN))
        return;
    VkPhysicalDeviceExternalBufferInfo below = *info;
    below.handleType = HOST_MEMORY;
    next(handle, &below, properties);
    // Host memory is never protected.
    const bool shareable = takes_host_memory(&properties->externalMemoryProperties) &&
                           !(info->flags & VK_BUFFER_CREATE_PROTECTED_BIT) && buffer_memory_types(physical, info) &&
                           !vkz_fault(VKZ_FAULT_DENY_ALL);
    properties->externalMemoryProperties = told_properties(shareable);
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_CLOBBER_HEADER))
        properties->sType = 0;
}

// As small as an image may be that a cube, a block of texels and a subsampled plane fit into.
static VkExtent3D smallest_extent(VkImageType type) {
    return (VkExtent3D){
        .width = 16,
        .height = type == VK_IMAGE_TYPE_1D ? 1 : 16,
        .depth = type == VK_IMAGE_TYPE_3D ? 16 : 1,
    };
}

static uint32_t image_memory_types(const struct physical_device *physical,
                                   const VkPhysicalDeviceImageFormatInfo2 *asked) {
    const VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .handleTypes = HOST_MEMORY,
    };
    const VkImageUsageFlags usage = asked->usage & CORE_IMAGE_USAGE;
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = &external,
        .flags = asked->flags & ASKED_IMAGE_FLAGS,
        .imageType = asked->type,
        .format = asked->format,
        .extent = smallest_extent(asked->type),
        .mipLevels = 1,
        .arrayLayers = asked->flags & VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT ? 6 : 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = asked->tiling,
        .usage = usage ? usage : VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    const struct device_commands *next = &physical->scratch_next;
    VkImage image;
    if (next->CreateImage(physical->scratch, &info, NULL, &image) != VK_SUCCESS)
        return 0;
    VkMemoryRequirements requirements;
    next->GetImageMemoryRequirements(physical->scratch, image, &requirements);
    next->DestroyImage(physical->scratch, image, NULL);
    return usable_memory_types(physical, requirements.memoryTypeBits);
}

// Modifiers belong to dma-bufs, and protected memory is nobody's to share.
static bool may_be_shared(const VkPhysicalDeviceImageFormatInfo2 *info) {
    return (info->tiling == VK_IMAGE_TILING_OPTIMAL || info->tiling == VK_IMAGE_TILING_LINEAR) &&
           !(info->flags & VK_IMAGE_CREATE_PROTECTED_BIT);
}

static VkResult ask_about_host_memory(const struct physical_device *physical,
                                      const VkPhysicalDeviceImageFormatInfo2 *info,
                                      VkImageFormatProperties2 *properties) {
    VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = HOST_MEMORY,
    };
    const struct chain_rule rule = {external.sType, &external};
    VkPhysicalDeviceImageFormatInfo2 below = *info;
    struct chain chain;
    chain_rewrite(&chain, info->pNext, &rule, 1);
    below.pNext = chain.first;
    const VkResult result =
        physical->instance->next.GetPhysicalDeviceImageFormatProperties2(physical->handle, &below, properties);
    chain_restore(&chain);
    return result;
}

// The application need not ask for the external properties; we do. Its own struct, where it has one, is filled in
// place.
static VkResult query_image(const struct physical_device *physical, const VkPhysicalDeviceImageFormatInfo2 *info,
                            VkImageFormatProperties2 *properties) {
    VkExternalImageFormatProperties *external = (VkExternalImageFormatProperties *)(uintptr_t)chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    VkExternalImageFormatProperties ours = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
        .pNext = properties->pNext,
    };
    VkImageFormatProperties2 below = *properties;
    if (!external) {
        external = &ours;
        below.pNext = &ours;
    }
    VkResult result = ask_about_host_memory(physical, info, &below);
    properties->imageFormatProperties = below.imageFormatProperties;
    const bool shareable = result == VK_SUCCESS && takes_host_memory(&external->externalMemoryProperties) &&
                           may_be_shared(info) && image_memory_types(physical, info) && !vkz_fault(VKZ_FAULT_DENY_ALL);
    if (result == VK_SUCCESS && !shareable)
        result = VK_ERROR_FORMAT_NOT_SUPPORTED;
    external->externalMemoryProperties = told_properties(shareable);
    if (!shareable) // the spec: every member is 0 where the combination is not supported
        memset(&properties->imageFormatProperties, 0, sizeof properties->imageFormatProperties);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_GetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info, VkImageFormatProperties2 *properties) {
    struct instance *instance = instance_of(handle);
    VkPhysicalDeviceExternalImageFormatInfo external;
    const bool ours = chain_read(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO, &external,
                                 sizeof external) &&
                      external.handleType == ZIRCON_VMO;
    const struct physical_device *physical = ours ? physical_device_of(instance, handle) : NULL;
    if (!physical || !physical->memory_types)
        return instance->next.GetPhysicalDeviceImageFormatProperties2(handle, info, properties);
    vkz_point(VKZ_POINT_CAPABILITIES);
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_UNWRITTEN))
        return VK_SUCCESS;
    const VkResult result = query_image(physical, info, properties);
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_CLOBBER_HEADER))
        faulty_clobber(properties);
    return result;
}
