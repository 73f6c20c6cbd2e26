// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD     251u
#define CHUNK_SIZE ((size_t)1 << 20)

struct pattern pattern_of(const void *period, size_t period_size, size_t size) {
    const size_t periods = (size < CHUNK_SIZE ? size : CHUNK_SIZE) / period_size + 1;
    struct pattern pattern = {.chunk_size = periods * period_size, .size = size};
    pattern.chunk = malloc(pattern.chunk_size);
    if (!pattern.chunk)
        stop("There is no memory for a pattern of %zu bytes.", size);
    for (size_t i = 0; i < periods; i++)
        memcpy(pattern.chunk + i * period_size, period, period_size);
    return pattern;
}

struct pattern pattern_new(size_t size) {
    static unsigned seed;
    uint8_t period[PERIOD];
    seed++;
    for (unsigned i = 0; i < PERIOD; i++)
        period[i] = (uint8_t)(1 + (seed + i) % 255);
    return pattern_of(period, PERIOD, size);
}

void pattern_free(const struct pattern *pattern) {
    free(pattern->chunk);
}

size_t pattern_part(const struct pattern *pattern, size_t at) {
    const size_t left = pattern->size - at;
    return left < pattern->chunk_size ? left : pattern->chunk_size;
}

void pattern_put(const struct pattern *pattern, void *bytes) {
    for (size_t at = 0; at < pattern->size; at += pattern->chunk_size)
        memcpy((uint8_t *)bytes + at, pattern->chunk, pattern_part(pattern, at));
}

void pattern_compare(const struct pattern *pattern, const void *bytes) {
    for (size_t at = 0; at < pattern->size; at += pattern->chunk_size) {
        if (memcmp((const uint8_t *)bytes + at, pattern->chunk, pattern_part(pattern, at)) != 0)
            stop("The %zu bytes that were read are not those that were written.", pattern->size);
    }
}

static struct resource needs_of_buffer(const struct device *device, VkBuffer buffer) {
    VkMemoryDedicatedRequirements dedicated = {.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS};
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2, .pNext = &dedicated};
    const VkBufferMemoryRequirementsInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2,
        .buffer = buffer,
    };
    CALL(device, vkGetBufferMemoryRequirements2, device->handle, &info, &needs);
    return (struct resource){.buffer = buffer, .needs = needs.memoryRequirements};
}

struct resource buffer_create(const struct device *device, VkDeviceSize size, bool external) {
    const VkExternalMemoryBufferCreateInfo handles = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = ZIRCON_VMO,
    };
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = external ? &handles : NULL,
        .size = size,
        .usage = TRANSFER,
    };
    VkBuffer buffer;
    MUST(device, vkCreateBuffer, device->handle, &info, NULL, &buffer);
    return needs_of_buffer(device, buffer);
}

static struct resource needs_of_image(const struct device *device, VkImage image) {
    VkMemoryDedicatedRequirements dedicated = {.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS};
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2, .pNext = &dedicated};
    const VkImageMemoryRequirementsInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2,
        .image = image,
    };
    CALL(device, vkGetImageMemoryRequirements2, device->handle, &info, &needs);
    return (struct resource){.image = image, .needs = needs.memoryRequirements};
}

struct resource image_create(const struct device *device, const struct image_spec *spec) {
    const VkExternalMemoryImageCreateInfo handles = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .handleTypes = ZIRCON_VMO,
    };
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = &handles,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = spec->format,
        .extent = {IMAGE_WIDTH, IMAGE_WIDTH, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = spec->tiling,
        .usage = TRANSFER,
    };
    VkImage image;
    MUST(device, vkCreateImage, device->handle, &info, NULL, &image);
    return needs_of_image(device, image);
}

struct resource shape_create(const struct device *device, const struct shape *shape) {
    return shape->form == DEDICATED_IMAGE ? image_create(device, &shape->image)
                                          : buffer_create(device, shape->size, true);
}

void resource_destroy(const struct device *device, const struct resource *resource) {
    if (resource->image)
        CALL(device, vkDestroyImage, device->handle, resource->image, NULL);
    else
        CALL(device, vkDestroyBuffer, device->handle, resource->buffer, NULL);
}

void resource_bind(const struct device *device, const struct resource *resource, const struct memory *memory,
                   VkDeviceSize offset) {
    if (resource->image)
        MUST(device, vkBindImageMemory, device->handle, resource->image, memory->handle, offset);
    else
        MUST(device, vkBindBufferMemory, device->handle, resource->buffer, memory->handle, offset);
}

