// SPDX-License-Identifier: Apache-2.0
//
// Instances and their physical devices. A trial decides whether a physical device can be emulated: in a device of the
// layer's own, the driver imports a memfd's pages. A driver may list VK_EXT_external_memory_host and still refuse pages
// that a file backs.
#include "instance.h"
#include "faults.h"
#include "hooks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static struct dispatch instances = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct instance *instance_of(const void *handle) {
    static _Thread_local struct remembered last;
    return dispatch_find(&instances, &last, handle);
}

struct trial {
    struct physical_device *physical;
    uint8_t uuid[VKZ_UUID_SIZE];
    char reason[160]; // why the extension cannot be offered; empty so far
    bool starved;     // memory was too short for a result
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct trial *trial, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trial->reason, sizeof trial->reason, format, arguments);
    va_end(arguments);
    return false;
}

static void read_properties2(struct trial *trial) {
    struct physical_device *physical = trial->physical;
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
    };
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &host};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    physical->instance->next.GetPhysicalDeviceProperties2(physical->handle, &properties);
    memcpy(trial->uuid, id.deviceUUID, sizeof trial->uuid);
    if (host.minImportedHostPointerAlignment)
        physical->host_pointer_alignment = host.minImportedHostPointerAlignment;
}

static void read_properties(struct trial *trial) {
    struct physical_device *physical = trial->physical;
    const struct instance *instance = physical->instance;
    VkPhysicalDeviceProperties properties;
    instance->next.GetPhysicalDeviceProperties(physical->handle, &properties);
    instance->next.GetPhysicalDeviceMemoryProperties(physical->handle, &physical->memory);
    physical->api_version =
        properties.apiVersion < instance->api_version ? properties.apiVersion : instance->api_version;
    physical->non_coherent_atom_size = properties.limits.nonCoherentAtomSize;
    physical->host_pointer_alignment = VKZ_GRANULE; // the largest that a driver may require
    if (physical->api_version >= VK_API_VERSION_1_1 || instance->has_capabilities_extension)
        read_properties2(trial);
}

// The extensions that the layers and the driver below list, for host_free(). NULL if there are none or, with a count,
// if memory is short.
static VkExtensionProperties *list_extensions(const struct physical_device *physical, uint32_t *count) {
    const PFN_vkEnumerateDeviceExtensionProperties enumerate =
        physical->instance->next.EnumerateDeviceExtensionProperties;
    *count = 0;
    if (enumerate(physical->handle, NULL, count, NULL) != VK_SUCCESS || *count == 0)
        return NULL;
    VkExtensionProperties *extensions =
        host_allocate(physical->instance->allocator, *count * sizeof *extensions, VK_SYSTEM_ALLOCATION_SCOPE_COMMAND);
    if (extensions && enumerate(physical->handle, NULL, count, extensions) < 0)
        *count = 0;
    return extensions;
}

static bool is_listed(const VkExtensionProperties *extensions, uint32_t count, const char *name) {
    for (uint32_t i = 0; extensions && i < count; i++) {
        if (strcmp(extensions[i].extensionName, name) == 0)
            return true;
    }
    return false;
}

// The extension's own dependencies (Vulkan 1.1, or two KHR extensions), and what the emulation rests on.
static bool check_extensions(struct trial *trial, const VkExtensionProperties *extensions, uint32_t count) {
    struct physical_device *physical = trial->physical;
    physical->lists_dependency = is_listed(extensions, count, VK_KHR_EXTERNAL_MEMORY_EXTENSION_NAME);
    physical->native = is_listed(extensions, count, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME);
    if (physical->native)
        return refuse(trial, "the driver offers VK_FUCHSIA_external_memory itself");
    if (!is_listed(extensions, count, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME))
        return refuse(trial, "the driver does not offer VK_EXT_external_memory_host");
    if (physical->api_version >= VK_API_VERSION_1_1)
        return true;
    if (!physical->instance->has_capabilities_extension)
        return refuse(trial, "the instance is Vulkan 1.0 without VK_KHR_external_memory_capabilities");
    if (!physical->lists_dependency)
        return refuse(trial, "the device is Vulkan 1.0 without VK_KHR_external_memory");
    return true;
}

static bool check_dependencies(struct trial *trial) {
    uint32_t count;
    VkExtensionProperties *extensions = list_extensions(trial->physical, &count);
    trial->starved = count && !extensions;
    const bool met = !trial->starved && check_extensions(trial, extensions, count);
    host_free(trial->physical->instance->allocator, extensions);
    return met;
}

