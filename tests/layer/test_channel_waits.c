// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: waits on channels while other threads write, signal, send and close.
#include "objects.h"
#include "test.h"
#include "zircon_private.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vkzircon/startup.h>
#include <zircon/process.h>
#include <zircon/processargs.h>

static void *write_later(void *writer) {
    usleep(30000);
    zx_channel_write(*(zx_handle_t *)writer, 0, "now", 3, NULL, 0);
    return NULL;
}

static void *close_later(void *handle) {
    usleep(30000);
    zx_handle_close(*(zx_handle_t *)handle);
    return NULL;
}

static void a_wait_ends_when_something_comes(void) {
    struct ends ends = new_channel();
    zx_signals_t observed = 0;
    pthread_t thread;
    char bytes[4];
    CHECK_OK(zx_object_wait_one(ends.reader, ZX_CHANNEL_WRITABLE, 0, &observed));
    CHECK_EQ(observed, ZX_CHANNEL_WRITABLE);
    CHECK_EQ(zx_object_wait_one(ends.reader, ZX_CHANNEL_READABLE, ZX_TIME_INFINITE_PAST, NULL), ZX_ERR_TIMED_OUT);
    pthread_create(&thread, NULL, write_later, &ends.writer);
    CHECK_OK(zx_object_wait_one(ends.reader, ZX_CHANNEL_READABLE, ZX_TIME_INFINITE, &observed));
    CHECK_EQ(observed, ZX_CHANNEL_READABLE | ZX_CHANNEL_WRITABLE);
    pthread_join(thread, NULL);
    CHECK_OK(zx_channel_read(ends.reader, 0, bytes, NULL, sizeof bytes, 0, NULL, NULL));
    pthread_create(&thread, NULL, close_later, &ends.reader);
    CHECK_EQ(zx_object_wait_one(ends.reader, ZX_CHANNEL_READABLE, ZX_TIME_INFINITE, &observed), ZX_ERR_CANCELED);
    pthread_join(thread, NULL);
    CHECK_OK(zx_object_wait_one(ends.writer, ZX_CHANNEL_PEER_CLOSED, ZX_TIME_INFINITE, NULL));
    CHECK_OK(zx_handle_close(ends.writer));
}

static void *wait_for_a_message(void *handle) {
    zx_signals_t observed = 0;
    const zx_status_t status =
        zx_object_wait_one(*(zx_handle_t *)handle, ZX_CHANNEL_READABLE, ZX_TIME_INFINITE, &observed);
    return (void *)(intptr_t)(status == ZX_ERR_CANCELED && observed == (ZX_CHANNEL_WRITABLE | ZX_SIGNAL_HANDLE_CLOSED));
}

// The thread may not have noticed yet that the end was sent when it comes back, under the same handle value. A thread
// that starts late waits on the new handle.
static void an_end_comes_home_while_a_thread_waits_on_it(void) {
    const struct ends ends = new_channel();
    int times_cancelled = 0;
    for (int i = 0; i < 30; i++) {
        struct ends other = new_channel();
        zx_handle_t waited_on = other.reader;
        pthread_t thread;
        void *cancelled = NULL;
        pthread_create(&thread, NULL, wait_for_a_message, &waited_on);
        usleep(2000);
        other.reader = through(ends, other.reader);
        CHECK_OK(zx_channel_write(other.writer, 0, "home", 4, NULL, 0));
        CHECK_OK(zx_object_wait_one(other.reader, ZX_CHANNEL_READABLE, 0, NULL));
        pthread_join(thread, &cancelled);
        times_cancelled += cancelled != NULL;
        close_channel(other);
    }
    CHECK(times_cancelled > 0);
    close_channel(ends);
}

static double processor_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

