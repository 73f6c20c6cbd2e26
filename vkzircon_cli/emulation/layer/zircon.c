// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: the handle table, the lifetime of objects, the calls on handles, and notes about devices.
#include "zircon_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Set in every handle value, so that a small number such as a file descriptor is never a valid handle.
#define HANDLE_TAG ((zx_handle_t)0x40000000)
#define MAX_SLOTS  ((uint32_t)1 << 24)
#define NO_SLOT    UINT32_MAX

struct slot {
    struct object *object; // NULL if the slot is free
    zx_rights_t rights;
    uint32_t next_free;
    uint64_t generation; // counts the handles that were closed in this slot
};

static struct {
    pthread_mutex_t mutex;
    struct slot *slots;
    uint32_t num_slots;
    uint32_t first_free; // the last one freed, so that a stale value soon names another object, as it can on Zircon
    zx_koid_t next_koid; // koids are never reused
    zx_handle_t process_self;
    zx_handle_t vmar_root_self;
    struct registry objects;
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER, .first_free = NO_SLOT, .next_koid = ZX_KOID_FIRST};

void table_lock(void) {
    pthread_mutex_lock(&table.mutex);
}

void table_unlock(void) {
    pthread_mutex_unlock(&table.mutex);
}

// Koids must be unique among all processes that exchange objects. Only a process without startup handles starts at
// ZX_KOID_FIRST.
static zx_koid_t first_own_koid(void) {
    return ZX_KOID_FIRST + ((zx_koid_t)getpid() << 24);
}

// The parent's threads sleep in the parent only.
static bool forget_sleepers(const struct registry_entry *entry, uint64_t unused) {
    (void)unused;
    ((struct object *)(uintptr_t)entry)->sleepers = NULL;
    return false;
}

// A process on Zircon starts without its parent's handles, so a forked child gets an empty table. Its mutex is free,
// even if another thread of the parent held it. Mapped pages stay mapped.
static void fork_child(void) {
    registry_find_if(&table.objects, forget_sleepers, 0);
    for (uint32_t i = 0; i < table.num_slots; i++) {
        struct object *object = table.slots[i].object;
        if (object && --object->handle_count == 0)
            object_unref_locked(object);
    }
    free(table.slots);
    table.slots = NULL;
    table.num_slots = 0;
    table.first_free = NO_SLOT;
    table.process_self = table.vmar_root_self = ZX_HANDLE_INVALID;
    table.next_koid = first_own_koid();
    faults_forget();
    startup_forget_locked();
    table_unlock();
}

__attribute__((constructor)) static void library_init(void) {
    if (startup_is_given())
        table.next_koid = first_own_koid();
    pthread_atfork(table_lock, table_unlock, fork_child);
}

void object_init_locked(struct object *object, zx_obj_type_t type, zx_signals_t signals, zx_koid_t koid) {
    memset(object, 0, sizeof *object);
    object->type = type;
    object->koid = koid != ZX_KOID_INVALID ? koid : table.next_koid++;
    object->signals = signals;
    registry_add(&table.objects, &object->entry, object->koid);
}

struct object *object_find_locked(zx_koid_t koid) {
    return (struct object *)registry_find(&table.objects, koid);
}

void object_ref_locked(struct object *object) {
    object->references++;
}

static void object_destroy_locked(struct object *object) {
    registry_remove(&table.objects, &object->entry); // another process may send a VMO with any koid
    if (object->type == ZX_OBJ_TYPE_VMO)
        vmo_destroy_locked((struct vmo *)object);
    if (object->type == ZX_OBJ_TYPE_CHANNEL)
        channel_destroy_locked((struct channel *)object);
    free(object);
}

void object_unref_locked(struct object *object) {
    if (--object->references == 0)
        object_destroy_locked(object);
}

static bool grow_locked(void) {
    const uint32_t old = table.num_slots;
    const uint32_t new = old ? old * 2 : 64;
    if (new > MAX_SLOTS)
        return false;
    struct slot *slots = realloc(table.slots, new * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = new; i-- > old;) {
        slots[i] = (struct slot){.next_free = table.first_free};
        table.first_free = i;
    }
    table.slots = slots;
    table.num_slots = new;
    return true;
}

