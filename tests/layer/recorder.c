// SPDX-License-Identifier: Apache-2.0
//
// See recorder.h. The next commands are global, because lavapipe has the same ones for every device.
#include "recorder.h"

#include "links.h"
#include "newer.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zircon/syscalls.h>

#define GRANULE 4096u // required by lavapipe for a host pointer
#define ATOM    256u  // required by PRETEND_MANY_TYPES for a range

struct recorder recorder;

static PFN_vkGetInstanceProcAddr next_instance_proc;
static PFN_vkGetDeviceProcAddr next_device_proc;
static VkInstance current_instance;

// Looked up while the instance is created. Later the loader returns the topmost layer's commands.
#define INSTANCE_COMMANDS(X)                                                                                           \
    X(EnumerateDeviceExtensionProperties)                                                                              \
    X(GetPhysicalDeviceMemoryProperties)                                                                               \
    X(GetPhysicalDeviceProperties)                                                                                     \
    X(GetPhysicalDeviceExternalBufferProperties)                                                                       \
    X(GetPhysicalDeviceImageFormatProperties2)

static struct {
#define DECLARE(name) PFN_vk##name name;
    INSTANCE_COMMANDS(DECLARE)
#undef DECLARE
} next_commands;

static VkDeviceSize atom(void) {
    return recorder.pretense == PRETEND_MANY_TYPES ? ATOM : 64;
}

