// SPDX-License-Identifier: Apache-2.0
//
// What `vkzircon check` does with one device: exports, imports, data and images.
#include "baseline.h"

#include <strings.h>

#define NUM_FORMATS 5u
#define NUM_IMAGES  (NUM_FORMATS * 2) // each format with each tiling
#define NUM_TARGETS 3u
#define BOTH        (VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT)

static struct scene {
    struct device here;
    VkPhysicalDeviceMemoryProperties memory;
    struct instance second;             // opened before the first import
    struct device targets[NUM_TARGETS]; // the same device again, the same in the second instance, another one
    struct shape shapes[NUM_FORMS];
    uint32_t num_shapes; // without images where no image can be exported
    VkExternalMemoryProperties buffer;
    VkExternalMemoryProperties images[NUM_IMAGES];
    const struct shape *shape; // these two are exported and imported at the moment
    uint32_t type;
} scene;

static uint32_t types_with(VkMemoryPropertyFlags flags) {
    uint32_t bits = 0;
    for (uint32_t type = 0; type < scene.memory.memoryTypeCount; type++) {
        if (scene.memory.memoryTypes[type].propertyFlags & flags)
            bits |= 1u << type;
    }
    return bits;
}

static uint32_t first_type(uint32_t bits) {
    if (!bits)
        stop("No memory type fits.");
    return (uint32_t)ffs((int)bits) - 1;
}

static bool can_export(uint32_t type) {
    return !(1u << type & types_with(VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD));
}

// Exports

static bool export_once(void) {
    if (scene.shape->form != PLAIN && !(scene.shape->needs.memoryTypeBits & 1u << scene.type))
        return false;
    struct block block = block_create(&scene.here, scene.shape);
    const bool is_allocated = block_allocate(&block, scene.type) == VK_SUCCESS;
    if (is_allocated) {
        const zx_handle_t handle = handle_export(&block);
        handle_describe(handle);
        handle_close(handle);
        block_free(&block);
    } else {
        block_destroy(&block);
    }
    return is_allocated;
}

static struct block allocate(const struct device *device) {
    struct block block = block_create(device, scene.shape);
    must("vkAllocateMemory", block_allocate(&block, scene.type));
    return block;
}

static void use(const struct block *block, zx_handle_t handle, int descriptions, int writes, int reads) {
    for (int i = 0; i < descriptions; i++)
        handle_describe(handle);
    for (int i = 0; i < writes; i++)
        handle_write(handle, block->size);
    for (int i = 0; i < reads; i++)
        handle_compare(handle, block->size);
    handle_close(handle);
}

static void export_and_use(const struct device *device, int descriptions, int writes, int reads) {
    const struct block block = allocate(device);
    use(&block, handle_export(&block), descriptions, writes, reads);
    block_free(&block);
}

static void export_new(void) {
    const struct block block = allocate(&scene.here);
    const zx_handle_t handle = handle_export(&block);
    handle_size(handle);
    use(&block, handle, 0, 1, 1);
    block_free(&block);
}

static void export_and_query(void) {
    const struct block block = allocate(&scene.here);
    const zx_handle_t handle = handle_export(&block), duplicate = handle_duplicate(handle);
    handle_types(&scene.here, handle, 2);
    handle_types(&scene.here, duplicate, 2);
    handle_close(duplicate);
    handle_close(handle);
    block_free(&block);
}

static void export_and_send(void) {
    const struct block block = allocate(&scene.here);
    const zx_handle_t handle = handle_export(&block);
    zx_handle_t ends[2], arrived;
    uint32_t bytes, handles;
    MUST(zx_channel_create, 0, &ends[0], &ends[1]);
    MUST(zx_channel_write, ends[0], 0, NULL, 0, &handle, 1);
    MUST(zx_channel_read, ends[1], 0, NULL, &arrived, 0, 1, &bytes, &handles);
    handle_check(arrived);
    use(&block, arrived, 2, 1, 1);
    for (int i = 0; i < 2; i++) {
        MUST(zx_object_get_info, ends[i], ZX_INFO_HANDLE_VALID, NULL, 0, NULL, NULL);
        MUST(zx_handle_close, ends[i]);
    }
    block_free(&block);
}

