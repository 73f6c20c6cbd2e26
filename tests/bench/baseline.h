// SPDX-License-Identifier: Apache-2.0
//
// A C program that makes the calls of vkzircon's probe, in the same order and with the same arguments: what is left of
// the probe's time is Python's. It judges nothing. A refusal that the probe would note and pass over ends it, but for
// the two that belong to a good run: of an image that cannot be shared, and of a memory type that cannot be exported.
// test_baseline.py holds its calls against the probe's. It has one module a subject, named as in vkzircon_cli/probe.
#ifndef VKZIRCON_BENCH_BASELINE_H_
#define VKZIRCON_BENCH_BASELINE_H_

#define VK_USE_PLATFORM_FUCHSIA
#include <vulkan/vulkan.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zircon/syscalls.h>

#define COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define ZIRCON_VMO      VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA
#define TRANSFER        (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT) // of buffers and images
#define SIZE            ((VkDeviceSize)65536) // of the buffers that are shared, in bytes
#define SENTINEL        0xA5A5A5A5u           // what is asked about twice is asked with this and its complement

// Calls. Each is told on standard output before it is made, if --calls was given.

extern bool tells_calls;

void tell(const char *call);
void must(const char *call, int32_t answer); // ends the program unless the answer is 0
_Noreturn void stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

// `table` points to a structure with a function pointer of that name. MUST wants VK_SUCCESS or ZX_OK.
#define CALL(table, name, ...) (tell(#name), (table)->name(__VA_ARGS__))
#define MUST(table, name, ...) must(#name, CALL(table, name, __VA_ARGS__))

#define LOADER_COMMANDS(X)                                                                                             \
    X(vkCreateInstance)                                                                                                \
    X(vkEnumerateInstanceExtensionProperties)                                                                          \
    X(vkEnumerateInstanceLayerProperties)                                                                              \
    X(vkEnumerateInstanceVersion)

#define INSTANCE_COMMANDS(X)                                                                                           \
    X(vkCreateDevice)                                                                                                  \
    X(vkDestroyInstance)                                                                                               \
    X(vkEnumerateDeviceExtensionProperties)                                                                            \
    X(vkEnumeratePhysicalDevices)                                                                                      \
    X(vkGetDeviceProcAddr)                                                                                             \
    X(vkGetPhysicalDeviceExternalBufferProperties)                                                                     \
    X(vkGetPhysicalDeviceImageFormatProperties2)                                                                       \
    X(vkGetPhysicalDeviceMemoryProperties)                                                                             \
    X(vkGetPhysicalDeviceProperties)                                                                                   \
    X(vkGetPhysicalDeviceProperties2)                                                                                  \
    X(vkGetPhysicalDeviceQueueFamilyProperties)

#define DEVICE_COMMANDS(X)                                                                                             \
    X(vkAllocateCommandBuffers)                                                                                        \
    X(vkAllocateMemory)                                                                                                \
    X(vkBeginCommandBuffer)                                                                                            \
    X(vkBindBufferMemory)                                                                                              \
    X(vkBindImageMemory)                                                                                               \
    X(vkCmdClearColorImage)                                                                                            \
    X(vkCmdCopyBuffer)                                                                                                 \
    X(vkCmdCopyImageToBuffer)                                                                                          \
    X(vkCmdFillBuffer)                                                                                                 \
    X(vkCmdPipelineBarrier)                                                                                            \
    X(vkCreateBuffer)                                                                                                  \
    X(vkCreateCommandPool)                                                                                             \
    X(vkCreateFence)                                                                                                   \
    X(vkCreateImage)                                                                                                   \
    X(vkDestroyBuffer)                                                                                                 \
    X(vkDestroyCommandPool)                                                                                            \
    X(vkDestroyDevice)                                                                                                 \
    X(vkDestroyFence)                                                                                                  \
    X(vkDestroyImage)                                                                                                  \
    X(vkEndCommandBuffer)                                                                                              \
    X(vkFlushMappedMemoryRanges)                                                                                       \
    X(vkFreeMemory)                                                                                                    \
    X(vkGetBufferMemoryRequirements2)                                                                                  \
    X(vkGetDeviceQueue)                                                                                                \
    X(vkGetImageMemoryRequirements2)                                                                                   \
    X(vkGetMemoryZirconHandleFUCHSIA)                                                                                  \
    X(vkGetMemoryZirconHandlePropertiesFUCHSIA)                                                                        \
    X(vkInvalidateMappedMemoryRanges)                                                                                  \
    X(vkMapMemory)                                                                                                     \
    X(vkQueueSubmit)                                                                                                   \
    X(vkUnmapMemory)                                                                                                   \
    X(vkWaitForFences)

