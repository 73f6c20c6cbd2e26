// SPDX-License-Identifier: Apache-2.0
//
// Takes structs out of a pNext chain, or puts others in their place, without changing or losing the rest.
//
// The chain belongs to the application and is const, so it cannot be edited; a copy would need every struct's size, and
// there may be structs that we have never heard of. So: whatever follows the last struct that a rule names is linked as
// it is. Before it, a struct of a type in our table is copied, with its size. A struct that is not in the table cannot
// be copied, and dropping it would change what the application asked for: where the struct behind it is another one
// than before, its pNext is redirected in place for the duration of the call, and chain_restore() puts it back. That
// needs the struct to be writable, and two threads that share such a chain take turns in the driver.
#ifndef VKZIRCON_CHAIN_H_
#define VKZIRCON_CHAIN_H_

#include "layer.h"

#define CHAIN_BYTES   512
#define CHAIN_PATCHES 32 // a struct that is copied takes 32 bytes, so that at most half as many are

struct chain_rule {
    VkStructureType type;
    void *replacement; // a struct of ours, whose pNext is overwritten; NULL takes the struct out
};

struct chain {
    const void *first; // what to pass down
    size_t used;
    _Alignas(16) unsigned char copies[CHAIN_BYTES];
    bool redirects; // structs of the application's, and so holds the lock
    size_t num_patches;
    struct {
        VkBaseOutStructure *node;
        VkBaseOutStructure *next;
    } patches[CHAIN_PATCHES];
};

// The first struct of this type, or NULL. For chains that are never rewritten.
const void *chain_find(const void *first, VkStructureType type);

// Copies the first struct of this type, which has `size` bytes; false where there is none. Waits while another thread
// has this chain redirected.
bool chain_read(const void *first, VkStructureType type, void *copy, size_t size);

// Every call is paired with chain_restore(), after the driver returned.
void chain_rewrite(struct chain *chain, const void *first, const struct chain_rule *rules, size_t num_rules);
void chain_restore(struct chain *chain);

#endif
