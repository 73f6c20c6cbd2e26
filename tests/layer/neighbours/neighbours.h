// SPDX-License-Identifier: Apache-2.0
//
// Layers as other people write them. Tests link the very libraries that the loader opens, and so see what they count.
#ifndef VKZIRCON_TESTS_NEIGHBOURS_H_
#define VKZIRCON_TESTS_NEIGHBOURS_H_

#define SEEN extern __attribute__((visibility("default")))

// asker.c: asks the layer below for vkCreateDevice with no instance, as Mesa's overlay, MangoHud and vkBasalt do.
SEEN unsigned asker_devices; // created so far

// wrapper.c: has handles of its own for the instance and its physical devices, as gfxreconstruct and RenderDoc have. It
// ends the program that brings it another.
SEEN unsigned wrapper_devices;

#endif
