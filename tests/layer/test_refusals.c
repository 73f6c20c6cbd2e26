// SPDX-License-Identifier: Apache-2.0
//
// Calls that must fail with a result that the spec lists, and leave the handle to the caller.
#include "gpu.h"
#include "test.h"

static zx_handle_t new_vmo(uint64_t size, zx_rights_t rights) {
    zx_handle_t vmo;
    CHECK_OK(zx_vmo_create(size, 0, &vmo));
    CHECK_OK(zx_handle_replace(vmo, rights, &vmo));
    return vmo;
}

static VkResult allocate(const struct gpu *gpu, VkDeviceSize size, const void *next) {
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = next,
        .allocationSize = size,
        .memoryTypeIndex = gpu->shared_type,
    };
    VkDeviceMemory memory;
    const VkResult result = vkAllocateMemory(gpu->device, &info, NULL, &memory);
    if (result == VK_SUCCESS)
        vkFreeMemory(gpu->device, memory, NULL);
    return result;
}

static VkResult import(const struct gpu *gpu, VkDeviceSize size, zx_handle_t handle) {
    VkDeviceMemory memory;
    const VkResult result = gpu_import(gpu, size, gpu->shared_type, handle, &memory);
    if (result == VK_SUCCESS)
        vkFreeMemory(gpu->device, memory, NULL);
    return result;
}

