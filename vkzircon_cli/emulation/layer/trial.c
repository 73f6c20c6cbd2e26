// SPDX-License-Identifier: Apache-2.0
//
// Whether a physical device can really take a memfd's pages as its memory is found out by having it do so, in a device
// of our own: a driver may list VK_EXT_external_memory_host and yet refuse pages that a file backs.
#include "layer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct trial {
    struct physical_device *physical;
    uint8_t uuid[VKZ_UUID_SIZE];
    char reason[160]; // why not; empty so far
    bool starved;     // no memory: nothing was found out
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
    physical->host_pointer_alignment = VKZ_GRANULE; // the most that any driver may demand
    if (physical->api_version >= VK_API_VERSION_1_1 || instance->has_capabilities_extension)
        read_properties2(trial);
}

// What the layers and the driver below list. To be freed; NULL when there is nothing, or, with a count, no memory.
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

// A device made by a layer starts below that layer: the loader's callback sees to it.
static bool open_scratch(struct trial *trial) {
    struct physical_device *physical = trial->physical;
    const struct instance *instance = physical->instance;
    if (!instance->create_device || !instance->destroy_device)
        return refuse(trial, "the Vulkan loader does not let layers create devices");
    VkPhysicalDeviceFeatures features; // all: sparse images have memory types too
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
        return refuse(trial, "no trial device could be created (VkResult %d)", result);
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

bool trial_run(struct physical_device *physical) {
    struct trial trial = {.physical = physical};
    read_properties(&trial);
    if (!check_dependencies(&trial) || !open_scratch(&trial) || !try_vmo(&trial))
        trial_end(physical);
    if (!trial.starved)
        vkz_device_set_reason(trial.uuid, trial.reason);
    return !trial.starved;
}

void trial_end(struct physical_device *physical) {
    if (!physical->scratch)
        return;
    physical->instance->destroy_device(physical->scratch, NULL, physical->scratch_next.DestroyDevice);
    physical->scratch = NULL;
}
