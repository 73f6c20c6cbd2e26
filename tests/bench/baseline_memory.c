// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <string.h>

#define FENCE_TIMEOUT_NS UINT64_C(10000000000)

static uint8_t last_byte; // that was written

static void compare(const void *bytes, size_t size) {
    const uint8_t *first = bytes;
    if (*first != last_byte || memcmp(first, first + 1, size - 1) != 0)
        stop("The bytes that were read are not the ones that were written.");
}

static void create_buffer(struct block *block) {
    const VkExternalMemoryBufferCreateInfo external = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, NULL,
                                                       ZIRCON_VMO};
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = block->shape ? &external : NULL,
        .size = BUFFER_SIZE,
        .usage = TRANSFER,
    };
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    VkBufferMemoryRequirementsInfo2 query = {.sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2};
    MUST(vkCreateBuffer, block->device->handle, &info, NULL, &block->buffer);
    query.buffer = block->buffer;
    CALL(vkGetBufferMemoryRequirements2, block->device->handle, &query, &needs);
    block->needs = needs.memoryRequirements;
}

static void create_image(struct block *block) {
    const VkExternalMemoryImageCreateInfo external = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, NULL,
                                                      ZIRCON_VMO};
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = &external,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = block->shape->format,
        .extent = {IMAGE_WIDTH, IMAGE_WIDTH, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = block->shape->tiling,
        .usage = TRANSFER,
    };
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    VkImageMemoryRequirementsInfo2 query = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2};
    MUST(vkCreateImage, block->device->handle, &info, NULL, &block->image);
    query.image = block->image;
    CALL(vkGetImageMemoryRequirements2, block->device->handle, &query, &needs);
    block->needs = needs.memoryRequirements;
}

struct block block_create(const struct device *device, const struct shape *shape) {
    struct block block = {.device = device, .shape = shape};
    if (shape && shape->form >= DEDICATED_IMAGE)
        create_image(&block);
    else
        create_buffer(&block);
    return block;
}

// Imports `handle` unless it is ZX_HANDLE_INVALID.
static VkResult allocate(struct block *block, zx_handle_t handle, VkDeviceSize size, uint32_t type, bool can_export) {
    const bool is_dedicated = block->shape && block->shape->form != PLAIN && block->shape->form != PLAIN_IMAGE;
    const VkMemoryDedicatedAllocateInfo dedicated = {VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO, NULL,
                                                     block->image, block->buffer};
    const void *const dedication = is_dedicated ? &dedicated : NULL;
    const VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, dedication, ZIRCON_VMO};
    const void *const exportable = can_export ? &export : dedication;
    const VkImportMemoryZirconHandleInfoFUCHSIA import = {VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
                                                          exportable, ZIRCON_VMO, handle};
    const VkMemoryAllocateInfo info = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, handle ? &import : exportable, size,
                                       type};
    block->size = size;
    block->type = type;
    return CALL(vkAllocateMemory, block->device->handle, &info, NULL, &block->memory);
}

VkResult block_allocate(struct block *block, uint32_t type) {
    return allocate(block, ZX_HANDLE_INVALID, block->needs.size, type, block->shape != NULL);
}

void block_import(struct block *block, zx_handle_t handle, VkDeviceSize size, uint32_t type, bool can_export) {
    must("vkAllocateMemory", allocate(block, handle, size, type, can_export));
}

void block_bind(const struct block *block) {
    if (block->image)
        MUST(vkBindImageMemory, block->device->handle, block->image, block->memory, 0);
    else
        MUST(vkBindBufferMemory, block->device->handle, block->buffer, block->memory, 0);
}

uint32_t coherent_types;

static bool is_coherent(const struct block *block) {
    return coherent_types >> block->type & 1;
}

static void *map(const struct block *block) {
    const VkMappedMemoryRange range = {VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, block->memory, 0, VK_WHOLE_SIZE};
    void *bytes;
    MUST(vkMapMemory, block->device->handle, block->memory, 0, block->size, 0, &bytes);
    if (!is_coherent(block))
        MUST(vkInvalidateMappedMemoryRanges, block->device->handle, 1, &range);
    return bytes;
}

