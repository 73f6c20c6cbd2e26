// SPDX-License-Identifier: Apache-2.0
//
// Exports and imports memory on a real device, in random order, with random chains and with good and bad handles, and
// checks every result against the extension and Zircon's rights.
#include "fuzz.h"
#include "gpu.h"

#include <string.h>

#define MAX_VMOS     24
#define MAX_HANDLES  24
#define MAX_MEMORIES 12
#define MOST_STRUCTS 8
#define NEEDED       (ZX_RIGHT_READ | ZX_RIGHT_WRITE | ZX_RIGHT_MAP)

struct vmo {
    zx_koid_t koid; // 0: none
    uint64_t size;
    uint32_t users;
    uint8_t first; // its first byte
};

struct handle {
    zx_handle_t value; // ZX_HANDLE_INVALID: none
    zx_rights_t rights;
    struct vmo *vmo; // NULL: an event
};

struct memory {
    VkDeviceMemory memory; // NULL: none
    VkDeviceSize size;
    zx_rights_t rights; // of the handle that it keeps
    bool exportable;
    struct vmo *vmo;
};

struct run {
    struct gpu gpu;
    struct decisions decisions;
    struct vmo vmos[MAX_VMOS];
    struct handle handles[MAX_HANDLES];
    struct memory memories[MAX_MEMORIES];
    zx_handle_t dead;
};

static zx_info_handle_basic_t basic_of(zx_handle_t value) {
    zx_info_handle_basic_t basic = {0};
    FUZZ_EXPECT_EQ(zx_object_get_info(value, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL), ZX_OK);
    return basic;
}

static struct vmo *add_vmo(struct run *run, uint64_t size) {
    struct vmo *vmo = run->vmos;
    while (vmo->koid)
        vmo++;
    *vmo = (struct vmo){.koid = 1, .size = (size + 4095) / 4096 * 4096};
    return vmo;
}

static void leave_vmo(struct vmo *vmo) {
    if (vmo && --vmo->users == 0)
        vmo->koid = 0;
}

static void add_handle(struct run *run, zx_handle_t value, zx_rights_t rights, struct vmo *vmo) {
    struct handle *handle = run->handles;
    while (handle->value)
        handle++;
    *handle = (struct handle){value, rights, vmo};
    FUZZ_EXPECT_EQ(basic_of(value).rights, rights);
    if (!vmo)
        return;
    if (vmo->koid == 1)
        vmo->koid = basic_of(value).koid;
    FUZZ_EXPECT_EQ(basic_of(value).koid, vmo->koid);
    vmo->users++;
}

static void drop_handle(struct run *run, struct handle *handle) {
    run->dead = handle->value;
    handle->value = ZX_HANDLE_INVALID;
    leave_vmo(handle->vmo);
}

static struct handle *find_handle(struct run *run, zx_handle_t value) {
    for (size_t i = 0; value && i < MAX_HANDLES; i++) {
        if (run->handles[i].value == value)
            return &run->handles[i];
    }
    return NULL;
}

static zx_handle_t decide_handle(struct run *run) {
    const uint32_t which = decide_below(&run->decisions, MAX_HANDLES + 4);
    if (which < MAX_HANDLES)
        return run->handles[which].value;
    // Not a closed number: it may be a handle of the layer by now, as on Zircon it may be a handle of a driver.
    if (which == MAX_HANDLES && zx_handle_check_valid(run->dead) != ZX_OK)
        return run->dead;
    return DECIDE_AMONG(&run->decisions, zx_handle_t, 0, 0xabcd1237, 5);
}

static struct memory *decide_memory(struct run *run) {
    struct memory *memory = &run->memories[decide_below(&run->decisions, MAX_MEMORIES)];
    return memory->memory ? memory : NULL;
}

static bool has_room(const struct run *run) {
    bool vmo = false, handle = false, memory = false;
    for (size_t i = 0; i < MAX_VMOS; i++)
        vmo |= !run->vmos[i].koid;
    for (size_t i = 0; i < MAX_HANDLES; i++)
        handle |= !run->handles[i].value;
    for (size_t i = 0; i < MAX_MEMORIES; i++)
        memory |= !run->memories[i].memory;
    return vmo && handle && memory;
}

static uint64_t decide_size(struct run *run) {
    return DECIDE_AMONG(&run->decisions, uint64_t, 1, 4096, 4097, 20000, 65536, 65537, 200000);
}

static void create_vmo(struct run *run) {
    zx_handle_t value;
    const uint64_t size = decide_size(run);
    FUZZ_EXPECT_EQ(zx_vmo_create(size, 0, &value), ZX_OK);
    add_handle(run, value, ZX_DEFAULT_VMO_RIGHTS, add_vmo(run, size));
}

static void create_event(struct run *run) {
    zx_handle_t value;
    FUZZ_EXPECT_EQ(zx_event_create(0, &value), ZX_OK);
    add_handle(run, value, ZX_DEFAULT_EVENT_RIGHTS, NULL);
}

