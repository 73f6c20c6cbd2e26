// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: information, properties, signals and events of objects, and the calls that need no object.
#include "zircon_memfd.h"
#include "zircon_objects.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

// How long a thread without an alarm sleeps before it reads the handle table again.
#define POLL_NS ((zx_time_t)10000000)

// Zircon returns both counts for a buffer that is too small, too.
static zx_status_t single_record(const void *record, size_t size, void *buffer, size_t buffer_size, size_t *actual,
                                 size_t *avail) {
    const bool fits = buffer_size >= size;
    if (fits && !buffer)
        return ZX_ERR_INVALID_ARGS;
    if (fits)
        memcpy(buffer, record, size);
    if (actual)
        *actual = fits;
    if (avail)
        *avail = 1;
    return fits ? ZX_OK : ZX_ERR_BUFFER_TOO_SMALL;
}

// The record of a topic.
union record {
    zx_info_handle_basic_t basic;
    zx_info_handle_count_t count;
    zx_info_process_handle_stats_t statistics;
    zx_info_vmo_t vmo;
};

struct topic {
    uint32_t topic;
    zx_obj_type_t type;
    zx_rights_t rights;
    size_t size;
    void (*fill_locked)(struct object *object, zx_rights_t rights, union record *record);
};

static void fill_basic_locked(struct object *object, zx_rights_t rights, union record *record) {
    record->basic.koid = object->koid;
    record->basic.rights = rights;
    record->basic.type = object->type;
    if (object->type == ZX_OBJ_TYPE_CHANNEL)
        record->basic.related_koid = ((const struct channel *)object)->peer;
}

static void fill_count_locked(struct object *object, zx_rights_t rights, union record *record) {
    const uint32_t before = object->times_counted++;
    (void)rights;
    record->count.handle_count = object->handle_count;
    if (vkz_fault(VKZ_FAULT_HANDLE_COUNT_LATE) && before < 2)
        record->count.handle_count--;
    if (vkz_fault(VKZ_FAULT_HANDLE_COUNT_WAVERS))
        record->count.handle_count += before % 2;
}

static void fill_statistics_locked(struct object *object, zx_rights_t rights, union record *record) {
    (void)object, (void)rights;
    handle_statistics_locked(&record->statistics);
}

static void fill_vmo_locked(struct object *object, zx_rights_t rights, union record *record) {
    vmo_info_locked((const struct vmo *)object, rights, &record->vmo);
}

static const struct topic topics[] = {
    {ZX_INFO_HANDLE_BASIC, ZX_OBJ_TYPE_NONE, 0, sizeof(zx_info_handle_basic_t), fill_basic_locked},
    {ZX_INFO_HANDLE_COUNT, ZX_OBJ_TYPE_NONE, ZX_RIGHT_INSPECT, sizeof(zx_info_handle_count_t), fill_count_locked},
    {ZX_INFO_PROCESS_HANDLE_STATS, ZX_OBJ_TYPE_PROCESS, ZX_RIGHT_INSPECT, sizeof(zx_info_process_handle_stats_t),
     fill_statistics_locked},
    {ZX_INFO_VMO_V1, ZX_OBJ_TYPE_VMO, 0, ZX_INFO_VMO_SIZE_V1, fill_vmo_locked},
    {ZX_INFO_VMO_V2, ZX_OBJ_TYPE_VMO, 0, ZX_INFO_VMO_SIZE_V2, fill_vmo_locked},
    {ZX_INFO_VMO_V3, ZX_OBJ_TYPE_VMO, 0, ZX_INFO_VMO_SIZE_V3, fill_vmo_locked},
    {ZX_INFO_VMO_V4, ZX_OBJ_TYPE_VMO, 0, ZX_INFO_VMO_SIZE_V4, fill_vmo_locked},
};

static bool is_newer_version(uint32_t number) {
    return number == ZX_INFO_VMO_V2 || number == ZX_INFO_VMO_V3 || number == ZX_INFO_VMO_V4;
}

static const struct topic *find_topic(uint32_t number) {
    if (is_newer_version(number) && vkz_fault(VKZ_FAULT_OLD_KERNEL))
        return NULL;
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (topics[i].topic == number)
            return &topics[i];
    }
    return NULL;
}

zx_status_t zx_object_get_info(zx_handle_t handle, uint32_t number, void *buffer, size_t buffer_size, size_t *actual,
                               size_t *avail) {
    if (number == ZX_INFO_HANDLE_VALID)
        return zx_handle_check_valid(handle);
    const struct topic *topic = find_topic(number);
    if (!topic)
        return ZX_ERR_NOT_SUPPORTED;
    if (number == ZX_INFO_PROCESS_HANDLE_STATS && vkz_fault(VKZ_FAULT_NO_HANDLE_STATS))
        return ZX_ERR_ACCESS_DENIED;

    union record record;
    memset(&record, 0, sizeof record); // {0} may leave the members after the first one unset
    struct object *object;
    zx_rights_t rights;
    table_lock();
    const zx_status_t status = handle_lookup_locked(handle, topic->type, topic->rights, &object, &rights);
    if (status == ZX_OK)
        topic->fill_locked(object, rights, &record);
    table_unlock();
    return status == ZX_OK ? single_record(&record, topic->size, buffer, buffer_size, actual, avail) : status;
}

