# SPDX-License-Identifier: Apache-2.0
"""The devices that a VMO can be imported on: this one, another like it, one of a second instance, another GPU."""

from contextlib import ExitStack
from functools import partial
from typing import Any

from vkzircon_cli.driver import Device, Instance, Vulkan
from vkzircon_cli.errors import NotAsked, Refused
from vkzircon_cli.events import answer_of
from vkzircon_cli.facts import Identity
from vkzircon_cli.offer import find_extension
from vkzircon_cli.probe.device import DeviceOpener, probe_extensions, probe_identity
from vkzircon_cli.probe.loader import InstanceProbe
from vkzircon_cli.vmo_facts import ImportKind


class Places:
    """Opens each place when it is first wanted and keeps it open until *stack* closes."""

    def __init__(self, device: Device, opener: DeviceOpener, identity: Identity, index: int, stack: ExitStack) -> None:
        self._device = device
        self._index = index
        self._opener = opener
        self._identity = identity
        self._stack = stack
        self._opened: dict[ImportKind, Device] = {}

    def find(self, kind: ImportKind) -> Device:
        """Give the device that *kind* imports on.

        Raises:
            NotAsked: there is no such device, or it did not open.
        """
        openers = {
            ImportKind.SECOND_DEVICE: self._second_device,
            ImportKind.SECOND_INSTANCE: self._second_instance,
            ImportKind.OTHER_DEVICE: self._other_device,
        }
        if kind not in openers:
            return self._device
        if kind not in self._opened:
            try:
                self._opened[kind] = openers[kind]()
            except Refused as refused:
                raise NotAsked(f"{refused.missing.call} answered {refused.missing.result}") from refused
        return self._opened[kind]

    def _second_device(self) -> Device:
        return self._stack.enter_context(self._opener.open())

    def _second_instance(self) -> Device:
        instance, physical_devices = _instance(self._device.vulkan, self._stack)
        same = [index for index, physical in enumerate(physical_devices) if self._is_same(instance, physical)]
        physical = physical_devices[self._index if self._index in same else same[0]] if same else None
        if physical is None:
            raise NotAsked("a second instance does not list the device again")
        return self._open(instance, physical)

    def _other_device(self) -> Device:
        instance, physical_devices = _instance(self._device.vulkan, self._stack)
        for index, physical in enumerate(physical_devices):
            listed = answer_of(partial(probe_extensions, instance, physical)).value or ()
            if index != self._index and find_extension(listed):
                return self._open(instance, physical)
        raise NotAsked("no other device offers the extension")

    def _open(self, instance: Instance, physical: Any) -> Device:
        opener = DeviceOpener(instance, physical, (), "")
        opener.enabled = self._opener.enabled
        return self._stack.enter_context(opener.open())

    def _is_same(self, instance: Instance, physical: Any) -> bool:
        identity = answer_of(partial(probe_identity, instance, physical)).value
        return identity is not None and (identity.uuids, identity.name) == (self._identity.uuids, self._identity.name)


def _instance(vulkan: Vulkan, stack: ExitStack) -> tuple[Instance, list[Any]]:
    probe = InstanceProbe(vulkan, stack)
    probe.create()
    probe.devices()
    if probe.opened is None:
        raise NotAsked("a second instance did not open")
    return probe.opened, probe.physical_devices
