// SPDX-License-Identifier: Apache-2.0
//
// The application's allocation callbacks: the layer uses them for all records of Vulkan objects, and reports each
// failure. The return address shows which library allocates.
#include "gpu.h"
#include "test.h"

#include <dlfcn.h>

#define NEVER UINT32_MAX

struct counting {
    uint32_t live; // of the layer and of the driver
    uint32_t ours[VK_SYSTEM_ALLOCATION_SCOPE_INSTANCE + 1];
    uint32_t fail_after; // so many more calls by the layer
};

static bool is_ours(const void *caller) {
    Dl_info info;
    return dladdr(caller, &info) && strstr(info.dli_fname, "VkLayer_vkzircon");
}

static VKAPI_ATTR void *VKAPI_CALL allocate(void *user, size_t size, size_t alignment, VkSystemAllocationScope scope) {
    struct counting *counting = user;
    if (is_ours(__builtin_return_address(0))) {
        if (counting->fail_after == 0)
            return NULL;
        if (counting->fail_after != NEVER)
            counting->fail_after--;
        counting->ours[scope]++;
    }
    counting->live++;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static VKAPI_ATTR void VKAPI_CALL release(void *user, void *memory) {
    if (memory)
        ((struct counting *)user)->live--;
    free(memory);
}

static VKAPI_ATTR void *VKAPI_CALL reallocate(void *user, void *old, size_t size, size_t alignment,
                                              VkSystemAllocationScope scope) {
    if (!old)
        return allocate(user, size, alignment, scope);
    if (size)
        return realloc(old, size);
    release(user, old);
    return NULL;
}

static struct counting counting = {.fail_after = NEVER};

static const VkAllocationCallbacks callbacks = {
    .pUserData = &counting,
    .pfnAllocation = allocate,
    .pfnReallocation = reallocate,
    .pfnFree = release,
};

static const VkApplicationInfo application = {
    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
    .apiVersion = VK_API_VERSION_1_3,
};

static VkResult create_instance(struct gpu *gpu) {
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &application,
    };
    return vkCreateInstance(&info, &callbacks, &gpu->instance);
}

static VkResult create_device(struct gpu *gpu) {
    const char *extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueCount = 1,
        .pQueuePriorities = &(const float){1.0f},
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = 1,
        .ppEnabledExtensionNames = &extension,
    };
    return vkCreateDevice(gpu->physical, &info, &callbacks, &gpu->device);
}

static VkResult create_memory(struct gpu *gpu, VkDeviceMemory *memory) {
    const VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL, ZIRCON_VMO};
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &export,
        .allocationSize = 4096,
    };
    return vkAllocateMemory(gpu->device, &info, &callbacks, memory);
}

static VkResult create_buffer(struct gpu *gpu, VkBuffer *buffer) {
    const VkExternalMemoryBufferCreateInfo external = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, NULL,
                                                       ZIRCON_VMO};
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = 4096,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    return vkCreateBuffer(gpu->device, &info, &callbacks, buffer);
}

static VkResult create_image(struct gpu *gpu, VkImage *image) {
    const VkExternalMemoryImageCreateInfo external = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, NULL,
                                                      ZIRCON_VMO};
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = &external,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {16, 16, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_LINEAR,
        .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    return vkCreateImage(gpu->device, &info, &callbacks, image);
}

// Runs the call with the layer's first allocation refused, then its second, and so on until none is refused. A refusal
// must not leak.
#define REFUSE_EACH(call, at_least)                                                                                    \
    do {                                                                                                               \
        VkResult result = VK_ERROR_UNKNOWN;                                                                            \
        uint32_t refused = 0;                                                                                          \
        for (; result != VK_SUCCESS && refused < 50; refused++) {                                                      \
            const uint32_t before = counting.live;                                                                     \
            counting.fail_after = refused;                                                                             \
            result = (call);                                                                                           \
            counting.fail_after = NEVER;                                                                               \
            if (result != VK_SUCCESS) {                                                                                \
                CHECK_EQ(result, VK_ERROR_OUT_OF_HOST_MEMORY);                                                         \
                CHECK_EQ(counting.live, before);                                                                       \
            }                                                                                                          \
        }                                                                                                              \
        CHECK_OK(result);                                                                                              \
        CHECK_EQ(refused - 1, at_least);                                                                               \
    } while (0)

static VkResult find_physical_device(struct gpu *gpu) {
    uint32_t one = 1;
    const VkResult result = vkEnumeratePhysicalDevices(gpu->instance, &one, &gpu->physical);
    return result < 0 ? result : VK_SUCCESS;
}

static VkResult ask(struct gpu *gpu) {
    uint32_t count = 0;
    return vkEnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, NULL);
}

static void every_refusal_is_told(void) {
    struct gpu gpu = {0};
    VkDeviceMemory memory;
    VkBuffer buffer;
    VkImage image;
    REFUSE_EACH(create_instance(&gpu), 1);
    CHECK_OK(find_physical_device(&gpu));
    REFUSE_EACH(ask(&gpu), 2);           // the physical device's record, and its extensions
    REFUSE_EACH(create_device(&gpu), 2); // the device's record, and the names of extensions for the driver
    REFUSE_EACH(create_memory(&gpu, &memory), 1);
    REFUSE_EACH(create_buffer(&gpu, &buffer), 1);
    REFUSE_EACH(create_image(&gpu, &image), 1);
    vkDestroyImage(gpu.device, image, &callbacks);
    vkDestroyBuffer(gpu.device, buffer, &callbacks);
    vkFreeMemory(gpu.device, memory, &callbacks);
    vkDestroyDevice(gpu.device, &callbacks);
    vkDestroyInstance(gpu.instance, &callbacks);
    CHECK_EQ(counting.live, 0);
}

static void every_allocation_has_its_scope(void) {
    struct gpu gpu = {0};
    VkDeviceMemory memory;
    memset(counting.ours, 0, sizeof counting.ours);
    CHECK_OK(create_instance(&gpu));
    CHECK_OK(find_physical_device(&gpu));
    CHECK_OK(create_device(&gpu));
    CHECK_OK(create_memory(&gpu, &memory));
    CHECK_EQ(counting.ours[VK_SYSTEM_ALLOCATION_SCOPE_INSTANCE], 2);
    CHECK_EQ(counting.ours[VK_SYSTEM_ALLOCATION_SCOPE_DEVICE], 1);
    CHECK_EQ(counting.ours[VK_SYSTEM_ALLOCATION_SCOPE_OBJECT], 1);
    CHECK_EQ(counting.ours[VK_SYSTEM_ALLOCATION_SCOPE_COMMAND], 2);
    vkFreeMemory(gpu.device, memory, &callbacks);
    vkDestroyDevice(gpu.device, &callbacks);
    vkDestroyInstance(gpu.instance, &callbacks);
    CHECK_EQ(counting.live, 0);
}

int main(void) {
    RUN(every_refusal_is_told());
    RUN(every_allocation_has_its_scope());
    return test_result();
}
