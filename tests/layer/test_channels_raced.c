// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: an end whose socket another process reads from too, as a forked process can. The message that is
// received may differ from the one that was peeked at, and must then be dropped.
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zircon/syscalls.h>

#define MESSAGES 20000
#define MANY     3

static zx_handle_t writer, reader;
static int socket_of_reader;
static atomic_bool is_over;

// Messages with one handle and with many alternate, so that successive ones differ.
static void *write_all(void *unused) {
    zx_handle_t vmo, sent[MANY];
    const char *failed = zx_vmo_create(4096, 0, &vmo) == ZX_OK ? NULL : "no VMO";
    (void)unused;
    for (int i = 0; i < MESSAGES && !failed; i++) {
        const uint32_t count = i % 2 ? MANY : 1;
        for (uint32_t j = 0; j < count; j++)
            failed = zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &sent[j]) == ZX_OK ? failed : "no duplicate";
        if (zx_channel_write(writer, 0, NULL, 0, sent, count) != ZX_OK)
            sched_yield(); // the socket is full, and the handles are closed
    }
    zx_handle_close(vmo);
    is_over = true;
    return (void *)(uintptr_t)failed;
}

static void *steal(void *unused) {
    char bytes[1024];
    (void)unused;
    while (!is_over)
        recv(socket_of_reader, bytes, sizeof bytes, MSG_DONTWAIT); // the system closes descriptors that have no room
    return NULL;
}

// Reads with room for one handle, and checks that the memory after it is unchanged.
static void read_one(zx_handle_t handles[MANY]) {
    uint32_t num_handles = 0;
    const zx_status_t status = zx_channel_read(reader, 0, NULL, handles, 0, 1, NULL, &num_handles);
    CHECK(status == ZX_OK || status == ZX_ERR_SHOULD_WAIT || status == ZX_ERR_BUFFER_TOO_SMALL ||
          status == ZX_ERR_IO_DATA_INTEGRITY);
    for (int i = 1; i < MANY; i++)
        CHECK_EQ(handles[i], ZX_HANDLE_INVALID);
    if (status != ZX_OK)
        return;
    CHECK_EQ(num_handles, 1);
    CHECK_OK(zx_handle_close(handles[0]));
}

static void a_message_that_was_not_looked_at_is_not_believed(void) {
    pthread_t threads[2];
    zx_handle_t handles[MANY] = {0};
    void *failed;
    pthread_create(&threads[0], NULL, write_all, NULL);
    pthread_create(&threads[1], NULL, steal, NULL);
    while (!is_over)
        read_one(handles);
    pthread_join(threads[0], &failed);
    CHECK(!failed);
    pthread_join(threads[1], NULL);
}

int main(void) {
    const int lowest = dup(0); // the sockets of the two ends follow, in order
    close(lowest);
    CHECK_OK(zx_channel_create(0, &writer, &reader));
    socket_of_reader = lowest + 1;
    RUN(a_message_that_was_not_looked_at_is_not_believed());
    CHECK_OK(zx_handle_close(writer));
    CHECK_OK(zx_handle_close(reader));
    return test_result();
}
