// SPDX-License-Identifier: Apache-2.0
//
// baseline [--calls | --time] check | devices | matrix common | matrix all
//
// Run it as `vkzircon emulate -- baseline check`, and compare its time with that of `vkzircon check --emulate`.
// --calls prints the name of each call, one a line, before it is made; --time how many milliseconds they all took.
#include "baseline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum mode { CHECK, DEVICES, MATRIX_COMMON, MATRIX_ALL };

static const struct {
    const char *words;
    enum mode mode;
} modes[] = {
    {"check", CHECK},
    {"devices", DEVICES},
    {"matrix common", MATRIX_COMMON},
    {"matrix all", MATRIX_ALL},
};

static bool find_mode(int count, char **words, enum mode *mode) {
    char joined[32];
    snprintf(joined, sizeof(joined), "%s%s%s", count ? words[0] : "", count > 1 ? " " : "", count > 1 ? words[1] : "");
    for (uint32_t i = 0; i < COUNT_OF(modes) && count <= 2; i++) {
        *mode = modes[i].mode;
        if (strcmp(joined, modes[i].words) == 0)
            return true;
    }
    return false;
}

static void ask_device(const struct instance *instance, uint32_t index, const VkPhysicalDeviceIDProperties *ids,
                       enum mode mode) {
    if (mode == CHECK)
        check_device(instance, index, ids);
    else if (mode == DEVICES)
        ask_extensions(instance, instance->devices[index], VK_FUCHSIA_EXTERNAL_MEMORY_EXTENSION_NAME);
    else
        ask_matrix(instance, instance->devices[index], mode == MATRIX_ALL);
}

static void ask_all(enum mode mode) {
    uint32_t version;
    struct instance instance;
    open_loader();
    MUST(&loader, vkEnumerateInstanceVersion, &version);
    if (!open_zircon() && mode == CHECK)
        stop("There is no libzircon: run it as `vkzircon emulate -- baseline check`.");
    instance_open(&instance);
    VkPhysicalDeviceIDProperties *ids = calloc(instance.num_devices, sizeof(*ids));
    if (!ids)
        stop("There is no device, or no memory for a list of %u.", instance.num_devices);
    for (uint32_t i = 0; i < instance.num_devices; i++)
        ask_identity(&instance, instance.devices[i], &ids[i]);
    for (uint32_t i = 0; i < instance.num_devices; i++)
        ask_device(&instance, i, &ids[i], mode);
    free(ids);
    instance_close(&instance);
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
    enum mode mode;
    char **words = argv + 1;
    int count = argc - 1;
    bool tells_time = count > 0 && strcmp(words[0], "--time") == 0;
    tells_calls = count > 0 && strcmp(words[0], "--calls") == 0;
    if (tells_calls || tells_time)
        words++, count--;
    if (!find_mode(count, words, &mode)) {
        fputs("usage: baseline [--calls | --time] check | devices | matrix common | matrix all\n", stderr);
        return 2;
    }
    double began = milliseconds();
    ask_all(mode);
    if (tells_time)
        printf("%.3f\n", milliseconds() - began);
    return EXIT_SUCCESS;
}
