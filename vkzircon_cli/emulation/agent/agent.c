// SPDX-License-Identifier: Apache-2.0
//
// vkzircon-agent: calls what vkzircon on another machine, or in another process, asks it to call. Standard input and
// output carry the frames that docs/agent-protocol.md describes. It needs libc and dlopen only.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#ifndef __Fuchsia__
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/wait.h>
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

#if defined(__x86_64__)
#define MACHINE 62 // e_machine of ELF
#elif defined(__aarch64__)
#define MACHINE 183
#else
#error "The host passes arguments as x86-64 and AArch64 do."
#endif
_Static_assert(sizeof(void *) == 8, "The host's structures have 64-bit pointers.");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Frames are little-endian.");

enum {
    VERSION = 1,
    OFFERS = 8,
    BLOCK = 256,
    PAGE = 8192, // compared at once
    MOST_WORDS = 12,
    MUST_BE_0 = 1,   // flags of a call
    LATER = 1 << 16, // flag of its first argument
    MOST_MESSAGES = 100,
    MOST_TEXT = 4096,
    CHUNK = 65536,
    NOT_SPOKEN = 64, // exit codes
    HUNG_UP = 75,
};
#define ARENA_SIZE   ((uint64_t)64 << 20)
#define MOST_PAYLOAD ((uint64_t)96 << 20)

enum reply { HELLO = 1, DONE, FAILED, STARTED, HUNG };

struct header {
    uint32_t size; // of the payload
    uint32_t kind;
    uint32_t limit_ms; // of each call, 0 for none
    uint32_t reserved;
};

struct frame {
    uint32_t limit_ms;
    const uint8_t *data;
    uint64_t size;
};

static int input, output;
static bool is_greeted;
static const uint8_t magic[16] = "vkzircon-agent\r\n";

static void *pointer(uint64_t address) {
    return (void *)(uintptr_t)address;
}

// ---- frames ----

static void put(const void *data, uint64_t size) {
    for (const uint8_t *at = data, *end = at + size; at < end;) {
        const ssize_t done = write(output, at, (size_t)(end - at));
        if (done <= 0 && errno != EINTR)
            _exit(NOT_SPOKEN); // the host has gone
        at += done > 0 ? done : 0;
    }
}

// Reads from the host. The end of the input ends this process.
static void get(void *data, uint64_t size) {
    for (uint8_t *at = data, *end = at + size; at < end;) {
        const ssize_t done = read(input, at, (size_t)(end - at));
        if (done == 0 || (done < 0 && errno != EINTR))
            _exit(0); // without a driver's destructors, which may take long, or crash
        at += done > 0 ? done : 0;
    }
}

// Tells the reason on standard error, and to the host: the end of this process is then no driver's fault.
static _Noreturn void stop(const char *why) {
    const struct header failed = {.size = (uint32_t)strlen(why), .kind = FAILED};
    fprintf(stderr, "vkzircon-agent: %s\n", why);
    if (is_greeted) {
        put(&failed, sizeof(failed));
        put(why, failed.size);
    }
    _exit(NOT_SPOKEN);
}

static uint8_t *answer; // the reply that is being written: a header, then the payload
static uint64_t answer_size, answer_room;

static void add(const void *data, uint64_t size) {
    if (answer_size + size > answer_room) {
        answer_room = (answer_size + size) * 2;
        answer = realloc(answer, answer_room);
        if (!answer)
            stop("out of memory");
    }
    if (size)
        memcpy(answer + answer_size, data, size);
    answer_size += size;
}

static void add32(uint32_t value) {
    add(&value, sizeof(value));
}

static void add64(uint64_t value) {
    add(&value, sizeof(value));
}

static void add_address(const void *address) {
    add64((uint64_t)(uintptr_t)address);
}

static void add_text(const char *text) {
    if (text)
        add(text, strlen(text));
}

static void begin(void) {
    answer_size = 0;
    add(&(struct header){0}, sizeof(struct header));
}

