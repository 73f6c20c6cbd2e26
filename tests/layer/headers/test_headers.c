// SPDX-License-Identifier: Apache-2.0
//
// A program in C that includes every header.
#include "every_header.h" // first, because each header stands alone
#include "every_header.h"

#include "../test.h"

static void times_stop_at_the_ends(void) {
    CHECK_EQ(zx_time_add_duration(5, ZX_MSEC(2)), 2000005);
    CHECK_EQ(zx_time_add_duration(ZX_TIME_INFINITE, ZX_SEC(1)), ZX_TIME_INFINITE);
    CHECK_EQ(zx_time_sub_duration(ZX_TIME_INFINITE_PAST, ZX_HOUR(1)), ZX_TIME_INFINITE_PAST);
    CHECK_EQ(zx_time_sub_time(ZX_SEC(3), ZX_SEC(1)), ZX_SEC(2));
    CHECK_EQ(ZX_MIN(1), 60000000000);
}

static void structs_have_zircons_layout(void) {
    CHECK_EQ(sizeof(zx_wait_item_t), 12);
    CHECK_EQ(sizeof(zx_channel_call_args_t), 4 * sizeof(void *) + 16);
    CHECK_EQ(sizeof(zx_info_task_runtime_t), 32);
    CHECK_EQ(sizeof(zx_vmo_lock_state_t), 32);
}

int main(void) {
    ZX_ASSERT(sizeof(zx_paddr_t) == sizeof(void *));
    RUN(times_stop_at_the_ends());
    RUN(structs_have_zircons_layout());
    return test_result();
}
