// SPDX-License-Identifier: Apache-2.0
//
// A client that shares buffers of 1,024 bytes and small images in every order that a conformance test could choose:
// binding before and after the export and the import, with and without dedicated allocations, and many imports.
#include "gpu.h"
#include "test.h"

#include <sys/resource.h>

#define BYTES   1024
#define IMPORTS 4096

enum order { BIND_EXPORT_IMPORT_BIND, EXPORT_BIND_IMPORT_BIND, EXPORT_IMPORT_BIND_BIND, ORDERS };

// A buffer or an image, and its memory.
struct side {
    bool is_image, dedicated;
    VkBuffer buffer;
    VkImage image;
    VkMemoryRequirements requirements;
    VkDeviceMemory memory;
};

static struct side make_side(const struct gpu *gpu, bool is_image, bool dedicated) {
    struct side side = {.is_image = is_image, .dedicated = dedicated};
    if (is_image) {
        side.image = gpu_make_linear_image(gpu, 16, ZIRCON_VMO);
        vkGetImageMemoryRequirements(gpu->device, side.image, &side.requirements);
    } else {
        side.buffer = gpu_make_buffer(gpu, BYTES, ZIRCON_VMO);
        vkGetBufferMemoryRequirements(gpu->device, side.buffer, &side.requirements);
    }
    return side;
}

// Allocates the memory of a side. `next` exports or imports.
static VkResult allocate(const struct gpu *gpu, struct side *side, const void *next) {
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .pNext = next,
        .buffer = side->buffer,
        .image = side->image,
    };
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = side->dedicated ? (const void *)&dedicated : next,
        .allocationSize = side->requirements.size,
        .memoryTypeIndex = gpu_pick_type(side->requirements.memoryTypeBits),
    };
    return vkAllocateMemory(gpu->device, &info, NULL, &side->memory);
}

static VkResult export_memory(const struct gpu *gpu, struct side *side) {
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = ZIRCON_VMO,
    };
    return allocate(gpu, side, &export);
}

static VkResult import_memory(const struct gpu *gpu, struct side *side, zx_handle_t handle) {
    const VkImportMemoryZirconHandleInfoFUCHSIA import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
        .handleType = ZIRCON_VMO,
        .handle = handle,
    };
    return allocate(gpu, side, &import);
}

static VkResult bind(const struct gpu *gpu, const struct side *side) {
    return side->is_image ? vkBindImageMemory(gpu->device, side->image, side->memory, 0)
                          : vkBindBufferMemory(gpu->device, side->buffer, side->memory, 0);
}

static void free_side(const struct gpu *gpu, const struct side *side) {
    vkDestroyBuffer(gpu->device, side->buffer, NULL);
    vkDestroyImage(gpu->device, side->image, NULL);
    vkFreeMemory(gpu->device, side->memory, NULL);
}

// Fills one side on the GPU, and looks for the bytes on the other.
static void both_see_the_same(const struct gpu *gpu, const struct side *one, const struct side *other, uint8_t byte) {
    const float shade = (float)byte / 255;
    unsigned char *seen;
    if (one->is_image)
        gpu_clear(gpu, one->image, &(VkClearColorValue){.float32 = {shade, shade, shade, shade}});
    else
        gpu_fill(gpu, one->buffer, byte * UINT32_C(0x01010101));
    REQUIRE(CHECK_OK(vkMapMemory(gpu->device, other->memory, 0, VK_WHOLE_SIZE, 0, (void **)&seen)));
    CHECK_EQ(seen[0], byte);
    if (!one->is_image) // an image may have padding
        CHECK_EQ(seen[BYTES - 1], byte);
    vkUnmapMemory(gpu->device, other->memory);
}