void object_set_name_locked(struct object *object, const char *name, size_t size) {
    const size_t length = strnlen(name, size < ZX_MAX_NAME_LEN ? size : ZX_MAX_NAME_LEN - 1);
    memset(object->name, 0, sizeof object->name);
    memcpy(object->name, name, length);
}

// Of the emulated types, only VMOs and the process have names.
static bool has_name(const struct object *object) {
    return object->type == ZX_OBJ_TYPE_VMO || object->type == ZX_OBJ_TYPE_PROCESS;
}

static zx_status_t get_property_locked(struct object *object, uint32_t property, void *value, size_t size) {
    switch (property) {
    case ZX_PROP_NAME:
        if (!has_name(object))
            return ZX_ERR_WRONG_TYPE;
        if (size < ZX_MAX_NAME_LEN)
            return ZX_ERR_BUFFER_TOO_SMALL;
        memcpy(value, object->name, ZX_MAX_NAME_LEN);
        return ZX_OK;
    case ZX_PROP_VMO_CONTENT_SIZE:
        if (object->type != ZX_OBJ_TYPE_VMO)
            return ZX_ERR_WRONG_TYPE;
        if (size < sizeof(uint64_t))
            return ZX_ERR_BUFFER_TOO_SMALL;
        memcpy(value, &((const struct vmo *)object)->content_size, sizeof(uint64_t));
        return ZX_OK;
    default:
        return ZX_ERR_NOT_SUPPORTED;
    }
}

static zx_status_t set_content_size_locked(struct vmo *vmo, const void *value, size_t size) {
    uint64_t content_size;
    if (size < sizeof content_size)
        return ZX_ERR_BUFFER_TOO_SMALL;
    memcpy(&content_size, value, sizeof content_size);
    if (content_size > vmo->size)
        return ZX_ERR_OUT_OF_RANGE;
    if (content_size == vmo->content_size)
        return ZX_OK;
    // The bytes that are no content before or after become zeros (SetStreamSize in vm_object_dispatcher.cc).
    const uint64_t from = content_size < vmo->content_size ? content_size : vmo->content_size;
    vmo->content_size = content_size;
    return memfd_zero(vmo->memfd, vmo->start + from, vmo->size - from);
}

static zx_status_t set_property_locked(struct object *object, uint32_t property, void *value, size_t size) {
    switch (property) {
    case ZX_PROP_NAME:
        if (!has_name(object))
            return ZX_ERR_WRONG_TYPE;
        object_set_name_locked(object, value, size);
        return ZX_OK;
    case ZX_PROP_VMO_CONTENT_SIZE:
        if (object->type != ZX_OBJ_TYPE_VMO)
            return ZX_ERR_WRONG_TYPE;
        return set_content_size_locked((struct vmo *)object, value, size);
    default:
        return ZX_ERR_NOT_SUPPORTED;
    }
}

typedef zx_status_t property_access(struct object *object, uint32_t property, void *value, size_t size);

static zx_status_t access_property(zx_handle_t handle, zx_rights_t right, property_access *perform_locked,
                                   uint32_t property, void *value, size_t size) {
    if (!value)
        return ZX_ERR_INVALID_ARGS;
    struct object *object;
    table_lock();
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_NONE, right, &object, NULL);
    if (status == ZX_OK)
        status = perform_locked(object, property, value, size);
    table_unlock();
    return status;
}

zx_status_t zx_object_get_property(zx_handle_t handle, uint32_t property, void *value, size_t value_size) {
    return access_property(handle, ZX_RIGHT_GET_PROPERTY, get_property_locked, property, value, value_size);
}

zx_status_t zx_object_set_property(zx_handle_t handle, uint32_t property, const void *value, size_t value_size) {
    void *const read_only = (void *)(uintptr_t)value;
    return access_property(handle, ZX_RIGHT_SET_PROPERTY, set_property_locked, property, read_only, value_size);
}

zx_status_t zx_event_create(uint32_t options, zx_handle_t *out) {
    if (options || !out)
        return ZX_ERR_INVALID_ARGS;
    struct object *event = malloc(sizeof *event);
    if (!event)
        return ZX_ERR_NO_MEMORY;
    table_lock();
    object_init_locked(event, ZX_OBJ_TYPE_EVENT, ZX_SIGNAL_NONE, 0);
    const zx_status_t status = handle_open_locked(event, ZX_DEFAULT_EVENT_RIGHTS, out);
    table_unlock();
    return status;
}

