// SPDX-License-Identifier: Apache-2.0
//
// Calls chain_rewrite() with chains of known and unknown structs and random rules, and checks the driver's view: no
// struct is lost, no removed struct is left, and afterwards every struct is unchanged. Known structs are in read-only
// memory, and unknown ones end at the end of their memory.
#include "chain.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>

#define MOST_STRUCTS 40
#define ARENA        ((size_t)4096)
#define UNKNOWN      2000000000

struct kind {
    VkStructureType type;
    size_t size;
};

#define KIND(type, name)                                                                                               \
    { VK_STRUCTURE_TYPE_##type, sizeof(name) }

// Two families. A chain has structs of one family, each at most once.
static const struct kind kinds[2][10] = {
    {
        KIND(DEDICATED_ALLOCATION_MEMORY_ALLOCATE_INFO_NV, VkDedicatedAllocationMemoryAllocateInfoNV),
        KIND(EXPORT_MEMORY_ALLOCATE_INFO, VkExportMemoryAllocateInfo),
        KIND(EXPORT_MEMORY_ALLOCATE_INFO_NV, VkExportMemoryAllocateInfoNV),
        KIND(IMPORT_MEMORY_FD_INFO_KHR, VkImportMemoryFdInfoKHR),
        KIND(IMPORT_MEMORY_HOST_POINTER_INFO_EXT, VkImportMemoryHostPointerInfoEXT),
        KIND(IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA, VkImportMemoryZirconHandleInfoFUCHSIA),
        KIND(MEMORY_ALLOCATE_FLAGS_INFO, VkMemoryAllocateFlagsInfo),
        KIND(MEMORY_DEDICATED_ALLOCATE_INFO, VkMemoryDedicatedAllocateInfo),
        KIND(MEMORY_OPAQUE_CAPTURE_ADDRESS_ALLOCATE_INFO, VkMemoryOpaqueCaptureAddressAllocateInfo),
        KIND(MEMORY_PRIORITY_ALLOCATE_INFO_EXT, VkMemoryPriorityAllocateInfoEXT),
    },
    {
        KIND(BUFFER_COLLECTION_IMAGE_CREATE_INFO_FUCHSIA, VkBufferCollectionImageCreateInfoFUCHSIA),
        KIND(EXTERNAL_MEMORY_IMAGE_CREATE_INFO, VkExternalMemoryImageCreateInfo),
        KIND(EXTERNAL_MEMORY_IMAGE_CREATE_INFO_NV, VkExternalMemoryImageCreateInfoNV),
        KIND(IMAGE_COMPRESSION_CONTROL_EXT, VkImageCompressionControlEXT),
        KIND(IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT, VkImageDrmFormatModifierExplicitCreateInfoEXT),
        KIND(IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT, VkImageDrmFormatModifierListCreateInfoEXT),
        KIND(IMAGE_FORMAT_LIST_CREATE_INFO, VkImageFormatListCreateInfo),
        KIND(IMAGE_STENCIL_USAGE_CREATE_INFO, VkImageStencilUsageCreateInfo),
        KIND(IMAGE_SWAPCHAIN_CREATE_INFO_KHR, VkImageSwapchainCreateInfoKHR),
        KIND(VIDEO_PROFILE_LIST_INFO_KHR, VkVideoProfileListInfoKHR),
    },
};

struct link {
    VkBaseOutStructure *node;
    size_t size;
    void *before; // its bytes
    bool known;
    int rule; // -1: none
};

struct run {
    struct decisions decisions;
    uint8_t *arena;
    size_t used;
    struct link links[MOST_STRUCTS];
    size_t num_links;
    size_t num_kept; // up to the last one that a rule names
    struct chain_rule rules[4];
    size_t num_rules;
    VkBaseOutStructure replacements[4];
};

// Each of the ten is taken at most once: `taken` has a bit for each.
static struct kind decide_kind(struct run *run, uint32_t family, uint32_t *taken) {
    const uint32_t which = decide_below(&run->decisions, 24);
    if (which >= 10 || *taken & 1u << which)
        return (struct kind){(VkStructureType)(UNKNOWN + run->num_links), 16 + 4 * decide_below(&run->decisions, 12)};
    *taken |= 1u << which;
    return kinds[family][which];
}

static void add_struct(struct run *run, struct kind kind) {
    struct link *link = &run->links[run->num_links++];
    *link = (struct link){.size = kind.size, .known = kind.type < (VkStructureType)UNKNOWN, .rule = -1};
    if (link->known) {
        link->node = (void *)(run->arena + run->used);
        run->used += (kind.size + 15) & ~(size_t)15;
        FUZZ_EXPECT(run->used <= ARENA);
    } else {
        link->node = malloc(kind.size);
    }
    FUZZ_EXPECT(link->node);
    memset(link->node, (int)decide(&run->decisions), kind.size);
    link->node->sType = kind.type;
    link->node->pNext = NULL;
    if (run->num_links > 1)
        run->links[run->num_links - 2].node->pNext = link->node;
}

static void decide_rules(struct run *run, uint32_t family) {
    run->num_rules = decide_below(&run->decisions, 5);
    for (size_t i = 0; i < run->num_rules; i++) {
        const uint32_t which = decide_below(&run->decisions, 10);
        run->replacements[i] = (VkBaseOutStructure){.sType = kinds[family][which].type};
        run->rules[i] = (struct chain_rule){
            .type = kinds[family][which].type,
            .replacement = decide_below(&run->decisions, 2) ? &run->replacements[i] : NULL,
        };
    }
}

static void apply_rules(struct run *run) {
    run->num_kept = 0;
    for (size_t i = 0; i < run->num_links; i++) {
        struct link *link = &run->links[i];
        for (size_t rule = run->num_rules; rule-- > 0;) { // of two rules for one type, the first counts
            if (run->rules[rule].type == link->node->sType)
                link->rule = (int)rule;
        }
        if (link->rule >= 0)
            run->num_kept = i + 1;
    }
}

static void make(struct run *run) {
    const uint32_t family = decide_below(&run->decisions, 2), count = decide_below(&run->decisions, MOST_STRUCTS + 1);
    uint32_t taken = 0;
    run->arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FUZZ_EXPECT(run->arena != MAP_FAILED);
    for (uint32_t i = 0; i < count; i++)
        add_struct(run, decide_kind(run, family, &taken));
    decide_rules(run, family);
    apply_rules(run);
    for (size_t i = 0; i < run->num_links; i++) {
        run->links[i].before = malloc(run->links[i].size);
        FUZZ_EXPECT(run->links[i].before);
        memcpy(run->links[i].before, run->links[i].node, run->links[i].size);
    }
    FUZZ_EXPECT_EQ(mprotect(run->arena, ARENA, PROT_READ), 0);
}

// The members after the first two, which every struct has.
static bool same_payload(const void *left, const void *right, size_t size) {
    const size_t head = sizeof(VkBaseInStructure);
    return size <= head || memcmp((const char *)left + head, (const char *)right + head, size - head) == 0;
}

static void check_link(const struct run *run, const struct link *link, size_t index, const VkBaseInStructure *seen) {
    FUZZ_EXPECT(seen);
    FUZZ_EXPECT_EQ(seen->sType, link->node->sType);
    if (link->rule >= 0)
        FUZZ_EXPECT((const void *)seen == run->rules[link->rule].replacement);
    else if (index >= run->num_kept)
        FUZZ_EXPECT((const void *)seen == link->node);
    else
        FUZZ_EXPECT(same_payload(seen, link->before, link->size));
}

static void check_what_goes_down(const struct run *run, const struct chain *chain) {
    const VkBaseInStructure *seen = chain->first;
    for (size_t i = 0; i < run->num_links; i++) {
        const struct link *link = &run->links[i];
        if (link->rule >= 0 && !run->rules[link->rule].replacement)
            continue;
        check_link(run, link, i, seen);
        seen = seen->pNext;
    }
    FUZZ_EXPECT(!seen);
}

static void check_and_free(struct run *run) {
    for (size_t i = 0; i < run->num_links; i++) {
        struct link *link = &run->links[i];
        FUZZ_EXPECT(memcmp(link->node, link->before, link->size) == 0);
        free(link->before);
        if (!link->known)
            free(link->node);
    }
    munmap(run->arena, ARENA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct run run = {.decisions = {data, size}};
    struct chain chain;
    make(&run);
    const void *first = run.num_links ? run.links[0].node : NULL;
    chain_rewrite(&chain, first, run.rules, run.num_rules);
    check_what_goes_down(&run, &chain);
    check_and_free(&run);
    return 0;
}
