// SPDX-License-Identifier: Apache-2.0
//
// What the loader calls: the negotiation, the tables of commands that the layer answers, and the extension's listing.
#include "faulty.h"

#include <string.h>

enum kind {
    GLOBAL,     // answered before there is an instance
    INSTANCE,   // of the instance or a physical device
    ANY_DEVICE, // answered for every device
    DEVICE,     // answered for a device with the extension only
    EXTENSION,  // the extension's own: no layer below needs to know them
};

static const struct hook {
    const char *name;
    PFN_vkVoidFunction function;
    enum kind kind;
    bool faulty; // not in the chain unless some fault is on
} hooks[] = {
#define ENTRY(name, suffix, kind, faulty) {"vk" #name suffix, (PFN_vkVoidFunction)hook_##name, kind, faulty},
#define HOOK(kind, name)                  ENTRY(name, "", kind, false)
#define HOOK_KHR(kind, name)              HOOK(kind, name) ENTRY(name, "KHR", kind, false)
#define FAULTY(kind, name)                ENTRY(name, "", kind, true)
#define FAULTY_KHR(kind, name)            FAULTY(kind, name) ENTRY(name, "KHR", kind, true)
    // clang-format off
    HOOK(GLOBAL, GetInstanceProcAddr)
    HOOK(GLOBAL, CreateInstance)
    HOOK(INSTANCE, DestroyInstance)
    HOOK(INSTANCE, EnumerateDeviceExtensionProperties)
    HOOK(INSTANCE, CreateDevice)
    HOOK_KHR(INSTANCE, GetPhysicalDeviceExternalBufferProperties)
    HOOK_KHR(INSTANCE, GetPhysicalDeviceImageFormatProperties2)
    HOOK(ANY_DEVICE, GetDeviceProcAddr)
    HOOK(ANY_DEVICE, DestroyDevice)
    HOOK(DEVICE, AllocateMemory)
    HOOK(DEVICE, FreeMemory)
    HOOK(DEVICE, MapMemory)
    HOOK(DEVICE, FlushMappedMemoryRanges)
    HOOK(DEVICE, InvalidateMappedMemoryRanges)
    HOOK(DEVICE, CreateBuffer)
    HOOK(DEVICE, DestroyBuffer)
    HOOK(DEVICE, CreateImage)
    HOOK(DEVICE, DestroyImage)
    HOOK(DEVICE, GetBufferMemoryRequirements)
    HOOK(DEVICE, GetImageMemoryRequirements)
    HOOK_KHR(DEVICE, GetBufferMemoryRequirements2)
    HOOK_KHR(DEVICE, GetImageMemoryRequirements2)
    HOOK_KHR(DEVICE, GetDeviceBufferMemoryRequirements)
    HOOK_KHR(DEVICE, GetDeviceImageMemoryRequirements)
    HOOK(EXTENSION, GetMemoryZirconHandleFUCHSIA)
    HOOK(EXTENSION, GetMemoryZirconHandlePropertiesFUCHSIA)
    FAULTY(INSTANCE, EnumeratePhysicalDevices)
    FAULTY(INSTANCE, GetPhysicalDeviceProperties)
    FAULTY_KHR(INSTANCE, GetPhysicalDeviceProperties2)
    FAULTY(DEVICE, BindBufferMemory)
    FAULTY_KHR(DEVICE, BindBufferMemory2)
    FAULTY(DEVICE, BindImageMemory)
    FAULTY_KHR(DEVICE, BindImageMemory2)
    FAULTY(DEVICE, QueueSubmit)
    FAULTY_KHR(DEVICE, QueueSubmit2)
    FAULTY(DEVICE, WaitForFences)
// clang-format on
#undef FAULTY_KHR
#undef FAULTY
#undef HOOK_KHR
#undef HOOK
#undef ENTRY
};

static const struct hook *find_hook(const char *name) {
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
        if (strcmp(hooks[i].name, name) == 0)
            return hooks[i].faulty && !vkz_any_fault() ? NULL : &hooks[i];
    }
    return NULL;
}

