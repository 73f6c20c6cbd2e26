# SPDX-License-Identifier: Apache-2.0
"""Wrong inputs: which calls fail, with which result, and whether the caller's handle stays valid."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.base import record
from vkzircon_cli.model.spec import ZIRCON_VMO
from vkzircon_cli.model.vmo import Refusal
from vkzircon_cli.probe.handles import OwnedHandle, ask_properties, duplicated, get_handle, owned, taking
from vkzircon_cli.probe.resources import Memory, Shape
from vkzircon_cli.probe.target import Target

_GARBAGE = 0xABCD1237  # the value that Fuchsia's own test uses, with the low bits of a handle
_OPAQUE_FD = 1


@record
class NegativeProbe:
    """Calls the driver with inputs that it must refuse. Every case is a step of its own, announced before it runs."""

    target: Target
    shape: Shape
    memory_type: int

    def cases(self) -> dict[str, Callable[[str], Refusal]]:
        """Return the cases by name; each takes the name of the call."""
        return {
            "zero": lambda call: self._dead(call, 0),
            "garbage": lambda call: self._dead(call, _GARBAGE),
            "closed": self._closed,
            "event": self._event,
            "no-rights": self._no_rights,
            "wrong-type": self._wrong_type,
            "no-type": self._no_type,
            "too-large": self._too_large,
        }

    def gets(self) -> dict[str, Callable[[], Refusal]]:
        """Return the cases of vkGetMemoryZirconHandleFUCHSIA by name (VUID-...-handleType-04775 and -04776)."""
        return {"wrong-type": self._get_wrong_type, "no-export": self._get_no_export, "imported": self._get_imported}

    def _dead(self, call: str, value: int) -> Refusal:
        kernel = self.target.must_have_kernel()
        if value and kernel.valid(value):
            raise NotAsked(f"0x{value:08x} is a handle here")
        return self._refusal(call, value, None)

    def _closed(self, call: str) -> Refusal:
        kernel = self.target.must_have_kernel()
        kernel.close(value := kernel.create(4096))
        return self._dead(call, value)

    def _event(self, call: str) -> Refusal:
        kernel = self.target.must_have_kernel()
        with owned(kernel, kernel.create_event()) as event:
            return self._refusal(call, event.value, event)

    def _no_rights(self, call: str) -> Refusal:
        kernel = self.target.must_have_kernel()
        with self._vmo() as handle, duplicated(kernel, handle.usable("DUPLICATE"), 0) as bare:
            return self._refusal(call, bare.value, bare)

    def _wrong_type(self, call: str) -> Refusal:
        with self._vmo() as handle:
            return self._refusal(call, handle.value, handle, handle_type=_OPAQUE_FD)

    def _no_type(self, call: str) -> Refusal:
        """Import with handleType 0: the struct is ignored, and ordinary memory is allocated, or the call fails."""
        if call != IMPORT:
            raise NotAsked("only an import struct may lack the handle type")
        self.target.must_have_kernel()
        with self._vmo() as handle:
            try:
                # After a success the handle is not marked as taken: the check asks whether it is still open.
                self._import(handle.value, None, 0, self.shape.needs.size)
            except Refused as refused:
                return Refusal(refused.missing.result, handle.is_alive())
            return Refusal("VK_SUCCESS", handle.is_alive())

    def _get_wrong_type(self) -> Refusal:
        with self.shape.memory(self.target.device, self.memory_type) as memory:
            return self._got(memory, _OPAQUE_FD)

    def _get_no_export(self) -> Refusal:
        with self.shape.unexportable(self.target.device, self.memory_type) as memory:
            return self._got(memory)

    def _get_imported(self) -> Refusal:
        """Get a handle to memory that was imported without an export struct."""
        target = self.target
        with self._vmo() as handle, self.shape.resource(target.device) as resource:
            importing = target.imported(self.shape, handle, resource, self.memory_type, size=self.shape.needs.size)
            with importing as memory:
                return self._got(memory)

    def _got(self, memory: Memory, handle_type: int = ZIRCON_VMO) -> Refusal:
        try:
            value = get_handle(self.target.device, memory, handle_type)
        except Refused as refused:
            return Refusal(refused.missing.result, None)
        if self.target.kernel is not None:
            OwnedHandle(self.target.kernel, value).close()
        return Refusal("VK_SUCCESS", None)

    def _too_large(self, call: str) -> Refusal:
        if call != IMPORT:
            raise NotAsked("only an import asks for a size")
        with self._vmo() as handle:
            kernel, value = self.target.must_have_kernel(), handle.value
            return self._refusal(call, value, handle, size=kernel.vmo_size(value) + kernel.page_size())

    def _vmo(self) -> AbstractContextManager[OwnedHandle]:
        return self.target.export(self.shape, self.memory_type)

    def _refusal(
        self,
        call: str,
        value: int,
        handle: OwnedHandle | None,
        *,
        handle_type: int = ZIRCON_VMO,
        size: int | None = None,
    ) -> Refusal:
        """Make the call and return its result; a handle that the call took no longer belongs to this process."""
        result = "VK_SUCCESS"
        try:
            if call == PROPERTIES:
                bits, _ = ask_properties(self.target.device, value, 0, handle_type)
                result = f"VK_SUCCESS with memoryTypeBits 0x{bits:x}"
            else:
                self._import(value, handle, handle_type, size or self.shape.needs.size)
        except Refused as refused:
            result = refused.missing.result
        lives = handle.is_alive() if handle is not None and not handle.taken else None
        return Refusal(result, lives)

    def _import(self, value: int, handle: OwnedHandle | None, handle_type: int, size: int) -> None:
        with self.shape.resource(self.target.device) as resource:
            importing = self.shape.imported(
                self.target.device, value, self.memory_type, resource, size=size, handle_type=handle_type
            )
            with importing if handle is None else taking(handle, importing):
                pass


IMPORT, PROPERTIES = "vkAllocateMemory", "vkGetMemoryZirconHandlePropertiesFUCHSIA"
CALLS = (IMPORT, PROPERTIES)
GET = "vkGetMemoryZirconHandleFUCHSIA"
