// SPDX-License-Identifier: Apache-2.0
//
// The fuzzer of libzircon.so: the state of a run, and the parts of its calls.
#ifndef VKZIRCON_TESTS_FUZZ_ZIRCON_H_
#define VKZIRCON_TESTS_FUZZ_ZIRCON_H_

#include "fuzz.h"
#include "model.h"

struct run {
    struct decisions decisions;
    struct model model;
    zx_koid_t newest_koid;
    zx_handle_t closed; // the last one, whose value may belong to another object by now
};

typedef void (*operation)(struct run *run);

// Any handle: most often a good one, else 0, garbage, or one that was closed.
zx_handle_t decide_handle(struct run *run);

// Records a handle from the library, and checks its information against the model.
void note_handle(struct run *run, struct object *object, zx_rights_t rights, zx_handle_t value);

// fuzz_vmos.c
uint64_t decide_small_size(struct run *run);
void create_vmo(struct run *run);
void create_child(struct run *run);
void get_size(struct run *run);
void read_vmo(struct run *run);
void write_vmo(struct run *run);
void operate_on_range(struct run *run);
void set_cache_policy(struct run *run);

// fuzz_mappings.c
void map_vmo(struct run *run);
void map_for_device(struct run *run);
void unmap_vmo(struct run *run);
void touch_mapping(struct run *run);

#endif
