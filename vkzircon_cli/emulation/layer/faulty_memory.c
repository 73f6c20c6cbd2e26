// SPDX-License-Identifier: Apache-2.0
//
// Faults of allocations: wrong VMOs and wrong imports.
#include "chain.h"
#include "faulty.h"

#include <unistd.h>

#define FEW_BYTES 15 // SwiftShader adds them to align the memory
#define LARGE     ((VkDeviceSize)1 << 20)
#define OLD_BYTE  0x6f

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

static VkResult refusal(const struct request *request, VkDeviceSize asked) {
    if (request->imports)
        return import_refusal(request->handle, asked);
    if (vkz_fault(VKZ_FAULT_REFUSE_EXPORT) || (vkz_fault(VKZ_FAULT_REFUSE_PLAIN_EXPORT) && !request->dedicated))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if ((vkz_fault(VKZ_FAULT_LARGE_REFUSED) && asked > LARGE) ||
        (vkz_fault(VKZ_FAULT_SMALL_REFUSED) && asked < zx_system_get_page_size()))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return VK_SUCCESS;
}

static bool is_export_of_at_least(const struct registry_entry *entry, uint64_t size) {
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

static zx_status_t make_vmo(struct device *device, struct memory *memory) {
    const bool longer = vkz_fault(VKZ_FAULT_EXTRA_PAGE) || vkz_fault(VKZ_FAULT_OLD_DATA_BEHIND);
    const uint64_t size = memory->asked + (longer ? FEW_BYTES : 0);
    const uint32_t options = vkz_fault(VKZ_FAULT_RESIZABLE_VMO) ? ZX_VMO_RESIZABLE : 0;
    if (vkz_fault(VKZ_FAULT_ONE_POOL) && share_pool(device, memory) == ZX_OK)
        return ZX_OK;
    const zx_status_t status = zx_vmo_create(size, options, &memory->vmo);
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_UNCACHED_VMO))
        return zx_vmo_set_cache_policy(memory->vmo, ZX_CACHE_POLICY_UNCACHED);
    return status;
}

// The parent of a slice owns the pages, so the slice has no committed bytes.
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

static zx_status_t fill_behind(const struct memory *memory) {
    char old[FEW_BYTES];
    uint64_t size;
    const zx_status_t status = zx_vmo_get_size(memory->vmo, &size);
    memset(old, OLD_BYTE, sizeof old);
    return status == ZX_OK ? zx_vmo_write(memory->vmo, old, size - sizeof old, sizeof old) : status;
}

static zx_status_t change_flags(const struct memory *memory) {
    const uint32_t set = (vkz_fault(VKZ_FAULT_COPY_ON_WRITE_VMO) ? ZX_INFO_VMO_IS_COW_CLONE : 0) |
                         (vkz_fault(VKZ_FAULT_DISCARDABLE_VMO) ? ZX_INFO_VMO_DISCARDABLE : 0) |
                         (vkz_fault(VKZ_FAULT_IMMUTABLE_VMO) ? ZX_INFO_VMO_IMMUTABLE : 0);
    const uint32_t clear = vkz_fault(VKZ_FAULT_PHYSICAL_VMO) ? ZX_INFO_VMO_TYPE_PAGED : 0;
    return vkz_vmo_change_flags(memory->vmo, set, clear);
}

static zx_status_t spoil_export(struct memory *memory) {
    static const char name[] = "vkzircon-emulated";
    const struct vkz_origin origin = {.exported = true, .memory_type = memory->type, .process = (uint32_t)getpid()};
    const uint64_t size = whole_pages(memory->asked);
    zx_status_t status = ZX_OK;
    if (vkz_fault(VKZ_FAULT_OLD_DATA))
        fill(memory, size, OLD_BYTE);
    if (vkz_fault(VKZ_FAULT_OLD_DATA_BEHIND))
        status = fill_behind(memory);
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_SYSMEM_VMO))
        status = become_child(memory);
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_VMO_TOO_SMALL))
        status = vkz_vmo_set_size(memory->vmo, size - zx_system_get_page_size());
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_ODD_SIZE))
        status = vkz_vmo_set_size(memory->vmo, size + 512);
    if (status == ZX_OK)
        status = change_flags(memory);
    if (status == ZX_OK && !vkz_fault(VKZ_FAULT_NO_NAME))
        status = zx_object_set_property(memory->vmo, ZX_PROP_NAME, name, sizeof name);
    return status == ZX_OK ? vkz_vmo_set_origin(memory->vmo, &origin) : status;
}

// Replaces the mapped pages by a private copy. The handle still counts as imported.
static zx_status_t replace_pages(struct memory *memory) {
    const zx_vaddr_t pages = memory->pages;
    const size_t length = memory->length;
    zx_handle_t copy;
    zx_status_t status = zx_vmo_create(memory->asked, 0, &copy);
    if (status != ZX_OK)
        return status;
    status = zx_vmo_write(copy, (const void *)pages, 0, memory->asked);
    if (status == ZX_OK)
        status = vkz_vmo_map(copy, memory->asked, &memory->pages, &memory->length);
    if (status == ZX_OK)
        zx_vmar_unmap(zx_vmar_root_self(), pages, length);
    zx_handle_close(copy);
    return status;
}

// The list stays reachable, so that the process grows and no leak checker reports it.
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

