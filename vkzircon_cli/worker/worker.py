# SPDX-License-Identifier: Apache-2.0
"""Probe worker: loads the probe, then waits for its request, and writes events until it exits.

The main process opens neither libvulkan nor libzircon, so that a driver cannot damage the report by damaging its
process. The first worker is forked before the command line is read: it loads the probe while the main process imports
the rest. This module therefore imports little.
"""

import mmap
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from vkzircon_cli.model import clock  # noqa: F401 - the run's clock starts with this import
from vkzircon_cli.worker import process

_CHUNK = 64 * 1024
_JOURNAL_SIZE = 128
_LAST_WORD_SIZE = 1024
LEFT_A_WORD = 72  # the exit status of a worker that wrote why its step has no answer
_PLATFORM_VARIABLE = "VKZIRCON_PLATFORM"  # as in model.host, which is not imported yet
_LoadProbe = Callable[[], Any]  # protocol.LoadProbe, which is not imported yet


class Worker:
    """A forked process that waits for its request; *events* and *output* are the read ends of its pipes.

    The events are frames with its *key*.
    """

    def __init__(self, load: _LoadProbe) -> None:
        self.request: Any = None
        self.key = process.new_key()
        self._journal = mmap.mmap(-1, _JOURNAL_SIZE + _LAST_WORD_SIZE)
        with ExitStack() as theirs, ExitStack() as ours:
            request_end, self._requests = _closed_by(theirs, ours)
            self.events, events_end = _closed_by(ours, theirs)
            self.output, output_end = _closed_by(ours, theirs)
            serve = partial(_serve, load, self._journal, self.key, request_end, events_end)
            self.process = process.start(serve, output_end, keeps=(request_end, events_end))
            ours.pop_all()
        _living.append(self)

    def send(self, request: Any, answered: Mapping[str, Any]) -> None:
        """Send the request. If the worker has already ended, its events show that."""
        import json  # this import and the next take 15 ms, which would delay the fork

        from vkzircon_cli.model.base import plain

        self.request = request
        view = memoryview(json.dumps({"request": plain(request), "answered": answered}).encode("ascii") + b"\n")
        with suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._requests, view) :]

    @property
    def call(self) -> str:
        """The name of the last call that the worker made, from its journal."""
        return self._journal[:_JOURNAL_SIZE].split(b"\0", 1)[0].decode("ascii", "replace")

    @property
    def last_word(self) -> str:
        """The JSON text that the worker wrote before it ended with `LEFT_A_WORD`."""
        return self._journal[_JOURNAL_SIZE:].split(b"\0", 1)[0].decode("ascii", "replace")

    def end(self) -> None:
        """Kill the worker if it still runs, and close this side's ends; a second time does nothing.

        A process with a driver in it takes a while to end: `end_all` waits for that, after the result is written.
        """
        if self not in _living:
            return
        _living.remove(self)  # first, since a signal may arrive at any line
        self.process.kill()
        for end in (self._requests, self.events, self.output):
            os.close(end)
        self._journal.close()


def _closed_by(reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    """Return a pipe's read end and write end, each closed by its stack."""
    ends = process.pipe()
    for end, stack in zip(ends, (reads, writes), strict=True):
        stack.callback(os.close, end)
    return ends


_living: list[Worker] = []
_early: list[Worker] = []


def start_early(load: _LoadProbe) -> None:
    """Fork the first worker now if it is certain to be needed and there is a second processor for it."""
    is_plain_linux = sys.platform == "linux" and _PLATFORM_VARIABLE not in os.environ
    if is_plain_linux and _has_processors():
        start_first(load)


def _has_processors() -> bool:
    """Whether there is more than one processor, as far as the system tells it."""
    try:
        return len(os.sched_getaffinity(0)) > 1
    except OSError:
        return False


def start_first(load: _LoadProbe) -> None:
    """Fork the first worker unless it exists; `process.refusal` has the reason if that fails."""
    if not _early and not process.refusal():
        with suppress(OSError):
            _early.append(Worker(load))


def send_early(request: Any) -> None:
    """Send the first worker, if it exists, the request for which `next_worker` will be called."""
    if _early:
        _early[0].send(request, {})


def next_worker(load: _LoadProbe, request: Any, answered: Mapping[str, Any]) -> Worker:
    """Return a worker that has this request: the first worker, unless it has another request.

    Raises:
        OSError: the system refuses to fork.
    """
    worker = _early.pop() if _early else Worker(load)
    if worker.request not in (None, request):
        worker.end()
        worker = Worker(load)
    if worker.request is None:
        worker.send(request, answered)
    return worker


def end_all() -> None:
    """End every worker and every other process that was forked, and wait for their ends."""
    for worker in tuple(_living):
        worker.end()
    process.end_all()


def _serve(load: _LoadProbe, journal: mmap.mmap, key: bytes, requests: int, events: int) -> None:
    """Load the probe, wait for the request, and answer it. Runs in the worker, with its ends of two pipes."""
    with suppress(Exception):  # the probe raises the same error again, in a step
        from vkzircon_cli.bindings import vk
        from vkzircon_cli.worker import protocol  # noqa: F401

        load()
        vk.binding()
    if line := _line(requests):
        from vkzircon_cli.worker.frames import frame_writer
        from vkzircon_cli.worker.isolation import AgentLost
        from vkzircon_cli.worker.protocol import answer

        def on_call(name: str) -> None:  # the main process can read the journal after this process has died
            entry = name.encode("ascii")[: _JOURNAL_SIZE - 1] + b"\0"
            journal[: len(entry)] = entry

        write = frame_writer(events, key)
        try:
            for event in answer(load, line, on_call):
                write(event)
        except AgentLost as lost:
            _leave(journal, lost.missing)


def _leave(journal: mmap.mmap, missing: Any) -> None:
    """End this process, as it would have ended if the driver had crashed or hung in it."""
    import json

    from vkzircon_cli.model.base import plain

    word = json.dumps(plain(missing)).encode("ascii")[: _LAST_WORD_SIZE - 1]
    journal[_JOURNAL_SIZE : _JOURNAL_SIZE + len(word)] = word
    os._exit(LEFT_A_WORD)


def _line(end: int) -> bytes:
    """Read to the end of a line or of the pipe. Other forks may hold the pipe open, so its end may never come."""
    line = bytearray()
    while not line.endswith(b"\n") and (data := os.read(end, _CHUNK)):
        line += data
    return bytes(line)
