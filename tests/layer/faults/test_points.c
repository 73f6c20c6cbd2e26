// SPDX-License-Identifier: Apache-2.0
//
// A process ends or hangs at the point that was set: it observes all aspects before it and none after it.
#include "../test.h"
#include "runs.h"

#include <signal.h>

static const enum aspect first_unseen[VKZ_POINT_COUNT] = {
    [VKZ_POINT_ALLOCATE] = PLAIN_EXPORT,
    [VKZ_POINT_BIND] = BIND,
    [VKZ_POINT_CAPABILITIES] = BUFFER_FEATURES,
    [VKZ_POINT_CREATE_BUFFER] = PLAIN_EXPORT, // created to query its memory types
    [VKZ_POINT_CREATE_DEVICE] = CREATE_DEVICE,
    [VKZ_POINT_CREATE_INSTANCE] = CREATE_INSTANCE,
    [VKZ_POINT_DESTROY_DEVICE] = DESTROY_DEVICE,
    [VKZ_POINT_DESTROY_INSTANCE] = DESTROY_INSTANCE,
    [VKZ_POINT_DEVICE_EXTENSIONS] = EXTENSION_LIST,
    [VKZ_POINT_DEVICE_PROPERTIES] = DEVICE_TYPE,
    [VKZ_POINT_ENUMERATE_DEVICES] = ENUMERATION,
    [VKZ_POINT_EXPORT] = GET_UNEXPORTABLE,
    [VKZ_POINT_FREE] = PLAIN_EXPORT, // reported after the memory is freed
    [VKZ_POINT_IMPORT] = IMPORT,
    [VKZ_POINT_LOAD] = CREATE_INSTANCE,
    [VKZ_POINT_MAP] = MAP,
    [VKZ_POINT_PROPERTIES] = ASK,
    [VKZ_POINT_SUBMIT] = SUBMIT,
    [VKZ_POINT_VMAR_MAP] = VMAR_MAP,
    [VKZ_POINT_VMO_READ] = READ,
    [VKZ_POINT_WAIT] = WAIT,
};

static void ends_there(const char *action, enum vkz_point point, int patience_ms, int64_t how) {
#define POINT_NAME(id, name, where) name,
    static const char *const names[] = {VKZ_POINTS(POINT_NAME)};
#undef POINT_NAME
    char emulation[100];
    struct observation seen;
    snprintf(emulation, sizeof emulation, "fault=%s-in-%s", action, names[point]);
    printf("%s: ", emulation);
    run(EVERYTHING, emulation, patience_ms, &seen);
    CHECK_EQ(seen.values[ENDED], how);
    for (size_t i = 0; aspects[i].group != PROCESS; i++) {
        if (!CHECK_EQ(seen.values[i] != UNSEEN, i < first_unseen[point]))
            fprintf(stderr, "that was %s\n", aspects[i].name);
    }
}

int main(int argc, char **argv) {
    static const enum vkz_point hangs[] = {VKZ_POINT_LOAD, VKZ_POINT_EXPORT, VKZ_POINT_VMO_READ, VKZ_POINT_WAIT};
    run_child_main(argc, argv);
    for (enum vkz_point point = 0; point < VKZ_POINT_COUNT; point++) {
        RUN(ends_there("abort", point, PATIENCE_MS, DIED_OF(SIGABRT)));
        RUN(ends_there("exit", point, PATIENCE_MS, 0));
        RUN(ends_there("segfault", point, PATIENCE_MS, DIED_OF(SIGSEGV)));
    }
    for (size_t i = 0; i < sizeof hangs / sizeof hangs[0]; i++)
        RUN(ends_there("hang", hangs[i], 3000, TIMED_OUT));
    return test_result();
}