static void check_exports(void) {
    struct device device;
    const struct block block = allocate(&scene.here);
    use(&block, handle_export(&block), 1, 1, 1); // the probe: two handles of one allocation
    use(&block, handle_export(&block), 1, 0, 0);
    block_free(&block);
    export_and_use(&scene.here, 1, 1, 1); // the probe: two allocations, whose VMOs must differ
    export_and_use(&scene.here, 1, 1, 1);
    export_new();
    device_open(&device, scene.here.physical);
    export_and_use(&device, 0, 1, 1); // the probe: handles that outlive their device
    export_and_use(&device, 0, 1, 0);
    CALL(vkDestroyDevice, device.handle, NULL);
    export_and_send();
    export_and_query();
}

// Imports

enum how { SIMPLY, BIND_SOURCE, EXPORT_AGAIN };

struct shared {
    struct block exported;
    struct block imported;
    zx_handle_t kept;
};

static void import(struct block *imported, zx_handle_t handle, const struct block *exported, enum how how) {
    const uint32_t bits = handle_types(imported->device, handle, 1) & imported->needs.memoryTypeBits;
    const uint32_t type = bits & 1u << exported->type ? exported->type : first_type(bits);
    block_import(imported, handle, exported->size, type, how == EXPORT_AGAIN);
}

static struct shared share(const struct device *target, enum how how) {
    struct shared shared = {.exported = allocate(&scene.here)};
    if (how == BIND_SOURCE)
        block_bind(&shared.exported);
    const zx_handle_t handle = handle_export(&shared.exported);
    shared.kept = handle_duplicate(handle);
    shared.imported = block_create(target, scene.shape);
    handle_size(handle);
    block_write(&shared.exported);
    import(&shared.imported, handle, &shared.exported, how);
    block_bind(&shared.imported);
    block_compare(&shared.imported);
    return shared;
}

static void unshare(const struct shared *shared) {
    block_free(&shared->imported);
    handle_close(shared->kept);
    block_free(&shared->exported);
}

static void measure(void) {
    const struct block measured = block_create(&scene.here, scene.shape);
    block_destroy(&measured);
}

static void import_once(const struct device *target, enum how how) {
    const struct shared shared = share(target, how);
    block_write(&shared.imported);
    block_compare(&shared.exported);
    if (how == EXPORT_AGAIN)
        use(&shared.imported, handle_export(&shared.imported), 0, 0, 1);
    unshare(&shared);
}

static void import_twice(void) {
    const struct shared shared = share(&scene.here, SIMPLY);
    struct block second = block_create(&scene.here, scene.shape);
    block_import(&second, handle_export(&shared.exported), shared.exported.size, shared.imported.type, false);
    block_bind(&second);
    block_write(&second);
    block_compare(&shared.exported);
    block_compare(&shared.imported);
    block_free(&second);
    unshare(&shared);
}

static void import_own_vmo(void) {
    const struct block like = {.size = scene.shape->needs.size, .type = scene.type};
    struct block block = block_create(&scene.here, scene.shape);
    zx_handle_t handle;
    MUST(zx_vmo_create, like.size, 0, &handle);
    handle_check(handle);
    const zx_handle_t kept = handle_duplicate(handle);
    handle_write(kept, like.size);
    import(&block, handle, &like, SIMPLY);
    block_bind(&block);
    block_compare(&block);
    block_write(&block);
    use(&like, kept, 0, 0, 1);
    block_free(&block);
}

static void count_handles(void) {
    const struct block exported = allocate(&scene.here);
    const zx_handle_t handle = handle_export(&exported), kept = handle_duplicate(handle);
    handle_size(handle);
    struct block imported = block_create(&scene.here, scene.shape);
    handle_count(kept); // twice, as the probe does: the count must settle
    handle_count(kept);
    import(&imported, handle, &exported, SIMPLY);
    block_free(&imported);
    handle_count(kept);
    handle_count(kept);
    handle_close(kept);
    block_free(&exported);
}

// The probe: a smaller buffer.
static void import_small(void) {
    measure();
    import_once(&scene.here, SIMPLY);
}

static void open_target(struct device *target, VkPhysicalDevice physical) {
    VkPhysicalDeviceMemoryProperties memory;
    query_queue_families(physical);
    device_open(target, physical);
    CALL(vkGetPhysicalDeviceMemoryProperties, physical, &memory);
}

