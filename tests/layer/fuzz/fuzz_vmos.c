// SPDX-License-Identifier: Apache-2.0
//
// The fuzzer's calls on VMOs.
#include "fuzz_zircon.h"
#include "zircon_private.h"

#include <string.h>

#define SNAPSHOTS (ZX_VMO_CHILD_SNAPSHOT | ZX_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | ZX_VMO_CHILD_SNAPSHOT_MODIFIED)

static uint64_t decide_size(struct run *run) {
    return DECIDE_AMONG(&run->decisions, uint64_t, 0, 1, 63, 4095, 4096, 4097, 8192, 9000, 12288, 16384, 16385,
                        UINT64_C(1) << 32, INT64_MAX, UINT64_MAX - 4095, UINT64_MAX);
}

// Half of the sizes fit the model, which few random sizes do.
uint64_t decide_small_size(struct run *run) {
    const uint64_t any = decide_size(run);
    return any > MOST_BYTES && decide_below(&run->decisions, 2) ? PAGE : any;
}

// The largest file on Linux is smaller than the largest VMO.
static bool is_possible(uint64_t size) {
    return size <= (uint64_t)INT64_MAX - 4 * VKZ_GRANULE;
}

void create_vmo(struct run *run) {
    zx_handle_t value;
    const uint64_t size = decide_small_size(run);
    const uint32_t options =
        decide_below(&run->decisions, 4)
            ? 0
            : DECIDE_AMONG(&run->decisions, uint32_t, ZX_VMO_RESIZABLE, ZX_VMO_DISCARDABLE, ZX_VMO_UNBOUNDED,
                           ZX_VMO_RESIZABLE | ZX_VMO_UNBOUNDED, ZX_VMO_RESIZABLE | ZX_VMO_DISCARDABLE, 8, 1, 64);
    const bool resizable = options & ZX_VMO_RESIZABLE, unbounded = options & ZX_VMO_UNBOUNDED;
    zx_status_t expected = is_possible(size) ? ZX_OK : ZX_ERR_OUT_OF_RANGE;
    if ((resizable && unbounded) ||
        (expected == ZX_OK && options & ~(ZX_VMO_RESIZABLE | ZX_VMO_DISCARDABLE | ZX_VMO_UNBOUNDED)))
        expected = ZX_ERR_INVALID_ARGS;
    FUZZ_EXPECT_EQ(zx_vmo_create(size, options, &value), expected);
    const bool modelled = size <= MOST_BYTES && !unbounded;
    if (expected == ZX_OK && !modelled)
        FUZZ_EXPECT_EQ(zx_handle_close(value), ZX_OK);
    if (expected != ZX_OK || !modelled)
        return;
    struct object *vmo = model_add_vmo(&run->model, size, NULL, false, 0);
    vmo->resizable = resizable;
    vmo->discardable = options & ZX_VMO_DISCARDABLE;
    note_handle(run, vmo, ZX_DEFAULT_VMO_RIGHTS | (resizable ? ZX_RIGHT_RESIZE : 0), value);
}

static uint32_t decide_child_options(struct run *run) {
    const uint32_t kind = decide_below(&run->decisions, 16)
                              ? DECIDE_AMONG(&run->decisions, uint32_t, ZX_VMO_CHILD_SLICE, ZX_VMO_CHILD_SNAPSHOT,
                                             ZX_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, ZX_VMO_CHILD_SNAPSHOT_MODIFIED)
                              : decide(&run->decisions);
    return kind | (decide_below(&run->decisions, 4) ? 0 : ZX_VMO_CHILD_NO_WRITE) |
           (decide_below(&run->decisions, 4) ? 0 : ZX_VMO_CHILD_RESIZABLE);
}

