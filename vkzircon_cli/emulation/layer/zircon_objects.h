// SPDX-License-Identifier: Apache-2.0
//
// Inside libzircon.so: kernel objects and the handle table. One mutex guards both. Functions named `_locked` require
// it. Calls that move many bytes take a reference and unlock the mutex first.
#ifndef VKZIRCON_ZIRCON_OBJECTS_H_
#define VKZIRCON_ZIRCON_OBJECTS_H_

#include "faults.h"
#include "registry.h"
#include "zircon_private.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

// A thread that waits on an object and sleeps outside the mutex.
struct sleeper {
    struct sleeper *next;
    int alarm; // an eventfd
};

struct object {
    struct registry_entry entry; // by koid, in the registry of all objects
    zx_obj_type_t type;
    zx_koid_t koid;
    uint32_t references; // handles, mappings, children and calls in progress each hold one
    uint32_t handle_count;
    uint32_t times_counted; // by ZX_INFO_HANDLE_COUNT
    zx_signals_t signals;
    struct sleeper *sleepers;
    char name[ZX_MAX_NAME_LEN];
};

struct vmo {
    struct object object;   // must be first, because the table points to it
    int memfd;              // a slice has its parent's
    uint64_t start;         // offset in the memfd; 0 unless the VMO is a slice
    _Atomic(uint64_t) size; // calls that move bytes read this and the next member without the mutex
    _Atomic(uint32_t) cache_policy;
    uint64_t content_size;
    uint32_t flags; // ZX_INFO_VMO_...
    bool discardable;
    uint64_t locks; // of a discardable VMO
    struct vmo *parent;
    zx_koid_t parent_koid; // of a parent in another process
    size_t num_children;
    size_t num_mappings;
    struct vkz_origin origin;
};

// One end of a channel. Unread messages are in the socket.
struct channel {
    struct object object;
    int socket;
    zx_koid_t peer;
};

// A forked child reads the environment again.
void faults_forget(void);

void table_lock(void);
void table_unlock(void);

// Changes the signals, and wakes all threads that wait on the object.
void signals_changed_locked(struct object *object, zx_signals_t clear, zx_signals_t set);

// A new object has no reference until its first handle is opened. Koid 0 means a new koid.
void object_init_locked(struct object *object, zx_obj_type_t type, zx_signals_t signals, zx_koid_t koid);
struct object *object_find_locked(zx_koid_t koid);
void object_ref_locked(struct object *object);
void object_unref_locked(struct object *object);

// On failure, destroys an object without references.
zx_status_t handle_open_locked(struct object *object, zx_rights_t rights, zx_handle_t *out);

// Checks in the kernel's order: BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED. ZX_OBJ_TYPE_NONE means any type.
zx_status_t handle_lookup_locked(zx_handle_t handle, zx_obj_type_t type, zx_rights_t needed, struct object **object,
                                 zx_rights_t *rights);

// A number that no other handle with this value has had, or 0 for a handle that is closed.
uint64_t handle_generation_locked(zx_handle_t handle);

// Closes the handle if it is valid.
void handle_discard_locked(zx_handle_t handle);

// Counts the handles by object type.
void handle_statistics_locked(zx_info_process_handle_stats_t *statistics);

void object_set_name_locked(struct object *object, const char *name, size_t size);

// Takes a reference, which vmo_release() drops.
zx_status_t vmo_acquire(zx_handle_t handle, zx_rights_t needed, struct vmo **vmo, zx_rights_t *rights);
void vmo_release(struct vmo *vmo);
void vmo_destroy_locked(struct vmo *vmo);
void vmo_info_locked(const struct vmo *vmo, zx_rights_t rights, zx_info_vmo_t *info);

void channel_destroy_locked(struct channel *channel);
zx_signals_t channel_signals_locked(const struct channel *channel);

// The poll() events after which the signals may differ from those seen.
struct pollfd channel_changes(const struct channel *channel, zx_signals_t seen);

// Whether device memory is made of these pages of the VMO, in this process.
bool vmo_is_pinned_locked(const struct vmo *vmo, uint64_t offset, uint64_t size);

// Opens an end of a channel with `socket`, which it takes over, on failure too. Koid 0 means a new koid.
zx_status_t channel_open_locked(int socket, zx_koid_t koid, zx_koid_t peer, zx_rights_t rights, zx_handle_t *out);

// Whether the process was given startup handles.
bool startup_is_given(void);

// A forked child may have other startup handles.
void startup_forget_locked(void);

static inline uint64_t round_up(uint64_t value, uint64_t power_of_two) {
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline uint64_t page_round(uint64_t size) {
    return round_up(size, zx_system_get_page_size());
}

static inline bool vmo_is_physical(const struct vmo *vmo) {
    return !(vmo->flags & ZX_INFO_VMO_TYPE_PAGED);
}

static inline bool vmo_has_range(const struct vmo *vmo, uint64_t offset, uint64_t size) {
    return offset <= vmo->size && size <= vmo->size - offset;
}

#endif
