// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: rules of VMOs where an emulation could easily differ from Zircon. The pages named are of
// docs/reference/syscalls/ in Fuchsia's source.
#include "test.h"
#include "zircon_private.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static zx_handle_t new_vmo(uint64_t size, uint32_t options) {
    zx_handle_t vmo = ZX_HANDLE_INVALID;
    CHECK_OK(zx_vmo_create(size, options, &vmo));
    return vmo;
}

static zx_handle_t child_of(zx_handle_t vmo, uint32_t options) {
    zx_handle_t child = ZX_HANDLE_INVALID;
    CHECK_OK(zx_vmo_create_child(vmo, options, 0, 4096, &child));
    return child;
}

static zx_info_vmo_t info_of(zx_handle_t vmo) {
    zx_info_vmo_t info = {0};
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    return info;
}

static int byte_at(zx_handle_t vmo, uint64_t offset) {
    unsigned char byte = 0xff;
    CHECK_OK(zx_vmo_read(vmo, &byte, offset, 1));
    return byte;
}

static zx_status_t operate(zx_handle_t vmo, uint32_t op, uint64_t offset, uint64_t size) {
    zx_vmo_lock_state_t state;
    return zx_vmo_op_range(vmo, op, offset, size, &state, sizeof state);
}

// vmo_create_child.md: the name is copied if it may be read, and its own handle may always read and write properties.
static void a_child_has_a_name(void) {
    const zx_handle_t vmo = new_vmo(8192, 0);
    zx_handle_t blind;
    CHECK_OK(zx_object_set_property(vmo, ZX_PROP_NAME, "parent", 6));
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_DUPLICATE | ZX_RIGHT_READ, &blind));
    const zx_handle_t named = child_of(vmo, ZX_VMO_CHILD_SNAPSHOT), nameless = child_of(blind, ZX_VMO_CHILD_SLICE);
    CHECK_EQ(strcmp(info_of(named).name, "parent"), 0);
    CHECK_EQ(strcmp(info_of(nameless).name, ""), 0);
    CHECK_EQ(info_of(nameless).handle_rights, ZX_RIGHT_DUPLICATE | ZX_RIGHT_READ | ZX_RIGHTS_PROPERTY);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, blind, named, nameless}, 4));
}

static void only_a_snapshot_that_is_never_written_is_immutable(void) {
    const zx_handle_t vmo = new_vmo(4096, 0);
    const zx_handle_t immutable = child_of(vmo, ZX_VMO_CHILD_SNAPSHOT | ZX_VMO_CHILD_NO_WRITE);
    const zx_handle_t modified = child_of(vmo, ZX_VMO_CHILD_SNAPSHOT_MODIFIED | ZX_VMO_CHILD_NO_WRITE);
    const zx_handle_t writable = child_of(vmo, ZX_VMO_CHILD_SNAPSHOT);
    CHECK(info_of(immutable).flags & ZX_INFO_VMO_IMMUTABLE);
    CHECK(!(info_of(modified).flags & ZX_INFO_VMO_IMMUTABLE));
    CHECK(!(info_of(writable).flags & ZX_INFO_VMO_IMMUTABLE));
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, immutable, modified, writable}, 4));
}

static void a_snapshot_may_be_resizable(void) {
    const zx_handle_t vmo = new_vmo(4096, 0);
    const zx_handle_t child = child_of(vmo, ZX_VMO_CHILD_SNAPSHOT | ZX_VMO_CHILD_RESIZABLE);
    const uint32_t never = ZX_VMO_CHILD_SNAPSHOT | ZX_VMO_CHILD_RESIZABLE | ZX_VMO_CHILD_NO_WRITE;
    zx_handle_t none;
    CHECK(info_of(child).flags & ZX_INFO_VMO_RESIZABLE);
    CHECK_EQ(info_of(child).handle_rights, ZX_DEFAULT_VMO_RIGHTS | ZX_RIGHT_RESIZE);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_RESIZABLE, 0, 4096, &none), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE | ZX_VMO_CHILD_RESIZABLE, 0, 4096, &none),
             ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create_child(vmo, never, 0, 4096, &none), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, child}, 2));
}