static void unmap(const struct block *block) {
    const VkMappedMemoryRange range = {VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, block->memory, 0, VK_WHOLE_SIZE};
    if (!is_coherent(block))
        MUST(vkFlushMappedMemoryRanges, block->device->handle, 1, &range);
    CALL(vkUnmapMemory, block->device->handle, block->memory);
}

void block_write(const struct block *block) {
    memset(map(block), ++last_byte, block->size);
    unmap(block);
}

void block_compare(const struct block *block) {
    compare(map(block), block->size);
    unmap(block);
}

void block_destroy(const struct block *block) {
    if (block->image)
        CALL(vkDestroyImage, block->device->handle, block->image, NULL);
    else
        CALL(vkDestroyBuffer, block->device->handle, block->buffer, NULL);
}

void block_free(const struct block *block) {
    CALL(vkFreeMemory, block->device->handle, block->memory, NULL);
    block_destroy(block);
}

static void check_valid(zx_handle_t handle) {
    MUST(zx_object_get_info, handle, ZX_INFO_HANDLE_VALID, NULL, 0, NULL, NULL);
}

void handle_check(zx_handle_t handle) {
    zx_info_handle_basic_t basic;
    check_valid(handle);
    MUST(zx_object_get_info, handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof(basic), NULL, NULL);
}

zx_handle_t handle_export(const struct block *block) {
    const VkMemoryGetZirconHandleInfoFUCHSIA info = {VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA, NULL,
                                                     block->memory, ZIRCON_VMO};
    zx_handle_t handle;
    note("vkGetMemoryZirconHandleFUCHSIA");
    must("vkGetMemoryZirconHandleFUCHSIA", block->device->get_handle(block->device->handle, &info, &handle));
    handle_check(handle);
    return handle;
}

zx_handle_t handle_duplicate(zx_handle_t handle) {
    zx_handle_t made;
    MUST(zx_handle_duplicate, handle, ZX_RIGHT_SAME_RIGHTS, &made);
    handle_check(made);
    return made;
}

void handle_close(zx_handle_t handle) {
    handle_check(handle);
    MUST(zx_handle_close, handle);
}

void handle_count(zx_handle_t handle) {
    zx_info_handle_count_t count;
    MUST(zx_object_get_info, handle, ZX_INFO_HANDLE_COUNT, &count, sizeof(count), NULL, NULL);
}

void handle_size(zx_handle_t handle) {
    uint64_t size;
    MUST(zx_vmo_get_size, handle, &size);
}

void handle_describe(zx_handle_t handle) {
    zx_info_vmo_t vmo;
    handle_check(handle);
    handle_size(handle);
    MUST(zx_object_get_info, handle, ZX_INFO_VMO_V4, &vmo, ZX_INFO_VMO_SIZE_V4, NULL, NULL);
    handle_count(handle);
}

uint32_t handle_types(const struct device *device, zx_handle_t handle, int times) {
    VkMemoryZirconHandlePropertiesFUCHSIA found = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
    };
    for (int i = 0; i < times; i++) {
        note("vkGetMemoryZirconHandlePropertiesFUCHSIA");
        must("vkGetMemoryZirconHandlePropertiesFUCHSIA",
             device->get_handle_properties(device->handle, ZIRCON_VMO, handle, &found));
        handle_check(handle);
    }
    return found.memoryTypeBits;
}

void handle_write(zx_handle_t handle, uint64_t size) {
    uint8_t bytes[BUFFER_SIZE];
    memset(bytes, ++last_byte, sizeof(bytes));
    MUST(zx_vmo_write, handle, bytes, 0, size < sizeof(bytes) ? size : sizeof(bytes));
}

void handle_compare(zx_handle_t handle, uint64_t size) {
    uint8_t bytes[BUFFER_SIZE];
    const uint64_t part = size < sizeof(bytes) ? size : sizeof(bytes);
    MUST(zx_vmo_read, handle, bytes, 0, part);
    compare(bytes, part);
}

