// SPDX-License-Identifier: Apache-2.0
//
// Where the layer does something wrong because a fault is on. Without one, each of these does nothing, or answers that
// there is nothing to do.
#ifndef VKZIRCON_FAULTY_H_
#define VKZIRCON_FAULTY_H_

#include "device_memory.h"

// Instances and devices.
void faulty_talk(const char *where);
bool faulty_hides(const char *command);
bool faulty_replaces_dependency(const struct physical_device *physical);
void faulty_list_semaphore(VkExtensionProperties *properties, uint32_t count);
void faulty_capabilities(VkExternalMemoryProperties *told);
void faulty_clobber(VkImageFormatProperties2 *properties);

// Lost with this fault, or before: then VK_ERROR_DEVICE_LOST, now and ever after.
VkResult faulty_lost(struct device *device, enum vkz_fault fault);

// Allocations. Before anything else is done, VK_SUCCESS or what to refuse the request with:
VkResult faulty_refusal(const struct request *request, VkDeviceSize asked);

// the VMO that an export is to have, in place of the right one;
zx_status_t faulty_make_vmo(struct device *device, struct memory *memory);

// what happens to an export, or to an import, once its pages are mapped;
zx_status_t faulty_export(struct memory *memory);
zx_status_t faulty_import(struct memory *memory);

// whether the imported handle was dealt with, though not as it should be;
bool faulty_take_handle(struct memory *memory, zx_handle_t handle);

// what a failed import answers;
VkResult faulty_import_failure(zx_handle_t handle, VkResult result);

// what happens to the pages when the memory is freed.
void faulty_free(struct memory *memory);

// vkGetMemoryZirconHandleFUCHSIA: VK_SUCCESS, or what it is refused with; its answer for memory that may not be
// exported; the handle, if any, that it gives. Only with some fault on, the last one.
VkResult faulty_get_refusal(struct device *device, const VkMemoryGetZirconHandleInfoFUCHSIA *info);
VkResult faulty_unexportable(VkResult result);
zx_status_t faulty_give(struct device *device, const struct memory *memory, zx_handle_t *handle);

// vkGetMemoryZirconHandlePropertiesFUCHSIA: whether it answers without looking at the handle; what it tells instead of
// what it found out. Only with some fault on, the last one.
bool faulty_takes_anything(const struct device *device, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t handle,
                           uint32_t *types);
VkResult faulty_tell_types(const struct device *device, VkExternalMemoryHandleTypeFlagBits type, zx_handle_t handle,
                           VkResult result, uint32_t types, VkMemoryZirconHandlePropertiesFUCHSIA *properties);

#endif