static void send_answer(enum reply kind) {
    const struct header header = {.size = (uint32_t)(answer_size - sizeof(header)), .kind = kind};
    memcpy(answer, &header, sizeof(header));
    put(answer, answer_size);
}

static void take(struct frame *frame, void *to, uint64_t size) {
    if (frame->size < size)
        stop("a frame is too short");
    memcpy(to, frame->data, size);
    frame->data += size;
    frame->size -= size;
}

static uint32_t take32(struct frame *frame) {
    uint32_t value;
    take(frame, &value, sizeof(value));
    return value;
}

static uint64_t take64(struct frame *frame) {
    uint64_t value;
    take(frame, &value, sizeof(value));
    return value;
}

static void *take_address(struct frame *frame) {
    return pointer(take64(frame));
}

static const char *take_text(struct frame *frame) {
    const char *text = (const char *)frame->data;
    const uint8_t *end = frame->size ? memchr(frame->data, 0, frame->size) : NULL;
    if (!end)
        stop("a text has no end");
    frame->size -= (uint64_t)(end + 1 - frame->data);
    frame->data = end + 1;
    return text;
}

// ---- the watchdog: a thread, since not every system has signals; it only writes and exits, because the call that
// hangs may hold the lock of malloc ----

static _Atomic uint64_t deadline; // 0 while no call is made

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *watch(void *unused) {
    const struct timespec pause = {.tv_nsec = 10000000};
    const struct header hung = {.kind = HUNG};
    (void)unused;
    for (;;) {
        nanosleep(&pause, NULL);
        uint64_t until = atomic_load(&deadline);
        // The first thread that sets the deadline to 0 may write: this one, or the one whose call has returned.
        if (until && now() > until && atomic_compare_exchange_strong(&deadline, &until, 0)) {
            put(&hung, sizeof(hung));
            _exit(HUNG_UP);
        }
    }
    return NULL;
}

static void arm(uint32_t limit_ms) {
    atomic_store(&deadline, limit_ms ? now() + (uint64_t)limit_ms * 1000000 : 0);
}

static void disarm(uint32_t limit_ms) {
    if (limit_ms && !atomic_exchange(&deadline, 0)) {
        for (;;)
            pause(); // the watchdog ends the process
    }
}

// ---- the loader's messages: what a messenger is given holds pointers that mean nothing to the host ----

struct message_data { // VkDebugUtilsMessengerCallbackDataEXT up to its text
    int32_t type;
    const void *next;
    uint32_t flags;
    const char *id_name;
    int32_t id_number;
    const char *text;
};

static pthread_mutex_t messages_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint32_t severity, size;
    char text[MOST_TEXT];
} messages[MOST_MESSAGES];
static uint32_t message_count;

static uint32_t messenger(uint32_t severity, uint32_t types, const struct message_data *data, void *user) {
    (void)types;
    (void)user;
    pthread_mutex_lock(&messages_lock);
    if (message_count < MOST_MESSAGES && data->text) {
        messages[message_count].severity = severity;
        messages[message_count].size = (uint32_t)strnlen(data->text, MOST_TEXT);
        memcpy(messages[message_count].text, data->text, messages[message_count].size);
        message_count++;
    }
    pthread_mutex_unlock(&messages_lock);
    return 0;
}

static enum reply list_messages(struct frame *frame) {
    (void)frame;
    pthread_mutex_lock(&messages_lock);
    add32(message_count);
    for (uint32_t i = 0; i < message_count; i++) {
        add32(messages[i].severity);
        add32(messages[i].size);
        add(messages[i].text, messages[i].size);
    }
    message_count = 0;
    pthread_mutex_unlock(&messages_lock);
    return DONE;
}

// ---- the arena: memory that has the same address here and in the host ----

static uint64_t offers[OFFERS];
static uint8_t *arena, *shadow;

