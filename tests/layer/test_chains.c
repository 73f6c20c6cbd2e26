// SPDX-License-Identifier: Apache-2.0
//
// Chains in read-only memory with every struct of Vulkan's registry that may be in them: all of them arrive at the
// driver, and the layer does not write to the application's memory.
#include "gpu.h"

#include "chain.h"
#include "newer.h"
#include "recorder.h"
#include "struct_sizes.h"
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNKNOWN ((VkStructureType)2000000000)
#define ROOM    ((size_t)65536)

static const VkStructureType table[] = {
#define TYPE(number, name, members) (VkStructureType)(number),
    STRUCT_SIZES(TYPE)
#undef TYPE
};
#define TABLE (sizeof table / sizeof table[0])

static void *pages(size_t size) {
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED);
    return start;
}

// A chain of all structs of the table, zeros but for the type, in front of `last`, which stays outside. No struct of
// the type of `last` is in it.
static VkBaseOutStructure *all_structs(unsigned char *room, VkBaseOutStructure *last) {
    VkBaseOutStructure *first = last;
    for (size_t i = TABLE; i-- > 0;) {
        if (table[i] == last->sType || table[i] == VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA ||
            table[i] == VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT)
            continue;
        VkBaseOutStructure *node = (void *)room;
        node->sType = table[i];
        node->pNext = first;
        first = node;
        room += (chain_struct_size(table[i]) + 15) & ~(size_t)15;
    }
    return first;
}

static void all_arrived(size_t count) {
    CHECK_EQ(recorder.chain_length, count);
}

static void buffers_keep_all_structs(struct gpu *gpu) {
    unsigned char *room = pages(ROOM);
    VkExternalMemoryBufferCreateInfo *external = (void *)(room + ROOM / 2);
    *external =
        (VkExternalMemoryBufferCreateInfo){VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, NULL, ZIRCON_VMO};
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = all_structs(room, (VkBaseOutStructure *)external),
        .size = 4096,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkBuffer buffer;
    CHECK_OK(mprotect(room, ROOM, PROT_READ));
    REQUIRE(CHECK_OK(vkCreateBuffer(gpu->device, &info, NULL, &buffer)));
    all_arrived(TABLE - 2);
    vkDestroyBuffer(gpu->device, buffer, NULL);
    munmap(room, ROOM);
}

static VkImageCreateInfo image_info(unsigned char *room) {
    VkExternalMemoryImageCreateInfo *external = (void *)(room + ROOM / 2);
    *external =
        (VkExternalMemoryImageCreateInfo){VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, NULL, ZIRCON_VMO};
    return (VkImageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = all_structs(room, (VkBaseOutStructure *)external),
        .imageType = VK_IMAGE_TYPE_2D,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {64, 64, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_LINEAR,
        .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
}

static void images_keep_all_structs(struct gpu *gpu) {
    unsigned char *room = pages(ROOM);
    const VkImageCreateInfo info = image_info(room);
    VkImage image;
    CHECK_OK(mprotect(room, ROOM, PROT_READ));
    REQUIRE(CHECK_OK(vkCreateImage(gpu->device, &info, NULL, &image)));
    all_arrived(TABLE - 2);
    vkDestroyImage(gpu->device, image, NULL);
    munmap(room, ROOM);
}

// The two queries of an image that does not exist, beside that of its memory types.
static void queries_of_images_keep_all_structs(struct gpu *gpu) {
    unsigned char *room = pages(ROOM);
    const VkImageCreateInfo info = image_info(room);
    const VkDeviceImageMemoryRequirements asked = {VK_STRUCTURE_TYPE_DEVICE_IMAGE_MEMORY_REQUIREMENTS, NULL, &info, 0};
    const struct newer_image_subresource part = {(VkStructureType)1000470004, NULL, &info, NULL};
    const newer_GetDeviceImageSubresourceLayout layout =
        (newer_GetDeviceImageSubresourceLayout)vkGetDeviceProcAddr(gpu->device, "vkGetDeviceImageSubresourceLayoutKHR");
    uint32_t count = 0;
    CHECK_OK(mprotect(room, ROOM, PROT_READ));
    vkGetDeviceImageSparseMemoryRequirements(gpu->device, &asked, &count, NULL);
    all_arrived(TABLE - 2);
    recorder.chain_length = 0;
    REQUIRE(CHECK(layout));
    layout(gpu->device, &part, NULL);
    all_arrived(TABLE - 2);
    munmap(room, ROOM);
}

// Of the export and the two dedicated allocations the layer makes an import of host memory.
static void allocations_keep_all_structs(struct gpu *gpu) {
    unsigned char *room = pages(ROOM);
    VkExportMemoryAllocateInfo *export = (void *)(room + ROOM / 2);
    *export = (VkExportMemoryAllocateInfo){VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, NULL, ZIRCON_VMO};
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = all_structs(room, (VkBaseOutStructure *)export),
        .allocationSize = 4096,
        .memoryTypeIndex = gpu->shared_type,
    };
    VkDeviceMemory memory;
    CHECK_OK(mprotect(room, ROOM, PROT_READ));
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    all_arrived(TABLE - 2 - 3 + 1);
    vkFreeMemory(gpu->device, memory, NULL);
    munmap(room, ROOM);
}

// This struct is newer than the headers of Debian 12.
static void a_struct_newer_than_the_headers_is_copied(struct gpu *gpu) {
    static const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = ZIRCON_VMO,
    };
    static const struct {
        VkStructureType sType;
        const void *pNext;
        uint64_t usage;
    } usage = {(VkStructureType)1000470006, &external, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT};
    static const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &usage,
        .size = 4096,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
    };
    VkBuffer buffer;
    REQUIRE(CHECK_OK(vkCreateBuffer(gpu->device, &info, NULL, &buffer)));
    all_arrived(2);
    vkDestroyBuffer(gpu->device, buffer, NULL);
}