static void imports_of_no_vmo(const struct gpu *gpu) {
    zx_handle_t event;
    const zx_handle_t closed = new_vmo(4096, ZX_RIGHT_SAME_RIGHTS);
    CHECK_OK(zx_handle_close(closed));
    CHECK_EQ(import(gpu, 4096, ZX_HANDLE_INVALID), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(import(gpu, 4096, 0xabcd1234), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(import(gpu, 4096, 0xffffffff), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(import(gpu, 4096, closed), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_OK(zx_event_create(0, &event));
    CHECK_EQ(import(gpu, 4096, event), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_OK(zx_handle_close(event)); // still open
}

static void imports_of_a_wrong_size(const struct gpu *gpu) {
    const zx_handle_t vmo = new_vmo(8192, ZX_RIGHT_SAME_RIGHTS);
    CHECK_EQ(import(gpu, 8193, vmo), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(import(gpu, 1u << 30, vmo), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(import(gpu, 0, vmo), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_OK(zx_handle_check_valid(vmo));
    CHECK_OK(import(gpu, 5000, vmo)); // smaller is allowed
    CHECK_EQ(zx_handle_check_valid(vmo), ZX_ERR_BAD_HANDLE);
}

static void imports_without_rights(const struct gpu *gpu) {
    static const zx_rights_t needed[] = {ZX_RIGHT_READ, ZX_RIGHT_WRITE, ZX_RIGHT_MAP};
    for (size_t i = 0; i < 3; i++) {
        const zx_handle_t vmo = new_vmo(4096, ZX_DEFAULT_VMO_RIGHTS & ~needed[i]);
        CHECK_EQ(import(gpu, 4096, vmo), VK_ERROR_INVALID_EXTERNAL_HANDLE);
        CHECK_OK(zx_handle_close(vmo));
    }
    // An import needs neither DUPLICATE nor TRANSFER.
    CHECK_OK(import(gpu, 4096, new_vmo(4096, ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP)));
}

static void imports_by_another_name(const struct gpu *gpu) {
    const zx_handle_t vmo = new_vmo(4096, ZX_RIGHT_SAME_RIGHTS);
    VkImportMemoryZirconHandleInfoFUCHSIA info = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
        .handle = vmo,
    };
    CHECK_EQ(allocate(gpu, 4096, &info), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    info.handleType = 0; // then there is no import
    CHECK_OK(allocate(gpu, 4096, &info));
    CHECK_OK(zx_handle_close(vmo));
}

static void exports_with_a_strange_type(const struct gpu *gpu) {
    const VkExportMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = ZIRCON_VMO | VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
    };
    VkDeviceMemory memory;
    CHECK_EQ(allocate(gpu, 4096, &info), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(gpu_export(gpu, 0, gpu->shared_type, &memory), VK_ERROR_OUT_OF_DEVICE_MEMORY);
    CHECK_EQ(gpu_export(gpu, UINT64_MAX - 100, gpu->shared_type, &memory), VK_ERROR_OUT_OF_DEVICE_MEMORY);
}

static VkResult get(const struct gpu *gpu, VkDeviceMemory memory, VkFlags type) {
    const VkMemoryGetZirconHandleInfoFUCHSIA info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA,
        .memory = memory,
        .handleType = (VkExternalMemoryHandleTypeFlagBits)type,
    };
    zx_handle_t handle = ZX_HANDLE_INVALID;
    const VkResult result = gpu->get_handle(gpu->device, &info, &handle);
    CHECK_EQ(result == VK_SUCCESS, handle != ZX_HANDLE_INVALID);
    zx_handle_close(handle);
    return result;
}

static void gets_of_what_is_not_exportable(const struct gpu *gpu) {
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = 4096};
    VkDeviceMemory plain, imported, exported;
    CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &plain));
    CHECK_OK(gpu_import(gpu, 4096, gpu->shared_type, new_vmo(4096, ZX_RIGHT_SAME_RIGHTS), &imported));
    CHECK_OK(gpu_export(gpu, 4096, gpu->shared_type, &exported));
    CHECK_EQ(get(gpu, plain, ZIRCON_VMO), VK_ERROR_UNKNOWN);
    CHECK_EQ(get(gpu, imported, ZIRCON_VMO), VK_ERROR_UNKNOWN); // export was not asked for: 04776
    CHECK_EQ(get(gpu, exported, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT), VK_ERROR_UNKNOWN);
    CHECK_OK(get(gpu, exported, ZIRCON_VMO));
    vkFreeMemory(gpu->device, plain, NULL);
    vkFreeMemory(gpu->device, imported, NULL);
    vkFreeMemory(gpu->device, exported, NULL);
}

static VkResult allocate_reexportable(const struct gpu *gpu, zx_handle_t vmo, VkDeviceMemory *memory) {
    const VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL, ZIRCON_VMO};
    const VkImportMemoryZirconHandleInfoFUCHSIA both = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
        .pNext = &export,
        .handleType = ZIRCON_VMO,
        .handle = vmo,
    };
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &both,
        .allocationSize = 4096,
        .memoryTypeIndex = gpu->shared_type,
    };
    return vkAllocateMemory(gpu->device, &info, NULL, memory);
}

static void reexports_give_no_more_rights(const struct gpu *gpu) {
    const zx_rights_t bare = ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP;
    VkDeviceMemory memory;
    zx_info_handle_basic_t basic;
    CHECK_OK(allocate_reexportable(gpu, new_vmo(4096, bare | ZX_RIGHT_DUPLICATE), &memory));
    const zx_handle_t vmo = gpu_get_handle(gpu, memory);
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL));
    CHECK_EQ(basic.rights, bare | ZX_RIGHT_DUPLICATE);
    CHECK_OK(zx_handle_close(vmo));
    vkFreeMemory(gpu->device, memory, NULL);
    CHECK_OK(allocate_reexportable(gpu, new_vmo(4096, bare), &memory)); // without the right DUPLICATE
    CHECK_EQ(get(gpu, memory, ZIRCON_VMO), VK_ERROR_UNKNOWN);
    vkFreeMemory(gpu->device, memory, NULL);
}

static VkResult properties(const struct gpu *gpu, VkFlags type, zx_handle_t handle, uint32_t *bits) {
    VkMemoryZirconHandlePropertiesFUCHSIA out = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
        .memoryTypeBits = *bits,
    };
    const VkResult result =
        gpu->get_handle_properties(gpu->device, (VkExternalMemoryHandleTypeFlagBits)type, handle, &out);
    *bits = out.memoryTypeBits;
    return result;
}

