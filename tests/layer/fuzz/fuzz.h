// SPDX-License-Identifier: Apache-2.0
//
// The interface between a fuzz target, which is libFuzzer's entry point, and the source of its bytes: libFuzzer or
// fuzz_main.c.
#ifndef VKZIRCON_TESTS_FUZZ_H_
#define VKZIRCON_TESTS_FUZZ_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The input bytes, which decide the next call. Zeros after the end.
struct decisions {
    const uint8_t *next;
    size_t left;
};

static inline uint8_t decide(struct decisions *decisions) {
    if (decisions->left == 0)
        return 0;
    decisions->left--;
    return *decisions->next++;
}

static inline uint32_t decide_below(struct decisions *decisions, uint32_t bound) {
    return decide(decisions) % bound;
}

static inline uint32_t decide_word(struct decisions *decisions) {
    uint32_t word = 0;
    for (int i = 0; i < 4; i++)
        word = word << 8 | decide(decisions);
    return word;
}

// One of the listed values.
#define DECIDE_AMONG(decisions, type, ...)                                                                             \
    (((const type[]){__VA_ARGS__})[decide_below(decisions, sizeof((const type[]){__VA_ARGS__}) / sizeof(type))])

#define FUZZ_EXPECT(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define FUZZ_EXPECT_EQ(got, want)                                                                                      \
    do {                                                                                                               \
        const long long got_ = (long long)(got), want_ = (long long)(want);                                            \
        if (got_ != want_) {                                                                                           \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_);                   \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
