// SPDX-License-Identifier: Apache-2.0
//
// Drivers that the recorder imitates: several memory types, and each reason not to offer the extension.
#include "gpu.h"
#include "recorder.h"
#include "test.h"
#include "zircon_private.h"

static const char *const extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;

static uint32_t times_listed(const struct gpu *gpu, uint32_t *revision) {
    uint32_t count = 0, times = 0;
    CHECK_OK(vkEnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, NULL));
    VkExtensionProperties *properties = calloc(count, sizeof *properties);
    CHECK_OK(vkEnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, properties));
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(properties[i].extensionName, extension) == 0) {
            *revision = properties[i].specVersion;
            times++;
        }
    }
    free(properties);
    return times;
}

static const char *reason_of(const struct gpu *gpu) {
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    vkGetPhysicalDeviceProperties2(gpu->physical, &properties);
    return vkz_device_reason(id.deviceUUID);
}

static void is_not_offered(enum pretense pretense, const char *why) {
    struct gpu gpu;
    uint32_t revision = 0;
    recorder.pretense = pretense;
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    CHECK_EQ(times_listed(&gpu, &revision), 0);
    const char *reason = reason_of(&gpu);
    if (CHECK(reason) && !CHECK(strstr(reason, why)))
        fprintf(stderr, "  the reason was: %s\n", reason);
    CHECK_EQ(gpu_create_device(&gpu, &extension, 1, NULL), VK_ERROR_EXTENSION_NOT_PRESENT);
    // The layer does not change a device without the extension.
    CHECK_OK(gpu_create_device(&gpu, NULL, 0, NULL));
    CHECK(!gpu.get_handle);
    gpu_close(&gpu);
    recorder.pretense = PRETEND_NOTHING;
}

static void a_driver_that_can_has_no_reason(void) {
    struct gpu gpu;
    uint32_t revision = 0;
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    CHECK_EQ(times_listed(&gpu, &revision), 1);
    CHECK_EQ(revision, 1);
    CHECK_EQ(strcmp(reason_of(&gpu), ""), 0);
    gpu_close(&gpu);
}

// Listed once, by the driver. The layer does not intervene.
static void a_native_driver_is_left_alone(void) {
    struct gpu gpu;
    uint32_t revision = 0;
    recorder.pretense = PRETEND_NATIVE;
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    CHECK_EQ(times_listed(&gpu, &revision), 1);
    CHECK(strstr(reason_of(&gpu), "itself"));
    REQUIRE(CHECK_OK(gpu_create_bare_device(&gpu, &extension, 1, NULL)));
    REQUIRE(CHECK(gpu.get_handle && gpu.get_handle_properties));
    CHECK_EQ(gpu_get_handle(&gpu, VK_NULL_HANDLE), RECORDER_HANDLE);
    gpu.get_handle = (PFN_vkGetMemoryZirconHandleFUCHSIA)vkGetInstanceProcAddr(gpu.instance, // the layer's own
                                                                               "vkGetMemoryZirconHandleFUCHSIA");
    gpu.get_handle_properties = (PFN_vkGetMemoryZirconHandlePropertiesFUCHSIA)vkGetInstanceProcAddr(
        gpu.instance, "vkGetMemoryZirconHandlePropertiesFUCHSIA");
    CHECK_EQ(gpu_get_handle(&gpu, VK_NULL_HANDLE), RECORDER_HANDLE);
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
    };
    CHECK_OK(gpu.get_handle_properties(gpu.device, ZIRCON_VMO, RECORDER_HANDLE, &properties));
    CHECK_EQ(properties.memoryTypeBits, 1);
    gpu_close(&gpu);
    recorder.pretense = PRETEND_NOTHING;
}

static VkResult query_image(const struct gpu *gpu, VkImageTiling tiling, VkImageFormatProperties2 *properties) {
    const VkPhysicalDeviceExternalImageFormatInfo external = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = ZIRCON_VMO,
    };
    const VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .pNext = &external,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = tiling,
        .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    return vkGetPhysicalDeviceImageFormatProperties2(gpu->physical, &info, properties);
}

