// SPDX-License-Identifier: Apache-2.0
#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>

#if VKZIRCON_KEEPS_LIBRARIES
// The loader unloads drivers with the instance. LeakSanitizer could then neither name leaks in them nor suppress them.
int dlclose(void *library);
__attribute__((visibility("default"))) int dlclose(void *library) {
    (void)library;
    return 0;
}
#endif

static void must(VkResult result, const char *what) {
    if (result == VK_SUCCESS)
        return;
    fprintf(stderr, "%s: VkResult %d\n", what, result);
    exit(EXIT_FAILURE);
}

#define MUST(call) must((call), #call)

VkResult gpu_create_instance(struct gpu *gpu, uint32_t api_version) {
    *gpu = (struct gpu){0};
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = api_version};
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = &application,
    };
    return vkCreateInstance(&info, NULL, &gpu->instance);
}

void gpu_open_instance(struct gpu *gpu, uint32_t api_version) {
    MUST(gpu_create_instance(gpu, api_version));
    uint32_t count = 1;
    if (vkEnumeratePhysicalDevices(gpu->instance, &count, &gpu->physical) < 0 || count == 0)
        must(VK_ERROR_INITIALIZATION_FAILED, "no physical device");
    vkGetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
}

static void load_extension(struct gpu *gpu) {
    gpu->get_handle =
        (PFN_vkGetMemoryZirconHandleFUCHSIA)vkGetDeviceProcAddr(gpu->device, "vkGetMemoryZirconHandleFUCHSIA");
    gpu->get_handle_properties = (PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA)vkGetDeviceProcAddr(
        gpu->device, "vkGetMemoryZirconHandlePropertiesFUCHSIA");
}

static void find_shared_types(struct gpu *gpu) {
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
    };
    zx_handle_t vmo;
    if (zx_vmo_create(4096, 0, &vmo) != ZX_OK)
        must(VK_ERROR_OUT_OF_HOST_MEMORY, "zx_vmo_create");
    MUST(gpu->get_handle_properties(gpu->device, ZIRCON_VMO, vmo, &properties));
    zx_handle_close(vmo);
    gpu->shared_types = properties.memoryTypeBits;
    gpu->shared_type = gpu_pick_type(gpu->shared_types);
}

VkResult gpu_create_bare_device(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions,
                                const void *next) {
    VkPhysicalDeviceFeatures features;
    vkGetPhysicalDeviceFeatures(gpu->physical, &features);
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueCount = 1,
        .pQueuePriorities = &(const float){1.0f},
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = next,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = num_extensions,
        .ppEnabledExtensionNames = extensions,
        .pEnabledFeatures = &features,
    };
    const VkResult result = vkCreateDevice(gpu->physical, &info, NULL, &gpu->device);
    if (result != VK_SUCCESS) {
        gpu->device = NULL;
        return result;
    }
    vkGetDeviceQueue(gpu->device, 0, 0, &gpu->queue);
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    MUST(vkCreateCommandPool(gpu->device, &pool, NULL, &gpu->pool));
    load_extension(gpu);
    return VK_SUCCESS;
}

VkResult gpu_create_device(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions, const void *next) {
    const VkResult result = gpu_create_bare_device(gpu, extensions, num_extensions, next);
    if (result == VK_SUCCESS && gpu->get_handle_properties)
        find_shared_types(gpu);
    return result;
}

void gpu_open(struct gpu *gpu, const char *const *extensions, uint32_t num_extensions) {
    gpu_open_instance(gpu, VK_API_VERSION_1_3);
    MUST(gpu_create_device(gpu, extensions, num_extensions, NULL));
}

void gpu_open_zircon(struct gpu *gpu) {
    const char *extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;
    gpu_open(gpu, &extension, 1);
}

void gpu_close_device(struct gpu *gpu) {
    if (!gpu->device)
        return;
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroyDevice(gpu->device, NULL);
    gpu->device = NULL;
}

void gpu_close(struct gpu *gpu) {
    gpu_close_device(gpu);
    vkDestroyInstance(gpu->instance, NULL);
}

VkBuffer gpu_make_buffer(const struct gpu *gpu, VkDeviceSize size, VkExternalMemoryHandleTypeFlags external) {
    const VkExternalMemoryBufferCreateInfo handles = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = external,
    };
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = external ? &handles : NULL,
        .size = size,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkBuffer buffer;
    MUST(vkCreateBuffer(gpu->device, &info, NULL, &buffer));
    return buffer;
}

VkImage gpu_make_linear_image(const struct gpu *gpu, uint32_t width, VkExternalMemoryHandleTypeFlags external) {
    const VkExternalMemoryImageCreateInfo handles = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .handleTypes = external,
    };
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = external ? &handles : NULL,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {width, width, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_LINEAR,
        .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    VkImage image;
    MUST(vkCreateImage(gpu->device, &info, NULL, &image));
    return image;
}

