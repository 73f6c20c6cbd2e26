// SPDX-License-Identifier: Apache-2.0
#ifndef VKZIRCON_DEVICE_H_
#define VKZIRCON_DEVICE_H_

#include <stdatomic.h>

#include "instance.h"

struct device {
    struct registry_entry entry;
    VkDevice handle;
    const struct physical_device *physical; // NULL unless the extension is enabled
    struct device_commands next;
    atomic_bool lost;      // set by faults only
    pthread_mutex_t mutex; // guards the registries
    struct registry memories;
    struct registry buffers; // external ones only, as in images
    struct registry images;
};

struct device *device_of(const void *device_or_queue);

static inline bool emulates(const struct device *device) {
    return device->physical != NULL;
}

// Drop the records of what the application did not free before it destroyed the device.
void device_forget_memories(struct device *device);
void device_forget_resources(struct device *device);

#endif
