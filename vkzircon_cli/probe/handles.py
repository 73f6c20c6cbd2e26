# SPDX-License-Identifier: Apache-2.0
"""Handles of exported memory: get one, describe it, ask for its properties, import it or close it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from vkzircon_cli.bindings.caller import Call, Later
from vkzircon_cli.bindings.vk import Device, zircon_ffi
from vkzircon_cli.bindings.zircon import SAME_RIGHTS, Zircon, undescribed
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import Answer, not_asked
from vkzircon_cli.model.quantities import bits_of
from vkzircon_cli.model.spec import OBJECT_TYPE_VMO, ZIRCON_VMO, handle_text, looks_like_handle
from vkzircon_cli.model.vmo import Handle
from vkzircon_cli.probe.resources import BIND_BUFFER, BIND_IMAGE, Memory, imported_memory

_GET = "vkGetMemoryZirconHandleFUCHSIA"
_PROPERTIES = "vkGetMemoryZirconHandlePropertiesFUCHSIA"
_S_TYPE_PROPERTIES, _S_TYPE_GET = 1000364001, 1000364002
# No handle has both low bits clear, so this value remains only if the driver wrote nothing.
_UNWRITTEN_HANDLE = 0xFFFFFFFC
_SENTINEL = 0xA5A5A5A5
NO_KERNEL = "no libzircon to examine the VMO with"


class OwnedHandle:
    """A handle that this process owns until an import has *taken* it: after that it is neither closed nor queried.

    *value* may be a `Later` that the calls *before* write; they are made first. Without a kernel, it is a number.
    """

    def __init__(self, kernel: Zircon | None, value: int | Later, *before: Call) -> None:
        self.taken = False
        self._kernel = kernel
        self._basic = kernel.basic_if_valid(value, *before) if kernel is not None else None
        self.value = int(value.pointer[0]) if isinstance(value, Later) else value
        self.written = self.value != _UNWRITTEN_HANDLE

    def describe(self) -> Handle:
        """Collect the kernel's information about the handle, or the reason why there is none."""
        if self._kernel is None:
            return undescribed(self.value, self.written, not_asked(NO_KERNEL), NO_KERNEL)
        return self._kernel.describe(self.value, self.written)

    def usable(self, *rights: str) -> int:
        """Return the number for a call that needs *rights*.

        Raises:
            Refused: the driver returned a number that is not a VMO handle, so it must not be passed to a call.
            NotAsked: the handle lacks a right; the spec requires none, so the driver is not at fault.
        """
        is_vmo = self._kernel is None or (self._basic is not None and self._basic.type.value == OBJECT_TYPE_VMO)
        if not self.written or not looks_like_handle(self.value) or not is_vmo:
            raise Refused(_GET, "VK_SUCCESS", f"{handle_text(self.value)} is not a VMO handle")
        lacking = [right for right in rights if self._basic is not None and not self.has_right(right)]
        if lacking:
            raise NotAsked(f"the handle lacks {', '.join(lacking)}")
        return self.value

    def is_alive(self, *before: Call) -> bool:
        """Make the calls *before*, and ask whether the number is still the same handle: koids are not reused.

        Raises `NotAsked` if there is no kernel to ask.
        """
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        now = self._kernel.basic_if_valid(self.value, *before)
        return now is not None and self._basic is not None and now.koid == self._basic.koid

    def has_right(self, right: str) -> bool:
        """Whether the handle has *right*."""
        return self._basic is not None and right in self._basic.rights.names

    def kernel(self, *rights: str) -> tuple[Zircon, int]:
        """Return the kernel and the number for an access to the VMO that needs *rights*; raises as `usable`."""
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        return self._kernel, self.usable(*rights)

    def close(self) -> None:
        """Close the handle if it is still the same: a driver may have closed it, and its number may be in use again."""
        if self._kernel is not None and not self.taken and self.is_alive():
            self._kernel.close_open(self.value)


@contextmanager
def owned(kernel: Zircon, value: int) -> Iterator[OwnedHandle]:
    """Own a handle that this process created, and close it unless an import took it."""
    handle = OwnedHandle(kernel, value)
    try:
        yield handle
    finally:
        handle.close()


@contextmanager
def duplicated(kernel: Zircon, value: int, rights: int = SAME_RIGHTS) -> Iterator[OwnedHandle]:
    """Duplicate the handle *value*, with the same rights by default; close the duplicate unless an import took it."""
    made, call = kernel.duplicate(value, rights)
    handle = OwnedHandle(kernel, Later(made), call)
    try:
        yield handle
    finally:
        handle.close()


@contextmanager
def exported_handle(device: Device, kernel: Zircon | None, memory: Memory) -> Iterator[OwnedHandle]:
    """Get a handle to *memory*'s VMO and close it, unless an import took it."""
    if kernel is None:
        handle = OwnedHandle(None, get_handle(device, memory))
    else:
        value, call = _get(device, memory, ZIRCON_VMO)
        handle = OwnedHandle(kernel, Later(value), call)
    try:
        yield handle
    finally:
        handle.close()
        if kernel is None and not handle.taken:
            _drop_by_import(device, handle, memory.size)