uint32_t gpu_pick_type(uint32_t bits) {
    for (uint32_t type = 0; type < VK_MAX_MEMORY_TYPES; type++) {
        if (bits & 1u << type)
            return type;
    }
    must(VK_ERROR_FEATURE_NOT_PRESENT, "an empty mask of memory types");
    return 0;
}

static VkResult allocate(const struct gpu *gpu, VkDeviceSize size, uint32_t type, const void *next,
                         VkDeviceMemory *memory) {
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = next,
        .allocationSize = size,
        .memoryTypeIndex = type,
    };
    return vkAllocateMemory(gpu->device, &info, NULL, memory);
}

VkResult gpu_export(const struct gpu *gpu, VkDeviceSize size, uint32_t type, VkDeviceMemory *memory) {
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = ZIRCON_VMO,
    };
    return allocate(gpu, size, type, &export, memory);
}

VkResult gpu_import(const struct gpu *gpu, VkDeviceSize size, uint32_t type, zx_handle_t handle,
                    VkDeviceMemory *memory) {
    const VkImportMemoryZirconHandleInfoFUCHSIA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
        .handleType = ZIRCON_VMO,
        .handle = handle,
    };
    return allocate(gpu, size, type, &import, memory);
}

zx_handle_t gpu_get_handle(const struct gpu *gpu, VkDeviceMemory memory) {
    const VkMemoryGetZirconHandleInfoFUCHSIA info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA,
        .memory = memory,
        .handleType = ZIRCON_VMO,
    };
    zx_handle_t handle = ZX_HANDLE_INVALID;
    return gpu->get_handle(gpu->device, &info, &handle) == VK_SUCCESS ? handle : ZX_HANDLE_INVALID;
}

static void submit_and_wait(const struct gpu *gpu, VkCommandBuffer commands) {
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
    };
    VkFence fence;
    MUST(vkCreateFence(gpu->device, &fence_info, NULL, &fence));
    MUST(vkQueueSubmit(gpu->queue, 1, &submit, fence));
    MUST(vkWaitForFences(gpu->device, 1, &fence, VK_TRUE, UINT64_C(10000000000)));
    vkDestroyFence(gpu->device, fence, NULL);
}

static VkCommandBuffer begin(const struct gpu *gpu) {
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = gpu->pool,
        .commandBufferCount = 1,
    };
    const VkCommandBufferBeginInfo begin_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VkCommandBuffer commands;
    MUST(vkAllocateCommandBuffers(gpu->device, &info, &commands));
    MUST(vkBeginCommandBuffer(commands, &begin_info));
    return commands;
}

static void end(const struct gpu *gpu, VkCommandBuffer commands) {
    const VkMemoryBarrier to_host = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
    };
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &to_host, 0, NULL,
                         0, NULL);
    MUST(vkEndCommandBuffer(commands));
    submit_and_wait(gpu, commands);
    vkFreeCommandBuffers(gpu->device, gpu->pool, 1, &commands);
}

void gpu_fill(const struct gpu *gpu, VkBuffer buffer, uint32_t word) {
    const VkCommandBuffer commands = begin(gpu);
    vkCmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, word);
    end(gpu, commands);
}

void gpu_clear(const struct gpu *gpu, VkImage image, const VkClearColorValue *color) {
    const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    const VkImageMemoryBarrier to_general = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
        .newLayout = VK_IMAGE_LAYOUT_GENERAL,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = whole,
    };
    const VkCommandBuffer commands = begin(gpu);
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0, NULL, 0,
                         NULL, 1, &to_general);
    vkCmdClearColorImage(commands, image, VK_IMAGE_LAYOUT_GENERAL, color, 1, &whole);
    end(gpu, commands);
}

static void shared_buffer_make(const struct gpu *gpu, VkDeviceSize size, struct shared_buffer *shared) {
    VkMemoryRequirements requirements;
    shared->buffer = gpu_make_buffer(gpu, size, ZIRCON_VMO);
    vkGetBufferMemoryRequirements(gpu->device, shared->buffer, &requirements);
    shared->size = requirements.size;
    shared->type = gpu_pick_type(requirements.memoryTypeBits);
}

void shared_buffer_export(const struct gpu *gpu, VkDeviceSize size, struct shared_buffer *shared) {
    shared_buffer_make(gpu, size, shared);
    MUST(gpu_export(gpu, shared->size, shared->type, &shared->memory));
    MUST(vkBindBufferMemory(gpu->device, shared->buffer, shared->memory, 0));
}

void shared_buffer_import(const struct gpu *gpu, VkDeviceSize size, zx_handle_t handle, struct shared_buffer *shared) {
    shared_buffer_make(gpu, size, shared);
    MUST(gpu_import(gpu, shared->size, shared->type, handle, &shared->memory));
    MUST(vkBindBufferMemory(gpu->device, shared->buffer, shared->memory, 0));
}

void shared_buffer_free(const struct gpu *gpu, const struct shared_buffer *shared) {
    vkDestroyBuffer(gpu->device, shared->buffer, NULL);
    vkFreeMemory(gpu->device, shared->memory, NULL);
}
