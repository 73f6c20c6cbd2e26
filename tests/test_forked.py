# SPDX-License-Identifier: Apache-2.0
"""Forked processes: how each ended can be asked as often as it takes, and nothing waits for ever."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from vkzircon_cli.forked import Process, fork

Start = Callable[[Callable[[], object]], Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that does some work and leaves with 7; nothing of it stays."""
    started: list[Process] = []

    def starting(work: Callable[[], object]) -> Process:
        pid = fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(7)
        started.append(Process(pid))
        return started[-1]

    yield starting
    for process in started:
        process.kill()
        process.reap()


def test_how_a_process_ended_can_be_asked_again(start: Start) -> None:
    """Ctrl-C between the kernel's answer and ours would lose one that is given once."""
    process = start(lambda: None)
    assert [process.exit_code(5) for _ in range(3)] == [7, 7, 7]


def test_a_signal_is_told_by_its_number(start: Start) -> None:
    """As subprocess tells it: minus the number."""
    process = start(signal.pause)
    assert process.exit_code() is None
    process.kill()
    process.kill()
    assert process.exit_code(5) == -signal.SIGKILL


def test_waiting_ends_with_patience(start: Start) -> None:
    """A process that never ends costs what one is willing to wait."""
    began = time.monotonic()
    assert start(signal.pause).exit_code(0.1) is None
    assert 0.1 <= time.monotonic() - began < 2


_ENDED_MANY_TIMES = """
import itertools, os, signal, sys
from vkzircon_cli.forked import Process, fork
INTERRUPT = {signal.SIGINT}
for _ in range(2000):
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)
    pid = fork()
    if pid == 0:
        os.kill(os.getppid(), signal.SIGINT)
        os._exit(7)
    process = Process(pid)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPT)
        for _ in itertools.count():
            process.exit_code()
    except KeyboardInterrupt:
        pass
    if process.exit_code(5) != 7:
        sys.exit("lost")
    process.reap()
"""


def test_ctrl_c_loses_nothing_wherever_it_comes() -> None:
    """A child that ends sends Ctrl-C to whoever asks for its end, two thousand times."""
    subprocess.run([sys.executable, "-c", _ENDED_MANY_TIMES], check=True)