__attribute__((format(printf, 1, 2))) static void violation(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("recorder: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    recorder.violations++;
}

static void no_zircon(VkFlags types, const char *where) {
    if (types & ZIRCON_VMO)
        violation("%s has handle types 0x%x", where, types);
}

static void check_chain(const void *first, const char *where) {
    for (const VkBaseInStructure *node = first; node; node = node->pNext) {
        if (node->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA)
            violation("%s has a Zircon import", where);
        if (node->sType == VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO)
            no_zircon(((const VkExportMemoryAllocateInfo *)node)->handleTypes, where);
        if (node->sType == VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO)
            no_zircon(((const VkExternalMemoryBufferCreateInfo *)node)->handleTypes, where);
        if (node->sType == VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO)
            no_zircon(((const VkExternalMemoryImageCreateInfo *)node)->handleTypes, where);
        if (node->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO)
            no_zircon(((const VkPhysicalDeviceExternalImageFormatInfo *)node)->handleType, where);
    }
}

static void note_chain(const void *first) {
    recorder.chain_length = 0;
    for (const VkBaseInStructure *node = first; node; node = node->pNext) {
        if (recorder.chain_length < RECORDER_CHAIN)
            recorder.chain[recorder.chain_length++] = node->sType;
    }
}

static void note_allocation(const VkMemoryAllocateInfo *info) {
    note_chain(info->pNext);
    recorder.host_pointer = NULL;
    recorder.allocation_size = info->allocationSize;
    recorder.memory_type = info->memoryTypeIndex;
    for (const VkBaseInStructure *node = info->pNext; node; node = node->pNext) {
        if (node->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT)
            recorder.host_pointer = ((const VkImportMemoryHostPointerInfoEXT *)node)->pHostPointer;
    }
}

static void check_host_memory(void) {
    for (uint32_t i = 0; i < recorder.chain_length; i++) {
        if (recorder.chain[i] == VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO ||
            recorder.chain[i] == VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO)
            violation("host memory comes with struct %d", recorder.chain[i]);
    }
    if ((uintptr_t)recorder.host_pointer % GRANULE || recorder.allocation_size % GRANULE)
        violation("host memory %p of size %llu is not aligned", recorder.host_pointer,
                  (unsigned long long)recorder.allocation_size);
}

#define NEXT_DEVICE(name) ((PFN_vk##name)next_device_proc(device, "vk" #name))

static pthread_mutex_t allocation_mutex = PTHREAD_MUTEX_INITIALIZER;

static VkResult allocate_locked(VkDevice device, const VkMemoryAllocateInfo *info,
                                const VkAllocationCallbacks *allocator, VkDeviceMemory *memory) {
    recorder.allocations++;
    note_allocation(info);
    check_chain(info->pNext, "vkAllocateMemory");
    if (recorder.host_pointer)
        check_host_memory();
    if (recorder.host_pointer && recorder.pretense == PRETEND_REFUSED_IMPORTS)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (recorder.host_pointer && recorder.pretense == PRETEND_MANY_TYPES && info->memoryTypeIndex != 1)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (recorder.pretense == PRETEND_LOST_HANDLES && recorder.steal)
        zx_handle_close(recorder.steal);
    VkMemoryAllocateInfo real = *info;
    real.memoryTypeIndex = 0; // lavapipe's only one
    const VkResult result = NEXT_DEVICE(AllocateMemory)(device, &real, allocator, memory);
    if (result == VK_SUCCESS)
        recorder.live_allocations++;
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL record_AllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                            const VkAllocationCallbacks *allocator,
                                                            VkDeviceMemory *memory) {
    pthread_mutex_lock(&allocation_mutex);
    const VkResult result = allocate_locked(device, info, allocator, memory);
    pthread_mutex_unlock(&allocation_mutex);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL record_FreeMemory(VkDevice device, VkDeviceMemory memory,
                                                    const VkAllocationCallbacks *allocator) {
    pthread_mutex_lock(&allocation_mutex);
    if (memory)
        recorder.live_allocations--;
    pthread_mutex_unlock(&allocation_mutex);
    NEXT_DEVICE(FreeMemory)(device, memory, allocator);
}

static VKAPI_ATTR VkResult VKAPI_CALL record_MapMemory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                                                       VkDeviceSize size, VkMemoryMapFlags flags, void **data) {
    recorder.mapped_size = size;
    return NEXT_DEVICE(MapMemory)(device, memory, offset, size, flags, data);
}

// Lavapipe of Mesa 22 has neither this command nor the next one.
static VKAPI_ATTR VkResult VKAPI_CALL record_MapMemory2(VkDevice device, const struct newer_map *info, void **data) {
    return record_MapMemory(device, info->memory, info->offset, info->size, info->flags, data);
}

static VKAPI_ATTR void VKAPI_CALL record_GetDeviceImageSubresourceLayout(VkDevice device,
                                                                         const struct newer_image_subresource *info,
                                                                         void *layout) {
    (void)device, (void)layout;
    check_chain(info->pCreateInfo->pNext, "vkGetDeviceImageSubresourceLayout");
    note_chain(info->pCreateInfo->pNext);
}

static void record_ranges(uint32_t count, const VkMappedMemoryRange *ranges) {
    recorder.range_calls++;
    recorder.num_ranges = count;
    for (uint32_t i = 0; i < count; i++) {
        recorder.range = ranges[i];
        if (ranges[i].offset % atom() || (ranges[i].size != VK_WHOLE_SIZE && ranges[i].size % atom()))
            violation("range %llu+%llu is no multiple of nonCoherentAtomSize", (unsigned long long)ranges[i].offset,
                      (unsigned long long)ranges[i].size);
    }
}

static VKAPI_ATTR VkResult VKAPI_CALL record_FlushMappedMemoryRanges(VkDevice device, uint32_t count,
                                                                     const VkMappedMemoryRange *ranges) {
    record_ranges(count, ranges);
    return NEXT_DEVICE(FlushMappedMemoryRanges)(device, count, ranges);
}

static VKAPI_ATTR VkResult VKAPI_CALL record_InvalidateMappedMemoryRanges(VkDevice device, uint32_t count,
                                                                          const VkMappedMemoryRange *ranges) {
    record_ranges(count, ranges);
    return NEXT_DEVICE(InvalidateMappedMemoryRanges)(device, count, ranges);
}

static VKAPI_ATTR VkResult VKAPI_CALL record_CreateBuffer(VkDevice device, const VkBufferCreateInfo *info,
                                                          const VkAllocationCallbacks *allocator, VkBuffer *buffer) {
    check_chain(info->pNext, "vkCreateBuffer");
    note_chain(info->pNext);
    return NEXT_DEVICE(CreateBuffer)(device, info, allocator, buffer);
}

// Tests query the requirements of the last image created, so only its tiling is kept.
static VkImageTiling last_tiling;

static VKAPI_ATTR VkResult VKAPI_CALL record_CreateImage(VkDevice device, const VkImageCreateInfo *info,
                                                         const VkAllocationCallbacks *allocator, VkImage *image) {
    check_chain(info->pNext, "vkCreateImage");
    note_chain(info->pNext);
    last_tiling = info->tiling;
    return NEXT_DEVICE(CreateImage)(device, info, allocator, image);
}

static void pretend_requirements(VkMemoryRequirements *requirements, VkImageTiling tiling) {
    if (recorder.pretense == PRETEND_MANY_TYPES)
        requirements->memoryTypeBits = tiling == VK_IMAGE_TILING_OPTIMAL ? 1 : 7;
}

static VKAPI_ATTR void VKAPI_CALL record_GetBufferMemoryRequirements(VkDevice device, VkBuffer buffer,
                                                                     VkMemoryRequirements *requirements) {
    NEXT_DEVICE(GetBufferMemoryRequirements)(device, buffer, requirements);
    pretend_requirements(requirements, VK_IMAGE_TILING_LINEAR);
}

static VKAPI_ATTR void VKAPI_CALL record_GetBufferMemoryRequirements2(VkDevice device,
                                                                      const VkBufferMemoryRequirementsInfo2 *info,
                                                                      VkMemoryRequirements2 *requirements) {
    NEXT_DEVICE(GetBufferMemoryRequirements2)(device, info, requirements);
    pretend_requirements(&requirements->memoryRequirements, VK_IMAGE_TILING_LINEAR);
}

static VKAPI_ATTR void VKAPI_CALL record_GetImageMemoryRequirements(VkDevice device, VkImage image,
                                                                    VkMemoryRequirements *requirements) {
    NEXT_DEVICE(GetImageMemoryRequirements)(device, image, requirements);
    pretend_requirements(requirements, last_tiling);
}

static VKAPI_ATTR void VKAPI_CALL record_GetImageMemoryRequirements2(VkDevice device,
                                                                     const VkImageMemoryRequirementsInfo2 *info,
                                                                     VkMemoryRequirements2 *requirements) {
    NEXT_DEVICE(GetImageMemoryRequirements2)(device, info, requirements);
    pretend_requirements(&requirements->memoryRequirements, last_tiling);
}

static VKAPI_ATTR void VKAPI_CALL record_GetDeviceBufferMemoryRequirements(VkDevice device,
                                                                           const VkDeviceBufferMemoryRequirements *info,
                                                                           VkMemoryRequirements2 *requirements) {
    check_chain(info->pCreateInfo->pNext, "vkGetDeviceBufferMemoryRequirements");
    NEXT_DEVICE(GetDeviceBufferMemoryRequirements)(device, info, requirements);
    pretend_requirements(&requirements->memoryRequirements, VK_IMAGE_TILING_LINEAR);
}

static VKAPI_ATTR void VKAPI_CALL record_GetDeviceImageMemoryRequirements(VkDevice device,
                                                                          const VkDeviceImageMemoryRequirements *info,
                                                                          VkMemoryRequirements2 *requirements) {
    check_chain(info->pCreateInfo->pNext, "vkGetDeviceImageMemoryRequirements");
    NEXT_DEVICE(GetDeviceImageMemoryRequirements)(device, info, requirements);
    pretend_requirements(&requirements->memoryRequirements, info->pCreateInfo->tiling);
}

static VKAPI_ATTR void VKAPI_CALL
record_GetDeviceImageSparseMemoryRequirements(VkDevice device, const VkDeviceImageMemoryRequirements *info,
                                              uint32_t *count, VkSparseImageMemoryRequirements2 *requirements) {
    check_chain(info->pCreateInfo->pNext, "vkGetDeviceImageSparseMemoryRequirements");
    note_chain(info->pCreateInfo->pNext);
    NEXT_DEVICE(GetDeviceImageSparseMemoryRequirements)(device, info, count, requirements);
}

static VKAPI_ATTR VkResult VKAPI_CALL
record_GetMemoryHostPointerPropertiesEXT(VkDevice device, VkExternalMemoryHandleTypeFlagBits type, const void *pointer,
                                         VkMemoryHostPointerPropertiesEXT *properties) {
    const VkResult result = NEXT_DEVICE(GetMemoryHostPointerPropertiesEXT)(device, type, pointer, properties);
    if (recorder.pretense == PRETEND_MANY_TYPES)
        properties->memoryTypeBits = 6;
    if (recorder.pretense == PRETEND_HIDDEN_TYPES)
        properties->memoryTypeBits = 1;
    return recorder.pretense == PRETEND_REFUSED_PAGES ? VK_ERROR_INVALID_EXTERNAL_HANDLE : result;
}

static VKAPI_ATTR void VKAPI_CALL record_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice physical,
                                                                           VkPhysicalDeviceMemoryProperties *memory) {
    next_commands.GetPhysicalDeviceMemoryProperties(physical, memory);
    if (recorder.pretense != PRETEND_MANY_TYPES && recorder.pretense != PRETEND_HIDDEN_TYPES)
        return;
    memory->memoryTypeCount = 3;
    memory->memoryTypes[1] = memory->memoryTypes[2] = memory->memoryTypes[0];
    memory->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
}

