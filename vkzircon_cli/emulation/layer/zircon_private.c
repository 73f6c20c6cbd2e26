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

static zx_status_t find_vmo_locked(zx_handle_t handle, struct vmo **vmo) {
    struct object *object;
    const zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_VMO, ZX_RIGHT_NONE, &object, NULL);
    if (status == ZX_OK)
        *vmo = (struct vmo *)object;
    return status;
}

zx_status_t vkz_vmo_set_origin(zx_handle_t handle, const struct vkz_origin *origin) {
    struct vmo *vmo;
    table_lock();
    const zx_status_t status = find_vmo_locked(handle, &vmo);
    if (status == ZX_OK)
        vmo->origin = *origin;
    table_unlock();
    return status;
}

zx_status_t vkz_vmo_get_origin(zx_handle_t handle, struct vkz_origin *origin) {
    struct vmo *vmo;
    table_lock();
    const zx_status_t status = find_vmo_locked(handle, &vmo);
    if (status == ZX_OK)
        *origin = vmo->origin;
    table_unlock();
    return status;
}

zx_status_t vkz_vmo_set_size(zx_handle_t handle, uint64_t size) {
    struct vmo *vmo;
    table_lock();
    const zx_status_t status = find_vmo_locked(handle, &vmo);
    if (status == ZX_OK)
        vmo->size = size;
    table_unlock();
    return status;
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
