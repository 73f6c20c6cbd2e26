// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <time.h>

uint32_t first_type(uint32_t bits) {
    uint32_t type = 0;
    while (!(bits & 1u << type))
        type++;
    return type;
}

uint32_t choose_type(uint32_t bits, uint32_t taken, uint32_t preferred, const VkPhysicalDeviceMemoryProperties *types) {
    const uint32_t candidates = bits & taken & (uint32_t)((UINT64_C(1) << types->memoryTypeCount) - 1);
    if (!candidates)
        stop("No memory type takes both the VMO (0x%x) and what is bound to it (0x%x).", bits, taken);
    return candidates & 1u << preferred ? preferred : first_type(candidates);
}

static struct memory export_source(const struct scene *scene, enum import_kind kind, const struct shape *shape,
                                   uint32_t type, struct shared *shared) {
    const struct device *device = &scene->here.device;
    struct memory memory;
    shared->exporter = device;
    shared->source = shape_create(device, shape);
    if (!memory_export(device, shape, type, &shared->source, &memory))
        stop("vkAllocateMemory refused memory type %u, which was exported before.", type);
    if (kind == BIND_EXPORT_IMPORT_BIND)
        resource_bind(device, &shared->source, &memory, 0);
    return memory;
}

// Imports `handle`, which is the driver's then.
static void import(const struct place *place, enum import_kind kind, const struct shape *shape,
                   const struct handle *handle, struct shared *shared) {
    const uint64_t held = handle_size(handle);
    const uint32_t bits = handle_types(&place->device, handle);
    const uint32_t taken = shared->resource.needs.memoryTypeBits;
    const struct memory like = {
        .size = kind == WHOLE_SIZE ? held : shared->exported.size,
        .type = choose_type(bits, taken, shared->exported.type, &place->memory),
    };
    const struct pattern written = pattern_new(shared->exported.size);
    memory_put(shared->exporter, &shared->exported, &written);
    shared->imported = memory_import(&place->device, shape, handle->value, &like, &shared->resource, kind == RE_EXPORT);
    if (kind == EXPORT_IMPORT_BIND_BIND)
        resource_bind(shared->exporter, &shared->source, &shared->exported, 0);
    resource_bind(&place->device, &shared->resource, &shared->imported, shape->room);
    memory_compare(&place->device, &shared->imported, &written);
    pattern_free(&written);
}

void share(const struct scene *scene, const struct place *place, enum import_kind kind, const struct shape *shape,
           uint32_t type, struct shared *shared) {
    struct shape used = *shape;
    used.room = kind == BIND_OFFSET ? shape->needs.alignment : 0;
    shared->importer = &place->device;
    shared->exported = export_source(scene, kind, &used, type, shared);
    const struct handle handle = handle_export(shared->exporter, &shared->exported);
    if (kind == EXPORT_BIND_IMPORT_BIND)
        resource_bind(shared->exporter, &shared->source, &shared->exported, 0);
    shared->kept = handle_duplicate(&handle);
    shared->resource = shape_create(shared->importer, &used);
    import(place, kind, &used, &handle, shared);
}

void unshare(const struct shared *shared) {
    memory_free(shared->importer, &shared->imported);
    resource_destroy(shared->importer, &shared->resource);
    handle_close(&shared->kept);
    memory_free(shared->exporter, &shared->exported);
    resource_destroy(shared->exporter, &shared->source);
}

// Imports the same VMO once more, writes through that, and reads on both other sides.
static void import_again(const struct shape *shape, const struct shared *shared) {
    const struct device *importer = shared->importer;
    const struct resource resource = shape_create(importer, shape);
    const struct handle handle = handle_export(shared->exporter, &shared->exported);
    const struct memory second = memory_import(importer, shape, handle.value, &shared->imported, &resource, false);
    resource_bind(importer, &resource, &second, 0);
    const struct pattern written = pattern_new(second.size);
    memory_put(importer, &second, &written);
    memory_compare(shared->exporter, &shared->exported, &written);
    memory_compare(importer, &shared->imported, &written);
    memory_free(importer, &second);
    resource_destroy(importer, &resource);
    pattern_free(&written);
}

