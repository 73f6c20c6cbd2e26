// SPDX-License-Identifier: Apache-2.0
//
// Instances and their physical devices.
#ifndef VKZIRCON_INSTANCE_H_
#define VKZIRCON_INSTANCE_H_

#include "dispatch.h"

struct instance {
    struct registry_entry entry;
    VkInstance handle;                      // from the layer below, which may wrap the handle of the loader
    VkInstance loaders_handle;              // for the loader's callbacks
    VkAllocationCallbacks callbacks;        // a copy of the application's
    const VkAllocationCallbacks *allocator; // NULL without callbacks
    uint32_t api_version;
    bool has_capabilities_extension; // VK_KHR_external_memory_capabilities, needed below 1.1 only
    PFN_vkGetInstanceProcAddr get_proc_addr;
    PFN_GetPhysicalDeviceProcAddr get_physical_proc_addr; // NULL if the layer below has none
    PFN_vkLayerCreateDevice create_device;                // NULL if the loader has no such callback
    PFN_vkLayerDestroyDevice destroy_device;
    struct instance_commands next;
    pthread_mutex_t mutex; // recursive; guards the list, and runs one trial at a time
    struct physical_device *physical_devices;
};

struct physical_device {
    struct physical_device *next_in_list;
    struct instance *instance;
    VkPhysicalDevice handle;
    uint32_t api_version; // the lower of the device's and the instance's
    VkDeviceSize non_coherent_atom_size;
    VkDeviceSize host_pointer_alignment;
    VkPhysicalDeviceMemoryProperties memory;
    bool lists_dependency; // VK_KHR_external_memory
    bool native;           // the driver offers the extension itself, and the layer does not intervene
    uint32_t memory_types; // HOST_VISIBLE types that imported a memfd's pages in the trial; 0: no emulation
    bool denies_imports;   // the driver's queries report no import of host memory, but the trial's import worked
    VkDevice scratch;      // the trial's device, kept for memory type queries; NULL without memory_types
    struct device_commands scratch_next;
};

// NULL for a handle that did not come through the layer.
struct instance *instance_of(const void *instance_or_physical_device);

// Runs the trial on the first call for this device. NULL only if memory is short.
struct physical_device *physical_device_of(struct instance *instance, VkPhysicalDevice handle);

// NULL unless the layer offers the extension on this device.
static inline const struct physical_device *emulated_physical_device(VkPhysicalDevice handle) {
    const struct physical_device *physical = physical_device_of(instance_of(handle), handle);
    return physical && physical->memory_types ? physical : NULL;
}

// The types among `bits` that external memory can have on this device.
static inline uint32_t usable_memory_types(const struct physical_device *physical, uint32_t bits) {
    return bits & physical->memory_types;
}

#endif
