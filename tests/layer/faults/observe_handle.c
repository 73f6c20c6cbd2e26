// SPDX-License-Identifier: Apache-2.0
//
// Observes an exported handle, and the properties of handles.
#include "observe.h"

#include <string.h>

static void observe_info(const struct scene *scene, zx_handle_t handle) {
    zx_info_vmo_t info = {0};
    scene->report(OLDEST_INFO, zx_object_get_info(handle, ZX_INFO_VMO_V1, &info, sizeof info, NULL, NULL));
    zx_info_vmo_t newest;
    scene->report(NEWEST_INFO, zx_object_get_info(handle, ZX_INFO_VMO, &newest, sizeof newest, NULL, NULL));
    scene->report(FLAGS, info.flags);
    scene->report(CACHE_POLICY, info.cache_policy);
    scene->report(HAS_PARENT, info.parent_koid != ZX_KOID_INVALID);
    scene->report(IS_NAMED, info.name[0] != 0);
    scene->report(IS_COMMITTED, info.committed_bytes > 0);
}

static zx_status_t map_status(zx_handle_t handle) {
    zx_vaddr_t address;
    const zx_status_t status =
        zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ | ZX_VM_PERM_WRITE, 0, handle, 0, SIZE, &address);
    return status == ZX_OK ? zx_vmar_unmap(zx_vmar_root_self(), address, SIZE) : status;
}

// Whether the last byte is not zero. It is past the end of the allocation if the VMO is larger.
static bool has_old_byte_at_end(zx_handle_t handle, uint64_t size) {
    unsigned char last = 0;
    return size > SIZE && zx_vmo_read(handle, &last, size - 1, 1) == ZX_OK && last;
}

static void observe_vmo(const struct scene *scene, zx_handle_t handle) {
    static unsigned char bytes[SIZE];
    uint64_t size = 0;
    zx_vmo_get_size(handle, &size);
    scene->report(VMO_SIZE, (int64_t)size);
    scene->report(READ, zx_vmo_read(handle, bytes, 0, sizeof bytes));
    scene->report(OLD_BYTE_AT_END, has_old_byte_at_end(handle, size));
    scene->report(CLEAN, zx_vmo_op_range(handle, ZX_VMO_OP_CACHE_CLEAN, 0, 4096, NULL, 0));
    scene->report(WRITE, zx_vmo_write(handle, bytes, 0, 1));
    observe_info(scene, handle);
    scene->report(VMAR_MAP, map_status(handle));
}

void observe_object(const struct scene *scene, const struct shared *ours, zx_handle_t handle) {
    zx_info_handle_basic_t basic = {0};
    if (ours->bytes)
        pattern_write(ours->bytes, SIZE, 0);
    zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL);
    scene->report(TYPE, basic.type);
    scene->report(RIGHTS, basic.rights);
    if (basic.type == ZX_OBJ_TYPE_VMO)
        observe_vmo(scene, handle);
}

static void observe_other(const struct scene *scene, zx_handle_t handle, unsigned char seed) {
    struct shared other;
    zx_handle_t of_other = ZX_HANDLE_INVALID;
    if (scene_export(scene, &other) == VK_SUCCESS && scene_get(scene, other.memory, &of_other) == VK_SUCCESS) {
        scene->report(OTHER_HAS_KOID, koid_of(of_other) == koid_of(handle));
        scene->report(OTHER_SHARES, pattern_in_vmo(of_other, seed));
    }
    zx_handle_close(of_other);
    scene_free(scene, &other);
}

void observe_second(const struct scene *scene, const struct shared *ours, zx_handle_t handle) {
    const unsigned char seed = 0x20;
    zx_handle_t second = ZX_HANDLE_INVALID;
    scene->report(SECOND_GET, scene_get(scene, ours->memory, &second));
    pattern_write(ours->bytes, SIZE, seed);
    scene->report(SECOND_IS_FIRST, second == handle);
    scene->report(SECOND_HAS_KOID, koid_of(second) == koid_of(handle));
    scene->report(SECOND_SHARES, pattern_in_vmo(second, seed));
    if (second != handle)
        zx_handle_close(second);
    observe_other(scene, handle, seed);
}

static bool names_our_type(const struct scene *scene, VkResult result, uint32_t bits) {
    return result == VK_SUCCESS && bits >> scene->type & 1;
}

static void observe_ours(const struct scene *scene, zx_handle_t handle) {
    uint32_t bits, again;
    bool header_kept;
    zx_handle_t duplicate = ZX_HANDLE_INVALID;
    zx_handle_duplicate(handle, ZX_RIGHT_SAME_RIGHTS, &duplicate);
    const VkResult result = scene_ask(scene, ZIRCON_VMO, handle, &bits, &header_kept);
    scene->report(ASK, result);
    scene->report(ASK_BITS, bits);
    scene->report(ASK_NAMES_OUR_TYPE, names_our_type(scene, result, bits));
    scene->report(ASK_HEADER_KEPT, header_kept);
    scene->report(VALID_AFTER_ASK, valid_status(handle));
    scene->report(ASK_DUPLICATE_AGREES,
                  scene_ask(scene, ZIRCON_VMO, duplicate, &again, NULL) == result && again == bits);
    if (valid_status(duplicate) == ZX_OK)
        zx_handle_close(duplicate);
}

static VkResult ask_and_close(const struct scene *scene, zx_handle_t handle, uint32_t *bits) {
    const VkResult result = scene_ask(scene, ZIRCON_VMO, handle, bits, NULL);
    if (valid_status(handle) == ZX_OK)
        zx_handle_close(handle);
    return result;
}

static VkResult ask_with(const struct scene *scene, zx_rights_t rights, uint32_t *bits) {
    zx_handle_t vmo;
    return zx_handle_replace(new_vmo(SIZE), rights, &vmo) == ZX_OK ? ask_and_close(scene, vmo, bits) : VK_ERROR_UNKNOWN;
}

void observe_asking(const struct scene *scene, zx_handle_t handle) {
    uint32_t bits;
    zx_handle_t event = ZX_HANDLE_INVALID;
    if (handle)
        observe_ours(scene, handle);
    VkResult result = ask_and_close(scene, new_vmo(SIZE), &bits);
    scene->report(ASK_FOREIGN, result);
    scene->report(ASK_FOREIGN_NAMES_OUR_TYPE, names_our_type(scene, result, bits));
    result = ask_with(scene, ZX_DEFAULT_VMO_RIGHTS & ~ZX_RIGHT_DUPLICATE, &bits);
    scene->report(ASK_WITHOUT_DUPLICATE, result);
    scene->report(ASK_WITHOUT_DUPLICATE_NAMES_OUR_TYPE, names_our_type(scene, result, bits));
    result = ask_with(scene, ZX_RIGHT_DUPLICATE, &bits);
    scene->report(ASK_WITHOUT_RIGHTS, result);
    scene->report(ASK_WITHOUT_RIGHTS_BITS, bits);
    zx_event_create(0, &event);
    scene->report(ASK_EVENT, ask_and_close(scene, event, &bits));
    const zx_handle_t vmo = new_vmo(SIZE);
    scene->report(ASK_OTHER_TYPE, scene_ask(scene, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT, vmo, &bits, NULL));
    scene->report(ASK_ZERO, scene_ask(scene, ZIRCON_VMO, ZX_HANDLE_INVALID, &bits, NULL));
    if (valid_status(vmo) == ZX_OK)
        zx_handle_close(vmo);
}
