// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: messages and the handles in them, within one process.
#include "faults.h"
#include "objects.h"
#include "test.h"
#include "zircon_private.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t open_handles(void) {
    zx_info_process_handle_stats_t statistics;
    uint32_t sum = 0;
    CHECK_OK(zx_object_get_info(zx_process_self(), ZX_INFO_PROCESS_HANDLE_STATS, &statistics, sizeof statistics, NULL,
                                NULL));
    for (size_t i = 0; i < ZX_OBJ_TYPE_UPPER_BOUND; i++)
        sum += statistics.handle_count[i];
    return sum;
}

static void ends_know_each_other(void) {
    const struct ends ends = new_channel();
    const zx_info_handle_basic_t writer = basic_of(ends.writer), reader = basic_of(ends.reader);
    CHECK_EQ(writer.type, ZX_OBJ_TYPE_CHANNEL);
    CHECK_EQ(writer.rights, ZX_DEFAULT_CHANNEL_RIGHTS);
    CHECK_EQ(writer.related_koid, reader.koid);
    CHECK_EQ(reader.related_koid, writer.koid);
    CHECK(writer.koid != reader.koid);
    zx_handle_t duplicate;
    CHECK_EQ(zx_handle_duplicate(ends.writer, ZX_RIGHT_SAME_RIGHTS, &duplicate), ZX_ERR_ACCESS_DENIED);
    close_channel(ends);
    zx_handle_t one, other;
    CHECK_EQ(zx_channel_create(1, &one, &other), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_channel_create(0, NULL, &other), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_channel_create(0, &one, NULL), ZX_ERR_INVALID_ARGS);
}

static void messages_stay_whole_and_in_order(void) {
    const struct ends ends = new_channel();
    char bytes[16];
    uint32_t size = 0;
    CHECK_EQ(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, &size, NULL), ZX_ERR_SHOULD_WAIT);
    CHECK_OK(zx_channel_write(ends.writer, 0, "one", 3, NULL, 0));
    CHECK_OK(zx_channel_write(ends.writer, 0, NULL, 0, NULL, 0));
    CHECK_OK(zx_channel_write(ends.writer, 0, "three", 5, NULL, 0));
    CHECK_OK(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, &size, NULL));
    CHECK(size == 3 && memcmp(bytes, "one", 3) == 0);
    CHECK_OK(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, &size, NULL));
    CHECK_EQ(size, 0);
    CHECK_OK(zx_channel_write(ends.reader, 0, "back", 4, NULL, 0)); // both ends write and read
    CHECK_OK(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, &size, NULL));
    CHECK(size == 5 && memcmp(bytes, "three", 5) == 0);
    CHECK_OK(zx_channel_read(ends.writer, 0, bytes, NULL, sizeof bytes, 0, NULL, NULL));
    CHECK_EQ(memcmp(bytes, "back", 4), 0);
    close_channel(ends);
}

static void too_little_room_keeps_the_message(void) {
    const struct ends ends = new_channel();
    const zx_handle_t vmo = new_vmo(4096);
    zx_handle_t handles[2];
    char bytes[8];
    uint32_t num_bytes = 0, num_handles = 0;
    CHECK_OK(zx_channel_write(ends.writer, 0, "12345678", 8, &vmo, 1));
    CHECK_EQ(zx_channel_read(ends.reader, 0, bytes, handles, 7, 2, &num_bytes, &num_handles), ZX_ERR_BUFFER_TOO_SMALL);
    CHECK(num_bytes == 8 && num_handles == 1);
    CHECK_EQ(zx_channel_read(ends.reader, 0, bytes, NULL, 8, 0, NULL, NULL), ZX_ERR_BUFFER_TOO_SMALL);
    CHECK_OK(zx_channel_read(ends.reader, 0, bytes, handles, 8, 2, &num_bytes, &num_handles));
    CHECK(num_bytes == 8 && num_handles == 1);
    const uint32_t open = open_handles();
    CHECK_OK(zx_channel_write(ends.writer, 0, "12345678", 8, handles, 1));
    CHECK_EQ(zx_channel_read(ends.reader, ZX_CHANNEL_READ_MAY_DISCARD, NULL, NULL, 0, 0, NULL, NULL),
             ZX_ERR_BUFFER_TOO_SMALL);
    CHECK_EQ(zx_channel_read(ends.reader, 0, bytes, NULL, 8, 0, NULL, NULL), ZX_ERR_SHOULD_WAIT);
    CHECK_EQ(open_handles(), open - 1);
    CHECK_EQ(zx_channel_read(ends.reader, 2, bytes, NULL, 8, 0, NULL, NULL), ZX_ERR_NOT_SUPPORTED);
    CHECK_EQ(zx_channel_read(ends.reader, 0, NULL, NULL, 8, 0, NULL, NULL), ZX_ERR_INVALID_ARGS);
    close_channel(ends);
}

