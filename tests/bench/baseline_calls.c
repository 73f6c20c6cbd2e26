// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
// The loader unloads drivers with the instance, and what their static pointers held would count as leaked.
int dlclose(void *library) {
    (void)library;
    return 0;
}
#endif

bool tells_calls;
struct loader loader;
struct zircon zircon;

void tell(const char *call) {
    if (tells_calls)
        puts(call);
}

void must(const char *call, int32_t answer) {
    if (answer != 0)
        stop("%s answered %d.", call, answer);
}

void stop(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout); // which calls led to it
    fputs("baseline: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

static void *open_library(const char *variable, const char *name) {
    const char *chosen = getenv(variable);
    return dlopen(chosen && *chosen ? chosen : name, RTLD_NOW | RTLD_LOCAL);
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found)
        stop("%s", dlerror());
    return found;
}

static PFN_vkVoidFunction loader_command(const char *name) {
    const PFN_vkVoidFunction found = loader.vkGetInstanceProcAddr(NULL, name);
    if (!found)
        stop("The loader has no %s.", name);
    return found;
}

void open_loader(void) {
    void *library = open_library("VKZIRCON_LIBVULKAN", "libvulkan.so.1");
    if (!library)
        stop("%s", dlerror());
    *(void **)&loader.vkGetInstanceProcAddr = symbol(library, "vkGetInstanceProcAddr");
#define LOAD(name) loader.name = (PFN_##name)loader_command(#name);
    LOADER_COMMANDS(LOAD)
#undef LOAD
}

bool open_zircon(void) {
    void *library = open_library("VKZIRCON_LIBZIRCON", "libzircon.so");
    if (!library)
        return false;
#define LOAD(name) *(void **)&zircon.name = symbol(library, #name);
    ZIRCON_CALLS(LOAD)
#undef LOAD
    zircon.zx_system_get_page_size();
    return true;
}
