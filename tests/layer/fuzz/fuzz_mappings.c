// SPDX-License-Identifier: Apache-2.0
//
// The fuzzer's calls on mappings.
#include "fuzz_zircon.h"
#include "zircon_private.h"

#include <string.h>

static zx_rights_t rights_for(zx_vm_option_t options) {
    return ZX_RIGHT_MAP | (options & ZX_VM_PERM_READ ? ZX_RIGHT_READ : 0) |
           (options & ZX_VM_PERM_WRITE ? ZX_RIGHT_WRITE : 0) | (options & ZX_VM_PERM_EXECUTE ? ZX_RIGHT_EXECUTE : 0);
}

static zx_status_t expected_of_map(const struct object *vmo, zx_vm_option_t options, uint64_t offset, size_t length) {
    const bool faults = options & ZX_VM_ALLOW_FAULTS;
    if ((options & (ZX_VM_PERM_READ | ZX_VM_PERM_WRITE)) == ZX_VM_PERM_WRITE || offset % PAGE || length == 0 ||
        length > SIZE_MAX / 2)
        return ZX_ERR_INVALID_ARGS;
    if (offset > UINT64_MAX - page_round(length))
        return ZX_ERR_OUT_OF_RANGE;
    if (((vmo->resizable || vmo->discardable) && !faults) || (vmo->resizable && options & ZX_VM_REQUIRE_NON_RESIZABLE))
        return ZX_ERR_NOT_SUPPORTED;
    return !faults && !is_in(vmo, offset, page_round(length)) ? ZX_ERR_BUFFER_TOO_SMALL : ZX_OK;
}

static uint64_t smaller(uint64_t left, uint64_t right) {
    return left < right ? left : right;
}

void map_vmo(struct run *run) {
    struct handle *handle, *root;
    zx_vaddr_t address;
    const zx_handle_t vmo = decide_handle(run);
    const zx_handle_t vmar = decide_below(&run->decisions, 8) ? zx_vmar_root_self() : decide_handle(run);
    const zx_vm_option_t options = DECIDE_AMONG(&run->decisions, zx_vm_option_t, 0, 1, 2, 3, 3, 3, 4, 7) |
                                   DECIDE_AMONG(&run->decisions, zx_vm_option_t, 0, 0, ZX_VM_MAP_RANGE,
                                                ZX_VM_ALLOW_FAULTS, ZX_VM_ALLOW_FAULTS | ZX_VM_REQUIRE_NON_RESIZABLE);
    const uint64_t offset = DECIDE_AMONG(&run->decisions, uint64_t, 0, 0, 4096, 8192, 100, UINT64_MAX - 4095);
    const size_t length = DECIDE_AMONG(&run->decisions, size_t, 0, 1, 4096, 8192, 16384, SIZE_MAX);
    zx_status_t expected = model_check(&run->model, vmar, ZX_OBJ_TYPE_VMAR, rights_for(options) & ~ZX_RIGHT_MAP, &root);
    if (expected == ZX_OK)
        expected = model_check(&run->model, vmo, ZX_OBJ_TYPE_VMO, rights_for(options), &handle);
    if (expected == ZX_OK)
        expected = expected_of_map(handle->object, options, offset, length);
    FUZZ_EXPECT_EQ(zx_vmar_map(vmar, options, 0, vmo, offset, length, &address), expected);
    if (expected != ZX_OK)
        return;
    FUZZ_EXPECT_EQ(address % PAGE, 0);
    const uint64_t there = offset < handle->object->size ? handle->object->size - offset : 0;
    const struct mapping mapping = {
        .address = address,
        .length = page_round(length),
        .vmo = handle->object,
        .offset = offset,
        .touchable = options & ZX_VM_PERM_READ ? smaller(there, page_round(length)) : 0,
        .writable = options & ZX_VM_PERM_WRITE,
    };
    model_map(&run->model, &mapping);
}

