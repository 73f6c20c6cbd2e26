# SPDX-License-Identifier: Apache-2.0
"""The rules of valid usage that concern VK_FUCHSIA_external_memory: its own, and those of exports and imports.

Source: Vulkan-Docs at 1.4.360, in our own words. What drivers do was read in their sources, not seen on Fuchsia.
"""

from vkzircon_cli.explain.entry import Explanation, Group

_ZIRCON_VMO = "VK_EXTERNAL_MEMORY_HANDLE_TYPE_ZIRCON_VMO_BIT_FUCHSIA (0x800)"
_UNCHECKED = "No validation message warns of it: the Khronos layer has no check for this rule."
_OLD_BIT = "Code for drivers before 2021 may still use the bit 0x00100000 of that time's header."


def _vuid(word: str, meaning: str, *causes: str, advice: str, older: tuple[str, ...] = ()) -> Explanation:
    number = word.rpartition("-")[2]
    also = (number, *older) if number.isdigit() else ()
    return Explanation(f"VUID-{word}", Group.VUID, meaning, causes, advice, also=also)


_OWN = (
    _vuid(
        "VkImportMemoryZirconHandleInfoFUCHSIA-handleType-04771",
        "An import's handleType is ZIRCON_VMO.",
        "It is 0: the structure is then ignored, and new memory is allocated. SwiftShader returns "
        "VK_ERROR_INVALID_EXTERNAL_HANDLE instead.",
        _OLD_BIT,
        _UNCHECKED,
        advice=f"Set handleType to {_ZIRCON_VMO}.",
    ),
    _vuid(
        "VkImportMemoryZirconHandleInfoFUCHSIA-handle-04772",
        "The handle that is imported is valid and refers to a VMO.",
        "It was closed, or an earlier import took it.",
        "goldfish (gfxstream) calls abort() on such a handle.",
        "SwiftShader returns VK_ERROR_MEMORY_MAP_FAILED, and closes the handle if it refers to another object.",
        _UNCHECKED,
        advice="Duplicate before each import. Ask ZX_INFO_HANDLE_VALID and ZX_INFO_HANDLE_BASIC; type 3 is a VMO.",
    ),
    _vuid(
        "vkGetMemoryZirconHandlePropertiesFUCHSIA-handleType-04773",
        "Properties are asked with the handle type ZIRCON_VMO.",
        "For another type SwiftShader returns VK_ERROR_INVALID_EXTERNAL_HANDLE, goldfish (gfxstream) "
        "VK_ERROR_INITIALIZATION_FAILED, which is not allowed.",
        _OLD_BIT,
        _UNCHECKED,
        advice=f"Pass {_ZIRCON_VMO}.",
    ),
    _vuid(
        "vkGetMemoryZirconHandlePropertiesFUCHSIA-zirconHandle-04774",
        "Properties are asked of a handle to a VMO.",
        "SwiftShader returns VK_SUCCESS and all memory types for any number but 0.",
        "magma (an old fork of anv) and goldfish (gfxstream) return VK_ERROR_INVALID_EXTERNAL_HANDLE.",
        _UNCHECKED,
        advice="Ask the kernel whether it is a VMO: the driver's answer proves nothing.",
    ),
    _vuid(
        "VkMemoryGetZirconHandleInfoFUCHSIA-handleType-04775",
        "A handle is asked for with the handle type ZIRCON_VMO.",
        _OLD_BIT,
        _UNCHECKED,
        advice=f"Set handleType to {_ZIRCON_VMO}.",
    ),
    _vuid(
        "VkMemoryGetZirconHandleInfoFUCHSIA-handleType-04776",
        "A handle is asked for only of memory that was allocated for export as ZIRCON_VMO.",
        "VkExportMemoryAllocateInfo was left out: SwiftShader then returns VK_ERROR_INVALID_EXTERNAL_HANDLE, goldfish "
        "(gfxstream) VK_ERROR_INITIALIZATION_FAILED, and neither is allowed.",
        "Imported memory is exported again: that too must be asked for at the import. SwiftShader does not need it.",
        _UNCHECKED,
        advice=f"Chain VkExportMemoryAllocateInfo with {_ZIRCON_VMO} to the allocation.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-None-04749",
        "A VMO is imported as one of the memory types that its properties name.",
        "The exporter's memoryTypeIndex was taken without asking.",
        "magma (an old fork of anv) names none for a VMO that cannot be mapped, goldfish (gfxstream) none for one that "
        "its host does not know; it otherwise names DEVICE_LOCAL or HOST_VISIBLE types only.",
        _UNCHECKED,
        advice="Take the lowest bit that memoryTypeBits of vkGetMemoryZirconHandlePropertiesFUCHSIA and the resource's "
        "requirements share.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-allocationSize-07902",
        "The import of a VMO has an allocationSize that is not 0: it is used, not ignored.",
        _UNCHECKED,
        advice="Pass the exporter's allocationSize; ask zx_vmo_get_size if it is not known.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-allocationSize-07903",
        "The import of a VMO asks for no more bytes than the VMO has.",
        "SwiftShader never compares: a VMO that is too small imports, and touching its missing end faults.",
        "SwiftShader adds 15 bytes before it rounds up to pages, so that its own VMOs are mostly a page larger.",
        _UNCHECKED,
        advice="Compare with zx_vmo_get_size before the import; pass the exporter's allocationSize.",
    ),
    _vuid(
        "VkMemoryDedicatedAllocateInfo-image-04751",
        "A VMO that is imported for a dedicated image comes from memory dedicated to an identical image.",
        "Exporter and importer create their images with other parameters, or only one side dedicates.",
        _UNCHECKED,
        advice="Pass the image's create-info along with the handle, and import in the form of the export.",
    ),
    _vuid(
        "VkMemoryDedicatedAllocateInfo-buffer-04752",
        "A VMO that is imported for a dedicated buffer comes from memory dedicated to an identical buffer.",
        "Exporter and importer create their buffers with other sizes or usages, or only one side dedicates.",
        _UNCHECKED,
        advice="Pass the buffer's create-info along with the handle, and import in the form of the export.",
    ),
)

