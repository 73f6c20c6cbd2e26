// SPDX-License-Identifier: Apache-2.0
//
// See neighbours.h. Wraps the commands that the test and the layers above it call. The next commands are global, so
// only one instance is supported at a time.
#include "neighbours.h"

#include "links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned wrapper_devices;

#define MOST_PHYSICAL 8

static const char mark;

struct handle {
    void *dispatch; // set by the loader, in the first word of every dispatchable handle
    void *real;
    const char *mark; // proves that the handle is a wrapped one
};

struct instance {
    struct handle handle;
    struct handle physical[MOST_PHYSICAL];
};

static struct handle wrap(void *real) {
    return (struct handle){*(void **)real, real, &mark};
}

static void *unwrap(const void *handle, const char *where) {
    const struct handle *ours = handle;
    if (ours->mark != &mark) {
        fprintf(stderr, "wrapper: %s is called with a handle that is not the wrapper's\n", where);
        abort();
    }
    return ours->real;
}

static PFN_vkGetInstanceProcAddr next_instance_proc;
static PFN_vkGetDeviceProcAddr next_device_proc;

#define WRAPPED(X)                                                                                                     \
    X(DestroyInstance)                                                                                                 \
    X(EnumeratePhysicalDevices)                                                                                        \
    X(CreateDevice)                                                                                                    \
    X(EnumerateDeviceExtensionProperties)                                                                              \
    X(GetPhysicalDeviceFeatures)                                                                                       \
    X(GetPhysicalDeviceProperties)                                                                                     \
    X(GetPhysicalDeviceProperties2)                                                                                    \
    X(GetPhysicalDeviceMemoryProperties)                                                                               \
    X(GetPhysicalDeviceExternalBufferProperties)

static struct {
#define DECLARE(name) PFN_vk##name name;
    WRAPPED(DECLARE)
#undef DECLARE
} next;

static VKAPI_ATTR VkResult VKAPI_CALL wrap_CreateInstance(const VkInstanceCreateInfo *info,
                                                          const VkAllocationCallbacks *allocator,
                                                          VkInstance *instance) {
    VkLayerInstanceCreateInfo *link = instance_link(info);
    next_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    const VkResult result =
        ((PFN_vkCreateInstance)next_instance_proc(NULL, "vkCreateInstance"))(info, allocator, instance);
    if (result != VK_SUCCESS)
        return result;
#define LOAD(name) next.name = (PFN_vk##name)next_instance_proc(*instance, "vk" #name);
    WRAPPED(LOAD)
#undef LOAD
    struct instance *ours = calloc(1, sizeof *ours);
    ours->handle = wrap(*instance);
    *instance = (VkInstance)ours;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL wrap_DestroyInstance(VkInstance instance, const VkAllocationCallbacks *allocator) {
    next.DestroyInstance(unwrap(instance, "vkDestroyInstance"), allocator);
    free(instance);
}

static VKAPI_ATTR VkResult VKAPI_CALL wrap_EnumeratePhysicalDevices(VkInstance instance, uint32_t *count,
                                                                    VkPhysicalDevice *devices) {
    struct instance *ours = (struct instance *)instance;
    const VkResult result =
        next.EnumeratePhysicalDevices(unwrap(instance, "vkEnumeratePhysicalDevices"), count, devices);
    for (uint32_t i = 0; devices && result >= 0 && i < *count; i++) {
        struct handle *physical = ours->physical;
        while (physical->real && physical->real != devices[i])
            physical++;
        *physical = wrap(devices[i]);
        devices[i] = (VkPhysicalDevice)physical;
    }
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL wrap_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                        const VkAllocationCallbacks *allocator, VkDevice *device) {
    VkLayerDeviceCreateInfo *link = device_link(info);
    next_device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    wrapper_devices++;
    return next.CreateDevice(unwrap(physical, "vkCreateDevice"), info, allocator, device);
}

#define WRAP(result, name, parameters, ...)                                                                            \
    static VKAPI_ATTR result VKAPI_CALL wrap_##name parameters {                                                       \
        return next.name(unwrap(physical, "vk" #name), __VA_ARGS__);                                                   \
    }

WRAP(VkResult, EnumerateDeviceExtensionProperties,
     (VkPhysicalDevice physical, const char *layer, uint32_t *count, VkExtensionProperties *properties), layer, count,
     properties)
WRAP(void, GetPhysicalDeviceFeatures, (VkPhysicalDevice physical, VkPhysicalDeviceFeatures *features), features)
WRAP(void, GetPhysicalDeviceProperties, (VkPhysicalDevice physical, VkPhysicalDeviceProperties *properties), properties)
WRAP(void, GetPhysicalDeviceProperties2, (VkPhysicalDevice physical, VkPhysicalDeviceProperties2 *properties),
     properties)
WRAP(void, GetPhysicalDeviceMemoryProperties, (VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *memory),
     memory)
WRAP(void, GetPhysicalDeviceExternalBufferProperties,
     (VkPhysicalDevice physical, const VkPhysicalDeviceExternalBufferInfo *info,
      VkExternalBufferProperties *properties),
     info, properties)

static PFN_vkVoidFunction VKAPI_CALL wrap_GetDeviceProcAddr(VkDevice device, const char *name) {
    return next_device_proc(device, name);
}

static PFN_vkVoidFunction VKAPI_CALL wrap_GetInstanceProcAddr(VkInstance instance, const char *name) {
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } commands[] = {
#define COMMAND(name) {"vk" #name, (PFN_vkVoidFunction)wrap_##name},
        COMMAND(GetInstanceProcAddr) COMMAND(CreateInstance) WRAPPED(COMMAND)
#undef COMMAND
    };
    const VkInstance real = instance ? unwrap(instance, name) : NULL;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].function;
    }
    return real ? next_instance_proc(real, name) : NULL;
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = wrap_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = wrap_GetDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
