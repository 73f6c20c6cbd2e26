// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: objects that leave a process in a message and arrive in another, or come back.
#include "zircon_objects.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int describe_vmo(const struct vmo *vmo, struct transfer *transfer) {
    transfer->related_koid = vmo->parent ? vmo->parent->object.koid : vmo->parent_koid;
    transfer->start = vmo->start;
    transfer->size = vmo->size;
    transfer->content_size = vmo->content_size;
    transfer->flags = vmo->flags;
    transfer->cache_policy = vmo->cache_policy;
    transfer->origin = vmo->origin;
    memcpy(transfer->name, vmo->object.name, sizeof transfer->name);
    return vmo->memfd;
}

zx_status_t transfer_leave_locked(const struct object *object, zx_rights_t rights, struct transfer *transfer,
                                  int *descriptor) {
    memset(transfer, 0, sizeof *transfer); // also what lies between the members: it leaves the process
    transfer->koid = object->koid;
    transfer->type = object->type;
    transfer->rights = rights;
    if (object->type == ZX_OBJ_TYPE_VMO) {
        *descriptor = describe_vmo((const struct vmo *)object, transfer);
        return ZX_OK;
    }
    if (object->type == ZX_OBJ_TYPE_CHANNEL) {
        *descriptor = ((const struct channel *)object)->socket;
        transfer->related_koid = ((const struct channel *)object)->peer;
        return ZX_OK;
    }
    return ZX_ERR_NOT_SUPPORTED;
}

// Whether the file can be what is said of it. One that could shrink would kill whoever maps it.
static bool is_memfd_of(int descriptor, const struct transfer *transfer) {
    struct stat status;
    const int seals = fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(descriptor, &status) != 0)
        return false;
    const uint64_t page = zx_system_get_page_size(), there = (uint64_t)status.st_size;
    return transfer->start % page == 0 && transfer->start <= there && transfer->size <= there - transfer->start &&
           transfer->cache_policy <= ZX_CACHE_POLICY_WRITE_COMBINING;
}

static bool is_same_file(int one, int other) {
    struct stat first, second;
    return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static struct vmo *new_vmo_locked(const struct transfer *transfer, int descriptor) {
    struct vmo *vmo = calloc(1, sizeof *vmo);
    if (!vmo)
        return NULL;
    object_init_locked(&vmo->object, ZX_OBJ_TYPE_VMO, ZX_VMO_ZERO_CHILDREN);
    object_set_name_locked(&vmo->object, transfer->name, sizeof transfer->name - 1);
    vmo->object.koid = transfer->koid;
    vmo->memfd = descriptor;
    vmo->start = transfer->start;
    vmo->size = transfer->size;
    vmo->content_size = transfer->content_size;
    vmo->flags = transfer->flags;
    vmo->cache_policy = transfer->cache_policy;
    vmo->parent_koid = transfer->related_koid;
    vmo->origin = transfer->origin;
    return vmo;
}

// A VMO that is here already is the same object: what this process knows of it stands.
static zx_status_t vmo_arrive_locked(const struct transfer *transfer, int descriptor, zx_handle_t *out) {
    struct object *known = object_find_locked(transfer->koid);
    if (!is_memfd_of(descriptor, transfer) ||
        (known && (known->type != ZX_OBJ_TYPE_VMO || !is_same_file(((struct vmo *)known)->memfd, descriptor)))) {
        close(descriptor);
        return ZX_ERR_IO_DATA_INTEGRITY;
    }
    if (known) {
        close(descriptor);
        return handle_open_locked(known, transfer->rights, out);
    }
    struct vmo *vmo = new_vmo_locked(transfer, descriptor);
    if (vmo)
        return handle_open_locked(&vmo->object, transfer->rights, out);
    close(descriptor);
    return ZX_ERR_NO_MEMORY;
}

static bool is_channel_socket(int descriptor) {
    int domain = 0, type = 0;
    socklen_t size = sizeof domain;
    return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX &&
           type == SOCK_SEQPACKET;
}

zx_status_t transfer_arrive_locked(const struct transfer *transfer, int descriptor, zx_handle_t *out) {
    if (transfer->type == ZX_OBJ_TYPE_VMO)
        return vmo_arrive_locked(transfer, descriptor, out);
    if (transfer->type == ZX_OBJ_TYPE_CHANNEL && is_channel_socket(descriptor) && !object_find_locked(transfer->koid))
        return channel_open_locked(descriptor, transfer->koid, transfer->related_koid, transfer->rights, out);
    close(descriptor);
    return ZX_ERR_IO_DATA_INTEGRITY;
}
