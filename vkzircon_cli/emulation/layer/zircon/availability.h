// SPDX-License-Identifier: Apache-2.0
//
// Annotations of API levels, which have no effect here.
#ifndef ZIRCON_AVAILABILITY_H_
#define ZIRCON_AVAILABILITY_H_

#define ZX_AVAILABLE_SINCE(level)
#define ZX_DEPRECATED_SINCE(added, deprecated, message)
#define ZX_REMOVED_SINCE(added, deprecated, removed, message)

#endif
