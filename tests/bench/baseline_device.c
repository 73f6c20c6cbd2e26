// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <stdlib.h>
#include <string.h>

static VKAPI_ATTR VkBool32 VKAPI_CALL hear(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                           VkDebugUtilsMessageTypeFlagsEXT types,
                                           const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
    (void)severity, (void)types, (void)data, (void)user;
    return VK_FALSE;
}

static void *array(uint32_t count, size_t size) {
    void *made = calloc(count ? count : 1, size);
    if (!made)
        stop("There is no memory for a list of %u.", count);
    return made;
}

static bool lists(const VkExtensionProperties *extensions, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(extensions[i].extensionName, name) == 0)
            return true;
    }
    return false;
}

// Fills `enabled` with what is offered of the extensions that the probe wants, and tells how many these are.
static uint32_t instance_extensions(const char *enabled[4], VkInstanceCreateFlags *flags) {
    static const char *const wanted[] = {
        VK_KHR_GET_PHYSICAL_DEVICE_PROPERTIES_2_EXTENSION_NAME,
        VK_KHR_EXTERNAL_MEMORY_CAPABILITIES_EXTENSION_NAME,
        VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME,
        VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
    };
    uint32_t count = 0, num_enabled = 0;
    MUST(&loader, vkEnumerateInstanceExtensionProperties, NULL, &count, NULL);
    VkExtensionProperties *found = array(count, sizeof(*found));
    MUST(&loader, vkEnumerateInstanceExtensionProperties, NULL, &count, found);
    for (uint32_t i = 0; i < COUNT_OF(wanted); i++) {
        if (lists(found, count, wanted[i]))
            enabled[num_enabled++] = wanted[i];
    }
    *flags = lists(found, count, wanted[2]) ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0;
    free(found);
    return num_enabled;
}

static void list_layers(void) {
    uint32_t count = 0;
    MUST(&loader, vkEnumerateInstanceLayerProperties, &count, NULL);
    VkLayerProperties *found = array(count, sizeof(*found));
    MUST(&loader, vkEnumerateInstanceLayerProperties, &count, found);
    free(found);
}

static PFN_vkVoidFunction instance_command(const struct instance *instance, const char *name) {
    const PFN_vkVoidFunction found = loader.vkGetInstanceProcAddr(instance->handle, name);
    if (!found)
        stop("The loader has no %s.", name);
    return found;
}

static void list_devices(struct instance *instance) {
    MUST(instance, vkEnumeratePhysicalDevices, instance->handle, &instance->num_devices, NULL);
    instance->devices = array(instance->num_devices, sizeof(*instance->devices));
    MUST(instance, vkEnumeratePhysicalDevices, instance->handle, &instance->num_devices, instance->devices);
}

void instance_open(struct instance *instance) {
    const VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
        .messageType = 0x7,
        .pfnUserCallback = hear,
    };
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .apiVersion = VK_API_VERSION_1_1,
    };
    const char *enabled[4];
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = &messenger,
        .pApplicationInfo = &application,
        .ppEnabledExtensionNames = enabled,
    };
    uint32_t version;
    *instance = (struct instance){0};
    info.enabledExtensionCount = instance_extensions(enabled, &info.flags);
    MUST(&loader, vkEnumerateInstanceVersion, &version);
    MUST(&loader, vkCreateInstance, &info, NULL, &instance->handle);
#define LOAD(name) instance->name = (PFN_##name)instance_command(instance, #name);
    INSTANCE_COMMANDS(LOAD)
#undef LOAD
    list_layers();
    list_devices(instance);
}

void instance_close(struct instance *instance) {
    CALL(instance, vkDestroyInstance, instance->handle, NULL);
    free(instance->devices);
}

void ask_identity(const struct instance *instance, VkPhysicalDevice physical, VkPhysicalDeviceIDProperties *ids) {
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMaintenance3Properties limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES,
    };
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 everything = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = ids};
    CALL(instance, vkGetPhysicalDeviceProperties, physical, &properties);
    if (properties.apiVersion < VK_API_VERSION_1_1)
        stop("%s is a device of Vulkan 1.0, which is asked in other ways.", properties.deviceName);
    *ids = (VkPhysicalDeviceIDProperties){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
        .pNext = &limits,
    };
    if (properties.apiVersion >= VK_API_VERSION_1_2 ||
        ask_extensions(instance, physical, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME)) {
        driver.pNext = ids;
        everything.pNext = &driver;
    }
    CALL(instance, vkGetPhysicalDeviceProperties2, physical, &everything);
    ids->pNext = NULL;
}

bool ask_extensions(const struct instance *instance, VkPhysicalDevice physical, const char *wanted) {
    uint32_t count = 0;
    MUST(instance, vkEnumerateDeviceExtensionProperties, physical, NULL, &count, NULL);
    VkExtensionProperties *found = array(count, sizeof(*found));
    MUST(instance, vkEnumerateDeviceExtensionProperties, physical, NULL, &count, found);
    const bool is_listed = lists(found, count, wanted);
    free(found);
    return is_listed;
}

static bool find_family(const VkQueueFamilyProperties *families, uint32_t count, VkQueueFlags wanted, uint32_t *index) {
    for (*index = 0; *index < count; (*index)++) {
        if (families[*index].queueCount && families[*index].queueFlags & wanted)
            return true;
    }
    return false;
}

uint32_t ask_queue_family(const struct instance *instance, VkPhysicalDevice physical) {
    uint32_t count = 0, index = 0;
    CALL(instance, vkGetPhysicalDeviceQueueFamilyProperties, physical, &count, NULL);
    VkQueueFamilyProperties *families = array(count, sizeof(*families));
    CALL(instance, vkGetPhysicalDeviceQueueFamilyProperties, physical, &count, families);
    if (!find_family(families, count, VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT, &index) &&
        !find_family(families, count, VK_QUEUE_TRANSFER_BIT, &index))
        stop("The device has no queue that can transfer.");
    free(families);
    return index;
}

static PFN_vkVoidFunction device_command(const struct instance *instance, VkDevice device, const char *name) {
    const PFN_vkVoidFunction found = instance->vkGetDeviceProcAddr(device, name);
    if (!found)
        stop("The device has no %s.", name);
    return found;
}

void device_open(const struct instance *instance, VkPhysicalDevice physical, uint32_t queue_family,
                 struct device *device) {
    const char *const extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;
    const float priority = 1.0f;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = queue_family,
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
    *device = (struct device){.queue_family = queue_family};
    MUST(instance, vkCreateDevice, physical, &info, NULL, &device->handle);
#define LOAD(name) device->name = (PFN_##name)device_command(instance, device->handle, #name);
    DEVICE_COMMANDS(LOAD)
#undef LOAD
}

void device_close(const struct device *device) {
    CALL(device, vkDestroyDevice, device->handle, NULL);
}
