// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: reading, writing, mapping, children, range operations and cache policies of VMOs.
#include "objects.h"
#include "test.h"
#include "zircon_private.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static zx_info_vmo_t info_of(zx_handle_t vmo) {
    zx_info_vmo_t info = {0};
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    return info;
}

static zx_rights_t rights_of(zx_handle_t handle) {
    zx_info_handle_basic_t basic = {0};
    CHECK_OK(zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL));
    return basic.rights;
}

static int byte_at(zx_handle_t vmo, uint64_t offset) {
    unsigned char byte = 0;
    CHECK_OK(zx_vmo_read(vmo, &byte, offset, 1));
    return byte;
}

static void creation_checks_its_arguments(void) {
    zx_handle_t vmo;
    uint64_t size;
    CHECK_EQ(zx_vmo_create(4096, 1u << 31, &vmo), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create(4096, 0, NULL), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create(UINT64_MAX, 0, &vmo), ZX_ERR_OUT_OF_RANGE);
    CHECK_OK(zx_vmo_create(0, 0, &vmo));
    CHECK_OK(zx_vmo_get_size(vmo, &size));
    CHECK_EQ(size, 0);
    CHECK_OK(zx_vmo_read(vmo, NULL, 0, 0));
    CHECK_OK(zx_handle_close(vmo));
    CHECK_OK(zx_vmo_create(4096, ZX_VMO_RESIZABLE, &vmo));
    CHECK_EQ(rights_of(vmo), ZX_DEFAULT_VMO_RIGHTS | ZX_RIGHT_RESIZE);
    CHECK(info_of(vmo).flags & ZX_INFO_VMO_RESIZABLE);
    CHECK_OK(zx_handle_close(vmo));
}

static void bytes_come_back(void) {
    const zx_handle_t vmo = new_vmo(3 * 4096);
    char text[] = "across a page";
    CHECK_EQ(byte_at(vmo, 4090), 0);
    CHECK_OK(zx_vmo_write(vmo, text, 4090, sizeof text));
    memset(text, 0, sizeof text);
    CHECK_OK(zx_vmo_read(vmo, text, 4090, sizeof text));
    CHECK_EQ(strcmp(text, "across a page"), 0);
    CHECK_OK(zx_handle_close(vmo));
}

static void the_end_is_the_end(void) {
    const zx_handle_t vmo = new_vmo(5000); // 8192 bytes
    char bytes[2] = {0};
    CHECK_OK(zx_vmo_write(vmo, bytes, 8190, 2));
    CHECK_EQ(zx_vmo_write(vmo, bytes, 8191, 2), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(zx_vmo_read(vmo, bytes, 8192, 1), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(zx_vmo_read(vmo, bytes, UINT64_MAX, 2), ZX_ERR_OUT_OF_RANGE);
    CHECK_OK(zx_vmo_read(vmo, NULL, 8192, 0));
    CHECK_EQ(zx_vmo_read(vmo, NULL, 0, 1), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_read(vmo, (void *)16, 0, 1), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_handle_close(vmo));
}

static void a_mapping_is_the_vmo(void) {
    const zx_handle_t vmo = new_vmo(8192);
    zx_vaddr_t address = 0;
    CHECK_OK(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ | ZX_VM_PERM_WRITE, 0, vmo, 4096, 4096, &address));
    *(char *)address = 'm';
    CHECK_EQ(byte_at(vmo, 4096), 'm');
    CHECK_OK(zx_vmo_write(vmo, "v", 4097, 1));
    CHECK_EQ(((char *)address)[1], 'v');
    CHECK_EQ(info_of(vmo).num_mappings, 1);
    CHECK_EQ(info_of(vmo).share_count, 1);
    CHECK_OK(zx_handle_close(vmo)); // the mapping keeps the pages
    CHECK_EQ(*(char *)address, 'm');
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), address, 4096));
    CHECK_EQ(zx_vmar_unmap(zx_vmar_root_self(), address, 4096), ZX_ERR_NOT_FOUND);
}

static zx_status_t try_map(zx_handle_t vmo, zx_vm_option_t options, uint64_t offset, size_t length) {
    zx_vaddr_t address;
    const zx_status_t status = zx_vmar_map(zx_vmar_root_self(), options, 0, vmo, offset, length, &address);
    if (status == ZX_OK)
        CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), address, length));
    return status;
}