// Writes through the import and reads on the other side, and through what the import exports where that is asked.
static void write_through(const struct shared *shared, bool export) {
    const struct pattern written = pattern_new(shared->imported.size);
    memory_put(shared->importer, &shared->imported, &written);
    memory_compare(shared->exporter, &shared->exported, &written);
    if (export) {
        const struct handle again = handle_export(shared->importer, &shared->imported);
        handle_compare(&again, &written);
        handle_close(&again);
    }
    pattern_free(&written);
}

static void use_own_vmo(const struct device *device, const struct memory *imported, const struct handle *kept,
                        const struct pattern *before) {
    const struct pattern written = pattern_new(imported->size);
    memory_compare(device, imported, before);
    memory_put(device, imported, &written);
    handle_compare(kept, &written);
    pattern_free(&written);
}

// Imports a VMO that never came from Vulkan, one page larger than what is asked for.
static void import_own_vmo(const struct scene *scene, const struct shape *shape, uint32_t type) {
    const struct device *device = &scene->here.device;
    const struct pattern written = pattern_new(shape->needs.size);
    zx_handle_t made;
    MUST(&zircon, zx_vmo_create, shape->needs.size + zircon.zx_system_get_page_size(), 0, &made);
    const struct handle handle = handle_own(made);
    const struct resource resource = shape_create(device, shape);
    const uint32_t bits = handle_types(device, &handle);
    const struct memory like = {
        .size = shape->needs.size,
        .type = choose_type(bits, resource.needs.memoryTypeBits, type, &scene->here.memory),
    };
    const struct handle kept = handle_duplicate(&handle);
    handle_write(&kept, &written);
    const struct memory imported = memory_import(device, shape, made, &like, &resource, false);
    resource_bind(device, &resource, &imported, 0);
    use_own_vmo(device, &imported, &kept, &written);
    memory_free(device, &imported);
    handle_close(&kept);
    resource_destroy(device, &resource);
    pattern_free(&written);
}

static bool is_asked(const struct scene *scene, enum import_kind kind, const struct shape *shape) {
    const bool is_plain_only = kind == OWN_VMO || kind == WHOLE_SIZE || kind == BIND_OFFSET;
    return !(is_plain_only && shape->form != PLAIN) && !(kind == RE_EXPORT && !scene->exports_again[shape->form]);
}

void import_every_way(struct scene *scene, const struct shape *shape, uint32_t type) {
    for (enum import_kind kind = 0; kind < NUM_IMPORT_KINDS; kind++) {
        const struct place *place = is_asked(scene, kind, shape) ? find_place(scene, kind) : NULL;
        struct shared shared;
        if (!place)
            continue;
        if (kind == OWN_VMO) {
            import_own_vmo(scene, shape, type);
            continue;
        }
        share(scene, place, kind, shape, type, &shared);
        if (kind == TWICE)
            import_again(shape, &shared);
        else
            write_through(&shared, kind == RE_EXPORT);
        unshare(&shared);
    }
}

// Asks until there are so many, for a second at most: a driver may free behind a thread of its own.
static void await_count(const struct handle *handle, uint32_t wanted) {
    const struct timespec pause = {.tv_nsec = 10000000};
    for (unsigned tries = 0; handle_count(handle) != wanted; tries++) {
        if (tries == 100)
            stop("vkFreeMemory did not close the handle that was imported.");
        nanosleep(&pause, NULL);
    }
}

void count_releases(const struct scene *scene, const struct shape *shape, uint32_t type) {
    const struct device *device = &scene->here.device;
    struct shared shared;
    shared.exported = export_source(scene, SAME_DEVICE, shape, type, &shared);
    const struct handle handle = handle_export(device, &shared.exported);
    shared.kept = handle_duplicate(&handle);
    const uint32_t before = handle_count(&shared.kept);
    handle_size(&handle);
    shared.resource = shape_create(device, shape);
    const uint32_t bits = handle_types(device, &handle);
    const struct memory like = {
        .size = shared.exported.size,
        .type = choose_type(bits, shared.resource.needs.memoryTypeBits, type, &scene->here.memory),
    };
    shared.imported = memory_import(device, shape, handle.value, &like, &shared.resource, false);
    memory_free(device, &shared.imported);
    resource_destroy(device, &shared.resource);
    await_count(&shared.kept, before - 1);
    handle_close(&shared.kept);
    memory_free(device, &shared.exported);
    resource_destroy(device, &shared.source);
}
