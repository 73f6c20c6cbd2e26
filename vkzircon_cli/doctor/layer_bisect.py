# SPDX-License-Identifier: Apache-2.0
"""Finds the layers that hide the extension or its commands, by leaving out some and probing again."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from shlex import quote
from typing import Any, TypeVar

from vkzircon_cli import pipeline
from vkzircon_cli.bindings.dynlib import LAYER_NAME, open_library
from vkzircon_cli.doctor.manifest import ManifestExam, ManifestKind
from vkzircon_cli.doctor.search import Surroundings
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.host import LIBZIRCON_VARIABLE
from vkzircon_cli.model.loader_filters import layer_filter
from vkzircon_cli.model.queries import find_again, hidden_commands, offers_extension
from vkzircon_cli.model.request import Depth, Request
from vkzircon_cli.stream.fold import Fold, Transcript
from vkzircon_cli.worker.isolation import NoProcess, can_fork
from vkzircon_cli.worker.task import Task

T = TypeVar("T")

_ENABLE = "VK_LOADER_LAYERS_ENABLE"
_MOST_DEVICES = 8
_MOST_LAYERS = 8


def layers_on(layers: Sequence[ManifestExam]) -> list[ManifestExam]:
    """Return the layers that are on besides the emulation's own, each name once."""
    on = {exam.manifest.name: exam for exam in reversed(layers) if exam.is_on and exam.manifest.name != LAYER_NAME}
    return list(reversed(on.values()))


def without_layers(names: Iterable[str]) -> str:
    """Return the variables that leave out layers, for a shell."""
    return f"VK_LOADER_LAYERS_DISABLE={quote(','.join(names))} VK_INSTANCE_LAYERS="


