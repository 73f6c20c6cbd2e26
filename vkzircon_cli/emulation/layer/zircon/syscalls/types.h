// SPDX-License-Identifier: Apache-2.0
//
// The types of system calls, which <zircon/types.h> has here.
#ifndef ZIRCON_SYSCALLS_TYPES_H_
#define ZIRCON_SYSCALLS_TYPES_H_

#include <zircon/types.h>

#endif
