// SPDX-License-Identifier: Apache-2.0
//
// External memory and the extension's two commands. The driver imports the mapped pages of a VMO as host memory: an
// export makes the VMO, an import takes the application's.
#include "device_memory.h"
#include "chain.h"
#include "hooks.h"

// The spec ignores a struct without a handle type.
static void read_import(const VkMemoryAllocateInfo *info, struct request *request) {
    const VkImportMemoryZirconHandleInfoFUCHSIA *import =
        chain_find(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA);
    if (!import || !import->handleType)
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
    request->refused |= export->handleTypes != ZIRCON_VMO; // 09860: no other type is reported as compatible
}

struct request memory_request(const VkMemoryAllocateInfo *info) {
    const VkMemoryDedicatedAllocateInfo *to = chain_find(info->pNext, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
    struct request request = {.dedicated = to && (to->buffer || to->image)};
    read_import(info, &request);
    read_export(info, &request);
    return request;
}

// A failed import leaves the handle open, and its owner is still the application.
static VkResult import_result(zx_status_t status) {
    switch (status) {
    case ZX_OK:
        return VK_SUCCESS;
    case ZX_ERR_BAD_HANDLE:
    case ZX_ERR_WRONG_TYPE:
    case ZX_ERR_ACCESS_DENIED: // a device needs READ, WRITE and MAP
    case ZX_ERR_OUT_OF_RANGE:  // 07902, 07903: 0 < allocationSize <= the VMO's size
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    default:
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
}

static zx_status_t make_vmo(struct device *device, struct memory *memory) {
    static const char name[] = "vkzircon-emulated";
    (void)device;
    const zx_status_t status = zx_vmo_create(memory->asked, 0, &memory->vmo);
    return status == ZX_OK ? zx_object_set_property(memory->vmo, ZX_PROP_NAME, name, sizeof name) : status;
}

static zx_status_t map(struct memory *memory, zx_handle_t vmo) {
    return vkz_vmo_map(vmo, memory->asked, &memory->pages, &memory->length);
}

// The spec: after a successful import the application must not use the handle. A new handle value makes any use fail.
static zx_status_t take_handle(struct memory *memory, zx_handle_t handle) {
    return zx_handle_replace(handle, ZX_RIGHT_SAME_RIGHTS, &memory->vmo);
}

static const struct memory_steps steps = {make_vmo, map, take_handle};

static VkResult get_pages(struct device *device, const struct memory_steps *with, struct memory *memory,
                          zx_handle_t imported) {
    if (memory->imported)
        return import_result(imported ? with->map(memory, imported) : ZX_ERR_BAD_HANDLE); // handle 0: no zx call
    zx_status_t status = with->make_vmo(device, memory);
    if (status == ZX_OK)
        status = with->map(memory, memory->vmo);
    return status == ZX_OK ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static void unmap(struct memory *memory) {
    if (memory->length)
        zx_vmar_unmap(zx_vmar_root_self(), memory->pages, memory->length);
    zx_handle_close(memory->vmo);
}

// The trial proved it for other pages; the driver may judge these differently.
static bool type_takes_pages(const struct device *device, uint32_t type, void *pages) {
    VkMemoryHostPointerPropertiesEXT pointer = {.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    const VkResult result =
        device->next.GetMemoryHostPointerPropertiesEXT(device->handle, HOST_MEMORY, pages, &pointer);
    return result == VK_SUCCESS && (usable_memory_types(device->physical, pointer.memoryTypeBits) & 1u << type);
}

// The driver gets an import of host memory, without the application's import, export or dedicated allocation: 02805 and
// 02806 forbid a dedicated allocation beside a host pointer.
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
    return device->next.AllocateMemory(device->handle, &below, allocator, handle);
}

static VkResult allocate_pages(struct device *device, const struct memory_steps *with, struct memory *memory,
                               const struct request *request, const VkMemoryAllocateInfo *info,
                               const VkAllocationCallbacks *allocator, VkDeviceMemory *handle) {
    VkResult result = get_pages(device, with, memory, request->handle);
    if (result != VK_SUCCESS)
        return result;
    if (!type_takes_pages(device, info->memoryTypeIndex, (void *)memory->pages))
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkDeviceMemory allocated;
    result = allocate_below(device, memory, info, allocator, &allocated);
    if (result == VK_SUCCESS && memory->imported) {
        result = import_result(with->take_handle(memory, request->handle));
        if (result != VK_SUCCESS)
            device->next.FreeMemory(device->handle, allocated, allocator);
    }
    if (result == VK_SUCCESS)
        *handle = allocated;
    return result;
}

VkResult memory_allocate(struct device *device, const struct memory_steps *with, const struct request *request,
                         const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *allocator,
                         VkDeviceMemory *handle) {
    if (request->refused)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    struct memory *memory = host_allocate(allocator, sizeof *memory, VK_SYSTEM_ALLOCATION_SCOPE_OBJECT);
    if (!memory)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkDeviceSize alignment = device->physical->host_pointer_alignment; // of the size too: 01745
    *memory = (struct memory){
        .exportable = request->exports,
        .imported = request->imports,
        .type = info->memoryTypeIndex,
        .asked = info->allocationSize,
        .size = (info->allocationSize + alignment - 1) & ~(alignment - 1),
    };
    const VkResult result = allocate_pages(device, with, memory, request, info, allocator, handle);
    if (result != VK_SUCCESS) {
        unmap(memory);
        host_free(allocator, memory);
        return result;
    }
    device_add(device, &device->memories, &memory->entry, (uint64_t)*handle);
    return VK_SUCCESS;
}

// The extension has no part in this allocation, but its import struct may be in the chain with handleType 0, and the
// driver does not know it. The spec ignores an export struct with handleTypes 0 too, but SwiftShader refuses it.
static VkResult allocate_other(const struct device *device, const VkMemoryAllocateInfo *info,
                               const VkAllocationCallbacks *allocator, VkDeviceMemory *handle) {
    static const struct chain_rule rules[] = {
        {VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, NULL},
        {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL},
    };
    const VkExportMemoryAllocateInfo *export = chain_find(info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    VkMemoryAllocateInfo below = *info;
    struct chain chain;
    chain_rewrite(&chain, info->pNext, rules, export && !export->handleTypes ? 2 : 1);
    below.pNext = chain.first;
    return device->next.AllocateMemory(device->handle, &below, allocator, handle);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_AllocateMemory(VkDevice handle, const VkMemoryAllocateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkDeviceMemory *memory) {
    struct device *device = device_of(handle);
    if (!emulates(device))
        return device->next.AllocateMemory(handle, info, allocator, memory);
    const struct request request = memory_request(info);
    if (request.imports || request.exports)
        return memory_allocate(device, &steps, &request, info, allocator, memory);
    return info->pNext ? allocate_other(device, info, allocator, memory)
                       : device->next.AllocateMemory(handle, info, allocator, memory);
}

VKAPI_ATTR void VKAPI_CALL hook_FreeMemory(VkDevice handle, VkDeviceMemory memory_handle,
                                           const VkAllocationCallbacks *allocator) {
    struct device *device = device_of(handle);
    struct memory *memory = device_take(device, &device->memories, (uint64_t)memory_handle);
    device->next.FreeMemory(handle, memory_handle, allocator); // the driver uses the pages until here
    if (!memory)
        return;
    unmap(memory);
    host_free(allocator, memory);
}

// The records stay allocated: the application's callbacks may be invalid by now.
void device_forget_memories(struct device *device) {
    for (struct registry_entry *entry; (entry = registry_take_any(&device->memories));)
        unmap((struct memory *)entry);
}

bool memory_find(struct device *device, VkDeviceMemory handle, struct memory *memory) {
    if (has_nothing_external(device))
        return false;
    pthread_mutex_lock(&device->mutex);
    const struct memory *found = memory_find_locked(device, handle);
    if (found)
        *memory = *found;
    pthread_mutex_unlock(&device->mutex);
    return found;
}

// The driver's allocation may be slightly larger than the application's. A mapping to the end of one also goes to the
// end of the other, so that it contains the ranges that widen() returns.
static VkDeviceSize mapped_size(struct device *device, VkDeviceMemory handle, VkDeviceSize offset, VkDeviceSize size) {
    struct memory memory;
    const bool to_the_end =
        memory_find(device, handle, &memory) && size != VK_WHOLE_SIZE && size == memory.asked - offset;
    return to_the_end ? memory.size - offset : size;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_MapMemory(VkDevice handle, VkDeviceMemory memory, VkDeviceSize offset,
                                              VkDeviceSize size, VkMemoryMapFlags flags, void **data) {
    struct device *device = device_of(handle);
    return device->next.MapMemory(handle, memory, offset, mapped_size(device, memory, offset, size), flags, data);
}

VKAPI_ATTR VkResult VKAPI_CALL hook_MapMemory2(VkDevice handle, const struct newer_map *info, void **data) {
    struct device *device = device_of(handle);
    struct newer_map below = *info;
    below.size = mapped_size(device, info->memory, info->offset, info->size);
    return device->next.MapMemory2(handle, &below, data);
}

// A range may end at the end of the memory instead of at a multiple of nonCoherentAtomSize, and the driver's end is
// another (VUID-VkMappedMemoryRange-size-01390). The driver's size is a multiple of the atom, so the rounded range
// fits.
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

// In batches, so that no memory has to be allocated.
static VkResult pass_ranges(struct device *device, range_command next, uint32_t count,
                            const VkMappedMemoryRange *ranges) {
    VkMappedMemoryRange wide[16];
    if (!emulates(device))
        return next(device->handle, count, ranges);
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

static VKAPI_ATTR VkResult VKAPI_CALL hook_FlushMappedMemoryRanges(VkDevice handle, uint32_t count,
                                                                   const VkMappedMemoryRange *ranges) {
    struct device *device = device_of(handle);
    return pass_ranges(device, device->next.FlushMappedMemoryRanges, count, ranges);
}

static VKAPI_ATTR VkResult VKAPI_CALL hook_InvalidateMappedMemoryRanges(VkDevice handle, uint32_t count,
                                                                        const VkMappedMemoryRange *ranges) {
    struct device *device = device_of(handle);
    return pass_ranges(device, device->next.InvalidateMappedMemoryRanges, count, ranges);
}

bool memory_find_exportable(struct device *device, const VkMemoryGetZirconHandleInfoFUCHSIA *info,
                            struct memory *memory) {
    return emulates(device) && info->handleType == ZIRCON_VMO && memory_find(device, info->memory, memory) &&
           memory->exportable; // 04775, 04776
}

// For invalid input the spec lists VK_ERROR_UNKNOWN. The command's other codes mean too many objects or too little
// memory, which would be untrue.
VkResult memory_export_result(zx_status_t status) {
    if (status == ZX_OK)
        return VK_SUCCESS;
    return status == ZX_ERR_NO_MEMORY ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_ERROR_UNKNOWN;
}

// Each call returns a new handle to the same VMO. Its rights are those of zx_vmo_create() or, for imported memory,
// those of the imported handle. A driver that offers the extension itself is asked: a program that looked the command
// up by the instance calls the layer for every device.
VKAPI_ATTR VkResult VKAPI_CALL hook_GetMemoryZirconHandleFUCHSIA(VkDevice handle,
                                                                 const VkMemoryGetZirconHandleInfoFUCHSIA *info,
                                                                 zx_handle_t *zircon_handle) {
    struct device *device = device_of(handle);
    struct memory memory;
    if (!emulates(device) && device->next.GetMemoryZirconHandleFUCHSIA)
        return device->next.GetMemoryZirconHandleFUCHSIA(handle, info, zircon_handle);
    if (!memory_find_exportable(device, info, &memory))
        return VK_ERROR_UNKNOWN;
    return memory_export_result(zx_handle_duplicate(memory.vmo, ZX_RIGHT_SAME_RIGHTS, zircon_handle));
}

// A VMO handle without READ, WRITE or MAP is valid, but no memory type can import it.
VKAPI_ATTR VkResult VKAPI_CALL hook_GetMemoryZirconHandlePropertiesFUCHSIA(
    VkDevice handle, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t zircon_handle,
    VkMemoryZirconHandlePropertiesFUCHSIA *properties) {
    const zx_rights_t needed = ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP;
    const struct device *device = device_of(handle);
    zx_info_handle_basic_t basic;
    if (!emulates(device) && device->next.GetMemoryZirconHandlePropertiesFUCHSIA)
        return device->next.GetMemoryZirconHandlePropertiesFUCHSIA(handle, type, zircon_handle, properties);
    if (!emulates(device) || type != ZIRCON_VMO || !zircon_handle ||
        zx_object_get_info(zircon_handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL) != ZX_OK ||
        basic.type != ZX_OBJ_TYPE_VMO) // 04773, 04774
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    properties->memoryTypeBits = (basic.rights & needed) == needed ? device->physical->memory_types : 0;
    return VK_SUCCESS;
}

const struct hook memory_hooks[] = {
    ROW(hook, DEVICE, AllocateMemory),
    ROW(hook, DEVICE, FreeMemory),
    ROW(hook, DEVICE, MapMemory),
    ROW_KHR(hook, DEVICE, MapMemory2),
    ROW(hook, DEVICE, FlushMappedMemoryRanges),
    ROW(hook, DEVICE, InvalidateMappedMemoryRanges),
    ROW(hook, EXTENSION, GetMemoryZirconHandleFUCHSIA),
    ROW(hook, EXTENSION, GetMemoryZirconHandlePropertiesFUCHSIA),
    LAST_ROW,
};
