# SPDX-License-Identifier: Apache-2.0
"""The devices that a VMO can be imported on: this one, another like it, one of a second instance, another GPU."""

from contextlib import ExitStack
from functools import partial

from vkzircon_cli.bindings.vk import PhysicalDevice
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.facts import Identity
from vkzircon_cli.model.queries import find_extension
from vkzircon_cli.model.vmo import ImportKind
from vkzircon_cli.probe.instance import list_devices
from vkzircon_cli.probe.physical_device import DeviceOpener, find_device, probe_extensions, probe_memory
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.events import answer_of


def open_target(physical: PhysicalDevice, enabled: tuple[str, ...], kernel: Zircon | None, stack: ExitStack) -> Target:
    """Open a device, which *stack* destroys.

    Raises:
        Refused: vkCreateDevice failed.
    """
    device = stack.enter_context(DeviceOpener(physical, enabled).open())
    return Target(device, probe_memory(physical).types, kernel)


class ImportTargets:
    """Opens each device when it is first needed and keeps it open until *stack* closes."""

    def __init__(self, own: Target, opener: DeviceOpener, identity: Identity, index: int, stack: ExitStack) -> None:
        self._own = own
        self._opener = opener
        self._identity = identity
        self._index = index
        self._stack = stack
        self._opened: dict[ImportKind, Answer[Target]] = {}
        self._others: list[PhysicalDevice] | None = None

    def find(self, kind: ImportKind) -> Target:
        """Return the device that *kind* imports on.

        Raises:
            NotAsked: there is no such device, or it did not open.
        """
        openers = {
            ImportKind.SECOND_DEVICE: self._second_device,
            ImportKind.SECOND_INSTANCE: self._second_instance,
            ImportKind.OTHER_DEVICE: self._other_device,
        }
        if kind not in openers:
            return self._own
        if kind not in self._opened:  # once, also where it fails: a driver may take seconds to make an instance
            self._opened[kind] = answer_of(openers[kind])
        target, missing = self._opened[kind].value, self._opened[kind].missing
        if missing is not None:
            raise NotAsked(f"{missing.call} answered {missing.result}" if missing.result else missing.reason)
        return target  # type: ignore[return-value]

    def _second_device(self) -> Target:
        return Target(self._stack.enter_context(self._opener.open()), self._own.types, self._own.kernel)

    def _second_instance(self) -> Target:
        physical = find_device(self._identity, self._index, self._listed_again(), by_index=False)
        if physical is None:
            raise NotAsked("a second instance does not list the device again")
        return self._open(physical)

    def _other_device(self) -> Target:
        for index, physical in enumerate(self._listed_again()):
            listed = answer_of(partial(probe_extensions, physical)).value or ()
            if index != self._index and find_extension(listed):
                return self._open(physical)
        raise NotAsked("no other device offers the extension")

    def _open(self, physical: PhysicalDevice) -> Target:
        return open_target(physical, self._opener.enabled, self._own.kernel, self._stack)

    def _listed_again(self) -> list[PhysicalDevice]:
        """Return the devices of a second instance, which is created once."""
        if self._others is None:
            self._others = list_devices(self._own.device.vulkan, self._stack)
        return self._others
