# SPDX-License-Identifier: Apache-2.0
"""The command of --agent: starts it, connects to the agent behind it, and tells how it ended."""

import errno
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from vkzircon_cli.bindings.agent import AgentCaller, exist, variables
from vkzircon_cli.bindings.connection import BY_ITSELF, AgentError, Connection, Hello
from vkzircon_cli.bindings.lost import Ended, Hung, Lost
from vkzircon_cli.model.base import CONNECTION_ENDED, Missing, MissingKind, record
from vkzircon_cli.model.home import NAMING
from vkzircon_cli.model.host import PLATFORM_VARIABLE, REPORTED_VARIABLES, Environment, environment_of, platform_of
from vkzircon_cli.model.request import Request
from vkzircon_cli.model.text import decode, readable
from vkzircon_cli.worker import process
from vkzircon_cli.worker.isolation import AgentLost, missing_from_exit, missing_in_time

_PATIENCE_S = 0.5  # for the end of a command whose pipes are closed
_POLL_S = 0.002
_MOST_WORDS = 300
_NOTHING_ASKED = (
    "The connection to the agent ended before the first request.",
    "Run the command by itself: it must not end before its input does.",
)
_BUILD = "vkzircon agent --build FILE makes an agent for this machine."
_REMEDIES = {  # where the system does not start the command
    errno.ENOENT: f"Check the name. {_BUILD}",
    errno.EACCES: "The file must be executable (chmod +x), and on a file system without noexec.",
    errno.ENOEXEC: f"The file is no program of this machine. {_BUILD}",
}
_OF_LIMITS = "Raise the limit that is in the way: ulimit -u, ulimit -n, or a container's --pids-limit."


class AgentProcess:
    """The running command; *error* is the read end of its standard error, if that was asked for."""

    def __init__(self, command: str, *, keeps_errors: bool = False) -> None:
        """Start it. Raises `AgentError` if the system refuses."""
        words = shlex.split(command)
        self.error = -1
        with ExitStack() as theirs, ExitStack() as ours:
            given, self.write = _closed_by(theirs, ours)
            self.read, taken = _closed_by(ours, theirs)
            actions = [(os.POSIX_SPAWN_DUP2, given, 0), (os.POSIX_SPAWN_DUP2, taken, 1)]
            if keeps_errors:
                self.error, errors = _closed_by(ours, theirs)
                actions.append((os.POSIX_SPAWN_DUP2, errors, 2))
            try:
                self.pid = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
            except OSError as refused:
                text = f"The agent's command cannot be started: {readable(words[0])}: {refused.strerror}."
                raise AgentError(text, _REMEDIES.get(refused.errno or 0, _OF_LIMITS)) from refused
            ours.pop_all()
        self._status: int | None = None

    def exit_status(self) -> int | None:
        """Return the exit status, or minus the signal; None if it runs on for longer than `_PATIENCE_S`."""
        until = time.monotonic() + _PATIENCE_S
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                return None
            else:
                time.sleep(_POLL_S)
        return self._status

    def end(self) -> None:
        """Close the pipes, at which an agent ends, and kill what does not end."""
        for end in (self.read, self.write, self.error):
            with suppress(OSError):
                os.close(end)
        if self.exit_status() is None:
            with suppress(OSError):
                os.kill(self.pid, 9)
            self.exit_status()

    def last_words(self) -> str:
        """Return the last line of its standard error so far."""
        if self.error < 0:
            return ""
        os.set_blocking(self.error, False)
        with suppress(OSError):
            return _last_line(os.read(self.error, 1 << 16))
        return ""


def _last_line(written: bytes) -> str:
    line = next((line for line in reversed(written.split(b"\n")) if line.strip()), b"")
    return " ".join(decode(line)[0].split())[:_MOST_WORDS]


def _closed_by(first: ExitStack, second: ExitStack) -> tuple[int, int]:
    """Return a pipe's read end and write end, each closed by its stack."""
    ends = process.pipe()
    for end, stack in zip(ends, (first, second), strict=True):
        stack.callback(os.close, end)
    return ends