static void optimal_images_are_not_supported(const struct gpu *gpu) {
    VkExternalImageFormatProperties external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2, .pNext = &external};
    CHECK_OK(query_image(gpu, VK_IMAGE_TILING_LINEAR, &properties));
    CHECK_EQ(external.externalMemoryProperties.externalMemoryFeatures, 6);
    CHECK(properties.imageFormatProperties.maxExtent.width);
    CHECK_EQ(query_image(gpu, VK_IMAGE_TILING_OPTIMAL, &properties), VK_ERROR_FORMAT_NOT_SUPPORTED);
    CHECK_EQ(external.externalMemoryProperties.externalMemoryFeatures, 0);
    CHECK_EQ(external.externalMemoryProperties.compatibleHandleTypes, 0);
    CHECK_EQ(properties.imageFormatProperties.maxExtent.width, 0);
    CHECK(properties.pNext == &external);
    properties.pNext = NULL; // without the struct the result is the same
    CHECK_EQ(query_image(gpu, VK_IMAGE_TILING_OPTIMAL, &properties), VK_ERROR_FORMAT_NOT_SUPPORTED);
    CHECK_OK(query_image(gpu, VK_IMAGE_TILING_LINEAR, &properties));
    CHECK(properties.pNext == NULL);
}

static void masks_hold_what_can_be_shared(const struct gpu *gpu) {
    VkMemoryRequirements requirements;
    VkMemoryRequirements2 requirements2 = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    const VkBuffer shared = gpu_make_buffer(gpu, 4096, ZIRCON_VMO), plain = gpu_make_buffer(gpu, 4096, 0);
    const VkImage image = gpu_make_linear_image(gpu, 16, ZIRCON_VMO);
    vkGetBufferMemoryRequirements(gpu->device, shared, &requirements);
    CHECK_EQ(requirements.memoryTypeBits, 2);
    vkGetBufferMemoryRequirements(gpu->device, plain, &requirements);
    CHECK_EQ(requirements.memoryTypeBits, 7);
    const VkBufferMemoryRequirementsInfo2 buffer_info = {VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2, NULL,
                                                         shared};
    vkGetBufferMemoryRequirements2(gpu->device, &buffer_info, &requirements2);
    CHECK_EQ(requirements2.memoryRequirements.memoryTypeBits, 2);
    vkGetImageMemoryRequirements(gpu->device, image, &requirements);
    CHECK_EQ(requirements.memoryTypeBits, 2);
    const VkImageMemoryRequirementsInfo2 image_info = {VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2, NULL, image};
    vkGetImageMemoryRequirements2(gpu->device, &image_info, &requirements2);
    CHECK_EQ(requirements2.memoryRequirements.memoryTypeBits, 2);
    vkDestroyBuffer(gpu->device, shared, NULL);
    vkDestroyBuffer(gpu->device, plain, NULL);
    vkDestroyImage(gpu->device, image, NULL);
}

#define DEVICE_COMMAND(name) ((PFN_vk##name)vkGetDeviceProcAddr(gpu->device, "vk" #name))

// The KHR names of promoted commands.
static void old_names_answer_alike(const struct gpu *gpu) {
    VkMemoryRequirements2 requirements = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    const VkExternalMemoryBufferCreateInfo external = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, NULL,
                                                       ZIRCON_VMO};
    const VkBufferCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = 4096,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    const VkDeviceBufferMemoryRequirements planned = {VK_STRUCTURE_TYPE_DEVICE_BUFFER_MEMORY_REQUIREMENTS, NULL,
                                                      &create};
    DEVICE_COMMAND(GetDeviceBufferMemoryRequirementsKHR)(gpu->device, &planned, &requirements);
    CHECK_EQ(requirements.memoryRequirements.memoryTypeBits, 2);
    const VkBuffer buffer = gpu_make_buffer(gpu, 4096, ZIRCON_VMO);
    const VkImage image = gpu_make_linear_image(gpu, 16, ZIRCON_VMO);
    const VkBufferMemoryRequirementsInfo2 of_buffer = {VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2, NULL,
                                                       buffer};
    const VkImageMemoryRequirementsInfo2 of_image = {VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2, NULL, image};
    DEVICE_COMMAND(GetBufferMemoryRequirements2KHR)(gpu->device, &of_buffer, &requirements);
    CHECK_EQ(requirements.memoryRequirements.memoryTypeBits, 2);
    DEVICE_COMMAND(GetImageMemoryRequirements2KHR)(gpu->device, &of_image, &requirements);
    CHECK_EQ(requirements.memoryRequirements.memoryTypeBits, 2);
    vkDestroyBuffer(gpu->device, buffer, NULL);
    vkDestroyImage(gpu->device, image, NULL);
}

