// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: virtual memory objects. A VMO owns a memfd; a slice is a window on its parent's memfd.
#include "zircon_memfd.h"
#include "zircon_objects.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SNAPSHOTS (ZX_VMO_CHILD_SNAPSHOT | ZX_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | ZX_VMO_CHILD_SNAPSHOT_MODIFIED)

zx_status_t vmo_acquire(zx_handle_t handle, zx_rights_t needed, struct vmo **vmo, zx_rights_t *rights) {
    struct object *object;
    table_lock();
    const zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_VMO, needed, &object, rights);
    if (status == ZX_OK) {
        object_ref_locked(object);
        *vmo = (struct vmo *)object;
    }
    table_unlock();
    return status;
}

void vmo_release(struct vmo *vmo) {
    table_lock();
    object_unref_locked(&vmo->object);
    table_unlock();
}

static bool owns_memfd(const struct vmo *vmo) {
    return !vmo->parent || vmo->memfd != vmo->parent->memfd;
}

void vmo_destroy_locked(struct vmo *vmo) {
    if (owns_memfd(vmo))
        close(vmo->memfd);
    struct vmo *parent = vmo->parent;
    if (!parent)
        return;
    if (--parent->num_children == 0)
        signals_changed_locked(&parent->object, 0, ZX_VMO_ZERO_CHILDREN);
    object_unref_locked(&parent->object);
}

// The pages of a slice belong to its parent. The spare granule does not count.
static uint64_t committed_bytes(const struct vmo *vmo) {
    const uint64_t committed = owns_memfd(vmo) ? memfd_committed(vmo->memfd) : 0;
    return committed < vmo->size ? committed : vmo->size;
}

void vmo_info_locked(const struct vmo *vmo, zx_rights_t rights, zx_info_vmo_t *info) {
    const uint64_t committed = committed_bytes(vmo);
    *info = (zx_info_vmo_t){
        .koid = vmo->object.koid,
        .size_bytes = vmo->size,
        .parent_koid = vmo->parent ? vmo->parent->object.koid : vmo->parent_koid,
        .num_children = vmo->num_children,
        .num_mappings = vmo->num_mappings,
        .share_count = vmo->num_mappings > 0, // counts address spaces, and a process has one
        .flags = ZX_INFO_VMO_VIA_HANDLE | vmo->flags,
        .committed_bytes = committed,
        .handle_rights = rights,
        .cache_policy = vmo->cache_policy,
        .populated_bytes = committed,         // no page is compressed
        .committed_private_bytes = committed, // no page is shared between VMOs
        .populated_private_bytes = committed,
        .committed_scaled_bytes = committed,
        .populated_scaled_bytes = committed,
    };
    memcpy(info->name, vmo->object.name, sizeof info->name);
}

// Of an unbounded VMO. A file cannot be larger than INT64_MAX.
#define LARGEST_SIZE (((uint64_t)INT64_MAX - 4 * VKZ_GRANULE) & ~(uint64_t)(VKZ_GRANULE - 1))

static bool size_is_possible(uint64_t size) {
    return size <= LARGEST_SIZE;
}

static struct vmo *vmo_init_locked(struct vmo *vmo, int memfd, uint64_t start, uint64_t size) {
    object_init_locked(&vmo->object, ZX_OBJ_TYPE_VMO, ZX_VMO_ZERO_CHILDREN, 0);
    vmo->memfd = memfd;
    vmo->start = start;
    vmo->size = page_round(size);
    vmo->flags = ZX_INFO_VMO_TYPE_PAGED;
    vmo->content_size = size; // not rounded
    return vmo;
}

// docs/reference/syscalls/vmo_create.md
#define CREATE_OPTIONS (ZX_VMO_RESIZABLE | ZX_VMO_DISCARDABLE | ZX_VMO_UNBOUNDED)

static zx_status_t create_options_status(uint64_t size, uint32_t options) {
    const uint32_t exclusive = ZX_VMO_RESIZABLE | ZX_VMO_UNBOUNDED;
    if ((options & exclusive) == exclusive)
        return ZX_ERR_INVALID_ARGS;
    if (!size_is_possible(size))
        return ZX_ERR_OUT_OF_RANGE;
    return options & ~CREATE_OPTIONS ? ZX_ERR_INVALID_ARGS : ZX_OK;
}

static uint32_t created_flags(uint32_t options) {
    return (options & ZX_VMO_RESIZABLE ? ZX_INFO_VMO_RESIZABLE : 0) |
           (options & ZX_VMO_DISCARDABLE ? ZX_INFO_VMO_DISCARDABLE : 0);
}

