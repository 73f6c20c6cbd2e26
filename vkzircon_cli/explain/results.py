# SPDX-License-Identifier: Apache-2.0
"""Every VkResult that this program can name. How drivers use it was read in their sources, not seen on Fuchsia."""

from functools import partial

from vkzircon_cli.explain.entry import Group, code
from vkzircon_cli.model.spec import VK_RESULTS

_NOT_OURS = "No command of this extension returns it: look at the call that did, and at the layers above the driver."
_result = partial(code, Group.RESULT, VK_RESULTS)

RESULTS = (
    _result(
        "VK_SUCCESS",
        "The command succeeded.",
        "goldfish (gfxstream) may return it with handle 0: it ignores a failed duplication of its handle.",
        "SwiftShader returns it for the properties of any number but 0, even if that is not a handle.",
        advice="Look at the outputs all the same; vkzircon fills them first and reports if nothing was written.",
    ),
    _result(
        "VK_NOT_READY",
        "A fence or a query has no result yet; this is not an error.",
        advice="Wait with vkWaitForFences, or ask again later. " + _NOT_OURS,
    ),
    _result(
        "VK_TIMEOUT",
        "A wait reached its timeout.",
        "The device hangs, or it has more to do than the limit allows: a software driver on a busy machine, for one.",
        advice="Give it more time with --timeout. If it never ends, the driver hangs: report it with --format trace.",
    ),
    _result("VK_EVENT_SET", "A VkEvent is signalled; this is not an error.", advice=_NOT_OURS),
    _result("VK_EVENT_RESET", "A VkEvent is not signalled; this is not an error.", advice=_NOT_OURS),
    _result(
        "VK_INCOMPLETE",
        "The caller's array was too small, so the list is incomplete.",
        "The list grew between the call that counts and the call that fetches.",
        "A layer or driver returns it however large the array is; callers that retry without a limit then hang.",
        advice="Ask again with more room, a few times at most; then unset VK_INSTANCE_LAYERS and see whose it is.",
    ),
    _result(
        "VK_ERROR_OUT_OF_HOST_MEMORY",
        "The host is out of memory, or the driver or loader reports so.",
        "The loader returns it for a driver manifest that it cannot parse, even if there is a good one beside it "
        "(seen with loader 1.3.239 on Linux).",
        advice="Look at the loader's messages first (--verbose), then at how much memory the process may have.",
    ),
    _result(
        "VK_ERROR_OUT_OF_DEVICE_MEMORY",
        "The device is out of memory, or the driver reports so.",
        "goldfish (gfxstream) returns it when memory for export is allocated without a dedicated image or buffer.",
        "SwiftShader returns it when the VMO cannot be made: its heap has 2 GiB, and one allocation 1 GiB at most.",
        "The heap is full, or the size is past maxMemoryAllocationSize.",
        advice="Try a dedicated allocation (VkMemoryDedicatedAllocateInfo), then a smaller one.",
    ),
    _result(
        "VK_ERROR_INITIALIZATION_FAILED",
        "Setup failed in the driver; neither command of this extension may return it.",
        "goldfish (gfxstream), getting a handle: the memory is not known to it, or was not allocated for export.",
        "goldfish (gfxstream), asking for properties: the handle type is not ZIRCON_VMO.",
        "Creating an instance or a device: the driver cannot reach its device, which on Fuchsia goes through the "
        "loader service's device folder (inferred, not seen on a device).",
        advice="Look which command returned it: for the extension's own it is a finding about the driver; at creation "
        "look at the component's routes.",
    ),
    _result(
        "VK_ERROR_DEVICE_LOST",
        "The device stopped, and everything that was made on it is lost.",
        "Work on the GPU took too long or touched memory that is not there, and the driver reset the device.",
        "goldfish (gfxstream) runs on the host's GPU: the host's driver may have gone (inferred, not seen).",
        advice="Destroy the device and open it again. The trace (--format trace) names the call before.",
    ),
    _result(
        "VK_ERROR_MEMORY_MAP_FAILED",
        "Memory could not be mapped into the process. vkAllocateMemory may not return it.",
        "SwiftShader returns it for every import that it cannot map: a closed handle, one of another object, a VMO "
        "without the rights MAP and WRITE. It has then closed a handle that was good.",
        "SwiftShader maps 15 bytes more than allocationSize, so an import of exactly the whole VMO may run past its "
        "end (inferred): import with the exporter's allocationSize.",
        advice="Look at the rights of the handle (export.rights) and at allocationSize, then at how much is mapped.",
    ),
    _result(
        "VK_ERROR_LAYER_NOT_PRESENT",
        "A layer that was requested by name is not found.",
        "On Fuchsia layers come from the component's own package: the layer's manifest or library is not in it.",
        advice="Package the layer, or do not ask for it; VK_INSTANCE_LAYERS names layers too.",
    ),
    _result(
        "VK_ERROR_EXTENSION_NOT_PRESENT",
        "An extension that was requested is not offered.",
        "Drivers for Linux do not have VK_FUCHSIA_external_memory, and neither has a Linux container on Fuchsia "
        "(Starnix).",
        "VK_FUCHSIA_external_memory was asked of the instance: it is a device extension.",
        advice="See what each device offers: vkzircon devices. On Linux try the emulation: vkzircon --emulate.",
    ),
    _result(
        "VK_ERROR_FEATURE_NOT_PRESENT",
        "A feature that was requested at vkCreateDevice is not supported.",
        advice="Ask for fewer features; VK_FUCHSIA_external_memory has none of its own.",
    ),
    _result(
        "VK_ERROR_INCOMPATIBLE_DRIVER",
        "No driver could be loaded, or none for the version asked for.",
        "Loader service: fuchsia.vulkan.loader.Loader is not routed to the component, and the loader prints "
        '"no connection to loader svc".',
        "The product has no driver for this GPU: in the newest product configuration read, x64 has goldfish and "
        "lavapipe and no magma driver, other architectures magma and goldfish and no lavapipe.",
        "Linux: no driver manifest was found, or none whose library loads.",
        advice='Put include: ["vulkan/client.shard.cml"] into the component\'s manifest, and see that '
        "/svc/fuchsia.vulkan.loader.Loader is there.",
    ),
    _result(
        "VK_ERROR_TOO_MANY_OBJECTS",
        "No more objects of that kind can be made. Getting a handle may return it.",
        "Memory: maxMemoryAllocationCount is reached. Imports count too, and a driver need not allow more than 4096.",
        "magma (an old fork of anv) returns it whenever exporting a semaphore fails.",
        advice="Free what is not used, close handles after use, and look for a driver that leaks them.",
    ),
    _result(
        "VK_ERROR_FORMAT_NOT_SUPPORTED",
        "This format is not available for this tiling, usage and handle type: an answer to a query, not a fault.",
        "goldfish (gfxstream) calls abort() on memory for an image whose format it does not support: ask first.",
        "In the emulation: no memory type that takes host memory serves such an image, as with optimal tiling on "
        "NVIDIA.",
        advice="Use linear tiling, another format or fewer usages.",
    ),
    _result("VK_ERROR_FRAGMENTED_POOL", "A descriptor pool has room, but not in one piece.", advice=_NOT_OURS),
    _result(
        "VK_ERROR_UNKNOWN",
        "An error without a code of its own, in the program or in the driver. Every command may return it.",
        advice="Report it to the driver's vendor with the trace. Mind that a validation layer on Linux was seen to "
        "hide both commands of this extension.",
    ),
    _result(
        "VK_ERROR_VALIDATION_FAILED",
        "A layer refused the call, because it breaks a rule of valid usage. Every command may return it.",
        "A validation layer above the driver is set to refuse such calls.",
        advice="Read its message (--verbose), explain the VUID in it, and try without VK_INSTANCE_LAYERS.",
    ),
    _result("VK_ERROR_OUT_OF_POOL_MEMORY", "A descriptor pool has no room left.", advice=_NOT_OURS),
    _result(
        "VK_ERROR_INVALID_EXTERNAL_HANDLE",
        "The handle is not one of the handle type that was named, or the driver cannot take what it refers to.",
        "The program: the handle is closed, or an import has taken it, or it is of an object other than a VMO.",
        "SwiftShader: a handle type that is not exactly ZIRCON_VMO (0 too, which should be ignored), handle 0, or "
        "getting a handle of memory that is not for export, where this code is not allowed.",
        "magma (an old fork of anv): it failed to duplicate or import the VMO whose properties were asked.",
        "goldfish (gfxstream): properties were asked of a handle that is not a VMO.",
        advice="Duplicate a handle before you import it, and look at it with ZX_INFO_HANDLE_VALID, then "
        "ZX_INFO_HANDLE_BASIC, before you pass it on.",
    ),
    _result(
        "VK_ERROR_FRAGMENTATION",
        "A descriptor pool cannot be made, because memory is in too many pieces.",
        advice=_NOT_OURS,
    ),
    _result(
        "VK_ERROR_NOT_PERMITTED",
        "The process lacks the privilege for its request, such as a queue of high priority.",
        advice="Ask without the privilege. " + _NOT_OURS,
    ),
    _result(
        "VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS",
        "Memory or a buffer cannot have the address that was captured earlier.",
        "A capture tool replays an allocation: an import must have opaqueCaptureAddress 0.",
        advice="Leave out VkMemoryOpaqueCaptureAddressAllocateInfo when you import (VUID 03333).",
    ),
)
