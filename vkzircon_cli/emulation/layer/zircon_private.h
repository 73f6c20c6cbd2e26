// SPDX-License-Identifier: Apache-2.0
//
// Calls of libzircon.so for the layer and for vkzircon itself, which Zircon does not have. They may change with every
// version. Other programs may use vkz_version() only, to detect the emulation.
#ifndef VKZIRCON_ZIRCON_PRIVATE_H_
#define VKZIRCON_ZIRCON_PRIVATE_H_

#include <stdbool.h>
#include <zircon/syscalls.h>

#define VKZ_UUID_SIZE 16 // VK_UUID_SIZE

// The unit in which a VMO's pages are backed and mapped for a device: the largest minImportedHostPointerAlignment that
// Vulkan allows. zx_system_get_page_size() is the system's page size.
#define VKZ_GRANULE ((size_t)65536)

// The version of the emulation. Never NULL.
ZX_EXPORT const char *vkz_version(void);

// Maps the first `size` bytes of a VMO for reading and writing, with size and address rounded up to VKZ_GRANULE. The
// mapping keeps the VMO alive; zx_vmar_unmap(zx_vmar_root_self(), *address, *length) ends it.
// BAD_HANDLE; WRONG_TYPE; ACCESS_DENIED without READ, WRITE and MAP; OUT_OF_RANGE unless 0 < size <= the VMO's size.
ZX_EXPORT zx_status_t vkz_vmo_map(zx_handle_t vmo, uint64_t size, zx_vaddr_t *address, size_t *length);

// What the layer notes at an exported VMO. It is the same through every handle; a slice or a snapshot has none.
struct vkz_origin {
    bool exported;
    uint32_t memory_type;
    zx_handle_t given; // the last handle value that the layer returned
    uint32_t process;  // the id of the exporting process
};

// BAD_HANDLE, WRONG_TYPE. `exported` is false for a VMO that the layer did not export.
ZX_EXPORT zx_status_t vkz_vmo_set_origin(zx_handle_t vmo, const struct vkz_origin *origin);
ZX_EXPORT zx_status_t vkz_vmo_get_origin(zx_handle_t vmo, struct vkz_origin *origin);

// Sets a size that a kernel would not give, at most one page larger. The pages do not change. For faults only.
ZX_EXPORT zx_status_t vkz_vmo_set_size(zx_handle_t vmo, uint64_t size);

// Sets and clears ZX_INFO_VMO_ flags that zx_vmo_create cannot set. Without TYPE_PAGED the VMO is physical. For faults
// only.
ZX_EXPORT zx_status_t vkz_vmo_change_flags(zx_handle_t vmo, uint32_t set, uint32_t clear);

// Notes why the layer does not offer the extension on the physical device with this deviceUUID, which is zeros if the
// instance cannot query it. "" means that the layer offers it.
ZX_EXPORT void vkz_device_set_reason(const uint8_t uuid[VKZ_UUID_SIZE], const char *reason);

// The newest note for this device: NULL without one, "" if the extension is offered, otherwise a sentence. The text is
// valid until the process ends.
ZX_EXPORT const char *vkz_device_reason(const uint8_t uuid[VKZ_UUID_SIZE]);

#endif
