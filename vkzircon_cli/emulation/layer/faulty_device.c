// SPDX-License-Identifier: Apache-2.0
//
// Faults of instances, devices and queries, and the commands that only faults intercept.
#include "chain.h"
#include "faulty.h"

#include <stdio.h>

// The second line imitates an event of vkzircon's own stream.
static void talk(FILE *stream, const char *where) {
    fprintf(stream, "DRIVER: hello from %s\n{\"event\": \"done\"}\n", where);
    fflush(stream);
}

void faulty_talk(const char *where) {
    if (vkz_fault(VKZ_FAULT_TALKS_ON_STDERR))
        talk(stderr, where);
    if (vkz_fault(VKZ_FAULT_TALKS_ON_STDOUT))
        talk(stdout, where);
}

VkResult faulty_lost(struct device *device, enum vkz_fault fault) {
    if (vkz_fault(fault))
        atomic_store(&device->lost, true);
    return atomic_load(&device->lost) ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

__attribute__((constructor)) static void layer_loaded(void) {
    vkz_point(VKZ_POINT_LOAD);
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_CreateInstance(const VkInstanceCreateInfo *info,
                                                            const VkAllocationCallbacks *allocator,
                                                            VkInstance *handle) {
    vkz_point(VKZ_POINT_CREATE_INSTANCE);
    faulty_talk("vkCreateInstance");
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    return hook_CreateInstance(info, allocator, handle);
}

static VKAPI_ATTR void VKAPI_CALL faulty_DestroyInstance(VkInstance handle, const VkAllocationCallbacks *allocator) {
    vkz_point(VKZ_POINT_DESTROY_INSTANCE);
    hook_DestroyInstance(handle, allocator);
}

static VkResult enumerate(VkInstance handle, uint32_t *count, VkPhysicalDevice *devices) {
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    if (devices)
        faulty_count(count, *count);
    const VkResult result = instance_of(handle)->next.EnumeratePhysicalDevices(handle, count, devices);
    if (!devices)
        faulty_count(count, 64);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_EnumeratePhysicalDevices(VkInstance handle, uint32_t *count,
                                                                      VkPhysicalDevice *devices) {
    vkz_point(VKZ_POINT_ENUMERATE_DEVICES);
    if (vkz_fault(VKZ_FAULT_REFUSE_ENUMERATION))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (!vkz_fault(VKZ_FAULT_NO_DEVICE))
        return enumerate(handle, count, devices);
    *count = 0;
    return VK_SUCCESS;
}

static const struct {
    enum vkz_fault fault;
    VkPhysicalDeviceType type;
} types[] = {
    {VKZ_FAULT_CPU_DEVICE, VK_PHYSICAL_DEVICE_TYPE_CPU},
    {VKZ_FAULT_DISCRETE_DEVICE, VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU},
    {VKZ_FAULT_INTEGRATED_DEVICE, VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU},
    {VKZ_FAULT_VIRTUAL_DEVICE, VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU},
};

// U+202E reverses the direction of text, ESC ]0; sets a terminal's title, ESC [2J clears it.
static const struct {
    enum vkz_fault fault;
    const char *name;
} names[] = {
    {VKZ_FAULT_NAME_EMPTY, ""},
    {VKZ_FAULT_NAME_HOSTILE, "</td><script>alert('gpu')</script> [b]&amp; | `x` \x1b[2J\x1b[31m\x1b]0;title\x07 "
                             "\xe2\x80\xaeUPG\xe2\x80\xac\r\nsecond line\t\"]]>"},
    {VKZ_FAULT_NAME_NOT_UTF8, "GPU \xff\xfe\xc3( 80\xb5"},
};

static void misdescribe(VkPhysicalDeviceProperties *properties) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (vkz_fault(types[i].fault))
            properties->deviceType = types[i].type;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (vkz_fault(names[i].fault))
            strcpy(properties->deviceName, names[i].name);
    }
    if (vkz_fault(VKZ_FAULT_NAME_UNTERMINATED))
        memset(properties->deviceName, 'N', sizeof properties->deviceName);
    if (vkz_fault(VKZ_FAULT_NO_DEPENDENCY))
        properties->apiVersion = VK_API_VERSION_1_0 | VK_API_VERSION_PATCH(properties->apiVersion);
    if (vkz_fault(VKZ_FAULT_LARGE_ATOM))
        properties->limits.nonCoherentAtomSize = 256; // the limits chapter, Required Limits
    faulty_bits(&properties->apiVersion);
    faulty_bits(&properties->driverVersion);
    faulty_bits((uint32_t *)&properties->deviceType);
    faulty_bytes(properties->deviceName, sizeof properties->deviceName);
    faulty_bits(&properties->limits.maxMemoryAllocationCount);
    faulty_size(&properties->limits.nonCoherentAtomSize);
}

// The struct of this type that the query fills in, or NULL.
static void *output(void *first, VkStructureType type) {
    return (void *)(uintptr_t)chain_find(first, type);
}

static void misdescribe_sizes(void *first) {
    VkPhysicalDeviceMaintenance3Properties *one =
        output(first, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
    VkPhysicalDeviceVulkan11Properties *many = output(first, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES);
    VkDeviceSize *sizes[] = {one ? &one->maxMemoryAllocationSize : NULL, many ? &many->maxMemoryAllocationSize : NULL};
    for (size_t i = 0; i < 2; i++) {
        if (sizes[i] && vkz_fault(VKZ_FAULT_LARGEST_SIZE_REFUSED))
            *sizes[i] = FAULTY_LARGEST_SIZE;
        if (sizes[i])
            faulty_size(sizes[i]);
    }
}

static void misdescribe_ids(void *first) {
    VkPhysicalDeviceIDProperties *ids = output(first, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES);
    VkPhysicalDeviceDriverProperties *driver = output(first, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES);
    if (ids)
        faulty_bytes(ids->deviceUUID, sizeof ids->deviceUUID + sizeof ids->driverUUID);
    if (!driver)
        return;
    faulty_bits((uint32_t *)&driver->driverID);
    faulty_bytes(driver->driverName, sizeof driver->driverName);
}

static VKAPI_ATTR void VKAPI_CALL faulty_GetPhysicalDeviceProperties(VkPhysicalDevice handle,
                                                                     VkPhysicalDeviceProperties *properties) {
    vkz_point(VKZ_POINT_DEVICE_PROPERTIES);
    instance_of(handle)->next.GetPhysicalDeviceProperties(handle, properties);
    misdescribe(properties);
}

static VKAPI_ATTR void VKAPI_CALL faulty_GetPhysicalDeviceProperties2(VkPhysicalDevice handle,
                                                                      VkPhysicalDeviceProperties2 *properties) {
    vkz_point(VKZ_POINT_DEVICE_PROPERTIES);
    instance_of(handle)->next.GetPhysicalDeviceProperties2(handle, properties);
    misdescribe(&properties->properties);
    misdescribe_sizes(properties->pNext);
    misdescribe_ids(properties->pNext);
}

// The driver's list with our extension in the place of VK_KHR_external_memory.
static VkResult list_replaced(const struct physical_device *physical, uint32_t *count,
                              VkExtensionProperties *properties) {
    const VkResult result =
        physical->instance->next.EnumerateDeviceExtensionProperties(physical->handle, NULL, count, properties);
    for (uint32_t i = 0; properties && result >= 0 && i < *count; i++) {
        if (strcmp(properties[i].extensionName, VK_KHR_EXTERNAL_MEMORY_EXTENSION_NAME) == 0)
            properties[i] = (VkExtensionProperties){VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME,
                                                    VK_FUCHSIA_EXTERNAL_MEMORY_SPEC_VERSION};
    }
    return result;
}

// The semaphore extension takes the place of one that memory sharing does not need.
static void mislist(VkExtensionProperties *extension, bool all) {
    if (vkz_fault(VKZ_FAULT_REVISION_99) &&
        strcmp(extension->extensionName, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME) == 0)
        extension->specVersion = 99;
    if (all && (vkz_fault(VKZ_FAULT_SEMAPHORE_LISTED) || vkz_fault(VKZ_FAULT_SEMAPHORE_OFFERED)) &&
        strcmp(extension->extensionName, VK_GOOGLE_DECORATE_STRING_EXTENSION_NAME) == 0)
        strcpy(extension->extensionName, VK_FUCHSIA_EXTERNAL_SEMAPHORE_EXTENSION_NAME);
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_EnumerateDeviceExtensionProperties(VkPhysicalDevice handle,
                                                                                const char *layer, uint32_t *count,
                                                                                VkExtensionProperties *properties) {
    vkz_point(VKZ_POINT_DEVICE_EXTENSIONS);
    const bool others = layer && strcmp(layer, LAYER_NAME) != 0;
    const struct physical_device *physical = others ? NULL : emulated_physical_device(handle);
    if (!physical)
        return hook_EnumerateDeviceExtensionProperties(handle, layer, count, properties);
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    if (properties)
        faulty_count(count, *count);
    const bool replaces = !layer && physical->lists_dependency && vkz_fault(VKZ_FAULT_NO_DEPENDENCY);
    const VkResult result = replaces ? list_replaced(physical, count, properties)
                                     : hook_EnumerateDeviceExtensionProperties(handle, layer, count, properties);
    for (uint32_t i = 0; properties && result >= 0 && i < *count; i++)
        mislist(&properties[i], !layer);
    if (!properties)
        faulty_count(count, 64);
    return !layer && properties && vkz_fault(VKZ_FAULT_INCOMPLETE_FOREVER) ? VK_INCOMPLETE : result;
}

static void misreport(VkExternalMemoryProperties *properties) {
    faulty_bits(&properties->externalMemoryFeatures);
    faulty_bits(&properties->exportFromImportedHandleTypes);
    faulty_bits(&properties->compatibleHandleTypes);
    if (vkz_fault(VKZ_FAULT_DENY_ALL))
        *properties = (VkExternalMemoryProperties){0};
    if (!properties->externalMemoryFeatures)
        return;
    if (vkz_fault(VKZ_FAULT_DENY_EXPORT))
        properties->externalMemoryFeatures &= ~(VkFlags)VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT;
    if (vkz_fault(VKZ_FAULT_DENY_IMPORT))
        properties->externalMemoryFeatures &= ~(VkFlags)VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    if (vkz_fault(VKZ_FAULT_DEDICATED_ONLY_REPORTED))
        properties->externalMemoryFeatures |= VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT;
    if (vkz_fault(VKZ_FAULT_INCOMPATIBLE_WITH_ITSELF))
        properties->compatibleHandleTypes = 0;
}

static VKAPI_ATTR void VKAPI_CALL faulty_GetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalBufferInfo *info, VkExternalBufferProperties *properties) {
    if (info->handleType != ZIRCON_VMO || !emulated_physical_device(handle)) {
        hook_GetPhysicalDeviceExternalBufferProperties(handle, info, properties);
        return;
    }
    vkz_point(VKZ_POINT_CAPABILITIES);
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_UNWRITTEN))
        return;
    hook_GetPhysicalDeviceExternalBufferProperties(handle, info, properties);
    misreport(&properties->externalMemoryProperties);
    if (vkz_fault(VKZ_FAULT_DENY_BUFFERS))
        properties->externalMemoryProperties = (VkExternalMemoryProperties){0};
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_CLOBBER_HEADER))
        properties->sType = 0;
}

