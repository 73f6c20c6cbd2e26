// SPDX-License-Identifier: Apache-2.0
//
// Runs an observation in a process of its own, with some faults on. It may die or hang there.
#ifndef VKZIRCON_TESTS_RUNS_H_
#define VKZIRCON_TESTS_RUNS_H_

#include "aspects.h"

#define DIED_OF(signal) (1000 + (signal))
#define TIMED_OUT       (-1)

#define PATIENCE_MS 60000 // with a process that says nothing more, before it is killed

enum what { EVERYTHING, NULL_MEMORY, MISSING_BYTE };

// A main() begins with this: in the child it observes and does not return.
void run_child_main(int argc, char **argv);

void run(enum what what, const char *emulation, int patience_ms, struct observation *seen);

// Whether the driver takes memory with a hole in it, as import-ignores-size gives it. One that pins pages does not.
bool driver_takes_holes(void);

// The value of a change: something else than without the fault.
#define OTHER INT64_MAX

// How a driver with a fault differs from one without.
struct expectation {
    uint32_t unseen; // groups
    struct change {
        enum aspect aspect;
        int64_t value;
        const char *fact; // that says so, or NULL
    } changes[20];        // ended by one of aspect 0, which never changes
};

// Compare all aspects, tell those that are wrong, and how many: of a driver without faults, and of one that has some.
int count_unusual(const struct observation *strict);
int count_wrong(const struct observation *seen, const struct observation *strict, const struct expectation *expected);

extern const struct expectation fault_expectations[VKZ_FAULT_COUNT];

#endif
