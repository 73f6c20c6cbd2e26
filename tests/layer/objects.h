// SPDX-License-Identifier: Apache-2.0
//
// Objects of the emulated Zircon, for tests of libzircon.so.
#ifndef VKZIRCON_TESTS_OBJECTS_H_
#define VKZIRCON_TESTS_OBJECTS_H_

#include "test.h"

#include <zircon/syscalls.h>

static inline zx_handle_t new_vmo(uint64_t size) {
    zx_handle_t vmo = ZX_HANDLE_INVALID;
    CHECK_OK(zx_vmo_create(size, 0, &vmo));
    return vmo;
}

static inline zx_info_handle_basic_t basic_of(zx_handle_t handle) {
    zx_info_handle_basic_t basic = {0};
    CHECK_OK(zx_object_get_info(handle, ZX_INFO_HANDLE_BASIC, &basic, sizeof basic, NULL, NULL));
    return basic;
}

struct ends {
    zx_handle_t writer;
    zx_handle_t reader;
};

static inline struct ends new_channel(void) {
    struct ends ends = {0};
    CHECK_OK(zx_channel_create(0, &ends.writer, &ends.reader));
    return ends;
}

static inline void close_channel(struct ends ends) {
    CHECK_OK(zx_handle_close_many((const zx_handle_t[]){ends.writer, ends.reader}, 2));
}

// Writes one handle and reads it again.
static inline zx_handle_t through(struct ends ends, zx_handle_t handle) {
    zx_handle_t arrived = ZX_HANDLE_INVALID;
    uint32_t num_bytes = 9, num_handles = 9;
    CHECK_OK(zx_channel_write(ends.writer, 0, NULL, 0, &handle, 1));
    CHECK_EQ(zx_handle_check_valid(handle), ZX_ERR_BAD_HANDLE);
    CHECK_OK(zx_channel_read(ends.reader, 0, NULL, &arrived, 0, 1, &num_bytes, &num_handles));
    CHECK_EQ(num_bytes, 0);
    CHECK_EQ(num_handles, 1);
    return arrived;
}

#endif