// The handle type that the query is about, 0 if none.
static VkFlags asked_type(const VkPhysicalDeviceImageFormatInfo2 *info) {
    const VkPhysicalDeviceExternalImageFormatInfo *external =
        chain_find(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    return external ? external->handleType : 0;
}

static VkResult misreport_image(VkImageFormatProperties2 *properties, VkExternalImageFormatProperties *external,
                                VkResult result) {
    if (external && result == VK_SUCCESS)
        misreport(&external->externalMemoryProperties);
    if (result != VK_SUCCESS || !vkz_fault(VKZ_FAULT_DENY_ALL))
        return result;
    memset(&properties->imageFormatProperties, 0, sizeof properties->imageFormatProperties);
    return VK_ERROR_FORMAT_NOT_SUPPORTED;
}

static VkResult unsupported(VkExternalImageFormatProperties *external, VkResult result) {
    if (result != VK_ERROR_FORMAT_NOT_SUPPORTED || !vkz_fault(VKZ_FAULT_UNSUPPORTED_IMAGES_SUCCEED))
        return result;
    if (external)
        external->externalMemoryProperties = (VkExternalMemoryProperties){0};
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_GetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info, VkImageFormatProperties2 *properties) {
    const VkFlags type = asked_type(info);
    if (!type || !emulated_physical_device(handle))
        return hook_GetPhysicalDeviceImageFormatProperties2(handle, info, properties);
    VkExternalImageFormatProperties *external = (VkExternalImageFormatProperties *)(uintptr_t)chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    if (type != ZIRCON_VMO)
        return unsupported(external, hook_GetPhysicalDeviceImageFormatProperties2(handle, info, properties));
    vkz_point(VKZ_POINT_CAPABILITIES);
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_UNWRITTEN))
        return VK_SUCCESS;
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    VkResult result = hook_GetPhysicalDeviceImageFormatProperties2(handle, info, properties);
    result = unsupported(external, misreport_image(properties, external, result));
    if (vkz_fault(VKZ_FAULT_CAPABILITIES_CLOBBER_HEADER)) { // pNext stays, so that unaware programs go on
        properties->sType = 0;
        if (external)
            external->sType = 0;
    }
    return result;
}

