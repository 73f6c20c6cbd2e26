// SPDX-License-Identifier: Apache-2.0
//
// What the extension does. A VMO's pages, mapped here, are the driver's host memory: an export makes the VMO, an import
// maps somebody's, and from then on both are the same.
#include "chain.h"

#include <stdlib.h>
#include <string.h>

struct memory {
    struct entry entry; // by VkDeviceMemory
    zx_handle_t vmo;    // ours: closed when the memory is freed
    bool exportable;
    zx_vaddr_t pages;
    size_t length;
    VkDeviceSize asked; // allocationSize, the application's
    VkDeviceSize size;  // and the driver's
};

// What an application's VkMemoryAllocateInfo asks of us.
struct request {
    bool imports;
    bool exports;
    bool refused; // something that only another handle type could give
    zx_handle_t handle;
};

static void read_import(const VkMemoryAllocateInfo *info, struct request *request) {
    const VkImportMemoryZirconHandleInfoFUCHSIA *import =
        chain_find(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA);
    if (!import || import->handleType == 0) // "ignored", says the spec
        return;
    request->imports = true;
    request->refused |= import->handleType != ZIRCON_VMO; // 04771
    request->handle = import->handle;
}

static void read_export(const VkMemoryAllocateInfo *info, struct request *request) {
    const VkExportMemoryAllocateInfo *export = chain_find(info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    if (!export || !(export->handleTypes & ZIRCON_VMO))
        return;
    request->exports = true;
    request->refused |= export->handleTypes != ZIRCON_VMO; // 09860: we report no other type as compatible
}

static struct request read_request(const VkMemoryAllocateInfo *info) {
    struct request request = {0};
    read_import(info, &request);
    read_export(info, &request);
    return request;
}

// A failed import leaves the handle with the application, whatever the failure.
static VkResult import_failure(zx_status_t status) {
    switch (status) {
    case ZX_ERR_BAD_HANDLE:
    case ZX_ERR_WRONG_TYPE:
    case ZX_ERR_ACCESS_DENIED: // without READ, WRITE and MAP a device can do nothing with it
    case ZX_ERR_OUT_OF_RANGE:  // 07902, 07903: 0 < allocationSize <= the VMO's size
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    default:
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
}

static VkResult map_import(struct memory *memory, zx_handle_t handle) {
    const zx_status_t status = vkz_vmo_map(handle, memory->asked, &memory->pages, &memory->length);
    return status == ZX_OK ? VK_SUCCESS : import_failure(status);
}

static VkResult map_export(struct memory *memory) {
    static const char name[] = "vkzircon-emulated";
    zx_status_t status = zx_vmo_create(memory->asked, 0, &memory->vmo);
    if (status == ZX_OK)
        status = zx_object_set_property(memory->vmo, ZX_PROP_NAME, name, sizeof name);
    if (status == ZX_OK)
        status = vkz_vmo_map(memory->vmo, memory->asked, &memory->pages, &memory->length);
    return status == ZX_OK ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static void unmap(struct memory *memory) {
    if (memory->length)
        zx_vmar_unmap(zx_vmar_root_self(), memory->pages, memory->length);
    zx_handle_close(memory->vmo);
}

// The trial only tried some pages; these are the ones that count.
static bool type_takes_pages(const struct device *device, uint32_t type, void *pages) {
    VkMemoryHostPointerPropertiesEXT pointer = {.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    const VkResult result =
        device->next.GetMemoryHostPointerPropertiesEXT(device->handle, HOST_MEMORY, pages, &pointer);
    return result == VK_SUCCESS && (usable_memory_types(device->physical, pointer.memoryTypeBits) & 1u << type);
}

// The driver sees an import of host memory, and neither the application's import or export nor a dedicated allocation:
// beside a host pointer 02805 and 02806 forbid one.
static VkResult allocate_below(const struct device *device, const struct memory *memory,
                               const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *allocator,
                               VkDeviceMemory *handle) {
    static const struct chain_rule rules[] = {
        {VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, NULL},
        {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL},
        {VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO, NULL},
        {VK_STRUCTURE_TYPE_DEDICATED_ALLOCATION_MEMORY_ALLOCATE_INFO_NV, NULL},
    };
    struct chain chain;
    chain_rewrite(&chain, info->pNext, rules, sizeof rules / sizeof rules[0]);
    const VkImportMemoryHostPointerInfoEXT host = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .pNext = chain.first,
        .handleType = HOST_MEMORY,
        .pHostPointer = (void *)memory->pages,
    };
    const VkMemoryAllocateInfo below = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &host,
        .allocationSize = memory->size,
        .memoryTypeIndex = info->memoryTypeIndex,
    };
    const VkResult result = device->next.AllocateMemory(device->handle, &below, allocator, handle);
    chain_restore(&chain);
    return result;
}

// "After successful import the application must do nothing more with the handle": its number dies here, so that whoever
// tries notices.
static VkResult take_handle(struct memory *memory, zx_handle_t handle) {
    const zx_status_t status = zx_handle_replace(handle, ZX_RIGHT_SAME_RIGHTS, &memory->vmo);
    return status == ZX_OK ? VK_SUCCESS : import_failure(status);
}

static VkResult allocate_pages(struct device *device, struct memory *memory, const struct request *request,
                               const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *allocator,
                               VkDeviceMemory *handle) {
    VkResult result = request->imports ? map_import(memory, request->handle) : map_export(memory);
    if (result != VK_SUCCESS)
        return result;
    if (!type_takes_pages(device, info->memoryTypeIndex, (void *)memory->pages))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkDeviceMemory allocated;
    result = allocate_below(device, memory, info, allocator, &allocated);
    if (result == VK_SUCCESS && request->imports) {
        result = take_handle(memory, request->handle);
        if (result != VK_SUCCESS)
            device->next.FreeMemory(device->handle, allocated, allocator);
    }
    if (result == VK_SUCCESS)
        *handle = allocated;
    return result;
}

static VkResult allocate_shared(struct device *device, const struct request *request, const VkMemoryAllocateInfo *info,
                                const VkAllocationCallbacks *allocator, VkDeviceMemory *handle) {
    if (request->refused)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    struct memory *memory = object_allocate(allocator, sizeof *memory);
    if (!memory)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkDeviceSize alignment = device->physical->host_pointer_alignment; // of the size too: 01745
    *memory = (struct memory){
        .exportable = request->exports,
        .asked = info->allocationSize,
        .size = (info->allocationSize + alignment - 1) & ~(alignment - 1),
    };
    const VkResult result = allocate_pages(device, memory, request, info, allocator, handle);
    if (result != VK_SUCCESS) {
        unmap(memory);
        object_free(allocator, memory);
        return result;
    }
    pthread_mutex_lock(&device->mutex);
    registry_add(&device->memories, &memory->entry, (uint64_t)*handle);
    pthread_mutex_unlock(&device->mutex);
    return VK_SUCCESS;
}

// Not ours, but a struct that the driver does not know may be in there, with handleType 0.
static VkResult allocate_other(const struct device *device, const VkMemoryAllocateInfo *info,
                               const VkAllocationCallbacks *allocator, VkDeviceMemory *handle) {
    const struct chain_rule rule = {VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, NULL};
    VkMemoryAllocateInfo below = *info;
    struct chain chain;
    chain_rewrite(&chain, info->pNext, &rule, 1);
    below.pNext = chain.first;
    const VkResult result = device->next.AllocateMemory(device->handle, &below, allocator, handle);
    chain_restore(&chain);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_AllocateMemory(VkDevice handle, const VkMemoryAllocateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkDeviceMemory *memory) {
    struct device *device = device_of(handle);
    if (!emulates(device))
        return device->next.AllocateMemory(handle, info, allocator, memory);
    const struct request request = read_request(info);
    return request.imports || request.exports ? allocate_shared(device, &request, info, allocator, memory)
                                              : allocate_other(device, info, allocator, memory);
}

// The pages outlive the driver's use of them.
VKAPI_ATTR void VKAPI_CALL hook_FreeMemory(VkDevice handle, VkDeviceMemory memory_handle,
                                           const VkAllocationCallbacks *allocator) {
    struct device *device = device_of(handle);
    pthread_mutex_lock(&device->mutex);
    struct memory *memory = (struct memory *)registry_take(&device->memories, (uint64_t)memory_handle);
    pthread_mutex_unlock(&device->mutex);
    device->next.FreeMemory(handle, memory_handle, allocator);
    if (!memory)
        return;
    unmap(memory);
    object_free(allocator, memory);
}

// Leaked by the application, whose callbacks may be gone: the pages go, the record stays.
void device_forget_memories(struct device *device) {
    for (struct entry *entry; (entry = registry_take_any(&device->memories));)
        unmap((struct memory *)entry);
}

// Copies what is known of it, so that no lock is held meanwhile; an unknown handle leaves `memory` alone.
static bool find_memory(struct device *device, VkDeviceMemory handle, struct memory *memory) {
    pthread_mutex_lock(&device->mutex);
    const struct memory *found = (struct memory *)registry_find(&device->memories, (uint64_t)handle);
    if (found)
        *memory = *found;
    pthread_mutex_unlock(&device->mutex);
    return found;
}

// The driver's allocation may be a little larger than the application's. A mapping that ends with the one ends with the
// other, so that the widened ranges below lie inside it.
VKAPI_ATTR VkResult VKAPI_CALL hook_MapMemory(VkDevice handle, VkDeviceMemory memory_handle, VkDeviceSize offset,
                                              VkDeviceSize size, VkMemoryMapFlags flags, void **data) {
    struct device *device = device_of(handle);
    struct memory memory;
    if (size != VK_WHOLE_SIZE && find_memory(device, memory_handle, &memory) && size == memory.asked - offset)
        size = memory.size - offset;
    return device->next.MapMemory(handle, memory_handle, offset, size, flags, data);
}

// A range may end at the end of the memory instead of a multiple of nonCoherentAtomSize. The driver's end lies
// elsewhere (VUID-VkMappedMemoryRange-size-01390), and its size is a multiple of the atom, so rounding up stays inside.
static VkMappedMemoryRange widen(struct device *device, const VkMappedMemoryRange *range) {
    VkMappedMemoryRange wide = *range;
    struct memory memory;
    if (range->size == VK_WHOLE_SIZE || !find_memory(device, range->memory, &memory))
        return wide;
    const VkDeviceSize atom = device->physical->non_coherent_atom_size;
    const VkDeviceSize end = (range->offset + range->size + atom - 1) / atom * atom;
    wide.offset = range->offset / atom * atom;
    wide.size = (end < memory.size ? end : memory.size) - wide.offset;
    return wide;
}

typedef VkResult(VKAPI_PTR *range_command)(VkDevice handle, uint32_t count, const VkMappedMemoryRange *ranges);

// In batches, so that no memory is needed; the order between ranges does not matter.
static VkResult pass_ranges(struct device *device, range_command next, uint32_t count,
                            const VkMappedMemoryRange *ranges) {
    VkMappedMemoryRange wide[16];
    for (uint32_t done = 0, batch; done < count; done += batch) {
        batch = count - done < 16 ? count - done : 16;
        for (uint32_t i = 0; i < batch; i++)
            wide[i] = widen(device, &ranges[done + i]);
        const VkResult result = next(device->handle, batch, wide);
        if (result != VK_SUCCESS)
            return result;
    }
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_FlushMappedMemoryRanges(VkDevice handle, uint32_t count,
                                                            const VkMappedMemoryRange *ranges) {
    struct device *device = device_of(handle);
    if (!emulates(device))
        return device->next.FlushMappedMemoryRanges(handle, count, ranges);
    return pass_ranges(device, device->next.FlushMappedMemoryRanges, count, ranges);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_InvalidateMappedMemoryRanges(VkDevice handle, uint32_t count,
                                                                 const VkMappedMemoryRange *ranges) {
    struct device *device = device_of(handle);
    if (!emulates(device))
        return device->next.InvalidateMappedMemoryRanges(handle, count, ranges);
    return pass_ranges(device, device->next.InvalidateMappedMemoryRanges, count, ranges);
}

// VK_ERROR_UNKNOWN is the listed code for "the application has provided invalid input"; the command's other codes speak
// of too many objects or too little memory, which would be untrue.
static VkResult export_failure(zx_status_t status) {
    return status == ZX_ERR_NO_MEMORY ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_ERROR_UNKNOWN;
}

// Every call gives another handle to the same VMO, with the rights that zx_vmo_create() gave, or, when the memory was
// imported, with those that came with the import.
VKAPI_ATTR VkResult VKAPI_CALL hook_GetMemoryZirconHandleFUCHSIA(VkDevice handle,
                                                                 const VkMemoryGetZirconHandleInfoFUCHSIA *info,
                                                                 zx_handle_t *zircon_handle) {
    struct device *device = device_of(handle);
    struct memory memory;
    if (!emulates(device) || info->handleType != ZIRCON_VMO || !find_memory(device, info->memory, &memory) ||
        !memory.exportable) // 04775, 04776
        return VK_ERROR_UNKNOWN;
    const zx_status_t status = zx_handle_duplicate(memory.vmo, ZX_RIGHT_SAME_RIGHTS, zircon_handle);
    return status == ZX_OK ? VK_SUCCESS : export_failure(status);
}

// A VMO that a device could not read, write and map is a VMO, so no error; but there is no type to import it as.
VKAPI_ATTR VkResult VKAPI_CALL hook_GetMemoryZirconHandlePropertiesFUCHSIA(
    VkDevice handle, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t zircon_handle,
    VkMemoryZirconHandlePropertiesFUCHSIA *properties) {
    const zx_rights_t needed = ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP;
    const struct device *device = device_of(handle);
    zx_info_handle_basic_t basic;
    if (!emulates(device) || type != ZIRCON_VMO ||
        zx_object_get_info(zircon_handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL) != ZX_OK ||
        basic.type != ZX_OBJ_TYPE_VMO) // 04773, 04774
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    properties->memoryTypeBits = (basic.rights & needed) == needed ? device->physical->memory_types : 0;
    return VK_SUCCESS;
}
