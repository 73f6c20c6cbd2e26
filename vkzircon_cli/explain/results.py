# SPDX-License-Identifier: Apache-2.0
"""Every VkResult that this program can name. What drivers do with it was read in their sources, not seen on Fuchsia."""

from vkzircon_cli.explain.entry import Explanation, Group
from vkzircon_cli.model.spec import VK_RESULTS

_NUMBERS = {name: number for number, name in VK_RESULTS.items()}
_NOT_OURS = "No command of this extension gives it: look at the call that did, and at the layers above the driver."


def _result(word: str, meaning: str, *causes: str, advice: str) -> Explanation:
    short = word.removeprefix("VK_").removeprefix("ERROR_")
    return Explanation(word, Group.RESULT, meaning, causes, advice, also=(short, str(_NUMBERS[word])))


RESULTS = (
    _result(
        "VK_SUCCESS",
        "The command says that it did what it was asked to do.",
        "goldfish (gfxstream) may say it with handle 0: it does not look at what duplicating its handle came to.",
        "SwiftShader says it of the properties of any number but 0, also of one that is no handle.",
        advice="Look at the outputs all the same; vkzircon fills them first and tells when nothing was written.",
    ),
    _result(
        "VK_NOT_READY",
        "A fence or a query has no result yet; that is no error.",
        advice="Wait with vkWaitForFences, or ask again later. " + _NOT_OURS,
    ),
    _result(
        "VK_TIMEOUT",
        "A wait ended before what it waited for.",
        "The device hangs, or it has more to do than the limit allows: a software driver on a busy machine, for one.",
        advice="Give it more time with --timeout. If it never ends, the driver hangs: report it with --format trace.",
    ),
    _result(
        "VK_EVENT_SET",
        "A VkEvent is signalled; that is no error.",
        advice=_NOT_OURS,
    ),
    _result(
        "VK_EVENT_RESET",
        "A VkEvent is not signalled; that is no error.",
        advice=_NOT_OURS,
    ),
    _result(
        "VK_INCOMPLETE",
        "The caller's array was too small, so the list that it got is cut.",
        "The list grew between the call that counts and the call that fetches.",
        "A layer or driver says it however much room there is; callers that try again for ever then hang.",
        advice="Ask again with more room, a few times at most; then unset VK_INSTANCE_LAYERS and see whose it is.",
    ),
    _result(
        "VK_ERROR_OUT_OF_HOST_MEMORY",
        "Memory of the host's own ran out, or so it is said.",
        "The loader says it of a driver manifest that it cannot parse, also when a good one lies beside it "
        "(seen with loader 1.3.239 on Linux).",
        advice="Look at the loader's messages first (--verbose), then at how much memory the process may have.",
    ),
    _result(
        "VK_ERROR_OUT_OF_DEVICE_MEMORY",
        "Device memory for the allocation ran out, or so it is said.",
        "goldfish (gfxstream) says it when memory for export is allocated without a dedicated image or buffer.",
        "SwiftShader says it when the VMO cannot be made: its heap has 2 GiB, and one allocation 1 GiB at most.",
        "The heap is full, or the size is past maxMemoryAllocationSize.",
        advice="Try a dedicated allocation (VkMemoryDedicatedAllocateInfo), then a smaller one.",
    ),
    _result(
        "VK_ERROR_INITIALIZATION_FAILED",
        "The driver could not set up what it needs; neither command of this extension may answer it.",
        "goldfish (gfxstream), getting a handle: the memory is not known to it, or was not allocated for export.",
        "goldfish (gfxstream), asking for properties: the handle type is not ZIRCON_VMO.",
        "Creating an instance or a device: the driver cannot reach its device, which on Fuchsia goes through the "
        "loader service's device folder (inferred, not seen on a device).",
        advice="Look at which command gave it: for the extension's own it is a finding about the driver; at creation "
        "look at the component's routes.",
    ),
    _result(
        "VK_ERROR_DEVICE_LOST",
        "The device stopped, and everything that was made on it is of no use any more.",
        "Work on the GPU took too long or touched memory that is not there, and the driver reset the device.",
        "goldfish (gfxstream) runs on the host's GPU: the host's driver may have gone (inferred, not seen).",
        advice="Destroy the device and open it again. The trace (--format trace) names the call before.",
    ),
    _result(
        "VK_ERROR_MEMORY_MAP_FAILED",
        "Memory could not be mapped into the process. vkAllocateMemory may not answer it.",
        "SwiftShader says it of every import that it cannot map: a closed handle, one of another object, a VMO "
        "without the rights MAP and WRITE. It has then closed a handle that was good.",
        "SwiftShader maps 15 bytes more than allocationSize, so an import of exactly the whole VMO may run past its "
        "end (inferred): import with the exporter's allocationSize.",
        advice="Look at the rights of the handle (export.rights) and at allocationSize, then at how much is mapped.",
    ),
    _result(
        "VK_ERROR_LAYER_NOT_PRESENT",
        "A layer that was asked for by name is not found.",
        "On Fuchsia layers come from the component's own package: the layer's manifest or library is not in it.",
        advice="Package the layer, or do not ask for it; VK_INSTANCE_LAYERS names layers too.",
    ),
    _result(
        "VK_ERROR_EXTENSION_NOT_PRESENT",
        "An extension that was asked for is not offered.",
        "Drivers for Linux do not have VK_FUCHSIA_external_memory, and neither has a Linux container on Fuchsia "
        "(Starnix).",
        "VK_FUCHSIA_external_memory was asked of the instance: it is a device extension.",
        advice="See what each device offers: vkzircon devices. On Linux try the emulation: vkzircon --emulate.",
    ),
    _result(
        "VK_ERROR_FEATURE_NOT_PRESENT",
        "A feature that was asked for at vkCreateDevice is not supported.",
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
        "No more objects of that kind can be made. Getting a handle may answer it.",
        "Memory: maxMemoryAllocationCount is reached. Imports count too, and a driver need not allow more than 4096.",
        "magma (an old fork of anv) says it whenever exporting a semaphore fails.",
        advice="Free what is not used, close handles after use, and look for a driver that leaks them.",
    ),
    _result(
        "VK_ERROR_FORMAT_NOT_SUPPORTED",
        "This format is not there for this tiling, usage and handle type: an answer to a query, not a fault.",
        "goldfish (gfxstream) calls abort() on memory for an image whose format it does not support: ask first.",
        "In the emulation: no memory type that takes host memory serves such an image, as with optimal tiling on "
        "NVIDIA.",
        advice="Use linear tiling, another format or fewer usages.",
    ),
    _result(
        "VK_ERROR_FRAGMENTED_POOL",
        "A descriptor pool has room, but not in one piece.",
        advice=_NOT_OURS,
    ),
    _result(
        "VK_ERROR_UNKNOWN",
        "Something went wrong that has no code, in the program or in the driver. Every command may answer it.",
        advice="Report it to the driver's vendor with the trace. Mind that a validation layer on Linux was seen to "
        "hide both commands of this extension.",
    ),
    _result(
        "VK_ERROR_VALIDATION_FAILED",
        "A layer refused the call, because it breaks a rule of valid usage. Every command may answer it.",
        "A validation layer lies above the driver and was told to refuse such calls.",
        advice="Read its message (--verbose), explain the VUID in it, and try without VK_INSTANCE_LAYERS.",
    ),
    _result(
        "VK_ERROR_OUT_OF_POOL_MEMORY",
        "A descriptor pool has no room left.",
        advice=_NOT_OURS,
    ),
    _result(
        "VK_ERROR_INVALID_EXTERNAL_HANDLE",
        "The handle is not one of the handle type that was named, or the driver cannot take what it refers to.",
        "The program: the handle is closed, or an import has taken it, or it is of an object other than a VMO.",
        "SwiftShader: a handle type that is not exactly ZIRCON_VMO (0 too, which should be ignored), handle 0, or "
        "getting a handle of memory that is not for export, where it is not a code that may be given.",
        "magma (an old fork of anv): it could not duplicate or import the VMO whose properties were asked.",
        "goldfish (gfxstream): properties were asked of what is no VMO.",
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
        "The process may not have what it asked for, such as a queue of high priority.",
        advice="Ask without the privilege. " + _NOT_OURS,
    ),
    _result(
        "VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS",
        "Memory or a buffer cannot have the address that was captured earlier.",
        "A capture tool replays an allocation: an import must have opaqueCaptureAddress 0.",
        advice="Leave out VkMemoryOpaqueCaptureAddressAllocateInfo when you import (VUID 03333).",
    ),
)
