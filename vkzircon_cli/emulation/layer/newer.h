// SPDX-License-Identifier: Apache-2.0
//
// Structs and commands that the oldest headers for this layer do not have, under names of its own. On a device without
// them the pointers are NULL.
#ifndef VKZIRCON_NEWER_H_
#define VKZIRCON_NEWER_H_

#include "layer.h"

// VkDeviceImageSubresourceInfo: VK_KHR_maintenance5, Vulkan 1.4.
struct newer_image_subresource {
    VkStructureType sType;
    const void *pNext;
    const VkImageCreateInfo *pCreateInfo;
    const void *pSubresource;
};

// VkMemoryMapInfo: VK_KHR_map_memory2, Vulkan 1.4.
struct newer_map {
    VkStructureType sType;
    const void *pNext;
    VkFlags flags;
    VkDeviceMemory memory;
    VkDeviceSize offset;
    VkDeviceSize size;
};

typedef void(VKAPI_PTR *newer_GetDeviceImageSubresourceLayout)(VkDevice device,
                                                               const struct newer_image_subresource *info,
                                                               void *layout);
typedef VkResult(VKAPI_PTR *newer_MapMemory2)(VkDevice device, const struct newer_map *info, void **data);

#endif