_ALLOCATION = (
    _vuid(
        "VkMemoryAllocateInfo-None-06657",
        "One allocation imports one thing.",
        "VkImportMemoryZirconHandleInfoFUCHSIA and VkImportMemoryBufferCollectionFUCHSIA (sysmem) are in one chain.",
        advice="Omit one of them.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-allocationSize-07897",
        "An allocation that neither imports nor exports has an allocationSize that is not 0.",
        "An import structure whose handleType is 0 is ignored.",
        advice="Pass the size of the resource's requirements.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-allocationSize-07899",
        "An allocation for export has an allocationSize that is not 0.",
        advice="Pass the size of the resource's requirements.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-pNext-00639",
        "Memory for export is dedicated where the driver reports DEDICATED_ONLY.",
        "goldfish (gfxstream) needs it for every export and does not report it for all: plain memory ends in "
        "VK_ERROR_OUT_OF_DEVICE_MEMORY.",
        advice="Chain VkMemoryDedicatedAllocateInfo with the image or buffer that the memory is for.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-None-00643",
        "Imported memory has the device mask that it was allocated with, if Vulkan allocated it.",
        "Device groups only.",
        advice="Omit VkMemoryAllocateFlagsInfo on both sides, or pass the same mask.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-None-00644",
        "Memory that Vulkan allocated is imported on a device made of the same physical devices.",
        "Two different GPUs, or a device group on one side. For a VMO the table of compatible handle types sets no "
        "condition on the devices' UUIDs.",
        advice="Open the same physical device on both sides; vkzircon devices shows the UUIDs.",
    ),
    _vuid(
        "VkMemoryAllocateInfo-opaqueCaptureAddress-03333",
        "An import asks for no captured address.",
        "A capture tool replays the program.",
        advice="Set opaqueCaptureAddress to 0 when you import.",
    ),
    _vuid(
        "vkAllocateMemory-pAllocateInfo-01713",
        "An allocation is no larger than its heap.",
        "SwiftShader's only heap has 2 GiB, and one allocation at most 1 GiB.",
        advice="Compare with the heap's size and with maxMemoryAllocationSize.",
    ),
    _vuid(
        "vkAllocateMemory-pAllocateInfo-01714",
        "memoryTypeIndex is one of the existing memory types.",
        "The highest bit of memoryTypeBits was taken, and the driver sets bits past memoryTypeCount.",
        advice="Cut memoryTypeBits to memoryTypeCount, and look at the check properties.bits-in-range.",
    ),
    _vuid(
        "vkAllocateMemory-maxMemoryAllocationCount-04101",
        "No more allocations exist at once than the device allows.",
        "Each import is an allocation and counts; a device need not allow more than 4096.",
        advice="Free imports that are not used, and import a VMO once.",
    ),
    _vuid(
        "VkExportMemoryAllocateInfo-handleTypes-09860",
        "Memory is allocated for export only as handle types that the driver reports as supported and compatible.",
        "ZIRCON_VMO was combined with other handle types: SwiftShader takes exactly ZIRCON_VMO.",
        "The driver reports less or more than it can do: see capabilities.agree-export.",
        advice="Ask vkGetPhysicalDeviceExternalBufferProperties or vkGetPhysicalDeviceImageFormatProperties2 first.",
        older=("00656",),
    ),
)

