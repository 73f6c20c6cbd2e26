// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: several threads at once, with their own handles and with the same ones.
#include "together.h"

#include <sys/resource.h>
#include <unistd.h>
#include <zircon/syscalls.h>

#define ROUNDS 300

static uint32_t vmos_alive(void) {
    zx_info_process_handle_stats_t statistics = {0};
    CHECK_OK(zx_object_get_info(zx_process_self(), ZX_INFO_PROCESS_HANDLE_STATS, &statistics, sizeof statistics, NULL,
                                NULL));
    return statistics.handle_count[ZX_OBJ_TYPE_VMO];
}

static zx_koid_t koid_of(zx_handle_t handle) {
    zx_info_handle_basic_t basic = {0};
    zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL);
    return basic.koid;
}

static zx_koid_t koids[TOGETHER][ROUNDS];

// A handle value keeps its object while other threads close and open handles.
static const char *own_handles(void *argument, unsigned thread) {
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        zx_handle_t vmo, copy, replaced;
        zx_vaddr_t address;
        HOLDS(zx_vmo_create(8192, 0, &vmo) == ZX_OK);
        koids[thread][i] = koid_of(vmo);
        HOLDS(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &copy) == ZX_OK);
        HOLDS(zx_handle_replace(copy, ZX_RIGHT_SAME_RIGHTS, &replaced) == ZX_OK);
        HOLDS(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ | ZX_VM_PERM_WRITE, 0, vmo, 0, 8192, &address) == ZX_OK);
        *(volatile uint32_t *)(address + 4096) = thread + 1;
        HOLDS(zx_handle_close(vmo) == ZX_OK);
        uint32_t read = 0;
        HOLDS(zx_vmo_read(replaced, &read, 4096, sizeof read) == ZX_OK);
        HOLDS(read == thread + 1);
        HOLDS(koid_of(replaced) == koids[thread][i]);
        HOLDS(zx_vmar_unmap(zx_vmar_root_self(), address, 8192) == ZX_OK);
        HOLDS(zx_handle_close(replaced) == ZX_OK);
    }
    return NULL;
}

static int by_koid(const void *left, const void *right) {
    const zx_koid_t a = *(const zx_koid_t *)left, b = *(const zx_koid_t *)right;
    return (a > b) - (a < b);
}

static void threads_have_handles_of_their_own(void) {
    const uint32_t before = vmos_alive();
    run_together(own_handles, NULL);
    CHECK_EQ(vmos_alive(), before);
    zx_koid_t *const all = &koids[0][0];
    qsort(all, TOGETHER * ROUNDS, sizeof *all, by_koid);
    for (size_t i = 1; i < TOGETHER * ROUNDS; i++)
        CHECK(all[i] > all[i - 1]); // no koid twice
}

// Some calls return BAD_STATE because of other threads.
static bool is_fine(zx_status_t status) {
    return status == ZX_OK || status == ZX_ERR_BAD_STATE;
}

static const char *every_call(zx_handle_t vmo, unsigned thread, int round) {
    char bytes[64], name[ZX_MAX_NAME_LEN];
    zx_info_vmo_t info;
    zx_handle_t child;
    zx_vaddr_t address;
    uint64_t size;
    snprintf(name, sizeof name, "thread %u", thread);
    HOLDS(zx_object_set_property(vmo, ZX_PROP_NAME, name, strlen(name)) == ZX_OK);
    HOLDS(zx_object_get_property(vmo, ZX_PROP_NAME, name, sizeof name) == ZX_OK);
    HOLDS(memcmp(name, "thread ", 7) == 0);
    HOLDS(zx_vmo_get_size(vmo, &size) == ZX_OK && size == 65536);
    HOLDS(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL) == ZX_OK);
    HOLDS(is_fine(zx_vmo_set_cache_policy(vmo, round % 8 ? ZX_CACHE_POLICY_CACHED : ZX_CACHE_POLICY_UNCACHED)));
    HOLDS(is_fine(zx_vmo_read(vmo, bytes, (uint64_t)round * 64 % size, sizeof bytes)));
    HOLDS(is_fine(zx_vmo_write(vmo, bytes, (uint64_t)round * 64 % size, sizeof bytes)));
    const uint32_t kind = round % 2 ? ZX_VMO_CHILD_SLICE : ZX_VMO_CHILD_SNAPSHOT;
    const zx_status_t status = zx_vmo_create_child(vmo, kind, 4096, 4096, &child);
    HOLDS(is_fine(status));
    HOLDS(status != ZX_OK || zx_handle_close(child) == ZX_OK);
    HOLDS(zx_vmo_op_range(vmo, ZX_VMO_OP_ZERO, 4096, 4096, NULL, 0) == ZX_OK);
    HOLDS(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ, 0, vmo, 0, 4096, &address) == ZX_OK);
    HOLDS(zx_object_signal(vmo, 0, ZX_USER_SIGNAL_ALL) == ZX_OK);
    HOLDS(zx_vmar_unmap(zx_vmar_root_self(), address, 4096) == ZX_OK);
    return NULL;
}