// Copies a struct of `size` bytes that the table does not have, whose first byte is `before` bytes before the end of a
// page. The page after it can be read if `goes_on`.
static void copy_at_the_end_of_a_page(size_t size, size_t before, bool goes_on) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *start = pages(2 * page);
    static VkExportMemoryAllocateInfo export = {.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO};
    VkBaseOutStructure *unknown = (void *)(start + page - before);
    memset(unknown, 0x5a, size);
    unknown->sType = UNKNOWN;
    unknown->pNext = (VkBaseOutStructure *)&export;
    CHECK_OK(mprotect(start + page, page, goes_on ? PROT_READ : PROT_NONE));
    CHECK_OK(mprotect(start, page, PROT_READ));
    const struct chain_rule rule = {export.sType, NULL};
    struct chain chain;
    chain_rewrite(&chain, unknown, &rule, 1);
    const VkBaseInStructure *copy = chain.first;
    CHECK(copy != (void *)unknown && copy->sType == UNKNOWN && !copy->pNext);
    CHECK_EQ(memcmp(copy + 1, unknown + 1, size - sizeof *unknown), 0);
    munmap(start, 2 * page);
}

static void an_unknown_struct_is_copied_wherever_it_ends(void) {
    copy_at_the_end_of_a_page(16, 16, false);
    copy_at_the_end_of_a_page(64, 64, false);
    copy_at_the_end_of_a_page(64, 32, true);
    copy_at_the_end_of_a_page(CHAIN_UNKNOWN, 4096, true);
}

// The table is independent of the headers, and agrees with them where they have the struct.
static void sizes_are_those_of_the_headers(void) {
#define SAME(type, name) CHECK_EQ(chain_struct_size(VK_STRUCTURE_TYPE_##type), sizeof(name))
    SAME(BUFFER_COLLECTION_IMAGE_CREATE_INFO_FUCHSIA, VkBufferCollectionImageCreateInfoFUCHSIA);
    SAME(DEDICATED_ALLOCATION_BUFFER_CREATE_INFO_NV, VkDedicatedAllocationBufferCreateInfoNV);
    SAME(IMAGE_COMPRESSION_CONTROL_EXT, VkImageCompressionControlEXT);
    SAME(IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT, VkImageDrmFormatModifierExplicitCreateInfoEXT);
    SAME(IMPORT_MEMORY_FD_INFO_KHR, VkImportMemoryFdInfoKHR);
    SAME(IMPORT_MEMORY_HOST_POINTER_INFO_EXT, VkImportMemoryHostPointerInfoEXT);
    SAME(IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, VkImportMemoryZirconHandleInfoFUCHSIA);
    SAME(MEMORY_DEDICATED_ALLOCATE_INFO, VkMemoryDedicatedAllocateInfo);
    SAME(MEMORY_PRIORITY_ALLOCATE_INFO_EXT, VkMemoryPriorityAllocateInfoEXT);
    SAME(PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT, VkPhysicalDeviceImageDrmFormatModifierInfoEXT);
    SAME(VIDEO_PROFILE_LIST_INFO_KHR, VkVideoProfileListInfoKHR);
#undef SAME
}

