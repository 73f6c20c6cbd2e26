// SPDX-License-Identifier: Apache-2.0
//
// zx_status_get_string(), which <zircon/syscalls.h> has here.
#ifndef ZIRCON_STATUS_H_
#define ZIRCON_STATUS_H_

#include <zircon/syscalls.h>

#endif
