// SPDX-License-Identifier: Apache-2.0
//
// Provides a startup handle for a new process. Only the emulation has this header: on Fuchsia a program starts another
// with fdio_spawn_etc() and FDIO_SPAWN_ACTION_ADD_HANDLE, here with posix_spawn() or with fork() and exec().
#ifndef VKZIRCON_STARTUP_H_
#define VKZIRCON_STARTUP_H_

#include <zircon/syscalls.h>

#ifdef __cplusplus
extern "C" {
#endif

// The environment variable that lists the startup handles for the new process: entries separated by commas.
#define VKZ_STARTUP_VARIABLE   "VKZIRCON_STARTUP_HANDLES"
#define VKZ_STARTUP_ENTRY_SIZE ((size_t)96) // the longest entry, with its NUL

// Turns one end of a channel into a descriptor that a new process inherits. zx_take_startup_handle(hnd_info) returns
// the handle there. `*descriptor` belongs to the caller, and exec() closes it: only the new process must inherit it,
// under the same number (posix_spawn_file_actions_adddup2() from it to itself does that); close it after the process
// started. `entry` must have room for VKZ_STARTUP_ENTRY_SIZE bytes. The handle is closed on success and on failure.
// BAD_HANDLE; WRONG_TYPE unless it is a channel; ACCESS_DENIED without TRANSFER; NO_RESOURCES without a descriptor.
ZX_EXPORT zx_status_t vkz_startup_handle(uint32_t hnd_info, zx_handle_t handle, int *descriptor, char *entry);

#ifdef __cplusplus
}
#endif

#endif
