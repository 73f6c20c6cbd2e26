# SPDX-License-Identifier: Apache-2.0
"""Handles that an export gives: got, looked at, asked about, and given back."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from vkzircon_cli.bindings.vk import Device, zircon_ffi
from vkzircon_cli.bindings.zircon import Zircon, undescribed
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import not_asked
from vkzircon_cli.model.spec import OBJECT_TYPE_VMO, ZIRCON_VMO, handle_text, looks_like_handle
from vkzircon_cli.model.vmo import Handle, HandleBasic
from vkzircon_cli.probe.resources import ImportAsked, Memory, imported_memory
from vkzircon_cli.stream.events import answer_of

_GET = "vkGetMemoryZirconHandleFUCHSIA"
_PROPERTIES = "vkGetMemoryZirconHandlePropertiesFUCHSIA"
_S_TYPE_PROPERTIES, _S_TYPE_GET = 1000364001, 1000364002
# No handle has both low bits clear, so a driver that wrote nothing is told from one that wrote a handle.
_UNWRITTEN_HANDLE = 0xFFFFFFFC
_SENTINEL = 0xA5A5A5A5
NO_KERNEL = "no libzircon to look into the VMO with"


class OwnedHandle:
    """A handle that the export gave us. Once *taken* by an import it is not ours: not closed, not asked about."""

    def __init__(self, kernel: Zircon | None, value: int) -> None:
        self.value = value
        self.written = value != _UNWRITTEN_HANDLE
        self.taken = False
        self._kernel = kernel
        self._basic = self._ask_basic()

    def _ask_basic(self) -> HandleBasic | None:
        if self._kernel is None or not looks_like_handle(self.value) or not self._kernel.valid(self.value):
            return None
        return self._kernel.basic(self.value)

    def describe(self) -> Handle:
        """Collect what the kernel says of it, or why there is nobody to ask."""
        if self._kernel is None:
            return undescribed(self.value, self.written, not_asked(NO_KERNEL), NO_KERNEL)
        return self._kernel.describe(self.value, self.written)

    def usable(self, *rights: str) -> int:
        """Give the number for a call that needs *rights*.

        Raises:
            Refused: the driver gave what is no handle to a VMO, so no call may have it.
            NotAsked: the handle lacks a right; the spec names none, so that is not the driver's fault.
        """
        is_vmo = self._kernel is None or (self._basic is not None and self._basic.type.value == OBJECT_TYPE_VMO)
        if not self.written or not looks_like_handle(self.value) or not is_vmo:
            raise Refused(_GET, "VK_SUCCESS", f"{handle_text(self.value)} is no handle to a VMO")
        lacking = [right for right in rights if self._basic is not None and not self.has_right(right)]
        if lacking:
            raise NotAsked(f"the handle lacks {', '.join(lacking)}")
        return self.value

    def is_alive(self) -> bool:
        """Ask whether the number is still the handle that was got: handles are reused, koids are not.

        Raises:
            NotAsked: there is no kernel to ask.
        """
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        now = self._ask_basic()
        return now is not None and self._basic is not None and now.koid == self._basic.koid

    def has_right(self, right: str) -> bool:
        """Tell whether the kernel grants *right* on it."""
        return self._basic is not None and right in self._basic.rights.names

    def kernel(self, *rights: str) -> tuple[Zircon, int]:
        """Give the kernel and the number for a look into the VMO that needs *rights*; raises as `usable`."""
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        return self._kernel, self.usable(*rights)

    def close(self) -> None:
        """Close it if it still is what it was: a driver may have closed it, and its number may be another's by now."""
        if self._kernel is not None and not self.taken and self.is_alive():
            self._kernel.close(self.value)


@contextmanager
def owned(kernel: Zircon, value: int) -> Iterator[OwnedHandle]:
    """Own a handle that we made ourselves, and close it unless an import took it."""
    handle = OwnedHandle(kernel, value)
    try:
        yield handle
    finally:
        handle.close()


