// SPDX-License-Identifier: Apache-2.0
//
// A test program's main() runs functions and returns test_result(). A failed CHECK is printed and counted, and the
// function goes on; a failed REQUIRE returns. The arguments of a comparison are evaluated once.
#ifndef VKZIRCON_TESTS_TEST_H_
#define VKZIRCON_TESTS_TEST_H_

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_failures;
static const char *test_name = "setup";

// The exit status of a skipped test (SKIP_RETURN_CODE of ctest).
#define TEST_SKIPPED 77

static inline bool test_check(bool holds, const char *what, const char *file, int line) {
    if (!holds) {
        fprintf(stderr, "%s:%d: %s: %s does not hold\n", file, line, test_name, what);
        test_failures++;
    }
    return holds;
}

static inline bool test_equal(int64_t got, int64_t want, const char *what, const char *file, int line) {
    if (got != want) {
        fprintf(stderr, "%s:%d: %s: %s is %" PRId64 " (0x%" PRIx64 "), not %" PRId64 " (0x%" PRIx64 ")\n", file, line,
                test_name, what, got, (uint64_t)got, want, (uint64_t)want);
        test_failures++;
    }
    return got == want;
}

#define CHECK(condition)    test_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQ(got, want) test_equal((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_OK(status)    CHECK_EQ(status, 0) // VK_SUCCESS or ZX_OK
#define REQUIRE(check)                                                                                                 \
    do {                                                                                                               \
        if (!(check))                                                                                                  \
            return;                                                                                                    \
    } while (0)

#define RUN(function)                                                                                                  \
    do {                                                                                                               \
        test_name = #function;                                                                                         \
        const int before = test_failures;                                                                              \
        function;                                                                                                      \
        printf("%s %s\n", test_failures == before ? "ok  " : "FAIL", test_name);                                       \
        fflush(stdout);                                                                                                \
    } while (0)

static inline int test_result(void) {
    return test_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
