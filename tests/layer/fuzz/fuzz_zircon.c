// SPDX-License-Identifier: Apache-2.0
//
// Runs sequences of good and bad calls of libzircon.so, and checks every result against a model of handles, rights,
// koids and bytes. One process runs many sequences, so the end of a sequence finds what an earlier one leaked.
#include "fuzz_zircon.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

zx_handle_t decide_handle(struct run *run) {
    const struct handle *handles = run->model.handles;
    const uint32_t kind = decide_below(&run->decisions, 16);
    if (kind == 0)
        return DECIDE_AMONG(&run->decisions, zx_handle_t, 0, 3, 0xabcd1234, 0xffffffff, 0x7ffffffc, 0x40000003);
    if (kind == 1)
        return run->closed;
    for (uint32_t i = decide(&run->decisions), tries = 0; tries < MAX_HANDLES; i++, tries++) {
        if (handles[i % MAX_HANDLES].value && (!handles[i % MAX_HANDLES].borrowed || tries == 0))
            return handles[i % MAX_HANDLES].value;
    }
    return ZX_HANDLE_INVALID;
}

static zx_rights_t decide_rights(struct run *run) {
    const uint32_t kind = decide_below(&run->decisions, 4);
    if (kind < 2)
        return ZX_RIGHT_SAME_RIGHTS;
    return kind == 2 ? ZX_DEFAULT_VMO_RIGHTS & decide_word(&run->decisions) : decide_word(&run->decisions);
}

void note_handle(struct run *run, struct object *object, zx_rights_t rights, zx_handle_t value) {
    zx_info_handle_basic_t basic;
    FUZZ_EXPECT((value & ZX_HANDLE_FIXED_BITS_MASK) == ZX_HANDLE_FIXED_BITS_MASK);
    FUZZ_EXPECT(!model_find(&run->model, value));
    FUZZ_EXPECT_EQ(zx_object_get_info(value, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL), ZX_OK);
    FUZZ_EXPECT_EQ(basic.type, object->type);
    FUZZ_EXPECT_EQ(basic.rights, rights);
    if (object->handles == 0) {
        FUZZ_EXPECT(basic.koid > run->newest_koid);
        run->newest_koid = object->koid = basic.koid;
    }
    FUZZ_EXPECT_EQ(basic.koid, object->koid);
    model_open(&run->model, object, rights, value);
}

static void create_event(struct run *run) {
    zx_handle_t event;
    const uint32_t options = decide_below(&run->decisions, 4) == 0;
    const zx_status_t status = zx_event_create(options, &event);
    FUZZ_EXPECT_EQ(status, options ? ZX_ERR_INVALID_ARGS : ZX_OK);
    if (status == ZX_OK)
        note_handle(run, model_add(&run->model, ZX_OBJ_TYPE_EVENT), ZX_DEFAULT_EVENT_RIGHTS, event);
}

static bool is_borrowed(struct run *run, zx_handle_t value) {
    const struct handle *handle = model_find(&run->model, value);
    return handle && handle->borrowed;
}

// The process and its address space, whose changes outlive the run.
static bool is_lasting(const struct handle *handle) {
    return handle->object->type == ZX_OBJ_TYPE_PROCESS || handle->object->type == ZX_OBJ_TYPE_VMAR;
}

static void close_handle(struct run *run) {
    const zx_handle_t value = decide_handle(run);
    struct handle *handle = model_find(&run->model, value);
    if (is_borrowed(run, value))
        return;
    FUZZ_EXPECT_EQ(zx_handle_close(value), handle || !value ? ZX_OK : ZX_ERR_BAD_HANDLE);
    if (!handle)
        return;
    model_close(&run->model, handle);
    run->closed = value;
}

static void close_many(struct run *run) {
    zx_handle_t values[4];
    zx_status_t expected = ZX_OK;
    const uint32_t count = decide_below(&run->decisions, 5);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = decide_handle(run);
        if (is_borrowed(run, values[i]))
            values[i] = ZX_HANDLE_INVALID;
        struct handle *handle = model_find(&run->model, values[i]);
        if (handle)
            model_close(&run->model, handle);
        else if (values[i])
            expected = ZX_ERR_BAD_HANDLE;
    }
    FUZZ_EXPECT_EQ(zx_handle_close_many(values, count), expected);
}

static zx_status_t narrow(zx_rights_t held, zx_rights_t *wanted) {
    if (*wanted == ZX_RIGHT_SAME_RIGHTS)
        *wanted = held;
    return *wanted & ~held ? ZX_ERR_INVALID_ARGS : ZX_OK;
}

