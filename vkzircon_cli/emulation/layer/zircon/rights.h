// SPDX-License-Identifier: Apache-2.0
//
// The rights of handles, which <zircon/types.h> has here.
#ifndef ZIRCON_RIGHTS_H_
#define ZIRCON_RIGHTS_H_

#include <zircon/types.h>

#endif