_RESOURCE = (
    _vuid(
        "VkBufferCreateInfo-pNext-00920",
        "A buffer for external memory names only handle types that are compatible with each other.",
        "compatibleHandleTypes lacks ZIRCON_VMO: nothing is reported for this usage, or the type itself is left out.",
        advice="Ask vkGetPhysicalDeviceExternalBufferProperties with the same usage and flags.",
    ),
    _vuid(
        "VkImageCreateInfo-pNext-00990",
        "An image for external memory names only handle types that are compatible with each other.",
        "The query was asked for another format, tiling or usage than the image has.",
        advice="Ask vkGetPhysicalDeviceImageFormatProperties2 with exactly the image's parameters.",
    ),
    _vuid(
        "VkImageCreateInfo-pNext-01443",
        "An image for external memory begins in the layout UNDEFINED.",
        "PREINITIALIZED was used to keep what the exporter wrote.",
        advice="Use UNDEFINED, and acquire the contents with a barrier from VK_QUEUE_FAMILY_EXTERNAL.",
    ),
    _vuid(
        "VkMemoryDedicatedAllocateInfo-image-02964",
        "Memory dedicated to an image has the size of its requirements; newer editions of the spec allow more.",
        "The whole VMO's size was passed: SwiftShader's VMOs are mostly one page larger.",
        advice="Pass the size of the image's requirements.",
    ),
    _vuid(
        "VkMemoryDedicatedAllocateInfo-buffer-02965",
        "Memory dedicated to a buffer has the size of its requirements; newer editions of the spec allow more.",
        "The whole VMO's size was passed: SwiftShader's VMOs are mostly one page larger.",
        advice="Pass the size of the buffer's requirements.",
    ),
    _vuid(
        "vkBindBufferMemory-memory-02726",
        "A buffer that is bound to memory for export was created for one of its handle types at least.",
        "VkExternalMemoryBufferCreateInfo was left out.",
        advice=f"Create the buffer with VkExternalMemoryBufferCreateInfo and {_ZIRCON_VMO}.",
    ),
    _vuid(
        "vkBindBufferMemory-memory-02985",
        "A buffer that is bound to imported memory was created for the handle type of the import.",
        "VkExternalMemoryBufferCreateInfo was left out on the importing side.",
        advice=f"Create the buffer with VkExternalMemoryBufferCreateInfo and {_ZIRCON_VMO}.",
    ),
    _vuid(
        "vkBindImageMemory-memory-02728",
        "An image that is bound to memory for export was created for one of its handle types at least.",
        "VkExternalMemoryImageCreateInfo was left out.",
        advice=f"Create the image with VkExternalMemoryImageCreateInfo and {_ZIRCON_VMO}.",
    ),
    _vuid(
        "vkBindImageMemory-memory-02989",
        "An image that is bound to imported memory was created for the handle type of the import.",
        "VkExternalMemoryImageCreateInfo was left out on the importing side.",
        advice=f"Create the image with VkExternalMemoryImageCreateInfo and {_ZIRCON_VMO}.",
    ),
)