// The loader's callback creates the device below this layer.
static bool open_scratch(struct trial *trial) {
    struct physical_device *physical = trial->physical;
    const struct instance *instance = physical->instance;
    if (!instance->create_device || !instance->destroy_device)
        return refuse(trial, "the Vulkan loader does not let layers create devices");
    VkPhysicalDeviceFeatures features; // all of them, because sparse images have memory types too
    instance->next.GetPhysicalDeviceFeatures(physical->handle, &features);
    const char *names[] = {VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, VK_KHR_EXTERNAL_MEMORY_EXTENSION_NAME};
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueCount = 1,
        .pQueuePriorities = &(const float){1.0f},
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = physical->api_version < VK_API_VERSION_1_1 ? 2 : 1,
        .ppEnabledExtensionNames = names,
        .pEnabledFeatures = &features,
    };
    PFN_vkGetDeviceProcAddr next = NULL;
    const VkResult result = instance->create_device(instance->loaders_handle, physical->handle, &info, NULL,
                                                    &physical->scratch, hook_GetInstanceProcAddr, &next);
    if (result != VK_SUCCESS || !next) {
        physical->scratch = NULL;
        return refuse(trial, "the driver creates no device, with the emulation or without it (VkResult %d)", result);
    }
    device_commands_load(&physical->scratch_next, next, physical->scratch, physical->api_version);
    return true;
}

static uint32_t host_visible_types(const VkPhysicalDeviceMemoryProperties *memory) {
    uint32_t types = 0;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        if (memory->memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            types |= 1u << i;
    }
    return types;
}

static VkResult try_import(const struct physical_device *physical, uint32_t type, void *pages, size_t size) {
    const VkImportMemoryHostPointerInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = HOST_MEMORY,
        .pHostPointer = pages,
    };
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &import,
        .allocationSize = size,
        .memoryTypeIndex = type,
    };
    VkDeviceMemory memory;
    const VkResult result = physical->scratch_next.AllocateMemory(physical->scratch, &info, NULL, &memory);
    if (result == VK_SUCCESS)
        physical->scratch_next.FreeMemory(physical->scratch, memory, NULL);
    return result;
}

static bool try_types(struct trial *trial, void *pages, size_t size) {
    struct physical_device *physical = trial->physical;
    VkMemoryHostPointerPropertiesEXT pointer = {.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    VkResult result =
        physical->scratch_next.GetMemoryHostPointerPropertiesEXT(physical->scratch, HOST_MEMORY, pages, &pointer);
    if (result != VK_SUCCESS)
        return refuse(trial, "the driver refuses pages of a memfd as host memory (VkResult %d)", result);
    const uint32_t visible = pointer.memoryTypeBits & host_visible_types(&physical->memory);
    if (!visible)
        return refuse(trial, "no HOST_VISIBLE memory type takes host memory (types 0x%" PRIx32 ")",
                      pointer.memoryTypeBits);
    for (uint32_t type = 0; type < physical->memory.memoryTypeCount; type++) {
        if (!(visible & 1u << type))
            continue;
        const VkResult imported = try_import(physical, type, pages, size);
        if (imported == VK_SUCCESS)
            physical->memory_types |= 1u << type;
        else
            result = imported;
    }
    return physical->memory_types || refuse(trial, "importing a memfd's pages failed (VkResult %d)", result);
}

static bool try_vmo(struct trial *trial) {
    zx_handle_t vmo;
    zx_vaddr_t pages;
    size_t size;
    zx_status_t status = zx_vmo_create(VKZ_GRANULE, 0, &vmo);
    if (status != ZX_OK)
        return refuse(trial, "no VMO could be created (%s)", zx_status_get_string(status));
    bool taken = false;
    status = vkz_vmo_map(vmo, VKZ_GRANULE, &pages, &size);
    if (status == ZX_OK) {
        taken = try_types(trial, (void *)pages, size);
        zx_vmar_unmap(zx_vmar_root_self(), pages, size);
    } else {
        refuse(trial, "a VMO could not be mapped (%s)", zx_status_get_string(status));
    }
    zx_handle_close(vmo);
    return taken;
}

// SwiftShader imports host memory, but its queries have no case for that handle type (PhysicalDevice::getProperties in
// VkPhysicalDevice.cpp), and report nothing for any resource.
static bool denies_imports(const struct physical_device *physical) {
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .handleType = HOST_MEMORY,
    };
    VkExternalBufferProperties found = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    physical->instance->next.GetPhysicalDeviceExternalBufferProperties(physical->handle, &info, &found);
    return !found.externalMemoryProperties.externalMemoryFeatures;
}

