# SPDX-License-Identifier: Apache-2.0
"""What is asked of each memory type. Each step makes and frees all that it needs, so that any can be left out."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from vkzircon_cli import driver
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.events import Asking, Event
from vkzircon_cli.facts import MemoryType
from vkzircon_cli.offer import is_host_visible
from vkzircon_cli.probe import export
from vkzircon_cli.probe.data import DataProbe
from vkzircon_cli.probe.device import DeviceOpener
from vkzircon_cli.probe.imports import probe_import
from vkzircon_cli.probe.properties import probe_properties
from vkzircon_cli.vmo_facts import Form, Handle, ImportKind, Write
from vkzircon_cli.vocabulary import OBJECT_TYPE_VMO, looks_like_handle
from vkzircon_cli.zircon import Zircon


def _is_usable(handle: Handle) -> bool:
    """Tell whether anything can be done with what the driver gave; where no kernel says so, its shape must do."""
    if handle.valid.value is None:
        return handle.written and looks_like_handle(int(handle.value, 16))
    return handle.basic.value is not None and handle.basic.value.type.value == OBJECT_TYPE_VMO


class MemoryTypeProbe:
    """Exports *size* bytes of each memory type of an open device and does with them all that can be done."""

    def __init__(
        self,
        ask: Callable[..., Asking[Any]],
        device: driver.Device,
        opener: DeviceOpener,
        kernel: Zircon | None,
        *,
        types: tuple[MemoryType, ...],
        size: int,
    ) -> None:
        self._ask = ask
        self._device = device
        self._opener = opener
        self._kernel = kernel
        self._size = size
        self._types = types
        self._data = DataProbe(device, kernel, types)

    def probe(self, memory_type: int, reason: str | None) -> Iterator[Event]:
        """Ask one memory type, or note the *reason* why it is not asked; what does not export is asked no further."""
        step, form = f"type{memory_type}", Form.PLAIN
        exported = yield from self._ask(
            f"{step}/export.{form}",
            "exports",
            partial(self._export, memory_type, reason),
            form=form,
            memory_type=memory_type,
            allocation_size=self._size,
        )
        if exported.value is not None and _is_usable(exported.value):
            yield from self._exported(step, memory_type)

    def _export(self, memory_type: int, reason: str | None) -> Handle:
        if reason is not None:
            raise NotAsked(reason)
        return export.probe_export(self._device, self._kernel, self._size, memory_type)

    def _exported(self, step: str, memory_type: int) -> Iterator[Event]:
        on_device = (self._device, self._kernel, self._size, memory_type)
        # Memory that the host cannot map may be where the CPU must not reach (sysmem's external heap): keep out of it.
        look = is_host_visible(self._types[memory_type])
        questions: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("export.two-gets", "two_gets", partial(export.probe_two_gets, *on_device, look=look)),
            ("export.two-exports", "two_exports", partial(export.probe_two_exports, *on_device, look=look)),
            ("properties", "properties", partial(probe_properties, *on_device)),
        )
        if look:
            questions += (
                ("export.fresh-bytes", "fresh_bytes", partial(export.probe_fresh_bytes, *on_device)),
                ("export.outlives", "outlives", partial(export.probe_outlives, self._opener, *on_device[1:])),
            )
        for name, fact, question in questions:
            yield from self._ask(f"{step}/{name}", fact, question, memory_type=memory_type)
        yield from self._ask(
            f"{step}/import.{ImportKind.SAME_DEVICE}",
            "imports",
            partial(probe_import, self._device, self._kernel, memory_type),
            kind=ImportKind.SAME_DEVICE,
            form=Form.PLAIN,
            memory_type=memory_type,
        )
        for write in Write:
            round_trip = partial(self._data.round_trip, write, memory_type)
            yield from self._ask(f"{step}/data.{write}", "data", round_trip, write=write, memory_type=memory_type)
