// SPDX-License-Identifier: Apache-2.0
//
// What the extension does. A VMO's pages, mapped here, are the driver's host memory: an export makes the VMO, an import
// maps somebody's, and from then on both are the same.
#include "chain.h"
#include "faulty.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What the spec says of a struct without a handle type.
static bool is_ignored(VkFlags types) {
    return types == 0 && !vkz_fault(VKZ_FAULT_NO_HANDLE_TYPE_REFUSED);
}

static void read_import(const VkMemoryAllocateInfo *info, struct request *request) {
    VkImportMemoryZirconHandleInfoFUCHSIA import;
    if (!chain_read(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, &import, sizeof import) ||
        is_ignored(import.handleType))
        return;
    request->imports = true;
    request->refused |= import.handleType != ZIRCON_VMO; // 04771
    request->handle = import.handle;
}

static void read_export(const VkMemoryAllocateInfo *info, struct request *request) {
    VkExportMemoryAllocateInfo export;
    if (!chain_read(info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, &export, sizeof export) ||
        is_ignored(export.handleTypes) || (export.handleTypes && !(export.handleTypes & ZIRCON_VMO)))
        return;
    request->exports = true;
    request->refused |= export.handleTypes != ZIRCON_VMO; // 09860: we report no other type as compatible
}

static struct request read_request(const VkMemoryAllocateInfo *info) {
    VkMemoryDedicatedAllocateInfo to;
    const bool named = chain_read(info->pNext, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO, &to, sizeof to);
    struct request request = {.dedicated = named && (to.buffer || to.image)};
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
    zx_status_t status = vkz_vmo_map(handle, memory->asked, &memory->pages, &memory->length);
    if (status == ZX_OK && vkz_any_fault())
        status = faulty_import(memory);
    return status == ZX_OK ? VK_SUCCESS : import_failure(status);
}

static zx_status_t make_vmo(struct memory *memory) {
    static const char name[] = "vkzircon-emulated";
    const zx_status_t status = zx_vmo_create(memory->asked, 0, &memory->vmo);
    return status == ZX_OK ? zx_object_set_property(memory->vmo, ZX_PROP_NAME, name, sizeof name) : status;
}

