// SPDX-License-Identifier: Apache-2.0
//
// The loader's entry points: negotiation, the commands that the layer intercepts, and the list of extensions.
#include <stdio.h>

#include "device.h"
#include "faults.h"
#include "hooks.h"

static const struct hook *const tables[] = {interface_hooks,  instance_hooks, device_hooks,
                                            capability_hooks, resource_hooks, memory_hooks};
static const struct hook *const faulty_tables[] = {faulty_device_hooks, faulty_handle_hooks, faulty_memory_hooks,
                                                   faulty_random_hooks};

#define COUNT(tables) (sizeof(tables) / sizeof((tables)[0]))

static const struct hook *search(const struct hook *const *tables_to_search, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        for (const struct hook *hook = tables_to_search[i]; hook->name; hook++) {
            if (strcmp(hook->name, name) == 0)
                return hook;
        }
    }
    return NULL;
}

static const struct hook *find_hook(const char *name) {
    const struct hook *faulty = vkz_any_fault() ? search(faulty_tables, COUNT(faulty_tables), name) : NULL;
    return faulty ? faulty : search(tables, COUNT(tables), name);
}

// A command that the layer below does not know stays unknown, except the extension's two. Without an instance the layer
// below cannot be asked; layers above such as MangoHud and Mesa's overlay then need vkCreateDevice, which the Khronos
// layers return too. The loader passes its own instance handle, which the layer below may not know.
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
    if (hook && hook->kind == EXTENSION && emulates(device))
        return hook->function;
    const PFN_vkVoidFunction below = device->next.GetDeviceProcAddr(handle, name);
    const bool ours = hook && (hook->kind == ANY_DEVICE || (hook->kind == DEVICE && emulates(device)));
    return ours && below ? hook->function : below;
}

// A private command, by which a program learns that this layer is on. It has no other effect.
static VKAPI_ATTR void VKAPI_CALL emulation_command(VkPhysicalDevice physical) {
    (void)physical;
}

// The loader asks each layer here for the commands of physical devices that it does not know itself.
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_physical_device_proc_addr(VkInstance handle, const char *name) {
    if (strcmp(name, "vkGetPhysicalDeviceEmulationVKZIRCON") == 0)
        return (PFN_vkVoidFunction)emulation_command;
    const struct instance *instance = handle ? instance_of(handle) : NULL;
    const PFN_GetPhysicalDeviceProcAddr below = instance ? instance->get_physical_proc_addr : NULL;
    return below ? below(instance->handle, name) : NULL;
}

// The layer lists itself as a tool (VK_EXT_tooling_info): some builds of the loader return NULL for the command above,
// because they only pass on commands that they know.
static VKAPI_ATTR VkResult VKAPI_CALL hook_GetPhysicalDeviceToolPropertiesEXT(VkPhysicalDevice handle, uint32_t *count,
                                                                              VkPhysicalDeviceToolProperties *tools) {
    const PFN_vkGetPhysicalDeviceToolPropertiesEXT below = instance_of(handle)->next.GetPhysicalDeviceToolPropertiesEXT;
    uint32_t others = tools && *count ? *count - 1 : 0;
    if (tools && *count) {
        VkPhysicalDeviceToolProperties own = {
            .sType = tools->sType, .pNext = tools->pNext, .purposes = VK_TOOL_PURPOSE_ADDITIONAL_FEATURES_BIT};
        snprintf(own.name, sizeof(own.name), "%s", LAYER_NAME);
        snprintf(own.description, sizeof(own.description), "emulates VK_FUCHSIA_external_memory");
        snprintf(own.layer, sizeof(own.layer), "%s", LAYER_NAME);
        *tools = own;
    }
    const bool fits = !tools || *count;
    const VkResult result = below ? below(handle, &others, tools && fits ? tools + 1 : NULL) : VK_SUCCESS;
    *count = fits ? others + 1 : 0;
    return fits ? result : VK_INCOMPLETE;
}

static const VkExtensionProperties extension = {
    .extensionName = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME,
    .specVersion = VK_FUCHSIA_EXTERNAL_MEMORY_SPEC_VERSION,
};

// The extensions of this layer alone.
static VkResult list_own(bool offered, uint32_t *count, VkExtensionProperties *properties) {
    const uint32_t room = *count;
    *count = offered;
    if (!offered || !properties)
        return VK_SUCCESS;
    if (room == 0) {
        *count = 0;
        return VK_INCOMPLETE;
    }
    properties[0] = extension;
    return VK_SUCCESS;
}

// The driver's list with our extension at its end. The loader adds a manifest's extensions for implicit layers only, so
// an explicit layer has to list its own. VK_INCOMPLETE if anything does not fit.
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
        properties[*count] = extension;
    ++*count;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_EnumerateDeviceExtensionProperties(VkPhysicalDevice handle, const char *layer,
                                                                       uint32_t *count,
                                                                       VkExtensionProperties *properties) {
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
    return list_appended(physical, count, properties);
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    if (interface->sType != LAYER_NEGOTIATE_INTERFACE_STRUCT || interface->loaderLayerInterfaceVersion < 2)
        return VK_ERROR_INITIALIZATION_FAILED;
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = hook_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = (PFN_vkGetDeviceProcAddr)find_hook("vkGetDeviceProcAddr")->function;
    interface->pfnGetPhysicalDeviceProcAddr = get_physical_device_proc_addr;
    return VK_SUCCESS;
}

const struct hook interface_hooks[] = {
    ROW(hook, GLOBAL, GetInstanceProcAddr),
    ROW(hook, ANY_DEVICE, GetDeviceProcAddr),
    ROW(hook, INSTANCE, EnumerateDeviceExtensionProperties),
    ROW(hook, EXTENSION, GetPhysicalDeviceToolPropertiesEXT),
    {"vkGetPhysicalDeviceToolProperties", (PFN_vkVoidFunction)hook_GetPhysicalDeviceToolPropertiesEXT, INSTANCE},
    LAST_ROW,
};
