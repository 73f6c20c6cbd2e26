// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: operations on ranges of VMOs (docs/reference/syscalls/vmo_op_range.md).
#include "zircon_memfd.h"
#include "zircon_objects.h"

#include <string.h>

static zx_status_t commit(struct vmo *vmo, uint64_t offset, uint64_t size) {
    return size ? memfd_commit(vmo->memfd, vmo->start + offset, size) : ZX_OK;
}

static zx_status_t zero(struct vmo *vmo, uint64_t offset, uint64_t size) {
    return memfd_zero(vmo->memfd, vmo->start + offset, size);
}

// A driver holds the pages that it imported, and would not see those that a hole gets. Zircon refuses to decommit
// pinned pages too (zircon/kernel/vm/vm_cow_pages.cc). Another process's drivers are not known here.
static zx_status_t decommit(struct vmo *vmo, uint64_t offset, uint64_t size) {
    if (offset != page_round(offset) || size != page_round(size))
        return ZX_ERR_INVALID_ARGS;
    if (vmo->flags & ZX_INFO_VMO_IS_COW_CLONE)
        return ZX_ERR_NOT_SUPPORTED;
    zx_status_t status = ZX_OK;
    table_lock();
    if (vmo_is_pinned_locked(vmo, offset, size))
        status = ZX_ERR_BAD_STATE;
    else if (size)
        status = memfd_decommit(vmo->memfd, vmo->start + offset, size);
    table_unlock();
    return status;
}

// Memory is coherent, because all mappings are cached ones of one process. Hints have no effect.
static zx_status_t nothing_to_do(struct vmo *vmo, uint64_t offset, uint64_t size) {
    (void)vmo, (void)offset, (void)size;
    return ZX_OK;
}

static zx_status_t cache_operation(struct vmo *vmo, uint64_t offset, uint64_t size) {
    (void)offset;
    if (vmo_is_physical(vmo)) // RFC-0252
        return ZX_ERR_NOT_SUPPORTED;
    return size ? ZX_OK : ZX_ERR_INVALID_ARGS;
}

// Needs kernel.enable-debugging-syscalls, which production kernels do not set.
static zx_status_t not_supported(struct vmo *vmo, uint64_t offset, uint64_t size) {
    (void)vmo, (void)offset, (void)size;
    return ZX_ERR_NOT_SUPPORTED;
}

// The whole VMO is locked at once. Pages are never discarded, so that every lock succeeds.
static zx_status_t change_locks(struct vmo *vmo, uint64_t offset, uint64_t size, bool lock) {
    zx_status_t status = ZX_OK;
    table_lock();
    if (!vmo->discardable)
        status = ZX_ERR_NOT_SUPPORTED;
    else if (offset != 0 || size != vmo->size)
        status = ZX_ERR_OUT_OF_RANGE;
    else if (!lock && vmo->locks == 0)
        status = ZX_ERR_BAD_STATE;
    else
        vmo->locks += lock ? 1 : UINT64_MAX;
    table_unlock();
    return status;
}

static zx_status_t lock(struct vmo *vmo, uint64_t offset, uint64_t size) {
    return change_locks(vmo, offset, size, true);
}

static zx_status_t unlock(struct vmo *vmo, uint64_t offset, uint64_t size) {
    return change_locks(vmo, offset, size, false);
}

// docs/reference/syscalls/vmo_op_range.md
static const struct range_operation {
    zx_rights_t rights; // one of them is enough
    bool any_range;     // checks the range itself, or none
    zx_status_t (*perform)(struct vmo *vmo, uint64_t offset, uint64_t size);
} range_operations[] = {
    [ZX_VMO_OP_COMMIT] = {ZX_RIGHT_WRITE, false, commit},
    [ZX_VMO_OP_DECOMMIT] = {ZX_RIGHT_WRITE, false, decommit},
    [ZX_VMO_OP_LOCK] = {ZX_RIGHT_READ | ZX_RIGHT_WRITE, true, lock},
    [ZX_VMO_OP_UNLOCK] = {ZX_RIGHT_READ | ZX_RIGHT_WRITE, true, unlock},
    [ZX_VMO_OP_TRY_LOCK] = {ZX_RIGHT_READ | ZX_RIGHT_WRITE, true, lock},
    [ZX_VMO_OP_CACHE_SYNC] = {ZX_RIGHT_READ, false, cache_operation},
    [ZX_VMO_OP_CACHE_INVALIDATE] = {ZX_RIGHT_NONE, true, not_supported},
    [ZX_VMO_OP_CACHE_CLEAN] = {ZX_RIGHT_READ, false, cache_operation},
    [ZX_VMO_OP_CACHE_CLEAN_INVALIDATE] = {ZX_RIGHT_READ, false, cache_operation},
    [ZX_VMO_OP_ZERO] = {ZX_RIGHT_WRITE, false, zero},
    [ZX_VMO_OP_DONT_NEED] = {ZX_RIGHT_NONE, false, nothing_to_do},
    [ZX_VMO_OP_ALWAYS_NEED] = {ZX_RIGHT_NONE, false, nothing_to_do},
    [ZX_VMO_OP_PREFETCH] = {ZX_RIGHT_READ, false, nothing_to_do},
};

static zx_status_t operate(struct vmo *vmo, uint32_t op, zx_rights_t rights, uint64_t offset, uint64_t size) {
    if (op >= sizeof range_operations / sizeof range_operations[0] || !range_operations[op].perform)
        return ZX_ERR_INVALID_ARGS;
    const struct range_operation *operation = &range_operations[op];
    if (operation->rights && !(rights & operation->rights))
        return ZX_ERR_ACCESS_DENIED;
    if (!operation->any_range && !vmo_has_range(vmo, offset, size))
        return ZX_ERR_OUT_OF_RANGE;
    return operation->perform(vmo, offset, size);
}

// A lock whose result finds no room is undone.
static zx_status_t tell_lock_state(struct vmo *vmo, uint64_t offset, uint64_t size, void *buffer, size_t buffer_size) {
    const zx_vmo_lock_state_t state = {.offset = offset, .size = size};
    if (!buffer || buffer_size < sizeof state) {
        unlock(vmo, offset, size);
        return ZX_ERR_INVALID_ARGS;
    }
    memcpy(buffer, &state, sizeof state);
    return ZX_OK;
}

zx_status_t zx_vmo_op_range(zx_handle_t handle, uint32_t op, uint64_t offset, uint64_t size, void *buffer,
                            size_t buffer_size) {
    struct vmo *vmo;
    zx_rights_t rights;
    zx_status_t status = vmo_acquire(handle, ZX_RIGHT_NONE, &vmo, &rights);
    if (status != ZX_OK)
        return status;
    status = operate(vmo, op, rights, offset, size);
    if (status == ZX_OK && op == ZX_VMO_OP_LOCK)
        status = tell_lock_state(vmo, offset, size, buffer, buffer_size);
    vmo_release(vmo);
    return status;
}
