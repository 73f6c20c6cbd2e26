// SPDX-License-Identifier: Apache-2.0
//
// The layer under load: many threads, devices and instances at the same time.
#include "gpu.h"
#include "together.h"

#define ROUNDS 25
#define SIZE   ((VkDeviceSize)20000)

static const char *const extension = VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME;

// Fills the VMO's first SIZE bytes with `word`.
static const char *vmo_is_full_of(zx_handle_t vmo, uint32_t word) {
    static _Thread_local uint32_t words[SIZE / sizeof(uint32_t)];
    HOLDS(zx_vmo_read(vmo, words, 0, sizeof words) == ZX_OK);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        HOLDS(words[i] == word);
    return NULL;
}

// One device writes, and the other reads the same bytes.
static const char *share(const struct gpu *from, const struct gpu *to, uint32_t word) {
    struct shared_buffer exported, imported;
    zx_handle_t copy;
    shared_buffer_export(from, SIZE, &exported);
    const zx_handle_t vmo = gpu_get_handle(from, exported.memory);
    HOLDS(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &copy) == ZX_OK);
    shared_buffer_import(to, SIZE, vmo, &imported);
    gpu_fill(from, exported.buffer, word);
    const char *failed = vmo_is_full_of(copy, word);
    gpu_fill(to, imported.buffer, ~word);
    failed = failed ? failed : vmo_is_full_of(copy, ~word);
    shared_buffer_free(from, &exported);
    shared_buffer_free(to, &imported);
    HOLDS(zx_handle_close(copy) == ZX_OK);
    return failed;
}

static const char *own_instances(void *argument, unsigned thread) {
    (void)argument;
    for (uint32_t i = 0; i < 4; i++) {
        struct gpu first, second;
        gpu_open_zircon(&first);
        gpu_open_zircon(&second);
        const char *failed = share(&first, &second, thread << 16 | i);
        gpu_close(&first);
        gpu_close(&second);
        if (failed)
            return failed;
    }
    return NULL;
}

static void every_thread_has_instances_of_its_own(void) {
    run_together(own_instances, NULL);
}

// Each thread opens its own device of one instance while the others work.
static const char *own_devices(void *argument, unsigned thread) {
    for (uint32_t i = 0; i < 4; i++) {
        struct gpu first = *(const struct gpu *)argument, second = first;
        HOLDS(gpu_create_device(&first, &extension, 1, NULL) == VK_SUCCESS);
        HOLDS(gpu_create_device(&second, &extension, 1, NULL) == VK_SUCCESS);
        const char *failed = share(&first, &second, thread << 16 | i);
        gpu_close_device(&first);
        gpu_close_device(&second);
        if (failed)
            return failed;
    }
    return NULL;
}

static void every_thread_has_devices_of_its_own(void) {
    struct gpu gpu;
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    run_together(own_devices, &gpu);
    gpu_close(&gpu);
}

static const char *map_and_flush(const struct gpu *gpu, VkDeviceMemory memory, uint32_t word) {
    VkMappedMemoryRange range = {
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = memory,
        .size = SIZE,
    };
    void *mapped;
    HOLDS(vkMapMemory(gpu->device, memory, 0, SIZE, 0, &mapped) == VK_SUCCESS);
    for (size_t i = 0; i < SIZE / sizeof word; i++)
        ((uint32_t *)mapped)[i] = word;
    range.size = VK_WHOLE_SIZE;
    HOLDS(vkFlushMappedMemoryRanges(gpu->device, 1, &range) == VK_SUCCESS);
    HOLDS(vkInvalidateMappedMemoryRanges(gpu->device, 1, &range) == VK_SUCCESS);
    vkUnmapMemory(gpu->device, memory);
    return NULL;
}

static const char *exchange(const struct gpu *gpu, uint32_t word) {
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
    };
    VkDeviceMemory exported, imported;
    HOLDS(gpu_export(gpu, SIZE, gpu->shared_type, &exported) == VK_SUCCESS);
    const zx_handle_t vmo = gpu_get_handle(gpu, exported), other = gpu_get_handle(gpu, exported);
    HOLDS(vmo != other);
    HOLDS(gpu->get_handle_properties(gpu->device, ZIRCON_VMO, vmo, &properties) == VK_SUCCESS);
    HOLDS(properties.memoryTypeBits == gpu->shared_types);
    HOLDS(gpu_import(gpu, SIZE, gpu->shared_type, vmo, &imported) == VK_SUCCESS);
    const char *failed = map_and_flush(gpu, imported, word);
    failed = failed ? failed : vmo_is_full_of(other, word);
    vkFreeMemory(gpu->device, imported, NULL);
    vkFreeMemory(gpu->device, exported, NULL);
    HOLDS(zx_handle_close(other) == ZX_OK);
    return failed;
}

