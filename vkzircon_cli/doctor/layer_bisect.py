# SPDX-License-Identifier: Apache-2.0
"""Finds the layers that hide the extension or its commands from a device, by probing again without them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from vkzircon_cli import pipeline
from vkzircon_cli.bindings.dynlib import open_library
from vkzircon_cli.doctor.bisect import fewest, layers_off
from vkzircon_cli.doctor.manifest_check import ManifestExam
from vkzircon_cli.doctor.search import Surroundings
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.host import LIBZIRCON_VARIABLE
from vkzircon_cli.model.queries import find_again, offers_extension
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.stream.fold import Fold
from vkzircon_cli.worker.isolation import NoProcess, can_fork

_MOST_DEVICES = 8
_MOST_LAYERS = 8


@record
class Hidden:
    """What the extension of one device lacks, and why.

    *commands* are those that are NULL though the extension is listed; *hidden_by* are the layers without which the
    extension, or those commands, are there; *refusal* is why the emulation does not offer the extension.
    """

    commands: tuple[str, ...] = ()
    hidden_by: tuple[str, ...] = ()
    refusal: str = ""


NOTHING_HIDDEN = Hidden()


class LayerBisect:
    """Probes again, each time in another process. *layers* are those that are on besides the emulation's own."""

    def __init__(self, request: Request, where: Surroundings, layers: Sequence[ManifestExam]) -> None:
        self._request = request
        self._where = where
        self._layers = list(layers)[:_MOST_LAYERS]

    def devices(self, devices: Sequence[Device]) -> dict[int, Hidden]:
        """Return by index what is hidden from each device; devices without an entry were not probed again."""
        if not can_fork():
            return {}
        found: dict[int, Hidden] = {}
        with suppress(NoProcess):
            self._search(devices, found)
        return found

    def _search(self, devices: Sequence[Device], found: dict[int, Hidden]) -> None:
        refusals = self._refusals(devices)
        for device in devices[:_MOST_DEVICES]:
            if device.extensions.value is None:
                continue
            hidden = self._commands(device) if offers_extension(device) else self._listing(device)
            refusal = refusals.get(_uuid(device), "")
            found[device.index] = replace(hidden, refusal=refusal)

    def _listing(self, device: Device) -> Hidden:
        def is_listed(off: Sequence[ManifestExam]) -> bool:
            found = {each.index: each for each in self._until(self._request, off, "")}
            identities = {index: each.identity.value for index, each in found.items()}
            index = find_again(device.identity.value, device.index, identities)
            return index is not None and offers_extension(found[index])

        return Hidden(hidden_by=self._culprits(is_listed))

    def _commands(self, device: Device) -> Hidden:
        if not self._layers:
            return NOTHING_HIDDEN
        missing = self._null_commands(device, ())
        if not missing:
            return NOTHING_HIDDEN
        return Hidden(missing, self._culprits(lambda off: self._null_commands(device, off) == ()))

    def _culprits(self, is_good: Callable[[Sequence[ManifestExam]], bool]) -> tuple[str, ...]:
        """Return the layers, as few as possible, without which the result is good."""
        found = fewest(self._layers, is_good) if self._layers and is_good(self._layers) else []
        return tuple(exam.manifest.name for exam in found)

    def _null_commands(self, device: Device, off: Sequence[ManifestExam]) -> tuple[str, ...] | None:
        """Return the extension's commands that are NULL, None if the device does not open."""
        request = replace(self._request, depth=Depth.EVERYTHING, device=str(device.index))
        devices = self._until(request, off, f"device{device.index}/open")
        opened = next((found.opened.value for found in devices if found.index == device.index), None)
        return None if opened is None else tuple(entry.name for entry in opened.entry_points if not entry.resolved)

    def _until(self, request: Request, off: Sequence[ManifestExam], step: str) -> tuple[Device, ...]:
        """Probe without the layers that are *off*, up to the end of *step*, or to the end if it never comes."""
        fold = Fold()
        environ = {**self._request.environ, **layers_off(off, self._where, self._layers)}
        with closing(pipeline.events(replace(request, environ=environ))) as stream:
            for event in stream:
                fold.add(event)
                if event["event"] == "end" and event["step"] == step:
                    break
        return fold.transcript().facts.devices

    def _refusals(self, devices: Sequence[Device]) -> dict[str, str]:
        """Return by UUID why the emulation does not offer the extension; it knows only in a process that probed."""
        library = self._request.environ.get(LIBZIRCON_VARIABLE)
        uuids = [uuid for device in devices if (uuid := _uuid(device)) and not offers_extension(device)]
        if not library or not uuids:
            return {}
        from vkzircon_cli.worker.task import Task

        task = Task(lambda: _refusals(self._request, uuids), self._request.timeout_s)
        answers, _ = task.answers()
        return dict(zip(uuids, answers, strict=False))


def _uuid(device: Device) -> str:
    uuids = device.identity.value.uuids.value if device.identity.value else None
    return uuids.device_uuid if uuids else ""


def _refusals(request: Request, uuids: Sequence[str]) -> Iterator[str]:
    """Probe, then yield the layer's reason for each device. Runs only in a task's process."""
    from vkzircon_cli.bindings import _abi

    os.environ.update(request.environ)
    for _ in pipeline.load_probe()(request, lambda _: None, {}):
        pass
    ffi: Any = _abi.ffi
    library = open_library(request.environ[LIBZIRCON_VARIABLE]).through(ffi)
    for uuid in uuids:
        reason = library.vkz_device_reason(bytes.fromhex(uuid.replace("-", "")))
        yield "" if reason == ffi.NULL else ffi.string(reason).decode("utf-8", "backslashreplace")
