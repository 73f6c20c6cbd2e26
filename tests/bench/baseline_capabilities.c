// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

static const uint32_t sentinels[] = {SENTINEL, ~SENTINEL};

static VkExternalMemoryProperties unwritten(uint32_t sentinel) {
    return (VkExternalMemoryProperties){sentinel, sentinel, sentinel};
}

void ask_external_buffer(const struct instance *instance, VkPhysicalDevice physical, VkBufferUsageFlags usage,
                         VkExternalMemoryProperties *found) {
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = usage,
        .handleType = ZIRCON_VMO,
    };
    for (uint32_t i = 0; i < COUNT_OF(sentinels); i++) {
        VkExternalBufferProperties properties = {
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES,
            .externalMemoryProperties = unwritten(sentinels[i]),
        };
        CALL(instance, vkGetPhysicalDeviceExternalBufferProperties, physical, &info, &properties);
        *found = properties.externalMemoryProperties;
    }
}

// Leaves `found` empty where the driver does not support such images.
static void ask_external_image(const struct instance *instance, VkPhysicalDevice physical,
                               const struct image_spec *spec, VkExternalMemoryProperties *found) {
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = ZIRCON_VMO,
    };
    const VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = spec->format,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = spec->tiling,
        .usage = TRANSFER,
    };
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < COUNT_OF(sentinels) && result == VK_SUCCESS; i++) {
        VkExternalImageFormatProperties properties = {
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
            .externalMemoryProperties = unwritten(sentinels[i]),
        };
        VkImageFormatProperties2 everything = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
            .pNext = &properties,
        };
        result = CALL(instance, vkGetPhysicalDeviceImageFormatProperties2, physical, &info, &everything);
        *found = result == VK_SUCCESS ? properties.externalMemoryProperties : unwritten(0);
    }
}

static const VkImageTiling tilings[] = {VK_IMAGE_TILING_OPTIMAL, VK_IMAGE_TILING_LINEAR};

// What the device says of its buffers and images.
struct offer {
    VkExternalMemoryProperties buffers;
    VkExternalMemoryProperties images[COUNT_OF(tilings)][NUM_COLORS];
};

static void ask_offer(const struct scene *scene, struct offer *offer) {
    VkExternalMemoryProperties ignored;
    ask_external_buffer(scene->instance, scene->physical, TRANSFER, &offer->buffers);
    for (VkBufferUsageFlags usage = 1; usage <= VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT; usage <<= 1)
        ask_external_buffer(scene->instance, scene->physical, usage, &ignored);
    for (uint32_t tiling = 0; tiling < COUNT_OF(tilings); tiling++) {
        for (uint32_t color = 0; color < NUM_COLORS; color++) {
            const struct image_spec spec = {colors[color].format, tilings[tiling]};
            ask_external_image(scene->instance, scene->physical, &spec, &offer->images[tiling][color]);
        }
    }
}

// Makes the shape of each form: what buffer, and the first image that may be exported, need.
static void ask_shapes(struct scene *scene, const struct offer *offer) {
    const struct device *device = &scene->here.device;
    const struct resource buffer = buffer_create(device, SIZE, true);
    resource_destroy(device, &buffer);
    for (enum form form = PLAIN; form <= DEDICATED_BUFFER; form++) {
        scene->shapes[form] = (struct shape){.form = form, .size = SIZE, .needs = buffer.needs};
        scene->exports_again[form] = offer->buffers.exportFromImportedHandleTypes & ZIRCON_VMO;
    }
    scene->num_shapes = DEDICATED_IMAGE;
    for (uint32_t i = 0; i < COUNT_OF(tilings) * NUM_COLORS && scene->num_shapes < NUM_FORMS; i++) {
        const VkExternalMemoryProperties *found = &offer->images[i / NUM_COLORS][i % NUM_COLORS];
        const struct image_spec spec = {colors[i % NUM_COLORS].format, tilings[i / NUM_COLORS]};
        if (!(found->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT))
            continue;
        const struct resource image = image_create(device, &spec);
        resource_destroy(device, &image);
        scene->shapes[DEDICATED_IMAGE] = (struct shape){.form = DEDICATED_IMAGE, .image = spec, .needs = image.needs};
        scene->exports_again[DEDICATED_IMAGE] = found->exportFromImportedHandleTypes & ZIRCON_VMO;
        scene->num_shapes = NUM_FORMS;
    }
}

uint32_t host_visible_types(const struct scene *scene) {
    uint32_t bits = 0;
    for (uint32_t type = 0; type < scene->here.memory.memoryTypeCount; type++) {
        if (scene->here.memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            bits |= 1u << type;
    }
    return bits;
}

bool is_exportable(const struct scene *scene, uint32_t type) {
    return !(scene->here.memory.memoryTypes[type].propertyFlags &
             (VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD));
}

static bool export_once(const struct scene *scene, const struct shape *shape, uint32_t type) {
    const struct device *device = &scene->here.device;
    if (shape->form != PLAIN && !(shape->needs.memoryTypeBits & 1u << type))
        return false;
    const struct resource resource = shape_create(device, shape);
    struct memory memory;
    const bool is_exported = memory_export(device, shape, type, &resource, &memory);
    if (is_exported) {
        const struct handle handle = handle_export(device, &memory);
        handle_describe(&handle);
        handle_close(&handle);
        memory_free(device, &memory);
    }
    resource_destroy(device, &resource);
    return is_exported;
}

static void check_type(struct scene *scene, uint32_t type, bool is_dedicated_only) {
    uint32_t exported[NUM_FORMS], count = 0;
    for (uint32_t form = is_dedicated_only ? DEDICATED_BUFFER : PLAIN; form < scene->num_shapes; form++) {
        if (export_once(scene, &scene->shapes[form], type))
            exported[count++] = form;
    }
    if (count == 0)
        return;
    look_into_exports(scene, &scene->shapes[exported[0]], type);
    count_releases(scene, &scene->shapes[exported[0]], type);
    for (uint32_t i = 0; i < count; i++)
        import_every_way(scene, &scene->shapes[exported[i]], type);
    if (exported[0] != DEDICATED_IMAGE)
        move_data(scene, exported[0], type);
}

static void check_images(const struct scene *scene, const struct offer *offer) {
    const VkExternalMemoryFeatureFlags both =
        VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    for (uint32_t tiling = 0; tiling < COUNT_OF(tilings); tiling++) {
        for (uint32_t color = 0; color < NUM_COLORS; color++) {
            if ((offer->images[tiling][color].externalMemoryFeatures & both) == both)
                clear_and_read(scene, &colors[color], tilings[tiling]);
        }
    }
}

void check_device(const struct instance *instance, uint32_t index, const VkPhysicalDeviceIDProperties *ids) {
    struct scene scene = {.instance = instance, .index = index, .physical = instance->devices[index], .ids = *ids};
    struct offer offer;
    const bool is_offered = ask_extensions(instance, scene.physical, VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME);
    CALL(instance, vkGetPhysicalDeviceMemoryProperties, scene.physical, &scene.here.memory);
    if (!is_offered)
        return;
    ask_offer(&scene, &offer);
    device_open(instance, scene.physical, ask_queue_family(instance, scene.physical), &scene.here.device);
    ask_shapes(&scene, &offer);
    for (uint32_t type = 0; type < scene.here.memory.memoryTypeCount; type++) {
        if (is_exportable(&scene, type))
            check_type(&scene, type,
                       offer.buffers.externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT);
    }
    check_images(&scene, &offer);
    close_places(&scene);
}
