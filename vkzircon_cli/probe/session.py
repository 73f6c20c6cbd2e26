# SPDX-License-Identifier: Apache-2.0
"""One physical device of a run: questions under its name, opening it, and closing it at the end."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import NotAsked
from vkzircon_cli.model.base import record
from vkzircon_cli.model.facts import Extension, Identity, Instance, Memory, MemoryType, OpenDevice
from vkzircon_cli.model.queries import CAPABILITIES_EXTENSION, dependency_leg
from vkzircon_cli.model.request import Request
from vkzircon_cli.probe.peer import Peer
from vkzircon_cli.probe.physical_device import DeviceOpener, extensions_to_enable, probe_extensions, probe_memory
from vkzircon_cli.probe.target import Target
from vkzircon_cli.stream.events import Asker, Asking, Event
from vkzircon_cli.worker.protocol import time_limit

T = TypeVar("T")
_OF_LIMIT = 2 / 3  # so that GPU work that never ends is reported before the worker is killed


@record
class Run:
    """The shared state of a run's sessions: *made* are the instance's facts, *kernel* is None without a libzircon."""

    asker: Asker
    request: Request
    made: Instance
    kernel: Zircon | None
    peer: Peer


class DeviceSession(ABC):
    """Asks one physical device, opens it and closes it."""

    def __init__(self, run: Run, physical: vk.PhysicalDevice, index: int, identity: Identity) -> None:
        self.of_run = run
        self.physical = physical
        self.index = index
        self.identity = identity
        self.stack = ExitStack()
        self.device: vk.Device | None = None

    @abstractmethod
    def probe(self) -> Generator[Event, None, bool]:
        """Ask the device the run's questions; return whether no further device needs to be asked."""

    def ask(self, name: str, fact: str, question: Callable[[], T], *, moves: int = 0, **more: Any) -> Asking[T]:
        """Ask under the device's name, as `Asker` does; a device that was lost is not asked anything more."""
        limit_s = time_limit(self.of_run.request.timeout_s, moves)

        def unless_lost() -> T:
            if self.device is not None and (self.device.lost or self.device.stuck):
                raise NotAsked(f"the device was {'lost' if self.device.lost else 'stuck'} in an earlier step")
            if self.device is not None:
                self.device.fence_limit_s = limit_s * _OF_LIMIT
            return question()

        step = f"device{self.index}/{name}"
        return self.of_run.asker(step, fact, unless_lost, device=self.index, moves=moves, **more)

    def extensions(self) -> Asking[tuple[Extension, ...]]:
        """List the device's extensions."""
        return self.ask("extensions", "extensions", partial(probe_extensions, self.physical))

    def memory(self) -> Asking[Memory]:
        """Ask for heaps and memory types."""
        return self.ask("memory", "memory", partial(probe_memory, self.physical))

    def leg(self, extensions: tuple[Extension, ...]) -> str | None:
        """Return the extension's dependency that is met here, None if the device or the instance lacks it."""
        return dependency_leg(self.of_run.made, self.identity, extensions)

    def opened(
        self,
        extensions: tuple[Extension, ...],
        types: tuple[MemoryType, ...],
        steps: Callable[[Target, DeviceOpener], Iterator[Event]],
    ) -> Iterator[Event]:
        """Open the device, ask *steps* if it opened, and close it."""
        leg = self.leg(extensions)
        opener = DeviceOpener(self.physical, extensions_to_enable(extensions, leg or ""))
        with self.stack:
            yield from self.ask("open", "opened", partial(self._open, opener, leg), live=True)
            if self.device is not None:
                yield from steps(Target(self.device, types, self.of_run.kernel), opener)
                yield from self.of_run.asker(f"device{self.index}/close", "closed", self._close, device=self.index)

    def _open(self, opener: DeviceOpener, leg: str | None) -> OpenDevice:
        if leg is None:
            raise NotAsked(f"the extension needs Vulkan 1.1, or {CAPABILITIES_EXTENSION} and VK_KHR_external_memory")
        self.device = self.stack.enter_context(opener.open())
        return opener.describe(self.device)

    def _close(self) -> bool:
        if self.physical.vulkan.on_call.hangs("vkDestroyDevice"):
            raise NotAsked("vkDestroyDevice hung in an earlier step")
        self.stack.close()
        return True
