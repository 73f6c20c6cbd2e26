// SPDX-License-Identifier: Apache-2.0
//
// baseline [--calls | --time] check | devices | matrix
//
// Run it as `vkzircon emulate -- baseline check`. --time prints how many milliseconds the calls took.
#include "baseline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_LISTED 1024

static bool prints_calls;

void note(const char *call) {
    if (prints_calls)
        puts(call);
}

void must(const char *call, int32_t result) {
    if (result == 0)
        return;
    fprintf(stderr, "baseline: %s returned %d.\n", call, result);
    exit(EXIT_FAILURE);
}

void stop(const char *message) {
    fprintf(stderr, "baseline: %s\n", message);
    exit(EXIT_FAILURE);
}

void instance_open(struct instance *instance) {
    static VkExtensionProperties extensions[MAX_LISTED];
    static VkLayerProperties layers[MAX_LISTED];
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .apiVersion = VK_API_VERSION_1_1,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &application,
    };
    uint32_t count, version;
    MUST(vkEnumerateInstanceExtensionProperties, NULL, &count, NULL);
    MUST(vkEnumerateInstanceExtensionProperties, NULL, &(uint32_t){MAX_LISTED}, extensions);
    MUST(vkEnumerateInstanceVersion, &version);
    MUST(vkCreateInstance, &info, NULL, &instance->handle);
    MUST(vkEnumerateInstanceLayerProperties, &count, NULL);
    MUST(vkEnumerateInstanceLayerProperties, &(uint32_t){MAX_LISTED}, layers);
    MUST(vkEnumeratePhysicalDevices, instance->handle, &count, NULL);
    instance->num_devices = MAX_DEVICES;
    MUST(vkEnumeratePhysicalDevices, instance->handle, &instance->num_devices, instance->devices);
    for (uint32_t i = 0; i < instance->num_devices; i++) {
        VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
        CALL(vkGetPhysicalDeviceProperties, instance->devices[i], &properties.properties);
        CALL(vkGetPhysicalDeviceProperties2, instance->devices[i], &properties);
    }
}

bool lists_extension(VkPhysicalDevice physical) {
    static VkExtensionProperties found[MAX_LISTED];
    uint32_t count;
    MUST(vkEnumerateDeviceExtensionProperties, physical, NULL, &count, NULL);
    count = MAX_LISTED;
    MUST(vkEnumerateDeviceExtensionProperties, physical, NULL, &count, found);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(found[i].extensionName, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME) == 0)
            return true;
    }
    return false;
}

void query_queue_families(VkPhysicalDevice physical) {
    VkQueueFamilyProperties families[32];
    uint32_t count;
    CALL(vkGetPhysicalDeviceQueueFamilyProperties, physical, &count, NULL);
    CALL(vkGetPhysicalDeviceQueueFamilyProperties, physical, &(uint32_t){32}, families);
}

void device_open(struct device *device, VkPhysicalDevice physical) {
    static const char *const extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;
    const float priority = 1.0f;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = 1,
        .ppEnabledExtensionNames = &extension,
    };
    device->physical = physical;
    MUST(vkCreateDevice, physical, &info, NULL, &device->handle);
    if (queue_owner == device->handle)
        queue_owner = VK_NULL_HANDLE; // an earlier device, now destroyed, may have had the same address
#define FUNCTION(name) (PFN_##name) vkGetDeviceProcAddr(device->handle, #name)
    device->get_handle = FUNCTION(vkGetMemoryZirconHandleFUCHSIA);
    device->get_handle_properties = FUNCTION(vkGetMemoryZirconHandlePropertiesFUCHSIA);
#undef FUNCTION
    if (!device->get_handle || !device->get_handle_properties)
        stop("The device does not have the functions of VK_FUCHSIA_external_memory.");
}

VkExternalMemoryProperties query_buffer(VkPhysicalDevice physical, VkBufferUsageFlags usage) {
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = usage,
        .handleType = ZIRCON_VMO,
    };
    VkExternalBufferProperties found = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    // The probe needs two queries to see whether the driver writes its answer.
    CALL(vkGetPhysicalDeviceExternalBufferProperties, physical, &info, &found);
    CALL(vkGetPhysicalDeviceExternalBufferProperties, physical, &info, &found);
    return found.externalMemoryProperties;
}

