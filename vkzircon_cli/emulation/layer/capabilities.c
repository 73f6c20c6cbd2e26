// SPDX-License-Identifier: Apache-2.0
//
// The external memory queries. The driver answers for host memory, and the layer reports that answer for VMOs.
#include "chain.h"
#include "hooks.h"
#include "instance.h"

// A shareable resource can be exported and imported, with ZIRCON_VMO as its only handle type.
static VkExternalMemoryProperties zircon_properties(bool shareable) {
    return shareable
               ? (VkExternalMemoryProperties){.externalMemoryFeatures = VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT |
                                                                        VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
                                              .exportFromImportedHandleTypes = ZIRCON_VMO,
                                              .compatibleHandleTypes = ZIRCON_VMO}
               : (VkExternalMemoryProperties){0};
}

// Export needs import too, because the driver imports the pages of the layer's VMO. A resource that requires a
// dedicated allocation cannot be shared: a host pointer excludes one (VUID-VkMemoryAllocateInfo-pNext-02806). If the
// driver's queries report no import although the trial's import worked, only the resource's memory types decide.
static bool takes_host_memory(const struct physical_device *physical, const VkExternalMemoryProperties *answer) {
    if (physical->denies_imports)
        return !answer->externalMemoryFeatures;
    return (answer->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) &&
           !(answer->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT);
}

// The trial's device enables no extension, so usage and flags from extensions are left out. In the spec, memory types
// depend on little more than tiling, format, sparse binding and transient attachment, and never on a size.
#define CORE_BUFFER_USAGE ((VkBufferUsageFlags)VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT * 2 - 1)
#define CORE_IMAGE_USAGE  ((VkImageUsageFlags)VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT * 2 - 1)
#define SPARSE_IMAGE                                                                                                   \
    (VK_IMAGE_CREATE_SPARSE_BINDING_BIT | VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT | VK_IMAGE_CREATE_SPARSE_ALIASED_BIT)
#define ASKED_IMAGE_FLAGS                                                                                              \
    (SPARSE_IMAGE | VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT | VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT |                         \
     VK_IMAGE_CREATE_2D_ARRAY_COMPATIBLE_BIT | VK_IMAGE_CREATE_BLOCK_TEXEL_VIEW_COMPATIBLE_BIT |                       \
     VK_IMAGE_CREATE_EXTENDED_USAGE_BIT | VK_IMAGE_CREATE_ALIAS_BIT)

// Buffers and images have the same commands under different names.
#define MEMORY_TYPES(Name, NAME)                                                                                       \
    static uint32_t memory_types_of_##Name(const struct physical_device *physical, Vk##Name##CreateInfo info) {        \
        const VkExternalMemory##Name##CreateInfo external = {                                                          \
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_##NAME##_CREATE_INFO,                                           \
            .handleTypes = HOST_MEMORY,                                                                                \
        };                                                                                                             \
        const struct device_commands *next = &physical->scratch_next;                                                  \
        Vk##Name resource;                                                                                             \
        VkMemoryRequirements requirements;                                                                             \
        info.pNext = &external;                                                                                        \
        if (next->Create##Name(physical->scratch, &info, NULL, &resource) != VK_SUCCESS)                               \
            return 0;                                                                                                  \
        next->Get##Name##MemoryRequirements(physical->scratch, resource, &requirements);                               \
        next->Destroy##Name(physical->scratch, resource, NULL);                                                        \
        return usable_memory_types(physical, requirements.memoryTypeBits);                                             \
    }

MEMORY_TYPES(Buffer, BUFFER)
MEMORY_TYPES(Image, IMAGE)

static uint32_t buffer_memory_types(const struct physical_device *physical,
                                    const VkPhysicalDeviceExternalBufferInfo *asked) {
    const VkBufferUsageFlags usage = asked->usage & CORE_BUFFER_USAGE;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .flags = asked->flags & (VK_BUFFER_CREATE_SPARSE_BINDING_BIT | VK_BUFFER_CREATE_SPARSE_RESIDENCY_BIT |
                                 VK_BUFFER_CREATE_SPARSE_ALIASED_BIT),
        .size = VKZ_GRANULE,
        .usage = usage ? usage : VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    return memory_types_of_Buffer(physical, info);
}

