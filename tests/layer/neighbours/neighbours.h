// SPDX-License-Identifier: Apache-2.0
//
// Layers that imitate those of other projects. Tests link the libraries that the loader opens, and so read their
// counters.
#ifndef VKZIRCON_TESTS_NEIGHBOURS_H_
#define VKZIRCON_TESTS_NEIGHBOURS_H_

#define SEEN extern __attribute__((visibility("default")))

// asker.c: asks the layer below for vkCreateDevice with no instance, as Mesa's overlay, MangoHud and vkBasalt do.
SEEN unsigned asker_devices; // created so far

// wrapper.c: wraps the handles of the instance and of its physical devices, as gfxreconstruct and RenderDoc do. It ends
// the program on a handle that it did not return.
SEEN unsigned wrapper_devices;

#endif
