# SPDX-License-Identifier: Apache-2.0
"""Whether a driver can run in a process of its own, and the `Missing` for an answer that such a process never gave."""

import os

from vkzircon_cli.errors import CannotAsk
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.host import FUCHSIA, platform
from vkzircon_cli.worker import process


class NoProcess(CannotAsk):
    """The system refuses to start *what*, the process or thread that a driver would run in."""

    def __init__(self, what: str, reason: str) -> None:
        hint = "Raise the limit that is in the way: ulimit -u, ulimit -n, or a container's --pids-limit."
        super().__init__("no-process", f"{what} can be started: {reason}.", hint)


class AgentLost(Exception):
    """An agent is gone; *missing* is the answer that it did not give, without a call if that is the last one made."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.reason)
        self.missing = missing


def can_fork() -> bool:
    """Whether the probe can run in a process of its own, as far as is known: the first fork decides it."""
    return hasattr(os, "fork") and platform() != FUCHSIA and not process.refusal()


def missing_from_exit(status: int, call: str = "", who: str = "the process") -> Missing:
    """Return the missing answer of a process that ended with *status*: an exit status, or a negative signal number."""
    if status < 0:
        name = process.signal_name(-status)
        return Missing(MissingKind.CRASHED, call, name, f"{who} was killed by {name}")
    return Missing(MissingKind.CRASHED, call, "", f"{who} ended with exit status {status}")


def missing_in_time(timeout_s: float, call: str) -> Missing:
    """Return the missing answer of a process that did not answer within *timeout_s*, a limit of our own."""
    return Missing(MissingKind.TIMED_OUT, call, "", f"no answer within {timeout_s:g} s; --timeout allows more time")
