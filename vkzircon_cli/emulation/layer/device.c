// SPDX-License-Identifier: Apache-2.0
//
// Devices: the extension's name is taken out of what goes down, and what the emulation rests on is put in.
#include "chain.h"

#include <string.h>

static pthread_mutex_t devices_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct registry devices;

struct device *device_of(VkDevice handle) {
    pthread_mutex_lock(&devices_mutex);
    struct entry *entry = registry_find(&devices, dispatch_key(handle));
    pthread_mutex_unlock(&devices_mutex);
    return (struct device *)entry;
}

struct lookup {
    PFN_vkGetDeviceProcAddr get_proc_addr;
    VkDevice device;
    bool core_first;
};

static PFN_vkVoidFunction load_promoted(const struct lookup *lookup, const char *core, const char *khr) {
    PFN_vkVoidFunction function = lookup->get_proc_addr(lookup->device, lookup->core_first ? core : khr);
    return function ? function : lookup->get_proc_addr(lookup->device, lookup->core_first ? khr : core);
}

void device_commands_load(struct device_commands *commands, PFN_vkGetDeviceProcAddr get_proc_addr, VkDevice device,
                          uint32_t api_version) {
    const struct lookup lookup = {get_proc_addr, device, api_version >= VK_API_VERSION_1_1};
    commands->GetDeviceProcAddr = get_proc_addr;
#define LOAD(name)          commands->name = (PFN_vk##name)get_proc_addr(device, "vk" #name);
#define LOAD_PROMOTED(name) commands->name = (PFN_vk##name)load_promoted(&lookup, "vk" #name, "vk" #name "KHR");
    DEVICE_COMMANDS(LOAD, LOAD_PROMOTED)
#undef LOAD_PROMOTED
#undef LOAD
}

static VkLayerDeviceCreateInfo *loader_link(const VkDeviceCreateInfo *info) {
    for (const VkBaseInStructure *node = info->pNext; node; node = node->pNext) {
        VkLayerDeviceCreateInfo *found = (VkLayerDeviceCreateInfo *)(uintptr_t)node;
        if (node->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO && found->function == VK_LAYER_LINK_INFO)
            return found;
    }
    return NULL;
}

static bool is_device_group(const VkDeviceCreateInfo *info) {
    const VkDeviceGroupDeviceCreateInfo *group =
        chain_find(info->pNext, VK_STRUCTURE_TYPE_DEVICE_GROUP_DEVICE_CREATE_INFO);
    return group && group->physicalDeviceCount > 1;
}

static void name_once(const char **names, uint32_t *count, const char *name) {
    if (!extension_is_named(names, *count, name))
        names[(*count)++] = name;
}

// The application's extensions without ours, and with those that the driver needs for it. To be freed.
static const char **names_below(const VkDeviceCreateInfo *info, const struct physical_device *physical,
                                const VkAllocationCallbacks *allocator, uint32_t *count) {
    const char **names = host_allocate(allocator, (info->enabledExtensionCount + (size_t)2) * sizeof *names,
                                       VK_SYSTEM_ALLOCATION_SCOPE_COMMAND);
    *count = 0;
    if (!names)
        return NULL;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        if (strcmp(info->ppEnabledExtensionNames[i], VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME) != 0)
            names[(*count)++] = info->ppEnabledExtensionNames[i];
    }
    name_once(names, count, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
    if (physical->api_version < VK_API_VERSION_1_1)
        name_once(names, count, VK_KHR_EXTERNAL_MEMORY_EXTENSION_NAME);
    return names;
}

static VkResult create_emulating(const struct physical_device *physical, PFN_vkCreateDevice create,
                                 const VkDeviceCreateInfo *info, const VkAllocationCallbacks *allocator,
                                 VkDevice *handle) {
    // An allocation in a group has an instance on every device; one piece of host memory is not that.
    if (is_device_group(info))
        return VK_ERROR_FEATURE_NOT_PRESENT;
    VkDeviceCreateInfo below = *info;
    const char **names = names_below(info, physical, allocator, &below.enabledExtensionCount);
    if (!names)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    below.ppEnabledExtensionNames = names;
    const VkResult result = create(physical->handle, &below, allocator, handle);
    host_free(allocator, names);
    return result;
}

static VkResult create_below(struct device *device, VkPhysicalDevice handle, PFN_vkCreateDevice create,
                             const VkDeviceCreateInfo *info, const VkAllocationCallbacks *allocator) {
    if (!extension_is_named(info->ppEnabledExtensionNames, info->enabledExtensionCount,
                            VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME))
        return create(handle, info, allocator, &device->handle);
    device->physical = physical_device_of(instance_of(handle), handle);
    if (!device->physical)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    if (device->physical->memory_types && vkz_fault(VKZ_FAULT_REFUSE_DEVICE))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (device->physical->memory_types)
        return create_emulating(device->physical, create, info, allocator, &device->handle);
    // The loader takes the manifest's word for the name and does not show it to a driver that lacks it.
    const bool native = device->physical->native;
    device->physical = NULL;
    return native ? create(handle, info, allocator, &device->handle) : VK_ERROR_EXTENSION_NOT_PRESENT;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                 const VkAllocationCallbacks *allocator, VkDevice *handle) {
    vkz_point(VKZ_POINT_CREATE_DEVICE);
    VkLayerDeviceCreateInfo *link = loader_link(info);
    if (!link || !link->u.pLayerInfo)
        return VK_ERROR_INITIALIZATION_FAILED;
    const struct instance *instance = instance_of(physical);
    const PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    const PFN_vkGetDeviceProcAddr next_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    const PFN_vkCreateDevice create = (PFN_vkCreateDevice)next(instance->handle, "vkCreateDevice");
    struct device *device = host_allocate(allocator, sizeof *device, VK_SYSTEM_ALLOCATION_SCOPE_DEVICE);
    if (!create || !device) {
        host_free(allocator, device);
        return create ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_ERROR_INITIALIZATION_FAILED;
    }
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    device->handle = *handle; // the loader hands itself a message in there
    const VkResult result = create_below(device, physical, create, info, allocator);
    if (result != VK_SUCCESS) {
        host_free(allocator, device);
        return result;
    }
    device_commands_load(&device->next, next_device, device->handle, instance->api_version);
    pthread_mutex_init(&device->mutex, NULL);
    pthread_mutex_lock(&devices_mutex);
    registry_add(&devices, &device->entry, dispatch_key(device->handle));
    pthread_mutex_unlock(&devices_mutex);
    *handle = device->handle;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL hook_DestroyDevice(VkDevice handle, const VkAllocationCallbacks *allocator) {
    vkz_point(VKZ_POINT_DESTROY_DEVICE);
    if (!handle)
        return;
    pthread_mutex_lock(&devices_mutex);
    struct device *device = (struct device *)registry_take(&devices, dispatch_key(handle));
    pthread_mutex_unlock(&devices_mutex);
    device->next.DestroyDevice(handle, allocator);
    device_forget_memories(device);
    device_forget_resources(device);
    pthread_mutex_destroy(&device->mutex);
    host_free(allocator, device);
}