static zx_handle_t slot_value(uint32_t index) {
    return HANDLE_TAG | index << 2 | ZX_HANDLE_FIXED_BITS_MASK;
}

static struct slot *slot_locked(zx_handle_t handle) {
    const uint32_t index = (handle & ~HANDLE_TAG) >> 2;
    if (index >= table.num_slots || slot_value(index) != handle || !table.slots[index].object)
        return NULL;
    return &table.slots[index];
}

zx_status_t handle_open_locked(struct object *object, zx_rights_t rights, zx_handle_t *out) {
    if (table.first_free == NO_SLOT && !grow_locked()) {
        if (object->references == 0)
            object_destroy_locked(object);
        return ZX_ERR_NO_MEMORY;
    }
    const uint32_t index = table.first_free;
    struct slot *slot = &table.slots[index];
    table.first_free = slot->next_free;
    slot->object = object;
    slot->rights = rights;
    // All handles of an object share one reference.
    if (object->handle_count++ == 0)
        object_ref_locked(object);
    *out = slot_value(index);
    return ZX_OK;
}

static void slot_close_locked(struct slot *slot) {
    struct object *object = slot->object;
    slot->object = NULL;
    slot->generation++;
    slot->next_free = table.first_free;
    table.first_free = (uint32_t)(slot - table.slots);
    signals_changed_locked(object, 0, 0); // cancels waits on this handle
    if (--object->handle_count == 0)
        object_unref_locked(object);
}

// ZX_POL_BAD_HANDLE with ZX_POL_ACTION_KILL (docs/reference/syscalls/job_set_policy.md).
static zx_status_t bad_handle(zx_handle_t handle) {
    if (vkz_fault(VKZ_FAULT_BAD_HANDLE_KILLS)) {
        fprintf(stderr, "ZX_POL_BAD_HANDLE: killed for using handle 0x%08x\n", handle);
        abort();
    }
    return ZX_ERR_BAD_HANDLE;
}

zx_status_t handle_lookup_locked(zx_handle_t handle, zx_obj_type_t type, zx_rights_t needed, struct object **object,
                                 zx_rights_t *rights) {
    const struct slot *slot = slot_locked(handle);
    if (!slot)
        return bad_handle(handle);
    if (type != ZX_OBJ_TYPE_NONE && slot->object->type != type)
        return ZX_ERR_WRONG_TYPE;
    if ((slot->rights & needed) != needed)
        return ZX_ERR_ACCESS_DENIED;
    *object = slot->object;
    if (rights)
        *rights = slot->rights;
    return ZX_OK;
}

uint64_t handle_generation_locked(zx_handle_t handle) {
    const struct slot *slot = slot_locked(handle);
    return slot ? slot->generation + 1 : 0;
}

void handle_statistics_locked(zx_info_process_handle_stats_t *statistics) {
    memset(statistics, 0, sizeof *statistics);
    for (uint32_t i = 0; i < table.num_slots; i++) {
        if (table.slots[i].object)
            statistics->handle_count[table.slots[i].object->type]++;
    }
}

static zx_status_t close_locked(zx_handle_t handle) {
    if (handle == ZX_HANDLE_INVALID)
        return ZX_OK;
    struct slot *slot = slot_locked(handle);
    if (!slot)
        return bad_handle(handle);
    slot_close_locked(slot);
    return ZX_OK;
}

void handle_discard_locked(zx_handle_t handle) {
    struct slot *slot = slot_locked(handle);
    if (slot)
        slot_close_locked(slot);
}

zx_status_t zx_handle_close(zx_handle_t handle) {
    table_lock();
    const zx_status_t status = close_locked(handle);
    table_unlock();
    return status;
}

zx_status_t zx_handle_close_many(const zx_handle_t *handles, size_t num_handles) {
    zx_status_t status = ZX_OK;
    if (num_handles && !handles)
        return ZX_ERR_INVALID_ARGS;
    table_lock();
    for (size_t i = 0; i < num_handles; i++) { // a bad handle does not keep the others open
        if (close_locked(handles[i]) != ZX_OK)
            status = ZX_ERR_BAD_HANDLE;
    }
    table_unlock();
    return status;
}