static const char *ask_about_resources(const struct gpu *gpu) {
    VkMemoryRequirements requirements;
    const VkBuffer buffer = gpu_make_buffer(gpu, SIZE, ZIRCON_VMO);
    const VkImage image = gpu_make_linear_image(gpu, 32, ZIRCON_VMO);
    vkGetBufferMemoryRequirements(gpu->device, buffer, &requirements);
    HOLDS(!(requirements.memoryTypeBits & ~gpu->shared_types));
    vkGetImageMemoryRequirements(gpu->device, image, &requirements);
    HOLDS(!(requirements.memoryTypeBits & ~gpu->shared_types));
    vkDestroyBuffer(gpu->device, buffer, NULL);
    vkDestroyImage(gpu->device, image, NULL);
    return NULL;
}

static const char *use_one_device(void *argument, unsigned thread) {
    const struct gpu *gpu = argument;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const char *failed = exchange(gpu, thread << 16 | i);
        failed = failed ? failed : ask_about_resources(gpu);
        if (failed)
            return failed;
    }
    return NULL;
}

static void all_threads_use_one_device(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    run_together(use_one_device, &gpu);
    gpu_close(&gpu);
}

// Half of the threads query their objects all the time, while the others create and free theirs.
static const char *look(const struct gpu *gpu, unsigned thread) {
    VkDeviceMemory memory;
    VkMemoryRequirements requirements;
    HOLDS(gpu_export(gpu, SIZE, gpu->shared_type, &memory) == VK_SUCCESS);
    const VkBuffer buffer = gpu_make_buffer(gpu, SIZE, ZIRCON_VMO);
    const VkImage image = gpu_make_linear_image(gpu, 16, ZIRCON_VMO);
    for (uint32_t i = 0; i < 100 * ROUNDS; i++) {
        void *mapped;
        vkGetBufferMemoryRequirements(gpu->device, buffer, &requirements);
        vkGetImageMemoryRequirements(gpu->device, image, &requirements);
        HOLDS(vkMapMemory(gpu->device, memory, 0, SIZE, 0, &mapped) == VK_SUCCESS);
        *(volatile unsigned *)mapped = thread;
        vkUnmapMemory(gpu->device, memory);
    }
    vkDestroyImage(gpu->device, image, NULL);
    vkDestroyBuffer(gpu->device, buffer, NULL);
    vkFreeMemory(gpu->device, memory, NULL);
    return NULL;
}

static const char *make_and_free(const struct gpu *gpu) {
    for (uint32_t i = 0; i < 4 * ROUNDS; i++) {
        VkDeviceMemory memory;
        HOLDS(gpu_export(gpu, SIZE, gpu->shared_type, &memory) == VK_SUCCESS);
        vkFreeMemory(gpu->device, memory, NULL);
        for (int j = 0; j < 4; j++) {
            vkDestroyBuffer(gpu->device, gpu_make_buffer(gpu, SIZE, ZIRCON_VMO), NULL);
            vkDestroyImage(gpu->device, gpu_make_linear_image(gpu, 16, ZIRCON_VMO), NULL);
        }
    }
    return NULL;
}

static const char *look_or_make(void *argument, unsigned thread) {
    return thread % 2 ? make_and_free(argument) : look(argument, thread);
}

static void some_look_while_others_make(void) {
    struct gpu gpu;
    gpu_open_zircon(&gpu);
    run_together(look_or_make, &gpu);
    gpu_close(&gpu);
}

static const VkPhysicalDeviceExternalBufferInfo buffer_info = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
    .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    .handleType = ZIRCON_VMO,
};

// The first query of an instance: one thread runs the trial, and the others wait for it.
static const char *ask_first(void *argument, unsigned thread) {
    struct gpu gpu = *(const struct gpu *)argument;
    VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    uint32_t count = 0;
    switch (thread % 3) {
    case 0:
        vkGetPhysicalDeviceExternalBufferProperties(gpu.physical, &buffer_info, &properties);
        HOLDS(properties.externalMemoryProperties.compatibleHandleTypes == ZIRCON_VMO);
        return NULL;
    case 1:
        HOLDS(vkEnumerateDeviceExtensionProperties(gpu.physical, NULL, &count, NULL) == VK_SUCCESS);
        HOLDS(count > 0);
        return NULL;
    default:
        HOLDS(gpu_create_device(&gpu, &extension, 1, NULL) == VK_SUCCESS);
        gpu_close_device(&gpu);
        return NULL;
    }
}

