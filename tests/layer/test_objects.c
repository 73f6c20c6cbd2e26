// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: versioned information, names, events and waits, and the calls that need no object.
#include "objects.h"
#include "test.h"
#include "zircon_private.h"

#include <pthread.h>
#include <unistd.h>

static void each_version_writes_its_own_size(void) {
    static const struct {
        uint32_t topic;
        size_t size;
    } versions[] = {
        {ZX_INFO_VMO_V1, 104}, {ZX_INFO_VMO_V2, 120}, {ZX_INFO_VMO_V3, 128}, {ZX_INFO_VMO_V4, 176}, {ZX_INFO_VMO, 176},
    };
    const zx_handle_t vmo = new_vmo(4096);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        unsigned char record[256];
        size_t actual = 9, avail = 9;
        memset(record, 0xee, sizeof record);
        CHECK_OK(zx_object_get_info(vmo, versions[i].topic, record, sizeof record, &actual, &avail));
        CHECK_EQ(actual, 1);
        CHECK_EQ(avail, 1);
        CHECK_EQ(record[versions[i].size], 0xee);
        CHECK(record[versions[i].size - 1] != 0xee);
        CHECK_EQ(zx_object_get_info(vmo, versions[i].topic, record, versions[i].size - 1, &actual, &avail),
                 ZX_ERR_BUFFER_TOO_SMALL);
        CHECK_EQ(actual, 0);
        CHECK_EQ(avail, 1);
    }
    CHECK_OK(zx_handle_close(vmo));
}

static void unknown_topics_are_not_supported(void) {
    const zx_handle_t vmo = new_vmo(4096);
    unsigned char record[512];
    const uint32_t topics[] = {ZX_INFO_TOPIC(23, 4), ZX_INFO_TOPIC(2, 1), 0, 7, 0x3000000e, 0xffffffff};
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        CHECK_EQ(zx_object_get_info(vmo, topics[i], record, sizeof record, NULL, NULL), ZX_ERR_NOT_SUPPORTED);
    CHECK_EQ(zx_object_get_info(vmo, ZX_INFO_VMO, NULL, sizeof(zx_info_vmo_t), NULL, NULL), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_object_get_info(zx_process_self(), ZX_INFO_VMO, record, sizeof record, NULL, NULL), ZX_ERR_WRONG_TYPE);
    CHECK_EQ(zx_object_get_info(0, ZX_INFO_VMO, record, sizeof record, NULL, NULL), ZX_ERR_BAD_HANDLE);
    CHECK_OK(zx_handle_close(vmo));
}

static void a_fresh_vmo_tells_the_truth(void) {
    const zx_handle_t vmo = new_vmo(5000);
    zx_info_vmo_t info;
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK(info.koid >= ZX_KOID_FIRST);
    CHECK_EQ(info.size_bytes, 8192);
    CHECK_EQ(info.parent_koid, 0);
    CHECK_EQ(info.num_children, 0);
    CHECK_EQ(info.num_mappings, 0);
    CHECK_EQ(info.share_count, 0);
    CHECK_EQ(info.flags, ZX_INFO_VMO_TYPE_PAGED | ZX_INFO_VMO_VIA_HANDLE);
    CHECK_EQ(info.committed_bytes, 0);
    CHECK_EQ(info.handle_rights, ZX_DEFAULT_VMO_RIGHTS);
    CHECK_EQ(info.cache_policy, ZX_CACHE_POLICY_CACHED);
    CHECK_OK(zx_vmo_write(vmo, "x", 4096, 1));
    CHECK_OK(zx_object_get_info(vmo, ZX_INFO_VMO, &info, sizeof info, NULL, NULL));
    CHECK_EQ(info.committed_bytes, 4096);
    CHECK_EQ(info.populated_bytes, 4096);
    CHECK_OK(zx_handle_close(vmo));
}

static void names_are_cut_to_31_bytes(void) {
    static const char *const names[][2] = {
        {"short", "short"},
        {"exactly thirty-one bytes long..", "exactly thirty-one bytes long.."},
        {"this one is longer than thirty-one bytes", "this one is longer than thirty-"},
        {"", ""},
        {"\xff\xfe not UTF-8", "\xff\xfe not UTF-8"},
    };
    const zx_handle_t vmo = new_vmo(4096);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[ZX_MAX_NAME_LEN];
        memset(name, 'z', sizeof name);
        CHECK_OK(zx_object_set_property(vmo, ZX_PROP_NAME, names[i][0], strlen(names[i][0])));
        CHECK_OK(zx_object_get_property(vmo, ZX_PROP_NAME, name, sizeof name));
        CHECK_EQ(strcmp(name, names[i][1]), 0);
        CHECK_EQ(name[31], 0);
    }
    char small[31];
    CHECK_EQ(zx_object_get_property(vmo, ZX_PROP_NAME, small, sizeof small), ZX_ERR_BUFFER_TOO_SMALL);
    CHECK_EQ(zx_object_get_property(vmo, ZX_PROP_NAME, NULL, 32), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_object_get_property(vmo, 4711, small, sizeof small), ZX_ERR_NOT_SUPPORTED);
    CHECK_OK(zx_handle_close(vmo));
}

