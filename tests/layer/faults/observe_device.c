// SPDX-License-Identifier: Apache-2.0
//
// Observes the properties of a physical device.
#include "observe.h"

#include <stdlib.h>
#include <string.h>

static bool is_plain(const char *name, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (name[i] < ' ' || name[i] > '~')
            return false;
    }
    return true;
}

static void observe_identity(const struct scene *scene) {
    VkPhysicalDeviceProperties one;
    VkPhysicalDeviceVulkan11Properties many = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES,
        .pNext = &many,
    };
    VkPhysicalDeviceProperties2 two = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &sizes};
    vkGetPhysicalDeviceProperties(scene->gpu.physical, &one);
    vkGetPhysicalDeviceProperties2(scene->gpu.physical, &two);
    const size_t length = strnlen(one.deviceName, sizeof one.deviceName);
    scene->report(DEVICE_TYPE, one.deviceType);
    scene->report(API_MINOR, VK_API_VERSION_MINOR(one.apiVersion));
    scene->report(ATOM_SIZE, (int64_t)one.limits.nonCoherentAtomSize);
    scene->report(LARGEST_SIZE, (int64_t)sizes.maxMemoryAllocationSize);
    scene->report(NAME_LENGTH, (int64_t)length);
    scene->report(NAME_IS_PLAIN, is_plain(one.deviceName, length));
    scene->report(BOTH_PROPERTIES_AGREE, one.deviceType == two.properties.deviceType &&
                                             one.apiVersion == two.properties.apiVersion &&
                                             many.maxMemoryAllocationSize == sizes.maxMemoryAllocationSize &&
                                             memcmp(one.deviceName, two.properties.deviceName, length) == 0);
}

static const VkExtensionProperties *find(const VkExtensionProperties *list, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i].extensionName, name) == 0)
            return &list[i];
    }
    return NULL;
}

static void observe_extensions(const struct scene *scene) {
    uint32_t count = 0;
    vkEnumerateDeviceExtensionProperties(scene->gpu.physical, NULL, &count, NULL);
    VkExtensionProperties *list = calloc(count + 1, sizeof *list);
    scene->report(EXTENSION_LIST, vkEnumerateDeviceExtensionProperties(scene->gpu.physical, NULL, &count, list));
    const VkExtensionProperties *ours = find(list, count, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME);
    scene->report(EXTENSION_REVISION, ours ? ours->specVersion : 0);
    scene->report(LISTS_DEPENDENCY, find(list, count, VK_KHR_EXTERNAL_MEMORY_EXTENSION_NAME) != NULL);
    scene->report(LISTS_SEMAPHORE, find(list, count, VK_FUCHSIA_EXTERNAL_SEMAPHORE_EXTENSION_NAME) != NULL);
    free(list);
}

static void observe_buffers(const struct scene *scene) {
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .handleType = ZIRCON_VMO,
    };
    VkExternalBufferProperties found = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    memset(&found.externalMemoryProperties, 0xa5, sizeof found.externalMemoryProperties);
    vkGetPhysicalDeviceExternalBufferProperties(scene->gpu.physical, &info, &found);
    scene->report(BUFFER_FEATURES, found.externalMemoryProperties.externalMemoryFeatures);
    scene->report(BUFFER_COMPATIBLE, found.externalMemoryProperties.compatibleHandleTypes);
    scene->report(BUFFER_EXPORTED_AGAIN, found.externalMemoryProperties.exportFromImportedHandleTypes);
    scene->report(BUFFER_HEADER_KEPT, found.sType == VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES && !found.pNext);
}

static VkResult ask_image(const struct scene *scene, VkFlags type, VkExternalImageFormatProperties *found,
                          bool *headers_kept) {
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = type,
    };
    const VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = VK_IMAGE_TILING_LINEAR,
        .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    *found = (VkExternalImageFormatProperties){.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    VkImageFormatProperties2 whole = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2, .pNext = found};
    memset(&found->externalMemoryProperties, 0xa5, sizeof found->externalMemoryProperties);
    const VkResult result = vkGetPhysicalDeviceImageFormatProperties2(scene->gpu.physical, &info, &whole);
    *headers_kept = found->sType == VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES &&
                    whole.sType == VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2 && !found->pNext && whole.pNext == found;
    return result;
}

static void observe_images(const struct scene *scene) {
    VkExternalImageFormatProperties found;
    bool headers_kept;
    scene->report(IMAGE_QUERY, ask_image(scene, ZIRCON_VMO, &found, &headers_kept));
    scene->report(IMAGE_FEATURES, found.externalMemoryProperties.externalMemoryFeatures);
    scene->report(IMAGE_COMPATIBLE, found.externalMemoryProperties.compatibleHandleTypes);
    scene->report(IMAGE_HEADERS_KEPT, headers_kept);
    scene->report(IMAGE_QUERY_OF_OTHER_TYPE,
                  ask_image(scene, VK_EXTERNAL_MEMORY_HANDLE_TYPE_D3D11_TEXTURE_BIT, &found, &headers_kept));
}

static void observe_semaphores(const struct scene *scene) {
    const VkPhysicalDeviceExternalSemaphoreInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
        .handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_ZIRCON_EVENT_BIT_FUCHSIA,
    };
    VkExternalSemaphoreProperties found = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES,
        .externalSemaphoreFeatures = 0xa5a5a5a5,
    };
    vkGetPhysicalDeviceExternalSemaphoreProperties(scene->gpu.physical, &info, &found);
    scene->report(SEMAPHORE_FEATURES, found.externalSemaphoreFeatures);
    scene->report(SEMAPHORE_HEADER_KEPT,
                  found.sType == VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES && !found.pNext);
}

void observe_device(const struct scene *scene) {
    observe_identity(scene);
    observe_extensions(scene);
    observe_buffers(scene);
    observe_images(scene);
    observe_semaphores(scene);
}