static void the_first_question_may_be_anyones(void) {
    for (int i = 0; i < 5; i++) {
        struct gpu gpu;
        gpu_open_instance(&gpu, VK_API_VERSION_1_3);
        run_together(ask_first, &gpu);
        gpu_close(&gpu);
    }
}

static const char *ask_or_open(void *argument, unsigned thread) {
    const struct gpu *gpu = argument;
    for (uint32_t i = 0; i < 4 * ROUNDS; i++) {
        struct gpu other;
        VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
        for (int j = 0; thread % 2 && j < 50; j++)
            vkGetPhysicalDeviceExternalBufferProperties(gpu->physical, &buffer_info, &properties);
        if (thread % 2) {
            HOLDS(properties.externalMemoryProperties.compatibleHandleTypes == ZIRCON_VMO);
        } else {
            HOLDS(gpu_create_instance(&other, VK_API_VERSION_1_3) == VK_SUCCESS);
            gpu_close(&other);
        }
    }
    return NULL;
}

static void some_ask_while_others_open(void) {
    struct gpu gpu;
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    run_together(ask_or_open, &gpu);
    gpu_close(&gpu);
}

// Each thread imports on its own device what the thread before it exported.
struct ring {
    const struct gpu *gpu;
    pthread_barrier_t turn;
    zx_handle_t passed[TOGETHER];
};

static const char *pass_on(void *argument, unsigned thread) {
    struct ring *ring = argument;
    struct gpu gpu = *ring->gpu;
    HOLDS(gpu_create_device(&gpu, &extension, 1, NULL) == VK_SUCCESS);
    const char *failed = NULL;
    for (uint32_t i = 0; i < 8; i++) {
        const unsigned before = (thread + TOGETHER - 1) % TOGETHER;
        struct shared_buffer exported, imported;
        zx_handle_t copy;
        shared_buffer_export(&gpu, SIZE, &exported);
        gpu_fill(&gpu, exported.buffer, i << 8 | thread);
        ring->passed[thread] = gpu_get_handle(&gpu, exported.memory);
        pthread_barrier_wait(&ring->turn);
        zx_handle_duplicate(ring->passed[before], ZX_RIGHT_SAME_RIGHTS, &copy);
        shared_buffer_import(&gpu, SIZE, ring->passed[before], &imported);
        failed = failed ? failed : vmo_is_full_of(copy, i << 8 | before);
        zx_handle_close(copy);
        pthread_barrier_wait(&ring->turn);
        shared_buffer_free(&gpu, &exported);
        shared_buffer_free(&gpu, &imported);
    }
    gpu_close_device(&gpu);
    return failed;
}

static void handles_go_from_thread_to_thread(void) {
    struct gpu gpu;
    struct ring ring = {.gpu = &gpu};
    gpu_open_instance(&gpu, VK_API_VERSION_1_3);
    pthread_barrier_init(&ring.turn, NULL, TOGETHER);
    run_together(pass_on, &ring);
    pthread_barrier_destroy(&ring.turn);
    gpu_close(&gpu);
}

static void many_devices_are_open_at_once(void) {
    enum { DEVICES = 24 };
    struct gpu gpus[DEVICES];
    gpu_open_instance(&gpus[0], VK_API_VERSION_1_3);
    for (int i = 0; i < DEVICES; i++) {
        gpus[i] = gpus[0];
        REQUIRE(CHECK_OK(gpu_create_device(&gpus[i], i % 3 == 2 ? NULL : &extension, i % 3 == 2 ? 0 : 1, NULL)));
        CHECK_EQ(gpus[i].get_handle != NULL, i % 3 != 2);
    }
    for (uint32_t i = 0; i + 1 < DEVICES; i += 3)
        CHECK(!share(&gpus[i], &gpus[(i + 4) % DEVICES / 3 * 3], i));
    for (int i = DEVICES; i-- > 1;)
        gpu_close_device(&gpus[i]);
    gpu_close(&gpus[0]);
}

static uint32_t handles_alive(void) {
    zx_info_process_handle_stats_t statistics = {0};
    CHECK_OK(zx_object_get_info(zx_process_self(), ZX_INFO_PROCESS_HANDLE_STATS, &statistics, sizeof statistics, NULL,
                                NULL));
    return statistics.handle_count[ZX_OBJ_TYPE_VMO];
}

int main(void) {
    RUN(every_thread_has_instances_of_its_own());
    RUN(every_thread_has_devices_of_its_own());
    RUN(all_threads_use_one_device());
    RUN(some_look_while_others_make());
    RUN(the_first_question_may_be_anyones());
    RUN(some_ask_while_others_open());
    RUN(handles_go_from_thread_to_thread());
    RUN(many_devices_are_open_at_once());
    CHECK_EQ(handles_alive(), 0);
    return test_result();
}
