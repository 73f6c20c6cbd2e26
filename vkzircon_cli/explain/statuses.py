# SPDX-License-Identifier: Apache-2.0
"""Every zx_status_t that this program can name, in general and for a VMO or its handle."""

from functools import partial

from vkzircon_cli.explain.entry import Group, code
from vkzircon_cli.model.spec import ZX_STATUS

_NOT_OURS = "No call on a VMO or a handle is known to return it: look at the service that passed it on."
_PAGER = "A VMO that a pager fills, where the pager could not give the page (unverified)."
_status = partial(code, Group.STATUS, ZX_STATUS, advice=_NOT_OURS)

STATUSES = (
    _status("ZX_OK", "The call succeeded.", advice="There is nothing to do."),
    _status(
        "ZX_ERR_INTERNAL",
        "An internal error without a code of its own.",
        advice="Look at the log of the component or driver that returned it.",
    ),
    _status(
        "ZX_ERR_NOT_SUPPORTED",
        "The operation does not exist, or not for this object.",
        "zx_object_get_info: the kernel does not know the topic or its version; ask newer versions first, older next.",
        "zx_vmar_map: the VMO is resizable, and ZX_VM_ALLOW_FAULTS is not given.",
        advice="Take it as an answer and ask in another way; vkzircon skips the checks that need it.",
    ),
    _status(
        "ZX_ERR_NO_RESOURCES",
        "The kernel has run out of a resource other than memory.",
        "Handles or mappings that are never closed use it up.",
        advice="Look for a leak: the process's handle count must not grow with each export and import.",
    ),
    _status(
        "ZX_ERR_NO_MEMORY",
        "The kernel or the address space has no memory left.",
        "SwiftShader turns a VMO that cannot be made into VK_ERROR_OUT_OF_DEVICE_MEMORY.",
        advice="Ask for less, and unmap and close what is not used.",
    ),
    _status(
        "ZX_ERR_INTERNAL_INTR_RETRY",
        "A code inside the kernel that means: retry the call. A program should never see it.",
        advice="Report it to Fuchsia: the kernel returned an internal code.",
    ),
    _status(
        "ZX_ERR_INVALID_ARGS",
        "An argument is not valid for the call.",
        "zx_handle_duplicate: the rights asked for are more than the handle has.",
        "An option bit that the call does not know, or an offset that is not a multiple of the page.",
        advice="Ask for ZX_RIGHT_SAME_RIGHTS or fewer, and ask zx_system_get_page_size for the page.",
    ),
    _status(
        "ZX_ERR_BAD_HANDLE",
        "The number is not a handle of this process.",
        "It is 0: goldfish (gfxstream) may return that with VK_SUCCESS.",
        "It was closed, moved away, or taken by an import. SwiftShader also closes it when the import fails.",
        advice="Duplicate a handle before an import. Ask ZX_INFO_HANDLE_VALID, the one question that no job policy "
        "punishes, before anything else is done with a number.",
    ),
    _status(
        "ZX_ERR_WRONG_TYPE",
        "The handle refers to another kind of object than the call takes.",
        "A driver returned an event, a channel or another object where a VMO was requested.",
        advice="Ask ZX_INFO_HANDLE_BASIC what it is; a VMO has type 3.",
    ),
    _status(
        "ZX_ERR_BAD_SYSCALL",
        "The kernel knows no such system call, or does not let this process make it.",
        "The libzircon does not belong to the running kernel.",
        advice="On a device use the libzircon.so that every process has: unset VKZIRCON_LIBZIRCON.",
    ),
    _status(
        "ZX_ERR_OUT_OF_RANGE",
        "A number is outside the range of the object or the call.",
        "zx_vmo_read or zx_vmo_write past the end: the VMO is smaller than expected.",
        advice="Ask zx_vmo_get_size; a VMO must not be smaller than its allocation (export.size).",
    ),
    _status(
        "ZX_ERR_BUFFER_TOO_SMALL",
        "The buffer or mapping is too small for the result.",
        "zx_vmar_map past the VMO's end without ZX_VM_ALLOW_FAULTS: SwiftShader's 15 bytes more at an import lead "
        "to this (inferred).",
        "zx_object_get_info: the record is of an older version than the topic asked for.",
        advice="Map no more than zx_vmo_get_size reports, and use a record of the version that was asked for.",
    ),
    _status(
        "ZX_ERR_BAD_STATE",
        "The object is in a state that does not allow the operation.",
        "zx_vmo_read or zx_vmo_write: the VMO's cache policy is not CACHED, as of memory for a device.",
        advice="This is not a failure: map the VMO instead. vkzircon skips the checks that need it.",
    ),
    _status(
        "ZX_ERR_TIMED_OUT",
        "The deadline passed before the operation ended.",
        "A driver or service does not answer.",
        advice="Try again with more time (--timeout); if it never answers, report the step in which it hangs.",
    ),
    _status(
        "ZX_ERR_SHOULD_WAIT",
        "The operation cannot be done now; it can after a wait.",
        advice="Wait for the object's signal and try again. " + _NOT_OURS,
    ),
    _status(
        "ZX_ERR_CANCELED",
        "The operation was cancelled before it ended.",
        "The handle was closed or moved while another thread waited on it.",
        advice="Look for the thread or driver that closes what is still in use.",
    ),
    _status(
        "ZX_ERR_PEER_CLOSED",
        "The other end of a channel, socket or event pair is closed.",
        "Loader service or sysmem: the capability is not routed to the component, or the service crashed.",
        advice='Put include: ["vulkan/client.shard.cml"] into the component\'s manifest, and read the log for routing '
        "errors.",
    ),
    _status(
        "ZX_ERR_NOT_FOUND",
        "The name, or the place, has no object.",
        "The component's manifest does not route fuchsia.vulkan.loader.Loader or fuchsia.sysmem2.Allocator.",
        advice="See whether the service is in /svc; the log shows routing errors.",
    ),
    _status(
        "ZX_ERR_ALREADY_EXISTS",
        "The object exists already, and there can be only one.",
        advice="Use the existing one. " + _NOT_OURS,
    ),
    _status("ZX_ERR_ALREADY_BOUND", "The object is already bound or in use."),
    _status(
        "ZX_ERR_UNAVAILABLE",
        "The service or object is not available at the moment.",
        "The service behind a capability is not running, or its component did not resolve.",
        advice="Look at the log for the component that should serve it, then try again.",
    ),
    _status(
        "ZX_ERR_ACCESS_DENIED",
        "The handle lacks a right that the call needs, or a policy forbids the call.",
        "zx_handle_duplicate needs DUPLICATE, zx_vmo_read READ, zx_vmo_write WRITE, zx_vmar_map MAP and READ or WRITE, "
        "ZX_INFO_HANDLE_COUNT INSPECT.",
        "The exporter, or a program in between, passed the handle on with fewer rights.",
        advice="Look at export.rights. Rights cannot be added to a handle: ask its sender for one with more rights.",
    ),
    _status(
        "ZX_ERR_IO",
        "Reading or writing failed, without a reason.",
        _PAGER,
        advice="Try an anonymous VMO (zx_vmo_create); if that works, the pager or its disk is at fault.",
    ),
    _status("ZX_ERR_IO_REFUSED", "The device refused the operation."),
    _status(
        "ZX_ERR_IO_DATA_INTEGRITY",
        "The data that was read fails its integrity check.",
        _PAGER,
        advice="The file or package behind the VMO is damaged: fetch it again.",
    ),
    _status("ZX_ERR_IO_DATA_LOSS", "The data is not available now and may be lost."),
    _status(
        "ZX_ERR_IO_NOT_PRESENT",
        "The device is gone: unplugged, turned off, or never there.",
        advice="See whether the GPU's driver is bound and its device node exists.",
    ),
    _status("ZX_ERR_IO_OVERRUN", "More data came than was expected."),
    _status("ZX_ERR_IO_MISSED_DEADLINE", "The operation missed a deadline of its device."),
    _status("ZX_ERR_IO_INVALID", "The data, or a parameter of the transfer, is not valid for the device."),
    _status(
        "ZX_ERR_BAD_PATH",
        "A path is too long or malformed.",
        advice="Look at the path that was opened, and at variables that name one.",
    ),
    _status(
        "ZX_ERR_NOT_DIR",
        "The path is not a directory.",
        advice="Look at the path that was opened, and at variables that name one.",
    ),
    _status(
        "ZX_ERR_NOT_FILE",
        "The path is not a file.",
        advice="Look at the path that was opened, and at variables that name one.",
    ),
    _status(
        "ZX_ERR_FILE_BIG", "The file would be larger than it may be.", advice="Write less, or write to standard output."
    ),
    _status("ZX_ERR_NO_SPACE", "The file system is full.", advice="Make room, or write to standard output."),
    _status(
        "ZX_ERR_NOT_EMPTY",
        "The directory is not empty.",
        advice="Look at the path that was to be removed. " + _NOT_OURS,
    ),
    _status("ZX_ERR_STOP", "A callback returns it to be called no more. This is not an error."),
    _status("ZX_ERR_NEXT", "A callback returns it to be called for the next item. This is not an error."),
    _status("ZX_ERR_ASYNC", "A handler returns it if the work is finished later, elsewhere. This is not an error."),
    _status(
        "ZX_ERR_PROTOCOL_NOT_SUPPORTED",
        "The other side does not speak that protocol.",
        advice="Client and service may be of different versions: build both against one. " + _NOT_OURS,
    ),
    _status("ZX_ERR_ADDRESS_UNREACHABLE", "No network route leads to that address."),
    _status("ZX_ERR_ADDRESS_IN_USE", "The network address is in use."),
    _status("ZX_ERR_NOT_CONNECTED", "The socket is not connected."),
    _status("ZX_ERR_CONNECTION_REFUSED", "The other side refused the connection."),
    _status("ZX_ERR_CONNECTION_RESET", "The other side closed the connection."),
    _status("ZX_ERR_CONNECTION_ABORTED", "This side's system closed the connection."),
)