zx_status_t zx_vmo_create(uint64_t size, uint32_t options, zx_handle_t *out) {
    zx_status_t status = out ? create_options_status(size, options) : ZX_ERR_INVALID_ARGS;
    if (status != ZX_OK)
        return status;
    const uint64_t whole = options & ZX_VMO_UNBOUNDED ? LARGEST_SIZE : page_round(size);
    struct vmo *vmo = calloc(1, sizeof *vmo);
    int memfd;
    status = vmo ? memfd_make(whole, &memfd) : ZX_ERR_NO_MEMORY;
    if (status != ZX_OK) {
        free(vmo);
        return status;
    }
    const zx_rights_t more = options & ZX_VMO_RESIZABLE ? ZX_RIGHT_RESIZE : ZX_RIGHT_NONE;
    table_lock();
    vmo_init_locked(vmo, memfd, 0, size)->flags |= created_flags(options);
    vmo->size = whole;
    vmo->discardable = options & ZX_VMO_DISCARDABLE; // the flag alone may come from a fault
    status = handle_open_locked(&vmo->object, ZX_DEFAULT_VMO_RIGHTS | more, out);
    table_unlock();
    return status;
}

zx_status_t zx_vmo_get_size(zx_handle_t handle, uint64_t *size) {
    struct vmo *vmo;
    if (!size)
        return ZX_ERR_INVALID_ARGS;
    const zx_status_t status = vmo_acquire(handle, ZX_RIGHT_NONE, &vmo, NULL);
    if (status != ZX_OK)
        return status;
    *size = vmo->size;
    vmo_release(vmo);
    return ZX_OK;
}

static zx_status_t access_bytes(zx_handle_t handle, zx_rights_t right, memfd_access *perform, void *buffer,
                                uint64_t offset, size_t size) {
    struct vmo *vmo;
    zx_status_t status = vmo_acquire(handle, right, &vmo, NULL);
    if (status != ZX_OK)
        return status;
    if (!buffer && size > 0)
        status = ZX_ERR_INVALID_ARGS;
    else if (vmo_is_physical(vmo))
        status = ZX_ERR_NOT_SUPPORTED;
    else if (vmo->cache_policy != ZX_CACHE_POLICY_CACHED) // the kernel's own mapping is cached
        status = ZX_ERR_BAD_STATE;
    else if (!vmo_has_range(vmo, offset, size))
        status = ZX_ERR_OUT_OF_RANGE;
    else
        status = perform(vmo->memfd, buffer, size, vmo->start + offset);
    vmo_release(vmo);
    return status;
}

zx_status_t zx_vmo_read(zx_handle_t handle, void *buffer, uint64_t offset, size_t buffer_size) {
    vkz_point(VKZ_POINT_VMO_READ);
    return access_bytes(handle, ZX_RIGHT_READ, memfd_read, buffer, offset, buffer_size);
}

zx_status_t zx_vmo_write(zx_handle_t handle, const void *buffer, uint64_t offset, size_t buffer_size) {
    return access_bytes(handle, ZX_RIGHT_WRITE, memfd_write, (void *)(uintptr_t)buffer, offset, buffer_size);
}

// docs/reference/syscalls/vmo_set_cache_policy.md
zx_status_t zx_vmo_set_cache_policy(zx_handle_t handle, uint32_t cache_policy) {
    if (cache_policy > ZX_CACHE_POLICY_WRITE_COMBINING)
        return ZX_ERR_INVALID_ARGS;
    struct object *object;
    table_lock();
    zx_status_t status = handle_lookup_locked(handle, ZX_OBJ_TYPE_VMO, ZX_RIGHT_MAP, &object, NULL);
    if (status == ZX_OK) {
        struct vmo *vmo = (struct vmo *)object;
        const bool holds_pages = vmo->cache_policy != ZX_CACHE_POLICY_CACHED && committed_bytes(vmo);
        if (vmo->num_mappings || vmo->num_children || vmo->parent || holds_pages)
            status = ZX_ERR_BAD_STATE;
        else
            vmo->cache_policy = cache_policy;
    }
    table_unlock();
    return status;
}

// An eager copy, which every kind of snapshot may look like. Zeros follow beyond the parent's end.
static zx_status_t snapshot_memfd(const struct vmo *parent, uint64_t offset, uint64_t size, int *out) {
    int memfd;
    const uint64_t whole = page_round(size);
    zx_status_t status = memfd_make(whole, &memfd);
    if (status != ZX_OK)
        return status;
    const uint64_t there = offset < parent->size ? parent->size - offset : 0;
    status = memfd_copy(parent->memfd, parent->start + offset, whole < there ? whole : there, memfd);
    if (status == ZX_OK)
        *out = memfd;
    else
        close(memfd);
    return status;
}

static bool is_one_bit(uint32_t flags) {
    return flags && !(flags & (flags - 1));
}

static zx_status_t snapshot_status(const struct vmo *parent, uint64_t offset, uint64_t size) {
    if (offset != page_round(offset))
        return ZX_ERR_INVALID_ARGS;
    if (offset > UINT64_MAX - size)
        return ZX_ERR_OUT_OF_RANGE;
    return parent->cache_policy == ZX_CACHE_POLICY_CACHED ? ZX_OK : ZX_ERR_BAD_STATE;
}

// A slice shares its parent's pages, which must exist and stay.
static zx_status_t slice_status(const struct vmo *parent, uint64_t offset, uint64_t size) {
    if (offset != page_round(offset) || !vmo_has_range(parent, offset, page_round(size)))
        return ZX_ERR_INVALID_ARGS;
    return parent->flags & ZX_INFO_VMO_RESIZABLE ? ZX_ERR_NOT_SUPPORTED : ZX_OK;
}

