// SPDX-License-Identifier: Apache-2.0
//
// Export, import and fill: all see the same bytes, and handles have the owners that the spec names.
#include "gpu.h"
#include "test.h"

#define SIZE ((VkDeviceSize)3 * 4096 + 512)

static bool all_words(const uint32_t *words, size_t bytes, uint32_t word) {
    for (size_t i = 0; i < bytes / sizeof word; i++) {
        if (words[i] != word)
            return false;
    }
    return true;
}

static bool vmo_holds(zx_handle_t vmo, size_t bytes, uint32_t word) {
    uint32_t *words = malloc(bytes);
    const bool same = zx_vmo_read(vmo, words, 0, bytes) == ZX_OK && all_words(words, bytes, word);
    free(words);
    return same;
}

static bool memory_holds(const struct gpu *gpu, VkDeviceMemory memory, size_t bytes, uint32_t word) {
    void *mapped;
    if (vkMapMemory(gpu->device, memory, 0, bytes, 0, &mapped) != VK_SUCCESS)
        return false;
    const bool same = all_words(mapped, bytes, word);
    vkUnmapMemory(gpu->device, memory);
    return same;
}

static zx_koid_t koid_of(zx_handle_t handle) {
    zx_info_handle_basic_t basic = {0};
    CHECK_OK(zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL));
    return basic.koid;
}

static uint32_t handle_count(zx_handle_t handle) {
    zx_info_handle_count_t count = {0};
    CHECK_OK(zx_object_get_info(handle, ZX_INFO_HANDLE_COUNT, &count, sizeof count, NULL, NULL));
    return count.handle_count;
}

static void gpu_writes_are_in_the_vmo(struct gpu *gpu) {
    struct shared_buffer exported;
    shared_buffer_export(gpu, SIZE, &exported);
    const zx_handle_t vmo = gpu_get_handle(gpu, exported.memory);
    REQUIRE(CHECK(vmo != ZX_HANDLE_INVALID));
    gpu_fill(gpu, exported.buffer, 0x600df111);
    CHECK(vmo_holds(vmo, SIZE, 0x600df111));
    CHECK(memory_holds(gpu, exported.memory, SIZE, 0x600df111));
    shared_buffer_free(gpu, &exported);
    CHECK(vmo_holds(vmo, SIZE, 0x600df111)); // outlives the memory
    CHECK_OK(zx_handle_close(vmo));
}

static void vmo_writes_are_in_the_memory(struct gpu *gpu) {
    struct shared_buffer exported;
    shared_buffer_export(gpu, 4096, &exported);
    const zx_handle_t vmo = gpu_get_handle(gpu, exported.memory);
    uint32_t words[1024];
    memset(words, 0x5a, sizeof words);
    CHECK_OK(zx_vmo_write(vmo, words, 0, sizeof words));
    CHECK(memory_holds(gpu, exported.memory, sizeof words, 0x5a5a5a5a));
    CHECK_OK(zx_handle_close(vmo));
    shared_buffer_free(gpu, &exported);
}

static void another_device_sees_the_fill(struct gpu *gpu) {
    struct gpu other;
    struct shared_buffer exported, imported;
    gpu_open_zircon(&other);
    shared_buffer_export(gpu, SIZE, &exported);
    shared_buffer_import(&other, SIZE, gpu_get_handle(gpu, exported.memory), &imported);
    gpu_fill(gpu, exported.buffer, 0xabad1dea);
    CHECK(memory_holds(&other, imported.memory, SIZE, 0xabad1dea));
    gpu_fill(&other, imported.buffer, 0x0ddba11);
    CHECK(memory_holds(gpu, exported.memory, SIZE, 0x0ddba11));
    shared_buffer_free(gpu, &exported);
    CHECK(memory_holds(&other, imported.memory, SIZE, 0x0ddba11));
    shared_buffer_free(&other, &imported);
    gpu_close(&other);
}

