# SPDX-License-Identifier: Apache-2.0
"""Checks whether this process can reach the hardware: device nodes on Linux, services on Fuchsia."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shlex import quote

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding, branch, shown
from vkzircon_cli.doctor.place import NO_PLACE, Place, missing_driver, place
from vkzircon_cli.model.base import Missing, MissingKind, record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.spec import DEVICE_TYPE_CPU
from vkzircon_cli.worker.isolation import can_fork
from vkzircon_cli.worker.task import Task

DEV = Path("/dev")
# Device nodes, and whether Vulkan drivers open them; the others serve displays and other interfaces.
_NEEDED = dict.fromkeys(("dri/renderD*", "nvidia[0-9]*", "nvidiactl", "dxg", "mali[0-9]*", "magma[0-9]*"), True)
_NODES = {**_NEEDED, **dict.fromkeys(("dri/card*", "nvidia-modeset", "nvidia-uvm", "kfd"), False)}
_MOST_NODES = 64
SVC = Path("/svc")
_GROUP_MAY = stat.S_IRGRP | stat.S_IWGRP


@record
class Node:
    """One device node.

    *needed*: Vulkan needs it. *owner* and *group* are names, or numbers where there are none, *members* the members of
    the group. *opens* is None without an answer: then *reason* says how the attempt ended, or *why_not* why there was
    none. If the node does not open, *reason* is errno's name.
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
        self._paths = [node.path for node in self._nodes if stat.S_ISCHR(node.mode)]
        has_work = self._paths and can_fork()
        self._task = Task(lambda: map(_open, self._paths), timeout_s) if has_work else None

    def give_up(self) -> None:
        """Stop waiting for the other nodes."""
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
        return tuple(_with(node, said.get(node.path), missing) for node in self._nodes)


def _listed(dev: Path) -> Iterator[Node]:
    found: list[tuple[Path, bool]] = []
    for pattern, needed in _NODES.items():
        with suppress(OSError):
            found += [(path, needed) for path in sorted(dev.glob(pattern))]
    for path, needed in found[:_MOST_NODES]:
        with suppress(OSError):  # removed since it was listed, or a dangling link
            status = path.stat()
            group, members = _group(status.st_gid)
            yield Node(os.fspath(path), needed, status.st_mode, user_name(status.st_uid), group, members)


def user_name(number: int) -> str:
    """Return a user's name, or the number if there is none."""
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


def _with(node: Node, reason: str | None, missing: Missing | None) -> Node:
    if not stat.S_ISCHR(node.mode):
        return replace(node, opens=False)
    if reason is not None:
        return replace(node, opens=reason == "", reason=reason)
    if missing is None:
        return node
    is_ours = missing.kind is MissingKind.NOT_ASKED
    return replace(node, why_not=missing.reason) if is_ours else replace(node, reason=missing.reason)


# Nodes whose names have no number that differs from machine to machine.
_USUAL = ("/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/mali0", "/dev/magma0")


def nodes_behind(exists: Callable[[str], bool]) -> Finding:
    """Return which common device nodes exist for an agent; *exists* checks a path. No node is opened."""
    found = ", ".join(path for path in _USUAL if exists(path))
    words = f"Device nodes on the device: {found or 'none with a common name of a GPU'}."
    cause = "a device that hangs while its node is opened would hang the agent"
    child = Finding("access.not-tried", "/dev", Outcome.SKIP, words, (), cause)
    return branch("access", "device nodes", "No device node was opened on the device.", [child])


@record
class Reach:
    """The user of this process (a name, or a number), how many devices Vulkan listed, and where it runs."""

    user: str
    hardware: int
    software: int
    place: Place = NO_PLACE


def reach(devices: Sequence[Device]) -> Reach:
    """Return the `Reach` of this process, in which Vulkan listed *devices*."""
    types = [device.identity.value.type.value for device in devices if device.identity.value]
    software = types.count(DEVICE_TYPE_CPU)
    return Reach(user_name(os.geteuid()), len(devices) - software, software, place(os.environ))


def nodes_finding(nodes: Sequence[Node], of: Reach) -> Finding:
    """Return whether each node opens, and what to do if not."""
    children = [_judged(node, of) for node in nodes]
    children += _software(nodes, of)
    able = [node for node in nodes if node.needed and node.opens]
    sentence = f"{len(able)} of {sum(node.needed for node in nodes)} GPU device nodes can be opened."
    return branch("access", "device nodes", sentence if nodes else "There is no GPU device node.", children)


def _judged(node: Node, of: Reach) -> Finding:
    path = shown(node.path)
    line = f"{stat.filemode(node.mode)} {node.owner} {node.group} {path}"
    if node.opens:
        return Finding("access.opens", path, Outcome.PASS, f"{path} can be opened.", (line,))
    # Vulkan needs only some of the nodes.
    outcome = (Outcome.WARN if of.hardware else Outcome.FAIL) if node.needed else Outcome.INFO
    if not stat.S_ISCHR(node.mode):
        cause = "something other than a driver put it there"
        command = f"ls -lL {quote(path)}"
        return Finding("access.no-device", path, outcome, f"{path} is not a device node.", (line,), cause, command)
    if node.opens is None:
        why = node.reason or node.why_not or "without fork a device that hangs would hang this program"
        outcome = outcome if node.reason else Outcome.SKIP
        command = f"sudo dmesg | grep -i {quote(Path(path).name.rstrip('0123456789'))}" if node.reason else ""
        return Finding("access.not-tried", path, outcome, f"{path} was not opened: {why}.", (line,), why, command)
    word, cause, command = _denied(node, of)
    sentence = f"{path} cannot be opened ({node.reason}): it belongs to {node.owner}, group {node.group}."
    return Finding(f"access.{word}", path, outcome, sentence, (line, f"this process runs as {of.user}"), cause, command)


