// SPDX-License-Identifier: Apache-2.0
//
// The extension's two commands: a handle to a memory's VMO, and what memory a VMO can become.
#include "faulty.h"

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
    vkz_point(VKZ_POINT_EXPORT);
    struct device *device = device_of(handle);
    struct memory memory;
    const VkResult refusal = faulty_get_refusal(device, info);
    if (refusal != VK_SUCCESS)
        return refusal;
    if (!emulates(device) || info->handleType != ZIRCON_VMO || !memory_find(device, info->memory, &memory) ||
        !memory.exportable) // 04775, 04776
        return faulty_unexportable(VK_ERROR_UNKNOWN);
    const zx_status_t status = vkz_any_fault() ? faulty_give(device, &memory, zircon_handle)
                                               : zx_handle_duplicate(memory.vmo, ZX_RIGHT_SAME_RIGHTS, zircon_handle);
    return status == ZX_OK ? VK_SUCCESS : export_failure(status);
}

// A VMO that a device could not read, write and map is a VMO, so no error; but there is no type to import it as.
static VkResult memory_types_of(const struct device *device, VkExternalMemoryHandleTypeFlagBits type,
                                zx_handle_t handle, uint32_t *types) {
    const zx_rights_t needed = ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP;
    zx_info_handle_basic_t basic;
    if (!emulates(device) || type != ZIRCON_VMO ||
        zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL) != ZX_OK ||
        basic.type != ZX_OBJ_TYPE_VMO) // 04773, 04774
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    *types = (basic.rights & needed) == needed ? device->physical->memory_types : 0;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL hook_GetMemoryZirconHandlePropertiesFUCHSIA(
    VkDevice handle, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t zircon_handle,
    VkMemoryZirconHandlePropertiesFUCHSIA *properties) {
    vkz_point(VKZ_POINT_PROPERTIES);
    const struct device *device = device_of(handle);
    uint32_t types;
    if (faulty_takes_anything(device, type, zircon_handle, &types)) {
        properties->memoryTypeBits = types;
        return VK_SUCCESS;
    }
    const VkResult result = memory_types_of(device, type, zircon_handle, &types);
    if (vkz_any_fault())
        return faulty_tell_types(device, type, zircon_handle, result, types, properties);
    if (result == VK_SUCCESS)
        properties->memoryTypeBits = types;
    return result;
}