// The second instance lists the devices in the order of the first.
static void open_targets(uint32_t index) {
    const struct instance *second = &scene.second;
    device_open(&scene.targets[0], scene.here.physical);
    instance_open(&scene.second);
    open_target(&scene.targets[1], second->devices[index]);
    for (uint32_t i = 0; i < second->num_devices && !scene.targets[2].handle; i++) {
        if (lists_extension(second->devices[i]) && i != index)
            open_target(&scene.targets[2], second->devices[i]);
    }
}

static void check_bind_orders(void) {
    for (int i = 0; i < 3; i++) // the probe: bound before the export, before the import and after it
        import_once(&scene.here, BIND_SOURCE);
}

static void check_imports(void) {
    const bool is_plain = scene.shape->form == PLAIN;
    for (uint32_t i = 0; i < NUM_TARGETS; i++) {
        if (scene.targets[i].handle)
            import_once(&scene.targets[i], SIMPLY);
    }
    for (int i = 0; i < (is_plain ? 3 : 1); i++) // the probe: also the whole VMO, and bound at an offset
        import_once(&scene.here, SIMPLY);
    check_bind_orders();
    if (scene.shape->reexports)
        import_once(&scene.here, EXPORT_AGAIN);
    import_twice();
    for (int i = 0; is_plain && i < 2; i++) // the probe: one page larger, and exactly as large
        import_own_vmo();
    if (scene.shape->form != DEDICATED_IMAGE)
        import_small();
}

static void query_own_vmo(void) {
    zx_handle_t handle;
    MUST(zx_vmo_create, BUFFER_SIZE, 0, &handle);
    handle_check(handle);
    const zx_handle_t duplicate = handle_duplicate(handle); // the probe: once without rights
    handle_types(&scene.here, duplicate, 2);
    handle_close(duplicate);
    handle_close(handle);
}

// Data and images

