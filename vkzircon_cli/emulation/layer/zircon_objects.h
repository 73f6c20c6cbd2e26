// SPDX-License-Identifier: Apache-2.0
//
// Inside libzircon.so: kernel objects and the handle table. One mutex guards all of it; `_locked` marks what needs it
// held. Calls that move many bytes take a reference and let go of the mutex first.
#ifndef VKZIRCON_ZIRCON_OBJECTS_H_
#define VKZIRCON_ZIRCON_OBJECTS_H_

#include "faults.h"
#include "zircon_private.h"

#include <pthread.h>
#include <stdbool.h>

struct object {
    struct object *next, *previous; // all there are, found by object_find_locked()
    zx_obj_type_t type;
    zx_koid_t koid;
    uint32_t references; // handles, mappings, children and calls in progress each hold one
    uint32_t handle_count;
    zx_signals_t signals;
    char name[ZX_MAX_NAME_LEN];
};

struct vmo {
    struct object object;   // first: the table sees only this
    int memfd;              // a slice's is its parent's
    uint64_t start;         // where this VMO begins in the memfd: 0 unless it is a slice
    _Atomic(uint64_t) size; // calls that move bytes read these two without the mutex
    _Atomic(uint32_t) cache_policy;
    uint64_t content_size;
    uint32_t flags; // ZX_INFO_VMO_...
    struct vmo *parent;
    zx_koid_t parent_koid; // of a parent that stayed in the process that this VMO came from
    size_t num_children;
    size_t num_mappings;
    struct vkz_origin origin;
};

// One end. Its messages wait in the socket.
struct channel {
    struct object object;
    int socket;
    zx_koid_t peer;
};

// A forked child reads the environment anew.
void faults_forget(void);

void table_lock(void);
void table_unlock(void);

// Waits for signals_changed_locked() or the deadline; false when the deadline came first.
bool table_wait_locked(zx_time_t deadline);
void signals_changed_locked(struct object *object, zx_signals_t clear, zx_signals_t set);

// A new object holds no reference yet: the first handle brings it.
void object_init_locked(struct object *object, zx_obj_type_t type, zx_signals_t signals);
struct object *object_find_locked(zx_koid_t koid);
void object_ref_locked(struct object *object);
void object_unref_locked(struct object *object);

// On failure an object that has no other reference is gone.
zx_status_t handle_open_locked(struct object *object, zx_rights_t rights, zx_handle_t *out);

// Checks in the kernel's order: BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED. ZX_OBJ_TYPE_NONE means any type.
zx_status_t handle_lookup_locked(zx_handle_t handle, zx_obj_type_t type, zx_rights_t needed, struct object **object,
                                 zx_rights_t *rights);

// Ends the handle, if it is one.
void handle_discard_locked(zx_handle_t handle);

// Adds up the table's handles by object type.
void handle_statistics_locked(zx_info_process_handle_stats_t *statistics);

void object_set_name_locked(struct object *object, const char *name, size_t size);

// A VMO with a reference of the caller's, ended by vmo_release().
zx_status_t vmo_acquire(zx_handle_t handle, zx_rights_t needed, struct vmo **vmo, zx_rights_t *rights);
void vmo_release(struct vmo *vmo);
void vmo_destroy_locked(struct vmo *vmo);
void vmo_info_locked(const struct vmo *vmo, zx_rights_t rights, zx_info_vmo_t *info);

void channel_destroy_locked(struct channel *channel);
zx_signals_t channel_signals_locked(const struct channel *channel);

// Lets go of the mutex until something comes through the channel, a while has passed, or the deadline has.
bool channel_wait_locked(struct channel *channel, zx_time_t deadline);

// A channel's end with `socket`, which it takes over, on failure too. Koid 0 is a new one.
zx_status_t channel_open_locked(int socket, zx_koid_t koid, zx_koid_t peer, zx_rights_t rights, zx_handle_t *out);

// Whether the process was given startup handles.
bool startup_is_given(void);

// A forked child may be given others.
void startup_forget_locked(void);

static inline uint64_t round_up(uint64_t value, uint64_t power_of_two) {
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