static void limits_are_zircons(void) {
    const struct ends ends = new_channel();
    static char bytes[ZX_CHANNEL_MAX_MSG_BYTES + 1], got[ZX_CHANNEL_MAX_MSG_BYTES];
    zx_handle_t handles[ZX_CHANNEL_MAX_MSG_HANDLES + 1];
    memset(bytes, 'b', sizeof bytes);
    for (uint32_t i = 0; i < ZX_CHANNEL_MAX_MSG_HANDLES; i++)
        handles[i] = new_vmo(4096);
    CHECK_OK(zx_channel_write(ends.writer, 0, bytes, ZX_CHANNEL_MAX_MSG_BYTES, handles, ZX_CHANNEL_MAX_MSG_HANDLES));
    uint32_t num_bytes, num_handles;
    CHECK_OK(zx_channel_read(ends.reader, 0, got, handles, sizeof got, ZX_CHANNEL_MAX_MSG_HANDLES, &num_bytes,
                             &num_handles));
    CHECK(num_bytes == ZX_CHANNEL_MAX_MSG_BYTES && num_handles == ZX_CHANNEL_MAX_MSG_HANDLES);
    CHECK_EQ(memcmp(bytes, got, sizeof got), 0);
    CHECK_EQ(zx_channel_write(ends.writer, 0, bytes, sizeof bytes, NULL, 0), ZX_ERR_OUT_OF_RANGE);
    handles[ZX_CHANNEL_MAX_MSG_HANDLES] = new_vmo(4096);
    const uint32_t open = open_handles();
    CHECK_EQ(zx_channel_write(ends.writer, 0, NULL, 0, handles, ZX_CHANNEL_MAX_MSG_HANDLES + 1), ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(open_handles(), open - ZX_CHANNEL_MAX_MSG_HANDLES - 1);
    close_channel(ends);
}

// As many as Linux's smallest usual limit (net.core.wmem_max of 212,992) allows. Zircon allows 3,500.
static void five_hundred_messages_wait(void) {
    const struct ends ends = new_channel();
    for (int i = 0; i < 500; i++)
        REQUIRE(CHECK_OK(zx_channel_write(ends.writer, 0, &i, sizeof i, NULL, 0)));
    for (int i = 0; i < 500; i++) {
        int read = -1;
        CHECK_OK(zx_channel_read(ends.reader, 0, &read, NULL, sizeof read, 0, NULL, NULL));
        CHECK_EQ(read, i);
    }
    close_channel(ends);
}

static void a_full_channel_says_so(void) {
    const struct ends ends = new_channel();
    static char bytes[ZX_CHANNEL_MAX_MSG_BYTES];
    zx_signals_t observed;
    zx_status_t status = ZX_OK;
    uint32_t written = 0;
    while (written < 1000 && (status = zx_channel_write(ends.writer, 0, bytes, sizeof bytes, NULL, 0)) == ZX_OK)
        written++;
    CHECK_EQ(status, ZX_ERR_NO_MEMORY);
    CHECK(written >= 1);
    CHECK_EQ(zx_object_wait_one(ends.writer, ZX_CHANNEL_WRITABLE, 0, &observed), ZX_ERR_TIMED_OUT);
    for (; written > 0; written--)
        CHECK_OK(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, NULL, NULL));
    CHECK_OK(zx_object_wait_one(ends.writer, ZX_CHANNEL_WRITABLE, 0, &observed));
    close_channel(ends);
}

