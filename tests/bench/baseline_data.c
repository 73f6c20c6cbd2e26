// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <string.h>

enum writer { HOST_MAP, IMPORT_MAP, GPU_FILL, GPU_COPY, NUM_WRITERS };

// An ordinary buffer that the host can map.
struct host_buffer {
    struct resource resource;
    struct memory memory;
};

static struct host_buffer host_buffer_create(const struct scene *scene, VkDeviceSize size) {
    const struct device *device = &scene->here.device;
    struct host_buffer made = {.resource = buffer_create(device, size, false)};
    const uint32_t bits = made.resource.needs.memoryTypeBits & host_visible_types(scene);
    if (!bits)
        stop("No memory type that the host can map takes a buffer.");
    made.memory = memory_ordinary(device, made.resource.needs.size, first_type(bits));
    resource_bind(device, &made.resource, &made.memory, 0);
    return made;
}

static void host_buffer_free(const struct scene *scene, const struct host_buffer *buffer) {
    memory_free(&scene->here.device, &buffer->memory);
    resource_destroy(&scene->here.device, &buffer->resource);
}

static struct pattern fill(const struct shared *shared) {
    const uint32_t word = 0x04030201;
    fill_buffer(shared->importer, shared->resource.buffer, word);
    return pattern_of(&word, sizeof(word), SIZE);
}

static void copy(const struct scene *scene, const struct shared *shared, const struct pattern *pattern) {
    const struct host_buffer buffer = host_buffer_create(scene, SIZE);
    memory_put(&scene->here.device, &buffer.memory, pattern);
    copy_buffer(&scene->here.device, buffer.resource.buffer, shared->resource.buffer, SIZE);
    host_buffer_free(scene, &buffer);
}

static struct pattern write(const struct scene *scene, const struct shared *shared, enum writer writer) {
    if (writer == GPU_FILL)
        return fill(shared);
    const struct pattern pattern = pattern_new(SIZE);
    if (writer == GPU_COPY)
        copy(scene, shared, &pattern);
    else
        memory_put(&scene->here.device, writer == HOST_MAP ? &shared->exported : &shared->imported, &pattern);
    return pattern;
}

static void make_coherent(const struct scene *scene, const struct shared *shared) {
    const VkMemoryType *type = &scene->here.memory.memoryTypes[shared->exported.type];
    if (!(type->propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT))
        MUST(&zircon, zx_vmo_op_range, shared->kept.value, ZX_VMO_OP_CACHE_CLEAN_INVALIDATE, 0, SIZE, NULL, 0);
}

static void read_every_way(const struct scene *scene, const struct shared *shared, const struct pattern *written) {
    memory_compare(shared->exporter, &shared->exported, written);
    memory_compare(shared->importer, &shared->imported, written);
    make_coherent(scene, shared);
    handle_compare(&shared->kept, written);
    make_coherent(scene, shared);
    handle_compare_map(&shared->kept, written);
}

void move_data(const struct scene *scene, enum form form, uint32_t type) {
    const struct device *device = &scene->here.device;
    for (enum writer writer = 0; writer < NUM_WRITERS; writer++) {
        const struct resource buffer = buffer_create(device, SIZE, true);
        const struct shape shape = {.form = form, .size = SIZE, .needs = buffer.needs};
        struct shared shared;
        resource_destroy(device, &buffer);
        share(scene, &scene->here, SAME_DEVICE, &shape, type, &shared);
        const struct pattern written = write(scene, &shared, writer);
        read_every_way(scene, &shared, &written);
        unshare(&shared);
        pattern_free(&written);
    }
}

// 51, 102, 153 and 204 of 255, exactly.
#define FIFTHS                                                                                                         \
    {                                                                                                                  \
        .float32 = { 0.2f, 0.4f, 0.6f, 0.8f }                                                                          \
    }

const struct color colors[NUM_COLORS] = {
    {VK_FORMAT_R8G8B8A8_UNORM, FIFTHS, 4, {51, 102, 153, 204}},
    {VK_FORMAT_B8G8R8A8_UNORM, FIFTHS, 4, {153, 102, 51, 204}},
    {VK_FORMAT_R8_UNORM, FIFTHS, 1, {51}},
    {VK_FORMAT_R32_UINT, {.uint32 = {0xC0FFEE5A}}, 4, {0x5A, 0xEE, 0xFF, 0xC0}},
    {VK_FORMAT_R32G32B32A32_SFLOAT,
     FIFTHS,
     16,
     {0xCD, 0xCC, 0x4C, 0x3E, 0xCD, 0xCC, 0xCC, 0x3E, 0x9A, 0x99, 0x19, 0x3F, 0xCD, 0xCC, 0x4C, 0x3F}},
};

static struct memory export_image(const struct scene *scene, const struct shape *shape, const struct resource *source) {
    struct memory memory;
    for (uint32_t type = 0; type < scene->here.memory.memoryTypeCount; type++) {
        const bool takes_it = source->needs.memoryTypeBits & 1u << type;
        if (takes_it && is_exportable(scene, type) && memory_export(&scene->here.device, shape, type, source, &memory))
            return memory;
    }
    stop("No memory type of the image's (0x%x) can be exported.", source->needs.memoryTypeBits);
}

static struct memory import_image(const struct scene *scene, const struct shape *shape, const struct handle *handle,
                                  const struct memory *exported, const struct resource *target) {
    const struct device *device = &scene->here.device;
    const uint32_t bits = handle_types(device, handle);
    const struct memory like = {
        .size = exported->size,
        .type = choose_type(bits, target->needs.memoryTypeBits, exported->type, &scene->here.memory),
    };
    const struct memory imported = memory_import(device, shape, handle->value, &like, target, false);
    resource_bind(device, target, &imported, 0);
    return imported;
}

static void read_pixels(const struct scene *scene, const struct resource *image, const struct color *color) {
    const size_t size = (size_t)IMAGE_WIDTH * IMAGE_WIDTH * color->pixel_size;
    const struct pattern pixels = pattern_of(color->pixel, color->pixel_size, size);
    const struct host_buffer buffer = host_buffer_create(scene, size);
    read_image(&scene->here.device, image->image, buffer.resource.buffer);
    memory_compare(&scene->here.device, &buffer.memory, &pixels);
    host_buffer_free(scene, &buffer);
    pattern_free(&pixels);
}

void clear_and_read(const struct scene *scene, const struct color *color, VkImageTiling tiling) {
    const struct device *device = &scene->here.device;
    struct shape shape = {.form = DEDICATED_IMAGE, .image = {color->format, tiling}};
    const struct resource source = image_create(device, &shape.image);
    shape.needs = source.needs;
    const struct memory exported = export_image(scene, &shape, &source);
    resource_bind(device, &source, &exported, 0);
    const struct handle handle = handle_export(device, &exported);
    const struct resource target = image_create(device, &shape.image);
    const struct memory imported = import_image(scene, &shape, &handle, &exported, &target);
    clear_image(device, source.image, &color->clear);
    read_pixels(scene, &target, color);
    memory_free(device, &imported);
    resource_destroy(device, &target);
    memory_free(device, &exported);
    resource_destroy(device, &source);
}
