// SPDX-License-Identifier: Apache-2.0
//
// Faults of the extension's two commands.
#include "faulty.h"

static VkResult refusal(struct device *device, const VkMemoryGetZirconHandleInfoFUCHSIA *info) {
    faulty_talk("vkGetMemoryZirconHandleFUCHSIA");
    if (!info->memory && vkz_fault(VKZ_FAULT_NULL_MEMORY_KILLS))
        vkz_segfault();
    if (vkz_fault(VKZ_FAULT_REFUSE_GET))
        return VK_ERROR_TOO_MANY_OBJECTS;
    if (vkz_fault(VKZ_FAULT_ODD_RESULT_IN_EXPORT))
        return VK_ERROR_INITIALIZATION_FAILED;
    return faulty_lost(device, VKZ_FAULT_DEVICE_LOST_IN_EXPORT);
}

static VkResult unexportable(void) {
    if (vkz_fault(VKZ_FAULT_UNEXPORTABLE_INIT_FAILED))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (vkz_fault(VKZ_FAULT_UNEXPORTABLE_INVALID_HANDLE))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    return VK_ERROR_UNKNOWN;
}

typedef zx_status_t (*get_function)(const struct memory *memory, zx_handle_t *handle);

static zx_status_t get_nothing(const struct memory *memory, zx_handle_t *handle) {
    (void)memory, (void)handle;
    return ZX_OK;
}

static zx_status_t get_zero(const struct memory *memory, zx_handle_t *handle) {
    (void)memory;
    *handle = ZX_HANDLE_INVALID;
    return ZX_OK;
}

static zx_status_t get_file_descriptor(const struct memory *memory, zx_handle_t *handle) {
    (void)memory;
    *handle = 5;
    return ZX_OK;
}

// Handle values that the table has not reached, a different one per call: a closed one could be reused soon.
static zx_status_t get_closed(const struct memory *memory, zx_handle_t *handle) {
    static atomic_uint next = 0x7ffffff3;
    (void)memory;
    *handle = atomic_fetch_sub(&next, ZX_HANDLE_FIXED_BITS_MASK + 1) | ZX_HANDLE_FIXED_BITS_MASK;
    return ZX_OK;
}

static zx_status_t get_event(const struct memory *memory, zx_handle_t *handle) {
    (void)memory;
    return zx_event_create(0, handle);
}

static zx_status_t get_fewer_rights(const struct memory *memory, zx_handle_t *handle) {
    zx_info_handle_basic_t basic;
    const zx_status_t status = zx_object_get_info(memory->vmo, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL);
    if (status != ZX_OK)
        return status;
    return zx_handle_duplicate(memory->vmo, basic.rights & ~(ZX_RIGHT_WRITE | ZX_RIGHT_MAP | ZX_RIGHT_TRANSFER),
                               handle);
}

static zx_status_t get_handle(const struct memory *memory, zx_handle_t *handle) {
    return zx_handle_duplicate(memory->vmo, ZX_RIGHT_SAME_RIGHTS, handle);
}

// The driver's own handle, or a number.
static zx_status_t get_anything(const struct memory *memory, zx_handle_t *handle) {
    *handle = memory->vmo;
    faulty_bits(handle);
    return ZX_OK;
}

static zx_status_t get_again(const struct memory *memory, zx_handle_t *handle) {
    *handle = memory->given;
    return ZX_OK;
}

static zx_status_t get_child(const struct memory *memory, uint32_t options, zx_handle_t *handle) {
    struct vkz_origin origin;
    uint64_t size;
    zx_status_t status = zx_vmo_get_size(memory->vmo, &size);
    if (status == ZX_OK)
        status = zx_vmo_create_child(memory->vmo, options, 0, size, handle);
    if (status == ZX_OK && vkz_vmo_get_origin(memory->vmo, &origin) == ZX_OK)
        vkz_vmo_set_origin(*handle, &origin);
    return status;
}

static zx_status_t get_slice(const struct memory *memory, zx_handle_t *handle) {
    return get_child(memory, ZX_VMO_CHILD_SLICE, handle);
}

static zx_status_t get_copy(const struct memory *memory, zx_handle_t *handle) {
    return get_child(memory, ZX_VMO_CHILD_SNAPSHOT, handle);
}

static const struct {
    enum vkz_fault fault;
    bool from_the_second_time_on;
    get_function get;
} ways[] = {
    {VKZ_FAULT_EXPORT_CLOSED_HANDLE, false, get_closed},
    {VKZ_FAULT_EXPORT_EVENT, false, get_event},
    {VKZ_FAULT_EXPORT_ODD_HANDLE, false, get_file_descriptor},
    {VKZ_FAULT_EXPORT_UNWRITTEN, false, get_nothing},
    {VKZ_FAULT_EXPORT_ZERO, false, get_zero},
    {VKZ_FAULT_SAME_HANDLE_TWICE, true, get_again},
    {VKZ_FAULT_SECOND_GET_CHILD, true, get_slice},
    {VKZ_FAULT_SECOND_GET_COPIES, true, get_copy},
    {VKZ_FAULT_FEWER_RIGHTS, false, get_fewer_rights},
};

static get_function random_way(void) {
    const size_t count = sizeof ways / sizeof ways[0];
    uint64_t random;
    if (!vkz_random(&random))
        return NULL;
    return random % (count + 3) < count ? ways[random % (count + 3)].get : get_anything;
}

static get_function way_to_get(const struct memory *memory) {
    const get_function random = random_way();
    if (random)
        return random;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (vkz_fault(ways[i].fault) && (memory->given || !ways[i].from_the_second_time_on))
            return ways[i].get;
    }
    return get_handle;
}