// A refused write closes its handles too.
static void refuse(zx_handle_t channel, uint32_t options, zx_status_t status, zx_handle_t first, zx_handle_t second) {
    const zx_handle_t handles[] = {first, second};
    const bool counts[] = {zx_handle_check_valid(first) == ZX_OK, zx_handle_check_valid(second) == ZX_OK};
    const uint32_t open = open_handles(), gone = (uint32_t)counts[0] + (first != second && counts[1]);
    CHECK_EQ(zx_channel_write(channel, options, "x", 1, handles, 2), status);
    CHECK_EQ(open_handles(), open - gone);
}

static void a_write_closes_handles_on_failure_too(void) {
    const struct ends ends = new_channel();
    zx_handle_t event, still, reading, writing;
    const zx_handle_t vmo = new_vmo(4096), never = 0x7ffffff3;
    CHECK_OK(zx_event_create(0, &event));
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_READ, &still));
    refuse(ends.writer, 0, ZX_ERR_ACCESS_DENIED, new_vmo(4096), still);
    refuse(ends.writer, 0, ZX_ERR_NOT_SUPPORTED, new_vmo(4096), event);
    refuse(ends.writer, 0, ZX_ERR_BAD_HANDLE, new_vmo(4096), never);
    refuse(ends.writer, 1, ZX_ERR_INVALID_ARGS, new_vmo(4096), new_vmo(4096));
    refuse(vmo, 0, ZX_ERR_WRONG_TYPE, new_vmo(4096), new_vmo(4096));
    refuse(never, 0, ZX_ERR_BAD_HANDLE, new_vmo(4096), new_vmo(4096));
    refuse(ends.writer, 0, ZX_ERR_BAD_HANDLE, vmo, vmo);
    char byte;
    CHECK_EQ(zx_channel_read(ends.reader, 0, &byte, NULL, 1, 0, NULL, NULL), ZX_ERR_SHOULD_WAIT);
    CHECK_EQ(zx_channel_write(ends.writer, 0, "x", 1, NULL, 1), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_channel_write(ends.writer, 0, NULL, 1, NULL, 0), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_handle_replace(ends.writer, ZX_RIGHT_READ | ZX_RIGHT_TRANSFER, &reading));
    refuse(reading, 0, ZX_ERR_ACCESS_DENIED, new_vmo(4096), new_vmo(4096));
    CHECK_OK(zx_handle_replace(ends.reader, ZX_RIGHT_WRITE | ZX_RIGHT_TRANSFER, &writing));
    CHECK_EQ(zx_channel_read(writing, 0, &byte, NULL, 1, 0, NULL, NULL), ZX_ERR_ACCESS_DENIED);
    refuse(writing, 0, ZX_ERR_NOT_SUPPORTED, new_vmo(4096), writing); // its own end is discarded with the others
    CHECK_EQ(zx_handle_check_valid(writing), ZX_ERR_BAD_HANDLE);
    CHECK_OK(zx_handle_close(reading));
}

