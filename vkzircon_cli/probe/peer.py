# SPDX-License-Identifier: Apache-2.0
"""A second process with a device of its own: VMOs are sent to it through a channel, as from program to program.

The process is forked before this one loads a driver, whose state would not survive a fork. A fork is ready at once: a
new Python would take longer to start than all questions to a device.
"""

import json
import os
from contextlib import suppress
from functools import partial
from typing import Any

from vkzircon_cli.bindings.zircon import Zircon
from vkzircon_cli.errors import Crashed, NotAsked, Refused, TimedOut
from vkzircon_cli.model.base import Answer, MissingKind, plain
from vkzircon_cli.model.vmo import Imported
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle
from vkzircon_cli.probe.peer_main import DeviceAsked, FarImport, serve_and_exit
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.worker import process
from vkzircon_cli.worker.isolation import can_fork, missing_from_exit

_PATIENCE_S = 0.05  # for a process that has nothing left to do
_DYING_S = 5.0  # for a process that closed its end of the channel
_OUTPUT = 1  # the worker's own
_WHO = "the second process"


class Peer:
    """Starts the process, sends it what to import, and ends it. *limit_s* is the limit for an answer."""

    def __init__(self, kernel: Zircon | None, limit_s: float) -> None:
        self._kernel = kernel
        self._limit_s = limit_s
        self._process: process.Process | None = None
        self._channel = 0
        self._gone = ""
        self._is_ready = False

    def start(self) -> None:
        """Start the process, before any driver is loaded; if that fails, the first import raises why."""
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
        self._channel, given = self._kernel.create_channel()
        descriptor, entry = self._kernel.startup_handle(given)
        serve = partial(serve_and_exit, self._kernel, descriptor, entry)
        try:
            self._process = process.start(serve, output=_OUTPUT)
        finally:
            os.close(descriptor)

    def open(self, asked: DeviceAsked) -> None:
        """Send the device that the next imports are for."""
        if self._process is not None and not self._gone:
            with suppress(NotAsked, Crashed):  # the next import raises it again
                self._send(asked)

    def imports(self, asked: FarImport, handle: OwnedHandle) -> Imported:
        """Have the process import *handle*, which leaves this process, compare, and write.

        Raises:
            NotAsked: there is no such process, or a step before the import failed.
            Refused: the import failed.
            Crashed: the process died.
            TimedOut: the process gave no answer.
        """
        self.must_be_there()
        self._wait_until_ready()
        value = handle.usable("TRANSFER")
        handle.taken = True
        self._send(asked, value)
        answer: Answer[Imported] = decode(Answer[Imported], self._received())
        if answer.value is not None:
            return answer.value
        raise _as_raised(answer)

    def must_be_there(self) -> None:
        """Raise unless the process was started and lives.

        Raises:
            NotAsked: there is no process, and why.
        """
        if self._gone or self._process is None:
            raise NotAsked(self._gone or NO_KERNEL)

    def _wait_until_ready(self) -> None:
        """Wait for the first message; where it is late, no driver is to blame."""
        try:
            self._is_ready = self._is_ready or self._received() is not None
        except TimedOut as late:
            raise NotAsked("the second process was not there in time") from late

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
        status = self._end(_DYING_S)
        if status is None:
            return Crashed(f"{_WHO} closed its channel")
        return Crashed(missing_from_exit(status, who=_WHO).reason)

    def close(self) -> None:
        """End the process, and close our end of the channel."""
        if self._kernel is not None and self._channel:
            self._kernel.close(self._channel)
            self._channel = 0
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


def _as_raised(answer: Answer[Imported]) -> Exception:
    """Return the exception that an answer from the other process was made of."""
    missing = answer.missing
    if missing is not None and missing.kind is MissingKind.REFUSED:
        return Refused(missing.call, missing.result, missing.reason)
    return NotAsked(missing.reason if missing is not None else "the second process gave an empty answer")
