// SPDX-License-Identifier: Apache-2.0
//
// What libzircon.so offers beyond Zircon, to the layer and to vkzircon itself. No other program may use it, and it may
// change with every version; vkz_version() is how a program notices that its "Zircon" is this emulation.
#ifndef VKZIRCON_ZIRCON_PRIVATE_H_
#define VKZIRCON_ZIRCON_PRIVATE_H_

#include <stdbool.h>
#include <zircon/syscalls.h>

#define VKZ_UUID_SIZE 16 // VK_UUID_SIZE

// A VMO's pages are backed, and mapped for a device, in units of this many bytes: the largest
// minImportedHostPointerAlignment that Vulkan allows a driver to demand. zx_system_get_page_size() stays the system's.
#define VKZ_GRANULE ((size_t)65536)

// The version of the emulation, never NULL.
ZX_EXPORT const char *vkz_version(void);

// Maps the first `size` bytes of a VMO, rounded up to VKZ_GRANULE and aligned to it, for reading and writing. The VMO
// counts it as one mapping, which outlives the handle; zx_vmar_unmap(zx_vmar_root_self(), *address, *length) ends it.
// BAD_HANDLE; WRONG_TYPE; ACCESS_DENIED without READ, WRITE and MAP; OUT_OF_RANGE unless 0 < size <= the VMO's size.
ZX_EXPORT zx_status_t vkz_vmo_map(zx_handle_t vmo, uint64_t size, zx_vaddr_t *address, size_t *length);

// What the layer notes at a VMO that it exported, and finds there through every handle. A slice or a snapshot has none.
struct vkz_origin {
    bool exported;
    uint32_t memory_type;
    zx_handle_t given; // the last number that it was given out under
    uint32_t process;  // the id of the one that exported it
};

// BAD_HANDLE, WRONG_TYPE. Nothing is noted at a VMO that did not come from Vulkan: `exported` is false.
ZX_EXPORT zx_status_t vkz_vmo_set_origin(zx_handle_t vmo, const struct vkz_origin *origin);
ZX_EXPORT zx_status_t vkz_vmo_get_origin(zx_handle_t vmo, struct vkz_origin *origin);

// Lets a VMO have a size that no kernel would give it; the pages stay as they are. For a wrong driver's VMO, and at
// most a page more than it has.
ZX_EXPORT zx_status_t vkz_vmo_set_size(zx_handle_t vmo, uint64_t size);

// The layer says here why it does not offer the extension on the physical device of this deviceUUID (zeros where the
// instance cannot tell one); "" says that it does.
ZX_EXPORT void vkz_device_set_reason(const uint8_t uuid[VKZ_UUID_SIZE], const char *reason);

// The newest answer for this device: NULL when the layer was never asked about it, "" when the extension is offered, a
// sentence when it is not. The text lives as long as the process.
ZX_EXPORT const char *vkz_device_reason(const uint8_t uuid[VKZ_UUID_SIZE]);

#endif