static VKAPI_ATTR void VKAPI_CALL faulty_GetPhysicalDeviceExternalSemaphoreProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalSemaphoreInfo *info,
    VkExternalSemaphoreProperties *properties) {
    const bool ours = info->handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_ZIRCON_EVENT_BIT_FUCHSIA &&
                      emulated_physical_device(handle);
    if (ours && vkz_fault(VKZ_FAULT_CAPABILITIES_UNWRITTEN))
        return;
    instance_of(handle)->next.GetPhysicalDeviceExternalSemaphoreProperties(handle, info, properties);
    faulty_bits(&properties->externalSemaphoreFeatures);
    faulty_bits(&properties->compatibleHandleTypes);
    if (ours && vkz_fault(VKZ_FAULT_SEMAPHORE_OFFERED)) {
        properties->exportFromImportedHandleTypes = properties->compatibleHandleTypes = info->handleType;
        properties->externalSemaphoreFeatures =
            VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT;
    }
    if (ours && vkz_fault(VKZ_FAULT_CAPABILITIES_CLOBBER_HEADER))
        properties->sType = 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                          const VkAllocationCallbacks *allocator, VkDevice *handle) {
    vkz_point(VKZ_POINT_CREATE_DEVICE);
    if (vkz_fault(VKZ_FAULT_REFUSE_DEVICE) &&
        extension_is_named(info->ppEnabledExtensionNames, info->enabledExtensionCount,
                           VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME) &&
        emulated_physical_device(physical))
        return VK_ERROR_INITIALIZATION_FAILED;
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    return hook_CreateDevice(physical, info, allocator, handle);
}

