// SPDX-License-Identifier: Apache-2.0
//
// Shared by the decorators, which replace the hooks of hooks.h while some fault is on. Each decorates one command.
#ifndef VKZIRCON_FAULTY_H_
#define VKZIRCON_FAULTY_H_

#include "device_memory.h"
#include "faults.h"
#include "hooks.h"

#define FAULTY_LARGEST_SIZE ((VkDeviceSize)1 << 30) // SwiftShader's maxMemoryAllocationSize

// Prints what talks-on-stderr and talks-on-stdout promise.
void faulty_talk(const char *where);

// With random-answers each of these replaces some answers. VK_SUCCESS means that the driver is asked.
VkResult faulty_result(void);
void faulty_bits(uint32_t *bits);
void faulty_count(uint32_t *count, uint32_t most);
void faulty_size(VkDeviceSize *size);
void faulty_bytes(void *bytes, size_t size);

// VK_ERROR_DEVICE_LOST from the first call with this fault on, for the rest of the device's life.
VkResult faulty_lost(struct device *device, enum vkz_fault fault);

#endif