// A signal that is set already must not keep the thread awake.
static void an_idle_wait_uses_no_processor(void) {
    const struct ends ends = new_channel();
    const double before = processor_seconds();
    CHECK_OK(zx_channel_write(ends.writer, 0, "old", 3, NULL, 0));
    CHECK_EQ(zx_object_wait_one(ends.reader, ZX_CHANNEL_PEER_CLOSED, zx_clock_get_monotonic() + 300000000, NULL),
             ZX_ERR_TIMED_OUT);
    CHECK_OK(zx_handle_close(ends.writer));
    CHECK_EQ(zx_object_wait_one(ends.reader, 1u << 24, zx_clock_get_monotonic() + 300000000, NULL), ZX_ERR_TIMED_OUT);
    CHECK(processor_seconds() - before < 0.1);
    CHECK_OK(zx_handle_close(ends.reader));
}

static void *signal_later(void *handle) {
    usleep(30000);
    zx_object_signal(*(zx_handle_t *)handle, 0, 1u << 24);
    return NULL;
}

// Signals of the object itself do not come through the socket.
static void a_user_signal_ends_a_wait(void) {
    struct ends ends = new_channel();
    pthread_t thread;
    pthread_create(&thread, NULL, signal_later, &ends.reader);
    CHECK_OK(zx_object_wait_one(ends.reader, 1u << 24, ZX_TIME_INFINITE, NULL));
    pthread_join(thread, NULL);
    close_channel(ends);
}

#define ROUNDS 20000
#define SOON   (zx_clock_get_monotonic() + (zx_time_t)5000000000)

// Answers every message. The pauses differ, so that an answer comes at every step of the other process's wait.
static int answer_all(const char *entry) {
    setenv(VKZ_STARTUP_VARIABLE, entry, 1);
    const zx_handle_t channel = zx_take_startup_handle(PA_HND(PA_USER0, 0));
    for (int i = 0; i < ROUNDS; i++) {
        int round;
        CHECK_OK(zx_object_wait_one(channel, ZX_CHANNEL_READABLE, SOON, NULL));
        if (zx_channel_read(channel, 0, &round, NULL, sizeof round, 0, NULL, NULL) != ZX_OK || round != i)
            return EXIT_FAILURE;
        for (volatile int pause = 0; pause < i % 500 * 4; pause++)
            ;
        CHECK_OK(zx_channel_write(channel, 0, &round, sizeof round, NULL, 0));
    }
    return test_result();
}

static bool is_answered(zx_handle_t channel, int round) {
    int answer = -1;
    return CHECK_OK(zx_channel_write(channel, 0, &round, sizeof round, NULL, 0)) &&
           CHECK_OK(zx_object_wait_one(channel, ZX_CHANNEL_READABLE, SOON, NULL)) &&
           CHECK_OK(zx_channel_read(channel, 0, &answer, NULL, sizeof answer, 0, NULL, NULL)) &&
           CHECK_EQ(answer, round);
}

// Another process does not take this one's mutex: its message may arrive between the look at the signals and the sleep.
static void no_message_of_another_process_is_missed(void) {
    const struct ends ends = new_channel();
    char entry[VKZ_STARTUP_ENTRY_SIZE];
    int descriptor, round = 0, status = -1;
    REQUIRE(CHECK_OK(vkz_startup_handle(PA_HND(PA_USER0, 0), ends.reader, &descriptor, entry)));
    const pid_t pid = fork(); // the child reads its own environment
    if (pid == 0)
        _exit(answer_all(entry));
    close(descriptor);
    while (round < ROUNDS && is_answered(ends.writer, round))
        round++;
    CHECK_EQ(round, ROUNDS);
    CHECK_OK(zx_handle_close(ends.writer)); // which ends the other process's wait
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

int main(void) {
    RUN(a_wait_ends_when_something_comes());
    RUN(an_end_comes_home_while_a_thread_waits_on_it());
    RUN(an_idle_wait_uses_no_processor());
    RUN(a_user_signal_ends_a_wait());
    RUN(no_message_of_another_process_is_missed());
    return test_result();
}