void handle_compare_mapped(zx_handle_t handle, uint64_t size) {
    zx_vaddr_t address;
    MUST(zx_vmar_map, zx_vmar_root_self(), ZX_VM_PERM_READ, 0, handle, 0, size, &address);
    compare((const void *)address, size);
    MUST(zx_vmar_unmap, zx_vmar_root_self(), address, size);
}

static const VkImageSubresourceRange whole_image = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};

static void barrier(VkCommandBuffer commands, VkImage image, VkImageLayout layout) {
    const VkAccessFlags access = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    const VkMemoryBarrier memory_barrier = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, access,
                                            access | VK_ACCESS_HOST_READ_BIT};
    const VkImageMemoryBarrier image_barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = access,
        .dstAccessMask = access,
        .oldLayout = layout,
        .newLayout = VK_IMAGE_LAYOUT_GENERAL,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = whole_image,
    };
    CALL(vkCmdPipelineBarrier, commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
         VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &memory_barrier, 0, NULL, image ? 1 : 0,
         &image_barrier);
}

static void record(VkCommandBuffer commands, enum work work, const struct block *shared, VkBuffer other) {
    const VkBufferCopy region = {.size = BUFFER_SIZE};
    const VkClearColorValue black = {.uint32 = {0}};
    const VkBufferImageCopy image_region = {
        .imageSubresource = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .layerCount = 1},
        .imageExtent = {IMAGE_WIDTH, IMAGE_WIDTH, 1},
    };
    if (work == FILL)
        CALL(vkCmdFillBuffer, commands, shared->buffer, 0, VK_WHOLE_SIZE, ++last_byte * 0x01010101u);
    else if (work == COPY_FROM)
        CALL(vkCmdCopyBuffer, commands, other, shared->buffer, 1, &region);
    else if (work == CLEAR)
        CALL(vkCmdClearColorImage, commands, shared->image, VK_IMAGE_LAYOUT_GENERAL, &black, 1, &whole_image);
    else
        CALL(vkCmdCopyImageToBuffer, commands, shared->image, VK_IMAGE_LAYOUT_GENERAL, other, 1, &image_region);
    if (work == CLEAR)
        last_byte = 0;
}

VkDevice queue_owner;

static void execute(const struct device *device, VkCommandBuffer commands) {
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
    static VkQueue queue;
    VkFence fence;
    if (queue_owner != device->handle)
        CALL(vkGetDeviceQueue, device->handle, 0, 0, &queue);
    queue_owner = device->handle;
    MUST(vkCreateFence, device->handle, &fence_info, NULL, &fence);
    MUST(vkQueueSubmit, queue, 1, &info, fence);
    MUST(vkWaitForFences, device->handle, 1, &fence, VK_TRUE, FENCE_TIMEOUT_NS);
    CALL(vkDestroyFence, device->handle, fence, NULL);
}

void submit(enum work work, const struct block *shared, VkBuffer other) {
    const struct device *device = shared->device;
    const VkImageLayout layout = work == CLEAR ? VK_IMAGE_LAYOUT_UNDEFINED : VK_IMAGE_LAYOUT_GENERAL;
    const VkCommandBufferBeginInfo begin_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandBufferCount = 1};
    VkCommandBuffer commands;
    MUST(vkCreateCommandPool, device->handle, &pool_info, NULL, &info.commandPool);
    MUST(vkAllocateCommandBuffers, device->handle, &info, &commands);
    MUST(vkBeginCommandBuffer, commands, &begin_info);
    barrier(commands, shared->image, layout);
    record(commands, work, shared, other);
    barrier(commands, shared->image, VK_IMAGE_LAYOUT_GENERAL);
    barrier(commands, shared->image, VK_IMAGE_LAYOUT_GENERAL); // the probe: one for the owner, one for the host
    MUST(vkEndCommandBuffer, commands);
    execute(device, commands);
    CALL(vkDestroyCommandPool, device->handle, info.commandPool, NULL);
}
