// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include "fuzz.h"

#include <string.h>

void model_begin(struct model *model, zx_handle_t process, zx_rights_t process_rights, zx_handle_t vmar,
                 zx_rights_t vmar_rights) {
    memset(model, 0, sizeof *model);
    struct object *own = model_add(model, ZX_OBJ_TYPE_PROCESS);
    model_open(model, own, process_rights, process);
    own = model_add(model, ZX_OBJ_TYPE_VMAR);
    model_open(model, own, vmar_rights, vmar);
    model->handles[0].borrowed = model->handles[1].borrowed = true;
}

bool model_has_room(const struct model *model) {
    bool object = false, handle = false, mapping = false;
    for (size_t i = 0; i < MAX_OBJECTS; i++)
        object |= !model->objects[i].type;
    for (size_t i = 0; i < MAX_HANDLES; i++)
        handle |= !model->handles[i].value;
    for (size_t i = 0; i < MAX_MAPPINGS; i++)
        mapping |= !model->mappings[i].address;
    return object && handle && mapping;
}

struct handle *model_find(struct model *model, zx_handle_t value) {
    for (size_t i = 0; value && i < MAX_HANDLES; i++) {
        if (model->handles[i].value == value)
            return &model->handles[i];
    }
    return NULL;
}

zx_status_t model_check(struct model *model, zx_handle_t value, zx_obj_type_t type, zx_rights_t needed,
                        struct handle **found) {
    *found = model_find(model, value);
    if (!*found)
        return ZX_ERR_BAD_HANDLE;
    if (type && (*found)->object->type != type)
        return ZX_ERR_WRONG_TYPE;
    return (needed & ~(*found)->rights) ? ZX_ERR_ACCESS_DENIED : ZX_OK;
}

struct object *model_add(struct model *model, zx_obj_type_t type) {
    struct object *object = model->objects;
    while (object->type)
        object++;
    *object = (struct object){.type = type, .signals = type == ZX_OBJ_TYPE_VMO ? ZX_VMO_ZERO_CHILDREN : 0};
    return object;
}

struct object *model_add_vmo(struct model *model, uint64_t size, struct object *parent, bool slice, uint64_t offset) {
    struct object *vmo = model_add(model, ZX_OBJ_TYPE_VMO);
    vmo->size = page_round(size);
    vmo->content_size = size;
    vmo->parent = parent;
    if (parent) {
        parent->children++;
        parent->signals &= ~ZX_VMO_ZERO_CHILDREN;
        vmo->cache_policy = parent->cache_policy;
    }
    vmo->snapshot = parent && !slice;
    vmo->bytes = slice ? parent->bytes : calloc(1, sizeof *vmo->bytes);
    vmo->start = slice ? parent->start + offset : 0;
    FUZZ_EXPECT(vmo->bytes);
    vmo->bytes->users++;
    if (vmo->snapshot && offset < parent->size)
        memcpy(vmo->bytes->at, bytes_at(parent, offset),
               vmo->size < parent->size - offset ? vmo->size : parent->size - offset);
    return vmo;
}

void model_open(struct model *model, struct object *object, zx_rights_t rights, zx_handle_t value) {
    struct handle *handle = model->handles;
    while (handle->value)
        handle++;
    object->handles++;
    *handle = (struct handle){.value = value, .rights = rights, .object = object};
}

// Destroys an object without references, and its parent if that has none either.
static void let_go(struct object *object) {
    while (object && !object->handles && !object->mappings && !object->children) {
        struct object *parent = object->parent;
        if (object->bytes && --object->bytes->users == 0)
            free(object->bytes);
        *object = (struct object){.type = ZX_OBJ_TYPE_NONE};
        if (parent && --parent->children == 0)
            parent->signals |= ZX_VMO_ZERO_CHILDREN;
        object = parent;
    }
}

void model_close(struct model *model, struct handle *handle) {
    struct object *object = handle->object;
    (void)model;
    handle->value = ZX_HANDLE_INVALID;
    object->handles--;
    let_go(object);
}

void model_map(struct model *model, const struct mapping *mapping) {
    struct mapping *free_one = model->mappings;
    while (free_one->address)
        free_one++;
    *free_one = *mapping;
    mapping->vmo->mappings++;
}

void model_unmap(struct mapping *mapping) {
    struct object *vmo = mapping->vmo;
    mapping->address = 0;
    vmo->mappings--;
    let_go(vmo);
}

uint32_t model_handles_of(const struct model *model, zx_obj_type_t type) {
    uint32_t count = 0;
    for (size_t i = 0; i < MAX_HANDLES; i++)
        count += model->handles[i].value && model->handles[i].object->type == type;
    return count;
}
