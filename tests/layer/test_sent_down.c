// SPDX-License-Identifier: Apache-2.0
//
// What the layer passes to the driver, as recorded below it.
#include "gpu.h"
#include "recorder.h"
#include "together.h"

// A struct of an unknown extension.
struct unknown {
    VkStructureType sType;
    const void *pNext;
    uint32_t payload[5];
};

#define UNKNOWN(number) ((VkStructureType)(2000000000 + (number)))

static VkMemoryAllocateInfo allocate_info(const void *next, VkDeviceSize size) {
    return (VkMemoryAllocateInfo){
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = next,
        .allocationSize = size,
    };
}

static bool chain_was(const VkStructureType *types, uint32_t count) {
    return recorder.chain_length == count && memcmp(recorder.chain, types, count * sizeof *types) == 0;
}

static void an_export_is_an_import_of_host_memory(struct gpu *gpu) {
    VkDeviceMemory memory;
    REQUIRE(CHECK_OK(gpu_export(gpu, 5000, gpu->shared_type, &memory)));
    CHECK(chain_was((VkStructureType[]){VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT}, 1));
    CHECK((uintptr_t)recorder.host_pointer % 65536 == 0);
    CHECK_EQ(recorder.allocation_size, 8192);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void every_import_maps_anew(struct gpu *gpu) {
    VkDeviceMemory exported, first, second;
    REQUIRE(CHECK_OK(gpu_export(gpu, 4096, gpu->shared_type, &exported)));
    const void *pointer = recorder.host_pointer;
    REQUIRE(CHECK_OK(gpu_import(gpu, 4096, gpu->shared_type, gpu_get_handle(gpu, exported), &first)));
    CHECK(recorder.host_pointer != pointer);
    const void *second_pointer = recorder.host_pointer;
    REQUIRE(CHECK_OK(gpu_import(gpu, 4096, gpu->shared_type, gpu_get_handle(gpu, exported), &second)));
    CHECK(recorder.host_pointer != pointer && recorder.host_pointer != second_pointer);
    vkFreeMemory(gpu->device, exported, NULL);
    vkFreeMemory(gpu->device, first, NULL);
    vkFreeMemory(gpu->device, second, NULL);
}

static void dedicated_allocations_stay_above(struct gpu *gpu) {
    const VkBuffer buffer = gpu_make_buffer(gpu, 4096, ZIRCON_VMO);
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .buffer = buffer,
    };
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = &dedicated,
        .handleTypes = ZIRCON_VMO,
    };
    const VkMemoryAllocateInfo info = allocate_info(&export, 4096);
    VkDeviceMemory memory;
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    CHECK(chain_was((VkStructureType[]){VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT}, 1));
    CHECK_OK(vkBindBufferMemory(gpu->device, buffer, memory, 0));
    vkDestroyBuffer(gpu->device, buffer, NULL);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void unknown_structs_get_through(struct gpu *gpu) {
    struct unknown last = {UNKNOWN(3), NULL, {0}};
    VkMemoryDedicatedAllocateInfo dedicated = {VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO, &last, NULL, NULL};
    struct unknown middle = {UNKNOWN(2), &dedicated, {0}};
    VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, &middle, ZIRCON_VMO};
    VkMemoryAllocateFlagsInfo flags = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO, &export, 0, 0};
    struct unknown first = {UNKNOWN(1), &flags, {1, 2, 3, 4, 5}};
    const struct unknown before = first;
    const VkMemoryAllocateInfo info = allocate_info(&first, 4096);
    VkDeviceMemory memory;
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    CHECK(chain_was((VkStructureType[]){VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT, UNKNOWN(1),
                                        VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO, UNKNOWN(2), UNKNOWN(3)},
                    5));
    // The application's chain is unchanged.
    CHECK_EQ(memcmp(&first, &before, sizeof first), 0);
    CHECK(flags.pNext == &export && export.pNext == &middle && middle.pNext == &dedicated);
    CHECK(dedicated.pNext == &last && last.pNext == NULL);
    CHECK_EQ(export.handleTypes, ZIRCON_VMO);
    vkFreeMemory(gpu->device, memory, NULL);
}

