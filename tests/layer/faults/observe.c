// SPDX-License-Identifier: Apache-2.0
//
// Observes all aspects, in an order in which a failure hides as few as possible.
#include "observe.h"

#define DESCRIBE(group, name, strict) [name] = {#name, group, strict},
const struct aspect_description aspects[NUM_ASPECTS] = {ASPECTS(DESCRIBE)};
#undef DESCRIBE

static zx_status_t ask_handle_stats(zx_info_process_handle_stats_t *statistics) {
    return zx_object_get_info(zx_process_self(), ZX_INFO_PROCESS_HANDLE_STATS, statistics, sizeof *statistics, NULL,
                              NULL);
}

static int64_t open_handles(void) {
    zx_info_process_handle_stats_t statistics = {0};
    ask_handle_stats(&statistics);
    return (int64_t)statistics.handle_count[ZX_OBJ_TYPE_VMO] + statistics.handle_count[ZX_OBJ_TYPE_EVENT];
}

static VkResult export_with(const struct scene *scene, VkDeviceSize size, VkExternalMemoryHandleTypeFlags types) {
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = types,
    };
    VkDeviceMemory memory;
    const VkResult result = scene_allocate(scene, size, &export, &memory);
    return scene_free_at_once(scene, result, memory);
}

static VkResult allocate_and_free(const struct scene *scene, VkDeviceSize size) {
    VkDeviceMemory memory;
    const VkResult result = scene_allocate(scene, size, NULL, &memory);
    return scene_free_at_once(scene, result, memory);
}

static void observe_get_unexportable(const struct scene *scene) {
    zx_handle_t handle;
    VkDeviceMemory memory;
    if (scene_allocate(scene, SIZE, NULL, &memory) != VK_SUCCESS)
        return;
    scene->report(GET_UNEXPORTABLE, scene_get(scene, memory, &handle));
    vkFreeMemory(scene->gpu.device, memory, NULL);
}

// The handle, or ZX_HANDLE_INVALID if it is not open.
static zx_handle_t observe_get(const struct scene *scene, const struct shared *ours) {
    const zx_handle_t unwritten = 0xfffffffc;
    zx_handle_t handle = unwritten;
    const VkResult result = scene_get(scene, ours->memory, &handle);
    scene->report(GET, result);
    if (result != VK_SUCCESS)
        return ZX_HANDLE_INVALID;
    scene->report(WRITTEN, handle != unwritten);
    scene->report(IS_ZERO, handle == ZX_HANDLE_INVALID);
    scene->report(LOW_BITS, handle & ZX_HANDLE_FIXED_BITS_MASK);
    scene->report(VALID, valid_status(handle));
    return valid_status(handle) == ZX_OK ? handle : ZX_HANDLE_INVALID;
}

static void observe_work(const struct scene *scene) {
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    vkCreateFence(scene->gpu.device, &info, NULL, &fence);
    scene->report(SUBMIT, vkQueueSubmit(scene->gpu.queue, 0, NULL, fence));
    scene->report(WAIT, vkWaitForFences(scene->gpu.device, 1, &fence, VK_TRUE, UINT64_C(10000000000)));
    vkDestroyFence(scene->gpu.device, fence, NULL);
}

static void observe_old_bytes(const struct scene *scene, const struct shared *ours) {
    int64_t old = 0;
    for (size_t i = 0; i < SIZE; i++)
        old += ours->bytes[i] != 0;
    scene->report(OLD_BYTES, old);
}

// The exported VMO, or ZX_HANDLE_INVALID.
static zx_handle_t observe_export(const struct scene *scene, struct shared *ours) {
    scene->report(BIND, vkBindBufferMemory(scene->gpu.device, ours->buffer, ours->memory, 0));
    scene->report(MAP, scene_map(scene, ours));
    if (ours->bytes)
        observe_old_bytes(scene, ours);
    if (!scene->gpu.get_handle)
        return ZX_HANDLE_INVALID;
    observe_get_unexportable(scene);
    const zx_handle_t handle = observe_get(scene, ours);
    if (!handle)
        return ZX_HANDLE_INVALID;
    observe_object(scene, ours, handle);
    if (type_of(handle) == ZX_OBJ_TYPE_VMO)
        return handle;
    zx_handle_close(handle);
    return ZX_HANDLE_INVALID;
}

static void observe_outliving(const struct scene *scene, struct shared *ours, zx_handle_t handle) {
    if (ours->bytes)
        pattern_write(ours->bytes, SIZE, 0x70);
    const bool written = ours->bytes;
    scene_free(scene, ours);
    if (handle && written)
        scene->report(OUTLIVES, pattern_in_vmo(handle, 0x70));
    if (handle)
        zx_handle_close(handle);
}