static void *reserve(void *hint, int protection) {
    return mmap(hint, ARENA_SIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

// Returns what a limit of this process leaves too little of, "" if there is enough. A driver with a compiler in it maps
// hundreds of MiB, and a driver holds several files open.
static const char *find_lack(void) {
    const size_t room = (size_t)1 << 30;
    int files[16], count = 0;
    void *made = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return "address space (ulimit -v)";
    munmap(made, room);
    while (count < 16 && (files[count] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) >= 0)
        count++;
    const bool is_enough = count == 16;
    while (count > 0)
        close(files[--count]);
    return is_enough ? "" : "open files (ulimit -n)";
}

static void offer_arenas(void) {
    for (uint64_t i = 0; i < OFFERS; i++) {
        // Few systems map anything below 2^38 by themselves. The system chooses the last two addresses.
        void *hint = i < OFFERS - 2 ? pointer((i + 1) << 34) : NULL;
        void *made = reserve(hint, PROT_NONE);
        offers[i] = made == MAP_FAILED ? 0 : (uint64_t)(uintptr_t)made;
    }
}

static enum reply use_arena(struct frame *frame) {
    const uint64_t address = take64(frame);
    bool known = false;
    for (int i = 0; i < OFFERS; i++) {
        known = known || (offers[i] && offers[i] == address);
        if (offers[i] && offers[i] != address)
            munmap(pointer(offers[i]), ARENA_SIZE);
    }
    if (!known || arena)
        stop("the host chose an arena that was not offered");
    arena = pointer(address);
    shadow = reserve(NULL, PROT_READ | PROT_WRITE);
    if (shadow != MAP_FAILED && mprotect(arena, ARENA_SIZE, PROT_READ | PROT_WRITE) == 0)
        return DONE;
    add_text(strerror(errno));
    return FAILED;
}

static void apply_runs(struct frame *frame, uint32_t runs) {
    for (uint32_t i = 0; i < runs; i++) {
        const uint64_t at = (uint64_t)take32(frame) * BLOCK, size = (uint64_t)take32(frame) * BLOCK;
        if (at > ARENA_SIZE || size > ARENA_SIZE - at || size > frame->size)
            stop("a block is outside the arena");
        memcpy(shadow + at, frame->data, size);
        take(frame, arena + at, size);
    }
}

static uint32_t add_run(uint64_t from, uint64_t to) {
    add32((uint32_t)(from / BLOCK));
    add32((uint32_t)((to - from) / BLOCK));
    add(shadow + from, to - from);
    return 1;
}

// Appends the blocks between two places that differ from the shadow; returns the number of runs.
static uint32_t add_changes(uint64_t begin, uint64_t end) {
    uint32_t runs = 0;
    uint64_t first = end; // of the current run, *end* if there is none
    for (uint64_t at = begin; at < end; at += BLOCK) {
        if (first == end && at % PAGE == 0 && end - at >= PAGE && memcmp(arena + at, shadow + at, PAGE) == 0) {
            at += PAGE - BLOCK;
        } else if (memcmp(arena + at, shadow + at, BLOCK) != 0) {
            memcpy(shadow + at, arena + at, BLOCK);
            first = first == end ? at : first;
        } else if (first != end) {
            runs += add_run(first, at);
            first = end;
        }
    }
    return first == end ? runs : runs + add_run(first, end);
}

typedef uint64_t function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                          uint64_t, uint64_t, uint64_t);

static uint64_t call(uint64_t address, const uint64_t *w) {
    function *called = (function *)(uintptr_t)address;
    return called(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11]);
}

