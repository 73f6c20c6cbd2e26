// SPDX-License-Identifier: Apache-2.0
//
// What a process is given as it starts. zx_process_self() and zx_vmar_root_self() stand in <zircon/syscalls.h> here.
#ifndef ZIRCON_PROCESS_H_
#define ZIRCON_PROCESS_H_

#include <zircon/syscalls.h>

#ifdef __cplusplus
extern "C" {
#endif

// The startup handle of this PA_HND() (<zircon/processargs.h>), which is the caller's from now on; ZX_HANDLE_INVALID
// where none was given or where it was taken before. Who starts a process gives them: see <vkzircon/startup.h>.
ZX_EXPORT zx_handle_t zx_take_startup_handle(uint32_t hnd_info);

#ifdef __cplusplus
}
#endif

#endif
