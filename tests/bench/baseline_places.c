// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <string.h>

static void open_place(const struct instance *instance, VkPhysicalDevice physical, struct place *place) {
    device_open(instance, physical, ask_queue_family(instance, physical), &place->device);
    CALL(instance, vkGetPhysicalDeviceMemoryProperties, physical, &place->memory);
    place->is_open = true;
}

static void open_second_device(struct scene *scene) {
    struct place *place = &scene->second_device;
    device_open(scene->instance, scene->physical, scene->here.device.queue_family, &place->device);
    place->memory = scene->here.memory;
    place->is_open = true;
}

static const struct instance *another_instance(struct scene *scene) {
    if (!scene->another_instance.handle)
        instance_open(&scene->another_instance);
    return &scene->another_instance;
}

// Finds the device by its UUIDs, at its old index if two have the same.
static void open_second_instance(struct scene *scene) {
    const struct instance *instance = another_instance(scene);
    VkPhysicalDevice found = VK_NULL_HANDLE;
    for (uint32_t i = 0; i < instance->num_devices; i++) {
        VkPhysicalDeviceIDProperties ids;
        ask_identity(instance, instance->devices[i], &ids);
        const bool is_same = memcmp(ids.deviceUUID, scene->ids.deviceUUID, VK_UUID_SIZE) == 0 &&
                             memcmp(ids.driverUUID, scene->ids.driverUUID, VK_UUID_SIZE) == 0;
        if (is_same && (!found || i == scene->index))
            found = instance->devices[i];
    }
    if (!found)
        stop("A second instance does not list the device again.");
    open_place(instance, found, &scene->second_instance);
}

static void open_other_device(struct scene *scene) {
    const struct instance *instance = another_instance(scene);
    for (uint32_t i = 0; i < instance->num_devices; i++) {
        const bool is_offered =
            ask_extensions(instance, instance->devices[i], VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME);
        if (is_offered && i != scene->index) {
            open_place(instance, instance->devices[i], &scene->other_device);
            return;
        }
    }
}

static const struct place *opened_once(struct scene *scene, struct place *place, void (*open)(struct scene *)) {
    if (!place->is_asked)
        open(scene);
    place->is_asked = true;
    return place->is_open ? place : NULL;
}

const struct place *find_place(struct scene *scene, enum import_kind kind) {
    switch (kind) {
    case SECOND_DEVICE:
        return opened_once(scene, &scene->second_device, open_second_device);
    case SECOND_INSTANCE:
        return opened_once(scene, &scene->second_instance, open_second_instance);
    case OTHER_DEVICE:
        return opened_once(scene, &scene->other_device, open_other_device);
    default:
        return &scene->here;
    }
}

void close_places(struct scene *scene) {
    if (scene->other_device.is_open)
        device_close(&scene->other_device.device);
    if (scene->second_instance.is_open)
        device_close(&scene->second_instance.device);
    if (scene->another_instance.handle)
        instance_close(&scene->another_instance);
    if (scene->second_device.is_open)
        device_close(&scene->second_device.device);
    device_close(&scene->here.device);
}
