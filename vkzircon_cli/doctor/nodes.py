# SPDX-License-Identifier: Apache-2.0
"""Reads the device nodes of GPUs: their owners, and whether this process can open them. Judges nothing."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vkzircon_cli.model.base import Missing, MissingKind, record
from vkzircon_cli.worker.isolation import can_fork

if TYPE_CHECKING:
    from vkzircon_cli.worker.task import Task

DEV = Path("/dev")
# Vulkan drivers open these; the others serve displays and other interfaces.
_NEEDED = ("dri/renderD*", "nvidia[0-9]*", "nvidiactl", "dxg", "mali[0-9]*", "magma[0-9]*")
_OTHERS = ("dri/card*", "nvidia-modeset", "nvidia-uvm", "kfd")
_MOST_NODES = 64


@record
class Node:
    """One device node.

    *needed*: Vulkan needs it. *owner* and *group* are names, or numbers where there are none, *members* the members of
    the group. *opens* is None without an answer: *reason* is then what ended the attempt, *why_not* why there was no
    attempt. If the node does not open, *reason* is errno's name.
    """

    path: str
    needed: bool
    mode: int
    owner: str
    group: str
    members: tuple[str, ...] = ()
    opens: bool | None = None
    reason: str = ""
    why_not: str = ""


class NodeTrial:
    """Lists the nodes and starts a task that opens them: a driver that is stuck hangs the process that opens one."""

    def __init__(self, timeout_s: float, dev: Path = DEV) -> None:
        self._nodes = list(_listed(dev))
        paths = [node.path for node in self._nodes if stat.S_ISCHR(node.mode)]
        self._task: Task | None = None
        if paths and can_fork():  # the module of tasks imports what Fuchsia does not have
            from vkzircon_cli.worker import task

            self._task = task.Task(lambda: map(_open, paths), timeout_s)
        self._paths = paths

    def give_up(self) -> None:
        """Wait for no further node."""
        if self._task is not None:
            self._task.give_up()

    def close(self) -> None:
        """End the task if it still runs."""
        if self._task is not None:
            self._task.close()

    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes with the result of opening each."""
        answers, missing = self._task.answers() if self._task else ([], None)
        said = dict(zip(self._paths, answers, strict=False))
        return tuple(_with(node, said.get(os.fspath(node.path)), missing) for node in self._nodes)


def _listed(dev: Path) -> Iterator[Node]:
    found = [(path, needed) for kinds, needed in ((_NEEDED, True), (_OTHERS, False)) for path in _matching(dev, kinds)]
    for path, needed in found[:_MOST_NODES]:
        with suppress(OSError):  # removed since it was listed, or a dangling link
            status = path.stat()
            group, members = _group(status.st_gid)
            yield Node(os.fspath(path), needed, status.st_mode, user_name(status.st_uid), group, members)


def _matching(dev: Path, kinds: Sequence[str]) -> Iterator[Path]:
    for kind in kinds:
        with suppress(OSError):
            yield from sorted(dev.glob(kind))


def user_name(number: int) -> str:
    """Return a user's name, or the number where there is none."""
    with suppress(ImportError, KeyError, OSError):
        import pwd

        return pwd.getpwuid(number).pw_name
    return str(number)


def _group(number: int) -> tuple[str, tuple[str, ...]]:
    with suppress(ImportError, KeyError, OSError):
        import grp

        found = grp.getgrgid(number)
        return found.gr_name, tuple(found.gr_mem)
    return str(number), ()


def _open(path: str) -> str:
    """Open and close a node; return '' or errno's name. Runs only in a task's process."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return ""


def _with(node: Node, reason: Any, missing: Missing | None) -> Node:
    if not stat.S_ISCHR(node.mode):
        return replace(node, opens=False, reason="ENOTSUP")
    if reason is None and missing is not None and missing.kind is MissingKind.NOT_ASKED:
        return replace(node, why_not=missing.reason)
    if reason is None:
        return replace(node, reason=missing.reason if missing else "")
    return replace(node, opens=reason == "", reason=reason)
