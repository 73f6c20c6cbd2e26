# SPDX-License-Identifier: Apache-2.0
"""A second process with a device of its own: VMOs are sent to it through a channel, as between programs.

The process is forked, or started by an agent, before this one loads a driver, whose state would not survive a fork. A
fork is ready at once: a new Python would take longer to start than all questions to a device. It imports the VMOs from
its channel, compares their bytes and writes others, answers each import with an `Answer[Imported]` as JSON, and exits
when the other end of the channel is closed.
"""

import json
import os
import traceback
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import Any, NoReturn

from vkzircon_cli.bindings import vk
from vkzircon_cli.bindings.caller import Caller
from vkzircon_cli.bindings.lost import Failed, Hung, Lost
from vkzircon_cli.bindings.zircon import Zircon, open_zircon
from vkzircon_cli.errors import CannotAsk, Crashed, NotAsked, Refused, Stop, TimedOut
from vkzircon_cli.model.base import Answer, MissingKind, plain, record
from vkzircon_cli.model.facts import Identity
from vkzircon_cli.model.vmo import Comparison, Form, Imported, MemoryRequirements
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, owned
from vkzircon_cli.probe.instance import list_devices
from vkzircon_cli.probe.patterns import Pattern
from vkzircon_cli.probe.physical_device import find_device
from vkzircon_cli.probe.resources import ImageSpec, Memory, Shape
from vkzircon_cli.probe.target import Target, before_import, open_target
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import answer_of
from vkzircon_cli.worker import process
from vkzircon_cli.worker.isolation import can_fork, missing_from_exit

_PATIENCE_S = 0.05  # for a process that has finished its work
_DYING_S = 5.0  # for a process that closed its end of the channel
_OUTPUT = 1  # the worker's own
_CHANGED = "a message changed in the channel"
_WHO = "the second process"
_STARTUP_VARIABLE = "VKZIRCON_STARTUP_HANDLES"


@record
class DeviceAsked:
    """The device to open with the extensions *enabled*: the one of *identity*, at *index* if there are several."""

    index: int
    identity: Identity
    enabled: tuple[str, ...]


@record
class FarImport:
    """What to import on the device: *allocation_size* bytes for a resource of *size*.

    *before*, in hex, is the period of the pattern that the VMO should hold, '' if it could not be written; *after* is
    that of the pattern to write.
    """

    form: Form
    memory_type: int
    allocation_size: int
    size: int
    image: ImageSpec | None
    before: str
    after: str