// vmo_create.md and vmo_op_range.md
static void discardable_vmos_are_locked(void) {
    const zx_handle_t vmo = new_vmo(8192, ZX_VMO_DISCARDABLE);
    zx_vmo_lock_state_t state = {1, 1, 1, 1};
    zx_handle_t none;
    zx_vaddr_t address;
    CHECK(info_of(vmo).flags & ZX_INFO_VMO_DISCARDABLE);
    CHECK_EQ(operate(vmo, ZX_VMO_OP_UNLOCK, 0, 8192), ZX_ERR_BAD_STATE);
    CHECK_OK(zx_vmo_op_range(vmo, ZX_VMO_OP_LOCK, 0, 8192, &state, sizeof state));
    CHECK(state.offset == 0 && state.size == 8192 && state.discarded_offset == 0 && state.discarded_size == 0);
    CHECK_OK(operate(vmo, ZX_VMO_OP_TRY_LOCK, 0, 8192));
    CHECK_EQ(operate(vmo, ZX_VMO_OP_LOCK, 0, 4096), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(zx_vmo_op_range(vmo, ZX_VMO_OP_LOCK, 0, 8192, &state, 8), ZX_ERR_INVALID_ARGS); // undone
    CHECK_OK(operate(vmo, ZX_VMO_OP_UNLOCK, 0, 8192));
    CHECK_OK(operate(vmo, ZX_VMO_OP_UNLOCK, 0, 8192));
    CHECK_EQ(operate(vmo, ZX_VMO_OP_UNLOCK, 0, 8192), ZX_ERR_BAD_STATE);
    CHECK_EQ(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SNAPSHOT, 0, 4096, &none), ZX_ERR_NOT_SUPPORTED);
    CHECK_EQ(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ, 0, vmo, 0, 4096, &address), ZX_ERR_NOT_SUPPORTED);
    CHECK_OK(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ | ZX_VM_ALLOW_FAULTS, 0, vmo, 0, 4096, &address));
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), address, 4096));
    CHECK_OK(zx_handle_close(vmo));
}

static void an_unbounded_vmo_has_room(void) {
    const zx_handle_t vmo = new_vmo(5000, ZX_VMO_UNBOUNDED);
    uint64_t size = 0;
    zx_handle_t none;
    CHECK_OK(zx_vmo_get_size(vmo, &size));
    CHECK(size > UINT64_C(1) << 62 && size % 4096 == 0);
    CHECK_OK(zx_object_get_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &size, sizeof size));
    CHECK_EQ(size, 5000);
    CHECK_OK(zx_vmo_write(vmo, "far", UINT64_C(1) << 40, 3));
    CHECK_EQ(byte_at(vmo, UINT64_C(1) << 40), 'f');
    CHECK_EQ(zx_vmo_create(4096, ZX_VMO_UNBOUNDED | ZX_VMO_RESIZABLE, &none), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_create(4096, ZX_VMO_TRAP_DIRTY, &none), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_handle_close(vmo));
}

// vmo_op_range.md
static void operations_need_their_rights(void) {
    const zx_handle_t vmo = new_vmo(4096, 0);
    zx_handle_t writer, reader;
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_WRITE, &writer));
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_READ, &reader));
    CHECK_OK(operate(writer, ZX_VMO_OP_ALWAYS_NEED, 0, 4096));
    CHECK_OK(operate(writer, ZX_VMO_OP_DONT_NEED, 0, 4096));
    CHECK_EQ(operate(writer, ZX_VMO_OP_PREFETCH, 0, 4096), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(operate(writer, ZX_VMO_OP_CACHE_CLEAN, 0, 4096), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(operate(reader, ZX_VMO_OP_ZERO, 0, 4096), ZX_ERR_ACCESS_DENIED);
    CHECK_EQ(operate(reader, ZX_VMO_OP_CACHE_INVALIDATE, 0, 4096), ZX_ERR_NOT_SUPPORTED); // debugging kernels only
    CHECK_EQ(operate(vmo, ZX_VMO_OP_CACHE_INVALIDATE, 0, 4096), ZX_ERR_NOT_SUPPORTED);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, writer, reader}, 3));
}

// SetStreamSize in zircon/kernel/object/vm_object_dispatcher.cc
static void bytes_behind_the_content_are_zeros(void) {
    const zx_handle_t vmo = new_vmo(8192, 0);
    CHECK_OK(zx_vmo_write(vmo, "abc", 4999, 3));
    CHECK_OK(zx_object_set_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &(uint64_t){8192}, 8)); // no change
    CHECK_EQ(byte_at(vmo, 5001), 'c');
    CHECK_OK(zx_object_set_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &(uint64_t){5000}, 8));
    CHECK_EQ(byte_at(vmo, 4999), 'a');
    CHECK_EQ(byte_at(vmo, 5000), 0);
    CHECK_OK(zx_vmo_write(vmo, "x", 6000, 1));
    CHECK_OK(zx_object_set_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &(uint64_t){7000}, 8));
    CHECK_EQ(byte_at(vmo, 6000), 0);
    CHECK_OK(zx_handle_close(vmo));
}

// vmo_set_cache_policy.md: committed pages are only allowed in a transition from cached.
static void committed_pages_keep_a_vmo_uncached(void) {
    const zx_handle_t vmo = new_vmo(4096, 0);
    CHECK_OK(zx_vmo_write(vmo, "x", 0, 1));
    CHECK_OK(zx_vmo_set_cache_policy(vmo, ZX_CACHE_POLICY_UNCACHED));
    CHECK_EQ(zx_vmo_set_cache_policy(vmo, ZX_CACHE_POLICY_CACHED), ZX_ERR_BAD_STATE);
    CHECK_OK(operate(vmo, ZX_VMO_OP_DECOMMIT, 0, 4096));
    CHECK_OK(zx_vmo_set_cache_policy(vmo, ZX_CACHE_POLICY_CACHED));
    CHECK_OK(zx_handle_close(vmo));
}

