// SPDX-License-Identifier: Apache-2.0
//
// Faults: the ways in which a driver or a kernel can be wrong. VKZIRCON_EMULATION turns them on for the layer and for
// libzircon.so: "persona=goldfish,fault=export-zero,fault=hang-in-export". A persona is a list of faults. Programs
// cannot ask which one is on.
#ifndef VKZIRCON_FAULTS_H_
#define VKZIRCON_FAULTS_H_

#include <stdbool.h>
#include <stddef.h>
#include <zircon/syscalls.h>

// Names are public and never change. The order is alphabetical.
#define VKZ_FAULTS(X)                                                                                                  \
    X(BAD_HANDLE_KILLS, "bad-handle-kills",                                                                            \
      "Every zx call except ZX_INFO_HANDLE_VALID kills the process if its handle is bad, as a job policy can.")        \
    X(CAPABILITIES_CLOBBER_HEADER, "capabilities-clobber-header",                                                      \
      "The external buffer, image and semaphore queries set sType of their output to 0.")                              \
    X(CAPABILITIES_UNWRITTEN, "capabilities-unwritten",                                                                \
      "The external buffer, image and semaphore queries return without writing their output.")                         \
    X(CHANNEL_COPIES, "channel-copies", "A VMO that is written to a channel arrives as a copy.")                       \
    X(COPY_ON_WRITE_VMO, "copy-on-write-vmo", "Exported VMOs have the flag IS_COW_CLONE.")                             \
    X(CPU_DEVICE, "cpu-device", "The device has the type CPU.")                                                        \
    X(DEDICATED_ONLY_REPORTED, "dedicated-only-reported",                                                              \
      "The external buffer and image queries report DEDICATED_ONLY, but plain allocations work.")                      \
    X(DENY_ALL, "deny-all", "The external buffer and image queries report no support, but everything works.")          \
    X(DENY_BUFFERS, "deny-buffers",                                                                                    \
      "The external buffer queries report no support, but the image queries do; buffers and images can be shared.")    \
    X(DENY_EXPORT, "deny-export", "The external buffer and image queries omit EXPORTABLE, but export works.")          \
    X(DENY_IMPORT, "deny-import", "The external buffer and image queries omit IMPORTABLE, but import works.")          \
    X(DEVICE_LOST_IN_EXPORT, "device-lost-in-export",                                                                  \
      "vkGetMemoryZirconHandleFUCHSIA returns VK_ERROR_DEVICE_LOST, and the device stays lost.")                       \
    X(DEVICE_LOST_IN_SUBMIT, "device-lost-in-submit",                                                                  \
      "vkQueueSubmit returns VK_ERROR_DEVICE_LOST, and the device stays lost.")                                        \
    X(DISCARDABLE_VMO, "discardable-vmo", "Exported VMOs have the flag DISCARDABLE.")                                  \
    X(DISCRETE_DEVICE, "discrete-device", "The device has the type discrete GPU.")                                     \
    X(EXPORT_CLOSED_HANDLE, "export-closed-handle",                                                                    \
      "vkGetMemoryZirconHandleFUCHSIA returns a number that looks like a handle but is not open.")                     \
    X(EXPORT_EVENT, "export-event", "vkGetMemoryZirconHandleFUCHSIA returns a handle to an event.")                    \
    X(EXPORT_ODD_HANDLE, "export-odd-handle",                                                                          \
      "vkGetMemoryZirconHandleFUCHSIA returns a number like a file descriptor, without the low bits of a handle.")     \
    X(EXPORT_UNWRITTEN, "export-unwritten",                                                                            \
      "vkGetMemoryZirconHandleFUCHSIA returns VK_SUCCESS without writing the handle.")                                 \
    X(EXPORT_ZERO, "export-zero", "vkGetMemoryZirconHandleFUCHSIA returns VK_SUCCESS with handle 0.")                  \
    X(EXTRA_PAGE, "extra-page", "The exported VMO is 15 bytes larger, which is usually one page more.")                \
    X(FAILED_IMPORT_CLOSES_HANDLE, "failed-import-closes-handle",                                                      \
      "A failed import closes the handle, which still belongs to the caller.")                                         \
    X(FEWER_RIGHTS, "fewer-rights", "Exported handles lack the rights WRITE, MAP and TRANSFER.")                       \
    X(FOREIGN_IMPORT_REFUSED, "foreign-import-refused",                                                                \
      "Importing a VMO that Vulkan did not export returns VK_ERROR_INVALID_EXTERNAL_HANDLE.")                          \
    X(FOREIGN_PROPERTIES_ZERO, "foreign-properties-zero",                                                              \
      "The properties of a VMO that Vulkan did not export name no memory type.")                                       \
    X(HANDLE_COUNT_LATE, "handle-count-late",                                                                          \
      "The first two results of ZX_INFO_HANDLE_COUNT for a VMO are one too small.")                                    \
    X(HANDLE_COUNT_WAVERS, "handle-count-wavers", "Every second ZX_INFO_HANDLE_COUNT of a VMO is one too large.")      \
    X(HIDE_GET_HANDLE, "hide-get-handle", "vkGetDeviceProcAddr returns NULL for vkGetMemoryZirconHandleFUCHSIA.")      \
    X(HIDE_PROPERTIES, "hide-properties",                                                                              \
      "vkGetDeviceProcAddr returns NULL for vkGetMemoryZirconHandlePropertiesFUCHSIA.")                                \
    X(IMMUTABLE_VMO, "immutable-vmo", "Exported VMOs have the flag IMMUTABLE.")                                        \
    X(IMPORT_COPIES, "import-copies", "An import copies the bytes of the VMO instead of sharing them.")                \
    X(IMPORT_ELSEWHERE_REFUSED, "import-elsewhere-refused",                                                            \
      "Importing what another process exported returns VK_ERROR_INVALID_EXTERNAL_HANDLE.")                             \
    X(IMPORT_IGNORES_SIZE, "import-ignores-size",                                                                      \
      "An import larger than the VMO succeeds if the host's driver allows it; using the rest faults.")                 \
    X(IMPORT_IS_EXPORTABLE, "import-is-exportable",                                                                    \
      "Imported memory can be exported without an export struct in its allocation.")                                   \
    X(IMPORT_KEEPS_HANDLE, "import-keeps-handle",                                                                      \
      "An import duplicates the handle and leaves the caller's open, so that it leaks.")                               \
    X(IMPORT_KEEPS_NUMBER, "import-keeps-number",                                                                      \
      "An import keeps the handle under its old number, which vkFreeMemory closes.")                                   \
    X(IMPORT_KILLS, "import-kills", "Importing a handle that is bad or lacks the right DUPLICATE aborts the process.") \
    X(IMPORT_NEEDS_EXTRA_PAGE, "import-needs-extra-page",                                                              \
      "An import returns VK_ERROR_MEMORY_MAP_FAILED unless the VMO is 15 bytes larger than the allocation.")           \
    X(INCOMPATIBLE_WITH_ITSELF, "incompatible-with-itself",                                                            \
      "The external buffer and image queries omit ZIRCON_VMO from compatibleHandleTypes.")                             \
    X(INCOMPLETE_FOREVER, "incomplete-forever",                                                                        \
      "vkEnumerateDeviceExtensionProperties returns VK_INCOMPLETE for any array size.")                                \
    X(INTEGRATED_DEVICE, "integrated-device", "The device has the type integrated GPU.")                               \
    X(INVALID_IMPORT, "invalid-import", "Every import returns VK_ERROR_INVALID_EXTERNAL_HANDLE.")                      \
    X(LARGE_ATOM, "large-atom", "nonCoherentAtomSize is 256, the largest value that is allowed.")                      \
    X(LARGE_REFUSED, "large-refused", "Allocating more than 1 MiB for export returns VK_ERROR_OUT_OF_DEVICE_MEMORY.")  \
    X(LARGEST_SIZE_REFUSED, "largest-size-refused",                                                                    \
      "maxMemoryAllocationSize is 1 GiB, but the last 15 bytes of it cannot be allocated.")                            \
    X(LEAK_HANDLE, "leak-handle", "vkFreeMemory of imported memory leaves its handle open.")                           \
    X(LEAK_MEMORY, "leak-memory", "Every import leaks some memory of the process.")                                    \
    X(MAP_FAILS, "map-fails", "vkMapMemory of exported or imported memory returns VK_ERROR_MEMORY_MAP_FAILED.")        \
    X(NAME_EMPTY, "name-empty", "The device's name is empty.")                                                         \
    X(NAME_HOSTILE, "name-hostile", "The device's name has markup, escape sequences, line ends and text directions.")  \
    X(NAME_NOT_UTF8, "name-not-utf8", "The device's name is not UTF-8.")                                               \
    X(NAME_UNTERMINATED, "name-unterminated", "The device's name fills all of its 256 bytes, without a NUL.")          \
    X(NO_DEPENDENCY, "no-dependency", "The device is a Vulkan 1.0 device that does not list VK_KHR_external_memory.")  \
    X(NO_DEVICE, "no-device", "vkEnumeratePhysicalDevices finds no device.")                                           \
    X(NO_HANDLE_STATS, "no-handle-stats", "ZX_INFO_PROCESS_HANDLE_STATS returns ZX_ERR_ACCESS_DENIED.")                \
    X(NO_HANDLE_TYPE_REFUSED, "no-handle-type-refused",                                                                \
      "An import or export struct without a handle type returns VK_ERROR_INVALID_EXTERNAL_HANDLE.")                    \
    X(NO_NAME, "no-name", "Exported VMOs have no name.")                                                               \
    X(NULL_MEMORY_KILLS, "null-memory-kills",                                                                          \
      "vkGetMemoryZirconHandleFUCHSIA crashes if its memory is VK_NULL_HANDLE.")                                       \
    X(ODD_RESULT_IN_EXPORT, "odd-result-in-export",                                                                    \
      "vkGetMemoryZirconHandleFUCHSIA returns VK_ERROR_INITIALIZATION_FAILED, which the spec does not list.")          \
    X(ODD_RESULT_IN_IMPORT, "odd-result-in-import",                                                                    \
      "A failed import returns VK_ERROR_MEMORY_MAP_FAILED, which the spec does not list.")                             \
    X(ODD_RESULT_IN_PROPERTIES, "odd-result-in-properties",                                                            \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA returns VK_ERROR_INITIALIZATION_FAILED, which the spec does not "      \
      "list.")                                                                                                         \
    X(ODD_SIZE, "odd-size", "The exported VMO is 512 bytes larger than whole pages.")                                  \
    X(OLD_DATA, "old-data", "A newly exported VMO is full of old bytes.")                                              \
    X(OLD_DATA_BEHIND, "old-data-behind",                                                                              \
      "The exported VMO is usually one page larger, and its last bytes are old data.")                                 \
    X(OLD_KERNEL, "old-kernel", "The kernel supports only the first version of ZX_INFO_VMO.")                          \
    X(ONE_BYTE_CHANGED, "one-byte-changed", "An import changes one bit in the middle of the VMO.")                     \
    X(ONE_POOL, "one-pool", "All exports of a device that exist at the same time are one VMO.")                        \
    X(PHYSICAL_VMO, "physical-vmo",                                                                                    \
      "Exported VMOs are physical: zx_vmo_read, zx_vmo_write and cache operations return ZX_ERR_NOT_SUPPORTED.")       \
    X(PROPERTIES_ACCEPT_GARBAGE, "properties-accept-garbage",                                                          \
      "The properties of any number except 0 name every memory type that a VMO can have.")                             \
    X(PROPERTIES_BY_NUMBER, "properties-by-number",                                                                    \
      "The properties of an exported VMO name memory types only for the handle that was returned last.")               \
    X(PROPERTIES_CLOBBER_HEADER, "properties-clobber-header",                                                          \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA sets sType of its output to 0.")                                       \
    X(PROPERTIES_CLOSE_HANDLE, "properties-close-handle",                                                              \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA closes the handle, which belongs to the caller.")                      \
    X(PROPERTIES_MISS_TYPE, "properties-miss-type",                                                                    \
      "The properties omit the memory type of the export, and name the others, if there are any.")                     \
    X(PROPERTIES_NEED_DUPLICATE, "properties-need-duplicate",                                                          \
      "The properties of a handle without the right DUPLICATE return VK_ERROR_INVALID_EXTERNAL_HANDLE.")               \
    X(PROPERTIES_PAST_COUNT, "properties-past-count", "The properties also name a memory type that does not exist.")   \
    X(PROPERTIES_UNWRITTEN, "properties-unwritten",                                                                    \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA returns VK_SUCCESS without writing its output.")                       \
    X(PROPERTIES_ZERO, "properties-zero", "The properties of every VMO name no memory type.")                          \
    X(RANDOM_ANSWERS, "random-answers",                                                                                \
      "Some results, counts, bits and handles are random; random-answers=SEED, with a number, changes which.")         \
    X(RECYCLES_MEMORY, "recycles-memory",                                                                              \
      "vkFreeMemory of exported memory overwrites the VMO, even if other handles to it are open.")                     \
    X(REFUSE_DEVICE, "refuse-device", "vkCreateDevice with the extension returns VK_ERROR_INITIALIZATION_FAILED.")     \
    X(REFUSE_ENUMERATION, "refuse-enumeration", "vkEnumeratePhysicalDevices returns VK_ERROR_INITIALIZATION_FAILED.")  \
    X(REFUSE_EXPORT, "refuse-export", "Allocating memory for export returns VK_ERROR_OUT_OF_DEVICE_MEMORY.")           \
    X(REFUSE_GET, "refuse-get", "vkGetMemoryZirconHandleFUCHSIA returns VK_ERROR_TOO_MANY_OBJECTS.")                   \
    X(REFUSE_IMPORT, "refuse-import", "Every import returns VK_ERROR_OUT_OF_DEVICE_MEMORY.")                           \
    X(REFUSE_PLAIN_EXPORT, "refuse-plain-export",                                                                      \
      "Allocating memory for export returns VK_ERROR_OUT_OF_DEVICE_MEMORY unless it is dedicated.")                    \
    X(REFUSE_PROPERTIES, "refuse-properties",                                                                          \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA returns VK_ERROR_INVALID_EXTERNAL_HANDLE.")                            \
    X(RESIZABLE_VMO, "resizable-vmo", "Exported VMOs are resizable.")                                                  \
    X(REVISION_99, "revision-99", "The extension is listed with revision 99.")                                         \
    X(SAME_HANDLE_TWICE, "same-handle-twice",                                                                          \
      "vkGetMemoryZirconHandleFUCHSIA returns the same number again for the same memory.")                             \
    X(SECOND_GET_CHILD, "second-get-child",                                                                            \
      "From the second call on, vkGetMemoryZirconHandleFUCHSIA returns another VMO with the same pages.")              \
    X(SECOND_GET_COPIES, "second-get-copies",                                                                          \
      "From the second call on, vkGetMemoryZirconHandleFUCHSIA returns a copy of the VMO.")                            \
    X(SEMAPHORE_LISTED, "semaphore-listed", "VK_FUCHSIA_external_semaphore is listed, but its commands do not exist.") \
    X(SEMAPHORE_OFFERED, "semaphore-offered",                                                                          \
      "VK_FUCHSIA_external_semaphore is listed, and reported for events, but its commands do not exist.")              \
    X(SMALL_REFUSED, "small-refused", "Allocating less than a page for export returns VK_ERROR_OUT_OF_DEVICE_MEMORY.") \
    X(SYSMEM_VMO, "sysmem-vmo", "Exported VMOs are children of another VMO, to which the kernel counts the bytes.")    \
    X(TALKS_ON_STDERR, "talks-on-stderr", "The driver prints to stderr in vkCreateInstance and in every export.")      \
    X(TALKS_ON_STDOUT, "talks-on-stdout", "The driver prints to stdout in vkCreateInstance and in every export.")      \
    X(UNCACHED_VMO, "uncached-vmo",                                                                                    \
      "Exported VMOs have the cache policy UNCACHED: programs can map them, but zx_vmo_read and zx_vmo_write fail.")   \
    X(UNEXPORTABLE_INIT_FAILED, "unexportable-init-failed",                                                            \
      "vkGetMemoryZirconHandleFUCHSIA of memory not for export returns VK_ERROR_INITIALIZATION_FAILED.")               \
    X(UNEXPORTABLE_INVALID_HANDLE, "unexportable-invalid-handle",                                                      \
      "vkGetMemoryZirconHandleFUCHSIA of memory not for export returns VK_ERROR_INVALID_EXTERNAL_HANDLE.")             \
    X(UNSUPPORTED_IMAGES_SUCCEED, "unsupported-images-succeed",                                                        \
      "The external image query returns VK_SUCCESS without features instead of VK_ERROR_FORMAT_NOT_SUPPORTED.")        \
    X(VIRTUAL_DEVICE, "virtual-device", "The device has the type virtual GPU.")                                        \
    X(VMO_TOO_SMALL, "vmo-too-small", "The exported VMO is one page smaller than the allocation needs.")               \
    X(WRONG_TYPE_INIT_FAILED, "wrong-type-init-failed",                                                                \
      "The properties of another handle type return VK_ERROR_INITIALIZATION_FAILED.")

// The calls in which a process can end or hang. Each has four more faults: "abort-in-POINT" and so on.
#define VKZ_POINTS(X)                                                                                                  \
    X(ALLOCATE, "allocate", "vkAllocateMemory of memory that is not imported")                                         \
    X(BIND, "bind", "vkBindBufferMemory and vkBindImageMemory")                                                        \
    X(CAPABILITIES, "capabilities", "the external buffer and image queries")                                           \
    X(CREATE_BUFFER, "create-buffer", "vkCreateBuffer")                                                                \
    X(CREATE_DEVICE, "create-device", "vkCreateDevice")                                                                \
    X(CREATE_INSTANCE, "create-instance", "vkCreateInstance")                                                          \
    X(DESTROY_DEVICE, "destroy-device", "vkDestroyDevice")                                                             \
    X(DESTROY_INSTANCE, "destroy-instance", "vkDestroyInstance")                                                       \
    X(DEVICE_EXTENSIONS, "device-extensions", "vkEnumerateDeviceExtensionProperties")                                  \
    X(DEVICE_PROPERTIES, "device-properties", "vkGetPhysicalDeviceProperties")                                         \
    X(ENUMERATE_DEVICES, "enumerate-devices", "vkEnumeratePhysicalDevices")                                            \
    X(EXPORT, "export", "vkGetMemoryZirconHandleFUCHSIA")                                                              \
    X(FREE, "free", "vkFreeMemory")                                                                                    \
    X(IMPORT, "import", "vkAllocateMemory of imported memory")                                                         \
    X(LOAD, "load", "the loading of the driver")                                                                       \
    X(MAP, "map", "vkMapMemory")                                                                                       \
    X(PROPERTIES, "properties", "vkGetMemoryZirconHandlePropertiesFUCHSIA")                                            \
    X(SUBMIT, "submit", "vkQueueSubmit")                                                                               \
    X(VMAR_MAP, "vmar-map", "zx_vmar_map")                                                                             \
    X(VMO_READ, "vmo-read", "zx_vmo_read")                                                                             \
    X(WAIT, "wait", "vkWaitForFences")

enum vkz_fault {
#define VKZ_FAULT_ID(id, name, description) VKZ_FAULT_##id,
    VKZ_FAULTS(VKZ_FAULT_ID)
#undef VKZ_FAULT_ID
        VKZ_FAULT_COUNT // without the four faults of each point
};

enum vkz_point {
#define VKZ_POINT_ID(id, name, where) VKZ_POINT_##id,
    VKZ_POINTS(VKZ_POINT_ID)
#undef VKZ_POINT_ID
        VKZ_POINT_COUNT
};

// Whether this fault is on. The first call reads the environment, and so does the first call in a forked child.
ZX_EXPORT bool vkz_fault(enum vkz_fault fault);

// Whether any fault is on, including those of the points.
ZX_EXPORT bool vkz_any_fault(void);

// Whether the next answer is random, and a random number for it. Only with random-answers, whose seed decides how many
// answers are. A process draws the same numbers again in its next run.
ZX_EXPORT bool vkz_random(uint64_t *random);

// Called at the start of the call that the point stands for. Does not return if the process has to end or hang there.
ZX_EXPORT void vkz_point(enum vkz_point point);

// Ends the process by an access to memory that is not accessible.
_Noreturn ZX_EXPORT void vkz_segfault(void);

// NULL, or why the emulation cannot run: a sentence that quotes the invalid part of VKZIRCON_EMULATION (no fault is on
// then), or one that names the system call that refused a VMO's memfd.
ZX_EXPORT const char *vkz_emulation_error(void);

// All faults and personas, for programs that list or check names. NULL past the end. Independent of the environment.
ZX_EXPORT size_t vkz_fault_count(void);
ZX_EXPORT const char *vkz_fault_name(size_t index);
ZX_EXPORT const char *vkz_fault_description(size_t index);
ZX_EXPORT size_t vkz_persona_count(void);
ZX_EXPORT const char *vkz_persona_name(size_t index);
ZX_EXPORT const char *vkz_persona_description(size_t index);
ZX_EXPORT const char *vkz_persona_faults(size_t index); // names separated by commas; "" for none

#endif