static void types_that_cannot_are_refused(const struct gpu *gpu) {
    VkDeviceMemory memory;
    zx_handle_t vmo;
    CHECK_EQ(gpu_export(gpu, 4096, 0, &memory), VK_ERROR_OUT_OF_DEVICE_MEMORY);
    CHECK_EQ(gpu_export(gpu, 4096, 2, &memory), VK_ERROR_OUT_OF_DEVICE_MEMORY);
    CHECK_OK(zx_vmo_create(4096, 0, &vmo));
    CHECK_EQ(gpu_import(gpu, 4096, 0, vmo, &memory), VK_ERROR_OUT_OF_DEVICE_MEMORY);
    CHECK_OK(zx_handle_check_valid(vmo)); // still open
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
    };
    CHECK_OK(gpu->get_handle_properties(gpu->device, ZIRCON_VMO, vmo, &properties));
    CHECK_EQ(properties.memoryTypeBits, 2);
    REQUIRE(CHECK_OK(gpu_import(gpu, 4096, 1, vmo, &memory)));
    CHECK_EQ(recorder.memory_type, 1);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void ranges_fit_a_large_atom(const struct gpu *gpu) {
    VkDeviceMemory memory;
    void *mapped;
    REQUIRE(CHECK_OK(gpu_export(gpu, 1000, 1, &memory)));
    CHECK_OK(vkMapMemory(gpu->device, memory, 0, 1000, 0, &mapped));
    const VkMappedMemoryRange range = {
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = memory,
        .offset = 768,
        .size = 232,
    };
    CHECK_OK(vkFlushMappedMemoryRanges(gpu->device, 1, &range));
    CHECK_EQ(recorder.range.offset, 768);
    CHECK_EQ(recorder.range.size, 256);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void many_types(void) {
    struct gpu gpu;
    const char *const names[] = {extension, VK_KHR_GET_MEMORY_REQUIREMENTS_2_EXTENSION_NAME,
                                 VK_KHR_MAINTENANCE_4_EXTENSION_NAME};
    recorder.pretense = PRETEND_MANY_TYPES;
    gpu_open(&gpu, names, 3);
    CHECK_EQ(strcmp(reason_of(&gpu), ""), 0);
    optimal_images_are_not_supported(&gpu);
    masks_hold_what_can_be_shared(&gpu);
    old_names_answer_alike(&gpu);
    types_that_cannot_are_refused(&gpu);
    ranges_fit_a_large_atom(&gpu);
    gpu_close(&gpu);
    recorder.pretense = PRETEND_NOTHING;
}

// The layer relies on its trial, except where the driver refuses with a result.
static void denied_imports(void) {
    struct gpu gpu;
    recorder.pretense = PRETEND_DENIED_IMPORTS;
    gpu_open(&gpu, &extension, 1);
    CHECK_EQ(strcmp(reason_of(&gpu), ""), 0);
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
        .handleType = ZIRCON_VMO,
    };
    VkExternalBufferProperties buffers = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    vkGetPhysicalDeviceExternalBufferProperties(gpu.physical, &info, &buffers);
    CHECK_EQ(buffers.externalMemoryProperties.externalMemoryFeatures, 6);
    VkExternalImageFormatProperties external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    VkImageFormatProperties2 images = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2, .pNext = &external};
    CHECK_OK(query_image(&gpu, VK_IMAGE_TILING_LINEAR, &images));
    CHECK_EQ(external.externalMemoryProperties.externalMemoryFeatures, 6);
    CHECK_EQ(query_image(&gpu, VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT, &images), VK_ERROR_FORMAT_NOT_SUPPORTED);
    CHECK_EQ(external.externalMemoryProperties.externalMemoryFeatures, 0);
    gpu_close(&gpu);
    recorder.pretense = PRETEND_NOTHING;
}

int main(void) {
    RUN(is_not_offered(PRETEND_NO_HOST_MEMORY, "VK_EXT_external_memory_host"));
    RUN(is_not_offered(PRETEND_REFUSED_PAGES, "memfd"));
    RUN(is_not_offered(PRETEND_REFUSED_IMPORTS, "importing"));
    RUN(is_not_offered(PRETEND_HIDDEN_TYPES, "HOST_VISIBLE"));
    RUN(a_driver_that_can_has_no_reason());
    RUN(a_native_driver_is_left_alone());
    RUN(many_types());
    RUN(denied_imports());
    CHECK_EQ(recorder.live_allocations, 0);
    CHECK_EQ(recorder.violations, 0);
    return test_result();
}
