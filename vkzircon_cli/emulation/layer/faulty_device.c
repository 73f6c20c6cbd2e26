// SPDX-License-Identifier: Apache-2.0
//
// Faults of instances and devices, and the commands that are in the chain for their faults alone.
#include "chain.h"
#include "faulty.h"

#include <stdio.h>
#include <string.h>

// The second line is there for whoever takes a driver's words for an event of vkzircon's.
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

bool faulty_hides(const char *command) {
    const bool properties = strcmp(command, "vkGetMemoryZirconHandlePropertiesFUCHSIA") == 0;
    return vkz_fault(properties ? VKZ_FAULT_HIDE_PROPERTIES : VKZ_FAULT_HIDE_GET_HANDLE);
}

bool faulty_replaces_dependency(const struct physical_device *physical) {
    return physical->lists_dependency && vkz_fault(VKZ_FAULT_NO_DEPENDENCY);
}

// In the place of an extension that nobody enables to share memory.
void faulty_list_semaphore(VkExtensionProperties *properties, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(properties[i].extensionName, VK_GOOGLE_DECORATE_STRING_EXTENSION_NAME) == 0)
            strcpy(properties[i].extensionName, VK_FUCHSIA_EXTERNAL_SEMAPHORE_EXTENSION_NAME);
    }
}

void faulty_capabilities(VkExternalMemoryProperties *told) {
    if (vkz_fault(VKZ_FAULT_DENY_EXPORT))
        told->externalMemoryFeatures &= ~(VkFlags)VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT;
    if (vkz_fault(VKZ_FAULT_DENY_IMPORT))
        told->externalMemoryFeatures &= ~(VkFlags)VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    if (vkz_fault(VKZ_FAULT_DEDICATED_ONLY_REPORTED))
        told->externalMemoryFeatures |= VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT;
    if (vkz_fault(VKZ_FAULT_INCOMPATIBLE_WITH_ITSELF))
        told->compatibleHandleTypes = 0;
}

// pNext stays, so that a program which notices nothing still finds its way.
void faulty_clobber(VkImageFormatProperties2 *properties) {
    VkBaseOutStructure *external = (VkBaseOutStructure *)(uintptr_t)chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    if (external)
        external->sType = 0;
    properties->sType = 0;
}

VkResult faulty_lost(struct device *device, enum vkz_fault fault) {
    if (vkz_fault(fault))
        atomic_store(&device->lost, true);
    return atomic_load(&device->lost) ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_EnumeratePhysicalDevices(VkInstance handle, uint32_t *count,
                                                             VkPhysicalDevice *devices) {
    vkz_point(VKZ_POINT_ENUMERATE_DEVICES);
    if (vkz_fault(VKZ_FAULT_REFUSE_ENUMERATION))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (!vkz_fault(VKZ_FAULT_NO_DEVICE))
        return instance_of(handle)->next.EnumeratePhysicalDevices(handle, count, devices);
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

// U+202E turns the direction of text round, ESC ]0; sets a terminal's title, ESC [2J wipes it.
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
}

VKAPI_ATTR void VKAPI_CALL hook_GetPhysicalDeviceProperties(VkPhysicalDevice handle,
                                                            VkPhysicalDeviceProperties *properties) {
    vkz_point(VKZ_POINT_DEVICE_PROPERTIES);
    instance_of(handle)->next.GetPhysicalDeviceProperties(handle, properties);
    misdescribe(properties);
}

VKAPI_ATTR void VKAPI_CALL hook_GetPhysicalDeviceProperties2(VkPhysicalDevice handle,
                                                             VkPhysicalDeviceProperties2 *properties) {
    vkz_point(VKZ_POINT_DEVICE_PROPERTIES);
    instance_of(handle)->next.GetPhysicalDeviceProperties2(handle, properties);
    misdescribe(&properties->properties);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_BindBufferMemory(VkDevice handle, VkBuffer buffer, VkDeviceMemory memory,
                                                     VkDeviceSize offset) {
    vkz_point(VKZ_POINT_BIND);
    return device_of(handle)->next.BindBufferMemory(handle, buffer, memory, offset);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_BindBufferMemory2(VkDevice handle, uint32_t count,
                                                      const VkBindBufferMemoryInfo *infos) {
    vkz_point(VKZ_POINT_BIND);
    return device_of(handle)->next.BindBufferMemory2(handle, count, infos);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_BindImageMemory(VkDevice handle, VkImage image, VkDeviceMemory memory,
                                                    VkDeviceSize offset) {
    vkz_point(VKZ_POINT_BIND);
    return device_of(handle)->next.BindImageMemory(handle, image, memory, offset);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_BindImageMemory2(VkDevice handle, uint32_t count,
                                                     const VkBindImageMemoryInfo *infos) {
    vkz_point(VKZ_POINT_BIND);
    return device_of(handle)->next.BindImageMemory2(handle, count, infos);
}

// A queue has its device's dispatch pointer.
static struct device *device_of_queue(VkQueue queue) {
    return device_of((VkDevice)(void *)queue);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_QueueSubmit(VkQueue queue, uint32_t count, const VkSubmitInfo *submits,
                                                VkFence fence) {
    vkz_point(VKZ_POINT_SUBMIT);
    struct device *device = device_of_queue(queue);
    const VkResult lost = faulty_lost(device, VKZ_FAULT_DEVICE_LOST_IN_SUBMIT);
    return lost == VK_SUCCESS ? device->next.QueueSubmit(queue, count, submits, fence) : lost;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_QueueSubmit2(VkQueue queue, uint32_t count, const VkSubmitInfo2 *submits,
                                                 VkFence fence) {
    vkz_point(VKZ_POINT_SUBMIT);
    struct device *device = device_of_queue(queue);
    const VkResult lost = faulty_lost(device, VKZ_FAULT_DEVICE_LOST_IN_SUBMIT);
    return lost == VK_SUCCESS ? device->next.QueueSubmit2(queue, count, submits, fence) : lost;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_WaitForFences(VkDevice handle, uint32_t count, const VkFence *fences,
                                                  VkBool32 wait_all, uint64_t timeout) {
    vkz_point(VKZ_POINT_WAIT);
    struct device *device = device_of(handle);
    if (atomic_load(&device->lost))
        return VK_ERROR_DEVICE_LOST;
    return device->next.WaitForFences(handle, count, fences, wait_all, timeout);
}
