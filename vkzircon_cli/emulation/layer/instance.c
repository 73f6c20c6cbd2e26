// SPDX-License-Identifier: Apache-2.0
//
// Instances and their physical devices.
#include "faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t instances_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct registry instances;

struct instance *instance_of(const void *handle) {
    pthread_mutex_lock(&instances_mutex);
    struct entry *entry = registry_find(&instances, dispatch_key(handle));
    pthread_mutex_unlock(&instances_mutex);
    return (struct instance *)entry;
}

void *host_allocate(const VkAllocationCallbacks *allocator, size_t size, VkSystemAllocationScope scope) {
    if (!allocator)
        return calloc(1, size);
    void *memory = allocator->pfnAllocation(allocator->pUserData, size, _Alignof(max_align_t), scope);
    return memory ? memset(memory, 0, size) : NULL;
}

void host_free(const VkAllocationCallbacks *allocator, void *memory) {
    if (!allocator)
        free(memory);
    else if (memory)
        allocator->pfnFree(allocator->pUserData, memory);
}

bool extension_is_named(const char *const *names, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

// The driver may know both names of a promoted command; below 1.1 only the extension's may be used.
static PFN_vkVoidFunction load_promoted(const struct instance *instance, const char *core, const char *khr) {
    const bool core_first = instance->api_version >= VK_API_VERSION_1_1;
    PFN_vkVoidFunction function = instance->get_proc_addr(instance->handle, core_first ? core : khr);
    return function ? function : instance->get_proc_addr(instance->handle, core_first ? khr : core);
}

void instance_commands_load(struct instance *instance) {
#define LOAD(name)          instance->next.name = (PFN_vk##name)instance->get_proc_addr(instance->handle, "vk" #name);
#define LOAD_PROMOTED(name) instance->next.name = (PFN_vk##name)load_promoted(instance, "vk" #name, "vk" #name "KHR");
    INSTANCE_COMMANDS(LOAD, LOAD_PROMOTED)
#undef LOAD_PROMOTED
#undef LOAD
}

// The loader's own structs in the chain of a create-info, by what they carry.
static VkLayerInstanceCreateInfo *loader_info(const VkInstanceCreateInfo *info, VkLayerFunction function) {
    for (const VkBaseInStructure *node = info->pNext; node; node = node->pNext) {
        VkLayerInstanceCreateInfo *found = (VkLayerInstanceCreateInfo *)(uintptr_t)node;
        if (node->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO && found->function == function)
            return found;
    }
    return NULL;
}

static uint32_t asked_api_version(const VkInstanceCreateInfo *info) {
    const uint32_t version = info->pApplicationInfo ? info->pApplicationInfo->apiVersion : 0;
    return version ? version : VK_API_VERSION_1_0; // the spec takes 0 for 1.0
}

static void mutex_init_recursive(pthread_mutex_t *mutex) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static void instance_init(struct instance *instance, const VkInstanceCreateInfo *info,
                          const VkAllocationCallbacks *allocator, VkInstance handle, PFN_vkGetInstanceProcAddr next) {
    instance->handle = handle;
    if (allocator) {
        instance->callbacks = *allocator;
        instance->allocator = &instance->callbacks;
    }
    instance->get_proc_addr = next;
    instance->api_version = asked_api_version(info);
    instance->has_capabilities_extension = extension_is_named(
        info->ppEnabledExtensionNames, info->enabledExtensionCount, VK_KHR_EXTERNAL_MEMORY_CAPABILITIES_EXTENSION_NAME);
    const VkLayerInstanceCreateInfo *devices = loader_info(info, VK_LOADER_LAYER_CREATE_DEVICE_CALLBACK);
    if (devices) {
        instance->create_device = devices->u.layerDevice.pfnLayerCreateDevice;
        instance->destroy_device = devices->u.layerDevice.pfnLayerDestroyDevice;
    }
    mutex_init_recursive(&instance->mutex);
    instance_commands_load(instance);
}

// An emulation that does something else than it was told to is worse than none.
static bool faults_are_understood(void) {
    const char *error = vkz_emulation_error();
    if (error)
        fprintf(stderr, "%s\n", error);
    return !error;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateInstance(const VkInstanceCreateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkInstance *handle) {
    vkz_point(VKZ_POINT_CREATE_INSTANCE);
    faulty_talk("vkCreateInstance");
    if (!faults_are_understood())
        return VK_ERROR_INITIALIZATION_FAILED;
    VkLayerInstanceCreateInfo *link = loader_info(info, VK_LAYER_LINK_INFO);
    if (!link || !link->u.pLayerInfo)
        return VK_ERROR_INITIALIZATION_FAILED;
    const PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    const PFN_vkCreateInstance create = (PFN_vkCreateInstance)next(NULL, "vkCreateInstance");
    struct instance *instance = host_allocate(allocator, sizeof *instance, VK_SYSTEM_ALLOCATION_SCOPE_INSTANCE);
    if (!create || !instance) {
        host_free(allocator, instance);
        return create ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_ERROR_INITIALIZATION_FAILED;
    }
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    instance->loaders_handle = *handle; // there so that the loader finds itself again at the end of the chain
    const VkResult result = create(info, allocator, handle);
    if (result != VK_SUCCESS) {
        host_free(allocator, instance);
        return result;
    }
    instance_init(instance, info, allocator, *handle, next);
    pthread_mutex_lock(&instances_mutex);
    registry_add(&instances, &instance->entry, dispatch_key(*handle));
    pthread_mutex_unlock(&instances_mutex);
    return VK_SUCCESS;
}

static void forget_physical_devices(struct instance *instance) {
    struct physical_device *physical = instance->physical_devices, *next;
    for (; physical; physical = next) {
        next = physical->next_in_list;
        trial_end(physical);
        host_free(instance->allocator, physical);
    }
}

VKAPI_ATTR void VKAPI_CALL hook_DestroyInstance(VkInstance handle, const VkAllocationCallbacks *allocator) {
    vkz_point(VKZ_POINT_DESTROY_INSTANCE);
    if (!handle)
        return;
    pthread_mutex_lock(&instances_mutex);
    struct instance *instance = (struct instance *)registry_take(&instances, dispatch_key(handle));
    pthread_mutex_unlock(&instances_mutex);
    forget_physical_devices(instance);
    instance->next.DestroyInstance(instance->handle, allocator);
    pthread_mutex_destroy(&instance->mutex);
    host_free(allocator, instance);
}

static struct physical_device *find_physical_device_locked(const struct instance *instance, VkPhysicalDevice handle) {
    struct physical_device *physical = instance->physical_devices;
    while (physical && physical->handle != handle)
        physical = physical->next_in_list;
    return physical;
}

// Listed before its trial: the loader, asked for a trial device, asks the topmost layer, and so us, for the extensions.
// It finds a physical device that offers nothing yet, which is the driver's own list.
static struct physical_device *add_physical_device_locked(struct instance *instance, VkPhysicalDevice handle) {
    struct physical_device *physical =
        host_allocate(instance->allocator, sizeof *physical, VK_SYSTEM_ALLOCATION_SCOPE_INSTANCE);
    if (!physical)
        return NULL;
    physical->instance = instance;
    physical->handle = handle;
    physical->next_in_list = instance->physical_devices;
    instance->physical_devices = physical;
    if (trial_run(physical))
        return physical;
    instance->physical_devices = physical->next_in_list; // the next question finds out
    host_free(instance->allocator, physical);
    return NULL;
}

struct physical_device *physical_device_of(struct instance *instance, VkPhysicalDevice handle) {
    pthread_mutex_lock(&instance->mutex);
    struct physical_device *physical = find_physical_device_locked(instance, handle);
    if (!physical)
        physical = add_physical_device_locked(instance, handle);
    pthread_mutex_unlock(&instance->mutex);
    return physical;
}
