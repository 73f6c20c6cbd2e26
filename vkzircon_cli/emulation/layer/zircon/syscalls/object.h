// SPDX-License-Identifier: Apache-2.0
//
// Objects and their information, which <zircon/types.h> has here.
#ifndef ZIRCON_SYSCALLS_OBJECT_H_
#define ZIRCON_SYSCALLS_OBJECT_H_

#include <zircon/types.h>

#endif
