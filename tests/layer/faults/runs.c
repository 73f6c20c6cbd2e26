// SPDX-License-Identifier: Apache-2.0
#include "runs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct message {
    int64_t aspect;
    int64_t value;
};

enum { REPORT = 3 }; // the child's file descriptor

static void report(enum aspect aspect, int64_t value) {
    const struct message message = {aspect, value};
    if (write(REPORT, &message, sizeof message) != sizeof message)
        _exit(EXIT_FAILURE);
}

static const struct {
    const char *argument;
    void (*observe)(report_function report);
} observations[] = {
    [EVERYTHING] = {"observe-everything", observe_all},
    [NULL_MEMORY] = {"observe-null-memory", observe_null_memory},
    [MISSING_BYTE] = {"observe-missing-byte", observe_missing_byte},
};

void run_child_main(int argc, char **argv) {
    for (size_t i = 0; i < sizeof observations / sizeof observations[0]; i++) {
        if (argc != 2 || strcmp(argv[1], observations[i].argument) != 0)
            continue;
        observations[i].observe(report);
        exit(EXIT_SUCCESS);
    }
}

struct child {
    pid_t pid;
    int report;
    int streams[2]; // the child's stdout and stderr
};

// dup2() clears close-on-exec unless both numbers are equal, so the numbers start above 9.
static int out_of_the_way(int descriptor) {
    const int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 10);
    close(descriptor);
    return moved;
}

static void exec_child(const struct child *child, int report_end, const char *argument, const char *emulation) {
    setenv("VKZIRCON_EMULATION", emulation, 1);
    // The child must end by a fault's SIGSEGV, not in a sanitizer's handler.
    setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    dup2(report_end, REPORT);
    dup2(child->streams[0], STDOUT_FILENO);
    dup2(child->streams[1], STDERR_FILENO);
    execl("/proc/self/exe", "test", argument, (char *)NULL);
    _exit(127);
}

static void start(struct child *child, const char *argument, const char *emulation) {
    int ends[2];
    if (pipe(ends) != 0)
        exit(EXIT_FAILURE);
    for (int i = 0; i < 2; i++) {
        ends[i] = out_of_the_way(ends[i]);
        child->streams[i] = out_of_the_way(memfd_create("stream", MFD_CLOEXEC));
    }
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0)
        exec_child(child, ends[1], argument, emulation);
    close(ends[1]);
    child->report = ends[0];
}

// False after the timeout.
static bool listen_to(const struct child *child, int patience_ms, struct observation *seen) {
    struct pollfd poller = {.fd = child->report, .events = POLLIN};
    struct message message;
    while (poll(&poller, 1, patience_ms) > 0) {
        if (read(child->report, &message, sizeof message) != sizeof message)
            return true;
        seen->values[message.aspect] = message.value;
    }
    return false;
}

static int64_t how_it_ended(const struct child *child, bool in_time) {
    int status;
    if (!in_time)
        kill(child->pid, SIGKILL);
    waitpid(child->pid, &status, 0);
    if (!in_time)
        return TIMED_OUT;
    return WIFSIGNALED(status) ? DIED_OF(WTERMSIG(status)) : WEXITSTATUS(status);
}

static bool greets(int stream) {
    char text[4096];
    const ssize_t size = pread(stream, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = 0;
    return strstr(text, "hello from vkCreateInstance\n") && strstr(text, "hello from vkGetMemoryZirconHandleFUCHSIA\n");
}

void run(enum what what, const char *emulation, int patience_ms, struct observation *seen) {
    struct child child;
    for (size_t i = 0; i < NUM_ASPECTS; i++)
        seen->values[i] = UNSEEN;
    start(&child, observations[what].argument, emulation);
    const bool in_time = listen_to(&child, patience_ms, seen);
    seen->values[ENDED] = how_it_ended(&child, in_time);
    seen->values[TALKS_ON_STDOUT] = greets(child.streams[0]);
    seen->values[TALKS_ON_STDERR] = greets(child.streams[1]);
    close(child.report);
    close(child.streams[0]);
    close(child.streams[1]);
}

bool driver_takes_holes(void) {
    struct observation seen;
    run(MISSING_BYTE, "fault=import-ignores-size", PATIENCE_MS, &seen);
    return seen.values[IMPORT_TOO_MUCH] != VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static const struct change *find_change(const struct expectation *expected, enum aspect aspect) {
    for (const struct change *change = expected->changes; change->aspect; change++) {
        if (change->aspect == aspect)
            return change;
    }
    return NULL;
}

static bool is_as_expected(const struct observation *seen, const struct observation *strict,
                           const struct expectation *expected, enum aspect aspect) {
    const struct change *change = find_change(expected, aspect);
    const int64_t value = seen->values[aspect], usual = strict->values[aspect];
    if (expected->unseen & GROUP(aspects[aspect].group))
        return value == UNSEEN;
    if (change && change->value == OTHER)
        return value != usual && value != UNSEEN;
    return value == (change ? change->value : usual);
}

int count_unusual(const struct observation *strict) {
    int unusual = 0;
    for (enum aspect aspect = 0; aspect < NUM_ASPECTS; aspect++) {
        const int64_t value = strict->values[aspect];
        if (aspects[aspect].strict == ANY ? value != UNSEEN : value == aspects[aspect].strict)
            continue;
        fprintf(stderr, "without faults %s is %" PRId64 "\n", aspects[aspect].name, value);
        unusual++;
    }
    return unusual;
}

int count_wrong(const struct observation *seen, const struct observation *strict, const struct expectation *expected) {
    int wrong = 0;
    for (enum aspect aspect = 0; aspect < NUM_ASPECTS; aspect++) {
        if (is_as_expected(seen, strict, expected, aspect))
            continue;
        const struct change *change = find_change(expected, aspect);
        fprintf(stderr, "%s is %" PRId64 " here, %" PRId64 " without faults%s%s\n", aspects[aspect].name,
                seen->values[aspect], strict->values[aspect], change && change->fact ? ": " : "",
                change && change->fact ? change->fact : "");
        wrong++;
    }
    return wrong;
}
