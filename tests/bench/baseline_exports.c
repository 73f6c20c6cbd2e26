// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

// An allocation with a handle to its VMO.
struct exported {
    struct resource resource;
    struct memory memory;
    struct handle handle;
};

static void allocate(const struct device *device, const struct shape *shape, uint32_t type, struct exported *exported) {
    exported->resource = shape_create(device, shape);
    if (!memory_export(device, shape, type, &exported->resource, &exported->memory))
        stop("vkAllocateMemory refused memory type %u, which was exported before.", type);
}

static void export(const struct device *device, const struct shape *shape, uint32_t type, struct exported *exported) {
    allocate(device, shape, type, exported);
    exported->handle = handle_export(device, &exported->memory);
}

static void release(const struct device *device, const struct exported *exported) {
    memory_free(device, &exported->memory);
    resource_destroy(device, &exported->resource);
}

static void get_twice(const struct device *device, const struct shape *shape, uint32_t type) {
    const struct pattern written = pattern_new(shape->needs.size);
    struct exported one;
    export(device, shape, type, &one);
    const struct handle second = handle_export(device, &one.memory);
    handle_describe(&one.handle);
    handle_describe(&second);
    handle_write(&one.handle, &written);
    handle_compare(&second, &written);
    handle_close(&second);
    handle_close(&one.handle);
    release(device, &one);
    pattern_free(&written);
}

// Writes each in turn, and sees whether the other still holds what it held.
static void write_apart(const struct handle *first, const struct handle *second, size_t size) {
    const struct pattern in_first = pattern_new(size), in_second = pattern_new(size), again = pattern_new(size);
    handle_write(first, &in_first);
    handle_write(second, &in_second);
    handle_compare(first, &in_first);
    handle_write(first, &again);
    handle_compare(second, &in_second);
    pattern_free(&in_first);
    pattern_free(&in_second);
    pattern_free(&again);
}

static void export_twice(const struct device *device, const struct shape *shape, uint32_t type) {
    struct exported one, other;
    allocate(device, shape, type, &one);
    allocate(device, shape, type, &other);
    one.handle = handle_export(device, &one.memory);
    other.handle = handle_export(device, &other.memory);
    handle_describe(&one.handle);
    handle_describe(&other.handle);
    write_apart(&one.handle, &other.handle, shape->needs.size);
    handle_close(&other.handle);
    handle_close(&one.handle);
    release(device, &other);
    release(device, &one);
}

static void read_fresh(const struct device *device, const struct shape *shape, uint32_t type) {
    const struct pattern zeros = pattern_of("", 1, shape->needs.size);
    struct exported one;
    export(device, shape, type, &one);
    handle_compare(&one.handle, &zeros);
    handle_close(&one.handle);
    release(device, &one);
    pattern_free(&zeros);
}

static void outlive(const struct scene *scene, const struct shape *shape, uint32_t type) {
    const struct pattern written = pattern_new(shape->needs.size), anew = pattern_new(shape->needs.size);
    struct device device;
    struct exported one, later;
    device_open(scene->instance, scene->physical, scene->here.device.queue_family, &device);
    export(&device, shape, type, &one);
    handle_write(&one.handle, &written);
    release(&device, &one);
    export(&device, shape, type, &later);
    handle_write(&later.handle, &anew);
    handle_close(&later.handle);
    release(&device, &later);
    device_close(&device);
    handle_compare(&one.handle, &written);
    handle_close(&one.handle);
    pattern_free(&written);
    pattern_free(&anew);
}

static void pass_on(const struct device *device, const struct shape *shape, uint32_t type) {
    const struct pattern written = pattern_new(shape->needs.size);
    struct exported one;
    zx_handle_t ends[2];
    export(device, shape, type, &one);
    MUST(&zircon, zx_channel_create, 0, &ends[0], &ends[1]);
    handle_describe(&one.handle);
    handle_write(&one.handle, &written);
    const struct handle arrived = handle_pass(&one.handle, ends);
    handle_compare(&arrived, &written);
    handle_describe(&arrived);
    handle_close(&arrived);
    end_close(ends[0]);
    end_close(ends[1]);
    release(device, &one);
    pattern_free(&written);
}

static void ask_properties(const struct device *device, const struct shape *shape, uint32_t type) {
    struct exported one;
    export(device, shape, type, &one);
    handle_types(device, &one.handle);
    const struct handle duplicate = handle_duplicate(&one.handle);
    handle_types(device, &duplicate);
    handle_close(&duplicate);
    handle_close(&one.handle);
    release(device, &one);
}

void look_into_exports(const struct scene *scene, const struct shape *shape, uint32_t type) {
    const struct device *device = &scene->here.device;
    if (!(host_visible_types(scene) & 1u << type))
        stop("Memory type %u is not HOST_VISIBLE, as all that the emulation exports is.", type);
    get_twice(device, shape, type);
    export_twice(device, shape, type);
    read_fresh(device, shape, type);
    outlive(scene, shape, type);
    pass_on(device, shape, type);
    ask_properties(device, shape, type);
}
