// SPDX-License-Identifier: Apache-2.0
//
// vkzircon-agent: calls what vkzircon on another machine, or in another process, asks it to call. Standard input and
// output carry the frames that docs/agent-protocol.md describes. It needs libc and dlopen only.
#define _GNU_SOURCE
#include <dlfcn.h>
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
    LATER = 1 << 16, // of its first argument
    MOST_MESSAGES = 100,
    MOST_TEXT = 4096,
    CHUNK = 65536,
    NOT_SPOKEN = 64, // exit codes
    HUNG_UP = 75,
};
#define ARENA_SIZE   ((uint64_t)64 << 20)
#define MOST_PAYLOAD ((uint64_t)96 << 20)
#define MOST_READ    ((uint64_t)16 << 20)

enum request {
    USE_ARENA = 1,
    GETENV,
    SETENV,
    OPEN,
    SYMBOLS,
    FILE_OF,
    CALL,
    READ,
    WRITE,
    STRING,
    FILL,
    COMPARE,
    MOVE,
    SCRATCH,
    DROP,
    EXISTS,
    MEMORY,
    MESSAGES,
    SPAWN,
    SEND_ON,
    RECEIVE,
    STATUS
};
enum reply { HELLO = 1, DONE, FAILED, STARTED, HUNG };

struct header {
    uint32_t size; // of the payload
    uint32_t kind;
    uint32_t limit_ms; // of each call, 0 for none
    uint32_t reserved;
};

struct frame {
    uint32_t kind, limit_ms;
    const uint8_t *data;
    uint64_t size;
};

static int input, output;
static uint64_t offers[OFFERS];
static uint8_t *arena, *shadow;
static const uint8_t magic[16] = "vkzircon-agent\r\n";

static _Noreturn void stop(const char *why) {
    fprintf(stderr, "vkzircon-agent: %s\n", why);
    _exit(NOT_SPOKEN);
}

static void *checked(void *made) {
    if (!made)
        stop("out of memory");
    return made;
}

// ---- frames ----

static void put(const void *data, uint64_t size) {
    for (const uint8_t *at = data; size;) {
        const ssize_t done = write(output, at, size);
        if (done <= 0)
            _exit(NOT_SPOKEN); // the host has gone
        at += done;
        size -= (uint64_t)done;
    }
}

static bool get(void *data, uint64_t size) {
    for (uint8_t *at = data; size;) {
        const ssize_t done = read(input, at, size);
        if (done <= 0)
            return false;
        at += done;
        size -= (uint64_t)done;
    }
    return true;
}

static uint8_t *answer; // the reply that is being written: a header, then the payload
static uint64_t answer_size, answer_room;

