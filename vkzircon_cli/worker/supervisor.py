# SPDX-License-Identifier: Apache-2.0
"""Supervisor: runs the probe in workers. A crash or hang loses only its own step; a new worker goes on after it."""

import json
import math
import os
import select
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from vkzircon_cli.checks.registry import describe, sentence_case
from vkzircon_cli.errors import CannotAsk, Exit, Stop, by_limit
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.quantities import counted
from vkzircon_cli.model.request import Request
from vkzircon_cli.model.text import decode
from vkzircon_cli.stream.decoding import decode as decode_record
from vkzircon_cli.stream.events import Event, ended, error, own_message
from vkzircon_cli.worker.event_reader import EventReader
from vkzircon_cli.worker.isolation import NoProcess, missing_from_exit, missing_in_time
from vkzircon_cli.worker.process import NOT_BEGUN, is_readable
from vkzircon_cli.worker.protocol import LoadProbe, time_limit
from vkzircon_cli.worker.worker import LEFT_A_WORD, Worker, next_worker

_MOST_CRASHES = 64
_MOST_TIMEOUTS = 2
_TICK_S = 0.2  # the pause between two looks at a silent worker, whose pipes may stay open in a process that it started
_CHUNK = 64 * 1024
_MOST_OUTPUT = 64 * 1024
_MOST_CHUNKS = 64
_NOT_OURS = "The driver or a layer wrote to vkzircon's own pipe. Refused: "


@dataclass(slots=True)
class Capture:
    """The first `_MOST_OUTPUT` bytes that drivers and layers print; *dropped* counts the rest."""

    kept: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, data: bytes) -> None:
        """Append *data*."""
        room = _MOST_OUTPUT - len(self.kept)
        self.kept += data[:room]
        self.dropped += max(0, len(data) - room)

    def event(self) -> Event:
        """Return the event that holds the output, with escapes for bytes that are not UTF-8."""
        text, in_hex = decode(bytes(self.kept))
        return {"event": "output", "text": text, "dropped": self.dropped, "text_hex": in_hex}


def events(load: LoadProbe, request: Request) -> Generator[Event, None, None]:
    """Run the probe that *load* returns, and yield its events as they come.

    A ``tick`` comes now and then while there is no event, so that progress can be shown. The last event has the output
    of the driver. Closing the iterator ends the worker.

    Raises:
        NoProcess: no process can be started for the driver.
    """
    return _Supervisor(load, request).events()


def end_of(step: str | None, missing: Missing) -> Event:
    """Return the event that ends *step* without an answer, or the error if the probe ended between two steps."""
    if step is not None:
        return ended(step, missing)
    where = f" in {missing.call}" if missing.call else ""
    stop = Stop(f"The probe ended between two steps{where}: {missing.reason}.")
    stop.exit_code = Exit.CRASHED
    return error(stop, "probe-died")


class _Supervisor:
    """Runs workers one after the other; each receives the answers of the earlier ones."""

    def __init__(self, load: LoadProbe, request: Request) -> None:
        self._load = load
        self._request = request
        self._answered: dict[str, Any] = {}
        self._missing: list[MissingKind] = []

    def events(self) -> Generator[Event, None, None]:
        capture, goes_on = Capture(), True
        while goes_on:
            try:
                worker = next_worker(self._load, self._request, self._answered)
            except OSError as refused:
                yield self._stuck(refused)
                break
            listener = _Listener(worker, self._request, capture)
            try:
                yield from self._noted(listener.events())
            finally:
                worker.end()
            goes_on = listener.missing is not None and listener.step is not None
            if listener.missing is not None and (limited := self._limited(listener.missing)):
                yield error(limited, limited.cause)
                break
            if listener.missing is not None:
                yield from self._cut_short(listener.step, listener.missing)
                goes_on = goes_on and not self._has_enough()
        yield capture.event()

    def _limited(self, missing: Missing) -> CannotAsk | None:
        """Return the error if a limit, which this process has too, may have made the worker crash."""
        if self._request.agent is not None or missing.kind is not MissingKind.CRASHED:
            return None
        return by_limit(sentence_case(describe(missing)))

    def _stuck(self, refused: OSError) -> Event:
        """Return the event that explains why there is no further worker.

        Raises:
            NoProcess: there was no worker at all.
        """
        if not self._missing:
            raise NoProcess("No process", str(refused.strerror)) from refused
        text = f"no further process could be started ({refused.strerror}): the rest was not asked"
        return own_message("error", text)

    def _noted(self, stream: Iterator[Event]) -> Iterator[Event]:
        for event in stream:
            if event["event"] == "end":
                self._answered[event["step"]] = event["answer"]
            if event["event"] != "done":
                yield event

    def _cut_short(self, step: str | None, missing: Missing) -> Iterator[Event]:
        self._missing.append(missing.kind)
        end = end_of(step, missing)
        yield end
        if step is None:
            return
        self._answered[step] = end["answer"]
        if self._has_enough():
            text = f"the probe ended after {len(self._missing)} steps without an answer; the rest was not asked"
            yield own_message("error", text)

    def _has_enough(self) -> bool:
        hung = self._missing.count(MissingKind.TIMED_OUT)
        return hung >= _MOST_TIMEOUTS or len(self._missing) - hung >= _MOST_CRASHES


