// SPDX-License-Identifier: Apache-2.0
//
// Removes or replaces structs of a pNext chain for the layer below. The chain belongs to the application and is const,
// so the structs up to the last one that a rule names are copied. The structs after it are linked unchanged.
//
// A copy needs the size of the struct. struct_sizes.h has those of all structs that Vulkan's registry allows there,
// also of those that the installed headers do not know. Of a struct that is newer than the table, CHAIN_UNKNOWN bytes
// are copied, or those before memory that cannot be read.
#ifndef VKZIRCON_CHAIN_H_
#define VKZIRCON_CHAIN_H_

#include "layer.h"

#define CHAIN_UNKNOWN ((size_t)256) // more than twice the size of any struct in the table
#define CHAIN_BYTES   ((size_t)64 * CHAIN_UNKNOWN)

struct chain_rule {
    VkStructureType type;
    void *replacement; // its pNext is overwritten; NULL removes the struct
};

struct chain {
    const void *first; // for the layer below, valid as long as this struct
    size_t used;
    _Alignas(16) unsigned char copies[CHAIN_BYTES]; // a struct that finds no room is left out
};

// The first struct of this type, or NULL.
const void *chain_find(const void *first, VkStructureType type);

// The size of a struct with this type, or 0 if it is not in the table.
size_t chain_struct_size(VkStructureType type);

void chain_rewrite(struct chain *chain, const void *first, const struct chain_rule *rules, size_t num_rules);

#endif
