// SPDX-License-Identifier: Apache-2.0
//
// Limits of Zircon's machines. zx_system_get_page_size() is the size here.
#ifndef ZIRCON_LIMITS_H_
#define ZIRCON_LIMITS_H_

#define ZX_MIN_PAGE_SHIFT 12
#define ZX_MIN_PAGE_SIZE  (1 << ZX_MIN_PAGE_SHIFT)
#define ZX_MAX_PAGE_SHIFT 21
#define ZX_MAX_PAGE_SIZE  (1 << ZX_MAX_PAGE_SHIFT)

#endif