static void duplicate(struct run *run) {
    struct handle *handle;
    zx_handle_t copy;
    const zx_handle_t value = decide_handle(run);
    zx_rights_t rights = decide_rights(run);
    const zx_status_t status = zx_handle_duplicate(value, rights, &copy);
    zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_NONE, ZX_RIGHT_DUPLICATE, &handle);
    if (expected == ZX_OK)
        expected = narrow(handle->rights, &rights);
    FUZZ_EXPECT_EQ(status, expected);
    if (status == ZX_OK)
        note_handle(run, handle->object, rights, copy);
}

// The old handle is closed on success and on failure.
static void replace(struct run *run) {
    struct handle *handle;
    zx_handle_t copy;
    const zx_handle_t value = decide_handle(run);
    zx_rights_t rights = decide_rights(run);
    if (is_borrowed(run, value))
        return;
    const zx_status_t status = zx_handle_replace(value, rights, &copy);
    zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_NONE, 0, &handle);
    if (expected == ZX_OK)
        expected = narrow(handle->rights, &rights);
    FUZZ_EXPECT_EQ(status, expected);
    if (status == ZX_OK)
        note_handle(run, handle->object, rights, copy);
    if (handle)
        model_close(&run->model, handle);
}

static void check_vmo_info(const struct handle *handle, const zx_info_vmo_t *info) {
    const struct object *vmo = handle->object;
    const uint32_t flags =
        ZX_INFO_VMO_TYPE_PAGED | ZX_INFO_VMO_VIA_HANDLE | (vmo->resizable ? ZX_INFO_VMO_RESIZABLE : 0) |
        (vmo->snapshot ? ZX_INFO_VMO_IS_COW_CLONE : 0) | (vmo->discardable ? ZX_INFO_VMO_DISCARDABLE : 0) |
        (vmo->immutable ? ZX_INFO_VMO_IMMUTABLE : 0);
    FUZZ_EXPECT_EQ(info->koid, vmo->koid);
    FUZZ_EXPECT_EQ(info->parent_koid, vmo->parent ? vmo->parent->koid : 0);
    FUZZ_EXPECT_EQ(info->size_bytes, vmo->size);
    FUZZ_EXPECT_EQ(info->num_children, vmo->children);
    FUZZ_EXPECT_EQ(info->num_mappings, vmo->mappings);
    FUZZ_EXPECT_EQ(info->flags, flags);
    FUZZ_EXPECT_EQ(info->handle_rights, handle->rights);
    FUZZ_EXPECT_EQ(info->cache_policy, vmo->cache_policy);
    FUZZ_EXPECT(info->committed_bytes <= vmo->size);
    FUZZ_EXPECT(memcmp(info->name, vmo->name, sizeof info->name) == 0);
}

static const struct {
    uint32_t topic;
    zx_obj_type_t type;
    zx_rights_t rights;
    size_t size;
} topics[] = {
    {ZX_INFO_HANDLE_BASIC, ZX_OBJ_TYPE_NONE, 0, 32},
    {ZX_INFO_HANDLE_COUNT, ZX_OBJ_TYPE_NONE, ZX_RIGHT_INSPECT, 4},
    {ZX_INFO_PROCESS_HANDLE_STATS, ZX_OBJ_TYPE_PROCESS, ZX_RIGHT_INSPECT, 256},
    {ZX_INFO_VMO_V1, ZX_OBJ_TYPE_VMO, 0, 104},
    {ZX_INFO_VMO_V2, ZX_OBJ_TYPE_VMO, 0, 120},
    {ZX_INFO_VMO_V3, ZX_OBJ_TYPE_VMO, 0, 128},
    {ZX_INFO_VMO_V4, ZX_OBJ_TYPE_VMO, 0, 176},
};

static void check_record(const struct run *run, const struct handle *handle, uint32_t topic, const void *record) {
    const zx_info_process_handle_stats_t *statistics = record;
    switch (topic) {
    case ZX_INFO_HANDLE_BASIC:
        FUZZ_EXPECT_EQ(((const zx_info_handle_basic_t *)record)->koid, handle->object->koid);
        FUZZ_EXPECT_EQ(((const zx_info_handle_basic_t *)record)->rights, handle->rights);
        return;
    case ZX_INFO_HANDLE_COUNT:
        FUZZ_EXPECT_EQ(((const zx_info_handle_count_t *)record)->handle_count, handle->object->handles);
        return;
    case ZX_INFO_PROCESS_HANDLE_STATS:
        for (zx_obj_type_t type = 1; type < ZX_OBJ_TYPE_UPPER_BOUND; type++)
            FUZZ_EXPECT_EQ(statistics->handle_count[type], model_handles_of(&run->model, type));
        return;
    default:
        check_vmo_info(handle, record);
    }
}

