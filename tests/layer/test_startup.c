// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: two processes with a channel between them. The second process runs this program too.
#include "objects.h"
#include "test.h"
#include "zircon_private.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vkzircon/startup.h>
#include <zircon/process.h>
#include <zircon/processargs.h>

#define OURS PA_HND(PA_USER0, 7)
#define WAIT (zx_clock_get_monotonic() + (zx_time_t)20000000000)

// The bytes of the message.
struct words {
    zx_koid_t koid;
    zx_rights_t rights;
};

static zx_handle_t receive(zx_handle_t channel, struct words *words) {
    zx_handle_t handle = ZX_HANDLE_INVALID;
    CHECK_OK(zx_object_wait_one(channel, ZX_CHANNEL_READABLE, WAIT, NULL));
    CHECK_OK(zx_channel_read(channel, 0, words, &handle, sizeof *words, 1, NULL, NULL));
    return handle;
}

static void send(zx_handle_t channel, zx_handle_t handle) {
    const zx_info_handle_basic_t basic = basic_of(handle);
    const struct words words = {basic.koid, basic.rights};
    CHECK_OK(zx_channel_write(channel, 0, &words, sizeof words, &handle, 1));
}

static void is_what_was_sent(zx_handle_t handle, struct words words) {
    const zx_info_handle_basic_t basic = basic_of(handle);
    CHECK_EQ(basic.koid, words.koid);
    CHECK_EQ(basic.rights, words.rights);
}

static void is_handed_its_end(const char *koid) {
    CHECK_EQ(zx_take_startup_handle(PA_HND(PA_USER0, 6)), ZX_HANDLE_INVALID);
    const zx_handle_t channel = zx_take_startup_handle(OURS);
    CHECK(channel != ZX_HANDLE_INVALID);
    CHECK_EQ(zx_take_startup_handle(OURS), ZX_HANDLE_INVALID);
    CHECK_EQ(basic_of(channel).koid, strtoull(koid, NULL, 10));
    CHECK_EQ(basic_of(channel).rights, ZX_DEFAULT_CHANNEL_RIGHTS & ~ZX_RIGHT_SIGNAL);
    struct words words;
    const zx_handle_t theirs = receive(channel, &words);
    is_what_was_sent(theirs, words);
    char bytes[5] = "";
    CHECK_OK(zx_vmo_read(theirs, bytes, 4096, 4));
    CHECK_EQ(strcmp(bytes, "ping"), 0);
    CHECK_OK(zx_vmo_write(theirs, "pong", 4096, 4));
    zx_handle_t ours;
    CHECK_OK(zx_vmo_create(4096, 0, &ours));
    CHECK_OK(zx_vmo_write(ours, "ours", 0, 4));
    send(channel, ours);
    send(channel, theirs);
    CHECK_OK(zx_object_wait_one(channel, ZX_CHANNEL_PEER_CLOSED, WAIT, NULL));
}

static pid_t start(int descriptor, const char *entry, zx_koid_t koid) {
    posix_spawn_file_actions_t actions;
    char variable[VKZ_STARTUP_ENTRY_SIZE + 64], number[24];
    snprintf(variable, sizeof variable, VKZ_STARTUP_VARIABLE "=0:3:0:0:0:0,nonsense,%s", entry);
    snprintf(number, sizeof number, "%" PRIu64, koid);
    char *const arguments[] = {(char[]){"test_startup"}, number, NULL};
    char *const environment[] = {variable, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor);
    pid_t pid = 0;
    CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(descriptor);
    return pid;
}