// Resolves ZX_RIGHT_SAME_RIGHTS. INVALID_ARGS unless the rights are a subset.
static zx_status_t narrowed_rights(zx_rights_t held, zx_rights_t *wanted) {
    if (*wanted == ZX_RIGHT_SAME_RIGHTS)
        *wanted = held;
    return (*wanted & ~held) ? ZX_ERR_INVALID_ARGS : ZX_OK;
}

static zx_status_t duplicate_locked(zx_handle_t handle, zx_rights_t rights, zx_handle_t *out) {
    struct object *object;
    zx_rights_t held;
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_NONE, ZX_RIGHT_DUPLICATE, &object, &held);
    if (status == ZX_OK)
        status = narrowed_rights(held, &rights);
    return status == ZX_OK ? handle_open_locked(object, rights, out) : status;
}

zx_status_t zx_handle_duplicate(zx_handle_t handle, zx_rights_t rights, zx_handle_t *out) {
    if (!out)
        return ZX_ERR_INVALID_ARGS;
    table_lock();
    const zx_status_t status = duplicate_locked(handle, rights, out);
    table_unlock();
    return status;
}

// Opens the new handle before it closes the old one, so that the values differ.
static zx_status_t replace_locked(zx_handle_t handle, zx_rights_t rights, zx_handle_t *out) {
    struct object *object;
    zx_rights_t held;
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_NONE, ZX_RIGHT_NONE, &object, &held);
    if (status != ZX_OK)
        return status;
    status = narrowed_rights(held, &rights);
    if (status == ZX_OK)
        status = handle_open_locked(object, rights, out);
    slot_close_locked(slot_locked(handle));
    return status;
}

zx_status_t zx_handle_replace(zx_handle_t handle, zx_rights_t rights, zx_handle_t *out) {
    zx_handle_t unwanted;
    table_lock();
    const zx_status_t status = out ? replace_locked(handle, rights, out) : replace_locked(handle, 0, &unwanted);
    if (!out && status == ZX_OK)
        close_locked(unwanted);
    table_unlock();
    return out ? status : ZX_ERR_INVALID_ARGS;
}

zx_status_t zx_handle_check_valid(zx_handle_t handle) {
    table_lock();
    const bool valid = slot_locked(handle) != NULL;
    table_unlock();
    return valid ? ZX_OK : ZX_ERR_BAD_HANDLE;
}

// The process's own handles are opened on first use.
static zx_handle_t own_handle(zx_handle_t *own, zx_obj_type_t type, zx_rights_t rights, const char *name) {
    table_lock();
    if (!slot_locked(*own)) {
        struct object *object = calloc(1, sizeof *object);
        *own = ZX_HANDLE_INVALID;
        if (object) {
            object_init_locked(object, type, ZX_SIGNAL_NONE, 0);
            object_set_name_locked(object, name, strlen(name));
            handle_open_locked(object, rights, own);
        }
    }
    const zx_handle_t handle = *own;
    table_unlock();
    return handle;
}

zx_handle_t zx_process_self(void) {
    const zx_rights_t rights = ZX_RIGHTS_BASIC | ZX_RIGHTS_IO | ZX_RIGHTS_PROPERTY | ZX_RIGHT_ENUMERATE |
                               ZX_RIGHT_DESTROY | ZX_RIGHT_SIGNAL | ZX_RIGHT_MANAGE_PROCESS | ZX_RIGHT_MANAGE_THREAD;
    return own_handle(&table.process_self, ZX_OBJ_TYPE_PROCESS, rights, "vkzircon-emulated");
}

zx_handle_t zx_vmar_root_self(void) {
    const zx_rights_t rights = ZX_RIGHT_DUPLICATE | ZX_RIGHT_TRANSFER | ZX_RIGHT_INSPECT | ZX_RIGHTS_IO |
                               ZX_RIGHT_EXECUTE | ZX_RIGHT_OP_CHILDREN;
    return own_handle(&table.vmar_root_self, ZX_OBJ_TYPE_VMAR, rights, "");
}

const char *vkz_version(void) {
    return VKZIRCON_VERSION;
}

// Why a device is not emulated. Newest first; never freed, because callers keep the text.
struct note {
    struct note *next;
    uint8_t uuid[VKZ_UUID_SIZE];
    char reason[];
};

static struct note *notes;

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
    if (!known || strcmp(known->reason, reason) != 0) // so that repeated notes take no memory
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