static VKAPI_ATTR void VKAPI_CALL record_GetPhysicalDeviceProperties(VkPhysicalDevice physical,
                                                                     VkPhysicalDeviceProperties *properties) {
    next_commands.GetPhysicalDeviceProperties(physical, properties);
    if (recorder.pretense == PRETEND_MANY_TYPES)
        properties->limits.nonCoherentAtomSize = ATOM;
}

static VKAPI_ATTR void VKAPI_CALL record_GetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice physical, const VkPhysicalDeviceExternalBufferInfo *info, VkExternalBufferProperties *properties) {
    no_zircon(info->handleType, "vkGetPhysicalDeviceExternalBufferProperties");
    next_commands.GetPhysicalDeviceExternalBufferProperties(physical, info, properties);
    if (recorder.pretense == PRETEND_DENIED_IMPORTS)
        properties->externalMemoryProperties = (VkExternalMemoryProperties){0};
}

static VKAPI_ATTR VkResult VKAPI_CALL record_GetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice physical, const VkPhysicalDeviceImageFormatInfo2 *info, VkImageFormatProperties2 *properties) {
    check_chain(info->pNext, "vkGetPhysicalDeviceImageFormatProperties2");
    const VkResult result = next_commands.GetPhysicalDeviceImageFormatProperties2(physical, info, properties);
    if (recorder.pretense == PRETEND_DENIED_IMPORTS)
        ((VkExternalImageFormatProperties *)properties->pNext)->externalMemoryProperties =
            (VkExternalMemoryProperties){0};
    return result;
}

