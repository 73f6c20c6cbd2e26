// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZIRCON_VMO    VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA
#define HOST_COHERENT (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)

void fail(const char *what) {
    fprintf(stderr, "two_processes: %s\n", what);
    exit(EXIT_FAILURE);
}

void must(int64_t result, const char *call) {
    char what[200];
    if (result == 0)
        return;
    snprintf(what, sizeof what, "%s answered %" PRId64 ".", call, result);
    fail(what);
}

static int has_extension(VkPhysicalDevice physical) {
    VkExtensionProperties extensions[512];
    uint32_t count = sizeof extensions / sizeof extensions[0];
    vkEnumerateDeviceExtensionProperties(physical, NULL, &count, extensions);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(extensions[i].extensionName, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME) == 0)
            return 1;
    }
    return 0;
}

static VkPhysicalDevice find_physical_device(VkInstance instance) {
    VkPhysicalDevice found[16];
    uint32_t count = sizeof found / sizeof found[0];
    vkEnumeratePhysicalDevices(instance, &count, found);
    for (uint32_t i = 0; i < count; i++) {
        if (has_extension(found[i]))
            return found[i];
    }
    fail("No device has " VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME ": run it under vkzircon emulate.");
}

struct device device_open(void) {
    struct device opened;
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo instance = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                           .pApplicationInfo = &application};
    must(vkCreateInstance(&instance, NULL, &opened.instance), "vkCreateInstance");
    opened.physical = find_physical_device(opened.instance);

    const char *const extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    const VkDeviceCreateInfo device = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                       .queueCreateInfoCount = 1,
                                       .pQueueCreateInfos = &queue,
                                       .enabledExtensionCount = 1,
                                       .ppEnabledExtensionNames = &extension};
    must(vkCreateDevice(opened.physical, &device, NULL, &opened.device), "vkCreateDevice");
    opened.get_handle =
        (PFN_vkGetMemoryZirconHandleFUCHSIA)vkGetDeviceProcAddr(opened.device, "vkGetMemoryZirconHandleFUCHSIA");
    opened.get_properties = (PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA)vkGetDeviceProcAddr(
        opened.device, "vkGetMemoryZirconHandlePropertiesFUCHSIA");
    if (!opened.get_handle || !opened.get_properties)
        fail("The extension is listed, and a command of it is missing.");
    return opened;
}

void device_close(const struct device *device) {
    vkDestroyDevice(device->device, NULL);
    vkDestroyInstance(device->instance, NULL);
}

static VkBuffer make_buffer(const struct device *device, VkMemoryRequirements *needs) {
    const VkExternalMemoryBufferCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                                                       .handleTypes = ZIRCON_VMO};
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .pNext = &external,
                                     .size = SIZE,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkBuffer buffer;
    must(vkCreateBuffer(device->device, &info, NULL, &buffer), "vkCreateBuffer");
    vkGetBufferMemoryRequirements(device->device, buffer, needs);
    return buffer;
}

static uint32_t choose_type(const struct device *device, uint32_t bits) {
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(device->physical, &memory);
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++) {
        if ((bits >> i & 1) && (memory.memoryTypes[i].propertyFlags & HOST_COHERENT) == HOST_COHERENT)
            return i;
    }
    fail("No memory type fits that the host sees.");
}

// A dedicated allocation in both processes, which every driver of Fuchsia accepts.
static void bind_memory(const struct device *device, struct shared *shared, const void *next, VkDeviceSize size,
                        uint32_t type) {
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO, .pNext = next, .buffer = shared->buffer};
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .pNext = &dedicated,
                                       .allocationSize = size,
                                       .memoryTypeIndex = type};
    void *words;
    must(vkAllocateMemory(device->device, &info, NULL, &shared->memory), "vkAllocateMemory");
    must(vkBindBufferMemory(device->device, shared->buffer, shared->memory, 0), "vkBindBufferMemory");
    must(vkMapMemory(device->device, shared->memory, 0, VK_WHOLE_SIZE, 0, &words), "vkMapMemory");
    shared->words = words;
}

struct shared buffer_export(const struct device *device, zx_handle_t *vmo) {
    const VkExportMemoryAllocateInfo export = {.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
                                               .handleTypes = ZIRCON_VMO};
    VkMemoryRequirements needs;
    struct shared shared = {.buffer = make_buffer(device, &needs)};
    bind_memory(device, &shared, &export, needs.size, choose_type(device, needs.memoryTypeBits));
    const VkMemoryGetZirconHandleInfoFUCHSIA get = {.sType = VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA,
                                                    .memory = shared.memory,
                                                    .handleType = ZIRCON_VMO};
    must(device->get_handle(device->device, &get, vmo), "vkGetMemoryZirconHandleFUCHSIA");
    return shared;
}

struct shared buffer_import(const struct device *device, zx_handle_t vmo) {
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {.sType =
                                                            VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA};
    must(device->get_properties(device->device, ZIRCON_VMO, vmo, &properties),
         "vkGetMemoryZirconHandlePropertiesFUCHSIA");
    VkMemoryRequirements needs;
    struct shared shared = {.buffer = make_buffer(device, &needs)};
    const VkImportMemoryZirconHandleInfoFUCHSIA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, .handleType = ZIRCON_VMO, .handle = vmo};
    bind_memory(device, &shared, &import, needs.size,
                choose_type(device, needs.memoryTypeBits & properties.memoryTypeBits));
    return shared;
}

void buffer_free(const struct device *device, const struct shared *shared) {
    vkDestroyBuffer(device->device, shared->buffer, NULL);
    vkFreeMemory(device->device, shared->memory, NULL);
}
