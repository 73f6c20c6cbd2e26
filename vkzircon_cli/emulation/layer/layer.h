// SPDX-License-Identifier: Apache-2.0
//
// The emulation layer's shared part: what it knows of instances, physical devices and devices.
//
// interface.c        what the loader calls
// instance.c         instances, and what a physical device turned out to be able to do
// trial.c            finds that out, in a device of its own
// device.c           devices
// capabilities.c     the external-memory queries
// requirements.c     external buffers and images, and the memory types they may have
// device_memory.c  allocation, export, import
// handles.c          handles to exported memory, and what can be made of a handle
// faulty_*.c         how to be wrong, on demand; each function does nothing unless its fault is on
#ifndef VKZIRCON_LAYER_H_
#define VKZIRCON_LAYER_H_

#define VK_NO_PROTOTYPES
#define VK_USE_PLATFORM_FUCHSIA
#include <vulkan/vulkan.h>

#include <vulkan/vk_layer.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults.h"
#include "registry.h"
#include "zircon_private.h"

#define LAYER_NAME  "VK_LAYER_VKZIRCON_external_memory"
#define ZIRCON_VMO  VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA
#define HOST_MEMORY VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT

// The commands of the layer below that we call. X: one name; Y: the KHR name does as well as the core one.
#define INSTANCE_COMMANDS(X, Y)                                                                                        \
    X(DestroyInstance)                                                                                                 \
    X(EnumeratePhysicalDevices)                                                                                        \
    X(EnumerateDeviceExtensionProperties)                                                                              \
    X(GetPhysicalDeviceFeatures)                                                                                       \
    X(GetPhysicalDeviceMemoryProperties)                                                                               \
    X(GetPhysicalDeviceProperties)                                                                                     \
    Y(GetPhysicalDeviceProperties2)                                                                                    \
    Y(GetPhysicalDeviceExternalBufferProperties)                                                                       \
    Y(GetPhysicalDeviceImageFormatProperties2)

#define DEVICE_COMMANDS(X, Y)                                                                                          \
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
    X(GetMemoryHostPointerPropertiesEXT)                                                                               \
    X(BindBufferMemory)                                                                                                \
    X(BindImageMemory)                                                                                                 \
    Y(BindBufferMemory2)                                                                                               \
    Y(BindImageMemory2)                                                                                                \
    X(QueueSubmit)                                                                                                     \
    Y(QueueSubmit2)                                                                                                    \
    X(WaitForFences)

#define DECLARE_COMMAND(name) PFN_vk##name name;

struct instance_commands {
    INSTANCE_COMMANDS(DECLARE_COMMAND, DECLARE_COMMAND)
};

struct device_commands {
    PFN_vkGetDeviceProcAddr GetDeviceProcAddr;
    DEVICE_COMMANDS(DECLARE_COMMAND, DECLARE_COMMAND)
};

#undef DECLARE_COMMAND

struct instance {
    struct entry entry;                     // by dispatch pointer, which physical devices share
    VkInstance handle;                      // as the layer below gave it, which may be a handle of that layer's own
    VkInstance loaders_handle;              // which the loader's callbacks take
    VkAllocationCallbacks callbacks;        // the application's, copied;
    const VkAllocationCallbacks *allocator; // NULL where it gave none
    uint32_t api_version;
    bool has_capabilities_extension; // VK_KHR_external_memory_capabilities, of use below 1.1 only
    PFN_vkGetInstanceProcAddr get_proc_addr;
    PFN_vkLayerCreateDevice create_device; // NULL where the loader has no such callback
    PFN_vkLayerDestroyDevice destroy_device;
    struct instance_commands next;
    pthread_mutex_t mutex; // recursive; guards the list, and lets one trial run at a time
    struct physical_device *physical_devices;
};

struct physical_device {
    struct physical_device *next_in_list;
    struct instance *instance;
    VkPhysicalDevice handle;
    uint32_t api_version; // as far as the instance lets us use it
    VkDeviceSize non_coherent_atom_size;
    VkDeviceSize host_pointer_alignment;
    VkPhysicalDeviceMemoryProperties memory;
    bool lists_dependency; // VK_KHR_external_memory
    bool native;           // the driver offers the extension itself: the layer stays out of its way
    uint32_t memory_types; // HOST_VISIBLE and took a memfd's pages in the trial; 0: the extension is not offered
    VkDevice scratch;      // stays open to answer which memory types a resource would have; NULL without memory_types
    struct device_commands scratch_next;
};