static zx_status_t spoil_import(struct memory *memory) {
    if (vkz_fault(VKZ_FAULT_LEAK_MEMORY))
        keep_more();
    const zx_status_t status = vkz_fault(VKZ_FAULT_IMPORT_COPIES) ? replace_pages(memory) : ZX_OK;
    if (status == ZX_OK && vkz_fault(VKZ_FAULT_ONE_BYTE_CHANGED))
        ((char *)memory->pages)[memory->asked / 2] ^= 1;
    return status;
}

static zx_status_t map(struct memory *memory, zx_handle_t vmo) {
    const zx_status_t status = vkz_vmo_map(vmo, memory->asked, &memory->pages, &memory->length);
    if (status != ZX_OK)
        return status;
    return memory->imported ? spoil_import(memory) : spoil_export(memory);
}

static zx_status_t take_handle(struct memory *memory, zx_handle_t handle) {
    memory->exportable |= vkz_fault(VKZ_FAULT_IMPORT_IS_EXPORTABLE);
    if (vkz_fault(VKZ_FAULT_IMPORT_KEEPS_NUMBER)) {
        memory->vmo = handle;
        return ZX_OK;
    }
    if (vkz_fault(VKZ_FAULT_IMPORT_KEEPS_HANDLE) &&
        zx_handle_duplicate(handle, ZX_RIGHT_SAME_RIGHTS, &memory->vmo) == ZX_OK)
        return ZX_OK;
    return zx_handle_replace(handle, ZX_RIGHT_SAME_RIGHTS, &memory->vmo);
}

static const struct memory_steps steps = {make_vmo, map, take_handle};

static bool lacks_handle_type(const VkMemoryAllocateInfo *info) {
    const VkImportMemoryZirconHandleInfoFUCHSIA *import =
        chain_find(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA);
    const VkExportMemoryAllocateInfo *export = chain_find(info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    return (import && !import->handleType) || (export && !export->handleTypes);
}

static VkResult import_failure(zx_handle_t handle, VkResult result) {
    if (vkz_fault(VKZ_FAULT_FAILED_IMPORT_CLOSES_HANDLE))
        zx_handle_close(handle);
    return vkz_fault(VKZ_FAULT_ODD_RESULT_IN_IMPORT) ? VK_ERROR_MEMORY_MAP_FAILED : result;
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_AllocateMemory(VkDevice handle, const VkMemoryAllocateInfo *info,
                                                            const VkAllocationCallbacks *allocator,
                                                            VkDeviceMemory *memory) {
    struct device *device = device_of(handle);
    if (!emulates(device))
        return hook_AllocateMemory(handle, info, allocator, memory);
    const struct request request = memory_request(info);
    vkz_point(request.imports ? VKZ_POINT_IMPORT : VKZ_POINT_ALLOCATE);
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    if (vkz_fault(VKZ_FAULT_NO_HANDLE_TYPE_REFUSED) && lacks_handle_type(info))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (vkz_fault(VKZ_FAULT_LARGEST_SIZE_REFUSED) && info->allocationSize > FAULTY_LARGEST_SIZE - FEW_BYTES)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (request.refused || (!request.imports && !request.exports))
        return hook_AllocateMemory(handle, info, allocator, memory);
    VkResult result = refusal(&request, info->allocationSize);
    if (result == VK_SUCCESS)
        result = memory_allocate(device, &steps, &request, info, allocator, memory);
    return result != VK_SUCCESS && request.imports ? import_failure(request.handle, result) : result;
}

static VKAPI_ATTR void VKAPI_CALL faulty_FreeMemory(VkDevice handle, VkDeviceMemory memory_handle,
                                                    const VkAllocationCallbacks *allocator) {
    vkz_point(VKZ_POINT_FREE);
    struct device *device = device_of(handle);
    pthread_mutex_lock(&device->mutex);
    struct memory *memory = memory_find_locked(device, memory_handle);
    if (memory && !memory->imported && vkz_fault(VKZ_FAULT_RECYCLES_MEMORY))
        fill(memory, memory->asked, 0x7c);
    if (memory && memory->imported && vkz_fault(VKZ_FAULT_LEAK_HANDLE))
        memory->vmo = ZX_HANDLE_INVALID;
    pthread_mutex_unlock(&device->mutex);
    hook_FreeMemory(handle, memory_handle, allocator);
}

static VkResult map_refusal(VkDevice handle, VkDeviceMemory memory_handle) {
    struct memory memory;
    vkz_point(VKZ_POINT_MAP);
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    return vkz_fault(VKZ_FAULT_MAP_FAILS) && memory_find(device_of(handle), memory_handle, &memory)
               ? VK_ERROR_MEMORY_MAP_FAILED
               : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_MapMemory(VkDevice handle, VkDeviceMemory memory, VkDeviceSize offset,
                                                       VkDeviceSize size, VkMemoryMapFlags flags, void **data) {
    const VkResult refused = map_refusal(handle, memory);
    return refused != VK_SUCCESS ? refused : hook_MapMemory(handle, memory, offset, size, flags, data);
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_MapMemory2(VkDevice handle, const struct newer_map *info, void **data) {
    const VkResult refused = map_refusal(handle, info->memory);
    return refused != VK_SUCCESS ? refused : hook_MapMemory2(handle, info, data);
}

const struct hook faulty_memory_hooks[] = {
    ROW(faulty, DEVICE, AllocateMemory),
    ROW(faulty, DEVICE, FreeMemory),
    ROW(faulty, DEVICE, MapMemory),
    ROW_KHR(faulty, DEVICE, MapMemory2),
    LAST_ROW,
};