static zx_status_t expected_of_child(const struct object *parent, uint32_t options, uint64_t offset, uint64_t size) {
    const bool resizable = options & ZX_VMO_CHILD_RESIZABLE;
    const uint32_t kind = options & ~(ZX_VMO_CHILD_NO_WRITE | ZX_VMO_CHILD_RESIZABLE);
    if (parent->discardable || kind == ZX_VMO_CHILD_REFERENCE)
        return ZX_ERR_NOT_SUPPORTED;
    if (!kind || kind & (kind - 1) || !(kind & (SNAPSHOTS | ZX_VMO_CHILD_SLICE)))
        return ZX_ERR_INVALID_ARGS; // not exactly one kind
    if (offset % PAGE || (kind == ZX_VMO_CHILD_SLICE && resizable))
        return ZX_ERR_INVALID_ARGS;
    if (kind != ZX_VMO_CHILD_SLICE && offset > UINT64_MAX - size)
        return ZX_ERR_OUT_OF_RANGE;
    if (kind == ZX_VMO_CHILD_SLICE && !is_in(parent, offset, page_round(size)))
        return ZX_ERR_INVALID_ARGS;
    if (kind == ZX_VMO_CHILD_SLICE && parent->resizable)
        return ZX_ERR_NOT_SUPPORTED;
    return kind != ZX_VMO_CHILD_SLICE && parent->cache_policy ? ZX_ERR_BAD_STATE : ZX_OK;
}

static zx_rights_t expected_rights(zx_rights_t parent, uint32_t options) {
    zx_rights_t rights = (parent & ~ZX_RIGHT_RESIZE) | ZX_RIGHT_GET_PROPERTY | ZX_RIGHT_SET_PROPERTY;
    if (options & ZX_VMO_CHILD_RESIZABLE)
        rights |= ZX_RIGHT_RESIZE;
    if (options & ZX_VMO_CHILD_NO_WRITE)
        rights &= ~ZX_RIGHT_WRITE;
    else if (options & SNAPSHOTS)
        rights |= ZX_RIGHT_WRITE;
    return rights;
}

static void note_child(struct run *run, const struct handle *parent, uint32_t options, struct object *child,
                       zx_handle_t value) {
    child->resizable = options & ZX_VMO_CHILD_RESIZABLE;
    child->immutable = (options & ZX_VMO_CHILD_SNAPSHOT) && (options & ZX_VMO_CHILD_NO_WRITE);
    if (parent->rights & ZX_RIGHT_GET_PROPERTY)
        memcpy(child->name, parent->object->name, sizeof child->name);
    note_handle(run, child, expected_rights(parent->rights, options), value);
}

void create_child(struct run *run) {
    struct handle *handle;
    zx_handle_t value;
    const zx_handle_t from = decide_handle(run);
    const uint32_t options = decide_child_options(run);
    const uint64_t offset = DECIDE_AMONG(&run->decisions, uint64_t, 0, 4096, 8192, 100, UINT64_MAX - 4095);
    uint64_t size = decide_small_size(run);
    if (size > MOST_BYTES && is_possible(size))
        size = PAGE;
    zx_status_t expected = model_check(&run->model, from, ZX_OBJ_TYPE_VMO, ZX_RIGHT_DUPLICATE | ZX_RIGHT_READ, &handle);
    if (expected == ZX_OK)
        expected = expected_of_child(handle->object, options, offset, size);
    if ((options & ZX_VMO_CHILD_NO_WRITE) && (options & ZX_VMO_CHILD_RESIZABLE))
        expected = ZX_ERR_INVALID_ARGS;
    if (!is_possible(size))
        expected = ZX_ERR_OUT_OF_RANGE;
    FUZZ_EXPECT_EQ(zx_vmo_create_child(from, options, offset, size, &value), expected);
    if (expected != ZX_OK)
        return;
    const bool slice = options & ZX_VMO_CHILD_SLICE;
    note_child(run, handle, options, model_add_vmo(&run->model, size, handle->object, slice, offset), value);
}

void get_size(struct run *run) {
    struct handle *handle;
    uint64_t size = 0;
    const zx_handle_t value = decide_handle(run);
    const zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_VMO, 0, &handle);
    FUZZ_EXPECT_EQ(zx_vmo_get_size(value, &size), expected);
    FUZZ_EXPECT_EQ(size, expected == ZX_OK ? handle->object->size : 0);
}

struct span {
    zx_handle_t vmo;
    uint64_t offset;
    size_t size;
};