static void duplicate(struct run *run) {
    zx_handle_t copy;
    const struct handle *handle = find_handle(run, decide_handle(run));
    if (!handle || !(handle->rights & ZX_RIGHT_DUPLICATE))
        return;
    const zx_rights_t removed = DECIDE_AMONG(&run->decisions, zx_rights_t, 0, 0, ZX_RIGHT_WRITE, ZX_RIGHT_READ,
                                             ZX_RIGHT_MAP, ZX_RIGHT_DUPLICATE, ZX_RIGHT_TRANSFER, UINT32_MAX);
    FUZZ_EXPECT_EQ(zx_handle_duplicate(handle->value, handle->rights & ~removed, &copy), ZX_OK);
    add_handle(run, copy, handle->rights & ~removed, handle->vmo);
}

static void close_handle(struct run *run) {
    struct handle *handle = find_handle(run, decide_handle(run));
    if (!handle)
        return;
    FUZZ_EXPECT_EQ(zx_handle_close(handle->value), ZX_OK);
    drop_handle(run, handle);
}

// The request of an allocation, without the order of its structs.
struct request {
    VkImportMemoryZirconHandleInfoFUCHSIA import;
    VkExportMemoryAllocateInfo export;
    VkMemoryDedicatedAllocateInfo dedicated;
    VkMemoryAllocateFlagsInfo flags;
    struct {
        VkStructureType sType;
        const void *pNext;
        uint32_t payload[4];
    } unknown[4];
    bool imports, exports;
    VkDeviceSize size;
};

static void decide_request(struct run *run, struct request *request) {
    *request = (struct request){
        .import = {.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA,
                   .handleType = DECIDE_AMONG(&run->decisions, VkExternalMemoryHandleTypeFlagBits, ZIRCON_VMO,
                                              ZIRCON_VMO, ZIRCON_VMO, 0, 1),
                   .handle = decide_handle(run)},
        .export = {.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
                   .handleTypes = DECIDE_AMONG(&run->decisions, VkFlags, ZIRCON_VMO, ZIRCON_VMO, 0, ZIRCON_VMO | 1)},
        .dedicated.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .flags.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .imports = decide_below(&run->decisions, 2),
        .exports = decide_below(&run->decisions, 2),
        .size = decide_size(run),
    };
    for (uint32_t i = 0; i < 4; i++)
        request->unknown[i].sType = (VkStructureType)(2000000000 + i);
}

// Links some of the request's structs in some order.
static const void *decide_chain(struct run *run, struct request *request) {
    VkBaseOutStructure *structs[MOST_STRUCTS], *first = NULL;
    size_t count = 0;
    if (request->imports)
        structs[count++] = (void *)&request->import;
    if (request->exports)
        structs[count++] = (void *)&request->export;
    if (decide_below(&run->decisions, 2))
        structs[count++] = (void *)&request->dedicated;
    if (decide_below(&run->decisions, 2))
        structs[count++] = (void *)&request->flags;
    for (uint32_t i = decide_below(&run->decisions, 5); i-- > 0;)
        structs[count++] = (void *)&request->unknown[i];
    while (count > 0) {
        const uint32_t which = decide_below(&run->decisions, (uint32_t)count);
        structs[which]->pNext = first;
        first = structs[which];
        structs[which] = structs[--count];
    }
    return first;
}

static VkResult expected_of(struct run *run, const struct request *request) {
    const VkFlags type = request->imports ? request->import.handleType : 0;
    if (type && type != ZIRCON_VMO)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (request->exports && request->export.handleTypes & ZIRCON_VMO && request->export.handleTypes != ZIRCON_VMO)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    if (!type)
        return VK_SUCCESS;
    const struct handle *handle = find_handle(run, request->import.handle);
    const bool good =
        handle && handle->vmo && (handle->rights & NEEDED) == NEEDED && request->size <= handle->vmo->size;
    return good ? VK_SUCCESS : VK_ERROR_INVALID_EXTERNAL_HANDLE;
}

static void note_memory(struct run *run, VkDeviceMemory allocated, const struct request *request) {
    struct memory *memory = run->memories;
    while (memory->memory)
        memory++;
    *memory = (struct memory){.memory = allocated, .size = request->size, .rights = ZX_DEFAULT_VMO_RIGHTS};
    memory->exportable = request->exports && request->export.handleTypes == ZIRCON_VMO;
    if (request->imports && request->import.handleType) {
        struct handle *handle = find_handle(run, request->import.handle);
        memory->rights = handle->rights;
        memory->vmo = handle->vmo;
        memory->vmo->users++;
        FUZZ_EXPECT_EQ(zx_handle_check_valid(handle->value), ZX_ERR_BAD_HANDLE); // taken
        drop_handle(run, handle);
    } else if (memory->exportable) {
        memory->vmo = add_vmo(run, request->size);
        memory->vmo->users++;
    }
}