struct device {
    struct entry entry; // by dispatch pointer
    VkDevice handle;
    const struct physical_device *physical; // NULL unless the extension is enabled
    struct device_commands next;
    atomic_bool lost;
    pthread_mutex_t mutex; // guards what follows
    struct registry memories;
    struct registry buffers; // external ones only, like the images
    struct registry images;
};

// VkPhysicalDevice, VkDevice and their children begin with the loader's dispatch pointer.
static inline uint64_t dispatch_key(const void *handle) {
    return (uintptr_t) * (void *const *)handle;
}

static inline bool emulates(const struct device *device) {
    return device->physical != NULL;
}

// NULL for a handle that the layer has never seen.
struct instance *instance_of(const void *instance_or_physical_device);
struct device *device_of(VkDevice device);

// Runs the trial at the first question; NULL only when memory is short.
struct physical_device *physical_device_of(struct instance *instance, VkPhysicalDevice handle);

// Fills in what the trial learns, and tells libzircon the reason when the extension cannot be offered. False when
// memory was too short to learn anything.
bool trial_run(struct physical_device *physical);
void trial_end(struct physical_device *physical);

void instance_commands_load(struct instance *instance);
void device_commands_load(struct device_commands *commands, PFN_vkGetDeviceProcAddr get_proc_addr, VkDevice device,
                          uint32_t api_version);

// The types among `bits` that external memory can have on this device.
static inline uint32_t usable_memory_types(const struct physical_device *physical, uint32_t bits) {
    return bits & physical->memory_types;
}

// Forgets everything that the program did not free before it destroyed the device.
void device_forget_memories(struct device *device);
void device_forget_resources(struct device *device);

bool extension_is_named(const char *const *names, uint32_t count, const char *name);

// Zeroed memory, through the application's callbacks where it gave some.
void *host_allocate(const VkAllocationCallbacks *allocator, size_t size, VkSystemAllocationScope scope);
void host_free(const VkAllocationCallbacks *allocator, void *memory);

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL hook_GetInstanceProcAddr(VkInstance instance, const char *name);
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL hook_GetDeviceProcAddr(VkDevice device, const char *name);

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateInstance(const VkInstanceCreateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkInstance *instance);
VKAPI_ATTR void VKAPI_CALL hook_DestroyInstance(VkInstance handle, const VkAllocationCallbacks *allocator);
VKAPI_ATTR VkResult VKAPI_CALL hook_EnumerateDeviceExtensionProperties(VkPhysicalDevice handle, const char *layer,
                                                                       uint32_t *count,
                                                                       VkExtensionProperties *properties);
VKAPI_ATTR VkResult VKAPI_CALL hook_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                 const VkAllocationCallbacks *allocator, VkDevice *device);
VKAPI_ATTR void VKAPI_CALL hook_DestroyDevice(VkDevice handle, const VkAllocationCallbacks *allocator);

VKAPI_ATTR void VKAPI_CALL hook_GetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalBufferInfo *info, VkExternalBufferProperties *properties);
VKAPI_ATTR VkResult VKAPI_CALL hook_GetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info, VkImageFormatProperties2 *properties);

VKAPI_ATTR VkResult VKAPI_CALL hook_CreateBuffer(VkDevice handle, const VkBufferCreateInfo *info,
                                                 const VkAllocationCallbacks *allocator, VkBuffer *buffer);
VKAPI_ATTR void VKAPI_CALL hook_DestroyBuffer(VkDevice handle, VkBuffer buffer, const VkAllocationCallbacks *allocator);
VKAPI_ATTR VkResult VKAPI_CALL hook_CreateImage(VkDevice handle, const VkImageCreateInfo *info,
                                                const VkAllocationCallbacks *allocator, VkImage *image);
VKAPI_ATTR void VKAPI_CALL hook_DestroyImage(VkDevice handle, VkImage image, const VkAllocationCallbacks *allocator);
VKAPI_ATTR void VKAPI_CALL hook_GetBufferMemoryRequirements(VkDevice handle, VkBuffer buffer,
                                                            VkMemoryRequirements *requirements);
VKAPI_ATTR void VKAPI_CALL hook_GetBufferMemoryRequirements2(VkDevice handle,
                                                             const VkBufferMemoryRequirementsInfo2 *info,
                                                             VkMemoryRequirements2 *requirements);