// Makes the next call of a frame, and adds its result to the answer and its nanoseconds to *took*. Returns whether the
// call after it is to be made.
static bool make_call(struct frame *frame, uint64_t *took) {
    const uint64_t address = take64(frame);
    const uint32_t words = take32(frame), flags = take32(frame);
    uint64_t w[MOST_WORDS] = {0};
    if (words > MOST_WORDS || !address)
        stop("a call with too many arguments, or without an address");
    take(frame, w, words * sizeof(w[0]));
    for (uint32_t i = 0; i < words; i++) {
        if (flags & (uint32_t)LATER << i) // an earlier call wrote the argument there
            memcpy(&w[i], pointer(w[i]), sizeof(w[i]));
    }
    arm(frame->limit_ms);
    const uint64_t began = now(), result = call(address, w);
    *took += now() - began;
    disarm(frame->limit_ms);
    add64(result);
    return !(flags & MUST_BE_0) || (uint32_t)result == 0; // VkResult and zx_status_t have 32 bits
}

static enum reply make_calls(struct frame *frame) {
    const uint64_t small = (uint64_t)take32(frame) * BLOCK, large = (uint64_t)take32(frame) * BLOCK;
    const uint32_t runs = take32(frame), calls = take32(frame);
    const uint64_t at = answer_size;
    uint64_t took = 0;
    uint32_t counts[] = {0, 0}; // of runs that changed, and of calls
    bool goes_on = true;
    if (!arena || small + large > ARENA_SIZE)
        stop("a call without an arena");
    apply_runs(frame, runs);
    add64(took); // known at the end, as the counts are
    add(counts, sizeof(counts));
    while (counts[1] < calls && goes_on) {
        const struct header started = {.kind = STARTED, .limit_ms = counts[1]};
        if (counts[1] > 0) // names the call if it ends this process; the host knows the first one
            put(&started, sizeof(started));
        goes_on = make_call(frame, &took);
        counts[1]++;
    }
    counts[0] = add_changes(0, small);
    counts[0] += add_changes(ARENA_SIZE - large, ARENA_SIZE);
    memcpy(answer + at, &took, sizeof(took));
    memcpy(answer + at + sizeof(took), counts, sizeof(counts));
    return DONE;
}

// ---- memory outside the arena ----

static uint8_t chunk[CHUNK];

// Fills the chunk with a repeated period; returns the number of bytes in whole periods.
static uint64_t repeat(const struct frame *period) {
    if (!period->size || period->size > CHUNK)
        stop("a period is empty or too long");
    const uint64_t whole = CHUNK - CHUNK % period->size;
    for (uint64_t at = 0; at < whole; at += period->size)
        memcpy(chunk + at, period->data, period->size);
    return whole;
}

static enum reply read_string(struct frame *frame) {
    const char *text = take_address(frame);
    const uint64_t most = take64(frame);
    add(text, strnlen(text, most < MOST_TEXT ? most : MOST_TEXT));
    return DONE;
}

static enum reply fill(struct frame *frame) {
    uint8_t *target = take_address(frame);
    const uint64_t size = take64(frame), whole = repeat(frame);
    for (uint64_t at = 0; at < size; at += whole)
        memcpy(target + at, chunk, size - at < whole ? size - at : whole);
    return DONE;
}

static enum reply compare(struct frame *frame) {
    const uint8_t *seen = take_address(frame);
    const uint64_t size = take64(frame), whole = repeat(frame);
    uint64_t wrong = 0, first = 0;
    for (uint64_t at = 0; at < size; at += whole) {
        const uint64_t length = size - at < whole ? size - at : whole;
        if (memcmp(seen + at, chunk, length) == 0)
            continue;
        for (uint64_t i = 0; i < length; i++) {
            if (seen[at + i] != chunk[i]) {
                first = wrong ? first : at + i;
                wrong++;
            }
        }
    }
    add64(wrong);
    add64(first);
    return DONE;
}

static enum reply move(struct frame *frame) {
    void *target = take_address(frame);
    const uint64_t size = take64(frame);
    const void *source = take_address(frame);
    const uint64_t began = now();
    memmove(target, source, size);
    add64(now() - began);
    return DONE;
}

static enum reply make_scratch(struct frame *frame) {
    const uint64_t size = take64(frame);
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return FAILED;
    memset(made, 0x5a, size); // unwritten pages share one page of zeros, so reading them would measure too fast
    add_address(made);
    return DONE;
}