// Replaces the first name, or the one to hide.
static VKAPI_ATTR VkResult VKAPI_CALL record_EnumerateDeviceExtensionProperties(VkPhysicalDevice physical,
                                                                                const char *layer, uint32_t *count,
                                                                                VkExtensionProperties *properties) {
    const VkResult result = next_commands.EnumerateDeviceExtensionProperties(physical, layer, count, properties);
    for (uint32_t i = 0; result >= 0 && properties && i < *count; i++) {
        char *name = properties[i].extensionName;
        if (recorder.pretense == PRETEND_NATIVE && i == 0)
            strcpy(name, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME);
        if (recorder.pretense == PRETEND_NO_HOST_MEMORY &&
            strcmp(name, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0)
            strcpy(name, "VK_EXT_nothing_of_the_kind");
    }
    return result;
}

static uint32_t times_named(const VkDeviceCreateInfo *info, const char *name) {
    uint32_t times = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        times += strcmp(info->ppEnabledExtensionNames[i], name) == 0;
    return times;
}

static void leave_out(VkDeviceCreateInfo *info, const char **names, const char *name) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        if (strcmp(info->ppEnabledExtensionNames[i], name) != 0)
            names[count++] = info->ppEnabledExtensionNames[i];
    }
    info->enabledExtensionCount = count;
    info->ppEnabledExtensionNames = names;
}

