// SPDX-License-Identifier: Apache-2.0
//
// Giving a new process its startup handle. This header is the emulation's own: on Fuchsia a program starts another with
// fdio_spawn_etc() and FDIO_SPAWN_ACTION_ADD_HANDLE, here with posix_spawn() or fork() and exec().
#ifndef VKZIRCON_STARTUP_H_
#define VKZIRCON_STARTUP_H_

#include <zircon/syscalls.h>

#ifdef __cplusplus
extern "C" {
#endif

// The environment variable that the new process finds its startup handles by: entries with commas between them.
#define VKZ_STARTUP_VARIABLE   "VKZIRCON_STARTUP_HANDLES"
#define VKZ_STARTUP_ENTRY_SIZE ((size_t)96) // of one entry at most, with its NUL

// Turns one end of a channel into what a new process inherits: zx_take_startup_handle(hnd_info) gives it there.
// `*descriptor` is the caller's, and is closed by exec(): let the new process alone inherit it, under the same number
// (posix_spawn_file_actions_adddup2() from it to itself does that), and close it here once the process was started.
// `entry` is written to VKZ_STARTUP_ENTRY_SIZE bytes. The handle is gone on success and on failure.
// BAD_HANDLE; WRONG_TYPE unless it is a channel; ACCESS_DENIED without TRANSFER; NO_RESOURCES without a descriptor.
ZX_EXPORT zx_status_t vkz_startup_handle(uint32_t hnd_info, zx_handle_t handle, int *descriptor, char *entry);

#ifdef __cplusplus
}
#endif

#endif
