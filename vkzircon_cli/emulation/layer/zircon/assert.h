// SPDX-License-Identifier: Apache-2.0
//
// Assertions that end the process. ZX_DEBUG_ASSERT has no effect in programs that define NDEBUG.
#ifndef ZIRCON_ASSERT_H_
#define ZIRCON_ASSERT_H_

#include <stdio.h>
#include <stdlib.h>

#define ZX_PANIC(...)                                                                                                  \
    do {                                                                                                               \
        fprintf(stderr, __VA_ARGS__);                                                                                  \
        fputc('\n', stderr);                                                                                           \
        abort();                                                                                                       \
    } while (0)

#define ZX_ASSERT_MSG(condition, ...)                                                                                  \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold. ", __FILE__, __LINE__, #condition);                              \
            ZX_PANIC(__VA_ARGS__);                                                                                     \
        }                                                                                                              \
    } while (0)

#define ZX_ASSERT(condition) ZX_ASSERT_MSG(condition, "%s", "")

#ifdef NDEBUG
#define ZX_DEBUG_ASSERT_IMPLEMENTED 0
#else
#define ZX_DEBUG_ASSERT_IMPLEMENTED 1
#endif

#define ZX_DEBUG_ASSERT(condition)                                                                                     \
    do {                                                                                                               \
        if (ZX_DEBUG_ASSERT_IMPLEMENTED)                                                                               \
            ZX_ASSERT(condition);                                                                                      \
    } while (0)

#define ZX_DEBUG_ASSERT_MSG(condition, ...)                                                                            \
    do {                                                                                                               \
        if (ZX_DEBUG_ASSERT_IMPLEMENTED)                                                                               \
            ZX_ASSERT_MSG(condition, __VA_ARGS__);                                                                     \
    } while (0)

#endif
