# SPDX-License-Identifier: Apache-2.0
"""The order in which one device is asked, from its extensions to its closing."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

from vkzircon_cli import driver
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.events import Asker, Asking, Event
from vkzircon_cli.facts import Extension, ExternalMemoryProperties, Identity, Instance, MemoryType, OpenDevice
from vkzircon_cli.offer import cannot_export, dependency_leg, find_extension
from vkzircon_cli.probe.capabilities import probe_external_buffer
from vkzircon_cli.probe.device import DeviceOpener, probe_extensions, probe_memory
from vkzircon_cli.probe.export import TEST_SIZE, probe_buffer_requirements
from vkzircon_cli.probe.memory import BUFFER_USAGE
from vkzircon_cli.probe.memory_type import MemoryTypeProbe
from vkzircon_cli.vocabulary import (
    BUFFER_CREATE_BITS,
    BUFFER_USAGE_BITS,
    DEDICATED_ONLY,
    HANDLE_TYPE_BITS,
    ZIRCON_VMO,
    flags,
)
from vkzircon_cli.zircon import Zircon

T = TypeVar("T")


class DeviceProbe:
    """Asks one physical device. *made* holds the instance's facts; *kernel* is None where there is no libzircon."""

    def __init__(
        self,
        ask: Asker,
        instance: driver.Instance,
        physical: Any,
        index: int,
        *,
        made: Instance,
        kernel: Zircon | None,
    ) -> None:
        self._asker = ask
        self._instance = instance
        self._physical = physical
        self._index = index
        self._made = made
        self._kernel = kernel
        self._stack = ExitStack()
        self._device: driver.Device | None = None

    def extensions(self) -> Asking[tuple[Extension, ...]]:
        """List the device's extensions."""
        return self._ask("extensions", "extensions", lambda: probe_extensions(self._instance, self._physical))

    def everything(self, identity: Identity) -> Iterator[Event]:
        """Ask all there is; without the extension, or what it rests on, no more than who the device is."""
        extensions = (yield from self.extensions()).value
        memory = (yield from self._ask("memory", "memory", lambda: probe_memory(self._instance, self._physical))).value
        leg = dependency_leg(self._made, identity, extensions or ())
        if extensions is None or memory is None or find_extension(extensions) is None or leg is None:
            return
        offer = yield from self._external_buffer(identity)
        opener = DeviceOpener(self._instance, self._physical, extensions, leg)
        with self._stack:
            yield from self._ask("open", "opened", lambda: self._open(opener), live=True)
            if self._device is not None:
                yield from self._memory_types(self._device, opener, memory.types, offer)
                yield from self._asker(f"device{self._index}/close", "closed", self._close, device=self._index)

    def _ask(self, name: str, fact: str, question: Callable[[], T], **key: Any) -> Asking[T]:
        """Ask under this device's prefix; a lost device is not asked anything more."""

        def unless_lost() -> T:
            if self._device is not None and (self._device.lost or self._device.stuck):
                raise NotAsked(f"the device was {'lost' if self._device.lost else 'stuck'} in an earlier step")
            return question()

        return self._asker(f"device{self._index}/{name}", fact, unless_lost, device=self._index, **key)

    def _external_buffer(self, identity: Identity) -> Generator[Event, None, ExternalMemoryProperties | None]:
        answer = yield from self._ask(
            "buffer/transfer",
            "external_buffers",
            lambda: probe_external_buffer(self._instance, self._physical, identity, BUFFER_USAGE, ZIRCON_VMO),
            usage=flags(BUFFER_USAGE, BUFFER_USAGE_BITS),
            flags=flags(0, BUFFER_CREATE_BITS),
            handle_type=flags(ZIRCON_VMO, HANDLE_TYPE_BITS),
        )
        return answer.value

    def _open(self, opener: DeviceOpener) -> OpenDevice:
        self._device = self._stack.enter_context(opener.open())
        return opener.describe(self._device)

    def _close(self) -> bool:
        self._stack.close()
        return True

    def _memory_types(
        self,
        device: driver.Device,
        opener: DeviceOpener,
        types: tuple[MemoryType, ...],
        offer: ExternalMemoryProperties | None,
    ) -> Iterator[Event]:
        requirements = yield from self._ask(
            "buffer-requirements", "buffer_requirements", lambda: probe_buffer_requirements(device)
        )
        size = requirements.value.size if requirements.value else TEST_SIZE
        dedicated_only = offer is not None and offer.written and offer.features.value & DEDICATED_ONLY
        probe = MemoryTypeProbe(self._ask, device, opener, self._kernel, types=types, size=size)
        for memory_type in types:
            reason = cannot_export(memory_type)
            if reason is None and dedicated_only:
                reason = "buffers are DEDICATED_ONLY, so plain memory may not be exported"
            yield from probe.probe(memory_type.index, reason)