static void properties_of_handles(const struct gpu *gpu) {
    uint32_t bits = 0;
    zx_handle_t event;
    const zx_handle_t vmo = new_vmo(4096, ZX_RIGHT_SAME_RIGHTS), blind = new_vmo(4096, ZX_RIGHT_NONE);
    CHECK_OK(zx_event_create(0, &event));
    CHECK_OK(properties(gpu, ZIRCON_VMO, vmo, &bits));
    CHECK(bits != 0);
    bits = 0xffffffff;
    CHECK_OK(properties(gpu, ZIRCON_VMO, blind, &bits)); // a VMO, but no memory type can import it
    CHECK_EQ(bits, 0);
    CHECK_EQ(properties(gpu, ZIRCON_VMO, ZX_HANDLE_INVALID, &bits), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(properties(gpu, ZIRCON_VMO, 0xabcd1234, &bits), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(properties(gpu, ZIRCON_VMO, event, &bits), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_EQ(properties(gpu, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT, vmo, &bits),
             VK_ERROR_INVALID_EXTERNAL_HANDLE);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, blind, event}, 3)); // none was consumed
}

struct counting {
    uint32_t live, calls;
};

static VKAPI_ATTR void *VKAPI_CALL count_allocation(void *user, size_t size, size_t alignment,
                                                    VkSystemAllocationScope scope) {
    struct counting *counting = user;
    (void)scope;
    counting->live++;
    counting->calls++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static VKAPI_ATTR void *VKAPI_CALL count_reallocation(void *user, void *old, size_t size, size_t alignment,
                                                      VkSystemAllocationScope scope) {
    (void)user, (void)alignment, (void)scope;
    return realloc(old, size);
}

static VKAPI_ATTR void VKAPI_CALL count_free(void *user, void *memory) {
    if (memory)
        ((struct counting *)user)->live--;
    free(memory);
}

static void allocation_callbacks_are_called(const struct gpu *gpu) {
    struct counting counting = {0, 0};
    const VkAllocationCallbacks callbacks = {
        .pUserData = &counting,
        .pfnAllocation = count_allocation,
        .pfnReallocation = count_reallocation,
        .pfnFree = count_free,
    };
    const VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL, ZIRCON_VMO};
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &export,
        .allocationSize = 4096,
        .memoryTypeIndex = gpu->shared_type,
    };
    VkDeviceMemory memory;
    CHECK_OK(vkAllocateMemory(gpu->device, &info, &callbacks, &memory));
    CHECK(counting.calls >= 2); // the layer's record and the driver's
    vkFreeMemory(gpu->device, memory, &callbacks);
    CHECK_EQ(counting.live, 0);
}

// A program may leak, and the layer must still work.
static void leaked_objects_do_no_harm(void) {
    struct gpu gpu;
    VkDeviceMemory memory;
    gpu_open_zircon(&gpu);
    CHECK_OK(gpu_export(&gpu, 4096, gpu.shared_type, &memory));
    const zx_handle_t vmo = gpu_get_handle(&gpu, memory);
    vkFreeMemory(gpu.device, memory, NULL);
    vkFreeMemory(gpu.device, VK_NULL_HANDLE, NULL);
    vkDestroyBuffer(gpu.device, VK_NULL_HANDLE, NULL);
    vkDestroyImage(gpu.device, VK_NULL_HANDLE, NULL);
    vkDestroyDevice(VK_NULL_HANDLE, NULL);
    gpu_close(&gpu);
    CHECK_OK(zx_vmo_write(vmo, "still here", 0, 10));
    CHECK_OK(zx_handle_close(vmo));
}

int main(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    RUN(imports_of_no_vmo(&gpu));
    RUN(imports_of_a_wrong_size(&gpu));
    RUN(imports_without_rights(&gpu));
    RUN(imports_by_another_name(&gpu));
    RUN(exports_with_a_strange_type(&gpu));
    RUN(gets_of_what_is_not_exportable(&gpu));
    RUN(reexports_give_no_more_rights(&gpu));
    RUN(properties_of_handles(&gpu));
    RUN(allocation_callbacks_are_called(&gpu));
    gpu_close(&gpu);
    RUN(leaked_objects_do_no_harm());
    return test_result();
}