def fewest(items: Sequence[T], helps: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return as few items as possible that help if left out; all of them together are known to help."""
    if len(items) == 1:
        return list(items)
    if (one := next(([item] for item in items if helps([item])), None)) is not None:
        return one
    off = next(list(items[:count]) for count in range(1, len(items) + 1) if count == len(items) or helps(items[:count]))
    for item in tuple(off):
        rest = [other for other in off if other is not item]
        off = rest if rest and helps(rest) else off
    return off


def layers_off(exams: Sequence[ManifestExam], where: Surroundings, on: Sequence[ManifestExam] = ()) -> dict[str, str]:
    """Return the variables that turn layers off, implicit ones by their own switch; the others stay *on*."""
    environ = {exam.manifest.switch[0]: exam.manifest.switch[1] or "1" for exam in exams if exam.manifest.switch}
    names = {exam.manifest.name for exam in exams if exam.manifest.kind is ManifestKind.EXPLICIT_LAYER}
    if not names:
        return environ
    asked = where.environ.get("VK_INSTANCE_LAYERS", "")
    environ["VK_INSTANCE_LAYERS"] = os.pathsep.join(name for name in asked.split(os.pathsep) if name not in names)
    parts = [part for part in where.environ.get(_ENABLE, "").split(",") if part]
    kept = [part for part in parts if not any(_enables(part, name) for name in names)]
    others = [exam.manifest.name for exam in on if exam.manifest.name not in names]
    kept += [name for name in others if any(_enables(part, name) for part in parts if part not in kept)]
    return environ | {_ENABLE: ",".join(kept)} if parts else environ


def _enables(part: str, name: str) -> bool:
    return layer_filter({_ENABLE: part}, name, is_implicit=False) is True


def probe_again(request: Request, changed: Mapping[str, str], last: str = "") -> Transcript:
    """Probe with *changed* variables up to the end of the step *last*, or to the end if it never comes."""
    fold = Fold()
    with closing(pipeline.events(replace(request, environ={**request.environ, **changed}))) as stream:
        for event in stream:
            fold.add(event)
            if event["event"] == "end" and event["step"] == last:
                break
    return fold.transcript()


@record
class Hidden:
    """What the extension of one device lacks, and why.

    *commands* are those that are NULL though the extension is listed; *hidden_by* are the layers without which the
    extension, or those commands, are there; *refusal* is why the emulation does not offer the extension.
    """

    commands: tuple[str, ...] = ()
    hidden_by: tuple[str, ...] = ()
    refusal: str = ""


class LayerBisect:
    """Probes again, each time in another process. *layers* are those that are on besides the emulation's own."""

    def __init__(self, request: Request, where: Surroundings, layers: Sequence[ManifestExam]) -> None:
        self._request = request
        self._where = where
        self._layers = list(layers)[:_MOST_LAYERS]

    def devices(self, devices: Sequence[Device]) -> dict[int, Hidden]:
        """Return by index what is hidden from each device; devices without an entry were not probed again."""
        found: dict[int, Hidden] = {}
        if not can_fork():
            return found
        with suppress(NoProcess):
            refusals = self._refusals(devices)
            for device in devices[:_MOST_DEVICES]:
                if device.extensions.value is not None:
                    hidden = self._commands(device) if offers_extension(device) else self._listing(device)
                    found[device.index] = replace(hidden, refusal=refusals.get(_uuid(device), ""))
        return found

    def _listing(self, device: Device) -> Hidden:
        def is_listed(off: Sequence[ManifestExam]) -> bool:
            found = {each.index: each for each in self._devices(self._request, off)}
            identities = {index: each.identity.value for index, each in found.items()}
            index = find_again(device.identity.value, device.index, identities)
            return index is not None and offers_extension(found[index])

        return Hidden(hidden_by=self._culprits(is_listed))

    def _commands(self, device: Device) -> Hidden:
        missing = self._null_commands(device, ()) if self._layers else None
        if not missing:
            return Hidden()
        return Hidden(missing, self._culprits(lambda off: self._null_commands(device, off) == ()))

    def _culprits(self, is_good: Callable[[Sequence[ManifestExam]], bool]) -> tuple[str, ...]:
        """Return the layers, as few as possible, without which the result is good."""
        found = fewest(self._layers, is_good) if self._layers and is_good(self._layers) else []
        return tuple(exam.manifest.name for exam in found)

    def _null_commands(self, device: Device, off: Sequence[ManifestExam]) -> tuple[str, ...] | None:
        """Return the extension's commands that are NULL, None if the device does not open."""
        request = replace(self._request, depth=Depth.EVERYTHING, device=str(device.index))
        devices = self._devices(request, off, f"device{device.index}/open")
        opened = next((found for found in devices if found.index == device.index and found.opened.value), None)
        return None if opened is None else hidden_commands(opened)

    def _devices(self, request: Request, off: Sequence[ManifestExam], last: str = "") -> tuple[Device, ...]:
        """Probe without the layers that are *off*, up to the step *last*."""
        return probe_again(request, layers_off(off, self._where, self._layers), last).facts.devices

    def _refusals(self, devices: Sequence[Device]) -> dict[str, str]:
        """Return by UUID why the emulation does not offer the extension; only a process that probed has the reason."""
        uuids = [uuid for device in devices if (uuid := _uuid(device)) and not offers_extension(device)]
        if not uuids or not self._request.environ.get(LIBZIRCON_VARIABLE):
            return {}
        answers, _ = Task(lambda: _refusals(self._request, uuids), self._request.timeout_s).answers()
        return dict(zip(uuids, answers, strict=False))


def _uuid(device: Device) -> str:
    uuids = device.identity.value.uuids.value if device.identity.value else None
    return uuids.device_uuid if uuids else ""


def _refusals(request: Request, uuids: Sequence[str]) -> Iterator[str]:
    """Probe, then yield the layer's reason for each device. Runs only in a task's process."""
    from vkzircon_cli.bindings import _abi  # 0.4 ms, for a task only

    os.environ.update(request.environ)
    for _ in pipeline.load_probe()(request, lambda _: None, {}):
        pass
    ffi: Any = _abi.ffi
    library = open_library(request.environ[LIBZIRCON_VARIABLE]).through(ffi)
    for uuid in uuids:
        reason = library.vkz_device_reason(bytes.fromhex(uuid.replace("-", "")))
        yield "" if reason == ffi.NULL else ffi.string(reason).decode("utf-8", "backslashreplace")