VKAPI_ATTR void VKAPI_CALL hook_GetImageMemoryRequirements(VkDevice handle, VkImage image,
                                                           VkMemoryRequirements *requirements);
VKAPI_ATTR void VKAPI_CALL hook_GetImageMemoryRequirements2(VkDevice handle, const VkImageMemoryRequirementsInfo2 *info,
                                                            VkMemoryRequirements2 *requirements);
VKAPI_ATTR void VKAPI_CALL hook_GetDeviceBufferMemoryRequirements(VkDevice handle,
                                                                  const VkDeviceBufferMemoryRequirements *info,
                                                                  VkMemoryRequirements2 *requirements);
VKAPI_ATTR void VKAPI_CALL hook_GetDeviceImageMemoryRequirements(VkDevice handle,
                                                                 const VkDeviceImageMemoryRequirements *info,
                                                                 VkMemoryRequirements2 *requirements);

VKAPI_ATTR VkResult VKAPI_CALL hook_AllocateMemory(VkDevice handle, const VkMemoryAllocateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkDeviceMemory *memory);
VKAPI_ATTR void VKAPI_CALL hook_FreeMemory(VkDevice handle, VkDeviceMemory memory,
                                           const VkAllocationCallbacks *allocator);
VKAPI_ATTR VkResult VKAPI_CALL hook_MapMemory(VkDevice handle, VkDeviceMemory memory, VkDeviceSize offset,
                                              VkDeviceSize size, VkMemoryMapFlags flags, void **data);
VKAPI_ATTR VkResult VKAPI_CALL hook_FlushMappedMemoryRanges(VkDevice handle, uint32_t count,
                                                            const VkMappedMemoryRange *ranges);
VKAPI_ATTR VkResult VKAPI_CALL hook_InvalidateMappedMemoryRanges(VkDevice handle, uint32_t count,
                                                                 const VkMappedMemoryRange *ranges);
VKAPI_ATTR VkResult VKAPI_CALL hook_GetMemoryZirconHandleFUCHSIA(VkDevice handle,
                                                                 const VkMemoryGetZirconHandleInfoFUCHSIA *info,
                                                                 zx_handle_t *zircon_handle);
VKAPI_ATTR VkResult VKAPI_CALL hook_GetMemoryZirconHandlePropertiesFUCHSIA(
    VkDevice handle, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t zircon_handle,
    VkMemoryZirconHandlePropertiesFUCHSIA *properties);

// In the chain only when some fault is on.
VKAPI_ATTR VkResult VKAPI_CALL hook_EnumeratePhysicalDevices(VkInstance handle, uint32_t *count,
                                                             VkPhysicalDevice *devices);
VKAPI_ATTR void VKAPI_CALL hook_GetPhysicalDeviceProperties(VkPhysicalDevice handle,
                                                            VkPhysicalDeviceProperties *properties);
VKAPI_ATTR void VKAPI_CALL hook_GetPhysicalDeviceProperties2(VkPhysicalDevice handle,
                                                             VkPhysicalDeviceProperties2 *properties);
VKAPI_ATTR VkResult VKAPI_CALL hook_BindBufferMemory(VkDevice handle, VkBuffer buffer, VkDeviceMemory memory,
                                                     VkDeviceSize offset);
VKAPI_ATTR VkResult VKAPI_CALL hook_BindBufferMemory2(VkDevice handle, uint32_t count,
                                                      const VkBindBufferMemoryInfo *infos);
VKAPI_ATTR VkResult VKAPI_CALL hook_BindImageMemory(VkDevice handle, VkImage image, VkDeviceMemory memory,
                                                    VkDeviceSize offset);
VKAPI_ATTR VkResult VKAPI_CALL hook_BindImageMemory2(VkDevice handle, uint32_t count,
                                                     const VkBindImageMemoryInfo *infos);
VKAPI_ATTR VkResult VKAPI_CALL hook_QueueSubmit(VkQueue queue, uint32_t count, const VkSubmitInfo *submits,
                                                VkFence fence);
VKAPI_ATTR VkResult VKAPI_CALL hook_QueueSubmit2(VkQueue queue, uint32_t count, const VkSubmitInfo2 *submits,
                                                 VkFence fence);
VKAPI_ATTR VkResult VKAPI_CALL hook_WaitForFences(VkDevice handle, uint32_t count, const VkFence *fences,
                                                  VkBool32 wait_all, uint64_t timeout);

#endif