class _Listener:
    """Reads the events of one worker; *missing* is the reason if the worker ended too early, else None."""

    def __init__(self, worker: Worker, request: Request, capture: Capture) -> None:
        self.missing: Missing | None = None
        self._worker = worker
        self._request = request
        self._timeout_s = self._limit_s = request.timeout_s
        self._capture = capture
        self._reader = EventReader(request.device_shape, worker.key)
        self._deadline = 0.0
        self._is_done = False

    @property
    def step(self) -> str | None:
        """The current step of the worker."""
        return self._reader.step

    def events(self) -> Iterator[Event]:
        """Yield the worker's events, and ticks; *missing* is known after the last one."""
        yield from self._listen()
        if self._reader.refused:
            text = f"{_NOT_OURS}{counted(self._reader.refused, 'line')}."
            yield own_message("error", text)

    def _listen(self) -> Iterator[Event]:
        worker = self._worker
        self._allow_time()
        open_pipes = {worker.events, worker.output}
        while worker.events in open_pipes and not self._is_done:
            left = max(0.0, self._deadline - time.monotonic())
            ready, _, _ = select.select(list(open_pipes), [], [], min(_TICK_S, left))
            if worker.output in ready and not self._take_output():
                open_pipes.discard(worker.output)
            if worker.events in ready:
                data = os.read(worker.events, _CHUNK)
                if not data:
                    open_pipes.discard(worker.events)
                yield from self._events_in(data)
            elif not ready:
                if worker.process.exit_status() is not None and not is_readable(worker.events):
                    break
                yield {"event": "tick"}
            if time.monotonic() >= self._deadline:
                self.missing = missing_in_time(self._limit_s, worker.call)
                return
        self._drain()
        if not self._is_done:
            self.missing = self._end()

    def _events_in(self, data: bytes) -> Iterator[Event]:
        """Yield the events in *data*. Only a step's own events change its deadline; a slow consumer does not."""
        for event in self._reader.events(data):
            if event["event"] in ("begin", "end", "done"):
                self._allow_time(event.get("moves", 0))
            self._is_done = event["event"] == "done"
            began = time.monotonic()
            yield event
            self._deadline += time.monotonic() - began
            if self._is_done:
                return

    def _allow_time(self, moves: int = 0) -> None:
        self._limit_s = time_limit(self._timeout_s, moves)
        # Of an agent's calls, only the time that they take on the device counts; the worker bounds all else.
        self._deadline = math.inf if self._request.agent is not None else time.monotonic() + self._limit_s

    def _take_output(self) -> bool:
        data = os.read(self._worker.output, _CHUNK)
        self._capture.add(data)
        return bool(data)

    def _drain(self) -> None:
        for _ in range(_MOST_CHUNKS):  # a process that the driver left behind may print without end
            if not (is_readable(self._worker.output) and self._take_output()):
                break

    def _end(self) -> Missing:
        status = self._worker.process.exit_status(self._timeout_s)
        if status is None:
            return Missing(MissingKind.TIMED_OUT, self._worker.call, "", "the process hangs while it ends")
        if status == LEFT_A_WORD and self._request.agent is not None:
            return self._last_word()
        if status == NOT_BEGUN and self.step is None and not self._worker.call:  # a driver may end with it too
            raise NoProcess("No process", "the system refuses a call that it needs to begin")
        return missing_from_exit(status, self._worker.call)

    def _last_word(self) -> Missing:
        missing: Missing = decode_record(Missing, json.loads(self._worker.last_word))
        return replace(missing, call=missing.call or self._worker.call)