_STYPE = "Set sType before the call; a driver from before 2021 has other numbers and silently ignores these."
_PNEXT = "Set pNext to NULL; nothing extends this structure."
_DEVICE = "Pass the device whose entry point it is, and not a destroyed one."
_POINTER = "Pass the address of a variable; vkzircon fills it before the call to see that it is written."

_IMPLICIT = (
    _vuid(
        "VkImportMemoryZirconHandleInfoFUCHSIA-sType-sType",
        "sType of an import is VK_STRUCTURE_TYPE_IMPORT_MEMORY_ZIRCON_HANDLE_INFO_FUCHSIA (1000364000).",
        advice=_STYPE,
    ),
    _vuid(
        "VkImportMemoryZirconHandleInfoFUCHSIA-handleType-parameter",
        "handleType of an import is 0 or an existing handle type.",
        _OLD_BIT,
        advice=f"Set it to {_ZIRCON_VMO}.",
    ),
    _vuid(
        "VkMemoryZirconHandlePropertiesFUCHSIA-sType-sType",
        "sType of the properties is VK_STRUCTURE_TYPE_MEMORY_ZIRCON_HANDLE_PROPERTIES_FUCHSIA (1000364001).",
        advice=_STYPE,
    ),
    _vuid("VkMemoryZirconHandlePropertiesFUCHSIA-pNext-pNext", "pNext of the properties is NULL.", advice=_PNEXT),
    _vuid(
        "VkMemoryGetZirconHandleInfoFUCHSIA-sType-sType",
        "sType of the request for a handle is VK_STRUCTURE_TYPE_MEMORY_GET_ZIRCON_HANDLE_INFO_FUCHSIA (1000364002).",
        advice=_STYPE,
    ),
    _vuid(
        "VkMemoryGetZirconHandleInfoFUCHSIA-pNext-pNext", "pNext of the request for a handle is NULL.", advice=_PNEXT
    ),
    _vuid(
        "VkMemoryGetZirconHandleInfoFUCHSIA-memory-parameter",
        "The memory whose handle is requested exists.",
        "SwiftShader crashes on VK_NULL_HANDLE.",
        advice="Get the handle before vkFreeMemory; the VMO exists as long as there is a handle to it.",
    ),
    _vuid(
        "VkMemoryGetZirconHandleInfoFUCHSIA-handleType-parameter",
        "handleType of the request for a handle is an existing handle type.",
        _OLD_BIT,
        advice=f"Set it to {_ZIRCON_VMO}.",
    ),
    _vuid(
        "vkGetMemoryZirconHandleFUCHSIA-device-parameter",
        "The device that is asked for a handle exists.",
        advice=_DEVICE,
    ),
    _vuid(
        "vkGetMemoryZirconHandleFUCHSIA-pGetZirconHandleInfo-parameter",
        "The request for a handle is the address of a well-formed VkMemoryGetZirconHandleInfoFUCHSIA.",
        advice="Pass the structure's address, with sType and pNext set.",
    ),
    _vuid(
        "vkGetMemoryZirconHandleFUCHSIA-pZirconHandle-parameter",
        "pZirconHandle is a valid pointer.",
        "A driver that writes nothing there, or 0 as goldfish (gfxstream) may, fails export.handle-given.",
        advice=_POINTER,
    ),
    _vuid(
        "vkGetMemoryZirconHandlePropertiesFUCHSIA-device-parameter",
        "The device that is asked for properties exists.",
        advice=_DEVICE,
    ),
    _vuid(
        "vkGetMemoryZirconHandlePropertiesFUCHSIA-handleType-parameter",
        "The handle type that properties are asked with exists.",
        _OLD_BIT,
        advice=f"Pass {_ZIRCON_VMO}.",
    ),
    _vuid(
        "vkGetMemoryZirconHandlePropertiesFUCHSIA-pMemoryZirconHandleProperties-parameter",
        "pMemoryZirconHandleProperties is a valid pointer.",
        "A driver that writes nothing there fails properties.written.",
        advice=_POINTER,
    ),
)

VUIDS = (*_OWN, *_ALLOCATION, *_RESOURCE, *_IMPLICIT)