#define ZIRCON_CALLS(X)                                                                                                \
    X(zx_channel_create)                                                                                               \
    X(zx_channel_read)                                                                                                 \
    X(zx_channel_write)                                                                                                \
    X(zx_handle_close)                                                                                                 \
    X(zx_handle_duplicate)                                                                                             \
    X(zx_object_get_info)                                                                                              \
    X(zx_system_get_page_size)                                                                                         \
    X(zx_vmar_map)                                                                                                     \
    X(zx_vmar_root_self)                                                                                               \
    X(zx_vmar_unmap)                                                                                                   \
    X(zx_vmo_create)                                                                                                   \
    X(zx_vmo_get_size)                                                                                                 \
    X(zx_vmo_op_range)                                                                                                 \
    X(zx_vmo_read)                                                                                                     \
    X(zx_vmo_write)

#define VULKAN_MEMBER(name) PFN_##name name;
#define ZIRCON_MEMBER(name) __typeof__(name) *name;

struct loader {
    PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr;
    LOADER_COMMANDS(VULKAN_MEMBER)
};

struct zircon {
    ZIRCON_CALLS(ZIRCON_MEMBER)
};

extern struct loader loader;
extern struct zircon zircon; // empty where there is no libzircon

void open_loader(void);
bool open_zircon(void); // false: there is none

// Instances and devices.

struct instance {
    VkInstance handle;
    uint32_t num_devices;
    VkPhysicalDevice *devices;
    INSTANCE_COMMANDS(VULKAN_MEMBER)
};

void instance_open(struct instance *instance); // and lists its devices
void instance_close(struct instance *instance);

struct device {
    VkDevice handle;
    uint32_t queue_family;
    DEVICE_COMMANDS(VULKAN_MEMBER)
};

// These ask a device that need not be open: who it is, whether it lists the extension `wanted`, and for a queue family
// that can transfer.
void ask_identity(const struct instance *instance, VkPhysicalDevice physical, VkPhysicalDeviceIDProperties *ids);
bool ask_extensions(const struct instance *instance, VkPhysicalDevice physical, const char *wanted);
uint32_t ask_queue_family(const struct instance *instance, VkPhysicalDevice physical);
void device_open(const struct instance *instance, VkPhysicalDevice physical, uint32_t queue_family,
                 struct device *device);
void device_close(const struct device *device);

// What a device says that it can share.

#define NUM_COLORS 5u
struct color {
    VkFormat format;
    VkClearColorValue clear;
    size_t pixel_size;
    uint8_t pixel[16];
};
extern const struct color colors[NUM_COLORS];

#define NUM_TILINGS 2u
extern const VkImageTiling tilings[NUM_TILINGS];

struct offer {
    VkExternalMemoryProperties buffers; // for transfers
    VkExternalMemoryProperties images[NUM_TILINGS][NUM_COLORS];
};

void ask_offer(const struct instance *instance, VkPhysicalDevice physical, struct offer *offer);
void ask_external_buffer(const struct instance *instance, VkPhysicalDevice physical, VkBufferUsageFlags usage,
                         VkExternalMemoryProperties *found);

// Known bytes.

struct pattern {
    uint8_t *chunk; // whole periods, so that every chunk begins like the first
    size_t chunk_size;
    size_t size;
};

struct pattern pattern_of(const void *period, size_t period_size, size_t size);
struct pattern pattern_new(size_t size); // unlike those before it
void pattern_free(const struct pattern *pattern);
size_t pattern_part(const struct pattern *pattern, size_t at); // how much of it the chunk at `at` holds
void pattern_put(const struct pattern *pattern, void *bytes);
void pattern_compare(const struct pattern *pattern, const void *bytes); // ends the program if they differ

// Buffers, images and memory.

struct image_spec {
    VkFormat format;
    VkImageTiling tiling;
};
#define IMAGE_WIDTH 64u // and height

enum form { PLAIN, DEDICATED_BUFFER, DEDICATED_IMAGE, NUM_FORMS };

struct shape {
    enum form form;
    VkDeviceSize size; // of the buffer
    struct image_spec image;
    VkMemoryRequirements needs;
    VkDeviceSize room; // more memory than the buffer needs
};

struct resource {
    VkBuffer buffer; // one of the two is VK_NULL_HANDLE
    VkImage image;
    VkMemoryRequirements needs;
};

struct memory {
    VkDeviceMemory handle;
    VkDeviceSize size;
    uint32_t type;
};

struct resource buffer_create(const struct device *device, VkDeviceSize size, bool external);
struct resource image_create(const struct device *device, const struct image_spec *spec);
struct resource shape_create(const struct device *device, const struct shape *shape);
void resource_destroy(const struct device *device, const struct resource *resource);
void resource_bind(const struct device *device, const struct resource *resource, const struct memory *memory,
                   VkDeviceSize offset);

// memory_export() gives false where the driver refuses; the others end the program then.
bool memory_export(const struct device *device, const struct shape *shape, uint32_t type,
                   const struct resource *resource, struct memory *memory);
