// SPDX-License-Identifier: Apache-2.0
//
// Observes the bytes and handles of an import.
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void observe_imported_bytes(const struct scene *scene, const struct shared *ours,
                                   const struct shared *imported) {
    scene->report(WRONG_IN_IMPORT, (int64_t)pattern_wrong(imported->bytes, SIZE, 0x40));
    scene->report(WRONG_IN_EXPORT, (int64_t)pattern_wrong(ours->bytes, SIZE, 0x40));
    pattern_write(imported->bytes, SIZE, 0x60);
    scene->report(IMPORT_SHARES, pattern_wrong(ours->bytes, SIZE, 0x60) == 0);
}

static void observe_imported(const struct scene *scene, const struct shared *ours, struct shared *imported) {
    if (scene->gpu.get_handle) {
        zx_handle_t handle = ZX_HANDLE_INVALID;
        const VkResult result = scene_get(scene, imported->memory, &handle);
        scene->report(GET_IMPORTED, result);
        if (result == VK_SUCCESS)
            zx_handle_close(handle);
    }
    scene->report(MAP_IMPORTED, scene_map(scene, imported));
    if (ours->bytes && imported->bytes)
        observe_imported_bytes(scene, ours, imported);
}

void observe_import(const struct scene *scene, const struct shared *ours, zx_handle_t handle) {
    struct shared imported = {0};
    zx_handle_t given = ZX_HANDLE_INVALID;
    if (ours->bytes)
        pattern_write(ours->bytes, SIZE, 0x40);
    zx_handle_duplicate(handle, ZX_RIGHT_SAME_RIGHTS, &given);
    const int64_t before = handle_count(handle);
    const VkResult result = scene_import(scene, SIZE, given, &imported.memory);
    scene->report(IMPORT, result);
    if (result != VK_SUCCESS) {
        if (valid_status(given) == ZX_OK)
            zx_handle_close(given);
        return;
    }
    scene->report(VALID_AFTER_IMPORT, valid_status(given));
    scene->report(HANDLES_BY_IMPORT, handle_count(handle) - before);
    observe_imported(scene, ours, &imported);
    scene_free(scene, &imported);
    scene->report(HANDLES_BY_FREE, handle_count(handle) - before);
    scene->report(VALID_AFTER_FREE, valid_status(given));
}

static VkResult import_and_free(const struct scene *scene, VkDeviceSize size, zx_handle_t handle) {
    VkDeviceMemory memory;
    const VkResult result = scene_import(scene, size, handle, &memory);
    return scene_free_at_once(scene, result, memory);
}

static void close_if_open(zx_handle_t handle) {
    if (valid_status(handle) == ZX_OK)
        zx_handle_close(handle);
}

static int64_t resident_bytes(void) {
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &all, &resident) != 2)
        abort();
    fclose(file);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

// After imports and frees, the process may have grown by the driver's caches only.
void observe_growth(const struct scene *scene) {
    enum { IMPORTS = 48, ENOUGH = 16 * 1024 };
    const int64_t before = resident_bytes();
    for (int i = 0; i < IMPORTS; i++) {
        const zx_handle_t vmo = new_vmo(SIZE);
        import_and_free(scene, SIZE, vmo);
        close_if_open(vmo);
    }
    scene->report(IMPORTS_GROW, resident_bytes() - before > (int64_t)IMPORTS * ENOUGH);
}

static VkResult import_without_type(const struct scene *scene) {
    const VkImportMemoryZirconHandleInfoFUCHSIA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
    };
    VkDeviceMemory memory;
    const VkResult result = scene_allocate(scene, SIZE, &import, &memory);
    return scene_free_at_once(scene, result, memory);
}

void observe_other_imports(const struct scene *scene) {
    zx_handle_t event = ZX_HANDLE_INVALID;
    const zx_handle_t foreign = new_vmo(SIZE);
    scene->report(IMPORT_FOREIGN, import_and_free(scene, SIZE, foreign));
    close_if_open(foreign);
    scene->report(IMPORT_WITHOUT_TYPE, import_without_type(scene));
    const zx_handle_t small = new_vmo(4096);
    const VkResult result = import_and_free(scene, SIZE, small);
    scene->report(IMPORT_TOO_MUCH, result);
    scene->report(VALID_AFTER_IMPORT_TOO_MUCH, valid_status(small));
    close_if_open(small);
    zx_event_create(0, &event);
    scene->report(IMPORT_EVENT, import_and_free(scene, SIZE, event));
    scene->report(VALID_AFTER_IMPORT_EVENT, valid_status(event));
    close_if_open(event);
}

// Last, because it crashes some drivers.
void observe_bad_handles(const struct scene *scene) {
    uint32_t bits;
    zx_handle_t vmo = ZX_HANDLE_INVALID;
    zx_handle_replace(new_vmo(SIZE), ZX_DEFAULT_VMO_RIGHTS & ~ZX_RIGHT_DUPLICATE, &vmo);
    scene->report(IMPORT_WITHOUT_DUPLICATE, import_and_free(scene, SIZE, vmo));
    close_if_open(vmo);
    scene->report(IMPORT_ZERO, import_and_free(scene, SIZE, ZX_HANDLE_INVALID));
    if (scene->gpu.get_handle_properties)
        scene->report(ASK_GARBAGE, scene_ask(scene, ZIRCON_VMO, 0xabcd1234, &bits, NULL));
    scene->report(IMPORT_GARBAGE, import_and_free(scene, SIZE, 0xabcd1234));
}
