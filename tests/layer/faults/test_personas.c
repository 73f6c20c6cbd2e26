// SPDX-License-Identifier: Apache-2.0
//
// Each persona shows the quirks of its driver, and no others.
#include "../test.h"
#include "runs.h"

#include <signal.h>

#define INVALID ((int64_t)VK_ERROR_INVALID_EXTERNAL_HANDLE)

static const struct expectation goldfish = {
    GROUP(REFUSED) | GROUP(BAD_ASKING) | GROUP(BAD) | GROUP(CLOSING) | GROUP(ENDING),
    {
        {DEVICE_TYPE, VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU, "3.3: VIRTUAL_GPU"},
        {PLAIN_EXPORT, VK_ERROR_OUT_OF_DEVICE_MEMORY, "goldfish 1: export needs a dedicated image or buffer"},
        {SMALL_EXPORT, VK_ERROR_OUT_OF_DEVICE_MEMORY, "goldfish 1"},
        {LARGE_EXPORT, VK_ERROR_OUT_OF_DEVICE_MEMORY, "goldfish 1"},
        {GET_UNEXPORTABLE, VK_ERROR_INITIALIZATION_FAILED, "goldfish 2: get of non-exportable memory"},
        {GET_IMPORTED, VK_ERROR_INITIALIZATION_FAILED, "goldfish 2: get of non-exportable memory"},
        {HAS_PARENT, 1, "sysmem VMOs: leaf child of a middle VMO"},
        {IS_COMMITTED, 0, "sysmem VMOs: committed_bytes may be 0"},
        {ASK_OTHER_TYPE, VK_ERROR_INITIALIZATION_FAILED, "goldfish 3: properties of a wrong handle type"},
        {ASK_FOREIGN_NAMES_OUR_TYPE, 0, "goldfish 3: a VMO unknown to the host: SUCCESS with bits 0"},
        {ASK_WITHOUT_DUPLICATE_NAMES_OUR_TYPE, 0, "goldfish 3: a VMO unknown to the host: SUCCESS with bits 0"},
        {IMPORT_FOREIGN, INVALID, "goldfish 4: a VMO of zx_vmo_create() is not importable"},
        {ENDED, DIED_OF(SIGABRT), "goldfish 4: importing a non-duplicable handle calls abort()"},
    },
};

static const struct expectation magma = {
    0,
    {
        {DEVICE_TYPE, VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, "3.3: INTEGRATED_GPU"},
        {ASK_WITHOUT_DUPLICATE, INVALID, "magma: properties duplicates the handle; failure is INVALID_EXTERNAL_HANDLE"},
        {ASK_WITHOUT_DUPLICATE_NAMES_OUR_TYPE, 0, "magma: and so there is no answer"},
    },
};

