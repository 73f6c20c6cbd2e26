// SPDX-License-Identifier: Apache-2.0
//
// Removes or replaces structs of a pNext chain. The other structs stay in the chain unchanged.
//
// The chain is const and belongs to the application, and a copy needs the size of each struct, which the layer does not
// know for all types. The structs after the last one that a rule names are linked unchanged. A struct before it is
// copied if its size is in the table. Otherwise it must stay in the chain, because the application asked for it: if the
// struct after it changes, its pNext is redirected until chain_restore(). The struct must then be writable, and threads
// that share such a chain call the driver one after another.
#ifndef VKZIRCON_CHAIN_H_
#define VKZIRCON_CHAIN_H_

#include "layer.h"

#define CHAIN_BYTES   512
#define CHAIN_PATCHES 32 // a copied struct takes at least 32 bytes, so at most half as many are copied

struct chain_rule {
    VkStructureType type;
    void *replacement; // its pNext is overwritten; NULL removes the struct
};

struct chain {
    const void *first; // for the layer below
    size_t used;
    _Alignas(16) unsigned char copies[CHAIN_BYTES];
    bool redirects; // structs of the application, and holds the lock
    size_t num_patches;
    struct {
        VkBaseOutStructure *node;
        VkBaseOutStructure *next;
    } patches[CHAIN_PATCHES];
};

// The first struct of this type, or NULL. For chains that the layer never rewrites.
const void *chain_find(const void *first, VkStructureType type);

// Copies the first struct of this type, which has `size` bytes. False without one. Waits while another thread redirects
// this chain.
bool chain_read(const void *first, VkStructureType type, void *copy, size_t size);

// chain_restore() must follow after the call to the driver.
void chain_rewrite(struct chain *chain, const void *first, const struct chain_rule *rules, size_t num_rules);
void chain_restore(struct chain *chain);

#endif
