# SPDX-License-Identifier: Apache-2.0
"""Whether this process reaches the hardware: device nodes and their rights on Linux, services on Fuchsia."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding, branch, shown
from vkzircon_cli.doctor.nodes import Node
from vkzircon_cli.model.base import record

SVC = Path("/svc")
_GROUP_MAY = stat.S_IRGRP | stat.S_IWGRP
_CONTAINERS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")


@record
class Reach:
    """Who asks, and what devices there are.

    *user* is a name, or a number where there is none. *hardware* and *software* count the devices that Vulkan listed.
    """

    user: str
    in_container: bool
    hardware: int
    software: int

    @property
    def devices(self) -> int:
        """Count the devices."""
        return self.hardware + self.software


def reach(hardware: int, software: int) -> Reach:
    """Describe this process."""
    number = os.geteuid()
    try:
        import pwd

        user = pwd.getpwuid(number).pw_name
    except (ImportError, KeyError, OSError):
        user = str(number)
    return Reach(user, any(Path(path).exists() for path in _CONTAINERS), hardware, software)


def nodes_finding(nodes: Sequence[Node], of: Reach) -> Finding:
    """Tell of each node whether it opens, and what to do if not."""
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
    outcome = _severity(node, of)
    if not stat.S_ISCHR(node.mode):
        cause = "something other than a driver put it there"
        command = f"ls -lL {quote(path)}"
        return Finding("access.no-device", path, outcome, f"{path} is no device node.", (line,), cause, command)
    if node.opens is None:
        why = node.reason or node.why_not or "without fork a device that hangs would hang this program"
        outcome = outcome if node.reason else Outcome.SKIP
        command = f"sudo dmesg | grep -i {quote(Path(path).name.rstrip('0123456789'))}" if node.reason else ""
        return Finding("access.not-tried", path, outcome, f"{path} was not opened: {why}.", (line,), why, command)
    word, cause, command = _denied(node, of)
    sentence = f"{path} cannot be opened ({node.reason}): it belongs to {node.owner}, group {node.group}."
    return Finding(f"access.{word}", path, outcome, sentence, (line, f"this process runs as {of.user}"), cause, command)


def _severity(node: Node, of: Reach) -> Outcome:
    """Say how bad a node is that does not open: it hinders nothing where Vulkan does not need it."""
    if not node.needed:
        return Outcome.INFO
    return Outcome.WARN if of.hardware else Outcome.FAIL


def _denied(node: Node, of: Reach) -> tuple[str, str, str]:
    path = quote(node.path)
    if node.reason == "EPERM":
        cause = "the rights of the file allow it, but the container or the system's device rules do not"
        return "kept-out", cause, f"docker run --device {path} ..."
    if node.reason != "EACCES":
        return "no-answer", "the node is there, but no driver of the kernel answers for it", f"ls -l {path}"
    if node.mode & _GROUP_MAY != _GROUP_MAY or node.group in ("root", "0"):
        return "no-right", f"its rights leave out all but {node.owner}", f"sudo setfacl -m u:{of.user}:rw {path}"
    if of.user in node.members:
        cause = f"{of.user} is in the group {node.group}, but this session began before that"
        return "old-session", cause, f"newgrp {quote(node.group)}"
    cause = f"{of.user} is not in the group {node.group}"
    return "not-in-group", cause, f"sudo usermod -aG {quote(node.group)} $USER"


def _software(nodes: Sequence[Node], of: Reach) -> Iterator[Finding]:
    if of.hardware:
        return
    only = "every device is software" if of.software else "Vulkan lists no device"
    opening = [shown(node.path) for node in nodes if node.needed and node.opens]
    if opening:
        sentence = f"{opening[0]} can be opened, but {only}."
        cause = "no driver for this GPU is installed, or it does not load: see the driver manifests"
        command = "sudo apt-get install mesa-vulkan-drivers"
        yield Finding("access.no-driver", opening[0], Outcome.WARN, sentence, tuple(opening), cause, command)
    elif not nodes:
        cause, command = (
            "this machine has no GPU, or its kernel driver is not loaded",
            "lspci -k | grep -EA3 'VGA|3D|Display'",
        )
        if of.in_container:
            cause, command = "a container sees only the devices that it was given", "docker run --device /dev/dri ..."
        sentence = f"There is no device node of a GPU in /dev, and {only}."
        yield Finding("access.no-nodes", "/dev", Outcome.INFO, sentence, (), cause, command)


@record
class _Route:
    """A service that a Vulkan program uses, the shard that brings it, and what is missing without it."""

    protocol: str
    shard: str
    without: str
    outcome: Outcome


# Read in Fuchsia's sdk/lib/vulkan/client.shard.cml, which includes the other two; not tried on a device.
_VULKAN = "vulkan/client.shard.cml"
_ROUTES = (
    _Route("fuchsia.vulkan.loader.Loader", _VULKAN, "the loader finds no driver", Outcome.FAIL),
    _Route("fuchsia.sysmem2.Allocator", _VULKAN, "newer drivers cannot allocate memory to share", Outcome.FAIL),
    _Route("fuchsia.sysmem.Allocator", _VULKAN, "older drivers cannot allocate memory to share", Outcome.FAIL),
    _Route("fuchsia.tracing.provider.Registry", "trace/use.shard.cml", "drivers are not traced", Outcome.WARN),
    _Route("fuchsia.logger.LogSink", "syslog/client.shard.cml", "what drivers log is lost", Outcome.WARN),
)
_EITHER = ("fuchsia.sysmem2.Allocator", "fuchsia.sysmem.Allocator")


def routes_finding(svc: Path = SVC) -> Finding:
    """Tell of each service whether it is routed to this component."""
    try:
        routed, why = frozenset(entry.name for entry in svc.iterdir()), ""
    except OSError as error:
        routed, why = frozenset(), error.strerror or type(error).__name__
    has_sysmem = any(protocol in routed for protocol in _EITHER)
    children = [_route(route, svc, routed, why, has_sysmem) for route in _ROUTES]
    there = sum(child.outcome is Outcome.PASS for child in children)
    return branch("access", "services", f"{there} of {len(children)} services are routed here.", children)


def _route(route: _Route, svc: Path, routed: frozenset[str], why: str, has_sysmem: bool) -> Finding:
    path = f"{svc}/{route.protocol}"
    if route.protocol in routed:
        return Finding("access.routed", path, Outcome.PASS, f"{path} is there.")
    outcome = Outcome.INFO if has_sysmem and route.protocol in _EITHER else route.outcome
    evidence = (f"{svc}: {why}",) if why else ()
    cause = f'the component\'s manifest does not use it; include: [ "{route.shard}" ] does'
    sentence = f"{path} is not there: {route.without}."
    return Finding("access.not-routed", path, outcome, sentence, evidence, cause, f"ls {svc}")