static void mapping_checks_its_arguments(void) {
    const zx_handle_t vmo = new_vmo(4096);
    zx_handle_t resizable, read_only;
    zx_vaddr_t address;
    CHECK_OK(try_map(vmo, ZX_VM_PERM_READ, 0, 4096));
    CHECK_OK(try_map(vmo, 0, 0, 4096));
    CHECK_OK(try_map(vmo, ZX_VM_PERM_READ | ZX_VM_PERM_WRITE | ZX_VM_MAP_RANGE, 0, 4096));
    CHECK_OK(try_map(vmo, ZX_VM_PERM_READ | ZX_VM_REQUIRE_NON_RESIZABLE, 0, 100)); // rounded up
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_WRITE, 0, 4096), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_READ, 1, 4096), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_READ, 0, 0), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_READ | 1u << 4, 0, 4096), ZX_ERR_INVALID_ARGS); // placed
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_READ | ZX_VM_PERM_EXECUTE, 0, 4096), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_READ, 0, 8192), ZX_ERR_BUFFER_TOO_SMALL);
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_READ, 4096, 4096), ZX_ERR_BUFFER_TOO_SMALL);
    CHECK_EQ(try_map(vmo, ZX_VM_PERM_READ, UINT64_MAX - 4095, 4096), ZX_ERR_OUT_OF_RANGE);
    CHECK_OK(try_map(vmo, ZX_VM_PERM_READ | ZX_VM_ALLOW_FAULTS, 0, 8192));
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_READ | ZX_RIGHT_MAP, &read_only));
    CHECK_OK(try_map(read_only, ZX_VM_PERM_READ, 0, 4096));
    CHECK_EQ(try_map(read_only, ZX_VM_PERM_READ | ZX_VM_PERM_WRITE, 0, 4096), ZX_ERR_ACCESS_DENIED);
    CHECK_OK(zx_vmo_create(4096, ZX_VMO_RESIZABLE, &resizable));
    CHECK_EQ(try_map(resizable, ZX_VM_PERM_READ, 0, 4096), ZX_ERR_NOT_SUPPORTED);
    CHECK_OK(try_map(resizable, ZX_VM_PERM_READ | ZX_VM_ALLOW_FAULTS, 0, 4096));
    CHECK_EQ(zx_vmar_map(vmo, ZX_VM_PERM_READ, 0, vmo, 0, 4096, &address), ZX_ERR_WRONG_TYPE);
    CHECK_EQ(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ, 0, zx_process_self(), 0, 4096, &address),
             ZX_ERR_WRONG_TYPE);
    CHECK_EQ(info_of(vmo).num_mappings, 0);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, resizable, read_only}, 3));
}

static void past_the_end_faults(void) {
    const zx_handle_t vmo = new_vmo(4096);
    zx_vaddr_t address;
    const pid_t child = fork();
    if (child == 0) {
        zx_handle_t own;
        zx_vmo_create(4096, 0, &own);
        zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ | ZX_VM_ALLOW_FAULTS, 0, own, 0, 8192, &address);
        signal(SIGSEGV, SIG_DFL); // without a sanitizer's handler
        _exit(((volatile char *)address)[4096]);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_OK(zx_handle_close(vmo));
}

static void unmapping_checks_its_arguments(void) {
    const zx_handle_t vmo = new_vmo(8192);
    zx_vaddr_t address;
    CHECK_OK(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ, 0, vmo, 0, 8192, &address));
    CHECK_EQ(zx_vmar_unmap(zx_vmar_root_self(), address + 1, 8192), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmar_unmap(zx_vmar_root_self(), address, 0), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmar_unmap(vmo, address, 8192), ZX_ERR_WRONG_TYPE);
    CHECK_EQ(info_of(vmo).num_mappings, 1);
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), address, 8000));
    CHECK_EQ(info_of(vmo).num_mappings, 0);
    CHECK_OK(zx_handle_close(vmo));
}