static VKAPI_ATTR void VKAPI_CALL faulty_DestroyDevice(VkDevice handle, const VkAllocationCallbacks *allocator) {
    vkz_point(VKZ_POINT_DESTROY_DEVICE);
    hook_DestroyDevice(handle, allocator);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL faulty_GetDeviceProcAddr(VkDevice handle, const char *name) {
    if (strcmp(name, "vkGetMemoryZirconHandleFUCHSIA") == 0 && vkz_fault(VKZ_FAULT_HIDE_GET_HANDLE))
        return NULL;
    if (strcmp(name, "vkGetMemoryZirconHandlePropertiesFUCHSIA") == 0 && vkz_fault(VKZ_FAULT_HIDE_PROPERTIES))
        return NULL;
    return hook_GetDeviceProcAddr(handle, name);
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_CreateBuffer(VkDevice handle, const VkBufferCreateInfo *info,
                                                          const VkAllocationCallbacks *allocator, VkBuffer *buffer) {
    vkz_point(VKZ_POINT_CREATE_BUFFER);
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    return hook_CreateBuffer(handle, info, allocator, buffer);
}

// A command that only its point intercepts.
#define BIND(name, parameters, ...)                                                                                    \
    static VKAPI_ATTR VkResult VKAPI_CALL faulty_##name parameters {                                                   \
        vkz_point(VKZ_POINT_BIND);                                                                                     \
        const VkResult random = faulty_result();                                                                       \
        return random == VK_SUCCESS ? device_of(handle)->next.name(__VA_ARGS__) : random;                              \
    }

BIND(BindBufferMemory, (VkDevice handle, VkBuffer buffer, VkDeviceMemory memory, VkDeviceSize offset), handle, buffer,
     memory, offset)
BIND(BindBufferMemory2, (VkDevice handle, uint32_t count, const VkBindBufferMemoryInfo *infos), handle, count, infos)
BIND(BindImageMemory, (VkDevice handle, VkImage image, VkDeviceMemory memory, VkDeviceSize offset), handle, image,
     memory, offset)
BIND(BindImageMemory2, (VkDevice handle, uint32_t count, const VkBindImageMemoryInfo *infos), handle, count, infos)

#define SUBMIT(name, info)                                                                                             \
    static VKAPI_ATTR VkResult VKAPI_CALL faulty_##name(VkQueue queue, uint32_t count, const info *submits,            \
                                                        VkFence fence) {                                               \
        vkz_point(VKZ_POINT_SUBMIT);                                                                                   \
        struct device *device = device_of(queue);                                                                      \
        VkResult refused = faulty_lost(device, VKZ_FAULT_DEVICE_LOST_IN_SUBMIT);                                       \
        if (refused == VK_SUCCESS)                                                                                     \
            refused = faulty_result();                                                                                 \
        return refused == VK_SUCCESS ? device->next.name(queue, count, submits, fence) : refused;                      \
    }

