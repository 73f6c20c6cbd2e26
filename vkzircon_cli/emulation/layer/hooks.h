// SPDX-License-Identifier: Apache-2.0
//
// The hook table: the commands that the layer intercepts. Each file exports its rows; interface.c searches them.
#ifndef VKZIRCON_HOOKS_H_
#define VKZIRCON_HOOKS_H_

#include "newer.h"

enum hook_kind {
    GLOBAL,     // needs no instance
    INSTANCE,   // takes an instance or a physical device
    ANY_DEVICE, // for every device
    DEVICE,     // for devices with the extension only
    EXTENSION,  // a command of the extension: the layers below do not know it
};

struct hook {
    const char *name;
    PFN_vkVoidFunction function;
    enum hook_kind kind;
};

// Rows of the commands that `prefix` implements; ROW_KHR adds the name from before the promotion to core.
#define ROW(prefix, kind, name)                                                                                        \
    { "vk" #name, (PFN_vkVoidFunction)prefix##_##name, kind }
#define ROW_KHR(prefix, kind, name)                                                                                    \
    ROW(prefix, kind, name), {                                                                                         \
        "vk" #name "KHR", (PFN_vkVoidFunction)prefix##_##name, kind                                                    \
    }
#define LAST_ROW                                                                                                       \
    { 0 }

extern const struct hook interface_hooks[];
extern const struct hook instance_hooks[];
extern const struct hook device_hooks[];
extern const struct hook capability_hooks[];
extern const struct hook resource_hooks[];
extern const struct hook memory_hooks[];

// Found before the rows above while some fault is on. Most are decorators: they call the hook of the same command.
extern const struct hook faulty_device_hooks[];
extern const struct hook faulty_handle_hooks[];
extern const struct hook faulty_memory_hooks[];
extern const struct hook faulty_random_hooks[];

// The hooks that other files call: the decorators, and the trial in instance.c.
#define DECLARE(name) extern __typeof__(*(PFN_vk##name)0) hook_##name;
DECLARE(AllocateMemory)
DECLARE(CreateBuffer)
DECLARE(CreateDevice)
DECLARE(CreateImage)
DECLARE(CreateInstance)
DECLARE(DestroyDevice)
DECLARE(DestroyInstance)
DECLARE(EnumerateDeviceExtensionProperties)
DECLARE(FreeMemory)
DECLARE(GetBufferMemoryRequirements)
DECLARE(GetBufferMemoryRequirements2)
DECLARE(GetDeviceProcAddr)
DECLARE(GetImageMemoryRequirements)
DECLARE(GetImageMemoryRequirements2)
DECLARE(GetInstanceProcAddr)
DECLARE(GetMemoryZirconHandleFUCHSIA)
DECLARE(GetMemoryZirconHandlePropertiesFUCHSIA)
DECLARE(GetPhysicalDeviceExternalBufferProperties)
DECLARE(GetPhysicalDeviceImageFormatProperties2)
DECLARE(MapMemory)
#undef DECLARE
VKAPI_ATTR VkResult VKAPI_CALL hook_MapMemory2(VkDevice handle, const struct newer_map *info, void **data);

#endif