static enum reply drop_scratch(struct frame *frame) {
    void *address = take_address(frame);
    munmap(address, take64(frame));
    return DONE;
}

// ---- a second agent, a child of this one: it gets a handle from this process, which forwards its frames ----

#ifndef __Fuchsia__ // Fuchsia starts processes with fdio, which this agent does not support
extern char **environ;
static pid_t child;
static int to_child = -1; // a socket, for both directions

static enum reply start_child(struct frame *frame) {
    const int inherited = (int)take32(frame);
    char *const arguments[] = {"vkzircon-agent", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (child || setenv("VKZIRCON_STARTUP_HANDLES", take_text(frame), 1) != 0)
        return FAILED;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return FAILED;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    fcntl(inherited, F_SETFD, 0);
    int refused = posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ);
    if (refused) // without /proc, the path by which this agent was started
        refused = posix_spawn(&child, (const char *)getauxval(AT_EXECFN), &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    unsetenv("VKZIRCON_STARTUP_HANDLES");
    close(inherited); // the child alone has it, so that its end closes it
    close(ends[1]);
    to_child = ends[0];
    child = refused ? 0 : child;
    return refused ? FAILED : DONE;
}

static enum reply send_on(struct frame *frame) {
    while (frame->size) {
        const ssize_t done = send(to_child, frame->data, frame->size, MSG_NOSIGNAL);
        if (done <= 0)
            return FAILED;
        frame->data += done;
        frame->size -= (uint64_t)done;
    }
    return DONE;
}

static enum reply receive(struct frame *frame) {
    struct pollfd ready = {.fd = to_child, .events = POLLIN};
    if (poll(&ready, 1, (int)frame->limit_ms) == 0)
        return DONE; // nothing yet
    const ssize_t size = read(to_child, chunk, sizeof(chunk));
    if (size <= 0)
        return FAILED;
    add(chunk, (uint64_t)size);
    return DONE;
}

// Answers whether the child has ended within the limit, and its exit status, or minus the signal.
static enum reply end_child(struct frame *frame) {
    const struct timespec pause = {.tv_nsec = 1000000};
    int status = 0;
    pid_t ended = 0;
    close(to_child); // at which it ends
    for (uint32_t waited = 0; child && !ended && waited <= frame->limit_ms; waited++) {
        ended = waitpid(child, &status, WNOHANG);
        if (!ended)
            nanosleep(&pause, NULL);
    }
    if (!ended && child) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    add32(child && ended == child);
    add32((uint32_t)(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status)));
    to_child = -1;
    child = 0;
    return DONE;
}
#endif

// ---- the system ----

static enum reply get_variable(struct frame *frame) {
    const char *value = getenv(take_text(frame));
    add_text(value);
    return value ? DONE : FAILED;
}

static enum reply set_variable(struct frame *frame) {
    const char *name = take_text(frame);
    return setenv(name, take_text(frame), 1) == 0 ? DONE : FAILED;
}

static enum reply open_library(struct frame *frame) {
    void *library = dlopen(take_text(frame), RTLD_NOW | RTLD_LOCAL);
    if (library)
        add_address(library);
    else
        add_text(dlerror());
    return library ? DONE : FAILED;
}

static enum reply find_symbols(struct frame *frame) {
    void *library = take_address(frame);
    while (frame->size)
        add_address(dlsym(library ? library : RTLD_DEFAULT, take_text(frame)));
    return DONE;
}

static enum reply find_file(struct frame *frame) {
    Dl_info found;
    if (dladdr(take_address(frame), &found) == 0 || !found.dli_fname)
        return DONE;
    char *real = realpath(found.dli_fname, NULL);
    add_text(real ? real : found.dli_fname);
    free(real);
    return DONE;
}