// docs/reference/syscalls/vmo_create_child.md, in the order of zircon/kernel/object/vm_object_dispatcher.cc.
static zx_status_t child_options_status(const struct vmo *parent, uint32_t options, uint64_t offset, uint64_t size) {
    const uint32_t kind = options & ~(ZX_VMO_CHILD_NO_WRITE | ZX_VMO_CHILD_RESIZABLE);
    if (parent->discardable)
        return ZX_ERR_NOT_SUPPORTED;
    if (kind == ZX_VMO_CHILD_SLICE && !(options & ZX_VMO_CHILD_RESIZABLE))
        return slice_status(parent, offset, size);
    if (kind == ZX_VMO_CHILD_REFERENCE) // the emulation does not offer it
        return ZX_ERR_NOT_SUPPORTED;
    return is_one_bit(kind) && kind & SNAPSHOTS ? snapshot_status(parent, offset, size) : ZX_ERR_INVALID_ARGS;
}

// The name is a property that a child gets, so its handle may always get and set properties.
static zx_rights_t child_rights(zx_rights_t rights, uint32_t options) {
    rights = (rights & ~ZX_RIGHT_RESIZE) | ZX_RIGHTS_PROPERTY;
    if (options & ZX_VMO_CHILD_NO_WRITE)
        return rights & ~ZX_RIGHT_WRITE;
    if (options & SNAPSHOTS)
        rights = (rights | ZX_RIGHT_WRITE) & ~ZX_RIGHT_EXECUTE;
    return rights | (options & ZX_VMO_CHILD_RESIZABLE ? ZX_RIGHT_RESIZE : 0);
}

static uint32_t child_flags(uint32_t options) {
    const uint32_t immutable = ZX_VMO_CHILD_SNAPSHOT | ZX_VMO_CHILD_NO_WRITE;
    return (options & SNAPSHOTS ? ZX_INFO_VMO_IS_COW_CLONE : 0) |
           (options & ZX_VMO_CHILD_RESIZABLE ? ZX_INFO_VMO_RESIZABLE : 0) |
           ((options & immutable) == immutable ? ZX_INFO_VMO_IMMUTABLE : 0);
}

static zx_status_t open_child_locked(struct vmo *child, struct vmo *parent, uint32_t flags, zx_rights_t rights,
                                     zx_handle_t *out) {
    child->parent = parent;
    child->flags = (parent->flags & ZX_INFO_VMO_TYPE_PAGED) | flags;
    child->cache_policy = parent->cache_policy;
    object_ref_locked(&parent->object);
    if (parent->num_children++ == 0)
        signals_changed_locked(&parent->object, ZX_VMO_ZERO_CHILDREN, 0);
    return handle_open_locked(&child->object, rights, out);
}

static zx_status_t make_child(struct vmo *parent, uint32_t options, uint64_t offset, uint64_t size, zx_rights_t rights,
                              zx_handle_t *out) {
    const bool snapshot = options & SNAPSHOTS;
    int memfd = parent->memfd;
    zx_status_t status = child_options_status(parent, options, offset, size);
    if (status == ZX_OK && snapshot)
        status = snapshot_memfd(parent, offset, size, &memfd);
    if (status != ZX_OK)
        return status;
    struct vmo *child = calloc(1, sizeof *child);
    if (!child) {
        if (snapshot)
            close(memfd);
        return ZX_ERR_NO_MEMORY;
    }
    table_lock();
    vmo_init_locked(child, memfd, snapshot ? 0 : parent->start + offset, size);
    if (rights & ZX_RIGHT_GET_PROPERTY)
        memcpy(child->object.name, parent->object.name, sizeof child->object.name);
    status = open_child_locked(child, parent, child_flags(options), child_rights(rights, options), out);
    table_unlock();
    return status;
}

zx_status_t zx_vmo_create_child(zx_handle_t handle, uint32_t options, uint64_t offset, uint64_t size,
                                zx_handle_t *out) {
    const uint32_t exclusive = ZX_VMO_CHILD_NO_WRITE | ZX_VMO_CHILD_RESIZABLE;
    if (!size_is_possible(size))
        return ZX_ERR_OUT_OF_RANGE;
    if (!out || (options & exclusive) == exclusive)
        return ZX_ERR_INVALID_ARGS;
    struct vmo *parent;
    zx_rights_t rights;
    zx_status_t status = vmo_acquire(handle, ZX_RIGHT_DUPLICATE | ZX_RIGHT_READ, &parent, &rights);
    if (status != ZX_OK)
        return status;
    status = make_child(parent, options, offset, size, rights, out);
    vmo_release(parent);
    return status;
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

zx_status_t vkz_vmo_change_flags(zx_handle_t handle, uint32_t set, uint32_t clear) {
    struct vmo *vmo;
    table_lock();
    const zx_status_t status = find_vmo_locked(handle, &vmo);
    if (status == ZX_OK)
        vmo->flags = (vmo->flags & ~clear) | set;
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
