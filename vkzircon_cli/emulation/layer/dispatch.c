// SPDX-License-Identifier: Apache-2.0
#include "dispatch.h"

#define LOAD(name) commands->name = (PFN_vk##name)get_proc_addr(handle, "vk" #name);

// The driver may know both names of a promoted command; below 1.1 only the KHR one may be used.
#define LOAD_EITHER(name, type)                                                                                        \
    commands->name = (type)get_proc_addr(handle, core_first ? "vk" #name : "vk" #name "KHR");                          \
    if (!commands->name)                                                                                               \
        commands->name = (type)get_proc_addr(handle, core_first ? "vk" #name "KHR" : "vk" #name);
#define LOAD_PROMOTED(name) LOAD_EITHER(name, PFN_vk##name)
#define LOAD_NEWER(name)    LOAD_EITHER(name, newer_##name)

void instance_commands_load(struct instance_commands *commands, PFN_vkGetInstanceProcAddr get_proc_addr,
                            VkInstance handle, uint32_t api_version) {
    const bool core_first = api_version >= VK_API_VERSION_1_1;
    INSTANCE_COMMANDS(LOAD, LOAD_PROMOTED)
}

void device_commands_load(struct device_commands *commands, PFN_vkGetDeviceProcAddr get_proc_addr, VkDevice handle,
                          uint32_t api_version) {
    const bool core_first = api_version >= VK_API_VERSION_1_1;
    commands->GetDeviceProcAddr = get_proc_addr;
    DEVICE_COMMANDS(LOAD, LOAD_PROMOTED, LOAD_NEWER)
}

_Static_assert(offsetof(VkLayerInstanceCreateInfo, function) == offsetof(VkLayerDeviceCreateInfo, function),
               "loader_info() reads both");

void *loader_info(const void *first, VkStructureType type, VkLayerFunction function) {
    for (const VkBaseInStructure *node = first; node; node = node->pNext) {
        VkLayerInstanceCreateInfo *found = (VkLayerInstanceCreateInfo *)(uintptr_t)node;
        if (node->sType == type && found->function == function)
            return found;
    }
    return NULL;
}