static void add(const void *data, uint64_t size) {
    if (answer_size + size > answer_room) {
        answer_room = (answer_size + size) * 2;
        answer = checked(realloc(answer, answer_room));
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

static void begin(void) {
    const struct header blank = {0};
    answer_size = 0;
    add(&blank, sizeof(blank));
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

static const char *take_text(struct frame *frame) {
    const char *text = (const char *)frame->data;
    const uint8_t *end = frame->size ? memchr(frame->data, 0, frame->size) : NULL;
    if (!end)
        stop("a text has no end");
    frame->size -= (uint64_t)(end + 1 - frame->data);
    frame->data = end + 1;
    return text;
}

static void *pointer(uint64_t address) {
    return (void *)(uintptr_t)address;
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

static void list_messages(void) {
    pthread_mutex_lock(&messages_lock);
    add32(message_count);
    for (uint32_t i = 0; i < message_count; i++) {
        add32(messages[i].severity);
        add32(messages[i].size);
        add(messages[i].text, messages[i].size);
    }
    message_count = 0;
    pthread_mutex_unlock(&messages_lock);
}

// ---- the arena: memory that has the same address here and in the host ----

static void use_arena(uint64_t address) {
    bool known = false;
    for (int i = 0; i < OFFERS; i++) {
        known = known || (offers[i] && offers[i] == address);
        if (offers[i] && offers[i] != address)
            munmap(pointer(offers[i]), ARENA_SIZE);
    }
    if (!known || arena)
        stop("the host chose an arena that was not offered");
    arena = pointer(address);
    shadow = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shadow == MAP_FAILED || mprotect(arena, ARENA_SIZE, PROT_READ | PROT_WRITE) != 0)
        stop("no memory for the arena");
}

static void offer_arenas(void) {
    for (uint64_t i = 0; i < OFFERS; i++) {
        // Below 2^38, where few systems map anything by themselves; the last ones are wherever the system likes.
        void *hint = i < OFFERS - 2 ? pointer((i + 1) << 34) : NULL;
        void *made = mmap(hint, ARENA_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        offers[i] = made == MAP_FAILED ? 0 : (uint64_t)(uintptr_t)made;
    }
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

// Appends the blocks of the arena's first *used* bytes that differ from the shadow; returns the number of runs.
static uint32_t add_changes(uint64_t used) {
    uint32_t runs = 0;
    uint64_t first = used; // of the run that goes on, *used* for none
    for (uint64_t at = 0; at < used; at += BLOCK) {
        if (first == used && at % PAGE == 0 && used - at >= PAGE && memcmp(arena + at, shadow + at, PAGE) == 0) {
            at += PAGE - BLOCK;
        } else if (memcmp(arena + at, shadow + at, BLOCK) != 0) {
            memcpy(shadow + at, arena + at, BLOCK);
            first = first == used ? at : first;
        } else if (first != used) {
            runs += add_run(first, at);
            first = used;
        }
    }
    return first == used ? runs : runs + add_run(first, used);
}

typedef uint64_t function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                          uint64_t, uint64_t, uint64_t);

static uint64_t call(uint64_t address, const uint64_t *w) {
    function *called = (function *)(uintptr_t)address;
    return called(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11]);
}

static void make_calls(struct frame *frame) {
    const uint64_t used = (uint64_t)take32(frame) * BLOCK;
    const uint32_t runs = take32(frame), calls = take32(frame);
    const uint64_t at = answer_size;
    uint64_t took = 0;
    uint32_t made = 0;
    bool goes_on = true;
    if (!arena || used > ARENA_SIZE)
        stop("a call without an arena");
    (void)take32(frame);
    apply_runs(frame, runs);
    add64(0); // the three are known at the end
    add32(0);
    add32(0);
    for (; made < calls && goes_on; made++) {
        const uint64_t address = take64(frame);
        const uint32_t words = take32(frame), flags = take32(frame);
        uint64_t w[MOST_WORDS] = {0};
        if (words > MOST_WORDS || !address)
            stop("a call with too many arguments, or without an address");
        take(frame, w, words * sizeof(w[0]));
        for (uint32_t i = 0; i < words; i++) {
            if (flags & LATER << i) // the argument is what a call before has written there
                memcpy(&w[i], pointer(w[i]), sizeof(w[i]));
        }
        if (made > 0) { // names the call if it ends this process; the host knows the first one
            const struct header started = {.kind = STARTED, .limit_ms = made};
            put(&started, sizeof(started));
        }
        arm(frame->limit_ms);
        const uint64_t began = now();
        const uint64_t result = call(address, w);
        took += now() - began;
        disarm(frame->limit_ms);
        add64(result);
        goes_on = !(flags & MUST_BE_0) || (uint32_t)result == 0; // VkResult and zx_status_t have 32 bits
    }
    const uint32_t changed = add_changes(used), counts[] = {changed, made};
    memcpy(answer + at, &took, sizeof(took));
    memcpy(answer + at + sizeof(took), counts, sizeof(counts));
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

static void fill(uint8_t *target, uint64_t size, const struct frame *period) {
    const uint64_t whole = repeat(period);
    for (uint64_t at = 0; at < size; at += whole)
        memcpy(target + at, chunk, size - at < whole ? size - at : whole);
}

static void compare(const uint8_t *seen, uint64_t size, const struct frame *period) {
    const uint64_t whole = repeat(period);
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
}

static void add_memory(void) {
    uint64_t resident = 0, size = 0, available = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%lu %lu", &size, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    file = fopen("/proc/meminfo", "re");
    if (file) {
        char line[128];
        while (fgets(line, sizeof(line), file)) {
            if (sscanf(line, "MemAvailable: %lu kB", &available) == 1)
                break;
        }
        fclose(file);
    }
    add64(resident * (uint64_t)sysconf(_SC_PAGESIZE));
    add64(available * 1024); // 0 on systems without Linux's files
}

// ---- another agent, whose frames pass through this one: a second process that has a handle of this one's ----

#ifdef __Fuchsia__
static enum reply on_child(struct frame *frame) {
    (void)frame;
    return FAILED; // fdio starts processes there, which is not tried yet
}
#else
extern char **environ;
static pid_t child;
static int to_child = -1, from_child = -1;

static enum reply spawn_child(struct frame *frame) {
    const int inherited = (int)take32(frame);
    char *const arguments[] = {"vkzircon-agent", NULL};
    int requests[2], replies[2];
    posix_spawn_file_actions_t actions;
    if (child || setenv("VKZIRCON_STARTUP_HANDLES", take_text(frame), 1) != 0)
        return FAILED;
    if (pipe2(requests, O_CLOEXEC) != 0)
        return FAILED;
    if (pipe2(replies, O_CLOEXEC) != 0) {
        close(requests[0]);
        close(requests[1]);
        return FAILED;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, requests[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, replies[1], STDOUT_FILENO);
    fcntl(inherited, F_SETFD, 0);
    const int refused = posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    unsetenv("VKZIRCON_STARTUP_HANDLES");
    close(inherited); // the child alone has it, so that its end closes it
    close(requests[0]);
    close(replies[1]);
    to_child = requests[1];
    from_child = replies[0];
    if (refused)
        child = 0;
    return refused ? FAILED : DONE;
}

static enum reply send_on(const struct frame *frame) {
    signal(SIGPIPE, SIG_IGN);
    for (uint64_t at = 0; at < frame->size;) {
        const ssize_t done = write(to_child, frame->data + at, frame->size - at);
        if (done <= 0)
            return FAILED;
        at += (uint64_t)done;
    }
    return DONE;
}

static enum reply receive(const struct frame *frame) {
    struct pollfd ready = {.fd = from_child, .events = POLLIN};
    if (poll(&ready, 1, (int)frame->limit_ms) == 0)
        return DONE; // nothing yet
    const ssize_t size = read(from_child, chunk, sizeof(chunk));
    if (size <= 0)
        return FAILED;
    add(chunk, (uint64_t)size);
    return DONE;
}

// Answers with minus the signal or the exit status of the child, and whether it has ended.
static enum reply child_status(const struct frame *frame) {
    int status = 0;
    uint32_t ended = 0;
    close(to_child); // at which it ends
    for (uint32_t waited = 0; child && !ended && waited <= frame->limit_ms; waited++) {
        const struct timespec pause = {.tv_nsec = 1000000};
        ended = waitpid(child, &status, WNOHANG) == child;
        if (!ended)
            nanosleep(&pause, NULL);
    }
    if (!ended && child) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    close(from_child);
    to_child = from_child = -1;
    child = 0;
    add32(ended);
    add32((uint32_t)(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status)));
    return DONE;
}

static enum reply on_child(struct frame *frame) {
    switch (frame->kind) {
    case SPAWN:
        return spawn_child(frame);
    case SEND_ON:
        return send_on(frame);
    case RECEIVE:
        return receive(frame);
    default:
        return child_status(frame);
    }
}
#endif

// ---- requests ----

static enum reply open_library(const char *name) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        add(why ? why : "", why ? strlen(why) : 0);
        return FAILED;
    }
    add64((uint64_t)(uintptr_t)library);
    return DONE;
}

static void file_of(void *address) {
    Dl_info found;
    if (dladdr(address, &found) == 0 || !found.dli_fname)
        return;
    char *real = realpath(found.dli_fname, NULL);
    const char *path = real ? real : found.dli_fname;
    add(path, strlen(path));
    free(real);
}

static enum reply variable(const char *name) {
    const char *value = getenv(name);
    if (value)
        add(value, strlen(value));
    return value ? DONE : FAILED;
}

static enum reply scratch(uint64_t size) {
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return FAILED;
    memset(made, 0x5a, size); // pages that were never written share one page of zeros, which is read too fast
    add64((uint64_t)(uintptr_t)made);
    return DONE;
}

static void move(void *target, const void *source, uint64_t size) {
    const uint64_t began = now();
    memmove(target, source, size);
    add64(now() - began);
}

static enum reply on_memory(struct frame *frame) {
    const uint64_t address = take64(frame), size = take64(frame);
    enum reply reply = DONE;
    arm(frame->limit_ms);
    if (frame->kind == READ)
        add(pointer(address), size < MOST_READ ? size : MOST_READ);
    else if (frame->kind == WRITE && size <= frame->size)
        memcpy(pointer(address), frame->data, size);
    else if (frame->kind == STRING)
        add(pointer(address), strnlen(pointer(address), size < MOST_TEXT ? size : MOST_TEXT));
    else if (frame->kind == FILL)
        fill(pointer(address), size, frame);
    else if (frame->kind == COMPARE)
        compare(pointer(address), size, frame);
    else if (frame->kind == MOVE)
        move(pointer(address), pointer(take64(frame)), size);
    else if (frame->kind == DROP)
        munmap(pointer(address), size);
    else
        reply = FAILED;
    disarm(frame->limit_ms);
    return reply;
}

static enum reply serve(struct frame *frame) {
    const char *name;
    struct stat found;
    void *library;
    switch (frame->kind) {
    case USE_ARENA:
        use_arena(take64(frame));
        return DONE;
    case GETENV:
        return variable(take_text(frame));
    case SETENV:
        name = take_text(frame);
        return setenv(name, take_text(frame), 1) == 0 ? DONE : FAILED;
    case OPEN:
        return open_library(take_text(frame));
    case SYMBOLS:
        library = pointer(take64(frame));
        while (frame->size)
            add64((uint64_t)(uintptr_t)dlsym(library ? library : RTLD_DEFAULT, take_text(frame)));
        return DONE;
    case FILE_OF:
        file_of(pointer(take64(frame)));
        return DONE;
    case CALL:
        make_calls(frame);
        return DONE;
    case SCRATCH:
        return scratch(take64(frame));
    case EXISTS:
        return stat(take_text(frame), &found) == 0 ? DONE : FAILED;
    case MEMORY:
        add_memory();
        return DONE;
    case MESSAGES:
        list_messages();
        return DONE;
    case SPAWN:
    case SEND_ON:
    case RECEIVE:
    case STATUS:
        return on_child(frame);
    default:
        return on_memory(frame);
    }
}

static void say_hello(void) {
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
    send_answer(HELLO);
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
    offer_arenas();
    if (pthread_create(&watchdog, NULL, watch, NULL) != 0)
        stop("no thread can be started");
    say_hello();
    while (get(&header, sizeof(header))) {
        if (header.size > MOST_PAYLOAD)
            stop("a frame is too long");
        uint8_t *data = checked(malloc((size_t)header.size + 1));
        if (!get(data, header.size))
            break;
        struct frame frame = {.kind = header.kind, .limit_ms = header.limit_ms, .data = data, .size = header.size};
        begin();
        send_answer(serve(&frame));
        free(data);
    }
    _exit(0); // a driver's destructors may take long, or crash
}
