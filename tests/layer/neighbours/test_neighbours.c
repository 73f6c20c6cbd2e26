// SPDX-License-Identifier: Apache-2.0
//
// A program shares memory with another layer above or below the emulation. ctest runs it with each.
#include "gpu.h"
#include "neighbours.h"
#include "test.h"

static VkExternalMemoryFeatureFlags features_of_buffers(const struct gpu *gpu) {
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .handleType = ZIRCON_VMO,
    };
    VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    vkGetPhysicalDeviceExternalBufferProperties(gpu->physical, &info, &properties);
    return properties.externalMemoryProperties.externalMemoryFeatures;
}

static void memory_is_shared_beside_another_layer(void) {
    struct gpu gpu;
    struct shared_buffer exported;
    uint32_t word = 0;
    gpu_open_zircon(&gpu);
    CHECK_EQ(features_of_buffers(&gpu),
             VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT);
    shared_buffer_export(&gpu, 4096, &exported);
    const zx_handle_t vmo = gpu_get_handle(&gpu, exported.memory);
    gpu_fill(&gpu, exported.buffer, 0x600df111);
    CHECK_OK(zx_vmo_read(vmo, &word, 4092, sizeof word));
    CHECK_EQ(word, 0x600df111);
    CHECK_OK(zx_handle_close(vmo));
    shared_buffer_free(&gpu, &exported);
    gpu_close(&gpu);
    CHECK(asker_devices || wrapper_devices); // the other layer was loaded
}

int main(void) {
    RUN(memory_is_shared_beside_another_layer());
    RUN(memory_is_shared_beside_another_layer()); // a second instance works too
    return test_result();
}
