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
    atomic_bool lost;         // set by faults only
    pthread_mutex_t mutex;    // guards the registries
    struct registry memories; // external ones only, as in the others
    struct registry buffers;
    struct registry images;
    _Atomic(uint32_t) num_external; // in all three
};

struct device *device_of(const void *device_or_queue);

static inline bool emulates(const struct device *device) {
    return device->physical != NULL;
}

// Whether nothing is in the registries. No lock is needed then: an object that another thread creates reaches this
// thread only through synchronization, after which it is counted.
static inline bool has_nothing_external(const struct device *device) {
    return atomic_load(&device->num_external) == 0;
}

void device_add(struct device *device, struct registry *registry, struct registry_entry *entry, uint64_t handle);

// Removes and returns the record, or NULL.
void *device_take(struct device *device, struct registry *registry, uint64_t handle);

// Drop the records of what the application did not free before it destroyed the device.
void device_forget_memories(struct device *device);
void device_forget_resources(struct device *device);

#endif
