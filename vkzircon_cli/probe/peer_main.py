# SPDX-License-Identifier: Apache-2.0
"""What the second process does: it imports what comes through its channel, looks at it, and writes into it.

It answers each import with an `Answer[Imported]` as JSON, and ends when the other end of the channel is closed.
"""

import json
import os
import traceback
from contextlib import ExitStack
from functools import partial
from typing import Any, NoReturn

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked, Refused, Stop
from vkzircon_cli.model.base import Answer, plain
from vkzircon_cli.model.facts import MemoryType, Uuids
from vkzircon_cli.model.queries import is_host_visible
from vkzircon_cli.model.vmo import Comparison, Imported, MemoryRequirements
from vkzircon_cli.probe.allocation import Shape
from vkzircon_cli.probe.device import DeviceOpener, probe_identity, probe_memory
from vkzircon_cli.probe.handles import OwnedHandle, owned, taking, types_taking
from vkzircon_cli.probe.imports import choose_type
from vkzircon_cli.probe.loader import InstanceProbe
from vkzircon_cli.probe.memory import Memory, bind, mapped
from vkzircon_cli.probe.patterns import Pattern
from vkzircon_cli.probe.peer import DeviceAsked, FarImport
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import answer_of
from vkzircon_cli.worker.process import die_with

_STARTUP_VARIABLE = "VKZIRCON_STARTUP_HANDLES"


class Importer:
    """An instance, and the device that was last asked for."""

    def __init__(self, kernel: Zircon) -> None:
        self._kernel = kernel
        self._stack = ExitStack()
        self._of_device = ExitStack()
        self._probe: InstanceProbe | None = None
        self._device: vk.Device | None = None
        self._types: tuple[MemoryType, ...] = ()
        self._reason = "no device was asked for"

    def make_instance(self) -> None:
        """Create the instance, once; what fails here is told when something is to be imported."""
        if self._probe is not None:
            return
        try:
            self._probe = InstanceProbe(vk.open_loader(vk.Calls(lambda _: None)), self._stack)
            self._probe.create()
            self._probe.devices()
        except (Refused, NotAsked, Stop) as stopped:
            self._reason = f"the second process has no instance: {stopped}"

    def open(self, asked: DeviceAsked) -> None:
        """Open the device; what fails here is told when something is to be imported."""
        self._of_device.close()
        self._device = None
        self.make_instance()
        if self._probe is None or self._probe.opened is None:
            return
        physical = self._find(self._probe.opened, asked)
        if physical is None:
            self._reason = "the second process does not find the device"
            return
        opener = DeviceOpener(self._probe.opened, physical, (), "")
        opener.enabled = asked.enabled
        try:
            self._device = self._of_device.enter_context(opener.open())
            self._types = probe_memory(self._probe.opened, physical).types
        except Refused as refused:
            self._reason = f"no device in the second process: {refused.said}"

    def _find(self, instance: vk.Instance, asked: DeviceAsked) -> Any:
        """Prefer the one at the same place: several may have one name and UUID."""
        found = self._probe.physical_devices if self._probe is not None else []
        matching = [index for index, physical in enumerate(found) if _is_asked(instance, physical, asked)]
        return found[asked.index if asked.index in matching else matching[0]] if matching else None

    def imported(self, asked: FarImport, handle: OwnedHandle) -> Imported:
        """Import, bind, compare and write.

        Raises:
            NotAsked: it did not come to an import.
            Refused: the import, or binding to it.
        """
        device, types = self._device, self._types
        if device is None:
            raise NotAsked(self._reason)
        needs = MemoryRequirements(asked.allocation_size, 1, (1 << 32) - 1, None)
        shape = Shape(asked.form, size=asked.size, image=asked.image, needs=needs)
        with ExitStack() as stack:
            try:
                resource = stack.enter_context(shape.resource(device))
            except Refused as refused:
                raise NotAsked(f"{refused.said}, before an import") from refused
            bits, taken = types_taking(device, handle), resource.needs.memory_type_bits
            import_type, candidates = choose_type(bits, taken, asked.memory_type, types)
            importing = shape.imported(device, handle.value, import_type, resource, size=asked.allocation_size)
            memory = stack.enter_context(taking(handle, importing))
            bind(device, resource, memory)
            look = partial(self._look, device, memory, types[import_type])
            kept = answer_of(partial(look, asked.before, write=False))
            shared = answer_of(partial(look, asked.after, write=True))
            return Imported(import_type, candidates, asked.allocation_size, kept, shared)

    def _look(self, device: vk.Device, memory: Memory, of: MemoryType, period: str, *, write: bool) -> Comparison:
        """Compare the memory with a pattern, or *write* it there, which the other side compares."""
        if not is_host_visible(of):
            raise NotAsked("the memory type is not HOST_VISIBLE")
        if not period:
            raise NotAsked("nothing was written before")
        pattern = Pattern(bytes.fromhex(period), memory.size)
        with mapped(device, memory) as view:
            if write:
                pattern.put(view)
            return pattern.compare(view)


def _is_asked(instance: vk.Instance, physical: Any, asked: DeviceAsked) -> bool:
    identity = answer_of(partial(probe_identity, instance, physical)).value
    uuids = Uuids(**asked.uuids) if asked.uuids is not None else None
    return identity is not None and (identity.name, identity.uuids.value) == (asked.name, uuids)


def serve(kernel: Zircon, channel: int) -> None:
    """Answer until the other end is closed.

    Nothing is loaded before a device is asked for: until then the other process does the same, and would be slowed.
    """
    importer, is_ready = Importer(kernel), False
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
        serve(kernel, kernel.take_startup_handle())
    except Refused as refused:
        # The first process needs no answer any more: what it exported was nothing to import, for one.
        if refused.missing.result != "ZX_ERR_PEER_CLOSED":
            raise


def be_second_process(opened: Zircon, descriptor: int, entry: str, parent: int) -> NoReturn:
    """Be the second process, which was just forked: *descriptor* is its end of the channel, and *entry* names that."""
    code = 1
    try:
        die_with(parent)
        # The pipe that the parent's events go through, for one: its reader waits for its end.
        os.closerange(3, descriptor)
        os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
        os.environ[_STARTUP_VARIABLE] = entry
        kernel = Zircon(opened.lib, opened.library, lambda _: None)  # what it calls is not what the parent is in
        _serve_to_the_end(kernel)
        code = 0
    except Exception:  # noqa: BLE001 - told where the driver's words go; the parent sees that we left
        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)  # nobody waits for a driver that takes its time to unload
