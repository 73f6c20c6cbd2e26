# SPDX-License-Identifier: Apache-2.0
"""A second process with a device of its own: VMOs go to it through a channel, as they do from program to program.

It is forked before this process loads a driver, whose state would not survive a fork, and costs next to nothing so: a
new Python takes longer to come up than everything else takes that is asked of a device.
"""

import json
import os
import signal
import time
from contextlib import suppress
from typing import Any

from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import Crashed, NotAsked, Refused, TimedOut
from vkzircon_cli.model.base import Answer, MissingKind, plain, record
from vkzircon_cli.model.vmo import Form, Imported
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle
from vkzircon_cli.probe.memory import ImageSpec
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.worker.isolation import can_fork, missing_from_exit

_PATIENCE_S = 0.05  # for a process that has nothing left to do


@record
class DeviceAsked:
    """The device to open: the *index*-th, or another of this name and UUIDs, with these extensions."""

    index: int
    name: str
    uuids: dict[str, str] | None
    enabled: tuple[str, ...]


@record
class FarImport:
    """What to import on the device: *allocation_size* bytes for a resource of *size*.

    *before*, in hex, is the period of the pattern that should be there, '' if nobody could write it; *after* that of
    the one to write.
    """

    form: Form
    memory_type: int
    allocation_size: int
    size: int
    image: ImageSpec | None
    before: str
    after: str


class SecondProcess:
    """Starts the process, and ends it. *limit_s* is how long an answer may take."""

    def __init__(self, kernel: Zircon | None, limit_s: float) -> None:
        self._kernel = kernel
        self._limit_s = limit_s
        self._pid = 0
        self._channel = 0
        self._gone = ""
        self._is_ready = False

    def start(self) -> None:
        """Start it, before any driver is loaded; why that failed is told when it is asked."""
        try:
            self._start()
        except (NotAsked, Refused) as stopped:
            missing = stopped.missing
            self._gone = missing.reason or f"{missing.call} answered {missing.result}"
        except OSError as error:
            self._gone = f"a second process cannot be started: {error.strerror}"

    def _start(self) -> None:
        if self._kernel is None:
            raise NotAsked(NO_KERNEL)
        if not can_fork():
            raise NotAsked("no second process can be forked here")
        from vkzircon_cli.probe.peer_main import be_second_process  # here: what fails in the fork would go on as a twin

        self._channel, given = self._kernel.create_channel()
        descriptor, entry = self._kernel.startup_handle(given)
        parent = os.getpid()
        try:
            self._pid = os.fork()
            if self._pid == 0:
                be_second_process(self._kernel, descriptor, entry, parent)
        finally:
            os.close(descriptor)

    def open(self, asked: DeviceAsked) -> None:
        """Tell it which device the next imports are for."""
        if self._pid and not self._gone:
            with suppress(NotAsked, Crashed):  # the next import says so
                self._tell(asked)

    def imports(self, asked: FarImport, handle: OwnedHandle) -> Imported:
        """Have it import *handle*, which leaves this process, look, and write.

        Raises:
            NotAsked: there is no such process, or it did not come to an import.
            Refused: the import.
            Crashed: the process died of it.
            TimedOut: it gave no answer.
        """
        self.must_be_there()
        self._wait_until_ready()
        value = handle.usable("TRANSFER")
        handle.taken = True
        self._tell(asked, value)
        answer: Answer[Imported] = decode(Answer[Imported], self._heard())
        if answer.value is not None:
            return answer.value
        raise _as_raised(answer)

    def must_be_there(self) -> None:
        """Tell whether it was started and lives.

        Raises:
            NotAsked: it is not there, and why.
        """
        if self._gone or not self._pid:
            raise NotAsked(self._gone or NO_KERNEL)

    def _wait_until_ready(self) -> None:
        """Let it come up, which says nothing of a driver if it takes long."""
        try:
            self._is_ready = self._is_ready or self._heard() is not None
        except TimedOut as late:
            raise NotAsked("the second process was not there in time") from late

    def _tell(self, asked: DeviceAsked | FarImport, *handles: int) -> None:
        message = json.dumps({type(asked).__name__: plain(asked)}).encode()
        try:
            self._kernel.write_channel(self._channel, message, handles)  # type: ignore[union-attr]
        except Refused as refused:
            if refused.missing.result != "ZX_ERR_PEER_CLOSED":
                raise NotAsked(f"{refused.said}, before an import") from refused
            raise self._death() from refused

    def _heard(self) -> Any:
        kernel = self._kernel
        try:
            if kernel is not None and kernel.wait_for_message(self._channel, self._limit_s):
                return json.loads(kernel.read_channel(self._channel)[0])
        except Refused as refused:
            if refused.missing.result != "ZX_ERR_TIMED_OUT":
                raise
            self._gone = "the second process gave no answer before"
            raise TimedOut("", f"no answer from the second process within {self._limit_s:g} s") from refused
        raise self._death()

    def _death(self) -> Crashed:
        self._gone = "the second process died before"
        status, self._pid = os.waitpid(self._pid, 0)[1], 0
        code = os.waitstatus_to_exitcode(status)
        return Crashed("", "", missing_from_exit(code, who="the second process").reason)

    def close(self) -> None:
        """End it, and close our end of the channel."""
        if self._kernel is not None and self._channel:
            self._kernel.close(self._channel)
            self._channel = 0
        if self._pid:
            deadline = time.monotonic() + _PATIENCE_S
            while not (ended := os.waitpid(self._pid, os.WNOHANG)[0]) and time.monotonic() < deadline:
                time.sleep(0.001)
            if not ended:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0
        self._gone = self._gone or "the second process was ended"


def _as_raised(answer: Answer[Imported]) -> Exception:
    """Make of an answer that crossed the channel what would have been raised here."""
    missing = answer.missing
    if missing is not None and missing.kind is MissingKind.REFUSED:
        return Refused(missing.call, missing.result, missing.reason)
    return NotAsked(missing.reason if missing is not None else "the second process said nothing")
