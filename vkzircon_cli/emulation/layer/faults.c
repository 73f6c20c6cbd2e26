// SPDX-License-Identifier: Apache-2.0
//
// libzircon.so: the list of faults and personas, and the faults that are on.
#include "faults.h"
#include "zircon_memfd.h"
#include "zircon_objects.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum action { NONE, ABORT, EXIT, HANG, SEGFAULT };
#define FIRST_ACTION ABORT

// The plain faults, then those of the points by action.
static const struct listed {
    const char *name;
    const char *description;
} faults[] = {
#define PLAIN(id, name, description) {name, description},
#define ABORTS(id, name, where)      {"abort-in-" name, "Calls abort() in " where "."},
#define EXITS(id, name, where)       {"exit-in-" name, "Calls exit(0) in " where "."},
#define HANGS(id, name, where)       {"hang-in-" name, "Never returns from " where "."},
#define SEGFAULTS(id, name, where)   {"segfault-in-" name, "Accesses memory that is not accessible in " where "."},
    // clang-format off
    VKZ_FAULTS(PLAIN)
    VKZ_POINTS(ABORTS)
    VKZ_POINTS(EXITS)
    VKZ_POINTS(HANGS)
    VKZ_POINTS(SEGFAULTS)
    // clang-format on
};

#define NUM_FAULTS (sizeof faults / sizeof faults[0])

// Each fault imitates behavior in the source of that driver. Behavior that the emulation cannot show, or that is the
// strict behavior too, is left out.
static const struct persona {
    struct listed listed;
    const char *faults;
} personas[] = {
    {{"goldfish", "gfxstream's driver for Fuchsia (Mesa, guest/vulkan_enc/ResourceTracker.cpp)."},
     "foreign-import-refused,"   // a VMO from zx_vmo_create cannot be imported
     "foreign-properties-zero,"  // a VMO unknown to the host: no memory type; the newest source names DEVICE_LOCAL ones
     "import-kills,"             // a handle that is bad or lacks DUPLICATE: abort()
     "refuse-plain-export,"      // without a dedicated image or buffer: VK_ERROR_OUT_OF_DEVICE_MEMORY
     "sysmem-vmo,"               // VMOs of sysmem have a parent and no committed bytes
     "unexportable-init-failed," // memory that is unknown or not for export: VK_ERROR_INITIALIZATION_FAILED
     "virtual-device,"           // the host's GPU is a virtual one here
     "wrong-type-init-failed"},  // properties of another handle type: VK_ERROR_INITIALIZATION_FAILED
    {{"magma", "Fuchsia's fork of Mesa's Intel driver, anv, over magma (an old one)."},
     "integrated-device,"          // inferred from the hardware
     "properties-need-duplicate"}, // the driver duplicates the handle; a failure is VK_ERROR_INVALID_EXTERNAL_HANDLE
    {{"strict", "A driver without faults."}, ""},
    {{"swiftshader", "SwiftShader with its memory for Fuchsia (src/Vulkan/VkDeviceMemoryExternalFuchsia.hpp)."},
     // VkPhysicalDevice.cpp
     "cpu-device,"   // PhysicalDevice::getProperties
     "deny-buffers," // getProperties of VkPhysicalDeviceExternalBufferInfo has no case for VMOs, that of images has
     "large-atom,"   // getLimits
     "semaphore-offered," // getProperties of VkPhysicalDeviceExternalSemaphoreInfo
     // VkDeviceMemoryExternalFuchsia.hpp
     "failed-import-closes-handle," // ~VmoExternalMemory
     "import-ignores-size,"         // VmoExternalMemory::allocate never compares the VMO's size
     "import-is-exportable,"        // VmoExternalMemory::exportHandle needs no export struct
     "import-keeps-number,"         // VmoExternalMemory::deallocate closes it
     "no-name,"                     // VmoExternalMemory::allocate never names the VMO
     "odd-result-in-import,"        // VmoExternalMemory::allocate: every failure is VK_ERROR_MEMORY_MAP_FAILED
     // VkDeviceMemory.cpp
     "extra-page,"                  // DeviceMemory::Allocate: allocationSize += 15
     "largest-size-refused,"        // DeviceMemory::allocate compares the sum with MAX_MEMORY_ALLOCATION_SIZE
     "no-handle-type-refused,"      // DeviceMemory::ParseAllocationInfo refuses handle type 0
     "unexportable-invalid-handle," // DeviceMemory::exportHandle
     // libVulkan.cpp
     "null-memory-kills,"          // vkGetMemoryZirconHandleFUCHSIA dereferences VK_NULL_HANDLE
     "properties-accept-garbage"}, // vkGetMemoryZirconHandlePropertiesFUCHSIA refuses 0 only
};

#define NUM_PERSONAS (sizeof personas / sizeof personas[0])

static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct {
    bool on[VKZ_FAULT_COUNT];
    enum action actions[VKZ_POINT_COUNT];
    bool any;
    uint64_t seed;
    _Atomic uint64_t draws;
    char error[200];
} emulation;

struct word {
    const char *text;
    size_t length;
};

static bool word_is(const struct word *word, const char *text) {
    return strlen(text) == word->length && memcmp(text, word->text, word->length) == 0;
}

// Takes the next word from a list with commas. False at its end. Empty words are skipped.
static bool next_word(const char **list, struct word *word) {
    *list += strspn(*list, ",");
    *word = (struct word){*list, strcspn(*list, ",")};
    *list += word->length;
    return word->length > 0;
}

