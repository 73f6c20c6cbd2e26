// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: handles and their rights, close, duplicate, replace and fork.
#include "objects.h"
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>
#include <zircon/syscalls.h>

static bool is_valid(zx_handle_t handle) {
    const zx_status_t status = zx_object_get_info(handle, ZX_INFO_HANDLE_VALID, NULL, 0, NULL, NULL);
    CHECK_EQ(zx_handle_check_valid(handle), status);
    CHECK(status == ZX_OK || status == ZX_ERR_BAD_HANDLE);
    return status == ZX_OK;
}

static void values_look_like_handles(void) {
    const zx_handle_t vmo = new_vmo(4096);
    CHECK(vmo != ZX_HANDLE_INVALID);
    CHECK_EQ(vmo & ZX_HANDLE_FIXED_BITS_MASK, ZX_HANDLE_FIXED_BITS_MASK);
    CHECK(vmo > 0xffff); // no file descriptor is that large
    CHECK_OK(zx_handle_close(vmo));
}

static void values_are_reused_and_koids_are_not(void) {
    const zx_handle_t first = new_vmo(4096);
    const zx_koid_t koid = basic_of(first).koid;
    CHECK(koid >= ZX_KOID_FIRST);
    CHECK_OK(zx_handle_close(first));
    const zx_handle_t second = new_vmo(4096);
    CHECK_EQ(second, first);
    CHECK(basic_of(second).koid > koid);
    CHECK_OK(zx_handle_close(second));
}

static void bad_handles_are_told(void) {
    const zx_handle_t vmo = new_vmo(4096);
    const zx_handle_t bad[] = {ZX_HANDLE_INVALID, 3, 0xabcd1234, 0xffffffff, vmo & ~ZX_HANDLE_FIXED_BITS_MASK, vmo + 4};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        zx_handle_t out;
        uint64_t size;
        CHECK(!is_valid(bad[i]));
        CHECK_EQ(zx_vmo_get_size(bad[i], &size), ZX_ERR_BAD_HANDLE);
        CHECK_EQ(zx_handle_duplicate(bad[i], ZX_RIGHT_SAME_RIGHTS, &out), ZX_ERR_BAD_HANDLE);
        CHECK_EQ(zx_handle_replace(bad[i], ZX_RIGHT_SAME_RIGHTS, &out), ZX_ERR_BAD_HANDLE);
        CHECK_EQ(zx_handle_close(bad[i]), bad[i] == ZX_HANDLE_INVALID ? ZX_OK : ZX_ERR_BAD_HANDLE);
    }
    CHECK(is_valid(vmo));
    CHECK_OK(zx_handle_close(vmo));
    CHECK(!is_valid(vmo));
    CHECK_EQ(zx_handle_close(vmo), ZX_ERR_BAD_HANDLE); // twice
}

static void close_many_closes_all_it_can(void) {
    const zx_handle_t handles[] = {new_vmo(4096), ZX_HANDLE_INVALID, 0xabcd1237, new_vmo(4096)};
    CHECK_EQ(zx_handle_close_many(handles, 4), ZX_ERR_BAD_HANDLE);
    CHECK(!is_valid(handles[0]));
    CHECK(!is_valid(handles[3]));
    CHECK_OK(zx_handle_close_many(handles, 0));
}

static void duplicates_are_of_one_object(void) {
    const zx_handle_t vmo = new_vmo(4096);
    zx_handle_t copy;
    zx_info_handle_count_t count;
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &copy));
    CHECK(copy != vmo);
    CHECK_EQ(basic_of(copy).koid, basic_of(vmo).koid);
    CHECK_EQ(basic_of(copy).rights, ZX_DEFAULT_VMO_RIGHTS);
    CHECK_EQ(basic_of(copy).type, ZX_OBJ_TYPE_VMO);
    CHECK_EQ(basic_of(copy).related_koid, 0);
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_HANDLE_COUNT, &count, sizeof count, NULL, NULL));
    CHECK_EQ(count.handle_count, 2);
    CHECK_OK(zx_vmo_write(vmo, "shared", 0, 6));
    CHECK_OK(zx_handle_close(vmo));
    char read[6];
    CHECK_OK(zx_vmo_read(copy, read, 0, 6));
    CHECK_EQ(memcmp(read, "shared", 6), 0);
    CHECK_OK(zx_handle_close(copy));
}

static void rights_only_shrink(void) {
    const zx_handle_t vmo = new_vmo(4096);
    zx_handle_t narrow, other;
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_READ, &narrow));
    CHECK_EQ(basic_of(narrow).rights, ZX_RIGHT_READ);
    CHECK_EQ(zx_handle_duplicate(narrow, ZX_RIGHT_READ, &other), ZX_ERR_ACCESS_DENIED); // needs DUPLICATE
    CHECK_EQ(zx_handle_duplicate(vmo, ZX_RIGHT_EXECUTE, &other), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS | ZX_RIGHT_READ, &other), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_handle_duplicate(vmo, 0, NULL), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_NONE, &other));
    CHECK_EQ(basic_of(other).rights, ZX_RIGHT_NONE);
    CHECK_EQ(basic_of(other).koid, basic_of(vmo).koid);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, narrow, other}, 3));
}