void query_usages(VkPhysicalDevice physical) {
    for (VkBufferUsageFlags usage = 1; usage <= VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT; usage <<= 1)
        query_buffer(physical, usage);
}

bool query_image(VkPhysicalDevice physical, VkFlags type, VkFormat format, VkImageTiling tiling,
                 VkImageUsageFlags usage, VkImageCreateFlags flags, VkExternalMemoryProperties *found) {
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = type,
    };
    const VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = format,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = tiling,
        .usage = usage,
        .flags = flags,
    };
    VkExternalImageFormatProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    VkImageFormatProperties2 all = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2, .pNext = &properties};
    const VkResult result = CALL(vkGetPhysicalDeviceImageFormatProperties2, physical, &info, &all);
    *found = result == VK_SUCCESS ? properties.externalMemoryProperties : (VkExternalMemoryProperties){0};
    return result == VK_SUCCESS;
}

// Create flags are asked about only for what can be shared without them.
static void query_format(VkPhysicalDevice physical, VkFormat format, VkImageTiling tiling, bool has_sparse) {
    VkImageUsageFlags shared = 0;
    VkExternalMemoryProperties found;
    for (VkImageUsageFlags usage = 1; usage <= VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT; usage <<= 1) {
        if (usage == VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT)
            continue;
        query_image(physical, ZIRCON_VMO, format, tiling, usage, 0, &found);
        if (!shared && found.externalMemoryFeatures)
            shared = usage;
    }
    if (!shared)
        return;
    query_image(physical, ZIRCON_VMO, format, tiling, shared, VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT, &found);
    query_image(physical, ZIRCON_VMO, format, tiling, shared, VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT, &found);
    if (has_sparse)
        query_image(physical, ZIRCON_VMO, format, tiling, shared, VK_IMAGE_CREATE_SPARSE_BINDING_BIT, &found);
}

static void query_formats(VkPhysicalDevice physical, VkFormat first, VkFormat last, bool has_sparse) {
    for (VkFormat format = first; format <= last; format++) {
        query_format(physical, format, VK_IMAGE_TILING_OPTIMAL, has_sparse);
        query_format(physical, format, VK_IMAGE_TILING_LINEAR, has_sparse);
    }
}

static void query_matrix(VkPhysicalDevice physical) {
    VkPhysicalDeviceFeatures features;
    query_usages(physical);
    CALL(vkGetPhysicalDeviceFeatures, physical, &features);
    query_formats(physical, VK_FORMAT_R4G4_UNORM_PACK8, VK_FORMAT_ASTC_12x12_SRGB_BLOCK, features.sparseBinding);
    query_formats(physical, VK_FORMAT_G8B8G8R8_422_UNORM, VK_FORMAT_G16_B16_R16_3PLANE_444_UNORM,
                  features.sparseBinding);
}

static void run(const char *mode) {
    uint32_t version;
    struct instance instance;
    MUST(vkEnumerateInstanceVersion, &version);
    instance_open(&instance);
    for (uint32_t i = 0; i < instance.num_devices; i++) {
        if (strcmp(mode, "check") == 0) {
            check_device(&instance, i);
        } else if (strcmp(mode, "devices") == 0) {
            lists_extension(instance.devices[i]);
        } else {
            query_matrix(instance.devices[i]);
        }
    }
    CALL(vkDestroyInstance, instance.handle, NULL);
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
    const char *option = argc == 3 ? argv[1] : "", *mode = argc > 1 ? argv[argc - 1] : "";
    const double began = milliseconds();
    if (strcmp(mode, "check") != 0 && strcmp(mode, "devices") != 0 && strcmp(mode, "matrix") != 0)
        stop("usage: baseline [--calls | --time] check | devices | matrix");
    prints_calls = strcmp(option, "--calls") == 0;
    run(mode);
    if (strcmp(option, "--time") == 0)
        printf("%.3f\n", milliseconds() - began);
    return EXIT_SUCCESS;
}