static struct span decide_span(struct run *run) {
    return (struct span){
        .vmo = decide_handle(run),
        .offset = DECIDE_AMONG(&run->decisions, uint64_t, 0, 1, 4095, 4096, 6000, 8192, 16384, 16385, UINT64_MAX),
        .size = DECIDE_AMONG(&run->decisions, size_t, 0, 1, 100, 4096, 5000, 8192, 16384, SIZE_MAX),
    };
}

static zx_status_t expected_of_transfer(struct run *run, const struct span *span, zx_rights_t right,
                                        struct handle **handle) {
    const zx_status_t status = model_check(&run->model, span->vmo, ZX_OBJ_TYPE_VMO, right, handle);
    if (status != ZX_OK)
        return status;
    if ((*handle)->object->cache_policy)
        return ZX_ERR_BAD_STATE;
    return is_in((*handle)->object, span->offset, span->size) ? ZX_OK : ZX_ERR_OUT_OF_RANGE;
}

void read_vmo(struct run *run) {
    static uint8_t buffer[MOST_BYTES];
    struct handle *handle;
    const struct span span = decide_span(run);
    const zx_status_t expected = expected_of_transfer(run, &span, ZX_RIGHT_READ, &handle);
    FUZZ_EXPECT_EQ(zx_vmo_read(span.vmo, buffer, span.offset, span.size), expected);
    if (expected == ZX_OK)
        FUZZ_EXPECT(memcmp(buffer, bytes_at(handle->object, span.offset), span.size) == 0);
}

void write_vmo(struct run *run) {
    static uint8_t buffer[MOST_BYTES];
    struct handle *handle;
    const struct span span = decide_span(run);
    memset(buffer, decide(&run->decisions), sizeof buffer);
    const zx_status_t expected = expected_of_transfer(run, &span, ZX_RIGHT_WRITE, &handle);
    FUZZ_EXPECT_EQ(zx_vmo_write(span.vmo, buffer, span.offset, span.size), expected);
    if (expected == ZX_OK)
        memcpy(bytes_at(handle->object, span.offset), buffer, span.size);
}

enum { UNKNOWN, HINT, CACHE, INVALIDATE, LOCK, UNLOCK, COMMIT, DECOMMIT, ZERO };

static const struct {
    int kind;
    zx_rights_t right;
} kinds[16] = {
    [ZX_VMO_OP_COMMIT] = {COMMIT, ZX_RIGHT_WRITE},
    [ZX_VMO_OP_DECOMMIT] = {DECOMMIT, ZX_RIGHT_WRITE},
    [ZX_VMO_OP_ZERO] = {ZERO, ZX_RIGHT_WRITE},
    [ZX_VMO_OP_CACHE_SYNC] = {CACHE, ZX_RIGHT_READ},
    [ZX_VMO_OP_CACHE_CLEAN] = {CACHE, ZX_RIGHT_READ},
    [ZX_VMO_OP_CACHE_CLEAN_INVALIDATE] = {CACHE, ZX_RIGHT_READ},
    [ZX_VMO_OP_CACHE_INVALIDATE] = {INVALIDATE, 0},
    [ZX_VMO_OP_DONT_NEED] = {HINT, 0},
    [ZX_VMO_OP_ALWAYS_NEED] = {HINT, 0},
    [ZX_VMO_OP_PREFETCH] = {HINT, ZX_RIGHT_READ},
    [ZX_VMO_OP_LOCK] = {LOCK, 0},
    [ZX_VMO_OP_UNLOCK] = {UNLOCK, 0},
    [ZX_VMO_OP_TRY_LOCK] = {LOCK, 0},
};

static zx_status_t expected_of_lock(const struct handle *handle, int kind, const struct span *span) {
    const struct object *vmo = handle->object;
    if (!(handle->rights & (ZX_RIGHT_READ | ZX_RIGHT_WRITE)))
        return ZX_ERR_ACCESS_DENIED;
    if (!vmo->discardable)
        return ZX_ERR_NOT_SUPPORTED;
    if (span->offset || span->size != vmo->size)
        return ZX_ERR_OUT_OF_RANGE; // only the whole VMO
    return kind == UNLOCK && !vmo->locks ? ZX_ERR_BAD_STATE : ZX_OK;
}

