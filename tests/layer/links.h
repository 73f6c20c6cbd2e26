// SPDX-License-Identifier: Apache-2.0
//
// Finds the layer below in the loader's struct, which is in the pNext chain of every create-info.
#ifndef VKZIRCON_TESTS_LINKS_H_
#define VKZIRCON_TESTS_LINKS_H_

#include <vulkan/vulkan.h>

#include <vulkan/vk_layer.h>

#include <stdint.h>

static inline VkLayerInstanceCreateInfo *instance_link(const VkInstanceCreateInfo *info) {
    const VkBaseInStructure *node = info->pNext;
    while (node->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO ||
           ((const VkLayerInstanceCreateInfo *)node)->function != VK_LAYER_LINK_INFO)
        node = node->pNext;
    return (VkLayerInstanceCreateInfo *)(uintptr_t)node;
}

static inline VkLayerDeviceCreateInfo *device_link(const VkDeviceCreateInfo *info) {
    const VkBaseInStructure *node = info->pNext;
    while (node->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO ||
           ((const VkLayerDeviceCreateInfo *)node)->function != VK_LAYER_LINK_INFO)
        node = node->pNext;
    return (VkLayerDeviceCreateInfo *)(uintptr_t)node;
}

#endif