static void ends_well(pid_t pid) {
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

static pid_t start_with(zx_handle_t end) {
    char entry[VKZ_STARTUP_ENTRY_SIZE];
    int descriptor;
    zx_handle_t narrowed;
    CHECK_OK(zx_handle_replace(end, ZX_DEFAULT_CHANNEL_RIGHTS & ~ZX_RIGHT_SIGNAL, &narrowed));
    const zx_koid_t koid = basic_of(narrowed).koid;
    CHECK_OK(vkz_startup_handle(OURS, narrowed, &descriptor, entry));
    CHECK_EQ(zx_handle_check_valid(narrowed), ZX_ERR_BAD_HANDLE);
    CHECK(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
    return start(descriptor, entry, koid);
}

static void vmos_go_to_another_process_and_back(void) {
    zx_handle_t channel, given, vmo, kept;
    struct words words;
    char bytes[5] = "";
    CHECK_OK(zx_channel_create(0, &channel, &given));
    const pid_t pid = start_with(given);
    CHECK_OK(zx_vmo_create(8192, 0, &vmo));
    CHECK_OK(zx_vmo_write(vmo, "ping", 4096, 4));
    CHECK_OK(zx_handle_duplicate(vmo, ZX_RIGHT_SAME_RIGHTS, &kept));
    const zx_koid_t koid = basic_of(vmo).koid;
    send(channel, vmo);
    const zx_handle_t theirs = receive(channel, &words);
    is_what_was_sent(theirs, words);
    CHECK(words.koid != koid && words.koid > ZX_KOID_FIRST + (1 << 24)); // no object of this process can have it
    CHECK_OK(zx_vmo_read(theirs, bytes, 0, 4));
    CHECK_EQ(strcmp(bytes, "ours"), 0);
    const zx_handle_t back = receive(channel, &words);
    CHECK_EQ(words.koid, koid);
    is_what_was_sent(back, words);
    CHECK_OK(zx_vmo_read(kept, bytes, 4096, 4));
    CHECK_EQ(strcmp(bytes, "pong"), 0);
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){channel, theirs, back, kept}, 4));
    ends_well(pid);
}

static void a_process_that_ends_closes_its_end(void) {
    zx_handle_t channel, given;
    zx_signals_t observed = 0;
    CHECK_OK(zx_channel_create(0, &channel, &given));
    const pid_t pid = start_with(given);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_OK(zx_object_wait_one(channel, ZX_CHANNEL_PEER_CLOSED, WAIT, &observed));
    waitpid(pid, NULL, 0);
    CHECK_OK(zx_handle_close(channel));
}

static void only_ends_of_channels_are_handed_over(void) {
    char entry[VKZ_STARTUP_ENTRY_SIZE];
    zx_handle_t vmo, channel, given, stays;
    int descriptor;
    CHECK_OK(zx_vmo_create(4096, 0, &vmo));
    CHECK_EQ(vkz_startup_handle(OURS, vmo, &descriptor, entry), ZX_ERR_WRONG_TYPE);
    CHECK_EQ(vkz_startup_handle(OURS, vmo, &descriptor, entry), ZX_ERR_BAD_HANDLE); // closed by the refused call
    CHECK_OK(zx_channel_create(0, &channel, &given));
    CHECK_EQ(vkz_startup_handle(OURS, given, NULL, entry), ZX_ERR_INVALID_ARGS);
    CHECK_OK(zx_handle_replace(channel, ZX_RIGHT_READ, &stays));
    CHECK_EQ(vkz_startup_handle(OURS, stays, &descriptor, entry), ZX_ERR_ACCESS_DENIED);
}

static void a_forked_child_gives_out_other_koids(void) {
    zx_handle_t mine;
    CHECK_OK(zx_event_create(0, &mine));
    const pid_t pid = fork();
    if (pid == 0) {
        zx_handle_t event;
        CHECK_OK(zx_event_create(0, &event));
        CHECK(basic_of(event).koid >= ZX_KOID_FIRST + ((zx_koid_t)getpid() << 24));
        _exit(test_result());
    }
    ends_well(pid);
    CHECK_OK(zx_handle_close(mine));
}

int main(int argc, char **argv) {
    if (argc == 2) {
        RUN(is_handed_its_end(argv[1]));
        return test_result();
    }
    CHECK_EQ(zx_take_startup_handle(OURS), ZX_HANDLE_INVALID);
    RUN(vmos_go_to_another_process_and_back());
    RUN(a_process_that_ends_closes_its_end());
    RUN(only_ends_of_channels_are_handed_over());
    RUN(a_forked_child_gives_out_other_koids());
    return test_result();
}
