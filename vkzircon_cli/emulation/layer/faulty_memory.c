// SPDX-License-Identifier: Apache-2.0
//
// Faults of allocations: VMOs that are not what was asked for, and imports that are not what they should be.
#include "faulty.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEW_BYTES 15 // SwiftShader's, which makes room to align what it gets

static uint64_t whole_pages(uint64_t size) {
    const uint64_t page = zx_system_get_page_size();
    return (size + page - 1) / page * page;
}

static bool may_be_duplicated(zx_handle_t handle) {
    zx_handle_t duplicate;
    const bool duplicated = zx_handle_duplicate(handle, ZX_RIGHT_SAME_RIGHTS, &duplicate) == ZX_OK;
    if (duplicated)
        zx_handle_close(duplicate);
    return duplicated;
}

static bool is_foreign(zx_handle_t handle) {
    struct vkz_origin origin;
    return vkz_vmo_get_origin(handle, &origin) == ZX_OK && !origin.exported;
}

static bool is_from_elsewhere(zx_handle_t handle) {
    struct vkz_origin origin;
    return vkz_vmo_get_origin(handle, &origin) == ZX_OK && origin.exported && origin.process != (uint32_t)getpid();
}

static bool ends_early(zx_handle_t handle, VkDeviceSize asked) {
    uint64_t size;
    return zx_vmo_get_size(handle, &size) == ZX_OK && size < asked + FEW_BYTES;
}

static VkResult import_refusal(zx_handle_t handle, VkDeviceSize asked) {
    if (vkz_fault(VKZ_FAULT_IMPORT_KILLS) && !may_be_duplicated(handle))
        abort();
    if (vkz_fault(VKZ_FAULT_REFUSE_IMPORT))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (vkz_fault(VKZ_FAULT_INVALID_IMPORT))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (vkz_fault(VKZ_FAULT_FOREIGN_IMPORT_REFUSED) && is_foreign(handle))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (vkz_fault(VKZ_FAULT_IMPORT_ELSEWHERE_REFUSED) && is_from_elsewhere(handle))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (vkz_fault(VKZ_FAULT_IMPORT_NEEDS_EXTRA_PAGE) && ends_early(handle, asked))
        return VK_ERROR_MEMORY_MAP_FAILED;
    return VK_SUCCESS;
}

VkResult faulty_refusal(const struct request *request, VkDeviceSize asked) {
    if (request->imports)
        return import_refusal(request->handle, asked);
    if (vkz_fault(VKZ_FAULT_REFUSE_EXPORT) || (vkz_fault(VKZ_FAULT_REFUSE_PLAIN_EXPORT) && !request->dedicated))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return VK_SUCCESS;
}

static bool is_export_of_at_least(const struct entry *entry, uint64_t size) {
    const struct memory *memory = (const struct memory *)entry;
    return !memory->imported && memory->asked >= size;
}

static zx_status_t share_pool(struct device *device, struct memory *memory) {
    pthread_mutex_lock(&device->mutex);
    const struct memory *pool =
        (const struct memory *)registry_find_if(&device->memories, is_export_of_at_least, memory->asked);
    const zx_status_t status =
        pool ? zx_handle_duplicate(pool->vmo, ZX_RIGHT_SAME_RIGHTS, &memory->vmo) : ZX_ERR_NOT_FOUND;
    pthread_mutex_unlock(&device->mutex);
    return status;
}

zx_status_t faulty_make_vmo(struct device *device, struct memory *memory) {
    const uint64_t size = memory->asked + (vkz_fault(VKZ_FAULT_EXTRA_PAGE) ? FEW_BYTES : 0);
    const uint32_t options = vkz_fault(VKZ_FAULT_RESIZABLE_VMO) ? ZX_VMO_RESIZABLE : 0;
    if (vkz_fault(VKZ_FAULT_ONE_POOL) && share_pool(device, memory) == ZX_OK)
        return ZX_OK;
    const zx_status_t status = zx_vmo_create(size, options, &memory->vmo);
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_UNCACHED_VMO))
        return zx_vmo_set_cache_policy(memory->vmo, ZX_CACHE_POLICY_UNCACHED);
    return status;
}

