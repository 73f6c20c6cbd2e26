// SPDX-License-Identifier: Apache-2.0
//
// The ways in which a driver, or a kernel, can be wrong, one switch each. VKZIRCON_EMULATION turns them on, for the
// layer and libzircon.so alike: "persona=goldfish,fault=export-zero,fault=hang-in-export". A persona is a list of
// faults and nothing more: nobody can ask which one is on.
#ifndef VKZIRCON_FAULTS_H_
#define VKZIRCON_FAULTS_H_

#include <stdbool.h>
#include <stddef.h>
#include <zircon/syscalls.h>

// Names are public, and stay. In alphabetical order.
#define VKZ_FAULTS(X)                                                                                                  \
    X(BAD_HANDLE_KILLS, "bad-handle-kills",                                                                            \
      "Every zx call but ZX_INFO_HANDLE_VALID kills the process when its handle is bad, as a job policy may.")         \
    X(CAPABILITIES_CLOBBER_HEADER, "capabilities-clobber-header",                                                      \
      "The external buffer and image queries set their output's sType to 0.")                                          \
    X(CAPABILITIES_UNWRITTEN, "capabilities-unwritten",                                                                \
      "The external buffer and image queries return without having written anything.")                                 \
    X(CHANNEL_COPIES, "channel-copies", "A VMO that is written to a channel arrives as a copy of itself.")             \
    X(CPU_DEVICE, "cpu-device", "The device says that it is a CPU.")                                                   \
    X(DEDICATED_ONLY_REPORTED, "dedicated-only-reported",                                                              \
      "The external buffer and image queries say DEDICATED_ONLY, though plain allocations work.")                      \
    X(DENY_ALL, "deny-all", "The external buffer and image queries say that nothing is supported, though all works.")  \
    X(DENY_EXPORT, "deny-export", "The external buffer and image queries leave out EXPORTABLE, though export works.")  \
    X(DENY_IMPORT, "deny-import", "The external buffer and image queries leave out IMPORTABLE, though import works.")  \
    X(DEVICE_LOST_IN_EXPORT, "device-lost-in-export",                                                                  \
      "vkGetMemoryZirconHandleFUCHSIA answers VK_ERROR_DEVICE_LOST, and the device stays lost.")                       \
    X(DEVICE_LOST_IN_SUBMIT, "device-lost-in-submit",                                                                  \
      "vkQueueSubmit answers VK_ERROR_DEVICE_LOST, and the device stays lost.")                                        \
    X(DISCRETE_DEVICE, "discrete-device", "The device says that it is a discrete GPU.")                                \
    X(EXPORT_CLOSED_HANDLE, "export-closed-handle",                                                                    \
      "vkGetMemoryZirconHandleFUCHSIA gives a number of a handle's shape that is no open handle.")                     \
    X(EXPORT_EVENT, "export-event", "vkGetMemoryZirconHandleFUCHSIA gives a handle to an event.")                      \
    X(EXPORT_ODD_HANDLE, "export-odd-handle",                                                                          \
      "vkGetMemoryZirconHandleFUCHSIA gives a number such as a file descriptor has, without a handle's low bits.")     \
    X(EXPORT_UNWRITTEN, "export-unwritten",                                                                            \
      "vkGetMemoryZirconHandleFUCHSIA succeeds without having written anything.")                                      \
    X(EXPORT_ZERO, "export-zero", "vkGetMemoryZirconHandleFUCHSIA succeeds with handle 0.")                            \
    X(EXTRA_PAGE, "extra-page", "The exported VMO is made 15 bytes larger, and so mostly one page.")                   \
    X(FAILED_IMPORT_CLOSES_HANDLE, "failed-import-closes-handle",                                                      \
      "An import that fails closes the handle, which is still the caller's.")                                          \
    X(FEWER_RIGHTS, "fewer-rights", "Exported handles lack the rights WRITE, MAP and TRANSFER.")                       \
    X(FOREIGN_IMPORT_REFUSED, "foreign-import-refused",                                                                \
      "Importing a VMO that was not exported from Vulkan answers VK_ERROR_INVALID_EXTERNAL_HANDLE.")                   \
    X(FOREIGN_PROPERTIES_ZERO, "foreign-properties-zero",                                                              \
      "The properties of a VMO that was not exported from Vulkan name no memory type.")                                \
    X(HIDE_GET_HANDLE, "hide-get-handle", "vkGetDeviceProcAddr gives NULL for vkGetMemoryZirconHandleFUCHSIA.")        \
    X(HIDE_PROPERTIES, "hide-properties",                                                                              \
      "vkGetDeviceProcAddr gives NULL for vkGetMemoryZirconHandlePropertiesFUCHSIA.")                                  \
    X(IMPORT_COPIES, "import-copies", "An import copies the VMO's bytes instead of sharing them.")                     \
    X(IMPORT_ELSEWHERE_REFUSED, "import-elsewhere-refused",                                                            \
      "An import of what another process exported answers VK_ERROR_INVALID_EXTERNAL_HANDLE.")                          \
    X(IMPORT_IGNORES_SIZE, "import-ignores-size",                                                                      \
      "An import of more bytes than the VMO has succeeds, if the host's driver lets it; to touch the rest faults.")    \
    X(IMPORT_IS_EXPORTABLE, "import-is-exportable", "Imported memory can be exported though nobody asked for that.")   \
    X(IMPORT_KEEPS_HANDLE, "import-keeps-handle",                                                                      \
      "An import duplicates the handle and leaves the caller's open, so that nobody closes it.")                       \
    X(IMPORT_KEEPS_NUMBER, "import-keeps-number",                                                                      \
      "An import takes the handle under its old number, which vkFreeMemory closes.")                                   \
    X(IMPORT_KILLS, "import-kills", "Importing a handle that is bad, or may not be duplicated, aborts the process.")   \
    X(IMPORT_NEEDS_EXTRA_PAGE, "import-needs-extra-page",                                                              \
      "An import answers VK_ERROR_MEMORY_MAP_FAILED unless the VMO has 15 bytes more than are asked for.")             \
    X(INCOMPATIBLE_WITH_ITSELF, "incompatible-with-itself",                                                            \
      "The external buffer and image queries leave ZIRCON_VMO out of compatibleHandleTypes.")                          \
    X(INCOMPLETE_FOREVER, "incomplete-forever",                                                                        \
      "vkEnumerateDeviceExtensionProperties answers VK_INCOMPLETE, however much room there is.")                       \
    X(INTEGRATED_DEVICE, "integrated-device", "The device says that it is an integrated GPU.")                         \
    X(INVALID_IMPORT, "invalid-import", "Every import answers VK_ERROR_INVALID_EXTERNAL_HANDLE.")                      \
    X(LEAK_HANDLE, "leak-handle", "vkFreeMemory of imported memory leaves its handle open.")                           \
    X(LEAK_MEMORY, "leak-memory", "Every import of memory takes some more of the process's own, for good.")            \
    X(MAP_FAILS, "map-fails", "vkMapMemory of exported or imported memory answers VK_ERROR_MEMORY_MAP_FAILED.")        \
    X(NAME_EMPTY, "name-empty", "The device's name is empty.")                                                         \
    X(NAME_HOSTILE, "name-hostile", "The device's name has markup, escape sequences, line ends and text directions.")  \
    X(NAME_NOT_UTF8, "name-not-utf8", "The device's name is not UTF-8.")                                               \
    X(NAME_UNTERMINATED, "name-unterminated", "The device's name fills all of its 256 bytes, without a NUL.")          \
    X(NO_DEPENDENCY, "no-dependency", "The device is one of Vulkan 1.0 and does not list VK_KHR_external_memory.")     \
    X(NO_DEVICE, "no-device", "vkEnumeratePhysicalDevices finds no device.")                                           \
    X(NO_HANDLE_TYPE_REFUSED, "no-handle-type-refused",                                                                \
      "An import or export struct without a handle type answers VK_ERROR_INVALID_EXTERNAL_HANDLE.")                    \
    X(NO_NAME, "no-name", "Exported VMOs have no name.")                                                               \
    X(NULL_MEMORY_KILLS, "null-memory-kills",                                                                          \
      "vkGetMemoryZirconHandleFUCHSIA crashes when its memory is VK_NULL_HANDLE.")                                     \
    X(ODD_RESULT_IN_EXPORT, "odd-result-in-export",                                                                    \
      "vkGetMemoryZirconHandleFUCHSIA answers VK_ERROR_INITIALIZATION_FAILED, which it may not.")                      \
    X(ODD_RESULT_IN_IMPORT, "odd-result-in-import",                                                                    \
      "An import that fails answers VK_ERROR_MEMORY_MAP_FAILED, which it may not.")                                    \
    X(ODD_RESULT_IN_PROPERTIES, "odd-result-in-properties",                                                            \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA answers VK_ERROR_INITIALIZATION_FAILED, which it may not.")            \
    X(ODD_SIZE, "odd-size", "The exported VMO has 512 bytes more than whole pages.")                                   \
    X(OLD_DATA, "old-data", "A VMO that was just exported is full of old bytes.")                                      \
    X(OLD_KERNEL, "old-kernel", "The kernel knows only the first version of ZX_INFO_VMO.")                             \
    X(ONE_BYTE_CHANGED, "one-byte-changed", "An import changes one bit in the middle of the VMO.")                     \
    X(ONE_POOL, "one-pool", "What a device exports at the same time is one VMO.")                                      \
    X(PROPERTIES_ACCEPT_GARBAGE, "properties-accept-garbage",                                                          \
      "The properties of any number but 0 name every memory type that a VMO can have.")                                \
    X(PROPERTIES_BY_NUMBER, "properties-by-number",                                                                    \
      "Only under the number that was given out last do the properties of an exported VMO name memory types.")         \
    X(PROPERTIES_CLOBBER_HEADER, "properties-clobber-header",                                                          \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA sets its output's sType to 0.")                                        \
    X(PROPERTIES_CLOSE_HANDLE, "properties-close-handle",                                                              \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA closes the handle, which is the caller's.")                            \
    X(PROPERTIES_MISS_TYPE, "properties-miss-type",                                                                    \
      "The properties name other memory types, or none, but not the one that the VMO came from.")                      \
    X(PROPERTIES_NEED_DUPLICATE, "properties-need-duplicate",                                                          \
      "The properties of a handle without the right DUPLICATE are VK_ERROR_INVALID_EXTERNAL_HANDLE.")                  \
    X(PROPERTIES_PAST_COUNT, "properties-past-count", "The properties also name a memory type that does not exist.")   \
    X(PROPERTIES_UNWRITTEN, "properties-unwritten",                                                                    \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA succeeds without having written anything.")                            \
    X(PROPERTIES_ZERO, "properties-zero", "The properties of every VMO name no memory type.")                          \
    X(RECYCLES_MEMORY, "recycles-memory",                                                                              \
      "vkFreeMemory of exported memory overwrites the VMO, though others hold handles to it.")                         \
    X(REFUSE_DEVICE, "refuse-device", "vkCreateDevice with the extension answers VK_ERROR_INITIALIZATION_FAILED.")     \
    X(REFUSE_ENUMERATION, "refuse-enumeration", "vkEnumeratePhysicalDevices answers VK_ERROR_INITIALIZATION_FAILED.")  \
    X(REFUSE_EXPORT, "refuse-export", "Allocating memory for export answers VK_ERROR_OUT_OF_DEVICE_MEMORY.")           \
    X(REFUSE_GET, "refuse-get", "vkGetMemoryZirconHandleFUCHSIA answers VK_ERROR_TOO_MANY_OBJECTS.")                   \
    X(REFUSE_IMPORT, "refuse-import", "Every import answers VK_ERROR_OUT_OF_DEVICE_MEMORY.")                           \
    X(REFUSE_PLAIN_EXPORT, "refuse-plain-export",                                                                      \
      "Allocating memory for export answers VK_ERROR_OUT_OF_DEVICE_MEMORY unless it is dedicated.")                    \
    X(REFUSE_PROPERTIES, "refuse-properties",                                                                          \
      "vkGetMemoryZirconHandlePropertiesFUCHSIA answers VK_ERROR_INVALID_EXTERNAL_HANDLE.")                            \
    X(RESIZABLE_VMO, "resizable-vmo", "Exported VMOs are resizable.")                                                  \
    X(REVISION_99, "revision-99", "The extension is listed with revision 99.")                                         \
    X(SAME_HANDLE_TWICE, "same-handle-twice",                                                                          \
      "vkGetMemoryZirconHandleFUCHSIA gives the same number again for the same memory.")                               \
    X(SECOND_GET_CHILD, "second-get-child",                                                                            \
      "From the second time on, vkGetMemoryZirconHandleFUCHSIA gives another VMO with the same pages.")                \
    X(SECOND_GET_COPIES, "second-get-copies",                                                                          \
      "From the second time on, vkGetMemoryZirconHandleFUCHSIA gives a copy of the VMO.")                              \
    X(SEMAPHORE_LISTED, "semaphore-listed", "VK_FUCHSIA_external_semaphore is listed, and nothing of it is there.")    \
    X(SYSMEM_VMO, "sysmem-vmo", "Exported VMOs are children of another VMO, to which their bytes count.")              \
    X(TALKS_ON_STDERR, "talks-on-stderr", "The driver prints on stderr in vkCreateInstance and in every export.")      \
    X(TALKS_ON_STDOUT, "talks-on-stdout", "The driver prints on stdout in vkCreateInstance and in every export.")      \
    X(UNCACHED_VMO, "uncached-vmo",                                                                                    \
      "Exported VMOs have the cache policy UNCACHED: they can be mapped, but not read or written by the kernel.")      \
    X(UNEXPORTABLE_INIT_FAILED, "unexportable-init-failed",                                                            \
      "vkGetMemoryZirconHandleFUCHSIA of memory not for export answers VK_ERROR_INITIALIZATION_FAILED.")               \
    X(UNEXPORTABLE_INVALID_HANDLE, "unexportable-invalid-handle",                                                      \
      "vkGetMemoryZirconHandleFUCHSIA of memory not for export answers VK_ERROR_INVALID_EXTERNAL_HANDLE.")             \
    X(VIRTUAL_DEVICE, "virtual-device", "The device says that it is a virtual GPU.")                                   \
    X(VMO_TOO_SMALL, "vmo-too-small", "The exported VMO has one page less than the allocation needs.")                 \
    X(WRONG_TYPE_INIT_FAILED, "wrong-type-init-failed",                                                                \
      "The properties of another handle type are VK_ERROR_INITIALIZATION_FAILED.")

// Where a process can be made to end or to hang, by four more faults each: "abort-in-POINT" and so on.
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
        VKZ_FAULT_COUNT // without the four of each point
};