// A name that is unknown below is not ours to invent, but for the extension's two. With no instance nothing below can
// be asked; layers above then want vkCreateDevice (MangoHud, Mesa's overlay), and have it from the Khronos layers too.
// The loader asks with its own handle for the instance, which the layer below need not know.
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL hook_GetInstanceProcAddr(VkInstance handle, const char *name) {
    const struct hook *hook = find_hook(name);
    if (hook && (!handle || hook->kind == GLOBAL || hook->kind == EXTENSION))
        return hook->function;
    const struct instance *instance = handle ? instance_of(handle) : NULL;
    const PFN_vkVoidFunction below = instance ? instance->get_proc_addr(instance->handle, name) : NULL;
    return hook && below ? hook->function : below;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL hook_GetDeviceProcAddr(VkDevice handle, const char *name) {
    const struct device *device = device_of(handle);
    if (!device)
        return NULL;
    const struct hook *hook = find_hook(name);
    if (hook && hook->kind == EXTENSION)
        return emulates(device) && !faulty_hides(name) ? hook->function : NULL;
    const PFN_vkVoidFunction below = device->next.GetDeviceProcAddr(handle, name);
    const bool ours = hook && (hook->kind == ANY_DEVICE || (hook->kind == DEVICE && emulates(device)));
    return ours && below ? hook->function : below;
}

static VkExtensionProperties extension(void) {
    return (VkExtensionProperties){
        .extensionName = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME,
        .specVersion = vkz_fault(VKZ_FAULT_REVISION_99) ? 99 : VK_FUCHSIA_EXTERNAL_MEMORY_SPEC_VERSION,
    };
}

// The extensions of our layer alone.
static VkResult list_own(bool offered, uint32_t *count, VkExtensionProperties *properties) {
    const uint32_t room = *count;
    *count = offered;
    if (!offered || !properties)
        return VK_SUCCESS;
    if (room == 0) {
        *count = 0;
        return VK_INCOMPLETE;
    }
    properties[0] = extension();
    return VK_SUCCESS;
}

// The driver's list with our extension behind it. The loader merges the manifest's extensions of implicit layers only,
// so that an explicit layer has to answer for itself. What does not fit makes it VK_INCOMPLETE, ours included.
static VkResult list_appended(const struct physical_device *physical, uint32_t *count,
                              VkExtensionProperties *properties) {
    const uint32_t room = *count;
    const VkResult result =
        physical->instance->next.EnumerateDeviceExtensionProperties(physical->handle, NULL, count, properties);
    if (result != VK_SUCCESS)
        return result;
    if (properties && *count == room)
        return VK_INCOMPLETE;
    if (properties)
        properties[*count] = extension();
    ++*count;
    return VK_SUCCESS;
}

// The driver's list with our extension in the place of the one that it rests on.
static VkResult list_replaced(const struct physical_device *physical, uint32_t *count,
                              VkExtensionProperties *properties) {
    const VkResult result =
        physical->instance->next.EnumerateDeviceExtensionProperties(physical->handle, NULL, count, properties);
    for (uint32_t i = 0; properties && result >= 0 && i < *count; i++) {
        if (strcmp(properties[i].extensionName, VK_KHR_EXTERNAL_MEMORY_EXTENSION_NAME) == 0)
            properties[i] = extension();
    }
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_EnumerateDeviceExtensionProperties(VkPhysicalDevice handle, const char *layer,
                                                                       uint32_t *count,
                                                                       VkExtensionProperties *properties) {
    vkz_point(VKZ_POINT_DEVICE_EXTENSIONS);
    struct instance *instance = instance_of(handle);
    const bool own = layer && strcmp(layer, LAYER_NAME) == 0;
    if (layer && !own)
        return instance->next.EnumerateDeviceExtensionProperties(handle, layer, count, properties);
    const struct physical_device *physical = physical_device_of(instance, handle);
    if (!physical)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    if (own)
        return list_own(physical->memory_types, count, properties);
    if (!physical->memory_types)
        return instance->next.EnumerateDeviceExtensionProperties(handle, NULL, count, properties);
    const VkResult result = faulty_replaces_dependency(physical) ? list_replaced(physical, count, properties)
                                                                 : list_appended(physical, count, properties);
    if (properties && vkz_fault(VKZ_FAULT_SEMAPHORE_LISTED))
        faulty_list_semaphore(properties, *count);
    return properties && vkz_fault(VKZ_FAULT_INCOMPLETE_FOREVER) ? VK_INCOMPLETE : result;
}

__attribute__((constructor)) static void layer_loaded(void) {
    vkz_point(VKZ_POINT_LOAD);
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    if (interface->sType != LAYER_NEGOTIATE_INTERFACE_STRUCT || interface->loaderLayerInterfaceVersion < 2)
        return VK_ERROR_INITIALIZATION_FAILED;
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = hook_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = hook_GetDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL; // no command of a physical device that the loader does not know
    return VK_SUCCESS;
}
