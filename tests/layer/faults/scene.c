// SPDX-License-Identifier: Apache-2.0
#include "scene.h"

VkResult scene_allocate(const struct scene *scene, VkDeviceSize size, const void *next, VkDeviceMemory *memory) {
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = next,
        .allocationSize = size,
        .memoryTypeIndex = scene->type,
    };
    *memory = VK_NULL_HANDLE;
    return vkAllocateMemory(scene->gpu.device, &info, NULL, memory);
}

VkResult scene_free_at_once(const struct scene *scene, VkResult result, VkDeviceMemory memory) {
    if (result == VK_SUCCESS)
        vkFreeMemory(scene->gpu.device, memory, NULL);
    return result;
}

VkResult scene_export(const struct scene *scene, struct shared *shared) {
    *shared = (struct shared){.buffer = gpu_make_buffer(&scene->gpu, SIZE, ZIRCON_VMO)};
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .buffer = shared->buffer,
    };
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = &dedicated,
        .handleTypes = ZIRCON_VMO,
    };
    return scene_allocate(scene, SIZE, &export, &shared->memory);
}

VkResult scene_import(const struct scene *scene, VkDeviceSize size, zx_handle_t handle, VkDeviceMemory *memory) {
    const VkImportMemoryZirconHandleInfoFUCHSIA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
        .handleType = ZIRCON_VMO,
        .handle = handle,
    };
    return scene_allocate(scene, size, &import, memory);
}

VkResult scene_map(const struct scene *scene, struct shared *shared) {
    void *bytes = NULL;
    const VkResult result = vkMapMemory(scene->gpu.device, shared->memory, 0, VK_WHOLE_SIZE, 0, &bytes);
    shared->bytes = bytes;
    return result;
}

void scene_free(const struct scene *scene, struct shared *shared) {
    vkDestroyBuffer(scene->gpu.device, shared->buffer, NULL);
    vkFreeMemory(scene->gpu.device, shared->memory, NULL);
    *shared = (struct shared){0};
}

VkResult scene_get(const struct scene *scene, VkDeviceMemory memory, zx_handle_t *handle) {
    const VkMemoryGetZirconHandleInfoFUCHSIA info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA,
        .memory = memory,
        .handleType = ZIRCON_VMO,
    };
    return scene->gpu.get_handle(scene->gpu.device, &info, handle);
}

VkResult scene_ask(const struct scene *scene, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t handle,
                   uint32_t *bits, bool *header_kept) {
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
        .memoryTypeBits = ~(1u << scene->type),
    };
    const VkResult result = scene->gpu.get_handle_properties(scene->gpu.device, type, handle, &properties);
    *bits = properties.memoryTypeBits;
    if (header_kept)
        *header_kept =
            properties.sType == VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA && !properties.pNext;
    return result;
}

static unsigned char pattern_at(size_t offset, unsigned char seed) {
    return (unsigned char)(seed + offset % 251 + 1);
}

void pattern_write(unsigned char *bytes, size_t size, unsigned char seed) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern_at(i, seed);
}

size_t pattern_wrong(const unsigned char *bytes, size_t size, unsigned char seed) {
    size_t wrong = 0;
    for (size_t i = 0; i < size; i++)
        wrong += bytes[i] != pattern_at(i, seed);
    return wrong;
}

int64_t pattern_in_vmo(zx_handle_t vmo, unsigned char seed) {
    unsigned char bytes[4096];
    const zx_status_t status = zx_vmo_read(vmo, bytes, 0, sizeof bytes);
    return status == ZX_OK ? pattern_wrong(bytes, sizeof bytes, seed) == 0 : status;
}

zx_handle_t new_vmo(uint64_t size) {
    zx_handle_t vmo = ZX_HANDLE_INVALID;
    zx_vmo_create(size, 0, &vmo);
    return vmo;
}

zx_status_t valid_status(zx_handle_t handle) {
    return zx_object_get_info(handle, ZX_INFO_HANDLE_VALID, NULL, 0, NULL, NULL);
}

uint32_t handle_count(zx_handle_t handle) {
    zx_info_handle_count_t count = {0};
    zx_object_get_info(handle, ZX_INFO_HANDLE_COUNT, &count, sizeof count, NULL, NULL);
    return count.handle_count;
}

static zx_info_handle_basic_t basic_info(zx_handle_t handle) {
    zx_info_handle_basic_t basic = {0};
    zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL);
    return basic;
}

zx_koid_t koid_of(zx_handle_t handle) {
    return basic_info(handle).koid;
}

zx_obj_type_t type_of(zx_handle_t handle) {
    return basic_info(handle).type;
}