static struct block host_buffer(void) {
    struct block block = block_create(&scene.here, NULL);
    const uint32_t bits = block.needs.memoryTypeBits & types_with(VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    must("vkAllocateMemory", block_allocate(&block, first_type(bits)));
    block_bind(&block);
    return block;
}

static void copy_to(const struct block *imported) {
    const struct block buffer = host_buffer();
    block_write(&buffer);
    submit(COPY_FROM, imported, buffer.buffer);
    block_free(&buffer);
}

static void make_coherent(zx_handle_t handle) {
    if (!(coherent_types & 1u << scene.type))
        MUST(zx_vmo_op_range, handle, ZX_VMO_OP_CACHE_CLEAN_INVALIDATE, 0, BUFFER_SIZE, NULL, 0);
}

static void check_data(void) {
    for (int writer = 0; writer < 4; writer++) {
        measure();
        const struct shared shared = share(&scene.here, SIMPLY);
        if (writer == 0)
            submit(FILL, &shared.imported, VK_NULL_HANDLE);
        else if (writer == 1)
            copy_to(&shared.imported);
        else
            block_write(writer == 2 ? &shared.imported : &shared.exported);
        block_compare(&shared.exported);
        block_compare(&shared.imported);
        make_coherent(shared.kept);
        handle_compare(shared.kept, BUFFER_SIZE);
        make_coherent(shared.kept);
        handle_compare_mapped(shared.kept, BUFFER_SIZE);
        unshare(&shared);
    }
}

static struct shape image_shape(uint32_t image) {
    static const VkFormat formats[NUM_FORMATS] = {
        VK_FORMAT_R8G8B8A8_UNORM, VK_FORMAT_B8G8R8A8_UNORM,      VK_FORMAT_R8_UNORM,
        VK_FORMAT_R32_UINT,       VK_FORMAT_R32G32B32A32_SFLOAT,
    };
    const VkImageTiling tiling = image < NUM_FORMATS ? VK_IMAGE_TILING_OPTIMAL : VK_IMAGE_TILING_LINEAR;
    return (struct shape){.form = DEDICATED_IMAGE, .format = formats[image % NUM_FORMATS], .tiling = tiling};
}

static void check_image(const struct shape *shape) {
    struct block source = block_create(&scene.here, shape), target = block_create(&scene.here, shape);
    uint32_t type = first_type(source.needs.memoryTypeBits);
    while (!can_export(type) || block_allocate(&source, type) != VK_SUCCESS)
        type = first_type(source.needs.memoryTypeBits & ~0u << (type + 1));
    block_bind(&source);
    import(&target, handle_export(&source), &source, SIMPLY);
    block_bind(&target);
    submit(CLEAR, &source, VK_NULL_HANDLE);
    struct block pixels = host_buffer();
    submit(READ_INTO, &target, pixels.buffer);
    pixels.size = IMAGE_WIDTH * IMAGE_WIDTH; // the smallest image has one byte per pixel
    block_compare(&pixels);
    block_free(&pixels);
    block_free(&target);
    block_free(&source);
}

// One device

static void query_capabilities(VkPhysicalDevice physical) {
    scene.buffer = query_buffer(physical, TRANSFER);
    query_usages(physical);
    for (uint32_t i = 0; i < NUM_IMAGES; i++) {
        const struct shape image = image_shape(i);
        if (query_image(physical, ZIRCON_VMO, image.format, image.tiling, TRANSFER, 0, &scene.images[i]))
            query_image(physical, ZIRCON_VMO, image.format, image.tiling, TRANSFER, 0,
                        &scene.images[i]); // as in query_buffer()
    }
    for (uint32_t i = 0; i < NUM_IMAGES; i += NUM_FORMATS) { // the probe: a handle type that must be refused
        VkExternalMemoryProperties found;
        query_image(physical, VK_EXTERNAL_MEMORY_HANDLE_TYPE_D3D11_TEXTURE_BIT, image_shape(i).format,
                    image_shape(i).tiling, TRANSFER, 0, &found);
    }
}

static void add_shape(struct shape shape, const VkExternalMemoryProperties *found) {
    const struct block block = block_create(&scene.here, &shape);
    block_destroy(&block);
    shape.needs = block.needs;
    shape.reexports = found->exportFromImportedHandleTypes & ZIRCON_VMO;
    scene.shapes[scene.num_shapes++] = shape;
}

static void add_shapes(void) {
    add_shape((struct shape){.form = PLAIN}, &scene.buffer);
    scene.shapes[scene.num_shapes] = scene.shapes[PLAIN];
    scene.shapes[scene.num_shapes++].form = DEDICATED_BUFFER;
    for (uint32_t i = 0; i < NUM_IMAGES && scene.num_shapes == DEDICATED_IMAGE; i++) {
        if (scene.images[i].externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT)
            add_shape(image_shape(i), &scene.images[i]);
    }
    if (scene.num_shapes == DEDICATED_IMAGE)
        return;
    scene.shapes[scene.num_shapes] = scene.shapes[DEDICATED_IMAGE];
    scene.shapes[scene.num_shapes++].form = PLAIN_IMAGE;
}

static void check_type(uint32_t index) {
    bool is_first = true;
    for (uint32_t form = PLAIN; form < scene.num_shapes; form++) {
        scene.shape = &scene.shapes[form];
        if (!export_once())
            continue;
        if (!scene.second.handle)
            open_targets(index);
        if (form == PLAIN_IMAGE)
            check_bind_orders();
        else
            check_imports();
        if (is_first) {
            check_exports();
            count_handles();
        }
        if (is_first && form < DEDICATED_IMAGE)
            check_data();
        is_first = false;
    }
}

void check_device(const struct instance *instance, uint32_t index) {
    const VkPhysicalDevice physical = instance->devices[index];
    const bool is_listed = lists_extension(physical);
    scene = (struct scene){0};
    CALL(vkGetPhysicalDeviceMemoryProperties, physical, &scene.memory);
    coherent_types = types_with(VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
    if (!is_listed)
        return;
    query_capabilities(physical);
    query_queue_families(physical);
    device_open(&scene.here, physical);
    add_shapes();
    query_own_vmo();
    query_own_vmo();
    for (scene.type = 0; scene.type < scene.memory.memoryTypeCount; scene.type++) {
        if (can_export(scene.type))
            check_type(index);
    }
    for (uint32_t i = 0; i < NUM_IMAGES; i++) {
        struct shape shape = image_shape(i);
        if ((scene.images[i].externalMemoryFeatures & BOTH) != BOTH)
            continue;
        check_image(&shape);
        shape.form = PLAIN_IMAGE;
        if (i % NUM_FORMATS == 0)
            check_image(&shape);
    }
    for (uint32_t i = 0; i < NUM_TARGETS; i++) {
        if (scene.targets[i].handle)
            CALL(vkDestroyDevice, scene.targets[i].handle, NULL);
    }
    if (scene.second.handle)
        CALL(vkDestroyInstance, scene.second.handle, NULL);
    CALL(vkDestroyDevice, scene.here.handle, NULL);
}