// vmar_unmap.md: a mapping that is only partly in the range is split.
static void a_mapping_is_unmapped_in_parts(void) {
    const zx_handle_t vmo = new_vmo(6 * 4096, 0);
    const zx_handle_t root = zx_vmar_root_self();
    zx_vaddr_t start;
    unsigned char resident;
    CHECK_OK(zx_vmar_map(root, ZX_VM_PERM_READ | ZX_VM_PERM_WRITE, 0, vmo, 0, 6 * 4096, &start));
    memset((void *)start, 'm', 6 * 4096);
    CHECK_OK(zx_vmar_unmap(root, start + 2 * 4096, 4096)); // two pages before it, three behind it
    CHECK_EQ(info_of(vmo).num_mappings, 2);
    CHECK_EQ(mincore((void *)(start + 2 * 4096), 4096, &resident), -1);
    CHECK(*(char *)(start + 4096) == 'm' && *(char *)(start + 3 * 4096) == 'm');
    CHECK_EQ(zx_vmar_unmap(root, start + 2 * 4096, 4096), ZX_ERR_NOT_FOUND);
    CHECK_OK(zx_vmar_unmap(root, start, 4096));            // the first page
    CHECK_OK(zx_vmar_unmap(root, start + 5 * 4096, 4096)); // the last one
    CHECK_EQ(info_of(vmo).num_mappings, 2);
    CHECK_OK(zx_vmar_unmap(root, start, 6 * 4096)); // what is left of both
    CHECK_EQ(info_of(vmo).num_mappings, 0);
    CHECK_OK(zx_handle_close(vmo));
}

// vmsplice() holds a page as a driver does that imported it.
static void zeros_reach_a_driver(void) {
    const zx_handle_t vmo = new_vmo(65536, 0);
    zx_vaddr_t pages;
    size_t length;
    int pipes[2];
    char seen[4] = {0};
    CHECK_OK(vkz_vmo_map(vmo, 65536, &pages, &length));
    memcpy((void *)pages, "OLD", 3);
    CHECK_OK(pipe(pipes));
    const struct iovec page = {(void *)pages, 4096};
    if (vmsplice(pipes[1], &page, 1, 0) == 4096) {
        CHECK_OK(operate(vmo, ZX_VMO_OP_ZERO, 0, 4096));
        CHECK_EQ(byte_at(vmo, 0), 0);
        CHECK_OK(zx_vmo_write(vmo, "NEW", 0, 3));
        CHECK_EQ(read(pipes[0], seen, 3), 3);
        CHECK_EQ(strcmp(seen, "NEW"), 0);
    } else {
        printf("skip the driver's view: this system has no vmsplice()\n");
    }
    close(pipes[0]);
    close(pipes[1]);
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), pages, length));
    CHECK_OK(zx_handle_close(vmo));
}

static void device_memory_is_not_decommitted(void) {
    const zx_handle_t vmo = new_vmo(4 * 65536, 0);
    zx_handle_t slice;
    zx_vaddr_t pages;
    size_t length;
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 65536, 65536, &slice));
    CHECK_OK(vkz_vmo_map(slice, 65536, &pages, &length));
    CHECK_EQ(operate(slice, ZX_VMO_OP_DECOMMIT, 0, 4096), ZX_ERR_BAD_STATE);
    CHECK_EQ(operate(vmo, ZX_VMO_OP_DECOMMIT, 65536, 4096), ZX_ERR_BAD_STATE);
    CHECK_OK(operate(vmo, ZX_VMO_OP_DECOMMIT, 0, 65536));
    CHECK_OK(operate(vmo, ZX_VMO_OP_DECOMMIT, 2 * 65536, 65536));
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), pages, length));
    CHECK_OK(operate(vmo, ZX_VMO_OP_DECOMMIT, 0, 4 * 65536));
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){vmo, slice}, 2));
}

static void many_mappings_come_and_go(void) {
    enum { MANY = 16000 };
    static zx_vaddr_t at[MANY];
    const zx_handle_t vmo = new_vmo(4096, 0);
    for (size_t i = 0; i < MANY; i++)
        CHECK_OK(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ, 0, vmo, 0, 4096, &at[i]));
    CHECK_EQ(info_of(vmo).num_mappings, MANY);
    for (size_t i = 0; i < MANY; i++)
        CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), at[i], 4096));
    CHECK_EQ(info_of(vmo).num_mappings, 0);
    CHECK_OK(zx_handle_close(vmo));
}

int main(void) {
    RUN(a_child_has_a_name());
    RUN(only_a_snapshot_that_is_never_written_is_immutable());
    RUN(a_snapshot_may_be_resizable());
    RUN(discardable_vmos_are_locked());
    RUN(an_unbounded_vmo_has_room());
    RUN(operations_need_their_rights());
    RUN(bytes_behind_the_content_are_zeros());
    RUN(committed_pages_keep_a_vmo_uncached());
    RUN(a_mapping_is_unmapped_in_parts());
    RUN(zeros_reach_a_driver());
    RUN(device_memory_is_not_decommitted());
    RUN(many_mappings_come_and_go());
    return test_result();
}