static void get_info(struct run *run) {
    union {
        zx_info_vmo_t vmo;
        zx_info_process_handle_stats_t statistics;
        uint8_t bytes[512];
    } record;
    struct handle *handle;
    size_t actual = 99, avail = 99;
    const zx_handle_t value = decide_handle(run);
    const uint32_t which = decide_below(&run->decisions, sizeof topics / sizeof topics[0]);
    const size_t room = decide_below(&run->decisions, 4) ? sizeof record : decide(&run->decisions);
    memset(&record, 0, sizeof record);
    zx_status_t expected = model_check(&run->model, value, topics[which].type, topics[which].rights, &handle);
    const bool looked = expected == ZX_OK;
    if (looked && room < topics[which].size)
        expected = ZX_ERR_BUFFER_TOO_SMALL;
    FUZZ_EXPECT_EQ(zx_object_get_info(value, topics[which].topic, &record, room, &actual, &avail), expected);
    FUZZ_EXPECT_EQ(actual, looked ? expected == ZX_OK : 99);
    FUZZ_EXPECT_EQ(avail, looked ? 1 : 99);
    for (size_t i = expected == ZX_OK ? topics[which].size : 0; i < sizeof record.bytes; i++)
        FUZZ_EXPECT_EQ(record.bytes[i], 0);
    if (expected == ZX_OK && topics[which].size != 104 && topics[which].size != 120 && topics[which].size != 128)
        check_record(run, handle, topics[which].topic, &record);
    FUZZ_EXPECT_EQ(zx_object_get_info(value, ZX_INFO_HANDLE_VALID, NULL, 0, NULL, NULL),
                   handle ? ZX_OK : ZX_ERR_BAD_HANDLE);
}

static void set_name(struct run *run) {
    struct handle *handle;
    char name[ZX_MAX_NAME_LEN + 8];
    const zx_handle_t value = decide_handle(run);
    const size_t size = decide_below(&run->decisions, sizeof name);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = (char)decide_below(&run->decisions, 40);
    const zx_status_t status = zx_object_set_property(value, ZX_PROP_NAME, name, size);
    zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_NONE, ZX_RIGHT_SET_PROPERTY, &handle);
    if (expected == ZX_OK && handle->object->type == ZX_OBJ_TYPE_EVENT)
        expected = ZX_ERR_WRONG_TYPE;
    FUZZ_EXPECT_EQ(status, expected);
    if (status != ZX_OK || is_lasting(handle))
        return;
    memset(handle->object->name, 0, ZX_MAX_NAME_LEN);
    memcpy(handle->object->name, name, strnlen(name, size < ZX_MAX_NAME_LEN - 1 ? size : ZX_MAX_NAME_LEN - 1));
}

// What is no content before or after becomes zeros.
static void set_content_size(struct object *vmo, uint64_t size) {
    const uint64_t from = size < vmo->content_size ? size : vmo->content_size;
    if (size != vmo->content_size)
        memset(bytes_at(vmo, from), 0, vmo->size - from);
    vmo->content_size = size;
}

static void use_content_size(struct run *run) {
    struct handle *handle;
    uint64_t size = DECIDE_AMONG(&run->decisions, uint64_t, 0, 1, 4096, 5000, 16384, UINT64_MAX), got = 0;
    const zx_handle_t value = decide_handle(run);
    zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_NONE, ZX_RIGHT_SET_PROPERTY, &handle);
    if (expected == ZX_OK && handle->object->type != ZX_OBJ_TYPE_VMO)
        expected = ZX_ERR_WRONG_TYPE;
    if (expected == ZX_OK && size > handle->object->size)
        expected = ZX_ERR_OUT_OF_RANGE;
    FUZZ_EXPECT_EQ(zx_object_set_property(value, ZX_PROP_VMO_CONTENT_SIZE, &size, sizeof size), expected);
    if (expected == ZX_OK)
        set_content_size(handle->object, size);
    expected = model_check(&run->model, value, ZX_OBJ_TYPE_NONE, ZX_RIGHT_GET_PROPERTY, &handle);
    if (expected == ZX_OK && handle->object->type != ZX_OBJ_TYPE_VMO)
        expected = ZX_ERR_WRONG_TYPE;
    FUZZ_EXPECT_EQ(zx_object_get_property(value, ZX_PROP_VMO_CONTENT_SIZE, &got, sizeof got), expected);
    if (expected == ZX_OK)
        FUZZ_EXPECT_EQ(got, handle->object->content_size);
}

