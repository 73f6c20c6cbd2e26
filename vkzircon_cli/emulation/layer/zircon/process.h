// SPDX-License-Identifier: Apache-2.0
//
// Startup handles of a process. The emulation declares zx_process_self() and zx_vmar_root_self() in
// <zircon/syscalls.h>.
#ifndef ZIRCON_PROCESS_H_
#define ZIRCON_PROCESS_H_

#include <zircon/syscalls.h>

#ifdef __cplusplus
extern "C" {
#endif

// Returns the startup handle with this PA_HND() (<zircon/processargs.h>), which then belongs to the caller, or
// ZX_HANDLE_INVALID without one or on a second call. The parent process provides it: see <vkzircon/startup.h>.
ZX_EXPORT zx_handle_t zx_take_startup_handle(uint32_t hnd_info);

#ifdef __cplusplus
}
#endif

#endif