// Whether a device has pages of the range. A VMO and its slices have the same pages.
static bool is_pinned(const struct model *model, const struct object *vmo, const struct span *span) {
    const uint64_t start = vmo->start + span->offset;
    for (size_t i = 0; i < MAX_MAPPINGS; i++) {
        const struct mapping *mapping = &model->mappings[i];
        if (!mapping->address || !mapping->for_device || mapping->vmo->bytes != vmo->bytes)
            continue;
        const uint64_t from = mapping->vmo->start + mapping->offset;
        if (from < start + span->size && start < from + mapping->length)
            return true;
    }
    return false;
}

static zx_status_t expected_of_operation(const struct run *run, const struct handle *handle, int kind,
                                         const struct span *span) {
    const struct object *vmo = handle->object;
    if (kind == UNKNOWN)
        return ZX_ERR_INVALID_ARGS;
    if (kind == LOCK || kind == UNLOCK)
        return expected_of_lock(handle, kind, span);
    if (kind == INVALIDATE)
        return ZX_ERR_NOT_SUPPORTED; // a production kernel
    if (!is_in(vmo, span->offset, span->size))
        return ZX_ERR_OUT_OF_RANGE;
    if (kind == CACHE && span->size == 0)
        return ZX_ERR_INVALID_ARGS;
    if (kind == DECOMMIT && (span->offset % PAGE || span->size % PAGE))
        return ZX_ERR_INVALID_ARGS;
    if (kind == DECOMMIT && vmo->snapshot)
        return ZX_ERR_NOT_SUPPORTED;
    return kind == DECOMMIT && is_pinned(&run->model, vmo, span) ? ZX_ERR_BAD_STATE : ZX_OK;
}

void operate_on_range(struct run *run) {
    struct handle *handle;
    const struct span span = decide_span(run);
    const uint32_t op = decide_below(&run->decisions, 16);
    const int kind = kinds[op].kind;
    zx_status_t expected = model_check(&run->model, span.vmo, ZX_OBJ_TYPE_VMO, kinds[op].right, &handle);
    if (expected == ZX_OK)
        expected = expected_of_operation(run, handle, kind, &span);
    zx_vmo_lock_state_t state;
    FUZZ_EXPECT_EQ(zx_vmo_op_range(span.vmo, op, span.offset, span.size, &state, sizeof state), expected);
    if (expected == ZX_OK && (kind == LOCK || kind == UNLOCK))
        handle->object->locks += kind == LOCK ? 1 : UINT64_MAX;
    if (expected == ZX_OK && (kind == DECOMMIT || kind == ZERO))
        memset(bytes_at(handle->object, span.offset), 0, span.size);
}

static bool has_committed_pages(zx_handle_t vmo) {
    zx_info_vmo_t info = {0};
    FUZZ_EXPECT_EQ(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL), ZX_OK);
    return info.committed_bytes > 0;
}

void set_cache_policy(struct run *run) {
    struct handle *handle;
    const zx_handle_t value = decide_handle(run);
    const uint32_t policy = DECIDE_AMONG(&run->decisions, uint32_t, 0, 0, 0, 1, 2, 3, 4);
    zx_status_t expected = model_check(&run->model, value, ZX_OBJ_TYPE_VMO, ZX_RIGHT_MAP, &handle);
    if (policy > ZX_CACHE_POLICY_WRITE_COMBINING)
        expected = ZX_ERR_INVALID_ARGS;
    else if (expected == ZX_OK && (handle->object->mappings || handle->object->children || handle->object->parent))
        expected = ZX_ERR_BAD_STATE;
    else if (expected == ZX_OK && handle->object->cache_policy && has_committed_pages(value))
        expected = ZX_ERR_BAD_STATE;
    FUZZ_EXPECT_EQ(zx_vmo_set_cache_policy(value, policy), expected);
    if (expected == ZX_OK)
        handle->object->cache_policy = policy;
}