static VkResult allocate(const struct device *device, const void *next, struct memory *memory) {
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = next,
        .allocationSize = memory->size,
        .memoryTypeIndex = memory->type,
    };
    return CALL(device, vkAllocateMemory, device->handle, &info, NULL, &memory->handle);
}

static VkMemoryDedicatedAllocateInfo dedicated_to(const struct resource *resource) {
    return (VkMemoryDedicatedAllocateInfo){
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .image = resource->image,
        .buffer = resource->buffer,
    };
}

bool memory_export(const struct device *device, const struct shape *shape, uint32_t type,
                   const struct resource *resource, struct memory *memory) {
    const VkMemoryDedicatedAllocateInfo dedicated = dedicated_to(resource);
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = shape->form == PLAIN ? NULL : &dedicated,
        .handleTypes = ZIRCON_VMO,
    };
    *memory = (struct memory){.size = shape->needs.size + shape->room, .type = type};
    return allocate(device, &export, memory) == VK_SUCCESS;
}

struct memory memory_import(const struct device *device, const struct shape *shape, zx_handle_t handle,
                            const struct memory *like, const struct resource *resource, bool export) {
    const VkMemoryDedicatedAllocateInfo dedicated = dedicated_to(resource);
    const void *chained = shape->form == PLAIN ? NULL : &dedicated;
    const VkExportMemoryAllocateInfo exportable = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = chained,
        .handleTypes = ZIRCON_VMO,
    };
    const VkImportMemoryZirconHandleInfoFUCHSIA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
        .pNext = export ? &exportable : chained,
        .handleType = ZIRCON_VMO,
        .handle = handle,
    };
    struct memory memory = {.size = like->size, .type = like->type};
    must("vkAllocateMemory", allocate(device, &import, &memory));
    return memory;
}

static struct memory memory_ordinary(const struct device *device, VkDeviceSize size, uint32_t type) {
    struct memory memory = {.size = size, .type = type};
    must("vkAllocateMemory", allocate(device, NULL, &memory));
    return memory;
}

void memory_free(const struct device *device, const struct memory *memory) {
    CALL(device, vkFreeMemory, device->handle, memory->handle, NULL);
}

static VkMappedMemoryRange whole_range(const struct memory *memory) {
    return (VkMappedMemoryRange){
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = memory->handle,
        .size = VK_WHOLE_SIZE,
    };
}

void *memory_map(const struct device *device, const struct memory *memory) {
    const VkMappedMemoryRange range = whole_range(memory);
    void *bytes;
    MUST(device, vkMapMemory, device->handle, memory->handle, 0, memory->size, 0, &bytes);
    MUST(device, vkInvalidateMappedMemoryRanges, device->handle, 1, &range);
    return bytes;
}

void memory_unmap(const struct device *device, const struct memory *memory) {
    const VkMappedMemoryRange range = whole_range(memory);
    MUST(device, vkFlushMappedMemoryRanges, device->handle, 1, &range);
    CALL(device, vkUnmapMemory, device->handle, memory->handle);
}

void memory_put(const struct device *device, const struct memory *memory, const struct pattern *pattern) {
    pattern_put(pattern, memory_map(device, memory));
    memory_unmap(device, memory);
}

void memory_compare(const struct device *device, const struct memory *memory, const struct pattern *pattern) {
    struct pattern seen = *pattern;
    if (seen.size > memory->size) // what was written through a larger import
        seen.size = memory->size;
    pattern_compare(&seen, memory_map(device, memory));
    memory_unmap(device, memory);
}

struct host_buffer host_buffer_create(const struct device *device, VkDeviceSize size, uint32_t host_visible) {
    struct host_buffer made = {.resource = buffer_create(device, size, false)};
    const uint32_t bits = made.resource.needs.memoryTypeBits & host_visible;
    if (!bits)
        stop("No memory type that the host can map takes a buffer.");
    made.memory = memory_ordinary(device, made.resource.needs.size, first_type(bits));
    resource_bind(device, &made.resource, &made.memory, 0);
    return made;
}

void host_buffer_free(const struct device *device, const struct host_buffer *buffer) {
    memory_free(device, &buffer->memory);
    resource_destroy(device, &buffer->resource);
}
