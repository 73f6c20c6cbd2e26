// SPDX-License-Identifier: Apache-2.0
//
// A C program that makes as many of each Vulkan and zx_* call as the probe does: the benchmark compares their times.
// test_baseline.py compares the counts. The order and the arguments may differ. A call that fails ends the program,
// except for an allocation that the driver may refuse.
#ifndef VKZIRCON_BENCH_BASELINE_H_
#define VKZIRCON_BENCH_BASELINE_H_

#define VK_USE_PLATFORM_FUCHSIA
#include <vulkan/vulkan.h>

#include <stdbool.h>
#include <stdint.h>
#include <zircon/syscalls.h>

#define ZIRCON_VMO  VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA
#define TRANSFER    (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT) // of buffers and images
#define BUFFER_SIZE 65536u
#define IMAGE_WIDTH 64u // and height

// With --calls, the name of each call is printed before the call is made. MUST expects VK_SUCCESS or ZX_OK.
void note(const char *call);
void must(const char *call, int32_t result);
_Noreturn void stop(const char *message);
#define CALL(name, ...) (note(#name), name(__VA_ARGS__))
#define MUST(name, ...) must(#name, CALL(name, __VA_ARGS__))

// baseline.c: instances, devices and their capabilities

#define MAX_DEVICES 16

struct instance {
    VkInstance handle;
    uint32_t num_devices;
    VkPhysicalDevice devices[MAX_DEVICES];
};

struct device {
    VkDevice handle; // VK_NULL_HANDLE: not open
    VkPhysicalDevice physical;
    PFN_vkGetMemoryZirconHandleFUCHSIA get_handle;
    PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA get_handle_properties;
};

void instance_open(struct instance *instance);
bool lists_extension(VkPhysicalDevice physical);                    // VK_FUCHSIA_external_memory
void device_open(struct device *device, VkPhysicalDevice physical); // with its queue family 0
void query_queue_families(VkPhysicalDevice physical);
void query_usages(VkPhysicalDevice physical);
VkExternalMemoryProperties query_buffer(VkPhysicalDevice physical, VkBufferUsageFlags usage);
bool query_image(VkPhysicalDevice physical, VkFlags type, VkFormat format, VkImageTiling tiling,
                 VkImageUsageFlags usage, VkImageCreateFlags flags,
                 VkExternalMemoryProperties *found); // false: the driver does not support such images

// baseline_memory.c: memory, handles and command buffers

enum form { PLAIN, DEDICATED_BUFFER, DEDICATED_IMAGE, PLAIN_IMAGE, NUM_FORMS };

struct shape {
    enum form form;
    VkFormat format; // of an image
    VkImageTiling tiling;
    VkMemoryRequirements needs;
    bool reexports; // whether imported memory can be exported
};

// A buffer or an image, and its memory.
struct block {
    const struct device *device;
    const struct shape *shape; // NULL: a buffer that is not external
    VkBuffer buffer;           // one of these two is VK_NULL_HANDLE
    VkImage image;
    VkMemoryRequirements needs;
    VkDeviceMemory memory;
    VkDeviceSize size;
    uint32_t type;
};

extern uint32_t coherent_types; // the mask of the memory types that need no flush
extern VkDevice queue_owner;    // the last device whose queue was used

struct block block_create(const struct device *device, const struct shape *shape);
VkResult block_allocate(struct block *block, uint32_t type); // external memory is exportable
void block_import(struct block *block, zx_handle_t handle, VkDeviceSize size, uint32_t type, bool can_export);
void block_bind(const struct block *block);
void block_write(const struct block *block);   // another byte than before, everywhere
void block_compare(const struct block *block); // with what was written last
void block_destroy(const struct block *block); // the resource only
void block_free(const struct block *block);    // the memory and the resource

zx_handle_t handle_export(const struct block *block);
zx_handle_t handle_duplicate(zx_handle_t handle);
void handle_check(zx_handle_t handle); // that the number still names the same object
void handle_close(zx_handle_t handle);
void handle_count(zx_handle_t handle);
void handle_size(zx_handle_t handle);
void handle_describe(zx_handle_t handle);
// Returns the bits of the memory types that can import it, after so many calls.
uint32_t handle_types(const struct device *device, zx_handle_t handle, int times);
void handle_write(zx_handle_t handle, uint64_t size);
void handle_compare(zx_handle_t handle, uint64_t size);
void handle_compare_mapped(zx_handle_t handle, uint64_t size);

enum work { FILL, COPY_FROM, CLEAR, READ_INTO };
void submit(enum work work, const struct block *shared, VkBuffer other);

// baseline_check.c
void check_device(const struct instance *instance, uint32_t index);

#endif