static void every_call_wants_its_right(void) {
    const zx_handle_t vmo = new_vmo(4096);
    zx_handle_t none, out;
    char byte = 0, name[ZX_MAX_NAME_LEN];
    zx_info_handle_count_t count;
    zx_info_vmo_t info;
    zx_signals_t observed;
    zx_vaddr_t address;
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_NONE, &none));
    CHECK_EQ(zx_vmo_read(none, &byte, 0, 1), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_vmo_write(none, &byte, 0, 1), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_object_get_property(none, ZX_PROP_NAME, name, sizeof name), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_object_set_property(none, ZX_PROP_NAME, name, sizeof name), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_object_get_info(none, ZX_INFO_HANDLE_COUNT, &count, sizeof count, NULL, NULL), ZX_ERR_ACCESS_DENIED);
    CHECK_OK(zx_object_get_info(none, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(zx_object_signal(none, 0, 1u << 24), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_object_wait_one(none, 1, 0, &observed), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_vmo_set_cache_policy(none, 0), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_vmo_create_child(none, ZX_VMO_CHILD_SNAPSHOT, 0, 4096, &out), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_vmo_op_range(none, ZX_VMO_OP_COMMIT, 0, 4096, NULL, 0), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_vmo_op_range(none, ZX_VMO_OP_CACHE_CLEAN, 0, 4096, NULL, 0), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ, 0, none, 0, 4096, &address), ZX_ERR_ACCESS_DENIED);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, none}, 2));
}

static void replace_kills_the_old_value(void) {
    const zx_handle_t vmo = new_vmo(4096);
    const zx_koid_t koid = basic_of(vmo).koid;
    zx_handle_t next, last;
    CHECK_OK(zx_handle_replace(vmo, ZX_RIGHT_READ, &next));
    CHECK(next != vmo);
    CHECK(!is_valid(vmo));
    CHECK_EQ(basic_of(next).koid, koid);
    CHECK_EQ(basic_of(next).rights, ZX_RIGHT_READ);
    CHECK_EQ(zx_handle_replace(next, ZX_RIGHT_WRITE, &last), ZX_ERR_INVALID_ARGS); // not a subset
    CHECK(!is_valid(next));                                                        // closed on failure too
}

static void the_process_has_handles_of_its_own(void) {
    const zx_handle_t process = zx_process_self(), vmar = zx_vmar_root_self();
    CHECK_EQ(zx_process_self(), process);
    CHECK_EQ(basic_of(process).type, ZX_OBJ_TYPE_PROCESS);
    CHECK_EQ(basic_of(vmar).type, ZX_OBJ_TYPE_VMAR);
    zx_info_process_handle_stats_t before, after;
    CHECK_OK(zx_object_get_info(process, ZX_INFO_PROCESS_HANDLE_STATS, &before, sizeof before, NULL, NULL));
    const zx_handle_t vmo = new_vmo(4096);
    CHECK_OK(zx_object_get_info(process, ZX_INFO_PROCESS_HANDLE_STATS, &after, sizeof after, NULL, NULL));
    CHECK_EQ(after.handle_count[ZX_OBJ_TYPE_VMO], before.handle_count[ZX_OBJ_TYPE_VMO] + 1);
    CHECK_EQ(after.handle_count[ZX_OBJ_TYPE_PROCESS], 1);
    CHECK_EQ(zx_object_get_info(vmo, ZX_INFO_PROCESS_HANDLE_STATS, &after, sizeof after, NULL, NULL),
             ZX_ERR_WRONG_TYPE);
    CHECK_OK(zx_handle_close(vmo));
}

static void the_table_grows(void) {
    enum { MANY = 1000 };
    static zx_handle_t copies[MANY];
    const zx_handle_t vmo = new_vmo(4096);
    for (size_t i = 0; i < MANY; i++)
        REQUIRE(CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &copies[i])));
    for (size_t i = 0; i < MANY; i++)
        CHECK(is_valid(copies[i]) && copies[i] != copies[(i + 1) % MANY]);
    CHECK_OK(zx_handle_close_many(copies, MANY));
    CHECK_OK(zx_handle_close(vmo));
}

static int child_of_fork(zx_handle_t vmo) {
    zx_handle_t own = ZX_HANDLE_INVALID;
    if (zx_handle_check_valid(vmo) != ZX_ERR_BAD_HANDLE)
        return 1;
    if (zx_vmo_create(4096, 0, &own) != ZX_OK || zx_vmo_write(own, "child", 0, 5) != ZX_OK)
        return 2;
    return zx_handle_close(own) == ZX_OK ? 0 : 3;
}

static void a_forked_child_starts_with_an_empty_table(void) {
    const zx_handle_t vmo = new_vmo(4096);
    const pid_t child = fork();
    if (child == 0)
        _exit(child_of_fork(vmo));
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    CHECK(is_valid(vmo));
    CHECK_OK(zx_handle_close(vmo));
}

int main(void) {
    RUN(values_look_like_handles());
    RUN(values_are_reused_and_koids_are_not());
    RUN(bad_handles_are_told());
    RUN(close_many_closes_all_it_can());
    RUN(duplicates_are_of_one_object());
    RUN(rights_only_shrink());
    RUN(every_call_wants_its_right());
    RUN(replace_kills_the_old_value());
    RUN(the_process_has_handles_of_its_own());
    RUN(the_table_grows());
    RUN(a_forked_child_starts_with_an_empty_table());
    return test_result();
}
