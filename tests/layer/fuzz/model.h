// SPDX-License-Identifier: Apache-2.0
//
// A model of Zircon for checks of libzircon.so: handles, rights, koids, children, mappings and bytes. It follows
// Zircon's documentation, does not call the library, and keeps its state in arrays.
#ifndef VKZIRCON_TESTS_MODEL_H_
#define VKZIRCON_TESTS_MODEL_H_

#include <stdbool.h>
#include <zircon/syscalls.h>

#define PAGE         ((uint64_t)4096)
#define MOST_BYTES   (4 * PAGE) // of one VMO; larger ones are closed at once
#define MAX_OBJECTS  40
#define MAX_HANDLES  60
#define MAX_MAPPINGS 16

struct bytes {
    uint32_t users; // a VMO and its slices
    uint8_t at[MOST_BYTES];
};

struct object {
    zx_obj_type_t type; // ZX_OBJ_TYPE_NONE if unused
    zx_koid_t koid;
    uint32_t handles, mappings, children;
    struct object *parent;
    zx_signals_t signals;
    char name[ZX_MAX_NAME_LEN];
    // VMOs:
    bool resizable, snapshot, discardable, immutable;
    uint64_t locks; // of a discardable one
    uint32_t cache_policy;
    uint64_t size, content_size;
    struct bytes *bytes;
    uint64_t start; // in bytes->at
};

struct handle {
    zx_handle_t value; // ZX_HANDLE_INVALID if unused
    zx_rights_t rights;
    struct object *object;
    bool borrowed; // never closed, because the process owns it
};

struct mapping {
    zx_vaddr_t address; // 0 if unused
    size_t length;
    struct object *vmo;
    uint64_t offset;
    uint64_t touchable; // bytes that are backed and readable
    bool writable;
    bool for_device;
};

struct model {
    struct object objects[MAX_OBJECTS];
    struct handle handles[MAX_HANDLES];
    struct mapping mappings[MAX_MAPPINGS];
};

void model_begin(struct model *model, zx_handle_t process, zx_rights_t process_rights, zx_handle_t vmar,
                 zx_rights_t vmar_rights);
bool model_has_room(const struct model *model); // for one more object, handle and mapping

struct handle *model_find(struct model *model, zx_handle_t value); // NULL for a bad handle

// The first checks of any call, in the kernel's order. ZX_OBJ_TYPE_NONE means any type.
zx_status_t model_check(struct model *model, zx_handle_t value, zx_obj_type_t type, zx_rights_t needed,
                        struct handle **found);

struct object *model_add(struct model *model, zx_obj_type_t type);
struct object *model_add_vmo(struct model *model, uint64_t size, struct object *parent, bool slice, uint64_t offset);
void model_open(struct model *model, struct object *object, zx_rights_t rights, zx_handle_t value);
void model_close(struct model *model, struct handle *handle);
void model_map(struct model *model, const struct mapping *mapping);
void model_unmap(struct mapping *mapping);
uint32_t model_handles_of(const struct model *model, zx_obj_type_t type);

static inline uint64_t page_round(uint64_t size) {
    return (size + PAGE - 1) / PAGE * PAGE;
}

static inline bool is_in(const struct object *vmo, uint64_t offset, uint64_t size) {
    return offset <= vmo->size && size <= vmo->size - offset;
}

static inline uint8_t *bytes_at(const struct object *vmo, uint64_t offset) {
    return &vmo->bytes->at[vmo->start + offset];
}

#endif
