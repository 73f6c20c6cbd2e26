// SPDX-License-Identifier: Apache-2.0
//
// Threads of C11. The emulation has no handles of threads: a program that asks for one does not link.
#ifndef ZIRCON_THREADS_H_
#define ZIRCON_THREADS_H_

#include <threads.h>
#include <zircon/syscalls.h>

#ifdef __cplusplus
extern "C" {
#endif

zx_handle_t thrd_get_zx_handle(thrd_t thread);

#ifdef __cplusplus
}
#endif

#endif
