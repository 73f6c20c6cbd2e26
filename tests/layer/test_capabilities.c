// SPDX-License-Identifier: Apache-2.0
//
// The capability queries: what they report works, and the driver answers for other handle types.
#include "gpu.h"
#include "test.h"

static const VkExternalMemoryProperties shareable = {
    .externalMemoryFeatures = VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
    .exportFromImportedHandleTypes = ZIRCON_VMO,
    .compatibleHandleTypes = ZIRCON_VMO,
};
static const VkExternalMemoryProperties nothing;

static bool same(const VkExternalMemoryProperties *one, const VkExternalMemoryProperties *other) {
    return memcmp(one, other, sizeof *one) == 0;
}

static VkExternalMemoryProperties buffer_properties(const struct gpu *gpu, VkBufferCreateFlags flags,
                                                    VkBufferUsageFlags usage, VkFlags type) {
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .flags = flags,
        .usage = usage,
        .handleType = (VkExternalMemoryHandleTypeFlagBits)type,
    };
    VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    memset(&properties.externalMemoryProperties, 0xee, sizeof properties.externalMemoryProperties);
    vkGetPhysicalDeviceExternalBufferProperties(gpu->physical, &info, &properties);
    CHECK_EQ(properties.sType, VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES);
    CHECK(!properties.pNext);
    return properties.externalMemoryProperties;
}

static void buffers_can_be_shared(const struct gpu *gpu) {
    for (uint32_t bit = 0; bit < 9; bit++) {
        const VkExternalMemoryProperties answer = buffer_properties(gpu, 0, 1u << bit, ZIRCON_VMO);
        CHECK(same(&answer, &shareable));
    }
    // A usage flag of an extension does not change the result.
    const VkExternalMemoryProperties answer =
        buffer_properties(gpu, 0, VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT, ZIRCON_VMO);
    CHECK(same(&answer, &shareable));
}

static void protected_memory_cannot(const struct gpu *gpu) {
    const VkExternalMemoryProperties answer =
        buffer_properties(gpu, VK_BUFFER_CREATE_PROTECTED_BIT, VK_BUFFER_USAGE_TRANSFER_DST_BIT, ZIRCON_VMO);
    CHECK(same(&answer, &nothing));
}

static void other_types_are_the_drivers(const struct gpu *gpu) {
    const VkFlags usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    VkExternalMemoryProperties answer =
        buffer_properties(gpu, 0, usage, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT);
    CHECK(answer.externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT);
    CHECK_EQ(answer.compatibleHandleTypes & ZIRCON_VMO, 0);
    answer = buffer_properties(gpu, 0, usage, VK_EXTERNAL_MEMORY_HANDLE_TYPE_D3D12_HEAP_BIT);
    CHECK_EQ(answer.externalMemoryFeatures, 0);
}

struct answer {
    VkResult result;
    VkImageFormatProperties image;
    VkExternalMemoryProperties external;
};

static struct answer image_properties(const struct gpu *gpu, VkPhysicalDeviceImageFormatInfo2 info, VkFlags type) {
    const VkImageFormatListCreateInfo list = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_LIST_CREATE_INFO,
        .viewFormatCount = 1,
        .pViewFormats = &info.format,
    };
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .pNext = &list,
        .handleType = (VkExternalMemoryHandleTypeFlagBits)type,
    };
    VkExternalImageFormatProperties out = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2, .pNext = &out};
    memset(&out.externalMemoryProperties, 0xee, sizeof out.externalMemoryProperties);
    info.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2;
    info.pNext = &external;
    const VkResult result = vkGetPhysicalDeviceImageFormatProperties2(gpu->physical, &info, &properties);
    CHECK(properties.pNext == &out && !out.pNext);
    CHECK(external.pNext == &list && external.handleType == (VkExternalMemoryHandleTypeFlagBits)type);
    return (struct answer){result, properties.imageFormatProperties, out.externalMemoryProperties};
}