// Notes the value at the VMO too, so that every device can tell it from a duplicate.
static void note_given(zx_handle_t handle) {
    struct vkz_origin origin;
    // A fault may have returned an invalid handle. With bad-handle-kills only this topic is safe.
    if (zx_object_get_info(handle, ZX_INFO_HANDLE_VALID, NULL, 0, NULL, NULL) != ZX_OK ||
        vkz_vmo_get_origin(handle, &origin) != ZX_OK)
        return;
    origin.given = handle;
    vkz_vmo_set_origin(handle, &origin);
}

static void remember_given(struct device *device, VkDeviceMemory handle, zx_handle_t given) {
    pthread_mutex_lock(&device->mutex);
    struct memory *memory = memory_find_locked(device, handle);
    if (memory)
        memory->given = given;
    pthread_mutex_unlock(&device->mutex);
    note_given(given);
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_GetMemoryZirconHandleFUCHSIA(
    VkDevice handle, const VkMemoryGetZirconHandleInfoFUCHSIA *info, zx_handle_t *zircon_handle) {
    struct device *device = device_of(handle);
    if (!emulates(device))
        return hook_GetMemoryZirconHandleFUCHSIA(handle, info, zircon_handle);
    vkz_point(VKZ_POINT_EXPORT);
    struct memory memory;
    VkResult refused = refusal(device, info);
    if (refused == VK_SUCCESS)
        refused = faulty_result();
    if (refused != VK_SUCCESS)
        return refused;
    if (!memory_find_exportable(device, info, &memory))
        return unexportable();
    const get_function get = way_to_get(&memory);
    const zx_status_t status = get(&memory, zircon_handle);
    if (status == ZX_OK && get != get_nothing)
        remember_given(device, info->memory, *zircon_handle);
    return memory_export_result(status);
}

static bool lacks_duplicate(zx_handle_t handle) {
    zx_info_handle_basic_t basic;
    return zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL) == ZX_OK &&
           !(basic.rights & ZX_RIGHT_DUPLICATE);
}

static VkResult wrong_result(VkExternalMemoryHandleTypeFlagBits type, zx_handle_t handle, VkResult result) {
    if (vkz_fault(VKZ_FAULT_REFUSE_PROPERTIES))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (vkz_fault(VKZ_FAULT_ODD_RESULT_IN_PROPERTIES))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (type != ZIRCON_VMO && vkz_fault(VKZ_FAULT_WRONG_TYPE_INIT_FAILED))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (result == VK_SUCCESS && vkz_fault(VKZ_FAULT_PROPERTIES_NEED_DUPLICATE) && lacks_duplicate(handle))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    return result;
}

// Every bit below memoryTypeCount. A device has at least one memory type.
static uint32_t existing_types(const struct device *device) {
    return UINT32_MAX >> (32 - device->physical->memory.memoryTypeCount);
}

static uint32_t wrong_types(const struct device *device, zx_handle_t handle, uint32_t types) {
    struct vkz_origin origin = {0};
    vkz_vmo_get_origin(handle, &origin);
    if (vkz_fault(VKZ_FAULT_PROPERTIES_ZERO) || (vkz_fault(VKZ_FAULT_FOREIGN_PROPERTIES_ZERO) && !origin.exported))
        return 0;
    if (vkz_fault(VKZ_FAULT_PROPERTIES_BY_NUMBER) && origin.exported && origin.given != handle)
        return 0;
    if (vkz_fault(VKZ_FAULT_PROPERTIES_MISS_TYPE) && origin.exported)
        return existing_types(device) & ~(1u << origin.memory_type);
    if (vkz_fault(VKZ_FAULT_PROPERTIES_PAST_COUNT))
        return types | (existing_types(device) + 1);
    return types;
}

static VKAPI_ATTR VkResult VKAPI_CALL faulty_GetMemoryZirconHandlePropertiesFUCHSIA(
    VkDevice handle, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t zircon_handle,
    VkMemoryZirconHandlePropertiesFUCHSIA *properties) {
    const struct device *device = device_of(handle);
    if (!emulates(device))
        return hook_GetMemoryZirconHandlePropertiesFUCHSIA(handle, type, zircon_handle, properties);
    vkz_point(VKZ_POINT_PROPERTIES);
    if (type == ZIRCON_VMO && zircon_handle && vkz_fault(VKZ_FAULT_PROPERTIES_ACCEPT_GARBAGE)) {
        properties->memoryTypeBits = device->physical->memory_types;
        return VK_SUCCESS;
    }
    const VkResult random = faulty_result();
    if (random != VK_SUCCESS)
        return random;
    VkMemoryZirconHandlePropertiesFUCHSIA right = {0};
    VkResult result = hook_GetMemoryZirconHandlePropertiesFUCHSIA(handle, type, zircon_handle, &right);
    result = wrong_result(type, zircon_handle, result);
    if (result != VK_SUCCESS)
        return result;
    if (!vkz_fault(VKZ_FAULT_PROPERTIES_UNWRITTEN))
        properties->memoryTypeBits = wrong_types(device, zircon_handle, right.memoryTypeBits);
    faulty_bits(&properties->memoryTypeBits);
    if (vkz_fault(VKZ_FAULT_PROPERTIES_CLOBBER_HEADER))
        properties->sType = 0;
    if (vkz_fault(VKZ_FAULT_PROPERTIES_CLOSE_HANDLE))
        zx_handle_close(zircon_handle);
    return VK_SUCCESS;
}

const struct hook faulty_handle_hooks[] = {
    ROW(faulty, EXTENSION, GetMemoryZirconHandleFUCHSIA),
    ROW(faulty, EXTENSION, GetMemoryZirconHandlePropertiesFUCHSIA),
    LAST_ROW,
};
