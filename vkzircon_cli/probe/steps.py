# SPDX-License-Identifier: Apache-2.0
"""The order in which a machine is asked, as a stream of events: loader, kernel, instance, devices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.caller import LOCAL, Caller
from vkzircon_cli.bindings.zircon import Zircon, open_zircon
from vkzircon_cli.errors import CannotAsk, Stop
from vkzircon_cli.model.base import BadValue, MissingKind, plain
from vkzircon_cli.model.clock import elapsed_ms
from vkzircon_cli.model.facts import Identity, Instance
from vkzircon_cli.model.queries import select_devices
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.probe.device_run import DeviceProbe
from vkzircon_cli.probe.instance import InstanceProbe, probe_kernel, probe_loader
from vkzircon_cli.probe.peer import Peer
from vkzircon_cli.probe.physical_device import find_device, probe_identity
from vkzircon_cli.probe.session import DeviceSession, Run
from vkzircon_cli.stream.events import Asker, Event, error
from vkzircon_cli.worker.protocol import time_limit

_LAST_STEP = "instance.destroy"


def probe(
    request: Request, on_call: Callable[[str], None], answered: Mapping[str, Any], caller: Caller = LOCAL
) -> Iterator[Event]:
    """Ask the questions of *request*; *on_call* gets the name of each call just before it is made.

    *caller* makes the calls. Steps that an earlier process has *answered* are not asked again; what it opened is opened
    again. Each event has its time in milliseconds. The last one is ``done``: a stream without it was cut off.
    """
    calls = vk.Calls(on_call, _hung(answered))

    def around(ask: Callable[[], Any], moves: int) -> Any:
        caller.begin_step(time_limit(request.timeout_s, moves))
        answer = ask()
        caller.flush()
        return answer

    for event in _Machine(request, calls, Asker(answered, request.device_shape, around), caller).events():
        yield {**event, "ms": elapsed_ms()}


def _hung(answered: Mapping[str, Any]) -> frozenset[str]:
    """Return the calls that hung: each would cost its limit again in every step that makes it."""
    missing = [answer["missing"] for answer in answered.values() if answer["missing"] is not None]
    return frozenset(each["call"] for each in missing if each["kind"] == MissingKind.TIMED_OUT)


class _Machine:
    """One run over one loader, one kernel and all of their devices."""

    def __init__(self, request: Request, on_call: vk.Calls, ask: Asker, caller: Caller) -> None:
        self._caller = caller
        self._ask = ask
        self._request = request
        self._on_call = on_call
        self._kernel: Zircon | None = None

    def events(self) -> Iterator[Event]:
        try:
            yield from self._probe()
        except Stop as stop:
            yield error(stop, stop.cause if isinstance(stop, CannotAsk) else "usage")
        yield {"event": "done"}

    def _probe(self) -> Iterator[Event]:
        if self._ask.knows(_LAST_STEP):
            return
        vulkan = vk.open_loader(self._on_call, self._caller)
        yield from self._ask("loader", "loader", lambda: probe_loader(vulkan))
        yield from self._ask("kernel", "kernel", self._open_kernel, live=True)
        with ExitStack() as stack:
            peer = self._peer(stack)
            instance = InstanceProbe(vulkan, stack)
            is_first = not self._ask.knows("instance")
            made = (yield from self._ask("instance", "instance", instance.create, live=True)).value
            if is_first:
                yield from ({"event": "message", **plain(m)} for m in instance.messages)
            if instance.opened is not None and made is not None:
                yield from self._ask("devices", "device_count", instance.devices, live=True)
                yield from self._devices(instance.physical_devices, made, peer)
            if instance.opened is not None:
                yield from self._ask(_LAST_STEP, "closed", partial(_destroy, instance, peer))

    def _open_kernel(self) -> Any:
        self._kernel = open_zircon(self._on_call, self._caller)
        return probe_kernel(self._kernel)

    def _peer(self, stack: ExitStack) -> Peer:
        """Start the peer while no driver is loaded, so that it is ready when it is needed."""
        peer = Peer(self._kernel, self._request.timeout_s * 0.8)
        stack.callback(peer.close)
        if self._request.depth is Depth.EVERYTHING and self._kernel is not None:
            peer.start()
        return peer

    def _devices(self, physical_devices: Sequence[vk.PhysicalDevice], made: Instance, peer: Peer) -> Iterator[Event]:
        identities: list[Identity | None] = []
        for index, physical in enumerate(physical_devices):
            question = partial(probe_identity, physical)
            answer = yield from self._ask(f"device{index}/identity", "identity", question, device=index)
            identities.append(answer.value)
        try:
            selected = sorted(select_devices(identities, self._request.device))
        except BadValue:
            selected = []  # the first process selects by the same facts, and reports the error
        yield {"event": "select", "devices": selected}
        run = Run(self._ask, self._request, made, self._kernel, peer)
        is_measured = False
        for index in selected:
            identity = identities[index]
            # If an earlier process tried to close a device, it is not opened again only to be closed.
            if identity is None or self._ask.knows(f"device{index}/close"):
                is_measured = is_measured or identity is not None
            elif self._request.depth is not Depth.BENCH or not is_measured:
                physical = physical_devices[index]
                if self._ask.resumes:  # a new process may list the devices in another order
                    physical = find_device(identity, index, physical_devices, by_index=True) or physical
                is_measured = yield from _session(self._request.depth)(run, physical, index, identity).probe()


def _destroy(instance: InstanceProbe, peer: Peer) -> bool:
    peer.hang_up()
    return instance.destroy()


def _session(depth: Depth) -> type[DeviceSession]:
    # Imported here: the matrix takes 1.5 ms and the bench 2.5 ms, which a check need not pay for.
    if depth is Depth.MATRIX:
        from vkzircon_cli.probe.matrix import MatrixProbe

        return MatrixProbe
    if depth is Depth.BENCH:
        from vkzircon_cli.probe.bench import BenchProbe

        return BenchProbe
    return DeviceProbe
