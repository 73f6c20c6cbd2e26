// SPDX-License-Identifier: Apache-2.0
//
// Each fault changes the aspects that it names, and no others.
#include "../test.h"
#include "runs.h"

#include <signal.h>

static struct observation strict;

static void without_faults_all_is_well(void) {
    run(EVERYTHING, "persona=strict", PATIENCE_MS, &strict);
    CHECK_EQ(count_unusual(&strict), 0);
}

static void a_fault_does_its_one_thing(size_t fault) {
    char emulation[100];
    struct observation seen;
    snprintf(emulation, sizeof emulation, "fault=%s", vkz_fault_name(fault));
    run(EVERYTHING, emulation, PATIENCE_MS, &seen);
    CHECK_EQ(count_wrong(&seen, &strict, &fault_expectations[fault]), 0);
}

// Faults that show only in a special call, behind a channel, or in a second process.
static bool has_its_own_test(size_t fault) {
    return fault == VKZ_FAULT_NULL_MEMORY_KILLS || fault == VKZ_FAULT_CHANNEL_COPIES ||
           fault == VKZ_FAULT_IMPORT_ELSEWHERE_REFUSED || fault == VKZ_FAULT_RANDOM_ANSWERS;
}

static void every_fault_has_an_expectation(void) {
    for (size_t i = 0; i < VKZ_FAULT_COUNT; i++) {
        if (!has_its_own_test(i))
            CHECK(fault_expectations[i].unseen || fault_expectations[i].changes[0].aspect);
    }
}

static void null_memory_kills(void) {
    struct observation seen;
    run(NULL_MEMORY, "persona=strict", PATIENCE_MS, &seen);
    CHECK_EQ(seen.values[GET_UNEXPORTABLE], VK_ERROR_UNKNOWN);
    CHECK_EQ(seen.values[ENDED], 0);
    run(NULL_MEMORY, "fault=null-memory-kills", PATIENCE_MS, &seen);
    CHECK_EQ(seen.values[GET_UNEXPORTABLE], UNSEEN);
    CHECK_EQ(seen.values[ENDED], DIED_OF(SIGSEGV));
}

static void bytes_that_are_not_there_fault(void) {
    struct observation seen;
    run(MISSING_BYTE, "fault=import-ignores-size", PATIENCE_MS, &seen);
    CHECK_EQ(seen.values[IMPORT_TOO_MUCH], VK_SUCCESS);
    CHECK_EQ(seen.values[WRONG_IN_IMPORT], UNSEEN);
    CHECK_EQ(seen.values[ENDED], DIED_OF(SIGSEGV));
}

static int count_different(const struct observation *one, const struct observation *other) {
    int count = 0;
    for (size_t i = 0; i < NUM_ASPECTS; i++)
        count += one->values[i] != other->values[i];
    return count;
}

// The seed alone decides. The higher ones replace few answers, and perhaps none of these.
static void random_answers_repeat_with_their_seed(void) {
    struct observation seen, again;
    for (int seed = 0; seed < 9; seed++) {
        char emulation[100];
        snprintf(emulation, sizeof emulation, "fault=random-answers=%d", seed);
        run(EVERYTHING, emulation, PATIENCE_MS, &seen);
        run(EVERYTHING, emulation, PATIENCE_MS, &again);
        CHECK_EQ(count_different(&seen, &again), 0);
        CHECK(seed > 4 || count_different(&seen, &strict));
    }
}

// The error is printed to stderr. Here it shows as a failed vkCreateInstance.
static void an_unknown_name_makes_no_instance(void) {
    static const char *const emulations[] = {"fault=unknown", "persona=unknown", "unknown", "persona=strict,faults=x"};
    struct observation seen;
    for (size_t i = 0; i < sizeof emulations / sizeof emulations[0]; i++) {
        run(EVERYTHING, emulations[i], PATIENCE_MS, &seen);
        CHECK_EQ(seen.values[CREATE_INSTANCE], VK_ERROR_INITIALIZATION_FAILED);
        CHECK_EQ(seen.values[ENDED], 0);
    }
}

int main(int argc, char **argv) {
    run_child_main(argc, argv);
    RUN(without_faults_all_is_well());
    RUN(every_fault_has_an_expectation());
    const bool takes_holes = driver_takes_holes();
    for (size_t i = 0; i < VKZ_FAULT_COUNT; i++) {
        if (i == VKZ_FAULT_RANDOM_ANSWERS || (i == VKZ_FAULT_IMPORT_IGNORES_SIZE && !takes_holes))
            continue;
        printf("%s: ", vkz_fault_name(i));
        RUN(a_fault_does_its_one_thing(i));
    }
    RUN(null_memory_kills());
    RUN(random_answers_repeat_with_their_seed());
    if (takes_holes)
        RUN(bytes_that_are_not_there_fault());
    RUN(an_unknown_name_makes_no_instance());
    return test_result();
}