static void content_size_is_a_property(void) {
    const zx_handle_t vmo = new_vmo(5000);
    uint64_t size = 0;
    CHECK_OK(zx_object_get_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &size, sizeof size));
    CHECK_EQ(size, 5000);
    CHECK_OK(zx_object_set_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &(uint64_t){100}, sizeof size));
    CHECK_OK(zx_object_get_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &size, sizeof size));
    CHECK_EQ(size, 100);
    CHECK_EQ(zx_object_set_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &(uint64_t){8193}, sizeof size),
             ZX_ERR_OUT_OF_RANGE);
    CHECK_EQ(zx_object_set_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &size, 4), ZX_ERR_BUFFER_TOO_SMALL);
    CHECK_EQ(zx_object_get_property(vmo, ZX_PROP_VMO_CONTENT_SIZE, &size, 4), ZX_ERR_BUFFER_TOO_SMALL);
    CHECK_EQ(zx_object_get_property(zx_process_self(), ZX_PROP_VMO_CONTENT_SIZE, &size, 8), ZX_ERR_WRONG_TYPE);
    CHECK_OK(zx_vmo_get_size(vmo, &size));
    CHECK_EQ(size, 8192);
    CHECK_OK(zx_handle_close(vmo));
}

static void events_are_signaled_and_waited_for(void) {
    zx_handle_t event;
    zx_signals_t observed = 0;
    char name[ZX_MAX_NAME_LEN];
    CHECK_EQ(zx_event_create(1, &event), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_event_create(0, &event));
    zx_info_handle_basic_t basic;
    CHECK_OK(zx_object_get_info(event, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL));
    CHECK_EQ(basic.type, ZX_OBJ_TYPE_EVENT);
    CHECK_EQ(basic.rights, ZX_DEFAULT_EVENT_RIGHTS);
    CHECK_EQ(zx_object_wait_one(event, ZX_EVENT_SIGNALED, 0, &observed), ZX_ERR_TIMED_OUT);
    CHECK_EQ(observed, 0);
    CHECK_EQ(zx_object_wait_one(event, ZX_EVENT_SIGNALED, zx_clock_get_monotonic() + 2000000, NULL), ZX_ERR_TIMED_OUT);
    CHECK_OK(zx_object_signal(event, 0, ZX_EVENT_SIGNALED | 1u << 31));
    CHECK_OK(zx_object_wait_one(event, ZX_EVENT_SIGNALED, ZX_TIME_INFINITE, &observed));
    CHECK_EQ(observed, ZX_EVENT_SIGNALED | 1u << 31);
    CHECK_OK(zx_object_signal(event, ZX_EVENT_SIGNALED, 0));
    CHECK_EQ(zx_object_wait_one(event, ZX_EVENT_SIGNALED, ZX_TIME_INFINITE_PAST, &observed), ZX_ERR_TIMED_OUT);
    CHECK_EQ(zx_object_signal(event, 0, 1), ZX_ERR_INVALID_ARGS);
    CHECK_EQ(zx_vmo_get_size(event, &(uint64_t){0}), ZX_ERR_WRONG_TYPE);
    zx_handle_t named;
    CHECK_OK(zx_handle_duplicate(event, ZX_RIGHT_SAME_RIGHTS, &named));
    CHECK_EQ(zx_object_get_property(named, ZX_PROP_NAME, name, sizeof name), ZX_ERR_ACCESS_DENIED);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){event, named}, 2));
}

static void *signal_later(void *event) {
    usleep(20000);
    zx_object_signal(*(zx_handle_t *)event, 0, ZX_EVENT_SIGNALED);
    return NULL;
}

static void *close_later(void *event) {
    usleep(20000);
    zx_handle_close(*(zx_handle_t *)event);
    return NULL;
}

static void a_wait_ends_when_another_thread_acts(void) {
    zx_handle_t event;
    zx_signals_t observed = 0;
    pthread_t thread;
    CHECK_OK(zx_event_create(0, &event));
    pthread_create(&thread, NULL, signal_later, &event);
    CHECK_OK(zx_object_wait_one(event, ZX_EVENT_SIGNALED, ZX_TIME_INFINITE, &observed));
    pthread_join(thread, NULL);
    CHECK_OK(zx_object_signal(event, ZX_EVENT_SIGNALED, 0));
    pthread_create(&thread, NULL, close_later, &event);
    CHECK_EQ(zx_object_wait_one(event, ZX_EVENT_SIGNALED, ZX_TIME_INFINITE, &observed), ZX_ERR_CANCELED);
    CHECK_EQ(observed, ZX_SIGNAL_HANDLE_CLOSED);
    pthread_join(thread, NULL);
}

