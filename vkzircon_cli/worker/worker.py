# SPDX-License-Identifier: Apache-2.0
"""The child that probes, from its fork to its end: it gets ready by itself, and is told later what to ask.

The parent opens neither libvulkan nor libzircon, so that nothing a driver does to its process can reach the report. The
first child is forked before either side has imported much, so that one loads the binding while the other reads the
command line: what is imported here at once is what a fork takes.
"""

import mmap
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import NamedTuple

from vkzircon_cli.model import clock  # noqa: F401 - which begins now
from vkzircon_cli.worker import process
from vkzircon_cli.worker.process import die_with, pipe

_CHUNK = 64 * 1024
_JOURNAL_SIZE = 128
_PLATFORM_VARIABLE = "VKZIRCON_PLATFORM"  # environment.py's, which is not imported yet


class Child:
    """A forked *process* that waits for its question; *events* and *output* are the ends to read what comes of it."""

    def __init__(self) -> None:
        self.asked = b""
        self._journal = mmap.mmap(-1, _JOURNAL_SIZE)
        with ExitStack() as theirs, ExitStack() as ours:
            question_end, self._question = _closed_by(theirs, ours)
            self.events, events_end = _closed_by(ours, theirs)
            self.output, output_end = _closed_by(ours, theirs)
            ends = _Ends(self._journal, question_end, events_end, output_end, os.getpid())
            self.process = process.start(partial(_be_child, ends))
            ours.pop_all()
        _living.append(self)

    def ask(self, question: bytes) -> None:
        """Send the question, as `question` writes it; that a child is gone is seen in its events."""
        self.asked = question
        view = memoryview(question)
        with suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._question, view) :]

    @property
    def call(self) -> str:
        """Name the call that it made last."""
        return self._journal[:_JOURNAL_SIZE].split(b"\0", 1)[0].decode("ascii", "replace")

    def end(self) -> None:
        """Kill it if it still runs, and close what this side holds; a second time does nothing.

        It takes a while to die of a driver's size: `end_all` waits for that, when all else is done.
        """
        if self not in _living:
            return
        _living.remove(self)  # first: Ctrl-C may come at any line
        self.process.kill()
        for end in (self._question, self.events, self.output):
            os.close(end)
        self._journal.close()


def _closed_by(reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    """Make a pipe whose ends are closed with these two."""
    ends = pipe()
    for end, stack in zip(ends, (reads, writes), strict=True):
        stack.callback(os.close, end)
    return ends


_living: list[Child] = []
_early: list[Child] = []


def start_early() -> bool:
    """Fork the first child now, if a fork is sure to be wanted and there is a processor for each side."""
    is_plain_linux = sys.platform == "linux" and _PLATFORM_VARIABLE not in os.environ
    return is_plain_linux and len(os.sched_getaffinity(0)) > 1 and start_first()


def start_first() -> bool:
    """Fork the first child unless it is there, and return whether it is; `forked.refusal` has the reason if not."""
    if not _early and not process.refusal():
        with suppress(OSError):  # the run says so
            _early.append(Child())
    return bool(_early)


def ask_early(question: bytes) -> None:
    """Ask the first child, if it is there, what `next_child` will be called with."""
    if _early and not _early[0].asked:
        _early[0].ask(question)


def next_child(question: bytes) -> Child:
    """Give a child that was asked *question*."""
    child = _early.pop() if _early else Child()
    if child.asked not in (b"", question):
        child.end()
        child = Child()
    if not child.asked:
        child.ask(question)
    return child


def end_all() -> None:
    """End every child that lives, and whoever else was forked, and wait until each is gone."""
    for child in tuple(_living):
        child.end()
    process.end_all()


class _Ends(NamedTuple):
    """What the child has of the parent's: the shared page, its ends of the pipes, and whose child it is."""

    journal: mmap.mmap
    question: int
    events: int
    output: int
    parent: int


def _be_child(ends: _Ends) -> None:
    """Be the child: wait for the question, and answer it."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(ends.output, 1)
    os.dup2(ends.output, 2)
    die_with(ends.parent)
    _get_ready()
    if question := _line(ends.question):
        from vkzircon_cli.worker.protocol import answer

        for line in answer(question, _journaled(ends.journal)):
            os.write(ends.events, b"\n" + line)  # a driver may have written the beginning of a line there
    os._exit(0)


def _get_ready() -> None:
    """Load what every probe needs, and open nothing: no library is anybody's fault before a step has begun."""
    with suppress(Exception):  # whatever it is, the probe meets it again, and says so
        from vkzircon_cli import probe  # noqa: F401
        from vkzircon_cli.bindings import vk
        from vkzircon_cli.worker import protocol  # noqa: F401

        vk.binding()


def _line(end: int) -> bytes:
    """Read one line, nothing where the parent went away. Who else was forked has the pipe too: it has no end."""
    line = bytearray()
    while not line.endswith(b"\n") and (data := os.read(end, _CHUNK)):
        line += data
    return bytes(line)


def _journaled(journal: mmap.mmap) -> Callable[[str], None]:
    """Make the listener that writes each call's name where the parent can read it after this process is gone."""

    def on_call(name: str) -> None:
        entry = name.encode("ascii")[: _JOURNAL_SIZE - 1] + b"\0"
        journal[: len(entry)] = entry

    return on_call