@contextmanager
def _greeted(command: str, timeout_s: float, *, keeps_errors: bool) -> Iterator[tuple[AgentProcess, Connection, Hello]]:
    """Start *command*, and wait for its agent's greeting.

    Raises:
        AgentError: there is no agent.
    """
    agent = AgentProcess(command, keeps_errors=keeps_errors)
    try:
        connection = Connection(agent.read, agent.write, timeout_s)
        try:
            hello = connection.greet()
        except Ended:
            raise AgentError(*_no_greeting(agent, connection.unread())) from None
        yield agent, connection, hello
    finally:
        agent.end()


def _no_greeting(agent: AgentProcess, written: bytes) -> tuple[str, str]:
    status, words = agent.exit_status(), agent.last_words() or _last_line(written)
    how = "closed its output"
    if status is not None:
        how = f"ended with exit status {status}" if status >= 0 else f"was killed by {process.signal_name(-status)}"
    said = f" It wrote: {words}" if words else ""
    return (
        f"The agent's command {how} before the agent's greeting.{said}",
        f"{BY_ITSELF} {_BUILD}",
    )


@contextmanager
def connected(request: Request, *, is_silent: bool = False) -> Iterator[AgentCaller]:
    """Start the command of *request*'s agent, give it the request's environment, and yield the caller.

    With *is_silent*, nothing that the command writes is passed on to standard error.

    Raises:
        AgentError: there is no agent, or it cannot be used.
        AgentLost: the agent ended, or a call hung in it.
    """
    with _greeted(request.agent or "", request.timeout_s, keeps_errors=is_silent) as (agent, connection, hello):
        try:
            if connection.banner and not is_silent:
                os.write(2, connection.banner)
            yield _prepared(connection, hello, request)
        except Lost as lost:
            raise AgentLost(_missing(lost, agent, hello)) from lost


def _prepared(connection: Connection, hello: Hello, request: Request) -> AgentCaller:
    try:
        caller = AgentCaller(connection, hello)
        caller.begin_step(request.timeout_s)  # for what is called before the first step
        caller.set_variables(request.environ)
    except Lost:
        raise AgentError(*_NOTHING_ASKED) from None
    return caller


def _missing(lost: Lost, agent: AgentProcess, hello: Hello) -> Missing:
    if isinstance(lost, Hung):
        return missing_in_time(lost.limit_s, lost.name)
    # Only if the command is the agent itself is its end the agent's.
    status = agent.exit_status() if agent.pid == hello.pid else None
    if status is None:
        return Missing(MissingKind.CRASHED, lost.name, "", CONNECTION_ENDED)
    return missing_from_exit(status, lost.name)


@record
class Surroundings:
    """What a device reports first: its environment as facts, its variables by name, its host's name."""

    environment: Environment
    variables: dict[str, str]
    host: str
    has_paths: bool


def ask_surroundings(command: str, timeout_s: float, paths: tuple[str, ...]) -> Surroundings:
    """Ask the agent that *command* starts for its system and variables, and whether all *paths* exist there.

    Raises:
        AgentError: there is no agent, or it cannot be used.
    """
    with _greeted(command, timeout_s, keeps_errors=True) as (_, connection, hello):
        try:
            asked = variables(connection, (*REPORTED_VARIABLES, *NAMING))
            has_paths = exist(connection, paths)
        except Lost:
            raise AgentError(*_NOTHING_ASKED) from None
    found = {name: value for name, value in asked.items() if value is not None}
    where = environment_of(
        platform=platform_of(found.get(PLATFORM_VARIABLE), hello.system),
        system=f"{hello.system} {hello.release}",
        machine=hello.machine_name,
        elevated=hello.elevated,
        variables=found,
        agent=command,
    )
    return Surroundings(where, found, hello.host, has_paths)
