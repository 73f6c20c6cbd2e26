// SPDX-License-Identifier: Apache-2.0
//
// Runs a function in several threads at once. It returns NULL or the failed condition, because CHECK is not
// thread-safe.
#ifndef VKZIRCON_TESTS_TOGETHER_H_
#define VKZIRCON_TESTS_TOGETHER_H_

#include "test.h"

#include <pthread.h>

#define TOGETHER 4

typedef const char *(*together_function)(void *argument, unsigned thread);

struct together {
    pthread_t thread;
    pthread_barrier_t *start;
    together_function function;
    void *argument;
    unsigned number;
    const char *failed;
};

// A statement of a together_function.
#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return #condition;                                                                                         \
    } while (0)

static inline void *together_start(void *argument) {
    struct together *one = argument;
    pthread_barrier_wait(one->start);
    one->failed = one->function(one->argument, one->number);
    return NULL;
}

// All threads get the same argument.
static inline void run_together(together_function function, void *argument) {
    struct together all[TOGETHER];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, TOGETHER);
    for (unsigned i = 0; i < TOGETHER; i++) {
        all[i] = (struct together){.start = &start, .function = function, .argument = argument, .number = i};
        pthread_create(&all[i].thread, NULL, together_start, &all[i]);
    }
    for (unsigned i = 0; i < TOGETHER; i++) {
        pthread_join(all[i].thread, NULL);
        if (all[i].failed)
            fprintf(stderr, "thread %u: ", i);
        test_check(!all[i].failed, all[i].failed, __FILE__, __LINE__);
    }
    pthread_barrier_destroy(&start);
}

#endif
