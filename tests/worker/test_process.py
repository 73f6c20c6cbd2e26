# SPDX-License-Identifier: Apache-2.0
"""Forked processes: how each ended can be asked as often as it takes, and nothing waits for ever."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from vkzircon_cli.worker.interrupt import SIGNALS
from vkzircon_cli.worker.process import Process, end_all, start

Start = Callable[[Callable[[], object]], Process]


@pytest.fixture(name="begin")
def _begin() -> Iterator[Start]:
    """Start a process that does some work and leaves with 7; nothing of it stays."""

    def begin(work: Callable[[], object]) -> Process:
        def work_and_leave() -> None:
            work()
            os._exit(7)

        return start(work_and_leave)

    yield begin
    end_all()


def test_how_a_process_ended_can_be_asked_again(begin: Start) -> None:
    """Ctrl-C between the kernel's answer and ours would lose one that is given once."""
    process = begin(lambda: None)
    assert [process.exit_code(5) for _ in range(3)] == [7, 7, 7]


def test_a_signal_is_told_by_its_number(begin: Start) -> None:
    """As subprocess tells it: minus the number."""
    process = begin(signal.pause)
    assert process.exit_code() is None
    process.kill()
    process.kill()
    assert process.exit_code(5) == -signal.SIGKILL


def test_waiting_ends_with_patience(begin: Start) -> None:
    """A process that never ends costs what one is willing to wait."""
    began = time.monotonic()
    assert begin(signal.pause).exit_code(0.1) is None
    assert 0.1 <= time.monotonic() - began < 2


_ENDED_MANY_TIMES = """
import itertools, os, signal, sys
from vkzircon_cli.worker.process import start

def interrupt():
    os.kill(os.getppid(), signal.SIGINT)
    os._exit(7)

pressed = {signal.SIGINT}
for _ in range(300):
    signal.pthread_sigmask(signal.SIG_BLOCK, pressed)
    process = start(interrupt)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, pressed)
        for _ in itertools.count():
            process.exit_code()
    except KeyboardInterrupt:
        pass
    if process.exit_code(5) != 7:
        sys.exit("lost")
    process.reap()
"""


def test_ctrl_c_loses_nothing_wherever_it_comes() -> None:
    """A child that ends sends Ctrl-C to whoever asks for its end, 300 times: one in twelve hits the moment."""
    subprocess.run([sys.executable, "-c", _ENDED_MANY_TIMES], check=True)


_TWO_WAYS_OUT = """
import os, sys, time
from vkzircon_cli.worker import interrupt
from vkzircon_cli.worker.process import end_all, start
interrupt.hold()
fork = os.fork
def fork_and_interrupt():
    pid = fork()
    if pid == 0:
        os.kill(os.getpid(), int(sys.argv[1]))  # before anything of the child's own is done
    return pid
os.fork = fork_and_interrupt
process = start(lambda: time.sleep(60))
print("once", process.exit_code(5))
end_all()
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_child_never_takes_the_parents_way_out(number: int) -> None:
    """It ends the child by itself, from its first moment on: nothing is written twice."""
    command = [sys.executable, "-c", _TWO_WAYS_OUT, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"once -{number:d}\n", "")


def test_what_a_child_raises_ends_it() -> None:
    """No child comes back to where it was started, whatever its work does."""
    process = start(lambda: os.close(-1))
    assert process.exit_code(5) == 71
    process.reap()