// A write by the layer to a struct that it knows would fault in read-only memory.
static void known_structs_are_not_written_to(struct gpu *gpu) {
    static const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
    };
    static const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = &dedicated,
        .handleTypes = ZIRCON_VMO,
    };
    static const VkMemoryAllocateFlagsInfo flags = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .pNext = &export,
    };
    static const struct unknown after = {.sType = UNKNOWN(4)};
    static const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .pNext = &after,
        .handleTypes = ZIRCON_VMO,
    };
    const VkBufferCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = 4096,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    const VkMemoryAllocateInfo info = allocate_info(&flags, 4096);
    VkDeviceMemory memory;
    VkBuffer buffer;
    CHECK_OK(vkCreateBuffer(gpu->device, &create, NULL, &buffer));
    CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory));
    vkDestroyBuffer(gpu->device, buffer, NULL);
    vkFreeMemory(gpu->device, memory, NULL);
}

static const char *allocate_often(void *argument, unsigned thread) {
    const struct gpu *gpu = argument;
    (void)thread;
    for (int i = 0; i < 200; i++) {
        VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL, ZIRCON_VMO};
        const struct unknown unknown = {UNKNOWN(1), &export, {0}};
        const VkMemoryAllocateInfo info = allocate_info(&unknown, 4096);
        VkDeviceMemory memory;
        HOLDS(vkAllocateMemory(gpu->device, &info, NULL, &memory) == VK_SUCCESS);
        HOLDS(unknown.pNext == &export);
        vkFreeMemory(gpu->device, memory, NULL);
    }
    return NULL;
}

static VkMemoryAllocateInfo shared_info;

static const char *allocate_by_shared_info(void *argument, unsigned thread) {
    const struct gpu *gpu = argument;
    (void)thread;
    for (int i = 0; i < 400; i++) {
        VkDeviceMemory memory;
        HOLDS(vkAllocateMemory(gpu->device, &shared_info, NULL, &memory) == VK_SUCCESS);
        const zx_handle_t handle = gpu_get_handle(gpu, memory);
        vkFreeMemory(gpu->device, memory, NULL);
        HOLDS(handle != ZX_HANDLE_INVALID); // invalid if the export was overlooked
        HOLDS(zx_handle_close(handle) == ZX_OK);
    }
    return NULL;
}

// The chain is redirected around the export during a call, and other threads must not read it then.
static void threads_may_share_a_chain(struct gpu *gpu) {
    VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL, ZIRCON_VMO};
    const struct unknown unknown = {UNKNOWN(1), &export, {0}};
    shared_info = allocate_info(&unknown, 4096);
    run_together(allocate_by_shared_info, gpu);
    CHECK(unknown.pNext == &export);
}