static void a_slice_shares_and_a_snapshot_does_not(void) {
    const zx_handle_t vmo = new_vmo(3 * 4096);
    zx_handle_t slice, snapshot, inner;
    CHECK_OK(zx_vmo_write(vmo, "abc", 4096, 3));
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 4096, 8192, &slice));
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SNAPSHOT, 4096, 5 * 4096, &snapshot));
    CHECK_OK(zx_vmo_create_child(slice, ZX_VMO_CHILD_SLICE, 4096, 4096, &inner));
    CHECK_EQ(info_of(slice).parent_koid, info_of(vmo).koid);
    CHECK_EQ(info_of(vmo).num_children, 2);
    CHECK_EQ(info_of(slice).num_children, 1);
    CHECK_EQ(info_of(slice).committed_bytes, 0); // the parent owns the pages
    CHECK(info_of(snapshot).flags & ZX_INFO_VMO_IS_COW_CLONE);
    CHECK_EQ(info_of(snapshot).size_bytes, 5 * 4096);
    CHECK_OK(zx_vmo_write(slice, "S", 0, 1));
    CHECK_OK(zx_vmo_write(snapshot, "N", 1, 1));
    CHECK_OK(zx_vmo_write(inner, "I", 0, 1));
    CHECK_EQ(byte_at(vmo, 4096), 'S');
    CHECK_EQ(byte_at(vmo, 4097), 'b');
    CHECK_EQ(byte_at(vmo, 8192), 'I');
    CHECK_EQ(byte_at(snapshot, 0), 'a');
    CHECK_EQ(byte_at(snapshot, 1), 'N');
    CHECK_EQ(byte_at(snapshot, 5 * 4096 - 1), 0); // past the end of the parent
    CHECK_OK(zx_handle_close(vmo));
    CHECK_EQ(byte_at(inner, 0), 'I'); // a child keeps its pages
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){slice, snapshot, inner}, 3));
}

// A child is backed to whole pages, with the bytes of the parent.
static void a_snapshot_has_whole_pages(void) {
    const zx_handle_t vmo = new_vmo(8192);
    zx_handle_t child;
    CHECK_OK(zx_vmo_write(vmo, "xyz", 5000, 3));
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SNAPSHOT, 0, 4097, &child));
    CHECK_EQ(info_of(child).size_bytes, 8192);
    CHECK_EQ(byte_at(child, 5000), 'x');
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, child}, 2));
}

static void children_check_their_arguments(void) {
    const zx_handle_t vmo = new_vmo(8192);
    zx_handle_t child;
    CHECK_EQ(zx_vmo_create_child(vmo, 0, 0, 4096, &child), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE | ZX_VMO_CHILD_SNAPSHOT, 0, 4096, &child),
             ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 100, 4096, &child), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 4096, 8192, &child), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_REFERENCE, 0, 0, &child), ZX_ERR_NOT_SUPPORTED);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SNAPSHOT, 0, UINT64_MAX, &child), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 0, 4096, NULL), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SNAPSHOT_MODIFIED | ZX_VMO_CHILD_NO_WRITE, 0, 4096, &child));
    CHECK_EQ(rights_of(child), ZX_DEFAULT_VMO_RIGHTS & ~ZX_RIGHT_WRITE);
    CHECK_EQ(zx_vmo_op_range(child, ZX_VMO_OP_DECOMMIT, 0, 4096, NULL, 0), ZX_ERR_ACCESS_DENIED);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, child}, 2));
}

