// SPDX-License-Identifier: Apache-2.0
#include "chain.h"
#include "struct_sizes.h"

#include <sys/uio.h>
#include <unistd.h>

size_t chain_struct_size(VkStructureType type) {
    switch ((uint32_t)type) {
#define CASE(number, name, members)                                                                                    \
    case number:                                                                                                       \
        return sizeof(struct {                                                                                         \
            uint32_t type;                                                                                             \
            void *next;                                                                                                \
            members                                                                                                    \
        });
        STRUCT_SIZES(CASE)
#undef CASE
    default:
        return 0;
    }
}

const void *chain_find(const void *first, VkStructureType type) {
    const VkBaseInStructure *node = first;
    while (node && node->sType != type)
        node = node->pNext;
    return node;
}

static const struct chain_rule *rule_for(const VkBaseInStructure *node, const struct chain_rule *rules, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (rules[i].type == node->sType)
            return &rules[i];
    }
    return NULL;
}

static const VkBaseInStructure *last_ruled(const VkBaseInStructure *first, const struct chain_rule *rules, size_t n) {
    const VkBaseInStructure *last = NULL;
    for (const VkBaseInStructure *node = first; node; node = node->pNext) {
        if (rule_for(node, rules, n))
            last = node;
    }
    return last;
}

// Copies at most CHAIN_UNKNOWN bytes. The system finds out where readable memory ends. If a sandbox refuses the call,
// the bytes up to the end of the page are copied.
static void copy_unknown(void *copy, const void *node) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t left = page - (uintptr_t)node % page;
    const size_t here = left < CHAIN_UNKNOWN ? left : CHAIN_UNKNOWN;
    const struct iovec to = {copy, CHAIN_UNKNOWN};
    const struct iovec from[2] = {
        {(void *)(uintptr_t)node, here},
        {(void *)((uintptr_t)node + here), CHAIN_UNKNOWN - here},
    };
    memset(copy, 0, CHAIN_UNKNOWN);
    if (process_vm_readv(getpid(), &to, 1, from, 2, 0) < (ssize_t)here)
        memcpy(copy, node, here);
}

// NULL if no room is left.
static VkBaseOutStructure *copy_node(struct chain *chain, const VkBaseInStructure *node) {
    const size_t known = chain_struct_size(node->sType);
    const size_t size = known ? (known + 15) & ~(size_t)15 : CHAIN_UNKNOWN;
    if (size > CHAIN_BYTES - chain->used)
        return NULL;
    void *copy = chain->copies + chain->used;
    chain->used += size;
    if (known)
        memcpy(copy, node, known);
    else
        copy_unknown(copy, node);
    return copy;
}

void chain_rewrite(struct chain *chain, const void *first, const struct chain_rule *rules, size_t num_rules) {
    const VkBaseInStructure *last = last_ruled(first, rules, num_rules);
    chain->first = first;
    chain->used = 0;
    if (!last)
        return;
    VkBaseOutStructure head, *tail = &head;
    for (const VkBaseInStructure *node = first; node != last->pNext; node = node->pNext) {
        const struct chain_rule *rule = rule_for(node, rules, num_rules);
        VkBaseOutStructure *ours = rule ? rule->replacement : copy_node(chain, node);
        if (ours)
            tail = tail->pNext = ours;
    }
    tail->pNext = (VkBaseOutStructure *)(uintptr_t)last->pNext;
    chain->first = head.pNext;
}
