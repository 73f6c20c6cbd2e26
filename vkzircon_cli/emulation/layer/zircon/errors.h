// SPDX-License-Identifier: Apache-2.0
//
// zx_status_t and the errors, which <zircon/types.h> has here.
#ifndef ZIRCON_ERRORS_H_
#define ZIRCON_ERRORS_H_

#include <zircon/types.h>

#endif