SUBMIT(QueueSubmit, VkSubmitInfo)
SUBMIT(QueueSubmit2, VkSubmitInfo2)

static VKAPI_ATTR VkResult VKAPI_CALL faulty_WaitForFences(VkDevice handle, uint32_t count, const VkFence *fences,
                                                           VkBool32 wait_all, uint64_t timeout) {
    vkz_point(VKZ_POINT_WAIT);
    struct device *device = device_of(handle);
    if (atomic_load(&device->lost))
        return VK_ERROR_DEVICE_LOST;
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    return device->next.WaitForFences(handle, count, fences, wait_all, timeout);
}

const struct hook faulty_device_hooks[] = {
    ROW(faulty, GLOBAL, CreateInstance),
    ROW(faulty, INSTANCE, DestroyInstance),
    ROW(faulty, INSTANCE, EnumeratePhysicalDevices),
    ROW(faulty, INSTANCE, GetPhysicalDeviceProperties),
    ROW_KHR(faulty, INSTANCE, GetPhysicalDeviceProperties2),
    ROW(faulty, INSTANCE, EnumerateDeviceExtensionProperties),
    ROW_KHR(faulty, INSTANCE, GetPhysicalDeviceExternalBufferProperties),
    ROW_KHR(faulty, INSTANCE, GetPhysicalDeviceExternalSemaphoreProperties),
    ROW_KHR(faulty, INSTANCE, GetPhysicalDeviceImageFormatProperties2),
    ROW(faulty, INSTANCE, CreateDevice),
    ROW(faulty, ANY_DEVICE, DestroyDevice),
    ROW(faulty, ANY_DEVICE, GetDeviceProcAddr),
    ROW(faulty, DEVICE, CreateBuffer),
    ROW(faulty, DEVICE, BindBufferMemory),
    ROW_KHR(faulty, DEVICE, BindBufferMemory2),
    ROW(faulty, DEVICE, BindImageMemory),
    ROW_KHR(faulty, DEVICE, BindImageMemory2),
    ROW(faulty, DEVICE, QueueSubmit),
    ROW_KHR(faulty, DEVICE, QueueSubmit2),
    ROW(faulty, DEVICE, WaitForFences),
    LAST_ROW,
};