// Whether the word is "key=VALUE". The word then becomes VALUE.
static bool take_key(struct word *word, const char *key) {
    const size_t length = strlen(key);
    if (word->length < length || memcmp(word->text, key, length) != 0)
        return false;
    word->text += length;
    word->length -= length;
    return true;
}

static void turn_on(size_t index) {
    emulation.any = true;
    if (index < VKZ_FAULT_COUNT)
        emulation.on[index] = true;
    else
        emulation.actions[(index - VKZ_FAULT_COUNT) % VKZ_POINT_COUNT] =
            (enum action)(FIRST_ACTION + (index - VKZ_FAULT_COUNT) / VKZ_POINT_COUNT);
}

// Whether the word is random-answers with a seed of at most 9 digits, which is taken off it.
static void take_seed(struct word *word) {
    static const char digits[] = "0123456789";
    struct word seed = *word;
    if (!take_key(&seed, "random-answers=") || seed.length < 1 || seed.length > 9 ||
        strspn(seed.text, digits) < seed.length)
        return;
    emulation.seed = strtoul(seed.text, NULL, 10);
    word->length -= seed.length + 1;
}

static bool turn_on_fault(const struct word *all) {
    struct word taken = *all;
    const struct word *word = &taken;
    take_seed(&taken);
    for (size_t i = 0; i < NUM_FAULTS; i++) {
        if (word_is(word, faults[i].name)) {
            turn_on(i);
            return true;
        }
    }
    return false;
}

static bool turn_on_persona(const struct word *word) {
    for (size_t i = 0; i < NUM_PERSONAS; i++) {
        if (!word_is(word, personas[i].listed.name))
            continue;
        struct word fault;
        for (const char *list = personas[i].faults; next_word(&list, &fault);)
            turn_on_fault(&fault);
        return true;
    }
    return false;
}

static bool refuse(const char *what, const struct word *word) {
    const int shown = word->length < 100 ? (int)word->length : 100;
    snprintf(emulation.error, sizeof emulation.error, "VKZIRCON_EMULATION: %s \"%.*s\".", what, shown, word->text);
    return false;
}

static bool obey(struct word word) {
    if (take_key(&word, "fault="))
        return turn_on_fault(&word) || refuse("there is no fault", &word);
    if (take_key(&word, "persona="))
        return turn_on_persona(&word) || refuse("there is no persona", &word);
    return refuse("only persona=NAME and fault=NAME are understood, not", &word);
}

static void read_environment(void) {
    const char *list = getenv("VKZIRCON_EMULATION");
    struct word word;
    while (list && next_word(&list, &word)) {
        if (obey(word))
            continue;
        memset(emulation.on, 0, sizeof emulation.on); // a part of the settings would be another emulation
        memset(emulation.actions, 0, sizeof emulation.actions);
        emulation.any = false;
        return;
    }
}

void faults_forget(void) {
    memset(&emulation, 0, sizeof emulation);
    once = (pthread_once_t)PTHREAD_ONCE_INIT;
}

bool vkz_fault(enum vkz_fault fault) {
    pthread_once(&once, read_environment);
    return emulation.on[fault];
}

bool vkz_any_fault(void) {
    pthread_once(&once, read_environment);
    return emulation.any;
}

const char *vkz_emulation_error(void) {
    pthread_once(&once, read_environment);
    if (emulation.error[0])
        return emulation.error;
    static _Thread_local char refused[128];
    const char *call = memfd_refused_call();
    if (call)
        snprintf(refused, sizeof refused, "%s: %s.", call, strerror(errno));
    return call ? refused : NULL;
}

// Not address 0, which sanitizers report as another error.
void vkz_segfault(void) {
    volatile char *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 1;
    abort();
}

void vkz_point(enum vkz_point point) {
    pthread_once(&once, read_environment);
    switch (emulation.actions[point]) {
    case NONE:
        return;
    case ABORT:
        abort();
    case EXIT:
        exit(EXIT_SUCCESS); // which looks like success to the parent process
    case HANG:
        for (;;)
            pause();
    case SEGFAULT:
        vkz_segfault();
    }
}

// SplitMix64: a hash of the draw's number.
static uint64_t draw(void) {
    uint64_t mixed = (emulation.seed << 32) + atomic_fetch_add(&emulation.draws, 1) + 1;
    mixed *= 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

// One answer in 2 to 512, so that some seeds let a program go far.
bool vkz_random(uint64_t *random) {
    if (!vkz_fault(VKZ_FAULT_RANDOM_ANSWERS) || draw() % (UINT64_C(2) << emulation.seed % 9))
        return false;
    *random = draw();
    return true;
}

size_t vkz_fault_count(void) {
    return NUM_FAULTS;
}

const char *vkz_fault_name(size_t index) {
    return index < NUM_FAULTS ? faults[index].name : NULL;
}

const char *vkz_fault_description(size_t index) {
    return index < NUM_FAULTS ? faults[index].description : NULL;
}

size_t vkz_persona_count(void) {
    return NUM_PERSONAS;
}

const char *vkz_persona_name(size_t index) {
    return index < NUM_PERSONAS ? personas[index].listed.name : NULL;
}

const char *vkz_persona_description(size_t index) {
    return index < NUM_PERSONAS ? personas[index].listed.description : NULL;
}

const char *vkz_persona_faults(size_t index) {
    return index < NUM_PERSONAS ? personas[index].faults : NULL;
}