struct memory memory_import(const struct device *device, const struct shape *shape, zx_handle_t handle,
                            const struct memory *like, const struct resource *resource, bool export);
void memory_free(const struct device *device, const struct memory *memory);

// An ordinary buffer that the host can map, in the first of the memory types `host_visible` that takes it.
struct host_buffer {
    struct resource resource;
    struct memory memory;
};

struct host_buffer host_buffer_create(const struct device *device, VkDeviceSize size, uint32_t host_visible);
void host_buffer_free(const struct device *device, const struct host_buffer *buffer);

// In between, all of it is the host's to read and write.
void *memory_map(const struct device *device, const struct memory *memory);
void memory_unmap(const struct device *device, const struct memory *memory);
void memory_put(const struct device *device, const struct memory *memory, const struct pattern *pattern);
void memory_compare(const struct device *device, const struct memory *memory, const struct pattern *pattern);

// Handles to VMOs.

struct handle {
    zx_handle_t value;
    zx_koid_t koid;
};

struct handle handle_own(zx_handle_t value);
struct handle handle_export(const struct device *device, const struct memory *memory);
struct handle handle_duplicate(const struct handle *handle);
void handle_close(const struct handle *handle);
struct handle handle_pass(const struct handle *handle, const zx_handle_t ends[2]); // through a channel
void end_close(zx_handle_t end);
void handle_describe(const struct handle *handle);
uint64_t handle_size(const struct handle *handle);
uint32_t handle_count(const struct handle *handle);
uint32_t handle_types(const struct device *device, const struct handle *handle); // which take it
void handle_write(const struct handle *handle, const struct pattern *pattern);
void handle_compare(const struct handle *handle, const struct pattern *pattern);     // by zx_vmo_read
void handle_compare_map(const struct handle *handle, const struct pattern *pattern); // by zx_vmar_map

// Command buffers: what each does is done when it returns.

void fill_buffer(const struct device *device, VkBuffer buffer, uint32_t word);
void copy_buffer(const struct device *device, VkBuffer source, VkBuffer destination, VkDeviceSize size);
void clear_image(const struct device *device, VkImage image, const VkClearColorValue *color);
void read_image(const struct device *device, VkImage image, VkBuffer buffer);

// One open device, and what every step on it works with.

struct place {
    struct device device;
    VkPhysicalDeviceMemoryProperties memory;
    bool is_open;
    bool is_asked;
};

struct scene {
    const struct instance *instance;
    uint32_t index;
    VkPhysicalDevice physical;
    VkPhysicalDeviceIDProperties ids;
    struct place here;
    struct place second_device;
    struct place second_instance;
    struct place other_device;
    struct instance another_instance; // of the last two places
    uint32_t num_shapes;              // without images the last form is missing
    struct shape shapes[NUM_FORMS];
    bool exports_again[NUM_FORMS]; // memory of that form, once imported
};

enum import_kind {
    SAME_DEVICE,
    SECOND_DEVICE,
    SECOND_INSTANCE,
    OTHER_DEVICE,
    TWICE,
    OWN_VMO,
    WHOLE_SIZE,
    BIND_OFFSET,
    RE_EXPORT,
    BIND_EXPORT_IMPORT_BIND,
    EXPORT_BIND_IMPORT_BIND,
    EXPORT_IMPORT_BIND_BIND,
    NUM_IMPORT_KINDS,
};

const struct place *find_place(struct scene *scene, enum import_kind kind); // NULL: there is none
void close_places(struct scene *scene);

// One VMO as two allocations, with another handle to it.
struct shared {
    const struct device *exporter;
    const struct device *importer;
    struct resource source;
    struct resource resource; // bound to `imported`
    struct memory exported;
    struct memory imported;
    struct handle kept;
};

void share(const struct scene *scene, const struct place *place, enum import_kind kind, const struct shape *shape,
           uint32_t type, struct shared *shared);
void unshare(const struct shared *shared);

bool is_exportable(const struct scene *scene, uint32_t type);
uint32_t choose_type(uint32_t bits, uint32_t taken, uint32_t preferred, const VkPhysicalDeviceMemoryProperties *types);
uint32_t first_type(uint32_t bits);
uint32_t host_visible_types(const struct scene *scene);

// The steps.
void check_device(const struct instance *instance, uint32_t index, const VkPhysicalDeviceIDProperties *ids);
void look_into_exports(const struct scene *scene, const struct shape *shape, uint32_t type);
void import_every_way(struct scene *scene, const struct shape *shape, uint32_t type);
void count_releases(const struct scene *scene, const struct shape *shape, uint32_t type);
void move_data(const struct scene *scene, enum form form, uint32_t type);
void clear_and_read(const struct scene *scene, const struct color *color, VkImageTiling tiling);
void ask_matrix(const struct instance *instance, VkPhysicalDevice physical, bool all_formats);

#endif