// Bound at an offset, as a suballocation is.
static void images_are_shared_too(struct gpu *gpu) {
    const VkClearColorValue color = {.float32 = {1, 0, 0, 1}}; // R8G8B8A8
    const VkImage image = gpu_make_linear_image(gpu, 16, ZIRCON_VMO);
    VkMemoryRequirements requirements;
    VkDeviceMemory memory;
    VkSubresourceLayout layout;
    vkGetImageMemoryRequirements(gpu->device, image, &requirements);
    const VkDeviceSize offset = (4096 + 128 + requirements.alignment - 1) & ~(requirements.alignment - 1);
    const uint32_t type = gpu_pick_type(requirements.memoryTypeBits);
    REQUIRE(CHECK_OK(gpu_export(gpu, offset + requirements.size, type, &memory)));
    CHECK_OK(vkBindImageMemory(gpu->device, image, memory, offset));
    const VkImageSubresource subresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0};
    vkGetImageSubresourceLayout(gpu->device, image, &subresource, &layout);
    gpu_clear(gpu, image, &color);
    const zx_handle_t vmo = gpu_get_handle(gpu, memory);
    for (uint32_t row = 0; row < 16; row++) {
        uint32_t pixels[16];
        CHECK_OK(zx_vmo_read(vmo, pixels, offset + layout.offset + row * layout.rowPitch, sizeof pixels));
        CHECK(all_words(pixels, sizeof pixels, 0xff0000ff));
    }
    CHECK_OK(zx_handle_close(vmo));
    vkDestroyImage(gpu->device, image, NULL);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void each_get_is_another_handle_to_one_vmo(struct gpu *gpu) {
    struct shared_buffer exported;
    shared_buffer_export(gpu, SIZE, &exported);
    const zx_handle_t first = gpu_get_handle(gpu, exported.memory);
    const zx_handle_t second = gpu_get_handle(gpu, exported.memory);
    CHECK(first != second);
    CHECK_EQ(first & ZX_HANDLE_FIXED_BITS_MASK, 3);
    CHECK_EQ(koid_of(first), koid_of(second));
    CHECK_EQ(handle_count(first), 3); // two of the test, one of the memory
    zx_info_handle_basic_t basic;
    CHECK_OK(zx_object_get_info(first, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL));
    CHECK_EQ(basic.rights, ZX_DEFAULT_VMO_RIGHTS);
    CHECK_OK(zx_handle_close(second));
    shared_buffer_free(gpu, &exported);
    CHECK_EQ(handle_count(first), 1);
    CHECK_OK(zx_handle_close(first));
}

static void an_import_takes_the_handle(struct gpu *gpu) {
    struct shared_buffer exported, imported;
    shared_buffer_export(gpu, SIZE, &exported);
    const zx_handle_t kept = gpu_get_handle(gpu, exported.memory);
    const zx_handle_t given = gpu_get_handle(gpu, exported.memory);
    CHECK_EQ(handle_count(kept), 3);
    shared_buffer_import(gpu, SIZE, given, &imported);
    CHECK_EQ(zx_object_get_info(given, ZX_INFO_HANDLE_VALID, NULL, 0, NULL, NULL), ZX_ERR_BAD_HANDLE);
    CHECK_EQ(handle_count(kept), 3);
    shared_buffer_free(gpu, &imported);
    CHECK_EQ(handle_count(kept), 2);
    shared_buffer_free(gpu, &exported);
    CHECK_OK(zx_handle_close(kept));
}

static void a_foreign_vmo_can_be_imported(struct gpu *gpu) {
    zx_handle_t vmo, mine;
    VkDeviceMemory memory;
    CHECK_OK(zx_vmo_create(8192, 0, &vmo));
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &mine));
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
    };
    CHECK_OK(gpu->get_handle_properties(gpu->device, ZIRCON_VMO, vmo, &properties));
    REQUIRE(CHECK_OK(gpu_import(gpu, 8192, gpu_pick_type(properties.memoryTypeBits), vmo, &memory)));
    CHECK_OK(zx_vmo_write(mine, &(uint32_t){7}, 8188, 4));
    uint32_t *mapped;
    CHECK_OK(vkMapMemory(gpu->device, memory, 0, VK_WHOLE_SIZE, 0, (void **)&mapped));
    CHECK_EQ(mapped[2047], 7);
    vkFreeMemory(gpu->device, memory, NULL);
    CHECK_OK(zx_handle_close(mine));
}

static void exported_vmos_tell_the_truth(struct gpu *gpu) {
    struct shared_buffer exported;
    shared_buffer_export(gpu, SIZE, &exported);
    const zx_handle_t vmo = gpu_get_handle(gpu, exported.memory);
    zx_info_vmo_t info;
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(strcmp(info.name, "vkzircon-emulated"), 0);
    CHECK_EQ(info.size_bytes, (exported.size + 4095) / 4096 * 4096);
    CHECK_EQ(info.num_mappings, 1);
    CHECK_EQ(info.parent_koid, 0);
    gpu_fill(gpu, exported.buffer, 1);
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(info.committed_bytes, info.size_bytes);
    shared_buffer_free(gpu, &exported);
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(info.num_mappings, 0);
    CHECK_OK(zx_handle_close(vmo));
}

int main(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    RUN(gpu_writes_are_in_the_vmo(&gpu));
    RUN(vmo_writes_are_in_the_memory(&gpu));
    RUN(another_device_sees_the_fill(&gpu));
    RUN(images_are_shared_too(&gpu));
    RUN(each_get_is_another_handle_to_one_vmo(&gpu));
    RUN(an_import_takes_the_handle(&gpu));
    RUN(a_foreign_vmo_can_be_imported(&gpu));
    RUN(exported_vmos_tell_the_truth(&gpu));
    gpu_close(&gpu);
    return test_result();
}