def _denied(node: Node, of: Reach) -> tuple[str, str, str]:
    path = quote(node.path)
    if node.reason == "EPERM":
        cause = "the file's permissions allow it, but the container or the system's device rules do not"
        command = of.place.devices.replace("/dev/dri", path) if of.place.name else f"ls -l {path}"
        return "kept-out", cause, command
    if node.reason != "EACCES":
        return "no-answer", "the node exists, but no driver of the kernel serves it", f"ls -l {path}"
    if node.mode & _GROUP_MAY != _GROUP_MAY or node.group in ("root", "0"):
        return "no-right", f"only {node.owner} has the permission", f"sudo setfacl -m u:{of.user}:rw {path}"
    if of.user in node.members:
        cause = f"{of.user} was added to the group {node.group} after this session began"
        return "old-session", cause, f"newgrp {quote(node.group)}"
    cause = f"{of.user} is not in the group {node.group}"
    return "not-in-group", cause, f"sudo usermod -aG {quote(node.group)} $USER"


def _software(nodes: Sequence[Node], of: Reach) -> Iterator[Finding]:
    if of.hardware:
        return
    only = "every device is software" if of.software else "no Vulkan device was found"
    opening = [shown(node.path) for node in nodes if node.needed and node.opens]
    if opening:
        sentence = f"{opening[0]} can be opened, but {only}."
        cause, command = missing_driver(opening[0], of.place)
        yield Finding("access.no-driver", opening[0], Outcome.WARN, sentence, tuple(opening), cause, command)
    elif not nodes:
        cause = "this machine has no GPU, or its kernel driver is not loaded"
        if of.place.name:
            cause = f"a container or sandbox has only the devices that it was given; this process is in {of.place.name}"
        sentence = f"There is no device node of a GPU in /dev, and {only}."
        yield Finding("access.no-nodes", "/dev", Outcome.INFO, sentence, (), cause, of.place.devices)


@record
class _Route:
    """A service that a Vulkan program uses, the shard by which it is used, and what fails without it."""

    protocol: str
    shard: str
    without: str
    outcome: Outcome


# Read in Fuchsia's sdk/lib/vulkan/client.shard.cml, which includes the other two; not tried on a device.
_VULKAN = "vulkan/client.shard.cml"
_OFFER = "vulkan/offer.shard.cml"
_ROUTES = (
    _Route("fuchsia.vulkan.loader.Loader", _VULKAN, "the loader finds no driver", Outcome.FAIL),
    _Route("fuchsia.sysmem2.Allocator", _VULKAN, "newer drivers cannot allocate memory to share", Outcome.FAIL),
    _Route("fuchsia.sysmem.Allocator", _VULKAN, "older drivers cannot allocate memory to share", Outcome.FAIL),
    _Route("fuchsia.tracing.provider.Registry", "trace/use.shard.cml", "drivers are not traced", Outcome.WARN),
    _Route("fuchsia.logger.LogSink", "syslog/client.shard.cml", "the drivers' logs are lost", Outcome.WARN),
)
_EITHER = ("fuchsia.sysmem2.Allocator", "fuchsia.sysmem.Allocator")


def routes_finding(svc: Path = SVC) -> Finding:
    """Return whether each service is routed to this component."""
    try:
        routed, why = frozenset(entry.name for entry in svc.iterdir()), ""
    except OSError as error:
        routed, why = frozenset(), error.strerror or type(error).__name__
    return _routes(routed, svc, why)


def routes_behind(exists: Callable[[str], bool], svc: Path = SVC) -> Finding:
    """Return whether each service is routed to an agent's component; *exists* checks a path."""
    routed = frozenset(route.protocol for route in _ROUTES if exists(f"{svc}/{route.protocol}"))
    return _routes(routed, svc, "", "to the agent")


def _routes(routed: frozenset[str], svc: Path, why: str, place: str = "here") -> Finding:
    has_sysmem = any(protocol in routed for protocol in _EITHER)
    children = [_route(route, svc, routed, why, has_sysmem) for route in _ROUTES]
    there = sum(child.outcome is Outcome.PASS for child in children)
    return branch("access", "services", f"{there} of {len(children)} services are routed {place}.", children)


def _route(route: _Route, svc: Path, routed: frozenset[str], why: str, has_sysmem: bool) -> Finding:
    path = f"{svc}/{route.protocol}"
    if route.protocol in routed:
        return Finding("access.routed", path, Outcome.PASS, f"{path} exists.")
    outcome = Outcome.INFO if has_sysmem and route.protocol in _EITHER else route.outcome
    evidence = (f"{svc}: {why}",) if why else ()
    cause = f'the component does not use it (include: [ "{route.shard}" ]), or its parent does not offer it'
    if route.shard == _VULKAN:
        cause += f' (include: [ "{_OFFER}" ])'
    sentence = f"{path} does not exist: {route.without}."
    return Finding("access.not-routed", path, outcome, sentence, evidence, cause, f"ls {svc}")