enum vkz_point {
#define VKZ_POINT_ID(id, name, where) VKZ_POINT_##id,
    VKZ_POINTS(VKZ_POINT_ID)
#undef VKZ_POINT_ID
        VKZ_POINT_COUNT
};

// Whether this one is on. The environment is read at the first question, and again by a forked child.
ZX_EXPORT bool vkz_fault(enum vkz_fault fault);

// Whether any is on, those of the points included.
ZX_EXPORT bool vkz_any_fault(void);

// Called at the beginning of what the point stands for; returns unless the process shall end or hang there.
ZX_EXPORT void vkz_point(enum vkz_point point);

// Dies of an access to memory that is not there.
_Noreturn ZX_EXPORT void vkz_segfault(void);

// NULL, or a sentence that quotes what VKZIRCON_EMULATION says and nobody understands. Nothing is on then.
ZX_EXPORT const char *vkz_emulation_error(void);

// All there is, for whoever lists or checks names. NULL past the end; asking reads no environment.
ZX_EXPORT size_t vkz_fault_count(void);
ZX_EXPORT const char *vkz_fault_name(size_t index);
ZX_EXPORT const char *vkz_fault_description(size_t index);
ZX_EXPORT size_t vkz_persona_count(void);
ZX_EXPORT const char *vkz_persona_name(size_t index);
ZX_EXPORT const char *vkz_persona_description(size_t index);
ZX_EXPORT const char *vkz_persona_faults(size_t index); // their names with commas between them; "" for none

#endif