// Closes the handle, and gives its value to another handle of the same object at once.
static void *close_and_duplicate_later(void *handles) {
    zx_handle_t *event = handles;
    usleep(20000);
    zx_handle_close(event[0]);
    zx_handle_duplicate(event[1], ZX_RIGHT_SAME_RIGHTS, &event[2]);
    return NULL;
}

static void a_wait_is_cancelled_though_its_value_is_used_again(void) {
    zx_handle_t event[3];
    zx_signals_t observed = 0;
    pthread_t thread;
    CHECK_OK(zx_event_create(0, &event[0]));
    CHECK_OK(zx_handle_duplicate(event[0], ZX_RIGHT_SAME_RIGHTS, &event[1]));
    const zx_handle_t waited_on = event[0];
    const zx_time_t deadline = zx_clock_get_monotonic() + 5000000000;
    pthread_create(&thread, NULL, close_and_duplicate_later, event);
    CHECK_EQ(zx_object_wait_one(waited_on, ZX_EVENT_SIGNALED, deadline, &observed), ZX_ERR_CANCELED);
    CHECK_EQ(observed, ZX_SIGNAL_HANDLE_CLOSED);
    pthread_join(thread, NULL);
    CHECK_EQ(event[2], waited_on);
    CHECK_OK(zx_handle_close_many(event + 1, 2));
}

static void zero_children_is_signaled(void) {
    const zx_handle_t vmo = new_vmo(8192);
    zx_handle_t child;
    zx_signals_t observed;
    CHECK_OK(zx_object_wait_one(vmo, ZX_VMO_ZERO_CHILDREN, 0, &observed));
    CHECK_OK(zx_vmo_create_child(vmo, ZX_VMO_CHILD_SLICE, 0, 4096, &child));
    CHECK_EQ(zx_object_wait_one(vmo, ZX_VMO_ZERO_CHILDREN, 0, &observed), ZX_ERR_TIMED_OUT);
    CHECK_OK(zx_handle_close(child));
    CHECK_OK(zx_object_wait_one(vmo, ZX_VMO_ZERO_CHILDREN, 0, &observed));
    CHECK_EQ(zx_object_signal(vmo, ZX_VMO_ZERO_CHILDREN, 0), ZX_ERR_INVALID_ARGS); // only the kernel sets it
    CHECK_OK(zx_object_signal(vmo, 0, 1u << 24));
    CHECK_OK(zx_handle_close(vmo));
}

static void statuses_have_names(void) {
    CHECK_EQ(strcmp(zx_status_get_string(ZX_OK), "ZX_OK"), 0);
    CHECK_EQ(strcmp(zx_status_get_string(-11), "ZX_ERR_BAD_HANDLE"), 0);
    CHECK_EQ(strcmp(zx_status_get_string(-76), "ZX_ERR_CONNECTION_ABORTED"), 0);
    CHECK_EQ(strcmp(zx_status_get_string(1), "(UNKNOWN)"), 0);
    CHECK_EQ(zx_system_get_page_size(), sysconf(_SC_PAGESIZE));
    const zx_time_t now = zx_clock_get_monotonic();
    CHECK(now > 0 && zx_clock_get_monotonic() >= now);
}

static void the_layer_can_leave_a_reason(void) {
    const uint8_t one[VKZ_UUID_SIZE] = {1}, two[VKZ_UUID_SIZE] = {2};
    CHECK(strlen(vkz_version()) > 0);
    CHECK(!vkz_device_reason(one));
    vkz_device_set_reason(one, "because");
    vkz_device_set_reason(two, "");
    CHECK_EQ(strcmp(vkz_device_reason(one), "because"), 0);
    CHECK_EQ(strcmp(vkz_device_reason(two), ""), 0);
    const char *kept = vkz_device_reason(one);
    vkz_device_set_reason(one, "because");
    CHECK(vkz_device_reason(one) == kept);
    vkz_device_set_reason(one, "");
    CHECK_EQ(strcmp(vkz_device_reason(one), ""), 0);
    CHECK_EQ(strcmp(kept, "because"), 0);
}

int main(void) {
    RUN(each_version_writes_its_own_size());
    RUN(unknown_topics_are_not_supported());
    RUN(a_fresh_vmo_tells_the_truth());
    RUN(names_are_cut_to_31_bytes());
    RUN(content_size_is_a_property());
    RUN(events_are_signaled_and_waited_for());
    RUN(a_wait_ends_when_another_thread_acts());
    RUN(a_wait_is_cancelled_though_its_value_is_used_again());
    RUN(zero_children_is_signaled());
    RUN(statuses_have_names());
    RUN(the_layer_can_leave_a_reason());
    return test_result();
}