class Peer:
    """Starts the process, sends it imports, and ends it. *limit_s* is the limit for an answer."""

    def __init__(self, kernel: Zircon | None, limit_s: float) -> None:
        self._kernel = kernel
        self._limit_s = limit_s
        self._process: process.Process | _AgentsProcess | None = None
        self._channel = 0
        self._gone = ""
        self._is_ready = False

    def start(self) -> None:
        """Start the process, before any driver is loaded; if that fails, the first import raises why."""
        try:
            if self._kernel is None:
                raise NotAsked(NO_KERNEL)
            if self._kernel.caller.is_here and not can_fork():
                raise NotAsked("no second process can be forked here")
            self._channel, given = self._kernel.create_channel()
            descriptor, entry = self._kernel.startup_handle(given)
            if not self._kernel.caller.is_here:  # the agent closes the descriptor
                self._process = _AgentsProcess(self._kernel.caller, descriptor, entry)
                return
            try:
                serve = partial(serve_and_exit, self._kernel, descriptor, entry)
                self._process = process.start(serve, output=_OUTPUT)
            finally:
                os.close(descriptor)
        except (NotAsked, Refused) as stopped:
            missing = stopped.missing
            self._gone = missing.reason or f"{missing.call} returned {missing.result}"
        except OSError as error:
            self._gone = f"a second process cannot be started: {error.strerror}"

    def open(self, asked: DeviceAsked) -> None:
        """Send the device that the next imports are for."""
        if self._process is not None and not self._gone:
            with suppress(NotAsked, Crashed):  # the next import raises it again
                self._send(asked)

    def imports(self, asked: FarImport, handle: OwnedHandle) -> Imported:
        """Have the process import *handle*, which is moved there, compare its bytes, and write others.

        Raises:
            NotAsked: there is no such process, or a step before the import failed.
            Refused: the import failed.
            Crashed: the process died.
            TimedOut: the process did not answer in time.
        """
        self.must_be_there()
        self._wait_until_ready()
        value = handle.usable("TRANSFER")
        handle.taken = True
        self._send(asked, value)
        answer: Answer[Imported] = _record(Answer[Imported], self._received())
        if answer.value is not None:
            return answer.value
        missing = answer.missing
        if missing is not None and missing.kind is MissingKind.REFUSED:
            raise Refused(missing.call, missing.result, missing.reason)
        raise NotAsked(missing.reason if missing is not None else "the second process gave an empty answer")

    def must_be_there(self) -> None:
        """Raise `NotAsked` with the reason unless the process was started and still runs."""
        if self._gone or self._process is None:
            raise NotAsked(self._gone or NO_KERNEL)

    def _wait_until_ready(self) -> None:
        """Wait for the first message; if it is late, no driver is to blame."""
        try:
            self._is_ready = self._is_ready or self._received() is not None
        except TimedOut as late:
            raise NotAsked("the second process did not start in time") from late

    def _send(self, asked: DeviceAsked | FarImport, *handles: int) -> None:
        message = json.dumps({type(asked).__name__: plain(asked)}).encode()
        try:
            self._kernel.write_channel(self._channel, message, handles)  # type: ignore[union-attr]
        except Refused as refused:
            if refused.missing.result != "ZX_ERR_PEER_CLOSED":
                raise NotAsked(f"{refused.said}, before an import") from refused
            raise self._death() from refused

    def _received(self) -> Any:
        kernel = self._kernel
        if isinstance(self._process, _AgentsProcess):
            self._process.answer(self._limit_s)
            if self._process.has_hung:
                raise self._late()
        try:
            if kernel is not None and kernel.wait_for_message(self._channel, self._limit_s):
                return _message(kernel.read_channel(self._channel)[0])
        except Refused as refused:
            if refused.missing.result != "ZX_ERR_TIMED_OUT":
                raise
            raise self._late() from refused
        raise self._death()

    def _late(self) -> TimedOut:
        self._gone = "the second process gave no answer before"
        return TimedOut("", f"no answer from the second process within {self._limit_s:g} s")

    def _death(self) -> Crashed:
        self._gone = "the second process died before"
        status = self._end(_DYING_S)
        if status is None:
            return Crashed(f"{_WHO} closed its channel")
        return Crashed(missing_from_exit(status, who=_WHO).reason)

    def hang_up(self) -> None:
        """Close our end of the channel: the process then destroys what it made, while this one does the same."""
        if self._kernel is not None and self._channel:
            self._kernel.close(self._channel)
            self._channel = 0

    def close(self) -> None:
        """End the process, and close our end of the channel."""
        self.hang_up()
        self._end(_PATIENCE_S)
        self._gone = self._gone or "the second process was ended"

    def _end(self, patience_s: float) -> int | None:
        """Return the exit status, as `Process` does; a process that runs on is killed."""
        ended, self._process = self._process, None
        if ended is None:
            return None
        status = ended.exit_status(patience_s)
        if status is None:
            ended.kill()
        ended.reap()
        return status


