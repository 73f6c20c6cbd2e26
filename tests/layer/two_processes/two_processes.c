// SPDX-License-Identifier: Apache-2.0
//
// Shares a buffer between two processes. The first exports it, starts this program again with one end of a channel, and
// sends the VMO. The second imports it, reads the bytes of the first, and answers in the buffer.
#include "device.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vkzircon/startup.h> // on Fuchsia, fdio_spawn_etc() replaces this header; the rest is the same
#include <zircon/process.h>
#include <zircon/processargs.h>
#include <zircon/syscalls.h>

#define CHANNEL PA_HND(PA_USER0, 0)
#define WORDS   (SIZE / sizeof(uint32_t))

extern char **environ;

static uint32_t question(size_t i) {
    return (uint32_t)i * 2654435761u;
}

static void wait_for_message(zx_handle_t channel) {
    zx_signals_t observed;
    must(zx_object_wait_one(channel, ZX_CHANNEL_READABLE | ZX_CHANNEL_PEER_CLOSED, ZX_TIME_INFINITE, &observed),
         "zx_object_wait_one");
    if (!(observed & ZX_CHANNEL_READABLE))
        fail("The other process ended without an answer.");
}

static void second_process(zx_handle_t channel) {
    zx_handle_t vmo;
    wait_for_message(channel);
    must(zx_channel_read(channel, 0, NULL, &vmo, 0, 1, NULL, NULL), "zx_channel_read");
    const struct device device = device_open();
    const struct shared shared = buffer_import(&device, vmo);
    for (size_t i = 0; i < WORDS; i++) {
        if (shared.words[i] != question(i))
            fail("The second process does not see what the first wrote.");
        shared.words[i] = ~question(i);
    }
    must(zx_channel_write(channel, 0, "done", 4, NULL, 0), "zx_channel_write");
    buffer_free(&device, &shared);
    device_close(&device);
    must(zx_handle_close(channel), "zx_handle_close");
}

static pid_t start_second_process(char *program, zx_handle_t end) {
    char entry[VKZ_STARTUP_ENTRY_SIZE];
    int descriptor;
    pid_t pid;
    must(vkz_startup_handle(CHANNEL, end, &descriptor, entry), "vkz_startup_handle");
    setenv(VKZ_STARTUP_VARIABLE, entry, 1);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor); // the only descriptor that survives exec()
    must(posix_spawn(&pid, program, &actions, NULL, (char *[]){program, NULL}, environ), "posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(descriptor);
    return pid;
}

static void first_process(char *program) {
    zx_handle_t vmo, channel, end;
    int status;
    must(zx_channel_create(0, &channel, &end), "zx_channel_create");
    const pid_t pid = start_second_process(program, end); // before the device, which two processes cannot share
    const struct device device = device_open();
    const struct shared shared = buffer_export(&device, &vmo);
    for (size_t i = 0; i < WORDS; i++)
        shared.words[i] = question(i);
    must(zx_channel_write(channel, 0, NULL, 0, &vmo, 1), "zx_channel_write");
    wait_for_message(channel);
    for (size_t i = 0; i < WORDS; i++) {
        if (shared.words[i] != ~question(i))
            fail("The first process does not see what the second wrote.");
    }
    buffer_free(&device, &shared);
    device_close(&device);
    must(zx_handle_close(channel), "zx_handle_close");
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail("The second process failed.");
    printf("%zu bytes went from one process to another and back.\n", (size_t)SIZE);
}

int main(int argc, char **argv) {
    (void)argc;
    const zx_handle_t channel = zx_take_startup_handle(CHANNEL);
    if (channel != ZX_HANDLE_INVALID)
        second_process(channel);
    else
        first_process(argv[0]);
    return EXIT_SUCCESS;
}
