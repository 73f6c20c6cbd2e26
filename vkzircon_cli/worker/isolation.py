# SPDX-License-Identifier: Apache-2.0
"""Whether a driver can be asked in a process of its own, and what stands for an answer that such a process owes."""

import os

from vkzircon_cli.errors import CannotAsk
from vkzircon_cli.model.base import Missing, MissingKind
from vkzircon_cli.model.host import FUCHSIA, platform
from vkzircon_cli.worker import process


class NoProcess(CannotAsk):
    """The system refuses to start *what* a driver is asked in."""

    def __init__(self, what: str, reason: str) -> None:
        hint = "Raise the limit that is in the way: ulimit -u, ulimit -n, or a container's --pids-limit."
        super().__init__("no-process", f"{what} can be started: {reason}.", hint)


def can_fork() -> bool:
    """Whether the probe can run in a process of its own, as far as is known: the first fork finds out."""
    return hasattr(os, "fork") and platform() != FUCHSIA and not process.refusal()


def missing_from_exit(status: int, call: str = "", who: str = "the process") -> Missing:
    """Return what stands for the answer of a process that ended with *status*: an exit status, or minus a signal."""
    if status < 0:
        name = process.signal_name(-status)
        return Missing(MissingKind.CRASHED, call, name, f"{who} was killed by {name}")
    return Missing(MissingKind.CRASHED, call, "", f"{who} ended with exit status {status}")


def missing_in_time(timeout_s: float, call: str) -> Missing:
    """Return what stands for an answer that did not come within *timeout_s*."""
    return Missing(MissingKind.TIMED_OUT, call, "", f"no answer within {timeout_s:g} s")
