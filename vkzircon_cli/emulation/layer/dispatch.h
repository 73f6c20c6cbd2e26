// SPDX-License-Identifier: Apache-2.0
//
// Dispatch: the commands of the layer below, and the layer's records of instances and devices by dispatch pointer.
#ifndef VKZIRCON_DISPATCH_H_
#define VKZIRCON_DISPATCH_H_

#include <pthread.h>
#include <stdatomic.h>

#include "newer.h"
#include "registry.h"

// The commands of the layer below that the layer calls. X: one name; Y: the core name or the KHR name.
#define INSTANCE_COMMANDS(X, Y)                                                                                        \
    X(DestroyInstance)                                                                                                 \
    X(EnumeratePhysicalDevices)                                                                                        \
    X(EnumerateDeviceExtensionProperties)                                                                              \
    X(GetPhysicalDeviceFeatures)                                                                                       \
    X(GetPhysicalDeviceMemoryProperties)                                                                               \
    Y(GetPhysicalDeviceMemoryProperties2)                                                                              \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                                          \
    X(GetPhysicalDeviceProperties)                                                                                     \
    Y(GetPhysicalDeviceProperties2)                                                                                    \
    Y(GetPhysicalDeviceExternalBufferProperties)                                                                       \
    Y(GetPhysicalDeviceExternalSemaphoreProperties)                                                                    \
    Y(GetPhysicalDeviceImageFormatProperties2)                                                                         \
    X(GetPhysicalDeviceToolPropertiesEXT)

// Z: as Y, with the type of newer.h.
#define DEVICE_COMMANDS(X, Y, Z)                                                                                       \
    X(DestroyDevice)                                                                                                   \
    X(AllocateMemory)                                                                                                  \
    X(FreeMemory)                                                                                                      \
    X(MapMemory)                                                                                                       \
    X(FlushMappedMemoryRanges)                                                                                         \
    X(InvalidateMappedMemoryRanges)                                                                                    \
    X(CreateBuffer)                                                                                                    \
    X(DestroyBuffer)                                                                                                   \
    X(CreateImage)                                                                                                     \
    X(DestroyImage)                                                                                                    \
    X(GetBufferMemoryRequirements)                                                                                     \
    X(GetImageMemoryRequirements)                                                                                      \
    Y(GetBufferMemoryRequirements2)                                                                                    \
    Y(GetImageMemoryRequirements2)                                                                                     \
    Y(GetDeviceBufferMemoryRequirements)                                                                               \
    Y(GetDeviceImageMemoryRequirements)                                                                                \
    Y(GetDeviceImageSparseMemoryRequirements)                                                                          \
    Z(GetDeviceImageSubresourceLayout)                                                                                 \
    Z(MapMemory2)                                                                                                      \
    X(GetMemoryZirconHandleFUCHSIA)                                                                                    \
    X(GetMemoryZirconHandlePropertiesFUCHSIA)                                                                          \
    X(GetMemoryHostPointerPropertiesEXT)                                                                               \
    X(BindBufferMemory)                                                                                                \
    X(BindImageMemory)                                                                                                 \
    Y(BindBufferMemory2)                                                                                               \
    Y(BindImageMemory2)                                                                                                \
    X(QueueSubmit)                                                                                                     \
    Y(QueueSubmit2)                                                                                                    \
    X(WaitForFences)

#define DECLARE_COMMAND(name) PFN_vk##name name;
#define DECLARE_NEWER(name)   newer_##name name;

struct instance_commands {
    INSTANCE_COMMANDS(DECLARE_COMMAND, DECLARE_COMMAND)
};

struct device_commands {
    PFN_vkGetDeviceProcAddr GetDeviceProcAddr;
    DEVICE_COMMANDS(DECLARE_COMMAND, DECLARE_COMMAND, DECLARE_NEWER)
};

#undef DECLARE_COMMAND
#undef DECLARE_NEWER

void instance_commands_load(struct instance_commands *commands, PFN_vkGetInstanceProcAddr get_proc_addr,
                            VkInstance handle, uint32_t api_version);
void device_commands_load(struct device_commands *commands, PFN_vkGetDeviceProcAddr get_proc_addr, VkDevice handle,
                          uint32_t api_version);

// The loader's struct of this type and function in the pNext chain of a create-info, or NULL.
void *loader_info(const void *first, VkStructureType type, VkLayerFunction function);

// Records by dispatch pointer, which physical devices share with their instance and queues with their device. Each
// thread remembers the record that it found last, so that its next calls for the same device take no lock. A program
// may not destroy a device that another thread uses (the spec: host access to it must be synchronized), so a remembered
// record is valid as long as the records are the same.
struct dispatch {
    pthread_mutex_t mutex;
    struct registry records;
    _Atomic(uint64_t) changes;
};

struct remembered {
    uint64_t changes;
    uint64_t key;
    void *record;
};

// Instances, devices and their children begin with the loader's dispatch pointer.
static inline uint64_t dispatch_key(const void *handle) {
    return (uintptr_t) * (void *const *)handle;
}

static inline void dispatch_add(struct dispatch *dispatch, struct registry_entry *record, const void *handle) {
    pthread_mutex_lock(&dispatch->mutex);
    registry_add(&dispatch->records, record, dispatch_key(handle));
    dispatch->changes++;
    pthread_mutex_unlock(&dispatch->mutex);
}

static inline void *dispatch_find(struct dispatch *dispatch, struct remembered *last, const void *handle) {
    const uint64_t key = dispatch_key(handle);
    if (last->record && last->key == key && last->changes == atomic_load(&dispatch->changes))
        return last->record;
    pthread_mutex_lock(&dispatch->mutex);
    *last = (struct remembered){dispatch->changes, key, registry_find(&dispatch->records, key)};
    pthread_mutex_unlock(&dispatch->mutex);
    return last->record;
}

static inline void *dispatch_take(struct dispatch *dispatch, const void *handle) {
    pthread_mutex_lock(&dispatch->mutex);
    struct registry_entry *record = registry_take(&dispatch->records, dispatch_key(handle));
    dispatch->changes++;
    pthread_mutex_unlock(&dispatch->mutex);
    return record;
}

#endif
