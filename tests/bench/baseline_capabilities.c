// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

static const uint32_t sentinels[] = {SENTINEL, ~SENTINEL};

static VkExternalMemoryProperties unwritten(uint32_t sentinel) {
    return (VkExternalMemoryProperties){sentinel, sentinel, sentinel};
}

void ask_external_buffer(const struct instance *instance, VkPhysicalDevice physical, VkBufferUsageFlags usage,
                         VkExternalMemoryProperties *found) {
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = usage,
        .handleType = ZIRCON_VMO,
    };
    for (uint32_t i = 0; i < COUNT_OF(sentinels); i++) {
        VkExternalBufferProperties properties = {
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES,
            .externalMemoryProperties = unwritten(sentinels[i]),
        };
        CALL(instance, vkGetPhysicalDeviceExternalBufferProperties, physical, &info, &properties);
        *found = properties.externalMemoryProperties;
    }
}

// Leaves `found` empty where the driver does not support such images.
static void ask_external_image(const struct instance *instance, VkPhysicalDevice physical,
                               const struct image_spec *spec, VkExternalMemoryProperties *found) {
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = ZIRCON_VMO,
    };
    const VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = spec->format,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = spec->tiling,
        .usage = TRANSFER,
    };
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < COUNT_OF(sentinels) && result == VK_SUCCESS; i++) {
        VkExternalImageFormatProperties properties = {
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
            .externalMemoryProperties = unwritten(sentinels[i]),
        };
        VkImageFormatProperties2 everything = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
            .pNext = &properties,
        };
        result = CALL(instance, vkGetPhysicalDeviceImageFormatProperties2, physical, &info, &everything);
        *found = result == VK_SUCCESS ? properties.externalMemoryProperties : unwritten(0);
    }
}

const VkImageTiling tilings[NUM_TILINGS] = {VK_IMAGE_TILING_OPTIMAL, VK_IMAGE_TILING_LINEAR};

void ask_offer(const struct instance *instance, VkPhysicalDevice physical, struct offer *offer) {
    VkExternalMemoryProperties ignored;
    ask_external_buffer(instance, physical, TRANSFER, &offer->buffers);
    for (VkBufferUsageFlags usage = 1; usage <= VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT; usage <<= 1)
        ask_external_buffer(instance, physical, usage, &ignored);
    for (uint32_t tiling = 0; tiling < NUM_TILINGS; tiling++) {
        for (uint32_t color = 0; color < NUM_COLORS; color++) {
            const struct image_spec spec = {colors[color].format, tilings[tiling]};
            ask_external_image(instance, physical, &spec, &offer->images[tiling][color]);
        }
    }
}
