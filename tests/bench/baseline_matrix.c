// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

// Those of vkzircon_cli/formats.py, in its order.
static const VkFormat common_formats[] = {
    VK_FORMAT_R5G6B5_UNORM_PACK16,
    VK_FORMAT_R8_UNORM,
    VK_FORMAT_R8G8_UNORM,
    VK_FORMAT_R8G8B8A8_UNORM,
    VK_FORMAT_R8G8B8A8_UINT,
    VK_FORMAT_R8G8B8A8_SRGB,
    VK_FORMAT_B8G8R8A8_UNORM,
    VK_FORMAT_B8G8R8A8_SRGB,
    VK_FORMAT_A2B10G10R10_UNORM_PACK32,
    VK_FORMAT_R16_SFLOAT,
    VK_FORMAT_R16G16B16A16_SFLOAT,
    VK_FORMAT_R32_UINT,
    VK_FORMAT_R32_SFLOAT,
    VK_FORMAT_R32G32B32A32_SFLOAT,
    VK_FORMAT_B10G11R11_UFLOAT_PACK32,
    VK_FORMAT_D16_UNORM,
    VK_FORMAT_D32_SFLOAT,
    VK_FORMAT_S8_UINT,
    VK_FORMAT_D24_UNORM_S8_UINT,
    VK_FORMAT_BC7_UNORM_BLOCK,
    VK_FORMAT_ETC2_R8G8B8A8_UNORM_BLOCK,
    VK_FORMAT_ASTC_4x4_UNORM_BLOCK,
    VK_FORMAT_G8_B8_R8_3PLANE_420_UNORM,
    VK_FORMAT_G8_B8R8_2PLANE_420_UNORM,
};

static const VkImageUsageFlagBits usages[] = {
    VK_IMAGE_USAGE_TRANSFER_SRC_BIT,     VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    VK_IMAGE_USAGE_SAMPLED_BIT,          VK_IMAGE_USAGE_STORAGE_BIT,
    VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT, VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT,
    VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT,
};

static void ask_one(const struct instance *instance, VkPhysicalDevice physical, VkFormat format, VkImageTiling tiling,
                    VkImageUsageFlags usage) {
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = ZIRCON_VMO,
    };
    const VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = format,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = tiling,
        .usage = usage,
    };
    VkExternalImageFormatProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
        .externalMemoryProperties = {.externalMemoryFeatures = SENTINEL},
    };
    VkImageFormatProperties2 everything = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
        .pNext = &properties,
    };
    CALL(instance, vkGetPhysicalDeviceImageFormatProperties2, physical, &info, &everything); // it may say no
}

static void ask_format(const struct instance *instance, VkPhysicalDevice physical, VkFormat format) {
    for (uint32_t tiling = 0; tiling < NUM_TILINGS; tiling++) {
        for (uint32_t usage = 0; usage < COUNT_OF(usages); usage++)
            ask_one(instance, physical, format, tilings[tiling], usages[usage]);
    }
}

static void ask_formats(const struct instance *instance, VkPhysicalDevice physical, VkFormat first, VkFormat last) {
    for (VkFormat format = first; format <= last; format++)
        ask_format(instance, physical, format);
}

void ask_matrix(const struct instance *instance, VkPhysicalDevice physical, bool all_formats) {
    VkExternalMemoryProperties found;
    for (VkBufferUsageFlags usage = 1; usage <= VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT; usage <<= 1)
        ask_external_buffer(instance, physical, usage, &found);
    if (all_formats) {
        ask_formats(instance, physical, VK_FORMAT_R4G4_UNORM_PACK8, VK_FORMAT_ASTC_12x12_SRGB_BLOCK);
        ask_formats(instance, physical, VK_FORMAT_G8B8G8R8_422_UNORM, VK_FORMAT_G16_B16_R16_3PLANE_444_UNORM);
        return;
    }
    for (uint32_t i = 0; i < COUNT_OF(common_formats); i++)
        ask_format(instance, physical, common_formats[i]);
}