static VKAPI_ATTR VkResult VKAPI_CALL record_GetMemoryZirconHandleFUCHSIA(
    VkDevice device, const VkMemoryGetZirconHandleInfoFUCHSIA *info, zx_handle_t *handle) {
    (void)device, (void)info;
    *handle = RECORDER_HANDLE;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL
record_GetMemoryZirconHandlePropertiesFUCHSIA(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
                                              zx_handle_t handle, VkMemoryZirconHandlePropertiesFUCHSIA *properties) {
    (void)device, (void)type, (void)handle;
    properties->memoryTypeBits = 1;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL record_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                          const VkAllocationCallbacks *allocator, VkDevice *device) {
    VkLayerDeviceCreateInfo *link = device_link(info);
    const PFN_vkCreateDevice next =
        (PFN_vkCreateDevice)link->u.pLayerInfo->pfnNextGetInstanceProcAddr(current_instance, "vkCreateDevice");
    next_device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    if (times_named(info, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME) && recorder.pretense != PRETEND_NATIVE)
        violation("vkCreateDevice enables VK_FUCHSIA_external_memory");
    const char *names[64];
    VkDeviceCreateInfo below = *info;
    if (recorder.pretense == PRETEND_NATIVE) // lavapipe does not know the extension
        leave_out(&below, names, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME);
    if (times_named(info, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) > 1)
        violation("vkCreateDevice enables VK_EXT_external_memory_host twice");
    recorder.devices++;
    return next(physical, &below, allocator, device);
}

static VKAPI_ATTR VkResult VKAPI_CALL record_CreateInstance(const VkInstanceCreateInfo *info,
                                                            const VkAllocationCallbacks *allocator,
                                                            VkInstance *instance) {
    VkLayerInstanceCreateInfo *link = instance_link(info);
    next_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    const PFN_vkCreateInstance next = (PFN_vkCreateInstance)next_instance_proc(NULL, "vkCreateInstance");
    const VkResult result = next(info, allocator, instance);
    current_instance = *instance;
#define LOAD(name) next_commands.name = (PFN_vk##name)next_instance_proc(*instance, "vk" #name);
    INSTANCE_COMMANDS(LOAD)
#undef LOAD
    return result;
}

static PFN_vkVoidFunction VKAPI_CALL record_GetInstanceProcAddr(VkInstance instance, const char *name);
static PFN_vkVoidFunction VKAPI_CALL record_GetDeviceProcAddr(VkDevice device, const char *name);

#define RECORD(name)     {"vk" #name, (PFN_vkVoidFunction)record_##name},
#define RECORD_KHR(name) RECORD(name){"vk" #name "KHR", (PFN_vkVoidFunction)record_##name},

static const struct {
    const char *name;
    PFN_vkVoidFunction function;
} commands[] = {
    // clang-format off
    RECORD(GetInstanceProcAddr)
    RECORD(GetDeviceProcAddr)
    RECORD(CreateInstance)
    RECORD(CreateDevice)
    RECORD(EnumerateDeviceExtensionProperties)
    RECORD(GetPhysicalDeviceMemoryProperties)
    RECORD(GetPhysicalDeviceProperties)
    RECORD_KHR(GetPhysicalDeviceExternalBufferProperties)
    RECORD_KHR(GetPhysicalDeviceImageFormatProperties2)
    RECORD(AllocateMemory)
    RECORD(FreeMemory)
    RECORD(MapMemory)
    RECORD_KHR(MapMemory2)
    RECORD_KHR(GetDeviceImageSubresourceLayout)
    RECORD_KHR(GetDeviceImageSparseMemoryRequirements)
    RECORD(FlushMappedMemoryRanges)
    RECORD(InvalidateMappedMemoryRanges)
    RECORD(CreateBuffer)
    RECORD(CreateImage)
    RECORD(GetBufferMemoryRequirements)
    RECORD_KHR(GetBufferMemoryRequirements2)
    RECORD(GetImageMemoryRequirements)
    RECORD_KHR(GetImageMemoryRequirements2)
    RECORD_KHR(GetDeviceBufferMemoryRequirements)
    RECORD_KHR(GetDeviceImageMemoryRequirements)
    RECORD(GetMemoryHostPointerPropertiesEXT)
    RECORD(GetMemoryZirconHandleFUCHSIA)
    RECORD(GetMemoryZirconHandlePropertiesFUCHSIA)
    // clang-format on
};

static PFN_vkVoidFunction find_command(const char *name) {
    if (recorder.pretense != PRETEND_NATIVE && strncmp(name, "vkGetMemoryZirconHandle", 23) == 0)
        return NULL;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].function;
    }
    return NULL;
}

static PFN_vkVoidFunction VKAPI_CALL record_GetInstanceProcAddr(VkInstance instance, const char *name) {
    const PFN_vkVoidFunction found = find_command(name);
    return found || !instance ? found : next_instance_proc(instance, name);
}

static PFN_vkVoidFunction VKAPI_CALL record_GetDeviceProcAddr(VkDevice device, const char *name) {
    const PFN_vkVoidFunction found = find_command(name);
    return found ? found : next_device_proc(device, name);
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = record_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = record_GetDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