// Debian 12's lavapipe does not have these commands, but the recorder offers them.
static newer_MapMemory2 newer_map(const struct gpu *gpu, const char *name) {
    return (newer_MapMemory2)vkGetDeviceProcAddr(gpu->device, name);
}

static const char *const newer_names[] = {"vkMapMemory2", "vkMapMemory2KHR"};

// The driver's allocation is larger than the application's, and a mapping to the end goes to the driver's end.
static void all_commands_map_to_the_end(struct gpu *gpu) {
    VkDeviceMemory memory;
    void *data;
    REQUIRE(CHECK_OK(gpu_export(gpu, 100, gpu->shared_type, &memory)));
    const struct newer_map info = {(VkStructureType)1000271000, NULL, 0, memory, 36, 64};
    CHECK_OK(vkMapMemory(gpu->device, memory, 36, 64, 0, &data));
    CHECK_EQ(recorder.mapped_size, 4096 - 36);
    vkUnmapMemory(gpu->device, memory);
    for (size_t i = 0; i < 2; i++) {
        const newer_MapMemory2 map = newer_map(gpu, newer_names[i]);
        recorder.mapped_size = 0;
        REQUIRE(CHECK(map));
        CHECK_OK(map(gpu->device, &info, &data));
        CHECK_EQ(recorder.mapped_size, 4096 - 36);
        vkUnmapMemory(gpu->device, memory);
    }
    vkFreeMemory(gpu->device, memory, NULL);
}

static void a_fault_of_mappings_reaches_all_commands(void) {
    const pid_t pid = fork(); // the child reads its own environment
    if (pid == 0) {
        struct gpu gpu;
        VkDeviceMemory memory;
        void *data;
        setenv("VKZIRCON_EMULATION", "fault=map-fails", 1);
        gpu_open_zircon(&gpu);
        CHECK_OK(gpu_export(&gpu, 100, gpu.shared_type, &memory));
        const struct newer_map info = {(VkStructureType)1000271000, NULL, 0, memory, 36, 64};
        CHECK_EQ(vkMapMemory(gpu.device, memory, 36, 64, 0, &data), VK_ERROR_MEMORY_MAP_FAILED);
        for (size_t i = 0; i < 2; i++)
            CHECK_EQ(newer_map(&gpu, newer_names[i])(gpu.device, &info, &data), VK_ERROR_MEMORY_MAP_FAILED);
        _exit(test_result());
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

// The spec ignores an export struct without handle types, and SwiftShader refuses it.
static void an_export_of_nothing_stays_above(struct gpu *gpu) {
    static const VkExportMemoryAllocateInfo nothing = {.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO};
    static const VkExportMemoryAllocateInfo descriptor = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
    };
    VkMemoryAllocateInfo info = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, &nothing, 4096, gpu->shared_type};
    VkDeviceMemory memory;
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    all_arrived(0);
    vkFreeMemory(gpu->device, memory, NULL);
    info.pNext = &descriptor;
    REQUIRE(CHECK_OK(vkAllocateMemory(gpu->device, &info, NULL, &memory)));
    all_arrived(1);
    vkFreeMemory(gpu->device, memory, NULL);
}

int main(void) {
    struct gpu gpu;
    RUN(sizes_are_those_of_the_headers());
    RUN(an_unknown_struct_is_copied_wherever_it_ends());
    RUN(a_fault_of_mappings_reaches_all_commands());
    gpu_open_zircon(&gpu);
    RUN(a_struct_newer_than_the_headers_is_copied(&gpu));
    RUN(buffers_keep_all_structs(&gpu));
    RUN(images_keep_all_structs(&gpu));
    RUN(queries_of_images_keep_all_structs(&gpu));
    RUN(allocations_keep_all_structs(&gpu));
    RUN(all_commands_map_to_the_end(&gpu));
    RUN(an_export_of_nothing_stays_above(&gpu));
    gpu_close(&gpu);
    CHECK_EQ(recorder.violations, 0);
    return test_result();
}