static void range_operations_work(void) {
    const zx_handle_t vmo = new_vmo(3 * 4096);
    CHECK_OK(zx_vmo_op_range(vmo, ZX_VMO_OP_COMMIT, 0, 3 * 4096, NULL, 0));
    CHECK_OK(zx_vmo_op_range(vmo, ZX_VMO_OP_COMMIT, 4096, 0, NULL, 0));
    CHECK_EQ(info_of(vmo).committed_bytes, 3 * 4096);
    CHECK_OK(zx_vmo_write(vmo, "xyz", 4095, 3));
    CHECK_OK(zx_vmo_op_range(vmo, ZX_VMO_OP_ZERO, 4096, 1, NULL, 0));
    CHECK_EQ(byte_at(vmo, 4095), 'x');
    CHECK_EQ(byte_at(vmo, 4096), 0);
    CHECK_EQ(byte_at(vmo, 4097), 'z');
    CHECK_OK(zx_vmo_op_range(vmo, ZX_VMO_OP_DECOMMIT, 4096, 8192, NULL, 0));
    CHECK_EQ(info_of(vmo).committed_bytes, 4096);
    CHECK_EQ(byte_at(vmo, 4097), 0);
    CHECK_EQ(zx_vmo_op_range(vmo, ZX_VMO_OP_DECOMMIT, 1, 4096, NULL, 0), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_op_range(vmo, ZX_VMO_OP_COMMIT, 4096, 3 * 4096, NULL, 0), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(zx_vmo_op_range(vmo, ZX_VMO_OP_LOCK, 0, 4096, NULL, 0), ZX_ERR_NOT_SUPPORTED);
    CHECK_EQ(zx_vmo_op_range(vmo, 99, 0, 4096, NULL, 0), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_op_range(vmo, 0, 0, 4096, NULL, 0), ZX_ERR_INVALID_ARGS);
    for (uint32_t op = ZX_VMO_OP_CACHE_SYNC; op <= ZX_VMO_OP_CACHE_CLEAN_INVALIDATE; op++) {
        if (op == ZX_VMO_OP_CACHE_INVALIDATE)
            continue;
        CHECK_OK(zx_vmo_op_range(vmo, op, 0, 100, NULL, 0));
        CHECK_EQ(zx_vmo_op_range(vmo, op, 0, 0, NULL, 0), ZX_ERR_INVALID_ARGS);
    }
    CHECK_OK(zx_vmo_op_range(vmo, ZX_VMO_OP_ALWAYS_NEED, 0, 4096, NULL, 0));
    CHECK_OK(zx_handle_close(vmo));
}

static void uncached_vmos_are_only_mapped(void) {
    const zx_handle_t vmo = new_vmo(4096);
    zx_vaddr_t address;
    char byte = 'u';
    CHECK_EQ(zx_vmo_set_cache_policy(vmo, 4), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_vmo_set_cache_policy(vmo, ZX_CACHE_POLICY_WRITE_COMBINING));
    CHECK_EQ(info_of(vmo).cache_policy, ZX_CACHE_POLICY_WRITE_COMBINING);
    CHECK_EQ(zx_vmo_read(vmo, &byte, 0, 1), ZX_ERR_BAD_STATE);
    CHECK_EQ(zx_vmo_write(vmo, &byte, 0, 1), ZX_ERR_BAD_STATE);
    CHECK_OK(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ, 0, vmo, 0, 4096, &address));
    CHECK_EQ(zx_vmo_set_cache_policy(vmo, ZX_CACHE_POLICY_CACHED), ZX_ERR_BAD_STATE); // mapped
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), address, 4096));
    CHECK_OK(zx_vmo_set_cache_policy(vmo, ZX_CACHE_POLICY_CACHED));
    CHECK_OK(zx_vmo_read(vmo, &byte, 0, 1));
    CHECK_OK(zx_handle_close(vmo));
}

static void devices_map_whole_granules(void) {
    const zx_handle_t vmo = new_vmo(3 * 4096);
    zx_handle_t slice, blind;
    zx_vaddr_t address;
    size_t length;
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 8192, 4096, &slice));
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_READ | ZX_RIGHT_WRITE, &blind));
    CHECK_OK(vkz_vmo_map(slice, 1, &address, &length));
    CHECK_EQ(length, VKZ_GRANULE);
    CHECK_EQ(address % VKZ_GRANULE, 0);
    ((volatile char *)address)[0] = 'd';
    ((volatile char *)address)[length - 1] = 'd'; // backed to the end, wherever the slice begins
    CHECK_EQ(byte_at(vmo, 8192), 'd');
    CHECK_EQ(info_of(slice).num_mappings, 1);
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), address, length));
    CHECK_EQ(vkz_vmo_map(vmo, 3 * 4096 + 1, &address, &length), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(vkz_vmo_map(vmo, 0, &address, &length), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(vkz_vmo_map(blind, 4096, &address, &length), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(vkz_vmo_map(zx_process_self(), 4096, &address, &length), ZX_ERR_WRONG_TYPE);
    CHECK_EQ(vkz_vmo_map(0, 4096, &address, &length), ZX_ERR_BAD_HANDLE);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, slice, blind}, 3));
}

int main(void) {
    RUN(creation_checks_its_arguments());
    RUN(bytes_come_back());
    RUN(the_end_is_the_end());
    RUN(a_mapping_is_the_vmo());
    RUN(mapping_checks_its_arguments());
    RUN(past_the_end_faults());
    RUN(unmapping_checks_its_arguments());
    RUN(a_slice_shares_and_a_snapshot_does_not());
    RUN(a_snapshot_has_whole_pages());
    RUN(children_check_their_arguments());
    RUN(range_operations_work());
    RUN(uncached_vmos_are_only_mapped());
    RUN(devices_map_whole_granules());
    return test_result();
}