static struct expectation swiftshader = {
    0,
    {
        {DEVICE_TYPE, VK_PHYSICAL_DEVICE_TYPE_CPU, "3.3: CPU"},
        {ATOM_SIZE, 256, "SwiftShader, seen: nonCoherentAtomSize"},
        {LARGEST_SIZE, 1 << 30, "3.3: max alloc 1 GiB"},
        {ALLOCATE_1_GIB, VK_ERROR_OUT_OF_DEVICE_MEMORY, "SwiftShader, seen: its own maximum is refused"},
        {LISTS_SEMAPHORE, 1, "SwiftShader, seen: the sibling extension is listed"},
        {SEMAPHORE_FEATURES, 3, "SwiftShader, source: events can be exported and imported"},
        {BUFFER_FEATURES, 0, "SwiftShader, seen: buffers report no feature, images do"},
        {BUFFER_COMPATIBLE, 0, "SwiftShader, seen: buffers report no feature, images do"},
        {BUFFER_EXPORTED_AGAIN, 0, "SwiftShader, seen: buffers report no feature, images do"},
        {VMO_SIZE, SIZE + 4096, "SwiftShader 1: allocationSize += 15"},
        {IS_NAMED, 0, "SwiftShader, seen: no name"},
        {EXPORT_WITHOUT_TYPE, INVALID, "SwiftShader 3: handle type 0 is refused"},
        {IMPORT_WITHOUT_TYPE, INVALID, "SwiftShader 3: handle type 0 is refused"},
        {ASK_WITHOUT_RIGHTS_BITS, OTHER, "SwiftShader 4: any value: all bits"},
        {ASK_EVENT, VK_SUCCESS, "SwiftShader 4: no VMO check"},
        {ASK_GARBAGE, VK_SUCCESS, "SwiftShader 4: any value, even garbage: SUCCESS"},
        {GET_UNEXPORTABLE, INVALID, "SwiftShader 5: non-exportable memory: INVALID_EXTERNAL_HANDLE"},
        {GET_IMPORTED, VK_SUCCESS, "SwiftShader, seen: imported memory re-exports without export info"},
        {VALID_AFTER_IMPORT, ZX_OK, "SwiftShader, seen: an import keeps the same number alive"},
        {IMPORT_TOO_MUCH, VK_SUCCESS, "SwiftShader, seen: the VMO's size is never compared"},
        {VALID_AFTER_IMPORT_TOO_MUCH, ZX_ERR_BAD_HANDLE, "SwiftShader, seen: vkFreeMemory closes the number"},
        {IMPORT_EVENT, VK_ERROR_MEMORY_MAP_FAILED, "SwiftShader, seen: a failed import is MEMORY_MAP_FAILED"},
        {IMPORT_GARBAGE, VK_ERROR_MEMORY_MAP_FAILED, "SwiftShader, seen: a failed import is MEMORY_MAP_FAILED"},
        {IMPORT_ZERO, VK_ERROR_MEMORY_MAP_FAILED, "SwiftShader, seen: a failed import is MEMORY_MAP_FAILED"},
        {VALID_AFTER_IMPORT_EVENT, ZX_ERR_BAD_HANDLE, "SwiftShader 6: a failed import closes the handle"},
    },
};

static struct observation strict;

static void an_empty_variable_is_strict(void) {
    run(EVERYTHING, "", PATIENCE_MS, &strict);
    CHECK_EQ(count_unusual(&strict), 0);
}

static void set_change(struct expectation *expected, enum aspect aspect, int64_t value) {
    for (struct change *change = expected->changes; change->aspect; change++) {
        if (change->aspect == aspect)
            change->value = value;
    }
}

static void has_its_quirks(const char *emulation, const struct expectation *expected) {
    struct observation seen;
    run(EVERYTHING, emulation, PATIENCE_MS, &seen);
    CHECK_EQ(count_wrong(&seen, &strict, expected), 0);
}

// "vkGetMemoryZirconHandle with a null memory crashes".
static void swiftshader_crashes_on_null_memory(void) {
    struct observation seen;
    run(NULL_MEMORY, "persona=swiftshader", PATIENCE_MS, &seen);
    CHECK_EQ(seen.values[ENDED], DIED_OF(SIGSEGV));
}

// "An undersized VMO imports and faults on touch".
static void swiftshader_faults_on_touch(void) {
    struct observation seen;
    run(MISSING_BYTE, "persona=swiftshader", PATIENCE_MS, &seen);
    CHECK_EQ(seen.values[IMPORT_TOO_MUCH], VK_SUCCESS);
    CHECK_EQ(seen.values[ENDED], DIED_OF(SIGSEGV));
}

// A fault in addition to the persona's: goldfish can return handle 0.
static void a_fault_adds_to_a_persona(void) {
    struct observation seen;
    run(EVERYTHING, "persona=goldfish,fault=export-zero", PATIENCE_MS, &seen);
    CHECK_EQ(seen.values[PLAIN_EXPORT], VK_ERROR_OUT_OF_DEVICE_MEMORY);
    CHECK_EQ(seen.values[IS_ZERO], 1);
}

int main(int argc, char **argv) {
    run_child_main(argc, argv);
    RUN(an_empty_variable_is_strict());
    RUN(has_its_quirks("persona=strict", &(const struct expectation){0}));
    RUN(has_its_quirks("persona=goldfish", &goldfish));
    RUN(has_its_quirks("persona=magma", &magma));
    const bool takes_holes = driver_takes_holes();
    if (!takes_holes)
        set_change(&swiftshader, IMPORT_TOO_MUCH, VK_ERROR_MEMORY_MAP_FAILED);
    RUN(has_its_quirks("persona=swiftshader", &swiftshader));
    RUN(swiftshader_crashes_on_null_memory());
    if (takes_holes)
        RUN(swiftshader_faults_on_touch());
    RUN(a_fault_adds_to_a_persona());
    return test_result();
}