static void signal_object(struct run *run) {
    struct handle *handle;
    const zx_handle_t value = decide_handle(run);
    const bool wild = decide_below(&run->decisions, 8) == 0;
    const zx_signals_t among = wild ? UINT32_MAX : ZX_USER_SIGNAL_ALL;
    const zx_signals_t clear = decide_word(&run->decisions) & among, set = decide_word(&run->decisions) & among;
    zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_NONE, ZX_RIGHT_SIGNAL, &handle);
    if (handle && is_lasting(handle))
        return;
    if (expected == ZX_OK) {
        const bool event = handle->object->type == ZX_OBJ_TYPE_EVENT;
        if ((clear | set) & ~(ZX_USER_SIGNAL_ALL | (event ? ZX_EVENT_SIGNALED : 0)))
            expected = ZX_ERR_INVALID_ARGS;
    }
    FUZZ_EXPECT_EQ(zx_object_signal(value, clear, set), expected);
    if (expected == ZX_OK)
        handle->object->signals = (handle->object->signals & ~clear) | set;
}

static void wait_one(struct run *run) {
    struct handle *handle;
    const zx_handle_t value = decide_handle(run);
    const zx_signals_t signals = decide_word(&run->decisions);
    const zx_time_t deadline = DECIDE_AMONG(&run->decisions, zx_time_t, 0, 1, ZX_TIME_INFINITE_PAST);
    zx_signals_t observed = 0;
    zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_NONE, ZX_RIGHT_WAIT, &handle);
    const bool looked = expected == ZX_OK;
    if (looked && !(handle->object->signals & signals))
        expected = ZX_ERR_TIMED_OUT;
    FUZZ_EXPECT_EQ(zx_object_wait_one(value, signals, deadline, &observed), expected);
    if (looked)
        FUZZ_EXPECT_EQ(observed, handle->object->signals);
}

static const operation operations[] = {
    create_vmo, create_vmo,       create_child,     create_child, create_event,  close_handle, close_handle,
    close_many, duplicate,        duplicate,        replace,      get_info,      get_info,     set_name,
    get_size,   use_content_size, signal_object,    wait_one,     read_vmo,      write_vmo,    write_vmo,
    map_vmo,    operate_on_range, set_cache_policy, unmap_vmo,    touch_mapping, map_vmo,      map_for_device,
};

// Counts the VMOs that are still open, as file descriptors and as mappings.
static size_t memfds_left(void) {
    char path[300], target[64], line[512];
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    FUZZ_EXPECT(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        const ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        count += strncmp(target, "/memfd:vmo", 10) == 0;
    }
    closedir(folder);
    FILE *maps = fopen("/proc/self/maps", "re");
    FUZZ_EXPECT(maps);
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "/memfd:vmo") != NULL;
    fclose(maps);
    return count;
}

static void clean_up(struct run *run) {
    for (size_t i = 0; i < MAX_HANDLES; i++) {
        struct handle *handle = &run->model.handles[i];
        if (!handle->value || handle->borrowed)
            continue;
        FUZZ_EXPECT_EQ(zx_handle_close(handle->value), ZX_OK);
        model_close(&run->model, handle);
    }
    for (size_t i = 0; i < MAX_MAPPINGS; i++) {
        struct mapping *mapping = &run->model.mappings[i];
        if (!mapping->address)
            continue;
        FUZZ_EXPECT_EQ(zx_vmar_unmap(zx_vmar_root_self(), mapping->address, mapping->length), ZX_OK);
        model_unmap(mapping);
    }
}

static zx_rights_t rights_of(zx_handle_t handle) {
    zx_info_handle_basic_t basic = {0};
    FUZZ_EXPECT_EQ(zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL), ZX_OK);
    return basic.rights;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct run run;
    static size_t runs;
    const zx_handle_t process = zx_process_self(), vmar = zx_vmar_root_self();
    run.decisions = (struct decisions){data, size};
    model_begin(&run.model, process, rights_of(process), vmar, rights_of(vmar));
    for (size_t i = 0; i < 2; i++) {
        zx_info_handle_basic_t basic = {0};
        zx_object_get_info(run.model.handles[i].value, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL);
        run.model.handles[i].object->koid = basic.koid;
        run.newest_koid = basic.koid > run.newest_koid ? basic.koid : run.newest_koid;
    }
    while (run.decisions.left > 0 && model_has_room(&run.model))
        operations[decide_below(&run.decisions, sizeof operations / sizeof operations[0])](&run);
    clean_up(&run);
    if (++runs % 512 == 0)
        FUZZ_EXPECT_EQ(memfds_left(), 0);
    return 0;
}
