// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <stdlib.h>
#include <string.h>

static void get_info(zx_handle_t handle, uint32_t topic, void *record, size_t size) {
    MUST(&zircon, zx_object_get_info, handle, topic, record, size, NULL, NULL);
}

static void ask_valid(zx_handle_t handle) {
    get_info(handle, ZX_INFO_HANDLE_VALID, NULL, 0);
}

static zx_koid_t ask_koid(zx_handle_t handle) {
    zx_info_handle_basic_t basic;
    get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof(basic));
    return basic.koid;
}

struct handle handle_own(zx_handle_t value) {
    ask_valid(value);
    return (struct handle){value, ask_koid(value)};
}

struct handle handle_export(const struct device *device, const struct memory *memory) {
    const VkMemoryGetZirconHandleInfoFUCHSIA info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA,
        .memory = memory->handle,
        .handleType = ZIRCON_VMO,
    };
    zx_handle_t value = ZX_HANDLE_INVALID;
    MUST(device, vkGetMemoryZirconHandleFUCHSIA, device->handle, &info, &value);
    return handle_own(value);
}

struct handle handle_duplicate(const struct handle *handle) {
    zx_handle_t made;
    MUST(&zircon, zx_handle_duplicate, handle->value, ZX_RIGHT_SAME_RIGHTS, &made);
    return handle_own(made);
}

// Asks whether the number is still the handle that was got: handles are reused, koids are not.
static void ask_alive(const struct handle *handle) {
    ask_valid(handle->value);
    if (ask_koid(handle->value) != handle->koid)
        stop("Handle 0x%x is another's now.", handle->value);
}

void handle_close(const struct handle *handle) {
    ask_alive(handle);
    ask_valid(handle->value); // the probe's kernel does not rely on whoever calls it
    MUST(&zircon, zx_handle_close, handle->value);
}

struct handle handle_pass(const struct handle *handle, const zx_handle_t ends[2]) {
    uint32_t bytes, handles;
    zx_handle_t arrived;
    MUST(&zircon, zx_channel_write, ends[0], 0, NULL, 0, &handle->value, 1);
    MUST(&zircon, zx_channel_read, ends[1], 0, NULL, &arrived, 0, 1, &bytes, &handles);
    return handle_own(arrived);
}

void end_close(zx_handle_t end) {
    ask_valid(end);
    MUST(&zircon, zx_handle_close, end);
}

// Asks for the newest version of the record that the kernel knows.
static void ask_vmo(zx_handle_t handle) {
    static const struct {
        uint32_t topic;
        size_t size;
    } versions[] = {
        {ZX_INFO_VMO_V4, ZX_INFO_VMO_SIZE_V4},
        {ZX_INFO_VMO_V3, ZX_INFO_VMO_SIZE_V3},
        {ZX_INFO_VMO_V2, ZX_INFO_VMO_SIZE_V2},
        {ZX_INFO_VMO_V1, ZX_INFO_VMO_SIZE_V1},
    };
    zx_info_vmo_t info;
    zx_status_t status = ZX_ERR_NOT_SUPPORTED;
    for (uint32_t i = 0; i < COUNT_OF(versions) && status == ZX_ERR_NOT_SUPPORTED; i++)
        status = CALL(&zircon, zx_object_get_info, handle, versions[i].topic, &info, versions[i].size, NULL, NULL);
    must("zx_object_get_info", status);
}

void handle_describe(const struct handle *handle) {
    ask_valid(handle->value);
    ask_koid(handle->value);
    handle_size(handle);
    ask_vmo(handle->value);
    handle_count(handle);
}

uint64_t handle_size(const struct handle *handle) {
    uint64_t size;
    MUST(&zircon, zx_vmo_get_size, handle->value, &size);
    return size;
}

uint32_t handle_count(const struct handle *handle) {
    zx_info_handle_count_t count;
    get_info(handle->value, ZX_INFO_HANDLE_COUNT, &count, sizeof(count));
    return count.handle_count;
}

static uint32_t ask_types(const struct device *device, const struct handle *handle, uint32_t sentinel) {
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
        .memoryTypeBits = sentinel,
    };
    MUST(device, vkGetMemoryZirconHandlePropertiesFUCHSIA, device->handle, ZIRCON_VMO, handle->value, &properties);
    return properties.memoryTypeBits;
}

uint32_t handle_types(const struct device *device, const struct handle *handle) {
    const uint32_t first = ask_types(device, handle, SENTINEL);
    ask_alive(handle);
    const uint32_t second = ask_types(device, handle, ~SENTINEL);
    ask_alive(handle);
    if (first != second)
        stop("vkGetMemoryZirconHandlePropertiesFUCHSIA wrote no answer.");
    return first;
}

void handle_write(const struct handle *handle, const struct pattern *pattern) {
    for (size_t at = 0; at < pattern->size; at += pattern->chunk_size)
        MUST(&zircon, zx_vmo_write, handle->value, pattern->chunk, at, pattern_part(pattern, at));
}

void handle_compare(const struct handle *handle, const struct pattern *pattern) {
    for (size_t at = 0; at < pattern->size; at += pattern->chunk_size) {
        const size_t size = pattern_part(pattern, at);
        uint8_t *bytes = malloc(size);
        if (!bytes)
            stop("There is no memory for %zu bytes.", size);
        MUST(&zircon, zx_vmo_read, handle->value, bytes, at, size);
        if (memcmp(bytes, pattern->chunk, size) != 0)
            stop("zx_vmo_read read other bytes than those that were written.");
        free(bytes);
    }
}

void handle_compare_map(const struct handle *handle, const struct pattern *pattern) {
    const zx_handle_t root = zircon.zx_vmar_root_self();
    zx_vaddr_t address;
    MUST(&zircon, zx_vmar_map, root, ZX_VM_PERM_READ, 0, handle->value, 0, pattern->size, &address);
    pattern_compare(pattern, (const void *)address);
    MUST(&zircon, zx_vmar_unmap, root, address, pattern->size);
}
