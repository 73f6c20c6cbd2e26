# SPDX-License-Identifier: Apache-2.0
"""The device nodes of GPUs: whose they are, and whether this process may open them. Seen, not judged."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vkzircon_cli.model.base import Missing, MissingKind, record
from vkzircon_cli.worker.isolation import can_fork

if TYPE_CHECKING:
    from vkzircon_cli.worker.task import Task

DEV = Path("/dev")
# What Vulkan drivers open to reach the hardware; the rest is for screens and for other interfaces.
_NEEDED = ("dri/renderD*", "nvidia[0-9]*", "nvidiactl", "dxg", "mali[0-9]*", "magma[0-9]*")
_OTHERS = ("dri/card*", "nvidia-modeset", "nvidia-uvm", "kfd")
_MOST_NODES = 64


@record
class Node:
    """One device node.

    *needed* tells whether Vulkan needs it. *owner* and *group* are names, or numbers where there are none; *members*
    are who the system says is in the group. *opens* is None where there was no answer: *reason* is what ended the
    attempt, and *why_not* why there was none. Of a node that does not open *reason* is errno's name.
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
    """Looks at the nodes, and opens them in a child begun at once: a driver that is stuck hangs whoever opens one."""

    def __init__(self, timeout_s: float, dev: Path = DEV) -> None:
        self._nodes = list(_listed(dev))
        paths = [node.path for node in self._nodes if stat.S_ISCHR(node.mode)]
        self._errand: Task | None = None
        if paths and can_fork():  # else there may not even be what its module imports
            from vkzircon_cli.worker import task

            self._errand = task.Task(lambda: map(_open, paths), timeout_s)
        self._paths = paths

    def give_up(self) -> None:
        """Wait for no node that is not open yet."""
        if self._errand is not None:
            self._errand.give_up()

    def close(self) -> None:
        """End the child if it still runs."""
        if self._errand is not None:
            self._errand.close()

    def nodes(self) -> tuple[Node, ...]:
        """Give the nodes, with what came of opening each."""
        answers, fate = self._errand.answers() if self._errand else ([], None)
        said = dict(zip(self._paths, answers, strict=False))
        return tuple(_with(node, said.get(os.fspath(node.path)), fate) for node in self._nodes)


def _listed(dev: Path) -> Iterator[Node]:
    found = [(path, needed) for kinds, needed in ((_NEEDED, True), (_OTHERS, False)) for path in _matching(dev, kinds)]
    for path, needed in found[:_MOST_NODES]:
        with suppress(OSError):  # gone since it was listed, or a link that leads nowhere
            status = path.stat()
            group, members = _group(status.st_gid)
            yield Node(os.fspath(path), needed, status.st_mode, _owner(status.st_uid), group, members)


def _matching(dev: Path, kinds: Sequence[str]) -> Iterator[Path]:
    for kind in kinds:
        with suppress(OSError):
            yield from sorted(dev.glob(kind))


def _owner(number: int) -> str:
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
    """Open and close a node; '' or errno's name. Only ever run in a child."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return ""


def _with(node: Node, reason: Any, fate: Missing | None) -> Node:
    from dataclasses import replace

    if not stat.S_ISCHR(node.mode):
        return replace(node, opens=False, reason="ENOTSUP")
    if reason is None and fate is not None and fate.kind is MissingKind.NOT_ASKED:
        return replace(node, why_not=fate.reason)
    if reason is None:
        return replace(node, reason=fate.reason if fate else "")
    return replace(node, opens=reason == "", reason=reason)
