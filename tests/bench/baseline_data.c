// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

enum writer { HOST_MAP, IMPORT_MAP, GPU_FILL, GPU_COPY, NUM_WRITERS };

static struct pattern fill(const struct shared *shared) {
    const uint32_t word = 0x04030201;
    fill_buffer(shared->importer, shared->resource.buffer, word);
    return pattern_of(&word, sizeof(word), SIZE);
}

static void copy(const struct scene *scene, const struct shared *shared, const struct pattern *pattern) {
    const struct host_buffer buffer = host_buffer_create(&scene->here.device, SIZE, host_visible_types(scene));
    memory_put(&scene->here.device, &buffer.memory, pattern);
    copy_buffer(&scene->here.device, buffer.resource.buffer, shared->resource.buffer, SIZE);
    host_buffer_free(&scene->here.device, &buffer);
}

static struct pattern write(const struct scene *scene, const struct shared *shared, enum writer writer) {
    if (writer == GPU_FILL)
        return fill(shared);
    const struct pattern pattern = pattern_new(SIZE);
    if (writer == GPU_COPY)
        copy(scene, shared, &pattern);
    else
        memory_put(&scene->here.device, writer == HOST_MAP ? &shared->exported : &shared->imported, &pattern);
    return pattern;
}

static void make_coherent(const struct scene *scene, const struct shared *shared) {
    const VkMemoryType *type = &scene->here.memory.memoryTypes[shared->exported.type];
    if (!(type->propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT))
        MUST(&zircon, zx_vmo_op_range, shared->kept.value, ZX_VMO_OP_CACHE_CLEAN_INVALIDATE, 0, SIZE, NULL, 0);
}

static void read_every_way(const struct scene *scene, const struct shared *shared, const struct pattern *written) {
    memory_compare(shared->exporter, &shared->exported, written);
    memory_compare(shared->importer, &shared->imported, written);
    make_coherent(scene, shared);
    handle_compare(&shared->kept, written);
    make_coherent(scene, shared);
    handle_compare_map(&shared->kept, written);
}

void move_data(const struct scene *scene, enum form form, uint32_t type) {
    const struct device *device = &scene->here.device;
    for (enum writer writer = 0; writer < NUM_WRITERS; writer++) {
        const struct resource buffer = buffer_create(device, SIZE, true);
        const struct shape shape = {.form = form, .size = SIZE, .needs = buffer.needs};
        struct shared shared;
        resource_destroy(device, &buffer);
        share(scene, &scene->here, SAME_DEVICE, &shape, type, &shared);
        const struct pattern written = write(scene, &shared, writer);
        read_every_way(scene, &shared, &written);
        unshare(&shared);
        pattern_free(&written);
    }
}