static enum reply path_exists(struct frame *frame) {
    struct stat found;
    return stat(take_text(frame), &found) == 0 ? DONE : FAILED;
}

// Answers with the resident and the available bytes, 0 on systems without Linux's files.
static enum reply measure_memory(struct frame *frame) {
    unsigned long resident = 0, size = 0, available = 0;
    char line[128];
    (void)frame;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%lu %lu", &size, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    file = fopen("/proc/meminfo", "re");
    if (file) {
        while (fgets(line, sizeof(line), file) && sscanf(line, "MemAvailable: %lu kB", &available) != 1)
            continue;
        fclose(file);
    }
    add64(resident * (uint64_t)sysconf(_SC_PAGESIZE));
    add64(available * (uint64_t)1024);
    return DONE;
}

// ---- requests ----

typedef enum reply serve(struct frame *);

static serve *const requests[] = {
    [1] = use_arena,    [2] = get_variable,    [3] = set_variable,   [5] = find_symbols,
    [6] = find_file,    [7] = make_calls,      [14] = make_scratch,  [15] = drop_scratch,
    [16] = path_exists, [17] = measure_memory, [18] = list_messages,
#ifndef __Fuchsia__
    [19] = start_child, [20] = send_on,        [21] = receive,       [22] = end_child,
#endif
};

// These have a deadline, as a call has: a library's constructors may hang, and so may access to a driver's memory.
static serve *const limited[] = {[4] = open_library, [10] = read_string, [11] = fill, [12] = compare, [13] = move};

static enum reply answer_to(uint32_t kind, struct frame *frame) {
    if (kind < sizeof(requests) / sizeof(requests[0]) && requests[kind])
        return requests[kind](frame);
    if (kind >= sizeof(limited) / sizeof(limited[0]) || !limited[kind])
        return FAILED;
    arm(frame->limit_ms);
    const enum reply reply = limited[kind](frame);
    disarm(frame->limit_ms);
    return reply;
}

static void say_hello(const char *lack) {
    struct utsname system = {0};
    uname(&system);
    put(magic, sizeof(magic));
    begin();
    add32(VERSION);
    add32(MACHINE);
    add32(sizeof(void *));
    add32((uint32_t)sysconf(_SC_PAGESIZE));
    add32((uint32_t)getpid());
    add32(getuid());
    add32(geteuid());
    add32(getgid());
    add32(getegid());
    add32(OFFERS);
    add64(ARENA_SIZE);
    add64((uint64_t)(uintptr_t)messenger);
    add(offers, sizeof(offers));
    add(system.sysname, strlen(system.sysname) + 1);
    add(system.release, strlen(system.release) + 1);
    add(system.machine, strlen(system.machine) + 1);
    add(system.nodename, strlen(system.nodename) + 1);
    add(lack, strlen(lack) + 1);
    send_answer(HELLO);
    is_greeted = true;
}

// Keeps the two pipes for the frames alone: what drivers print goes to standard error, and nothing is left to read.
static void move_streams(void) {
    input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0 || output < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        stop("standard input, output and error are needed");
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
}

int main(void) {
    struct header header;
    pthread_t watchdog;
    move_streams();
#ifndef __Fuchsia__
    signal(SIGCHLD, SIG_DFL); // an ignored SIGCHLD is inherited, and discards the exit status of the second agent
#endif
    if (pthread_create(&watchdog, NULL, watch, NULL) != 0)
        stop("no thread can be started");
    const char *lack = find_lack(); // before the arenas take room
    offer_arenas();
    say_hello(lack);
    for (;;) {
        get(&header, sizeof(header));
        if (header.size > MOST_PAYLOAD)
            stop("a frame is too long");
        uint8_t *data = malloc((size_t)header.size + 1);
        if (!data)
            stop("out of memory");
        get(data, header.size);
        struct frame frame = {.limit_ms = header.limit_ms, .data = data, .size = header.size};
        begin();
        send_answer(answer_to(header.kind, &frame));
        free(data);
    }
}
