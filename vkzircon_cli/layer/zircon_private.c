// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: what the layer and vkzircon tell each other beside the handle table.
#include "zircon_objects.h"

#include <stdlib.h>
#include <string.h>

// Newest first. Nothing is ever freed: callers keep the text.
struct note {
    struct note *next;
    uint8_t uuid[VKZ_UUID_SIZE];
    char reason[];
};

static struct note *notes;

const char *vkz_version(void) {
    return VKZIRCON_VERSION;
}

static const struct note *find_note_locked(const uint8_t uuid[VKZ_UUID_SIZE]) {
    for (const struct note *note = notes; note; note = note->next) {
        if (memcmp(note->uuid, uuid, VKZ_UUID_SIZE) == 0)
            return note;
    }
    return NULL;
}

void vkz_device_set_reason(const uint8_t uuid[VKZ_UUID_SIZE], const char *reason) {
    table_lock();
    const struct note *known = find_note_locked(uuid);
    struct note *note = NULL;
    if (!known || strcmp(known->reason, reason) != 0) // so that asking again and again takes no memory
        note = malloc(sizeof *note + strlen(reason) + 1);
    if (note) {
        memcpy(note->uuid, uuid, VKZ_UUID_SIZE);
        strcpy(note->reason, reason);
        note->next = notes;
        notes = note;
    }
    table_unlock();
}

const char *vkz_device_reason(const uint8_t uuid[VKZ_UUID_SIZE]) {
    table_lock();
    const struct note *note = find_note_locked(uuid);
    table_unlock();
    return note ? note->reason : NULL;
}