static void trial_end(struct physical_device *physical) {
    if (!physical->scratch)
        return;
    physical->instance->destroy_device(physical->scratch, NULL, physical->scratch_next.DestroyDevice);
    physical->scratch = NULL;
}

// Fills in what the trial finds, and notes in libzircon.so why the extension is not offered. False only if memory is
// short.
static bool trial_run(struct physical_device *physical) {
    struct trial trial = {.physical = physical};
    read_properties(&trial);
    if (!check_dependencies(&trial) || !open_scratch(&trial) || !try_vmo(&trial))
        trial_end(physical);
    else
        physical->denies_imports = denies_imports(physical);
    if (!trial.starved)
        vkz_device_set_reason(trial.uuid, trial.reason);
    return !trial.starved;
}

static struct physical_device *find_physical_device_locked(const struct instance *instance, VkPhysicalDevice handle) {
    struct physical_device *physical = instance->physical_devices;
    while (physical && physical->handle != handle)
        physical = physical->next_in_list;
    return physical;
}

// The device is in the list before its trial: to create the trial's device, the loader asks the topmost layer for the
// extensions. It then finds a device without emulation, and gets the driver's own list.
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
    instance->physical_devices = physical->next_in_list; // the next call runs the trial again
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

static uint32_t asked_api_version(const VkInstanceCreateInfo *info) {
    const uint32_t version = info->pApplicationInfo ? info->pApplicationInfo->apiVersion : 0;
    return version ? version : VK_API_VERSION_1_0; // the spec: 0 means 1.0
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
    const VkLayerInstanceCreateInfo *devices =
        loader_info(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO, VK_LOADER_LAYER_CREATE_DEVICE_CALLBACK);
    if (devices) {
        instance->create_device = devices->u.layerDevice.pfnLayerCreateDevice;
        instance->destroy_device = devices->u.layerDevice.pfnLayerDestroyDevice;
    }
    mutex_init_recursive(&instance->mutex);
    instance_commands_load(&instance->next, next, handle, instance->api_version);
}

// Otherwise a misspelled setting would be ignored, and a sandbox's refusal would look like an unsuitable driver.
static bool can_emulate(void) {
    const char *error = vkz_emulation_error();
    if (error)
        fprintf(stderr, "%s\n", error);
    return !error;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateInstance(const VkInstanceCreateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkInstance *handle) {
    if (!can_emulate())
        return VK_ERROR_INITIALIZATION_FAILED;
    VkLayerInstanceCreateInfo *link =
        loader_info(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO, VK_LAYER_LINK_INFO);
    if (!link || !link->u.pLayerInfo)
        return VK_ERROR_INITIALIZATION_FAILED;
    const PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    const PFN_GetPhysicalDeviceProcAddr next_physical = link->u.pLayerInfo->pfnNextGetPhysicalDeviceProcAddr;
    const PFN_vkCreateInstance create = (PFN_vkCreateInstance)next(NULL, "vkCreateInstance");
    struct instance *instance = host_allocate(allocator, sizeof *instance, VK_SYSTEM_ALLOCATION_SCOPE_INSTANCE);
    if (!create || !instance) {
        host_free(allocator, instance);
        return create ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_ERROR_INITIALIZATION_FAILED;
    }
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    instance->loaders_handle = *handle; // the loader passes it down the chain to itself
    const VkResult result = create(info, allocator, handle);
    if (result != VK_SUCCESS) {
        host_free(allocator, instance);
        return result;
    }
    instance_init(instance, info, allocator, *handle, next);
    instance->get_physical_proc_addr = next_physical;
    dispatch_add(&instances, &instance->entry, *handle);
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
    if (!handle)
        return;
    struct instance *instance = dispatch_take(&instances, handle);
    forget_physical_devices(instance);
    instance->next.DestroyInstance(instance->handle, allocator);
    pthread_mutex_destroy(&instance->mutex);
    host_free(allocator, instance);
}

const struct hook instance_hooks[] = {
    ROW(hook, GLOBAL, CreateInstance),
    ROW(hook, INSTANCE, DestroyInstance),
    LAST_ROW,
};
