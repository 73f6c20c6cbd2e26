// SPDX-License-Identifier: Apache-2.0
// A library that does the harm that the variable HOSTILE names, when it is loaded.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define IS(name) (strcmp(form, name) == 0)
enum { DESCRIPTORS = 1024, BLOCK = 65536 };
static char block[BLOCK];

static void write_to_all(const char *text, size_t size) {
    for (int end = 3; end < DESCRIPTORS; end++)
        if (write(end, text, size) < 0)
            continue;
}

static void ignore_signals(void) {
    sigset_t all;
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

static void flood(int first, int last) {
    for (;;)
        for (int end = first; end < last; end++) {
            int flags = fcntl(end, F_GETFL);
            if (flags >= 0 && (flags & O_ACCMODE) == O_WRONLY && write(end, block, BLOCK) < 0)
                continue;
        }
}

static void leave_a_process(int writes) {
    if (fork() != 0)
        return;
    setsid();
    if (fork() != 0)
        _exit(0);
    for (int i = 0; i < 20; i++) {
        if (writes)
            write_to_all("\n{\"event\": \"tick\"}\n", 19);
        usleep(100000);
    }
    _exit(0);
}

static int overflow(int depth) {
    volatile char frame[BLOCK];
    memset((void *)frame, depth, BLOCK);
    return overflow(depth + 1) + frame[0];
}

static void limit(int what) {
    struct rlimit one = {1, 1};
    setrlimit(what, &one);
}

__attribute__((constructor)) static void harm(void) {
    const char *form = getenv("HOSTILE"), *text = getenv("HOSTILE_TEXT");
    int pipes[2];
    if (form == NULL)
        return;
    memset(block, 'A', BLOCK);
    if (IS("write"))
        write_to_all(text, strlen(text));
    if (IS("write-zeros"))
        write_to_all("\0\0\0", 3);
    if (IS("print")) {
        block[BLOCK - 1] = '\n';
        for (int i = 0; i < 40; i++)
            if (write(1 + i % 2, block, BLOCK) < 0)
                return;
    }
    if (IS("print-without-end"))
        flood(1, 2);
    if (IS("flood"))
        flood(3, DESCRIPTORS);
    if (IS("read-all"))
        for (int end = 3; end < DESCRIPTORS; end++) {
            fcntl(end, F_SETFL, O_NONBLOCK);
            if (read(end, block, BLOCK) < 0)
                continue;
        }
    if (IS("fork") && fork() == 0) {
        sleep(30);
        _exit(0);
    }
    if (IS("fork-twin") && fork() < 0)
        return;
    if (IS("daemon"))
        leave_a_process(0);
    if (IS("daemon-writes"))
        leave_a_process(1);
    if (IS("exec"))
        execl("/bin/sleep", "sleep", "30", NULL);
    if (IS("daemon-execs") && fork() == 0) {
        setsid();
        execl("/bin/sleep", "sleep", "2", NULL);
    }
    if (IS("ignore-signals"))
        ignore_signals();
    if (IS("ignore-signals-and-hang")) {
        ignore_signals();
        for (;;)
            pause();
    }
    if (IS("spin"))
        for (volatile int i = 0;; i++)
            continue;
    if (IS("stop"))
        raise(SIGSTOP);
    if (IS("exit"))
        exit(0);
    if (IS("quick-exit"))
        quick_exit(0);
    if (IS("_exit"))
        _exit(0);
    if (strncmp(form, "_exit-", 6) == 0)
        _exit(atoi(form + 6));
    if (IS("abort"))
        abort();
    if (IS("divide"))
        raise(SIGFPE);
    if (IS("overflow"))
        block[0] = (char)overflow(0);
    if (IS("wild-jump"))
        ((void (*)(void))block)();
    if (IS("leave-thread"))
        pthread_exit(NULL);
    if (IS("kill-group"))
        kill(0, SIGKILL);
    if (IS("leave-group")) {
        setsid();
        setpgid(0, 0);
    }
    if (IS("close-all"))
        for (int end = 0; end < DESCRIPTORS; end++)
            close(end);
    if (IS("close-pipes"))
        for (int end = 3; end < DESCRIPTORS; end++)
            close(end);
    if (IS("swap-pipes") && pipe(pipes) == 0)
        for (int end = 3; end < DESCRIPTORS; end++)
            if (fcntl(end, F_GETFD) >= 0)
                dup2(pipes[1], end);
    if (IS("no-blocking"))
        for (int end = 0; end < DESCRIPTORS; end++)
            fcntl(end, F_SETFL, O_NONBLOCK);
    if (IS("limits")) {
        limit(RLIMIT_NOFILE);
        limit(RLIMIT_FSIZE);
        limit(RLIMIT_NPROC);
    }
    if (IS("no-time")) {
        limit(RLIMIT_CPU);
    }
    if (IS("eat"))
        for (int i = 0; i < 200; i++) {
            char *page = mmap(NULL, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (page != MAP_FAILED)
                *page = 1;
        }
    if (IS("elsewhere")) {
        umask(0777);
        if (chdir("/proc") != 0)
            return;
    }
    if (IS("no-death"))
        prctl(PR_SET_PDEATHSIG, 0);
    if (IS("not-dumpable"))
        prctl(PR_SET_DUMPABLE, 0);
    if (IS("no-environment"))
        clearenv();
}
