# SPDX-License-Identifier: Apache-2.0
"""Asks a machine everything, in a fixed order, as a stream of events. Never prints and never judges."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from vkzircon_cli import driver
from vkzircon_cli.errors import CannotAsk, Stop, Usage
from vkzircon_cli.events import Event, ask, error
from vkzircon_cli.facts import Identity, Instance
from vkzircon_cli.offer import select_devices
from vkzircon_cli.probe.device import probe_identity
from vkzircon_cli.probe.loader import InstanceProbe, probe_kernel, probe_loader
from vkzircon_cli.probe.one_device import DeviceProbe
from vkzircon_cli.request import Depth, Request
from vkzircon_cli.zircon import Zircon, open_zircon


def probe(request: Request, on_call: Callable[[str], None]) -> Iterator[Event]:
    """Ask what *request* wants; *on_call* hears the name of each call just before it is made.

    The last event is ``done``: a stream without it was cut short.
    """
    try:
        yield from _Machine(request, on_call).probe()
    except Stop as stop:
        yield error(stop, stop.cause if isinstance(stop, CannotAsk) else "usage")
    yield {"event": "done"}


class _Machine:
    """One run over one loader, one kernel and all of their devices."""

    def __init__(self, request: Request, on_call: Callable[[str], None]) -> None:
        self._request = request
        self._on_call = on_call
        self._kernel: Zircon | None = None

    def probe(self) -> Iterator[Event]:
        vulkan = driver.open_loader(self._on_call)
        yield from ask("loader", "loader", lambda: probe_loader(vulkan))
        yield from ask("kernel", "kernel", self._open_kernel)
        with ExitStack() as stack:
            instance = InstanceProbe(vulkan, stack)
            made = (yield from ask("instance", "instance", instance.create)).value
            yield from ({"event": "message", "severity": m.severity, "text": m.text} for m in instance.messages)
            if instance.opened is not None and made is not None:
                yield from ask("devices", "device_count", instance.devices)
                yield from self._devices(instance.opened, made, instance.physical_devices)
            if instance.opened is not None:
                yield from ask("instance.destroy", "closed", instance.destroy)

    def _open_kernel(self) -> Any:
        self._kernel = open_zircon(self._on_call)
        return probe_kernel(self._kernel)

    def _devices(self, instance: driver.Instance, made: Instance, physical_devices: list[Any]) -> Iterator[Event]:
        identities: list[Identity | None] = []
        for index, physical in enumerate(physical_devices):
            answer = yield from ask(
                f"device{index}/identity", "identity", partial(probe_identity, instance, physical), device=index
            )
            identities.append(answer.value)
        try:
            selected = sorted(select_devices(identities, self._request.device))
        except Usage:
            selected = []  # whoever typed the selector asks the same of the same facts, and says so
        yield {"event": "select", "devices": selected}
        for index in selected:
            if (identity := identities[index]) is not None:
                device = DeviceProbe(instance, physical_devices[index], index, made=made, kernel=self._kernel)
                only_identity = self._request.depth is Depth.IDENTITY
                yield from device.extensions() if only_identity else device.everything(identity)
