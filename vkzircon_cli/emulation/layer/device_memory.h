// SPDX-License-Identifier: Apache-2.0
//
// Records of exported and imported memory, and the steps of an allocation.
#ifndef VKZIRCON_DEVICE_MEMORY_H_
#define VKZIRCON_DEVICE_MEMORY_H_

#include "device.h"

struct memory {
    struct registry_entry entry; // by VkDeviceMemory
    zx_handle_t vmo;             // the layer's own handle, closed when the memory is freed
    bool exportable;
    bool imported;
    uint32_t type;
    zx_handle_t given; // the last handle value that the application got, for faults only
    zx_vaddr_t pages;
    size_t length;
    VkDeviceSize asked; // allocationSize from the application
    VkDeviceSize size;  // allocationSize for the driver
};

// What an application's VkMemoryAllocateInfo asks of the extension.
struct request {
    bool imports;
    bool exports;
    bool refused;   // needs another handle type
    bool dedicated; // to a buffer or an image
    zx_handle_t handle;
};

struct request memory_request(const VkMemoryAllocateInfo *info);

// What an allocation does with VMOs.
struct memory_steps {
    // Makes the VMO of an export.
    zx_status_t (*make_vmo)(struct device *device, struct memory *memory);

    // Maps the pages of an export's VMO or of an imported one.
    zx_status_t (*map)(struct memory *memory, zx_handle_t vmo);

    // Ends the application's handle after an import.
    zx_status_t (*take_handle)(struct memory *memory, zx_handle_t handle);
};

// Allocates memory for a request that exports or imports.
VkResult memory_allocate(struct device *device, const struct memory_steps *steps, const struct request *request,
                         const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *allocator,
                         VkDeviceMemory *handle);

// The record, or NULL, while device->mutex is held.
static inline struct memory *memory_find_locked(struct device *device, VkDeviceMemory handle) {
    return (struct memory *)registry_find(&device->memories, (uint64_t)handle);
}

// Copies the record so that no lock is held afterwards. False for memory that is neither exportable nor imported.
bool memory_find(struct device *device, VkDeviceMemory handle, struct memory *memory);

// Copies the record of memory that may be exported as the command's info asks.
bool memory_find_exportable(struct device *device, const VkMemoryGetZirconHandleInfoFUCHSIA *info,
                            struct memory *memory);

// The result of an export whose zx call answered `status`.
VkResult memory_export_result(zx_status_t status);

#endif