def get_handle(device: Device, memory: Memory, handle_type: int = ZIRCON_VMO) -> int:
    """Call vkGetMemoryZirconHandleFUCHSIA; return the number that it wrote, which belongs to the caller."""
    value, call = _get(device, memory, handle_type)
    device.vulkan.caller.in_turn((call,))
    return int(value[0])


def _get(device: Device, memory: Memory, handle_type: int) -> tuple[Any, Call]:
    """Return the call of vkGetMemoryZirconHandleFUCHSIA, and what it writes to."""
    info = device.vulkan.new_zircon("VkMemoryGetZirconHandleInfoFUCHSIA *")
    info.sType, info.handleType = _S_TYPE_GET, handle_type
    info.memory = int(device.vulkan.ffi.cast("uintptr_t", memory.handle))
    value = device.vulkan.new_zircon("zx_handle_t *", _UNWRITTEN_HANDLE)
    return value, device.to_call(_GET, _device_pointer(device), info, value)


def _drop_by_import(device: Device, handle: OwnedHandle, size: int) -> None:
    """Release a handle that no kernel can close: an import takes it, and the driver closes it with the memory."""
    try:
        bits = types_taking(device, handle)
        if bits:
            with imported_memory(device, handle.value, size, bits_of(bits)[0], None):
                handle.taken = True
    except (Refused, NotAsked):
        return  # the handle stays open until this process ends


@contextmanager
def taking(handle: OwnedHandle, importing: AbstractContextManager[Memory]) -> Iterator[Memory]:
    """Import *handle*: after success the driver owns it, after a refusal this process does."""
    with ExitStack() as stack:
        try:
            memory = stack.enter_context(importing)
        except Refused as refused:
            handle.taken = refused.missing.call in (BIND_BUFFER, BIND_IMAGE)  # only the binding was refused
            raise
        handle.taken = True
        yield memory


class PropertiesAnswer:
    """vkGetMemoryZirconHandlePropertiesFUCHSIA, called *twice* with a usable *handle*, else again only if in doubt.

    Every mask is a legal answer, so only two calls with complementary sentinels show whether all bits were *written*.
    If the driver closed the handle in the first call (*kept* is then False), the call is not repeated with the stale
    number.
    """

    def __init__(self, device: Device, handle: OwnedHandle, *, twice: bool = True) -> None:
        self.bits, self.header_kept, self.kept = _ask_and_keep(device, handle, _SENTINEL)
        self.written = self.bits != _SENTINEL
        if (twice or not self.written) and self.kept.value is not False:
            again, header_kept, self.kept = _ask_and_keep(device, handle, _SENTINEL ^ 0xFFFFFFFF)
            self.written = again == self.bits
            self.header_kept = self.header_kept and header_kept


def _ask_and_keep(device: Device, handle: OwnedHandle, sentinel: int) -> tuple[int, bool, Answer[bool]]:
    """Ask as `ask_properties`, and whether the number is still the same handle afterwards."""
    found, call = _properties(device, handle.usable(), sentinel, ZIRCON_VMO)
    try:
        kept = Answer(handle.is_alive(call))
    except Refused as refused:
        if refused.missing.call == _PROPERTIES:
            raise
        kept = Answer(None, refused.missing)
    except NotAsked as no_kernel:
        device.vulkan.caller.in_turn((call,))
        kept = Answer(None, no_kernel.missing)
    return *_answered(found), kept


def ask_properties(device: Device, handle: int, sentinel: int, handle_type: int = ZIRCON_VMO) -> tuple[int, bool]:
    """Ask once; return the bits, *sentinel* if none were written, and whether sType and pNext are unchanged."""
    found, call = _properties(device, handle, sentinel, handle_type)
    device.vulkan.caller.in_turn((call,))
    return _answered(found)


def _properties(device: Device, handle: int, sentinel: int, handle_type: int) -> tuple[Any, Call]:
    """Return the call of vkGetMemoryZirconHandlePropertiesFUCHSIA, and the structure that it writes to."""
    found = device.vulkan.new_zircon("VkMemoryZirconHandlePropertiesFUCHSIA *")
    found.sType, found.memoryTypeBits = _S_TYPE_PROPERTIES, sentinel
    return found, device.to_call(_PROPERTIES, _device_pointer(device), handle_type, handle, found)


def _answered(found: Any) -> tuple[int, bool]:
    return int(found.memoryTypeBits), found.sType == _S_TYPE_PROPERTIES and found.pNext == zircon_ffi.NULL


def types_taking(device: Device, handle: OwnedHandle) -> int:
    """Ask for the mask of memory types that may import *handle* (VUID-VkMemoryAllocateInfo-None-04749).

    Raises `NotAsked` if there was no answer, so no type can be chosen.
    """
    try:
        answer = PropertiesAnswer(device, handle, twice=False)
    except Refused as refused:
        raise NotAsked(f"{refused.said}, so no type is known") from refused
    if not answer.written or answer.kept.value is False:
        what = "closed the handle" if answer.written else "wrote no answer"
        raise NotAsked(f"{_PROPERTIES} {what}, so nothing is imported")
    return answer.bits


def _device_pointer(device: Device) -> Any:
    """Return the device's handle as a pointer of the other FFI."""
    return zircon_ffi.cast("void *", int(device.vulkan.ffi.cast("uintptr_t", device.handle)))
