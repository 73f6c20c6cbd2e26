# SPDX-License-Identifier: Apache-2.0
"""The devices that a VMO can be imported on: this one, another like it, one of a second instance, another GPU."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from vkzircon_cli.bindings.vk import Device, Instance
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Identity, MemoryType
from vkzircon_cli.model.queries import find_extension
from vkzircon_cli.model.vmo import ImportKind
from vkzircon_cli.probe.device import DeviceOpener, probe_extensions, probe_identity, probe_memory
from vkzircon_cli.probe.loader import InstanceProbe
from vkzircon_cli.stream.events import answer_of

Place = tuple[Device, Sequence[MemoryType]]


class Places:
    """Opens each place when it is first wanted and keeps it open until *stack* closes."""

    def __init__(  # noqa: PLR0917 - what one place differs from another in
        self,
        device: Device,
        types: Sequence[MemoryType],
        opener: DeviceOpener,
        identity: Identity,
        index: int,
        stack: ExitStack,
    ) -> None:
        self._device = device
        self._types = types
        self._index = index
        self._opener = opener
        self._identity = identity
        self._stack = stack
        self._opened: dict[ImportKind, Answer[Place]] = {}
        self._second: tuple[Instance, list[Any]] | None = None

    def find(self, kind: ImportKind) -> Place:
        """Give the device that *kind* imports on, and the memory types that it has.

        Raises:
            NotAsked: there is no such device, or it did not open.
        """
        openers = {
            ImportKind.SECOND_DEVICE: self._second_device,
            ImportKind.SECOND_INSTANCE: self._second_instance,
            ImportKind.OTHER_DEVICE: self._other_device,
        }
        if kind not in openers:
            return self._device, self._types
        if kind not in self._opened:  # once, also where it fails: an instance may take a driver seconds
            self._opened[kind] = answer_of(openers[kind])
        place, missing = self._opened[kind].value, self._opened[kind].missing
        if missing is not None:
            raise NotAsked(f"{missing.call} answered {missing.result}" if missing.result else missing.reason)
        return place  # type: ignore[return-value]

    def _second_device(self) -> Place:
        return self._stack.enter_context(self._opener.open()), self._types

    def _second_instance(self) -> Place:
        instance, physical_devices = self._instance()
        same = [index for index, physical in enumerate(physical_devices) if self._is_same(instance, physical)]
        physical = physical_devices[self._index if self._index in same else same[0]] if same else None
        if physical is None:
            raise NotAsked("a second instance does not list the device again")
        return self._open(instance, physical)

    def _other_device(self) -> Place:
        instance, physical_devices = self._instance()
        for index, physical in enumerate(physical_devices):
            listed = answer_of(partial(probe_extensions, instance, physical)).value or ()
            if index != self._index and find_extension(listed):
                return self._open(instance, physical)
        raise NotAsked("no other device offers the extension")

    def _open(self, instance: Instance, physical: Any) -> Place:
        opener = DeviceOpener(instance, physical, (), "")
        opener.enabled = self._opener.enabled
        return self._stack.enter_context(opener.open()), probe_memory(instance, physical).types

    def _is_same(self, instance: Instance, physical: Any) -> bool:
        identity = answer_of(partial(probe_identity, instance, physical)).value
        return identity is not None and (identity.uuids, identity.name) == (self._identity.uuids, self._identity.name)

    def _instance(self) -> tuple[Instance, list[Any]]:
        if self._second is None:
            probe = InstanceProbe(self._device.vulkan, self._stack)
            probe.create()
            probe.devices()
            if probe.opened is None:
                raise NotAsked("a second instance did not open")
            self._second = probe.opened, probe.physical_devices
        return self._second