class _AgentsProcess:
    """An agent that the agent started, in place of a forked process: its work is done from here, when it is due."""

    def __init__(self, first: Caller, descriptor: int, entry: str) -> None:
        """Start it. Raises `NotAsked` if that fails."""
        self._first = first
        self._server: _Server | None = None
        self._is_lost = False
        self.has_hung = False
        try:
            self._second = first.second(descriptor, entry)
        except (Failed, Lost, CannotAsk) as refused:
            if first.is_gone:
                raise
            raise NotAsked("the agent cannot start a second one") from refused

    def answer(self, limit_s: float) -> None:
        """Answer the messages that are there, as a process would; one that hangs or dies answers nothing."""

        def work() -> None:
            self._second.caller.begin_step(limit_s)
            if self._server is None:
                kernel = open_zircon(lambda _: None, self._second.caller)
                self._server = _Server(kernel, kernel.take_startup_handle(), Importer(kernel))
            while self._server.answer():
                pass
            self._second.caller.flush()

        self._unless_lost(work)

    def _unless_lost(self, work: Callable[[], None]) -> None:
        if self._is_lost:
            return
        try:
            work()
        except (Lost, CannotAsk) as lost:
            if self._first.is_gone:
                raise
            self._is_lost, self.has_hung = True, isinstance(lost, Hung)

    def exit_status(self, patience_s: float) -> int | None:
        """Return the exit status, as `Process` does, after at most *patience_s*."""
        if self._server is not None:
            self._unless_lost(self._server.importer.close)
        status: int | None = self._second.exit_status(patience_s)
        return status

    def kill(self) -> None:
        """Do nothing: the first agent has killed it."""

    def reap(self) -> None:
        """Do nothing: the first agent has done so."""


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
        """Destroy the device, then the instance: if the `ExitStack` were only dropped, the order would be undefined."""
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
        """List the devices of an instance, which is created only once, even if that fails."""
        try:
            return list_devices(vk.open_loader(vk.Calls(lambda _: None), self._kernel.caller), self._stack)
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
        shape = Shape(asked.form, asked.size, asked.image, needs)
        with ExitStack() as stack:
            resource = before_import(lambda: stack.enter_context(shape.resource(target.device)))
            import_type, candidates = target.import_type(handle, resource, asked.memory_type)
            size, bound = asked.allocation_size, (resource, 0)
            memory = stack.enter_context(target.imported(shape, handle, resource, import_type, size=size, bound=bound))
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
    with target.mapped(memory) as view:
        pattern.put(view)
        return pattern.compare(view)


class _Server:
    """Answers the messages of *channel* on the importer's side."""

    def __init__(self, kernel: Zircon, channel: int, importer: Importer) -> None:
        self.importer = importer
        self._kernel = kernel
        self._channel = channel
        self._is_ready = False

    def serve(self) -> None:
        """Answer until the other end is closed.

        The loader is opened only when a device is asked for: until then the other process loads it, and would slow.
        """
        while self._kernel.wait_for_message(self._channel):
            self.answer()

    def answer(self) -> bool:
        """Answer one message; return False if there is none."""
        kernel, channel = self._kernel, self._channel
        try:
            data, handles = kernel.read_channel(channel)
        except Refused as refused:
            if refused.missing.result == "ZX_ERR_SHOULD_WAIT":
                return False
            raise
        message = _message(data)
        if DeviceAsked.__name__ in message:
            self.importer.open(_record(DeviceAsked, message[DeviceAsked.__name__]))
            if not self._is_ready:
                kernel.write_channel(channel, b"{}")
                self._is_ready = True
            return True
        asked = _record(FarImport, message.get(FarImport.__name__))
        if not handles:
            raise NotAsked(_CHANGED)
        with owned(kernel, handles[0]) as handle:
            answer: Answer[Imported] = answer_of(partial(self.importer.imported, asked, handle))
        kernel.write_channel(channel, json.dumps(plain(answer)).encode())
        return True


def _message(data: bytes) -> dict[str, Any]:
    """Read a message. Raises `NotAsked` if it cannot be the one that was sent."""
    with suppress(ValueError, RecursionError):
        message = json.loads(data)
        if isinstance(message, dict):
            return message
    raise NotAsked(_CHANGED)


def _record(shape: Any, value: Any) -> Any:
    """Read a record from a message. Raises `NotAsked` if it cannot be the one that was sent."""
    try:
        return decode(shape, value)
    except (KeyError, TypeError, ValueError) as other:
        raise NotAsked(_CHANGED) from other


def serve_and_exit(opened: Zircon, descriptor: int, entry: str) -> NoReturn:
    """Run the second process, just forked: *descriptor* is its end of the channel, and *entry* names it."""
    code = 1
    try:
        # Among others, the pipe of the parent's events, whose reader waits for its end.
        os.closerange(3, descriptor)
        os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
        os.environ[_STARTUP_VARIABLE] = entry
        kernel = Zircon(opened.lib, opened.library, lambda _: None)  # its calls are not the parent's
        with closing(Importer(kernel)) as importer:
            _Server(kernel, kernel.take_startup_handle(), importer).serve()
        code = 0
    except Exception as error:  # noqa: BLE001 - written to the driver's output; the parent learns the exit code
        # A closed channel: the other process needs no more answers, for example because nothing was exported.
        if isinstance(error, Refused) and error.missing.result == "ZX_ERR_PEER_CLOSED":
            code = 0
        else:
            os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)  # a driver may take long to unload