void signals_changed_locked(struct object *object, zx_signals_t clear, zx_signals_t set) {
    object->signals = (object->signals & ~clear) | set;
    for (const struct sleeper *sleeper = object->sleepers; sleeper; sleeper = sleeper->next) {
        if (sleeper->alarm >= 0)
            eventfd_write(sleeper->alarm, 1);
    }
}

// Programs may set an event's own signal. Other types have the user signals only.
static zx_signals_t settable_signals(const struct object *object) {
    return object->type == ZX_OBJ_TYPE_EVENT ? ZX_USER_SIGNAL_ALL | ZX_EVENT_SIGNALED : ZX_USER_SIGNAL_ALL;
}

zx_status_t zx_object_signal(zx_handle_t handle, uint32_t clear_mask, uint32_t set_mask) {
    struct object *object;
    table_lock();
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_NONE, ZX_RIGHT_SIGNAL, &object, NULL);
    if (status == ZX_OK && ((clear_mask | set_mask) & ~settable_signals(object)))
        status = ZX_ERR_INVALID_ARGS;
    if (status == ZX_OK)
        signals_changed_locked(object, clear_mask, set_mask);
    table_unlock();
    return status;
}

static zx_signals_t signals_locked(const struct object *object) {
    const bool is_channel = object->type == ZX_OBJ_TYPE_CHANNEL;
    return object->signals | (is_channel ? channel_signals_locked((const struct channel *)object) : ZX_SIGNAL_NONE);
}

static void remove_sleeper_locked(struct object *object, const struct sleeper *sleeper) {
    struct sleeper **link = &object->sleepers;
    while (*link != sleeper)
        link = &(*link)->next;
    *link = sleeper->next;
}

// Unlocks the mutex until the object's signals may differ from those seen. False after the deadline.
static bool sleep_locked(struct object *object, zx_signals_t seen, zx_time_t deadline) {
    const zx_time_t now = zx_clock_get_monotonic();
    if (deadline <= now)
        return false;
    struct sleeper own = {object->sleepers, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    struct pollfd ready[2] = {{.fd = own.alarm, .events = POLLIN}, {.fd = -1}}; // poll() ignores a negative descriptor
    if (object->type == ZX_OBJ_TYPE_CHANNEL)
        ready[1] = channel_changes((const struct channel *)object, seen);
    const zx_time_t time = own.alarm < 0 && deadline - now > POLL_NS ? POLL_NS : deadline - now;
    const struct timespec patience = {.tv_sec = time / 1000000000, .tv_nsec = time % 1000000000};
    object->sleepers = &own;
    object_ref_locked(object);
    table_unlock();
    ppoll(ready, 2, &patience, NULL);
    table_lock();
    remove_sleeper_locked(object, &own);
    object_unref_locked(object);
    if (own.alarm >= 0)
        close(own.alarm);
    return true;
}

// Looks the handle up again after each wake-up: closing it cancels the wait, even if its value names another handle by
// then (docs/reference/syscalls/object_wait_one.md: ZX_ERR_CANCELED).
static zx_status_t wait_locked(zx_handle_t handle, zx_signals_t signals, zx_time_t deadline, zx_signals_t *observed) {
    struct object *object;
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_NONE, ZX_RIGHT_WAIT, &object, NULL);
    if (status != ZX_OK)
        return status;
    const uint64_t generation = handle_generation_locked(handle);
    for (bool in_time = true;; in_time = sleep_locked(object, *observed, deadline)) {
        if (handle_generation_locked(handle) != generation) { // the object may be gone
            *observed |= ZX_SIGNAL_HANDLE_CLOSED;
            return ZX_ERR_CANCELED;
        }
        *observed = signals_locked(object);
        if (*observed & signals)
            return ZX_OK;
        if (!in_time)
            return ZX_ERR_TIMED_OUT;
    }
}

zx_status_t zx_object_wait_one(zx_handle_t handle, zx_signals_t signals, zx_time_t deadline, zx_signals_t *observed) {
    zx_signals_t ignored;
    table_lock();
    const zx_status_t status = wait_locked(handle, signals, deadline, observed ? observed : &ignored);
    table_unlock();
    return status;
}

zx_time_t zx_clock_get_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (zx_time_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint32_t zx_system_get_page_size(void) {
    return (uint32_t)sysconf(_SC_PAGESIZE);
}

const char *zx_status_get_string(zx_status_t status) {
    switch (status) {
    case ZX_OK:
        return "ZX_OK";
#define ZX_ERROR_STRING(name, number)                                                                                  \
    case ZX_ERR_##name:                                                                                                \
        return "ZX_ERR_" #name;
        ZX_ERRORS(ZX_ERROR_STRING)
#undef ZX_ERROR_STRING
    default:
        return "(UNKNOWN)";
    }
}
