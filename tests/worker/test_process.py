# SPDX-License-Identifier: Apache-2.0
"""Forked processes: an exit status can be read again, and each wait ends."""

import os
import resource
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
    """Start a process that runs some work and exits with 7; end it after the test."""

    def begin(work: Callable[[], object]) -> Process:
        def work_and_leave() -> None:
            work()
            os._exit(7)

        return start(work_and_leave)

    yield begin
    end_all()


def test_how_a_process_ended_can_be_asked_again(begin: Start) -> None:
    """A signal between the kernel's answer and ours would lose a status that can be read once."""
    process = begin(lambda: None)
    assert [process.exit_status(5) for _ in range(3)] == [7, 7, 7]


def test_a_crash_leaves_no_core() -> None:
    """If the user allows core dumps, a probe that crashes a driver many times would fill the folder."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        process = start(lambda: os._exit(resource.getrlimit(resource.RLIMIT_CORE)[0] == 0))
        assert process.exit_status(5) == 1
    finally:
        end_all()
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_signal_is_told_by_its_number(begin: Start) -> None:
    """As subprocess has it: minus the number."""
    process = begin(signal.pause)
    assert process.exit_status() is None
    process.kill()
    process.kill()
    assert process.exit_status(5) == -signal.SIGKILL


def test_waiting_ends_with_patience(begin: Start) -> None:
    """A process that never ends costs the patience that is given."""
    began = time.monotonic()
    assert begin(signal.pause).exit_status(0.1) is None
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
            process.exit_status()
    except KeyboardInterrupt:
        pass
    if process.exit_status(5) != 7:
        sys.exit("lost")
    process.reap()
"""


def test_ctrl_c_loses_nothing_wherever_it_comes() -> None:
    """A process that ends sends SIGINT to the one that reads its exit status, 300 times; one in twelve hits."""
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
        os.kill(os.getpid(), int(sys.argv[1]))  # before the process runs its own code
    return pid
os.fork = fork_and_interrupt
process = start(lambda: time.sleep(60))
print("once", process.exit_status(5))
end_all()
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_forked_process_runs_no_handler_of_its_parent(number: int) -> None:
    """The signal ends the forked process alone, from its first moment on: nothing is written twice."""
    command = [sys.executable, "-c", _TWO_WAYS_OUT, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"once -{number:d}\n", "")


def test_an_exception_ends_a_forked_process() -> None:
    """No forked process returns to its caller's code."""
    process = start(lambda: os.close(-1))
    assert process.exit_status(5) == 71
    process.reap()


@pytest.mark.parametrize("limit", [16, 256, 257, 1024])
def test_a_pipe_is_above_the_usual_descriptors_where_the_limit_allows_it(limit: int) -> None:
    """Its ends are closed by exec, and are never standard descriptors; a low limit is no reason to fail."""
    code = (
        f"import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))\n"
        "from vkzircon_cli.worker.process import pipe\n"
        "ends = pipe(); print(*ends, *map(os.get_inheritable, ends))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    read, write, *inherited = done.stdout.split()
    assert inherited == ["False", "False"]
    assert (int(read) >= 256, int(write) >= 256) == (limit >= 257, limit >= 1024)
    assert min(int(read), int(write)) > 2
