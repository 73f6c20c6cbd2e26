# SPDX-License-Identifier: Apache-2.0
"""Asks a machine everything, in a fixed order, as a stream of events. Never prints and never judges."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.zircon import Zircon, open_zircon
from vkzircon_cli.errors import CannotAsk, Stop
from vkzircon_cli.model.base import BadValue, MissingKind, plain
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.facts import Identity, Instance, shape_of_device
from vkzircon_cli.model.queries import select_devices
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.probe.device import probe_identity
from vkzircon_cli.probe.device_run import DeviceProbe
from vkzircon_cli.probe.loader import InstanceProbe, probe_kernel, probe_loader
from vkzircon_cli.probe.peer import SecondProcess
from vkzircon_cli.stream.events import Asker, Event, answer_of, error


def probe(request: Request, on_call: Callable[[str], None], answered: Mapping[str, Any]) -> Iterator[Event]:
    """Ask what *request* wants; *on_call* hears the name of each call just before it is made.

    What an earlier process has *answered* is not asked again; what it had opened is opened again. Each event has its
    time in milliseconds. The last one is ``done``: a stream without it was cut.
    """
    calls = vk.Calls(on_call, _hung(answered))
    for event in _events(_Machine(request, calls, Asker(answered, shape_of_device(request.depth)))):
        yield {**event, "ms": elapsed_ms()}


def _hung(answered: Mapping[str, Any]) -> frozenset[str]:
    """Give the calls that hung: what waits for ever once would cost its limit in every step that makes it."""
    missing = [answer["missing"] for answer in answered.values() if answer["missing"] is not None]
    return frozenset(each["call"] for each in missing if each["kind"] == MissingKind.TIMED_OUT)


def _events(machine: "_Machine") -> Iterator[Event]:
    try:
        yield from machine.probe()
    except Stop as stop:
        yield error(stop, stop.cause if isinstance(stop, CannotAsk) else "usage")
    yield {"event": "done"}


_LAST_STEP = "instance.destroy"


class _Machine:
    """One run over one loader, one kernel and all of their devices."""

    def __init__(self, request: Request, on_call: vk.Calls, ask: Asker) -> None:
        self._ask = ask
        self._request = request
        self._on_call = on_call
        self._kernel: Zircon | None = None
        self._second = SecondProcess(None, 0.0)  # which is never started
        self._is_benched = False

    def probe(self) -> Iterator[Event]:
        if self._ask.knows(_LAST_STEP):
            return
        vulkan = vk.open_loader(self._on_call)
        yield from self._ask("loader", "loader", lambda: probe_loader(vulkan))
        yield from self._ask("kernel", "kernel", self._open_kernel, live=True)
        with ExitStack() as stack:
            self._second = self._second_process(stack)
            instance = InstanceProbe(vulkan, stack)
            is_first = not self._ask.knows("instance")
            made = (yield from self._ask("instance", "instance", instance.create, live=True)).value
            if is_first:
                yield from ({"event": "message", **plain(m)} for m in instance.messages)
            if instance.opened is not None and made is not None:
                yield from self._ask("devices", "device_count", instance.devices, live=True)
                yield from self._devices(instance.opened, made, instance.physical_devices)
            if instance.opened is not None:
                yield from self._ask(_LAST_STEP, "closed", instance.destroy)

    def _open_kernel(self) -> Any:
        self._kernel = open_zircon(self._on_call)
        return probe_kernel(self._kernel)

    def _second_process(self, stack: ExitStack) -> SecondProcess:
        """Start it while no driver is loaded; by the time that it is wanted it is there."""
        second = SecondProcess(self._kernel, self._request.timeout_s * 0.8)
        stack.callback(second.close)
        if self._request.depth is Depth.EVERYTHING and self._kernel is not None:
            second.start()
        return second

    def _devices(self, instance: vk.Instance, made: Instance, physical_devices: list[Any]) -> Iterator[Event]:
        identities: list[Identity | None] = []
        for index, physical in enumerate(physical_devices):
            question = partial(probe_identity, instance, physical)
            answer = yield from self._ask(f"device{index}/identity", "identity", question, device=index)
            identities.append(answer.value)
        try:
            selected = sorted(select_devices(identities, self._request.device))
        except BadValue:
            selected = []  # whoever typed the selector asks the same of the same facts, and says so
        yield {"event": "select", "devices": selected}
        for index in selected:
            identity = identities[index]
            # A device whose closing was asked, answered or not, is not opened again only to be closed.
            if identity is None or self._ask.knows(f"device{index}/close"):
                self._is_benched = self._is_benched or identity is not None
                continue
            physical = physical_devices[index]
            if self._ask.resumes:
                physical = _same(instance, physical_devices, index, identity)
            if self._request.depth is Depth.MATRIX:
                yield from self._matrix(instance, physical, index, made, identity)
            elif self._request.depth is Depth.BENCH:
                yield from self._bench(instance, physical, index, made, identity)
            else:
                yield from self._device(instance, physical, index, made, identity)

    def _device(
        self, instance: vk.Instance, physical: Any, index: int, made: Instance, identity: Identity
    ) -> Iterator[Event]:
        device = DeviceProbe(
            self._ask,
            instance,
            physical,
            index,
            request=self._request,
            made=made,
            kernel=self._kernel,
            second=self._second,
        )
        only_identity = self._request.depth is Depth.IDENTITY
        yield from device.extensions() if only_identity else device.everything(identity)

    def _bench(
        self, instance: vk.Instance, physical: Any, index: int, made: Instance, identity: Identity
    ) -> Iterator[Event]:
        from vkzircon_cli.probe.bench import BenchProbe

        if self._is_benched:
            return
        probe = BenchProbe(
            self._ask,
            instance,
            physical,
            index,
            request=self._request,
            made=made,
            kernel=self._kernel,
        )
        self._is_benched = yield from probe.probe(identity)

    def _matrix(
        self, instance: vk.Instance, physical: Any, index: int, made: Instance, identity: Identity
    ) -> Iterator[Event]:
        from vkzircon_cli.probe.matrix import MatrixProbe

        request = self._request
        probe = MatrixProbe(instance, physical, identity, made=made, handle_type=request.handle_type)
        yield from probe.probe(self._ask, index, request.formats)


def _same(instance: vk.Instance, physical_devices: list[Any], index: int, identity: Identity) -> Any:
    """Find the device again that an earlier process knew: by its UUID, since the order may have changed."""
    here = answer_of(partial(probe_identity, instance, physical_devices[index])).value
    if identity.uuids.value is None or here is None or here.uuids == identity.uuids:
        return physical_devices[index]
    for physical in physical_devices:
        other = answer_of(partial(probe_identity, instance, physical)).value
        if other is not None and other.uuids == identity.uuids:
            return physical
    return physical_devices[index]