// More structs than a real program has.
static void thirty_unknown_structs_get_through(struct gpu *gpu) {
    struct unknown unknown[30];
    VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, &unknown[20], ZIRCON_VMO};
    VkDeviceMemory memory;
    for (uint32_t i = 0; i < 30; i++)
        unknown[i] = (struct unknown){UNKNOWN(i), i == 19 ? (void *)&export : &unknown[i + 1], {0}};
    unknown[29].pNext = NULL;
    const VkMemoryAllocateInfo info = allocate_info(&unknown[0], 4096);
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    CHECK_EQ(recorder.chain_length, 31);
    for (uint32_t i = 0; i < 30; i++)
        CHECK_EQ(recorder.chain[i + 1], UNKNOWN(i));
    CHECK(unknown[19].pNext == &export && export.pNext == &unknown[20]);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void an_ignored_import_is_ignored(struct gpu *gpu) {
    struct unknown after = {UNKNOWN(1), NULL, {0}};
    const VkImportMemoryZirconHandleInfoFUCHSIA ignored = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
        .pNext = &after,
        .handle = 0xabcd1234,
    };
    const VkMemoryAllocateInfo info = allocate_info(&ignored, 4096);
    VkDeviceMemory memory;
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    CHECK(chain_was((VkStructureType[]){UNKNOWN(1)}, 1));
    CHECK(!recorder.host_pointer);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void ranges_are_widened(struct gpu *gpu) {
    VkDeviceMemory memory;
    void *mapped;
    REQUIRE(CHECK_OK(gpu_export(gpu, 1000, gpu->shared_type, &memory)));
    CHECK_OK(vkMapMemory(gpu->device, memory, 0, 1000, 0, &mapped)); // to the end of the application's size
    CHECK_EQ(recorder.mapped_size, 4096);                            // the end of the driver's size
    VkMappedMemoryRange range = {
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = memory,
        .offset = 64,
        .size = 936,
    };
    CHECK_OK(vkFlushMappedMemoryRanges(gpu->device, 1, &range));
    CHECK_EQ(recorder.range.offset, 64);
    CHECK_EQ(recorder.range.size, 960);
    CHECK_OK(vkInvalidateMappedMemoryRanges(gpu->device, 1, &range));
    CHECK_EQ(recorder.range.size, 960);
    range.size = VK_WHOLE_SIZE;
    CHECK_OK(vkFlushMappedMemoryRanges(gpu->device, 1, &range));
    CHECK_EQ(recorder.range.size, VK_WHOLE_SIZE);
    vkUnmapMemory(gpu->device, memory);
    CHECK_OK(vkMapMemory(gpu->device, memory, 0, 512, 0, &mapped)); // not to the end: passed on unchanged
    CHECK_EQ(recorder.mapped_size, 512);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void many_ranges_all_arrive(struct gpu *gpu) {
    VkDeviceMemory memory;
    void *mapped;
    VkMappedMemoryRange ranges[40];
    REQUIRE(CHECK_OK(gpu_export(gpu, 4096, gpu->shared_type, &memory)));
    CHECK_OK(vkMapMemory(gpu->device, memory, 0, VK_WHOLE_SIZE, 0, &mapped));
    for (uint32_t i = 0; i < 40; i++) {
        ranges[i] = (VkMappedMemoryRange){
            .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
            .memory = memory,
            .offset = (VkDeviceSize)64 * i,
            .size = 64,
        };
    }
    recorder.range_calls = 0;
    CHECK_OK(vkFlushMappedMemoryRanges(gpu->device, 40, ranges));
    CHECK_EQ(recorder.range_calls, 3); // 16, 16
    CHECK_EQ(recorder.num_ranges, 8);
    CHECK_EQ(recorder.range.offset, 64 * 39);
    vkFreeMemory(gpu->device, memory, NULL);
}

static void other_memory_is_left_alone(struct gpu *gpu) {
    const VkMemoryAllocateInfo info = allocate_info(NULL, 1000);
    VkDeviceMemory memory;
    void *mapped;
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    CHECK_EQ(recorder.allocation_size, 1000);
    CHECK_OK(vkMapMemory(gpu->device, memory, 0, 1000, 0, &mapped));
    CHECK_EQ(recorder.mapped_size, 1000);
    vkFreeMemory(gpu->device, memory, NULL);
}

// Queries and create-infos with ZIRCON_VMO. The recorder checks each.
static void queries_speak_of_host_memory(struct gpu *gpu) {
    const VkExternalMemoryBufferCreateInfo external_buffer = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                                                              NULL, ZIRCON_VMO};
    const VkExternalMemoryImageCreateInfo external_image = {VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, NULL,
                                                            ZIRCON_VMO};
    const VkBufferCreateInfo buffer = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external_buffer,
        .size = 4096,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    const VkImageCreateInfo image = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = &external_image,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {16, 16, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_LINEAR,
        .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    const VkDeviceBufferMemoryRequirements for_buffer = {VK_STRUCTURE_TYPE_DEVICE_BUFFER_MEMORY_REQUIREMENTS, NULL,
                                                         &buffer};
    const VkDeviceImageMemoryRequirements for_image = {VK_STRUCTURE_TYPE_DEVICE_IMAGE_MEMORY_REQUIREMENTS, NULL, &image,
                                                       VK_IMAGE_ASPECT_COLOR_BIT};
    VkMemoryRequirements2 requirements = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    vkGetDeviceBufferMemoryRequirements(gpu->device, &for_buffer, &requirements);
    CHECK_EQ(requirements.memoryRequirements.memoryTypeBits, 1);
    vkGetDeviceImageMemoryRequirements(gpu->device, &for_image, &requirements);
    CHECK_EQ(requirements.memoryRequirements.memoryTypeBits, 1);
    vkDestroyImage(gpu->device, gpu_make_linear_image(gpu, 16, ZIRCON_VMO), NULL);
    const VkPhysicalDeviceExternalBufferInfo buffer_info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .handleType = ZIRCON_VMO,
    };
    VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    vkGetPhysicalDeviceExternalBufferProperties(gpu->physical, &buffer_info, &properties);
    CHECK(properties.externalMemoryProperties.externalMemoryFeatures);
}

