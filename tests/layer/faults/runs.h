// SPDX-License-Identifier: Apache-2.0
//
// Runs an observation with some faults on in a child process, which may crash or hang.
#ifndef VKZIRCON_TESTS_RUNS_H_
#define VKZIRCON_TESTS_RUNS_H_

#include "aspects.h"

#define DIED_OF(signal) (1000 + (signal))
#define TIMED_OUT       (-1)

#define PATIENCE_MS 60000 // without a report from the child, before it is killed

enum what { EVERYTHING, NULL_MEMORY, MISSING_BYTE };

// main() must call this first. In the child it observes and does not return.
void run_child_main(int argc, char **argv);

void run(enum what what, const char *emulation, int patience_ms, struct observation *seen);

// Whether the driver imports memory with a hole, which import-ignores-size needs. A driver that pins pages does not.
bool driver_takes_holes(void);

// The value of a change: any other than without the fault.
#define OTHER INT64_MAX

// How a driver with a fault differs from one without.
struct expectation {
    uint32_t unseen; // groups
    struct change {
        enum aspect aspect;
        int64_t value;
        const char *fact; // the source of the value, or NULL
    } changes[30];        // ends with aspect 0, which never changes
};

// Compare all aspects, print the wrong ones and return their number: for a driver without faults, and with a fault.
int count_unusual(const struct observation *strict);
int count_wrong(const struct observation *seen, const struct observation *strict, const struct expectation *expected);

extern const struct expectation fault_expectations[VKZ_FAULT_COUNT];

#endif
