// SPDX-License-Identifier: Apache-2.0
//
// A hash table whose entries are members of the structs that it finds. It neither allocates nor locks.
#ifndef VKZIRCON_REGISTRY_H_
#define VKZIRCON_REGISTRY_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef REGISTRY_BUCKETS
#define REGISTRY_BUCKETS 256 // at most, because the hash has eight bits
#endif

struct registry_entry { // must be the first member, so that a pointer to it is also a pointer to the struct
    struct registry_entry *next;
    uint64_t key;
};

struct registry {
    struct registry_entry *buckets[REGISTRY_BUCKETS];
};

// Handles are often addresses, whose low bits are equal.
static inline struct registry_entry **registry_bucket(struct registry *registry, uint64_t key) {
    return &registry->buckets[((key * 0x9e3779b97f4a7c15u) >> 56) % REGISTRY_BUCKETS];
}

static inline void registry_add(struct registry *registry, struct registry_entry *entry, uint64_t key) {
    struct registry_entry **bucket = registry_bucket(registry, key);
    entry->key = key;
    entry->next = *bucket;
    *bucket = entry;
}

static inline struct registry_entry *registry_find(struct registry *registry, uint64_t key) {
    struct registry_entry *entry = *registry_bucket(registry, key);
    while (entry && entry->key != key)
        entry = entry->next;
    return entry;
}

static inline struct registry_entry *registry_take(struct registry *registry, uint64_t key) {
    struct registry_entry **link = registry_bucket(registry, key);
    while (*link && (*link)->key != key)
        link = &(*link)->next;
    struct registry_entry *entry = *link;
    if (entry)
        *link = entry->next;
    return entry;
}

// Keys may repeat here: removes this entry and no other.
static inline void registry_remove(struct registry *registry, const struct registry_entry *entry) {
    struct registry_entry **link = registry_bucket(registry, entry->key);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
}

static inline struct registry_entry *
registry_find_if(struct registry *registry, bool (*matches)(const struct registry_entry *entry, uint64_t argument),
                 uint64_t argument) {
    for (size_t i = 0; i < REGISTRY_BUCKETS; i++) {
        for (struct registry_entry *entry = registry->buckets[i]; entry; entry = entry->next) {
            if (matches(entry, argument))
                return entry;
        }
    }
    return NULL;
}

static inline struct registry_entry *registry_take_any(struct registry *registry) {
    for (size_t i = 0; i < REGISTRY_BUCKETS; i++) {
        if (registry->buckets[i])
            return registry_take(registry, registry->buckets[i]->key);
    }
    return NULL;
}

#endif
