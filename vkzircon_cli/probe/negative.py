# SPDX-License-Identifier: Apache-2.0
"""Wrong inputs, last of all: what must fail, with which result, and whether the caller's handle lives on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vkzircon_cli.bindings.vk import Device
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.model.spec import ZIRCON_VMO
from vkzircon_cli.model.vmo import Refusal
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, ask_properties, exported_handle, owned, taking

_GARBAGE = 0xABCD1237  # what Fuchsia's own test calls with, in a handle's shape
_OPAQUE_FD = 1


class NegativeProbe:
    """Calls the driver with what it must refuse. Every case is a step of its own, flushed before it runs."""

    def __init__(self, device: Device, kernel: Zircon | None, shape: Shape, memory_type: int) -> None:
        self._device = device
        self._kernel = kernel
        self._shape = shape
        self._memory_type = memory_type

    def cases(self) -> dict[str, Callable[[str], Refusal]]:
        """Give the cases by name; each takes the name of the call."""
        return {
            "zero": lambda call: self._dead(call, 0),
            "garbage": lambda call: self._dead(call, _GARBAGE),
            "closed": self._closed,
            "event": self._event,
            "no-rights": self._no_rights,
            "wrong-type": self._wrong_type,
            "too-large": self._too_large,
        }

    def _opened(self) -> Zircon:
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        return self._kernel

    def _dead(self, call: str, value: int) -> Refusal:
        kernel = self._opened()
        if value and kernel.valid(value):
            raise NotAsked(f"0x{value:08x} is a handle here")
        return self._refusal(call, value, None)

    def _closed(self, call: str) -> Refusal:
        value = self._opened().create(4096)
        self._opened().close(value)
        return self._dead(call, value)

    def _event(self, call: str) -> Refusal:
        kernel = self._opened()
        with owned(kernel, kernel.create_event()) as event:
            return self._refusal(call, event.value, event)

    def _no_rights(self, call: str) -> Refusal:
        kernel = self._opened()
        with self._vmo() as handle, owned(kernel, kernel.duplicate(handle.usable("DUPLICATE"), 0)) as bare:
            return self._refusal(call, bare.value, bare)

    def _wrong_type(self, call: str) -> Refusal:
        with self._vmo() as handle:
            return self._refusal(call, handle.value, handle, handle_type=_OPAQUE_FD)

    def _too_large(self, call: str) -> Refusal:
        if call != IMPORT:
            raise NotAsked("only an import asks for a size")
        with self._vmo() as handle:
            held = self._opened().vmo_size(handle.value)
            return self._refusal(call, handle.value, handle, size=held + self._opened().page_size())

    @contextmanager
    def _vmo(self) -> Iterator[OwnedHandle]:
        with (
            self._shape.memory(self._device, self._memory_type) as memory,
            exported_handle(self._device, self._kernel, memory) as handle,
        ):
            yield handle

    def _refusal(
        self,
        call: str,
        value: int,
        handle: OwnedHandle | None,
        *,
        handle_type: int = ZIRCON_VMO,
        size: int | None = None,
    ) -> Refusal:
        """Make the call; what it answers is the finding, and a handle that it took is not ours any more."""
        result = "VK_SUCCESS"
        try:
            if call == PROPERTIES:
                bits, _ = ask_properties(self._device, value, 0, handle_type)
                result = f"VK_SUCCESS with memoryTypeBits 0x{bits:x}"
            else:
                self._import(value, handle, handle_type, size or self._shape.needs.size)
        except Refused as refused:
            result = refused.missing.result
        lives = handle.is_alive() if handle is not None and not handle.taken else None
        return Refusal(result, lives)

    def _import(self, value: int, handle: OwnedHandle | None, handle_type: int, size: int) -> None:
        with self._shape.resource(self._device) as resource:
            importing = self._shape.imported(
                self._device, value, self._memory_type, resource, size=size, handle_type=handle_type
            )
            with importing if handle is None else taking(handle, importing):
                pass


IMPORT, PROPERTIES = "vkAllocateMemory", "vkGetMemoryZirconHandlePropertiesFUCHSIA"
CALLS = (IMPORT, PROPERTIES)