// Also without another handle: the message keeps the object alive.
static void a_vmo_is_the_same_behind_a_channel(void) {
    const struct ends ends = new_channel();
    char bytes[4], name[ZX_MAX_NAME_LEN];
    for (int stays = 0; stays < 2; stays++) {
        const zx_handle_t vmo = new_vmo(5000);
        zx_handle_t sent, kept = ZX_HANDLE_INVALID;
        const zx_rights_t rights = ZX_DEFAULT_VMO_RIGHTS & ~ZX_RIGHT_WRITE;
        CHECK_OK(zx_object_set_property(vmo, ZX_PROP_NAME, "traveller", 9));
        CHECK_OK(zx_vmo_write(vmo, "data", 4500, 4));
        const zx_koid_t koid = basic_of(vmo).koid;
        CHECK_OK(zx_handle_duplicate(vmo, rights, &sent));
        if (stays)
            CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &kept));
        CHECK_OK(zx_handle_close(vmo));
        const zx_handle_t arrived = through(ends, sent);
        const zx_info_handle_basic_t basic = basic_of(arrived);
        CHECK_EQ(basic.koid, koid);
        CHECK_EQ(basic.rights, rights);
        CHECK_EQ(basic.type, ZX_OBJ_TYPE_VMO);
        zx_info_vmo_t info;
        CHECK_OK(zx_object_get_info(arrived, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
        CHECK_EQ(info.size_bytes, 8192);
        CHECK_EQ(info.committed_bytes, 4096);
        uint64_t content = 0;
        CHECK_OK(zx_object_get_property(arrived, ZX_PROP_VMO_CONTENT_SIZE, &content, sizeof content));
        CHECK_EQ(content, 5000);
        CHECK_OK(zx_object_get_property(arrived, ZX_PROP_NAME, name, sizeof name));
        CHECK_EQ(strcmp(name, "traveller"), 0);
        CHECK_OK(zx_vmo_read(arrived, bytes, 4500, 4));
        CHECK_EQ(memcmp(bytes, "data", 4), 0);
        CHECK_EQ(zx_vmo_write(arrived, "no", 0, 2), ZX_ERR_ACCESS_DENIED);
        zx_info_handle_count_t count = {0};
        CHECK_OK(zx_object_get_info(arrived, ZX_INFO_HANDLE_COUNT, &count, sizeof count, NULL, NULL));
        CHECK_EQ(count.handle_count, 1 + stays);
        if (stays) {
            CHECK_OK(zx_vmo_write(kept, "DATA", 4500, 4));
            CHECK_OK(zx_vmo_read(arrived, bytes, 4500, 4));
            CHECK_EQ(memcmp(bytes, "DATA", 4), 0);
            CHECK_OK(zx_handle_close(kept));
        }
        CHECK_OK(zx_handle_close(arrived));
    }
    close_channel(ends);
}

static void slices_and_snapshots_travel(void) {
    const struct ends ends = new_channel();
    const zx_handle_t vmo = new_vmo(3 * 4096);
    zx_handle_t slice, snapshot;
    char bytes[4];
    CHECK_OK(zx_vmo_write(vmo, "head", 0, 4));
    CHECK_OK(zx_vmo_write(vmo, "body", 4096, 4));
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 4096, 8192, &slice));
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SNAPSHOT, 0, 4096, &snapshot));
    const zx_koid_t parent = basic_of(vmo).koid;
    CHECK_OK(zx_handle_close(vmo));
    slice = through(ends, slice);
    snapshot = through(ends, snapshot);
    zx_info_vmo_t info;
    CHECK_OK(zx_object_get_info(slice, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(info.size_bytes, 8192);
    CHECK_EQ(info.parent_koid, parent);
    CHECK_OK(zx_vmo_read(slice, bytes, 0, 4));
    CHECK_EQ(memcmp(bytes, "body", 4), 0);
    CHECK_OK(zx_object_get_info(snapshot, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK(info.flags & ZX_INFO_VMO_IS_COW_CLONE);
    CHECK_OK(zx_vmo_read(snapshot, bytes, 0, 4));
    CHECK_EQ(memcmp(bytes, "head", 4), 0);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){slice, snapshot}, 2));
    close_channel(ends);
}

static void a_mapped_vmo_comes_home(void) {
    const struct ends ends = new_channel();
    zx_handle_t vmo = new_vmo(4096);
    zx_vaddr_t address;
    CHECK_OK(zx_vmar_map(zx_vmar_root_self(), ZX_VM_PERM_READ | ZX_VM_PERM_WRITE, 0, vmo, 0, 4096, &address));
    vmo = through(ends, vmo);
    memcpy((void *)address, "seen", 4);
    char bytes[4];
    CHECK_OK(zx_vmo_read(vmo, bytes, 0, 4));
    CHECK_EQ(memcmp(bytes, "seen", 4), 0);
    zx_info_vmo_t info;
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(info.num_mappings, 1);
    CHECK_OK(zx_handle_close(vmo));
    CHECK_OK(zx_vmar_unmap(zx_vmar_root_self(), address, 4096));
    close_channel(ends);
}