static VkResult map_export(struct device *device, struct memory *memory) {
    const struct vkz_origin origin = {.exported = true, .memory_type = memory->type, .process = (uint32_t)getpid()};
    zx_status_t status = vkz_any_fault() ? faulty_make_vmo(device, memory) : make_vmo(memory);
    if (status == ZX_OK)
        status = vkz_vmo_map(memory->vmo, memory->asked, &memory->pages, &memory->length);
    if (status == ZX_OK && vkz_any_fault())
        status = faulty_export(memory);
    if (status == ZX_OK)
        status = vkz_vmo_set_origin(memory->vmo, &origin);
    return status == ZX_OK ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static void unmap(struct memory *memory) {
    if (memory->length)
        zx_vmar_unmap(zx_vmar_root_self(), memory->pages, memory->length);
    if (!memory->imported || !vkz_fault(VKZ_FAULT_LEAK_HANDLE))
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
    if (faulty_take_handle(memory, handle))
        return VK_SUCCESS;
    const zx_status_t status = zx_handle_replace(handle, ZX_RIGHT_SAME_RIGHTS, &memory->vmo);
    return status == ZX_OK ? VK_SUCCESS : import_failure(status);
}

static VkResult allocate_pages(struct device *device, struct memory *memory, const struct request *request,
                               const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *allocator,
                               VkDeviceMemory *handle) {
    VkResult result = faulty_refusal(request, info->allocationSize);
    if (result != VK_SUCCESS)
        return result;
    result = request->imports ? map_import(memory, request->handle) : map_export(device, memory);
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
    struct memory *memory = host_allocate(allocator, sizeof *memory, VK_SYSTEM_ALLOCATION_SCOPE_OBJECT);
    if (!memory)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkDeviceSize alignment = device->physical->host_pointer_alignment; // of the size too: 01745
    *memory = (struct memory){
        .exportable = request->exports || (request->imports && vkz_fault(VKZ_FAULT_IMPORT_IS_EXPORTABLE)),
        .imported = request->imports,
        .type = info->memoryTypeIndex,
        .asked = info->allocationSize,
        .size = (info->allocationSize + alignment - 1) & ~(alignment - 1),
    };
    const VkResult result = allocate_pages(device, memory, request, info, allocator, handle);
    if (result != VK_SUCCESS) {
        unmap(memory);
        host_free(allocator, memory);
        return request->imports ? faulty_import_failure(request->handle, result) : result;
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
    vkz_point(request.imports ? VKZ_POINT_IMPORT : VKZ_POINT_ALLOCATE);
    return request.imports || request.exports ? allocate_shared(device, &request, info, allocator, memory)
                                              : allocate_other(device, info, allocator, memory);
}

// The pages outlive the driver's use of them.
VKAPI_ATTR void VKAPI_CALL hook_FreeMemory(VkDevice handle, VkDeviceMemory memory_handle,
                                           const VkAllocationCallbacks *allocator) {
    vkz_point(VKZ_POINT_FREE);
    struct device *device = device_of(handle);
    pthread_mutex_lock(&device->mutex);
    struct memory *memory = (struct memory *)registry_take(&device->memories, (uint64_t)memory_handle);
    pthread_mutex_unlock(&device->mutex);
    device->next.FreeMemory(handle, memory_handle, allocator);
    if (!memory)
        return;
    faulty_free(memory);
    unmap(memory);
    host_free(allocator, memory);
}

// Leaked by the application, whose callbacks may be gone: the pages go, the record stays.
void device_forget_memories(struct device *device) {
    for (struct entry *entry; (entry = registry_take_any(&device->memories));)
        unmap((struct memory *)entry);
}

bool memory_find(struct device *device, VkDeviceMemory handle, struct memory *memory) {
    pthread_mutex_lock(&device->mutex);
    const struct memory *found = (struct memory *)registry_find(&device->memories, (uint64_t)handle);
    if (found)
        *memory = *found;
    pthread_mutex_unlock(&device->mutex);
    return found;
}

void memory_note_given(struct device *device, VkDeviceMemory handle, zx_handle_t given) {
    pthread_mutex_lock(&device->mutex);
    struct memory *memory = (struct memory *)registry_find(&device->memories, (uint64_t)handle);
    if (memory)
        memory->given = given;
    pthread_mutex_unlock(&device->mutex);
}

// The driver's allocation may be a little larger than the application's. A mapping that ends with the one ends with the
// other, so that the widened ranges below lie inside it.
VKAPI_ATTR VkResult VKAPI_CALL hook_MapMemory(VkDevice handle, VkDeviceMemory memory_handle, VkDeviceSize offset,
                                              VkDeviceSize size, VkMemoryMapFlags flags, void **data) {
    vkz_point(VKZ_POINT_MAP);
    struct device *device = device_of(handle);
    struct memory memory;
    const bool ours = memory_find(device, memory_handle, &memory);
    if (ours && vkz_fault(VKZ_FAULT_MAP_FAILS))
        return VK_ERROR_MEMORY_MAP_FAILED;
    if (ours && size != VK_WHOLE_SIZE && size == memory.asked - offset)
        size = memory.size - offset;
    return device->next.MapMemory(handle, memory_handle, offset, size, flags, data);
}

// A range may end at the end of the memory instead of a multiple of nonCoherentAtomSize. The driver's end lies
// elsewhere (VUID-VkMappedMemoryRange-size-01390), and its size is a multiple of the atom, so rounding up stays inside.
static VkMappedMemoryRange widen(struct device *device, const VkMappedMemoryRange *range) {
    VkMappedMemoryRange wide = *range;
    struct memory memory;
    if (range->size == VK_WHOLE_SIZE || !memory_find(device, range->memory, &memory))
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
