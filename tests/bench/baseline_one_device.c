// SPDX-License-Identifier: Apache-2.0
//
// The order in which one device is asked, from its extensions to its closing.
#include "baseline.h"

// Makes the shape of the first image that may be exported; where there is none, its form is missing.
static void ask_image_shape(struct scene *scene, const struct offer *offer) {
    for (uint32_t i = 0; i < NUM_TILINGS * NUM_COLORS; i++) {
        const VkExternalMemoryProperties *found = &offer->images[i / NUM_COLORS][i % NUM_COLORS];
        const struct image_spec spec = {colors[i % NUM_COLORS].format, tilings[i / NUM_COLORS]};
        if (!(found->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT))
            continue;
        const struct resource image = image_create(&scene->here.device, &spec);
        resource_destroy(&scene->here.device, &image);
        scene->shapes[DEDICATED_IMAGE] = (struct shape){.form = DEDICATED_IMAGE, .image = spec, .needs = image.needs};
        scene->exports_again[DEDICATED_IMAGE] = found->exportFromImportedHandleTypes & ZIRCON_VMO;
        scene->num_shapes = NUM_FORMS;
        return;
    }
}

static void ask_shapes(struct scene *scene, const struct offer *offer) {
    const struct resource buffer = buffer_create(&scene->here.device, SIZE, true);
    resource_destroy(&scene->here.device, &buffer);
    for (enum form form = PLAIN; form <= DEDICATED_BUFFER; form++) {
        scene->shapes[form] = (struct shape){.form = form, .size = SIZE, .needs = buffer.needs};
        scene->exports_again[form] = offer->buffers.exportFromImportedHandleTypes & ZIRCON_VMO;
    }
    scene->num_shapes = DEDICATED_IMAGE;
    ask_image_shape(scene, offer);
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

// False: the driver does not export such memory.
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
    for (uint32_t tiling = 0; tiling < NUM_TILINGS; tiling++) {
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
    ask_offer(instance, scene.physical, &offer);
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