VKAPI_ATTR void VKAPI_CALL hook_GetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalBufferInfo *info, VkExternalBufferProperties *properties) {
    const PFN_vkGetPhysicalDeviceExternalBufferProperties next =
        instance_of(handle)->next.GetPhysicalDeviceExternalBufferProperties;
    const struct physical_device *physical = info->handleType == ZIRCON_VMO ? emulated_physical_device(handle) : NULL;
    if (!physical) {
        next(handle, info, properties);
        return;
    }
    VkPhysicalDeviceExternalBufferInfo below = *info;
    below.handleType = HOST_MEMORY;
    next(handle, &below, properties);
    // Host memory is never protected.
    properties->externalMemoryProperties =
        zircon_properties(takes_host_memory(physical, &properties->externalMemoryProperties) &&
                          !(info->flags & VK_BUFFER_CREATE_PROTECTED_BIT) && buffer_memory_types(physical, info));
}

// Small, and still large enough for a cube, a texel block and a subsampled plane.
static VkExtent3D smallest_extent(VkImageType type) {
    return (VkExtent3D){
        .width = 16,
        .height = type == VK_IMAGE_TYPE_1D ? 1 : 16,
        .depth = type == VK_IMAGE_TYPE_3D ? 16 : 1,
    };
}

static uint32_t image_memory_types(const struct physical_device *physical,
                                   const VkPhysicalDeviceImageFormatInfo2 *asked) {
    const VkImageUsageFlags usage = asked->usage & CORE_IMAGE_USAGE;
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
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
    return memory_types_of_Image(physical, info);
}

// DRM format modifiers belong to dma-bufs, and protected memory is never shared.
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
    return physical->instance->next.GetPhysicalDeviceImageFormatProperties2(physical->handle, &below, properties);
}

// The layer needs the external properties even if the application did not ask for them. If it did, its own struct is
// filled in.
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
    const bool shareable = result == VK_SUCCESS && takes_host_memory(physical, &external->externalMemoryProperties) &&
                           may_be_shared(info) && image_memory_types(physical, info);
    if (result == VK_SUCCESS && !shareable)
        result = VK_ERROR_FORMAT_NOT_SUPPORTED;
    external->externalMemoryProperties = zircon_properties(shareable);
    if (!shareable) // the spec: every member is 0 where the combination is not supported
        memset(&properties->imageFormatProperties, 0, sizeof properties->imageFormatProperties);
    return result;
}

// The spec: VK_ERROR_FORMAT_NOT_SUPPORTED if the handle type is not compatible. Lavapipe of Mesa 22.3 returns
// VK_SUCCESS without features, which would look like a fault of the emulated driver.
static VkResult query_other_type(VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info,
                                 VkImageFormatProperties2 *properties) {
    const VkExternalImageFormatProperties *external =
        chain_find(properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    const VkResult result = instance_of(handle)->next.GetPhysicalDeviceImageFormatProperties2(handle, info, properties);
    if (result != VK_SUCCESS || !external || external->externalMemoryProperties.externalMemoryFeatures)
        return result;
    memset(&properties->imageFormatProperties, 0, sizeof properties->imageFormatProperties);
    return VK_ERROR_FORMAT_NOT_SUPPORTED;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_GetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info, VkImageFormatProperties2 *properties) {
    const VkPhysicalDeviceExternalImageFormatInfo *external =
        chain_find(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    const struct physical_device *physical = external && external->handleType ? emulated_physical_device(handle) : NULL;
    if (!physical)
        return instance_of(handle)->next.GetPhysicalDeviceImageFormatProperties2(handle, info, properties);
    return external->handleType == ZIRCON_VMO ? query_image(physical, info, properties)
                                              : query_other_type(handle, info, properties);
}

const struct hook capability_hooks[] = {
    ROW_KHR(hook, INSTANCE, GetPhysicalDeviceExternalBufferProperties),
    ROW_KHR(hook, INSTANCE, GetPhysicalDeviceImageFormatProperties2),
    LAST_ROW,
};