static const char *one_handle(void *argument, unsigned thread) {
    const zx_handle_t vmo = *(const zx_handle_t *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        const char *failed = every_call(vmo, thread, i);
        if (failed)
            return failed;
    }
    return NULL;
}

static void threads_share_a_handle(void) {
    zx_handle_t vmo;
    zx_info_vmo_t info;
    zx_info_handle_count_t count;
    const uint32_t before = vmos_alive();
    REQUIRE(CHECK_OK(zx_vmo_create(65536, 0, &vmo)));
    run_together(one_handle, &vmo);
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(info.num_children, 0);
    CHECK_EQ(info.num_mappings, 0);
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_HANDLE_COUNT, &count, sizeof count, NULL, NULL));
    CHECK_EQ(count.handle_count, 1);
    CHECK_OK(zx_handle_close(vmo));
    CHECK_EQ(vmos_alive(), before);
}

// Only the first close succeeds, and later ones close no other handle.
static const char *close_the_same(void *argument, unsigned thread) {
    (void)thread;
    const zx_status_t status = zx_handle_close(*(const zx_handle_t *)argument);
    HOLDS(status == ZX_OK || status == ZX_ERR_BAD_HANDLE);
    __atomic_fetch_add((uint32_t *)((zx_handle_t *)argument + 1), status == ZX_OK, __ATOMIC_RELAXED);
    return NULL;
}

static void one_of_many_closes_it(void) {
    for (int i = 0; i < 50; i++) {
        uint32_t vmo_and_closed[2] = {0, 0};
        REQUIRE(CHECK_OK(zx_vmo_create(4096, 0, &vmo_and_closed[0])));
        run_together(close_the_same, vmo_and_closed);
        CHECK_EQ(vmo_and_closed[1], 1);
    }
}

// Threads pass a token by signals. Every wait ends, and none too early.
static const char *wait_in_turn(void *argument, unsigned thread) {
    const zx_handle_t event = *(const zx_handle_t *)argument;
    const zx_signals_t mine = 1u << (24 + thread), next = 1u << (24 + (thread + 1) % TOGETHER);
    for (int i = 0; i < ROUNDS; i++) {
        zx_signals_t observed = 0;
        HOLDS(zx_object_wait_one(event, mine, ZX_TIME_INFINITE, &observed) == ZX_OK);
        HOLDS((observed & ZX_USER_SIGNAL_ALL) == mine); // there is one token
        HOLDS(zx_object_signal(event, mine, next) == ZX_OK);
    }
    return NULL;
}

static void threads_wait_for_each_other(void) {
    zx_handle_t event;
    REQUIRE(CHECK_OK(zx_event_create(0, &event)));
    CHECK_OK(zx_object_signal(event, 0, 1u << 24));
    run_together(wait_in_turn, &event);
    CHECK_OK(zx_handle_close(event));
}

static long times_slept(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static void *count_sleeps(void *event) {
    const long before = times_slept();
    const zx_status_t status = zx_object_wait_one(*(zx_handle_t *)event, ZX_EVENT_SIGNALED, ZX_TIME_INFINITE, NULL);
    return (void *)(intptr_t)(status == ZX_OK ? times_slept() - before : -1);
}

static void other_objects_do_not_end_a_sleep(void) {
    zx_handle_t event, other;
    pthread_t thread;
    void *sleeps = NULL;
    REQUIRE(CHECK_OK(zx_event_create(0, &event)));
    pthread_create(&thread, NULL, count_sleeps, &event);
    for (int i = 0; i < 300; i++) {
        CHECK_OK(zx_event_create(0, &other));
        CHECK_OK(zx_object_signal(other, 0, ZX_EVENT_SIGNALED));
        CHECK_OK(zx_handle_close(other));
        usleep(100);
    }
    CHECK_OK(zx_object_signal(event, 0, ZX_EVENT_SIGNALED));
    pthread_join(thread, &sleeps);
    CHECK((intptr_t)sleeps >= 0 && (intptr_t)sleeps < 30); // sleeps for the mutex count too
    CHECK_OK(zx_handle_close(event));
}

int main(void) {
    RUN(threads_have_handles_of_their_own());
    RUN(threads_share_a_handle());
    RUN(one_of_many_closes_it());
    RUN(threads_wait_for_each_other());
    RUN(other_objects_do_not_end_a_sleep());
    return test_result();
}
