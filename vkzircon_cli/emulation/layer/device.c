// SPDX-License-Identifier: Apache-2.0
//
// Devices. The extension's name is removed from what the driver gets, and the extensions that the emulation needs are
// added.
#include "device.h"
#include "chain.h"
#include "hooks.h"

static struct dispatch devices = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct device *device_of(const void *handle) {
    static _Thread_local struct remembered last;
    return dispatch_find(&devices, &last, handle);
}

void device_add(struct device *device, struct registry *registry, struct registry_entry *entry, uint64_t handle) {
    pthread_mutex_lock(&device->mutex);
    registry_add(registry, entry, handle);
    device->num_external++;
    pthread_mutex_unlock(&device->mutex);
}

void *device_take(struct device *device, struct registry *registry, uint64_t handle) {
    if (has_nothing_external(device))
        return NULL;
    pthread_mutex_lock(&device->mutex);
    struct registry_entry *entry = registry_take(registry, handle);
    if (entry)
        device->num_external--;
    pthread_mutex_unlock(&device->mutex);
    return entry;
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

// The application's extensions without ours, and with those that the emulation needs, for host_free().
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
    // An allocation in a device group has one instance per device, and host memory has only one.
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
    if (device->physical->memory_types)
        return create_emulating(device->physical, create, info, allocator, &device->handle);
    // The loader accepts the extension because the manifest lists it, so the layer has to check it here.
    const bool native = device->physical->native;
    device->physical = NULL;
    return native ? create(handle, info, allocator, &device->handle) : VK_ERROR_EXTENSION_NOT_PRESENT;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                 const VkAllocationCallbacks *allocator, VkDevice *handle) {
    VkLayerDeviceCreateInfo *link =
        loader_info(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO, VK_LAYER_LINK_INFO);
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
    device->handle = *handle; // the loader passes it down the chain to itself
    const VkResult result = create_below(device, physical, create, info, allocator);
    if (result != VK_SUCCESS) {
        host_free(allocator, device);
        return result;
    }
    device_commands_load(&device->next, next_device, device->handle, instance->api_version);
    pthread_mutex_init(&device->mutex, NULL);
    dispatch_add(&devices, &device->entry, device->handle);
    *handle = device->handle;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL hook_DestroyDevice(VkDevice handle, const VkAllocationCallbacks *allocator) {
    if (!handle)
        return;
    struct device *device = dispatch_take(&devices, handle);
    device->next.DestroyDevice(handle, allocator);
    device_forget_memories(device);
    device_forget_resources(device);
    pthread_mutex_destroy(&device->mutex);
    host_free(allocator, device);
}

const struct hook device_hooks[] = {
    ROW(hook, INSTANCE, CreateDevice),
    ROW(hook, ANY_DEVICE, DestroyDevice),
    LAST_ROW,
};
