// SPDX-License-Identifier: Apache-2.0
//
// The calls of the emulated libzircon.so, with Fuchsia's prototypes. A program that needs other calls does not link.
#ifndef ZIRCON_SYSCALLS_H_
#define ZIRCON_SYSCALLS_H_

#include <zircon/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ZX_EXPORT __attribute__((visibility("default")))
#else
#define ZX_EXPORT
#endif

// Handles. zx_handle_replace() invalidates its handle on failure too; closing ZX_HANDLE_INVALID is not an error.
ZX_EXPORT zx_status_t zx_handle_close(zx_handle_t handle);
ZX_EXPORT zx_status_t zx_handle_close_many(const zx_handle_t *handles, size_t num_handles);
ZX_EXPORT zx_status_t zx_handle_duplicate(zx_handle_t handle, zx_rights_t rights, zx_handle_t *out);
ZX_EXPORT zx_status_t zx_handle_replace(zx_handle_t handle, zx_rights_t rights, zx_handle_t *out);
ZX_EXPORT zx_status_t zx_handle_check_valid(zx_handle_t handle);

// Objects of any type.
ZX_EXPORT zx_status_t zx_object_get_info(zx_handle_t handle, uint32_t topic, void *buffer, size_t buffer_size,
                                         size_t *actual, size_t *avail);
ZX_EXPORT zx_status_t zx_object_get_property(zx_handle_t handle, uint32_t property, void *value, size_t value_size);
ZX_EXPORT zx_status_t zx_object_set_property(zx_handle_t handle, uint32_t property, const void *value,
                                             size_t value_size);
ZX_EXPORT zx_status_t zx_object_signal(zx_handle_t handle, uint32_t clear_mask, uint32_t set_mask);
ZX_EXPORT zx_status_t zx_object_wait_one(zx_handle_t handle, zx_signals_t signals, zx_time_t deadline,
                                         zx_signals_t *observed);
ZX_EXPORT zx_status_t zx_event_create(uint32_t options, zx_handle_t *out);

// Channels. Messages can carry VMOs and ends of other channels, but not events (NOT_SUPPORTED). A write closes its
// handles on success and on failure. The system's socket buffers hold about 200 KiB of unread messages; a write then
// returns NO_MEMORY. A read of a message that zx_channel_write() did not write returns IO_DATA_INTEGRITY and drops it.
// In another process an object keeps koid, bytes and rights. Each process then has its own name, content size, cache
// policy, children and handle count of it.
ZX_EXPORT zx_status_t zx_channel_create(uint32_t options, zx_handle_t *out0, zx_handle_t *out1);
ZX_EXPORT zx_status_t zx_channel_write(zx_handle_t handle, uint32_t options, const void *bytes, uint32_t num_bytes,
                                       const zx_handle_t *handles, uint32_t num_handles);
ZX_EXPORT zx_status_t zx_channel_read(zx_handle_t handle, uint32_t options, void *bytes, zx_handle_t *handles,
                                      uint32_t num_bytes, uint32_t num_handles, uint32_t *actual_bytes,
                                      uint32_t *actual_handles);

// Virtual memory objects.
ZX_EXPORT zx_status_t zx_vmo_create(uint64_t size, uint32_t options, zx_handle_t *out);
ZX_EXPORT zx_status_t zx_vmo_create_child(zx_handle_t handle, uint32_t options, uint64_t offset, uint64_t size,
                                          zx_handle_t *out);
ZX_EXPORT zx_status_t zx_vmo_get_size(zx_handle_t handle, uint64_t *size);
ZX_EXPORT zx_status_t zx_vmo_read(zx_handle_t handle, void *buffer, uint64_t offset, size_t buffer_size);
ZX_EXPORT zx_status_t zx_vmo_write(zx_handle_t handle, const void *buffer, uint64_t offset, size_t buffer_size);
ZX_EXPORT zx_status_t zx_vmo_op_range(zx_handle_t handle, uint32_t op, uint64_t offset, uint64_t size, void *buffer,
                                      size_t buffer_size);
ZX_EXPORT zx_status_t zx_vmo_set_cache_policy(zx_handle_t handle, uint32_t cache_policy);

// Address space. Only the root VMAR exists.
ZX_EXPORT zx_status_t zx_vmar_map(zx_handle_t handle, zx_vm_option_t options, size_t vmar_offset, zx_handle_t vmo,
                                  uint64_t vmo_offset, size_t len, zx_vaddr_t *mapped_addr);
ZX_EXPORT zx_status_t zx_vmar_unmap(zx_handle_t handle, zx_vaddr_t addr, size_t len);

// Borrowed handles: never close them. On Fuchsia these two live in libc.so and <zircon/process.h>.
ZX_EXPORT zx_handle_t zx_process_self(void);
ZX_EXPORT zx_handle_t zx_vmar_root_self(void);

ZX_EXPORT zx_time_t zx_clock_get_monotonic(void);
ZX_EXPORT uint32_t zx_system_get_page_size(void);
ZX_EXPORT const char *zx_status_get_string(zx_status_t status);

// The emulation does not have these. They are declared for sources that mention them, such as wrappers of handles in
// C++: a program that calls one does not link.
zx_time_t zx_deadline_after(zx_duration_t duration);
zx_status_t zx_nanosleep(zx_time_t deadline);
zx_ticks_t zx_ticks_get(void);
zx_ticks_t zx_ticks_per_second(void);
zx_status_t zx_object_get_child(zx_handle_t handle, uint64_t koid, zx_rights_t rights, zx_handle_t *out);
zx_status_t zx_object_set_profile(zx_handle_t handle, zx_handle_t profile, uint32_t options);
zx_status_t zx_object_signal_peer(zx_handle_t handle, uint32_t clear_mask, uint32_t set_mask);
zx_status_t zx_object_wait_async(zx_handle_t handle, zx_handle_t port, uint64_t key, zx_signals_t signals,
                                 uint32_t options);
zx_status_t zx_object_wait_many(zx_wait_item_t *items, size_t num_items, zx_time_t deadline);
zx_status_t zx_channel_call(zx_handle_t handle, uint32_t options, zx_time_t deadline,
                            const zx_channel_call_args_t *args, uint32_t *actual_bytes, uint32_t *actual_handles);
zx_status_t zx_vmo_create_contiguous(zx_handle_t bti, size_t size, uint32_t alignment_log2, zx_handle_t *out);
zx_status_t zx_vmo_create_physical(zx_handle_t resource, zx_paddr_t address, size_t size, zx_handle_t *out);
zx_status_t zx_vmo_replace_as_executable(zx_handle_t handle, zx_handle_t vmex, zx_handle_t *out);
zx_status_t zx_vmo_set_size(zx_handle_t handle, uint64_t size);
zx_status_t zx_vmo_transfer_data(zx_handle_t destination, uint32_t options, uint64_t offset, uint64_t length,
                                 zx_handle_t source, uint64_t source_offset);
zx_status_t zx_vmar_allocate(zx_handle_t parent, zx_vm_option_t options, uint64_t offset, uint64_t size,
                             zx_handle_t *child_vmar, zx_vaddr_t *child_address);
zx_status_t zx_vmar_destroy(zx_handle_t handle);
zx_status_t zx_vmar_op_range(zx_handle_t handle, uint32_t op, zx_vaddr_t address, size_t size, void *buffer,
                             size_t buffer_size);
zx_status_t zx_vmar_protect(zx_handle_t handle, zx_vm_option_t options, zx_vaddr_t addr, size_t len);

#ifdef __cplusplus
}
#endif

#endif