static const VkPhysicalDeviceImageFormatInfo2 plain_image = {
    .format = VK_FORMAT_R8G8B8A8_UNORM,
    .type = VK_IMAGE_TYPE_2D,
    .tiling = VK_IMAGE_TILING_LINEAR,
    .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
};

static void linear_images_can_be_shared(const struct gpu *gpu) {
    const struct answer answer = image_properties(gpu, plain_image, ZIRCON_VMO);
    CHECK_OK(answer.result);
    CHECK(same(&answer.external, &shareable));
    CHECK(answer.image.maxExtent.width >= 4096);
}

static void what_cannot_be_is_not_supported(const struct gpu *gpu) {
    VkPhysicalDeviceImageFormatInfo2 protected_image = plain_image, unknown_format = plain_image;
    protected_image.flags = VK_IMAGE_CREATE_PROTECTED_BIT;
    unknown_format.format = VK_FORMAT_ASTC_12x12_SRGB_BLOCK;
    unknown_format.usage = VK_IMAGE_USAGE_STORAGE_BIT;
    const struct answer answers[] = {
        image_properties(gpu, protected_image, ZIRCON_VMO),
        image_properties(gpu, unknown_format, ZIRCON_VMO),
    };
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(answers[i].result, VK_ERROR_FORMAT_NOT_SUPPORTED);
        CHECK(same(&answers[i].external, &nothing));
        CHECK_EQ(answers[i].image.maxExtent.width, 0);
    }
}

// What is reported can be created, with memory that can be shared.
static bool can_be_made(const struct gpu *gpu, const VkPhysicalDeviceImageFormatInfo2 *asked) {
    const VkExternalMemoryImageCreateInfo external = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, NULL,
                                                      ZIRCON_VMO};
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = &external,
        .imageType = asked->type,
        .format = asked->format,
        .extent = {16, asked->type == VK_IMAGE_TYPE_1D ? 1 : 16, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = asked->tiling,
        .usage = asked->usage,
    };
    VkImage image;
    VkMemoryRequirements requirements;
    VkDeviceMemory memory;
    if (vkCreateImage(gpu->device, &info, NULL, &image) != VK_SUCCESS)
        return false;
    vkGetImageMemoryRequirements(gpu->device, image, &requirements);
    VkResult result = gpu_export(gpu, requirements.size, gpu_pick_type(requirements.memoryTypeBits), &memory);
    if (result == VK_SUCCESS)
        result = vkBindImageMemory(gpu->device, image, memory, 0);
    vkDestroyImage(gpu->device, image, NULL);
    vkFreeMemory(gpu->device, memory, NULL);
    return result == VK_SUCCESS;
}

static void promises_are_kept(const struct gpu *gpu) {
    uint32_t promised = 0;
    for (VkFormat format = VK_FORMAT_R4G4_UNORM_PACK8; format <= VK_FORMAT_ASTC_12x12_SRGB_BLOCK; format++) {
        for (VkImageTiling tiling = VK_IMAGE_TILING_OPTIMAL; tiling <= VK_IMAGE_TILING_LINEAR; tiling++) {
            VkPhysicalDeviceImageFormatInfo2 info = plain_image;
            info.format = format;
            info.tiling = tiling;
            const struct answer answer = image_properties(gpu, info, ZIRCON_VMO);
            if (answer.result != VK_SUCCESS) {
                CHECK(same(&answer.external, &nothing));
                continue;
            }
            promised++;
            CHECK(same(&answer.external, &shareable));
            CHECK(can_be_made(gpu, &info));
        }
    }
    CHECK(promised > 20);
}

int main(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    RUN(buffers_can_be_shared(&gpu));
    RUN(protected_memory_cannot(&gpu));
    RUN(other_types_are_the_drivers(&gpu));
    RUN(linear_images_can_be_shared(&gpu));
    RUN(what_cannot_be_is_not_supported(&gpu));
    RUN(promises_are_kept(&gpu));
    gpu_close(&gpu);
    return test_result();
}