static void an_end_travels_with_its_messages(void) {
    const struct ends ends = new_channel();
    struct ends other = new_channel();
    char bytes[8];
    uint32_t size = 0;
    const zx_info_handle_basic_t before = basic_of(other.reader);
    CHECK_OK(zx_channel_write(other.writer, 0, "waiting", 7, NULL, 0));
    other.reader = through(ends, other.reader);
    CHECK_EQ(basic_of(other.reader).koid, before.koid);
    CHECK_EQ(basic_of(other.reader).related_koid, before.related_koid);
    CHECK_OK(zx_channel_read(other.reader, 0, bytes, NULL, sizeof bytes, 0, &size, NULL));
    CHECK(size == 7 && memcmp(bytes, "waiting", 7) == 0);
    close_channel(other);
    close_channel(ends);
}

static void a_closed_peer_is_told_after_its_messages(void) {
    const struct ends ends = new_channel();
    char bytes[8];
    zx_signals_t observed = 0;
    CHECK_OK(zx_channel_write(ends.writer, 0, "last", 4, NULL, 0));
    CHECK_OK(zx_channel_write(ends.reader, 0, "unread", 6, NULL, 0)); // which resets the connection
    CHECK_OK(zx_handle_close(ends.writer));
    CHECK_OK(zx_object_wait_one(ends.reader, ZX_CHANNEL_PEER_CLOSED, 0, &observed));
    CHECK_EQ(observed, ZX_CHANNEL_PEER_CLOSED | ZX_CHANNEL_READABLE);
    CHECK_EQ(zx_channel_write(ends.reader, 0, "x", 1, NULL, 0), ZX_ERR_PEER_CLOSED);
    CHECK_OK(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, NULL, NULL));
    CHECK_EQ(memcmp(bytes, "last", 4), 0);
    CHECK_EQ(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, NULL, NULL), ZX_ERR_PEER_CLOSED);
    CHECK_EQ(zx_object_wait_one(ends.reader, ZX_CHANNEL_READABLE, zx_clock_get_monotonic() + 30000000, &observed),
             ZX_ERR_TIMED_OUT);
    CHECK_EQ(observed, ZX_CHANNEL_PEER_CLOSED);
    CHECK_OK(zx_handle_close(ends.reader));
}

static void a_wrong_kernel_sends_copies(void) {
    const pid_t pid = fork(); // the child reads its own environment
    if (pid == 0) {
        setenv("VKZIRCON_EMULATION", "fault=channel-copies", 1);
        const struct ends ends = new_channel();
        const zx_handle_t vmo = new_vmo(4096);
        zx_handle_t sent;
        char bytes[4] = "";
        CHECK_OK(zx_vmo_write(vmo, "old.", 0, 4));
        CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &sent));
        const zx_handle_t arrived = through(ends, sent);
        CHECK_OK(zx_vmo_write(vmo, "new.", 0, 4));
        CHECK_OK(zx_vmo_read(arrived, bytes, 0, 4));
        CHECK_EQ(memcmp(bytes, "old.", 4), 0);
        CHECK(basic_of(arrived).koid != basic_of(vmo).koid);
        _exit(test_result());
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

int main(void) {
    zx_process_self(); // opened on first use, and counted from then on
    const uint32_t open = open_handles();
    RUN(ends_know_each_other());
    RUN(messages_stay_whole_and_in_order());
    RUN(too_little_room_keeps_the_message());
    RUN(limits_are_zircons());
    RUN(five_hundred_messages_wait());
    RUN(a_full_channel_says_so());
    RUN(a_write_closes_handles_on_failure_too());
    RUN(a_vmo_is_the_same_behind_a_channel());
    RUN(slices_and_snapshots_travel());
    RUN(a_mapped_vmo_comes_home());
    RUN(an_end_travels_with_its_messages());
    RUN(a_closed_peer_is_told_after_its_messages());
    RUN(a_wrong_kernel_sends_copies());
    zx_vmar_root_self();
    CHECK_EQ(open_handles(), open + 1);
    return test_result();
}