// A slice has its parent's pages, and none that count as its own.
static zx_status_t become_child(struct memory *memory) {
    zx_handle_t child;
    uint64_t size;
    zx_status_t status = zx_vmo_get_size(memory->vmo, &size);
    if (status == ZX_OK)
        status = zx_vmo_create_child(memory->vmo, ZX_VMO_CHILD_SLICE, 0, size, &child);
    if (status != ZX_OK)
        return status;
    zx_handle_close(memory->vmo);
    memory->vmo = child;
    return ZX_OK;
}

static void fill(struct memory *memory, uint64_t size, int byte) {
    memset((void *)memory->pages, byte, size < memory->length ? size : memory->length);
}

zx_status_t faulty_export(struct memory *memory) {
    static const char name[] = "vkzircon-emulated";
    const uint64_t size = whole_pages(memory->asked);
    zx_status_t status = ZX_OK;
    if (vkz_fault(VKZ_FAULT_OLD_DATA))
        fill(memory, size, 0x6f);
    if (vkz_fault(VKZ_FAULT_SYSMEM_VMO))
        status = become_child(memory);
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_VMO_TOO_SMALL))
        status = vkz_vmo_set_size(memory->vmo, size - zx_system_get_page_size());
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_ODD_SIZE))
        status = vkz_vmo_set_size(memory->vmo, size + 512);
    if (status == ZX_OK && !vkz_fault(VKZ_FAULT_NO_NAME))
        status = zx_object_set_property(memory->vmo, ZX_PROP_NAME, name, sizeof name);
    return status;
}

// The same bytes in pages of our own; the handle goes on counting as if nothing had happened.
static zx_status_t copy_pages(struct memory *memory) {
    zx_handle_t copy;
    zx_vaddr_t pages;
    size_t length;
    zx_status_t status = zx_vmo_create(memory->asked, 0, &copy);
    if (status != ZX_OK)
        return status;
    status = vkz_vmo_map(copy, memory->asked, &pages, &length);
    zx_handle_close(copy);
    if (status != ZX_OK)
        return status;
    memcpy((void *)pages, (const void *)memory->pages, memory->asked);
    zx_vmar_unmap(zx_vmar_root_self(), memory->pages, memory->length);
    memory->pages = pages;
    memory->length = length;
    return ZX_OK;
}

// Reachable for ever, so that only the process's size tells of it and no leak checker does.
static void keep_more(void) {
    struct ballast {
        struct ballast *next;
        char bytes[32 * 1024];
    };
    static _Atomic(struct ballast *) kept;
    struct ballast *more = malloc(sizeof *more);
    if (!more)
        return;
    memset(more->bytes, 0x5a, sizeof more->bytes);
    more->next = atomic_load(&kept);
    while (!atomic_compare_exchange_weak(&kept, &more->next, more))
        ;
}

zx_status_t faulty_import(struct memory *memory) {
    if (vkz_fault(VKZ_FAULT_LEAK_MEMORY))
        keep_more();
    const zx_status_t status = vkz_fault(VKZ_FAULT_IMPORT_COPIES) ? copy_pages(memory) : ZX_OK;
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_ONE_BYTE_CHANGED))
        ((char *)memory->pages)[memory->asked / 2] ^= 1;
    return status;
}

bool faulty_take_handle(struct memory *memory, zx_handle_t handle) {
    if (vkz_fault(VKZ_FAULT_IMPORT_KEEPS_NUMBER)) {
        memory->vmo = handle;
        return true;
    }
    return vkz_fault(VKZ_FAULT_IMPORT_KEEPS_HANDLE) &&
           zx_handle_duplicate(handle, ZX_RIGHT_SAME_RIGHTS, &memory->vmo) == ZX_OK;
}

VkResult faulty_import_failure(zx_handle_t handle, VkResult result) {
    if (vkz_fault(VKZ_FAULT_FAILED_IMPORT_CLOSES_HANDLE))
        zx_handle_close(handle);
    return vkz_fault(VKZ_FAULT_ODD_RESULT_IN_IMPORT) ? VK_ERROR_MEMORY_MAP_FAILED : result;
}

void faulty_free(struct memory *memory) {
    if (!memory->imported && vkz_fault(VKZ_FAULT_RECYCLES_MEMORY))
        fill(memory, memory->asked, 0x7c);
}
