// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target without libFuzzer on random inputs for SECONDS, starting with input SEED, which defaults to the
// clock. A failure prints the number of its input; `fuzz_... once NUMBER` runs that input again.
#include "fuzz.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES 2048

static volatile uint64_t current;

// A hook of the sanitizers; absent without one.
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void tell_number(void) {
    char text[64];
    const int length = snprintf(text, sizeof text, "fuzz: it was input %" PRIu64 "\n", (uint64_t)current);
    if (write(STDERR_FILENO, text, (size_t)length) < 0)
        _exit(EXIT_FAILURE);
}

static void on_abort(int number) {
    tell_number();
    signal(number, SIG_DFL);
    raise(number);
}

// SplitMix64 (Steele, Lea, Flood 2014).
static uint64_t mix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void run(uint64_t number) {
    static uint8_t bytes[MOST_BYTES];
    uint64_t state = current = number;
    const size_t size = mix(&state) % (MOST_BYTES + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)mix(&state);
    LLVMFuzzerTestOneInput(bytes, size);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    const bool once = argc == 3 && strcmp(argv[1], "once") == 0;
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    uint64_t number = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL) << 24, runs = 0;
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(tell_number);
    const double end = now() + seconds;
    do {
        run(number++);
        runs++;
    } while (!once && now() < end);
    printf("fuzz: %" PRIu64 " inputs up to %" PRIu64 "\n", runs, number - 1);
    return EXIT_SUCCESS;
}