@contextmanager
def exported_handle(device: Device, kernel: Zircon | None, memory: Memory) -> Iterator[OwnedHandle]:
    """Get a handle to *memory*'s VMO and close it, unless an import took it."""
    vulkan = device.vulkan
    info = zircon_ffi.new("VkMemoryGetZirconHandleInfoFUCHSIA *")
    info.sType, info.handleType = _S_TYPE_GET, ZIRCON_VMO
    info.memory = int(vulkan.ffi.cast("uintptr_t", memory.handle))
    value = zircon_ffi.new("zx_handle_t *", _UNWRITTEN_HANDLE)
    device.call(_GET, _device_pointer(device), info, value)
    handle = OwnedHandle(kernel, int(value[0]))
    try:
        yield handle
    finally:
        handle.close()
        if kernel is None and not handle.taken:
            _give_to_the_driver(device, handle, memory.size)


def _give_to_the_driver(device: Device, handle: OwnedHandle, size: int) -> None:
    """Be rid of a handle where no kernel can close it: an import takes it, and freeing that drops it."""
    try:
        bits = types_taking(device, handle)
        if bits:
            asked = ImportAsked(handle.value)
            with imported_memory(device, asked, size, (bits & -bits).bit_length() - 1, None):
                handle.taken = True
    except (Refused, NotAsked):
        return  # it stays open until this process ends, which is soon


@contextmanager
def taking(handle: OwnedHandle, importing: AbstractContextManager[Memory]) -> Iterator[Memory]:
    """Import *handle*: success takes it, a refusal leaves it ours."""
    with importing as memory:
        handle.taken = True
        yield memory


class PropertiesAnswer:
    """vkGetMemoryZirconHandlePropertiesFUCHSIA, asked twice of a *handle* that is usable.

    Every mask is a legal answer, so only two calls with complementary sentinels show whether one was *written*. A
    driver that closed the handle in the first call (*kept* is then False) is not shown the dead number again.
    """

    def __init__(self, device: Device, handle: OwnedHandle) -> None:
        value = handle.usable()
        self.bits, self.header_kept = ask_properties(device, value, _SENTINEL)
        self.written = self.bits != _SENTINEL
        self.kept = answer_of(handle.is_alive)
        if self.kept.value is not False:
            again, header_kept = ask_properties(device, value, _SENTINEL ^ 0xFFFFFFFF)
            self.written = again == self.bits
            self.header_kept = self.header_kept and header_kept
            self.kept = answer_of(handle.is_alive)


def ask_properties(device: Device, handle: int, sentinel: int, handle_type: int = ZIRCON_VMO) -> tuple[int, bool]:
    """Ask once: the bits, which are *sentinel* where none were written, and whether sType and pNext were left alone."""
    found = zircon_ffi.new("VkMemoryZirconHandlePropertiesFUCHSIA *")
    found.sType, found.memoryTypeBits = _S_TYPE_PROPERTIES, sentinel
    device.call(_PROPERTIES, _device_pointer(device), handle_type, handle, found)
    return int(found.memoryTypeBits), found.sType == _S_TYPE_PROPERTIES and found.pNext == zircon_ffi.NULL


def types_taking(device: Device, handle: OwnedHandle) -> int:
    """Ask for the mask of memory types that may import *handle* (VUID-VkMemoryAllocateInfo-None-04749).

    Raises:
        NotAsked: there was no answer, so no type may be chosen.
    """
    try:
        answer = PropertiesAnswer(device, handle)
    except Refused as refused:
        raise NotAsked(f"{refused.said}, so no type is known") from refused
    if not answer.written or answer.kept.value is False:
        what = "closed the handle" if answer.written else "wrote no answer"
        raise NotAsked(f"{_PROPERTIES} {what}, so nothing is imported")
    return answer.bits


def _device_pointer(device: Device) -> Any:
    """Give the device's handle as the other FFI's pointer."""
    return zircon_ffi.cast("void *", int(device.vulkan.ffi.cast("uintptr_t", device.handle)))
