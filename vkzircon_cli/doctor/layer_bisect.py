# SPDX-License-Identifier: Apache-2.0
"""What is asked again, differently, where the extension is missing or its commands are: without layers, and why."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from vkzircon_cli import pipeline
from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.host import LIBZIRCON_VARIABLE
from vkzircon_cli.model.queries import offers_extension
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.stream.fold import Fold
from vkzircon_cli.worker.isolation import NoProcess, can_fork

_MOST_DEVICES = 8
_MOST_LAYERS = 8


@record
class Seen:
    """What a second look at one device showed.

    *commands* names those of the extension that are NULL though it is listed; *hidden_by* are the layers without which
    the extension, or those commands, are there; *refusal* is why the emulation does not offer it.
    """

    commands: tuple[str, ...] = ()
    hidden_by: tuple[str, ...] = ()
    refusal: str = ""


NOTHING_SEEN = Seen()


class SecondLook:
    """Looks again at *devices*, each time in a child. *layers* are those that are on beside the emulation's own."""

    def __init__(self, request: Request, layers: Sequence[str]) -> None:
        self._request = request
        self._layers = tuple(layers)[:_MOST_LAYERS]

    def at(self, devices: Sequence[Device]) -> dict[int, Seen]:
        """Look at each device that may have something hidden; those that are not in there were not looked at."""
        if not can_fork():
            return {}
        looked: dict[int, Seen] = {}
        with suppress(NoProcess):  # the devices that are left were not looked at
            self._look(devices, looked)
        return looked

    def _look(self, devices: Sequence[Device], looked: dict[int, Seen]) -> None:
        refusals = self._refusals(devices)
        for device in devices[:_MOST_DEVICES]:
            if device.extensions.value is None:
                continue
            seen = self._commands(device) if offers_extension(device) else self._listing(device)
            uuids = device.identity.value.uuids.value if device.identity.value else None
            refusal = refusals.get(uuids.device_uuid, "") if uuids else ""
            looked[device.index] = replace(seen, refusal=refusal)

    def _listing(self, device: Device) -> Seen:
        def is_listed(left_out: tuple[str, ...]) -> bool:
            found = _same(self._devices(left_out), device)
            return found is not None and offers_extension(found)

        return Seen(hidden_by=self._culprits(is_listed))

    def _commands(self, device: Device) -> Seen:
        if not self._layers:
            return NOTHING_SEEN
        missing = self._null_commands(device, ())
        if not missing:
            return NOTHING_SEEN
        return Seen(missing, self._culprits(lambda left_out: self._null_commands(device, left_out) == ()))

    def _culprits(self, is_good: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
        """Find the layer without which it is good, or the layers, where it takes more than one to be gone."""
        if not self._layers or not is_good(self._layers):
            return ()
        if len(self._layers) > 1:
            for layer in self._layers:
                if is_good((layer,)):
                    return (layer,)
        return self._layers

    def _devices(self, left_out: tuple[str, ...]) -> tuple[Device, ...]:
        return self._until(self._request, left_out, "")

    def _null_commands(self, device: Device, left_out: tuple[str, ...]) -> tuple[str, ...] | None:
        """Give the extension's commands that are NULL, None where the device does not open."""
        request = replace(self._request, depth=Depth.EVERYTHING, device=str(device.index))
        devices = self._until(request, left_out, f"device{device.index}/open")
        opened = next((found.opened.value for found in devices if found.index == device.index), None)
        return None if opened is None else tuple(entry.name for entry in opened.entry_points if not entry.resolved)

    def _until(self, request: Request, left_out: tuple[str, ...], step: str) -> tuple[Device, ...]:
        """Probe up to the end of *step*, or all that is asked."""
        fold = Fold()
        with closing(pipeline.events(replace(request, environ=self._without(left_out)))) as stream:
            for event in stream:
                fold.add(event)
                if event["event"] == "end" and event["step"] == step:
                    break
        return fold.transcript().facts.devices

    def _without(self, left_out: tuple[str, ...]) -> dict[str, str]:
        """Give the variables that leave layers out; those that stay are named, so that no filter is needed."""
        if not left_out:
            return self._request.environ
        given = {**os.environ, **self._request.environ}
        layers = given.get("VK_INSTANCE_LAYERS", "").split(os.pathsep)
        named = [name for name in layers if name and name not in left_out]
        off = [name for name in left_out if name != LAYER_NAME]
        if before := given.get("VK_LOADER_LAYERS_DISABLE"):  # or more than these layers would be other than before
            off.append(before)
        return self._request.environ | {
            "VK_INSTANCE_LAYERS": os.pathsep.join(named),
            "VK_LOADER_LAYERS_DISABLE": ",".join(off),
        }

    def _refusals(self, devices: Sequence[Device]) -> dict[str, str]:
        """Ask the emulation, which knows it only where it was just asked, why it does not offer the extension."""
        library = self._request.environ.get(LIBZIRCON_VARIABLE)
        uuids = [
            device.identity.value.uuids.value.device_uuid
            for device in devices
            if device.identity.value and device.identity.value.uuids.value and not offers_extension(device)
        ]
        if not library or not uuids:
            return {}
        from vkzircon_cli.worker.task import Task

        errand = Task(lambda: _refusals(self._request, uuids), self._request.timeout_s)
        answers, _ = errand.answers()
        return dict(zip(uuids, answers, strict=False))


def _same(devices: Sequence[Device], wanted: Device) -> Device | None:
    """Find a device again: by its UUID, since layers may change the order."""
    uuids = wanted.identity.value.uuids if wanted.identity.value else None
    for device in devices:
        if device.identity.value and uuids and uuids.value and device.identity.value.uuids == uuids:
            return device
    return next((device for device in devices if device.index == wanted.index), None)


def _refusals(request: Request, uuids: Sequence[str]) -> Iterator[str]:
    """Have the layer try the devices, and read what it noted of each. Only ever run in a child."""
    from vkzircon_cli.bindings import _abi

    os.environ.update(request.environ)
    for _ in pipeline.load_probe()(request, lambda _: None, {}):
        pass
    ffi: Any = _abi.ffi
    library = ffi.dlopen(request.environ[LIBZIRCON_VARIABLE])
    for uuid in uuids:
        reason = library.vkz_device_reason(bytes.fromhex(uuid.replace("-", "")))
        yield "" if reason == ffi.NULL else ffi.string(reason).decode("utf-8", "backslashreplace")
