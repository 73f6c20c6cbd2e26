// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

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
    const struct host_buffer buffer = host_buffer_create(&scene->here.device, size, host_visible_types(scene));
    read_image(&scene->here.device, image->image, buffer.resource.buffer);
    memory_compare(&scene->here.device, &buffer.memory, &pixels);
    host_buffer_free(&scene->here.device, &buffer);
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
