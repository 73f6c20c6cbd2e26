// SPDX-License-Identifier: Apache-2.0
//
// See neighbours.h. The next commands are global, so only one instance is supported at a time.
#include "neighbours.h"

#include "links.h"

#include <string.h>

unsigned asker_devices;

static PFN_vkGetInstanceProcAddr next_instance_proc;
static PFN_vkGetDeviceProcAddr next_device_proc;

static VKAPI_ATTR VkResult VKAPI_CALL ask_CreateInstance(const VkInstanceCreateInfo *info,
                                                         const VkAllocationCallbacks *allocator, VkInstance *instance) {
    VkLayerInstanceCreateInfo *link = instance_link(info);
    next_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    return ((PFN_vkCreateInstance)next_instance_proc(NULL, "vkCreateInstance"))(info, allocator, instance);
}

static VKAPI_ATTR VkResult VKAPI_CALL ask_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                       const VkAllocationCallbacks *allocator, VkDevice *device) {
    VkLayerDeviceCreateInfo *link = device_link(info);
    const PFN_vkCreateDevice create =
        (PFN_vkCreateDevice)link->u.pLayerInfo->pfnNextGetInstanceProcAddr(NULL, "vkCreateDevice");
    if (!create)
        return VK_ERROR_INITIALIZATION_FAILED;
    next_device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    asker_devices++;
    return create(physical, info, allocator, device);
}

static PFN_vkVoidFunction VKAPI_CALL ask_GetDeviceProcAddr(VkDevice device, const char *name) {
    return next_device_proc(device, name);
}

static PFN_vkVoidFunction VKAPI_CALL ask_GetInstanceProcAddr(VkInstance instance, const char *name) {
    if (strcmp(name, "vkCreateInstance") == 0)
        return (PFN_vkVoidFunction)ask_CreateInstance;
    if (strcmp(name, "vkCreateDevice") == 0)
        return (PFN_vkVoidFunction)ask_CreateDevice;
    if (strcmp(name, "vkGetInstanceProcAddr") == 0)
        return (PFN_vkVoidFunction)ask_GetInstanceProcAddr;
    return instance ? next_instance_proc(instance, name) : NULL;
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = ask_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = ask_GetDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
