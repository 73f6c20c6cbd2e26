// SPDX-License-Identifier: Apache-2.0
//
// The parts of observe_all(): each reports its aspects.
#ifndef VKZIRCON_TESTS_OBSERVE_H_
#define VKZIRCON_TESTS_OBSERVE_H_

#include "scene.h"

void observe_device(const struct scene *scene);

void observe_object(const struct scene *scene, const struct shared *ours, zx_handle_t handle);
void observe_second(const struct scene *scene, const struct shared *ours, zx_handle_t handle);
void observe_asking(const struct scene *scene, zx_handle_t handle); // ZX_HANDLE_INVALID unless it is an exported VMO

void observe_import(const struct scene *scene, const struct shared *ours, zx_handle_t handle);
void observe_other_imports(const struct scene *scene);
void observe_growth(const struct scene *scene);
void observe_bad_handles(const struct scene *scene);

#endif
