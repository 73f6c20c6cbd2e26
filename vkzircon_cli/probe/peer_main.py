# SPDX-License-Identifier: Apache-2.0
"""The main loop of the second process: it imports the VMOs from its channel, compares their bytes and writes others.

It answers each import with an `Answer[Imported]` as JSON, and exits when the other end of the channel is closed.
"""

import json
import os
import traceback
from contextlib import ExitStack, closing
from functools import partial
from typing import NoReturn

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused, Stop
from vkzircon_cli.model.base import Answer, plain, record
from vkzircon_cli.model.facts import Identity
from vkzircon_cli.model.vmo import Comparison, Form, Imported, MemoryRequirements
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.handles import OwnedHandle, owned
from vkzircon_cli.probe.import_targets import open_target
from vkzircon_cli.probe.instance import list_devices
from vkzircon_cli.probe.patterns import Pattern
from vkzircon_cli.probe.physical_device import find_device
from vkzircon_cli.probe.resources import ImageSpec, Memory, bind, mapped
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import answer_of

_STARTUP_VARIABLE = "VKZIRCON_STARTUP_HANDLES"


@record
class DeviceAsked:
    """The device to open with the extensions *enabled*: that of *identity*, at *index* if there are several."""

    index: int
    identity: Identity
    enabled: tuple[str, ...]


@record
class FarImport:
    """What to import on the device: *allocation_size* bytes for a resource of *size*.

    *before*, in hex, is the period of the pattern that should be there, '' if it could not be written; *after* that of
    the pattern to write.
    """

    form: Form
    memory_type: int
    allocation_size: int
    size: int
    image: ImageSpec | None
    before: str
    after: str


class Importer:
    """An instance, and the device that was last asked for."""

    def __init__(self, kernel: Zircon) -> None:
        self._kernel = kernel
        self._stack = ExitStack()
        self._of_device = ExitStack()  # closed before the instance: see `close`
        self._physical_devices: list[vk.PhysicalDevice] | None = None
        self._target: Target | None = None
        self._reason = "no device was asked for"
        self._no_instance = ""

    def close(self) -> None:
        """Destroy the device, then the instance: an `ExitStack` that is only dropped closes too, in any order."""
        self._of_device.close()
        self._stack.close()

    def open(self, asked: DeviceAsked) -> None:
        """Open the device; if that fails, the next import raises why."""
        self._of_device.close()
        self._target = None
        if self._physical_devices is None:
            self._physical_devices = self._listed()
        physical = find_device(asked.identity, asked.index, self._physical_devices, by_index=False)
        if physical is None:
            self._reason = self._no_instance or "the second process does not find the device"
            return
        try:
            self._target = open_target(physical, asked.enabled, self._kernel, self._of_device)
        except Refused as refused:
            self._reason = f"no device in the second process: {refused.said}"

    def _listed(self) -> list[vk.PhysicalDevice]:
        """List the devices of an instance, which is created once, also where that fails."""
        try:
            return list_devices(vk.open_loader(vk.Calls(lambda _: None)), self._stack)
        except (Refused, NotAsked, Stop) as stopped:
            self._no_instance = f"the second process has no instance: {stopped}"
            return []

    def imported(self, asked: FarImport, handle: OwnedHandle) -> Imported:
        """Import, bind, compare and write.

        Raises:
            NotAsked: a step before the import failed.
            Refused: the import failed, or binding to it.
        """
        target = self._target
        if target is None:
            raise NotAsked(self._reason)
        needs = MemoryRequirements(asked.allocation_size, 1, (1 << 32) - 1, None)
        shape = Shape(asked.form, size=asked.size, image=asked.image, needs=needs)
        with ExitStack() as stack:
            try:
                resource = stack.enter_context(shape.resource(target.device))
            except Refused as refused:
                raise NotAsked(f"{refused.said}, before an import") from refused
            import_type, candidates = target.import_type(handle, resource, asked.memory_type)
            importing = target.imported(shape, handle, resource, import_type, size=asked.allocation_size)
            memory = stack.enter_context(importing)
            bind(target.device, resource, memory)
            kept = answer_of(partial(_kept, target, memory, asked.before))
            shared = answer_of(partial(_written, target, memory, asked.after))
            return Imported(import_type, candidates, asked.allocation_size, kept, shared)


def _kept(target: Target, memory: Memory, period: str) -> Comparison:
    target.must_be_visible(memory.memory_type)
    if not period:
        raise NotAsked("nothing was written before")
    return target.compare(memory, Pattern(bytes.fromhex(period), memory.size))


def _written(target: Target, memory: Memory, period: str) -> Comparison:
    """Write a pattern, which the other process compares too."""
    target.must_be_visible(memory.memory_type)
    pattern = Pattern(bytes.fromhex(period), memory.size)
    with mapped(target.device, memory) as view:
        pattern.put(view)
        return pattern.compare(view)


def _serve(kernel: Zircon, channel: int, importer: Importer) -> None:
    """Answer until the other end is closed.

    The loader is opened only when a device is asked for: until then the other process loads it, and would be slowed.
    """
    is_ready = False
    while kernel.wait_for_message(channel):
        data, handles = kernel.read_channel(channel)
        message = json.loads(data)
        if DeviceAsked.__name__ in message:
            importer.open(decode(DeviceAsked, message[DeviceAsked.__name__]))
            if not is_ready:
                kernel.write_channel(channel, b"{}")
                is_ready = True
            continue
        asked = decode(FarImport, message[FarImport.__name__])
        with owned(kernel, handles[0]) as handle:
            answer: Answer[Imported] = answer_of(partial(importer.imported, asked, handle))
        kernel.write_channel(channel, json.dumps(plain(answer)).encode())


def _serve_to_the_end(kernel: Zircon) -> None:
    try:
        with closing(Importer(kernel)) as importer:
            _serve(kernel, kernel.take_startup_handle(), importer)
    except Refused as refused:
        # The other process needs no answer any more, as where nothing was exported that could be imported.
        if refused.missing.result != "ZX_ERR_PEER_CLOSED":
            raise


def serve_and_exit(opened: Zircon, descriptor: int, entry: str) -> NoReturn:
    """Be the second process, just forked: *descriptor* is its end of the channel, and *entry* names it."""
    code = 1
    try:
        # The pipe of the parent's events, for one, whose reader waits for its end.
        os.closerange(3, descriptor)
        os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
        os.environ[_STARTUP_VARIABLE] = entry
        kernel = Zircon(opened.lib, opened.library, lambda _: None)  # its calls are not those that the parent makes
        _serve_to_the_end(kernel)
        code = 0
    except Exception:  # noqa: BLE001 - written to the driver's output; the parent learns the exit code
        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)  # a driver may take long to unload