static void share_in_order(const struct gpu *gpu, enum order order, bool is_image, bool dedicated) {
    struct side ours = make_side(gpu, is_image, dedicated), theirs = make_side(gpu, is_image, dedicated);
    REQUIRE(CHECK_OK(export_memory(gpu, &ours)));
    if (order == BIND_EXPORT_IMPORT_BIND)
        CHECK_OK(bind(gpu, &ours));
    const zx_handle_t handle = gpu_get_handle(gpu, ours.memory);
    if (order == EXPORT_BIND_IMPORT_BIND)
        CHECK_OK(bind(gpu, &ours));
    REQUIRE(CHECK_OK(import_memory(gpu, &theirs, handle)));
    if (order == EXPORT_IMPORT_BIND_BIND)
        CHECK_OK(bind(gpu, &ours));
    CHECK_OK(bind(gpu, &theirs));
    both_see_the_same(gpu, &ours, &theirs, 0x5a);
    both_see_the_same(gpu, &theirs, &ours, 0xc3);
    free_side(gpu, &ours);
    free_side(gpu, &theirs);
}

// Two handles of one memory, and a handle of an import's own VMO, which the first import outlives.
static void import_twice(const struct gpu *gpu, bool is_image, bool dedicated) {
    struct side ours = make_side(gpu, is_image, dedicated), first = make_side(gpu, is_image, dedicated),
                second = make_side(gpu, is_image, dedicated);
    REQUIRE(CHECK_OK(export_memory(gpu, &ours)) && CHECK_OK(bind(gpu, &ours)));
    REQUIRE(CHECK_OK(import_memory(gpu, &first, gpu_get_handle(gpu, ours.memory))));
    REQUIRE(CHECK_OK(import_memory(gpu, &second, gpu_get_handle(gpu, ours.memory))));
    CHECK_OK(bind(gpu, &first));
    CHECK_OK(bind(gpu, &second));
    both_see_the_same(gpu, &first, &second, 0x11);
    both_see_the_same(gpu, &second, &ours, 0x22);
    free_side(gpu, &first);
    both_see_the_same(gpu, &ours, &second, 0x33);
    free_side(gpu, &ours);
    free_side(gpu, &second);
}

static uint32_t open_vmos(void) {
    zx_info_process_handle_stats_t statistics;
    CHECK_OK(zx_object_get_info(zx_process_self(), ZX_INFO_PROCESS_HANDLE_STATS, &statistics, sizeof statistics, NULL,
                                NULL));
    return statistics.handle_count[ZX_OBJ_TYPE_VMO];
}

static void import_many_times(const struct gpu *gpu, bool is_image, bool dedicated) {
    struct side ours = make_side(gpu, is_image, dedicated), theirs = make_side(gpu, is_image, dedicated);
    REQUIRE(CHECK_OK(export_memory(gpu, &ours)) && CHECK_OK(bind(gpu, &ours)));
    const uint32_t before = open_vmos();
    for (int i = 0; i < IMPORTS; i++) {
        REQUIRE(CHECK_OK(import_memory(gpu, &theirs, gpu_get_handle(gpu, ours.memory))));
        vkFreeMemory(gpu->device, theirs.memory, NULL);
    }
    theirs.memory = VK_NULL_HANDLE;
    CHECK_EQ(open_vmos(), before);
    free_side(gpu, &ours);
    free_side(gpu, &theirs);
}

// Vulkan's least maxMemoryAllocationCount. `vkzircon emulate` raises the limit of open files, as this does.
static void as_many_exports_live_as_vulkan_promises(const struct gpu *gpu) {
    static VkDeviceMemory memories[4096];
    struct rlimit files;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    if (files.rlim_cur < 4200) {
        printf("skip: this system allows %llu open files\n", (unsigned long long)files.rlim_cur);
        return;
    }
    size_t count = 0;
    while (count < 4096 && CHECK_OK(gpu_export(gpu, BYTES, gpu->shared_type, &memories[count])))
        count++;
    while (count > 0)
        vkFreeMemory(gpu->device, memories[--count], NULL);
}

int main(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    for (int kind = 0; kind < 4; kind++) {
        const bool is_image = kind & 1, dedicated = kind & 2;
        for (enum order order = 0; order < ORDERS; order++)
            RUN(share_in_order(&gpu, order, is_image, dedicated));
        RUN(import_twice(&gpu, is_image, dedicated));
        RUN(import_many_times(&gpu, is_image, dedicated));
    }
    RUN(as_many_exports_live_as_vulkan_promises(&gpu));
    gpu_close(&gpu);
    return test_result();
}