static void allocate(struct run *run) {
    struct request request;
    VkDeviceMemory memory;
    decide_request(run, &request);
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = decide_chain(run, &request),
        .allocationSize = request.size,
        .memoryTypeIndex = run->gpu.shared_type,
    };
    const VkResult expected = expected_of(run, &request);
    FUZZ_EXPECT_EQ(vkAllocateMemory(run->gpu.device, &info, NULL, &memory), expected);
    if (expected == VK_SUCCESS)
        note_memory(run, memory, &request);
    else if (find_handle(run, request.import.handle))
        FUZZ_EXPECT_EQ(zx_handle_check_valid(request.import.handle), ZX_OK); // still belongs to the application
}

static void free_memory(struct run *run) {
    struct memory *memory = decide_memory(run);
    if (!memory)
        return;
    vkFreeMemory(run->gpu.device, memory->memory, NULL);
    memory->memory = VK_NULL_HANDLE;
    leave_vmo(memory->vmo);
}

static void get_handle(struct run *run) {
    const struct memory *memory = decide_memory(run);
    zx_handle_t value = ZX_HANDLE_INVALID;
    if (!memory)
        return;
    const VkMemoryGetZirconHandleInfoFUCHSIA info = {VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA, NULL,
                                                     memory->memory, ZIRCON_VMO};
    const bool possible = memory->exportable && (memory->rights & ZX_RIGHT_DUPLICATE);
    FUZZ_EXPECT_EQ(run->gpu.get_handle(run->gpu.device, &info, &value), possible ? VK_SUCCESS : VK_ERROR_UNKNOWN);
    if (possible)
        add_handle(run, value, memory->rights, memory->vmo);
}

static void get_properties(struct run *run) {
    VkMemoryZirconHandlePropertiesFUCHSIA properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA,
    };
    const zx_handle_t value = decide_handle(run);
    const struct handle *handle = find_handle(run, value);
    const bool vmo = handle && handle->vmo;
    FUZZ_EXPECT_EQ(run->gpu.get_handle_properties(run->gpu.device, ZIRCON_VMO, value, &properties),
                   vmo ? VK_SUCCESS : VK_ERROR_INVALID_EXTERNAL_HANDLE);
    const bool usable = vmo && (handle->rights & NEEDED) == NEEDED;
    FUZZ_EXPECT_EQ(properties.memoryTypeBits, usable ? run->gpu.shared_types : 0);
}

// Memory and handles both show the last byte written to a VMO.
static void write_through_memory(struct run *run) {
    const struct memory *memory = decide_memory(run);
    void *mapped;
    if (!memory)
        return;
    FUZZ_EXPECT_EQ(vkMapMemory(run->gpu.device, memory->memory, 0, memory->size, 0, &mapped), VK_SUCCESS);
    uint8_t *bytes = mapped;
    if (memory->vmo) {
        FUZZ_EXPECT_EQ(bytes[0], memory->vmo->first);
        memory->vmo->first = decide(&run->decisions);
        bytes[0] = memory->vmo->first;
    }
    bytes[memory->size - 1] |= 0;
    vkUnmapMemory(run->gpu.device, memory->memory);
}

static void read_through_handle(struct run *run) {
    const struct handle *handle = find_handle(run, decide_handle(run));
    uint8_t byte = 0;
    if (!handle || !handle->vmo || !(handle->rights & ZX_RIGHT_READ))
        return;
    FUZZ_EXPECT_EQ(zx_vmo_read(handle->value, &byte, 0, 1), ZX_OK);
    FUZZ_EXPECT_EQ(byte, handle->vmo->first);
}

static void (*const operations[])(struct run *run) = {
    create_vmo,
    create_event,
    duplicate,
    duplicate,
    close_handle,
    allocate,
    allocate,
    allocate,
    allocate,
    free_memory,
    free_memory,
    get_handle,
    get_handle,
    get_properties,
    write_through_memory,
    read_through_handle,
};

static void clean_up(struct run *run) {
    zx_info_process_handle_stats_t statistics;
    for (size_t i = 0; i < MAX_MEMORIES; i++) {
        if (run->memories[i].memory)
            vkFreeMemory(run->gpu.device, run->memories[i].memory, NULL);
    }
    for (size_t i = 0; i < MAX_HANDLES; i++)
        FUZZ_EXPECT_EQ(zx_handle_close(run->handles[i].value), ZX_OK);
    FUZZ_EXPECT_EQ(
        zx_object_get_info(zx_process_self(), ZX_INFO_PROCESS_HANDLE_STATS, &statistics, sizeof statistics, NULL, NULL),
        ZX_OK);
    FUZZ_EXPECT_EQ(statistics.handle_count[ZX_OBJ_TYPE_VMO], 0);
    FUZZ_EXPECT_EQ(statistics.handle_count[ZX_OBJ_TYPE_EVENT], 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct run run;
    const struct gpu gpu = run.gpu;
    run = (struct run){.gpu = gpu, .decisions = {data, size}};
    if (!run.gpu.device)
        gpu_open_zircon(&run.gpu);
    while (run.decisions.left > 0 && has_room(&run))
        operations[decide_below(&run.decisions, sizeof operations / sizeof operations[0])](&run);
    clean_up(&run);
    return 0;
}