// Maps a VMO for a device, as the layer does.
void map_for_device(struct run *run) {
    struct handle *handle;
    zx_vaddr_t address;
    size_t length;
    const zx_handle_t vmo = decide_handle(run);
    const uint64_t size = decide_small_size(run);
    const zx_rights_t needed = ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP;
    zx_status_t expected = model_check(&run->model, vmo, ZX_OBJ_TYPE_VMO, needed, &handle);
    if (expected == ZX_OK && (size == 0 || size > handle->object->size))
        expected = ZX_ERR_OUT_OF_RANGE;
    FUZZ_EXPECT_EQ(vkz_vmo_map(vmo, size, &address, &length), expected);
    if (expected != ZX_OK)
        return;
    FUZZ_EXPECT_EQ(address % VKZ_GRANULE, 0);
    FUZZ_EXPECT_EQ(length, VKZ_GRANULE);
    ((volatile uint8_t *)address)[length - 1] |= 0; // the driver may access all of it
    const struct mapping mapping = {
        .address = address,
        .length = length,
        .vmo = handle->object,
        .touchable = handle->object->size,
        .writable = true,
        .for_device = true,
    };
    model_map(&run->model, &mapping);
}

static struct mapping *decide_mapping(struct run *run) {
    for (uint32_t i = decide(&run->decisions), tries = 0; tries < MAX_MAPPINGS; i++, tries++) {
        if (run->model.mappings[i % MAX_MAPPINGS].address)
            return &run->model.mappings[i % MAX_MAPPINGS];
    }
    return NULL;
}

// Takes pages off a mapping of the model. What is left behind them is a mapping of its own.
static void cut_mapping(struct run *run, struct mapping *mapping, size_t from, size_t to) {
    struct mapping after = *mapping;
    after.address += to;
    after.offset += to;
    after.length -= to;
    after.touchable = mapping->touchable > to ? mapping->touchable - to : 0;
    mapping->length = from;
    mapping->touchable = smaller(mapping->touchable, from);
    if (after.length)
        model_map(&run->model, &after);
    if (!from)
        model_unmap(mapping);
}

static bool mapping_is_free(const struct model *model) {
    for (size_t i = 0; i < MAX_MAPPINGS; i++) {
        if (!model->mappings[i].address)
            return true;
    }
    return false;
}

void unmap_vmo(struct run *run) {
    struct handle *root;
    struct mapping *mapping = decide_mapping(run);
    const zx_handle_t vmar = decide_below(&run->decisions, 8) ? zx_vmar_root_self() : decide_handle(run);
    const zx_status_t checked = model_check(&run->model, vmar, ZX_OBJ_TYPE_VMAR, 0, &root);
    if (checked != ZX_OK || !mapping) {
        FUZZ_EXPECT_EQ(zx_vmar_unmap(vmar, 0x10000, PAGE), checked == ZX_OK ? ZX_ERR_NOT_FOUND : checked);
        return;
    }
    const size_t pages = mapping->length / PAGE;
    const bool part = decide_below(&run->decisions, 2) && mapping_is_free(&run->model);
    const size_t from = part ? PAGE * decide_below(&run->decisions, (uint32_t)pages) : 0;
    const size_t to =
        part ? from + PAGE * (1 + decide_below(&run->decisions, (uint32_t)(pages - from / PAGE))) : mapping->length;
    FUZZ_EXPECT_EQ(zx_vmar_unmap(vmar, mapping->address + 1, PAGE), ZX_ERR_INVALID_ARGS);
    FUZZ_EXPECT_EQ(zx_vmar_unmap(vmar, mapping->address, 0), ZX_ERR_INVALID_ARGS);
    FUZZ_EXPECT_EQ(zx_vmar_unmap(vmar, mapping->address + from, to - from), ZX_OK);
    cut_mapping(run, mapping, from, to);
}

void touch_mapping(struct run *run) {
    struct mapping *mapping = decide_mapping(run);
    if (!mapping || mapping->touchable == 0)
        return;
    uint8_t *expected = bytes_at(mapping->vmo, mapping->offset);
    FUZZ_EXPECT(memcmp((const void *)mapping->address, expected, mapping->touchable) == 0);
    if (!mapping->writable)
        return;
    const uint64_t at = decide_word(&run->decisions) % mapping->touchable;
    ((uint8_t *)mapping->address)[at] = expected[at] = decide(&run->decisions);
}