// Another thread closes the handle while the driver imports. The import fails and must not leak.
static void a_handle_lost_on_the_way_fails_the_import(void) {
    struct gpu gpu;
    zx_handle_t vmo;
    VkDeviceMemory memory;
    recorder.pretense = PRETEND_LOST_HANDLES;
    gpu_open_zircon(&gpu);
    CHECK_OK(zx_vmo_create(4096, 0, &vmo));
    recorder.steal = vmo;
    CHECK_EQ(gpu_import(&gpu, 4096, gpu.shared_type, vmo, &memory), VK_ERROR_INVALID_EXTERNAL_HANDLE);
    recorder.steal = 0;
    recorder.pretense = PRETEND_NOTHING;
    CHECK_EQ(recorder.live_allocations, 0);
    gpu_close(&gpu);
}

// One trial device per physical device of an instance. The loader lists the extensions before it creates a device, so
// the trial runs in a program that never lists them, too.
static void one_trial_device_is_made(void) {
    struct gpu gpu;
    recorder.devices = 0;
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    CHECK_EQ(recorder.devices, 0);
    uint32_t count = 0;
    for (int i = 0; i < 3; i++)
        CHECK_OK(vkEnumerateDeviceExtensionProperties(gpu.physical, NULL, &count, NULL));
    CHECK_EQ(recorder.devices, 1);
    CHECK_OK(gpu_create_device(&gpu, NULL, 0, NULL));
    CHECK_EQ(recorder.devices, 2);
    gpu_close(&gpu);
}

int main(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    RUN(an_export_is_an_import_of_host_memory(&gpu));
    RUN(every_import_maps_anew(&gpu));
    RUN(dedicated_allocations_stay_above(&gpu));
    RUN(unknown_structs_get_through(&gpu));
    RUN(known_structs_are_not_written_to(&gpu));
    RUN(run_together(allocate_often, &gpu));
    RUN(threads_may_share_a_chain(&gpu));
    RUN(thirty_unknown_structs_get_through(&gpu));
    RUN(an_ignored_import_is_ignored(&gpu));
    RUN(ranges_are_widened(&gpu));
    RUN(many_ranges_all_arrive(&gpu));
    RUN(other_memory_is_left_alone(&gpu));
    RUN(queries_speak_of_host_memory(&gpu));
    gpu_close(&gpu);
    RUN(a_handle_lost_on_the_way_fails_the_import());
    RUN(one_trial_device_is_made());
    CHECK_EQ(recorder.live_allocations, 0);
    CHECK_EQ(recorder.violations, 0);
    return test_result();
}