static uint32_t type_for_buffers(const struct scene *scene) {
    VkMemoryRequirements requirements;
    const VkBuffer buffer = gpu_make_buffer(&scene->gpu, SIZE, ZIRCON_VMO);
    vkGetBufferMemoryRequirements(scene->gpu.device, buffer, &requirements);
    vkDestroyBuffer(scene->gpu.device, buffer, NULL);
    return gpu_pick_type(requirements.memoryTypeBits);
}

static void observe_open_device(struct scene *scene) {
    struct shared ours;
    zx_info_process_handle_stats_t statistics;
    scene->report(HANDLE_STATS, ask_handle_stats(&statistics));
    scene->report(HAS_GET, scene->gpu.get_handle != NULL);
    scene->report(HAS_PROPERTIES, scene->gpu.get_handle_properties != NULL);
    scene->type = type_for_buffers(scene);
    const int64_t before = open_handles();
    scene->report(PLAIN_EXPORT, export_with(scene, SIZE, ZIRCON_VMO));
    scene->report(SMALL_EXPORT, export_with(scene, 1024, ZIRCON_VMO));
    scene->report(LARGE_EXPORT, export_with(scene, 32 * SIZE, ZIRCON_VMO));
    scene->report(EXPORT_WITHOUT_TYPE, export_with(scene, SIZE, 0));
    scene->report(ALLOCATE_1_GIB, allocate_and_free(scene, (VkDeviceSize)1 << 30));
    const VkResult result = scene_export(scene, &ours);
    scene->report(DEDICATED_EXPORT, result);
    zx_handle_t handle = result == VK_SUCCESS ? observe_export(scene, &ours) : ZX_HANDLE_INVALID;
    if (scene->gpu.get_handle_properties)
        observe_asking(scene, handle);
    if (valid_status(handle) != ZX_OK)
        handle = ZX_HANDLE_INVALID;
    if (handle && ours.bytes)
        observe_second(scene, &ours, handle);
    if (handle)
        observe_import(scene, &ours, handle);
    observe_other_imports(scene);
    observe_work(scene);
    observe_outliving(scene, &ours, handle);
    scene->report(HANDLES_LEFT, open_handles() - before);
    observe_growth(scene);
    observe_bad_handles(scene);
}

static void observe_physical_device(struct scene *scene) {
    const char *extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;
    observe_device(scene);
    const VkResult result = gpu_create_bare_device(&scene->gpu, &extension, 1, NULL);
    scene->report(CREATE_DEVICE, result);
    if (result != VK_SUCCESS)
        return;
    observe_open_device(scene);
    vkDestroyCommandPool(scene->gpu.device, scene->gpu.pool, NULL);
    vkDestroyDevice(scene->gpu.device, NULL);
    scene->report(DESTROY_DEVICE, 1);
}

static bool open_device(struct scene *scene) {
    const char *extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;
    gpu_open_instance(&scene->gpu, VK_API_VERSION_1_3);
    if (gpu_create_bare_device(&scene->gpu, &extension, 1, NULL) != VK_SUCCESS)
        return false;
    scene->type = type_for_buffers(scene);
    return true;
}

void observe_null_memory(report_function report) {
    struct scene scene = {.report = report};
    zx_handle_t handle;
    if (!open_device(&scene))
        return;
    report(GET_UNEXPORTABLE, scene_get(&scene, VK_NULL_HANDLE, &handle));
    gpu_close(&scene.gpu);
}

void observe_missing_byte(report_function report) {
    struct scene scene = {.report = report};
    struct shared imported = {0};
    if (!open_device(&scene))
        return;
    const VkResult result = scene_import(&scene, SIZE, new_vmo(4096), &imported.memory);
    report(IMPORT_TOO_MUCH, result);
    if (result == VK_SUCCESS && scene_map(&scene, &imported) == VK_SUCCESS)
        report(WRONG_IN_IMPORT, (int64_t)pattern_wrong(imported.bytes + SIZE - 1, 1, 0));
    scene_free(&scene, &imported);
    gpu_close(&scene.gpu);
}

void observe_all(report_function report) {
    struct scene scene = {.report = report};
    uint32_t count = 1;
    const VkResult result = gpu_create_instance(&scene.gpu, VK_API_VERSION_1_3);
    report(CREATE_INSTANCE, result);
    if (result != VK_SUCCESS)
        return;
    const VkResult listed = vkEnumeratePhysicalDevices(scene.gpu.instance, &count, &scene.gpu.physical);
    report(ENUMERATION, listed < 0 ? listed : VK_SUCCESS);
    report(HAS_DEVICE, listed >= 0 && count > 0);
    if (scene.gpu.physical)
        observe_physical_device(&scene);
    vkDestroyInstance(scene.gpu.instance, NULL);
    report(DESTROY_INSTANCE, 1);
}
