# SPDX-License-Identifier: Apache-2.0
"""A device node or service that cannot be reached is named, with the command that opens it."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.access import Node, NodeTrial, Reach, nodes_finding, routes_finding
from vkzircon_cli.doctor.place import MANAGERS, Place, install_drivers, place

RENDER = Node("/dev/dri/renderD128", True, stat.S_IFCHR | 0o660, "root", "render", (), True)
DOCKER, PODMAN = MANAGERS["docker"], MANAGERS["podman"]
SOFTWARE_ONLY = Reach("someone", 0, 1)
DENIED = replace(RENDER, opens=False, reason="EACCES")


@pytest.mark.parametrize(
    ("node", "id", "command"),
    [
        (DENIED, "access.not-in-group", "sudo usermod -aG render $USER"),
        (replace(DENIED, members=("someone",)), "access.old-session", "newgrp render"),
        (
            replace(DENIED, mode=stat.S_IFCHR | 0o600),
            "access.no-right",
            "sudo setfacl -m u:someone:rw /dev/dri/renderD128",
        ),
        (replace(DENIED, group="root"), "access.no-right", "sudo setfacl -m u:someone:rw /dev/dri/renderD128"),
        (replace(DENIED, reason="EPERM"), "access.kept-out", "ls -l /dev/dri/renderD128"),
        (replace(DENIED, reason="ENXIO"), "access.no-answer", "ls -l /dev/dri/renderD128"),
        (replace(RENDER, mode=stat.S_IFREG | 0o644, opens=False), "access.no-device", "ls -lL /dev/dri/renderD128"),
        (
            replace(RENDER, opens=None, reason="no answer within 1 s"),
            "access.not-tried",
            "sudo dmesg | grep -i renderD",
        ),
    ],
)
def test_a_node_that_does_not_open_says_what_to_do(node: Node, id: str, command: str) -> None:
    """The outcome is a failure without other hardware, else a warning."""
    (child,) = nodes_finding([node], SOFTWARE_ONLY).children
    assert (child.id, child.outcome, child.command) == (id, Outcome.FAIL, command)
    assert node.path in child.sentence
    assert child.cause
    assert "root" in child.evidence[0]
    assert nodes_finding([node], replace(SOFTWARE_ONLY, hardware=1)).outcome is Outcome.WARN


def test_a_node_that_could_not_be_tried_is_a_skip() -> None:
    """If no process can be started to open the node, it is skipped."""
    untried = replace(RENDER, opens=None, why_not="no process can be started: Resource temporarily unavailable")
    (child,) = nodes_finding([untried], SOFTWARE_ONLY).children
    assert (child.id, child.outcome) == ("access.not-tried", Outcome.SKIP)
    assert child.sentence.endswith("was not opened: no process can be started: Resource temporarily unavailable.")


def test_a_node_that_vulkan_does_not_need_is_only_worth_knowing() -> None:
    """The node of a display often belongs to root, which is no problem."""
    card = replace(DENIED, path="/dev/dri/card0", needed=False)
    found = nodes_finding([RENDER, card], replace(SOFTWARE_ONLY, hardware=1))
    assert found.outcome is Outcome.PASS
    assert [child.outcome for child in found.children] == [Outcome.PASS, Outcome.INFO]


def test_software_devices_beside_hardware_that_opens_lack_a_driver() -> None:
    """The node opens, so a driver is missing."""
    found = nodes_finding([RENDER], SOFTWARE_ONLY)
    assert found.children[-1].id == "access.no-driver"
    assert found.outcome is Outcome.WARN
    assert nodes_finding([RENDER], replace(SOFTWARE_ONLY, hardware=1)).outcome is Outcome.PASS


def test_no_node_at_all_is_told_and_in_a_container_why() -> None:
    """A machine without a GPU is healthy."""
    (child,) = nodes_finding([], SOFTWARE_ONLY).children
    assert (child.id, child.outcome) == ("access.no-nodes", Outcome.INFO)
    (child,) = nodes_finding([], replace(SOFTWARE_ONLY, place=DOCKER)).children
    assert child.command == "docker run --device /dev/dri ..."
    assert "Docker" in child.cause
    assert nodes_finding([], replace(SOFTWARE_ONLY, hardware=1)).children == ()


@pytest.mark.parametrize(
    ("mark", "text", "name", "command"),
    [
        (".flatpak-info", "", "Flatpak", "flatpak run --device=dri"),
        (".dockerenv", "", "Docker", "docker run --device /dev/dri"),
        ("run/.containerenv", "", "Podman", "podman run --device /dev/dri"),
        ("run/systemd/container", "docker", "Docker", "docker run --device /dev/dri"),
        ("run/host/container-manager", "podman\n", "Podman", "podman run --device /dev/dri"),
        ("run/systemd/container", "systemd-nspawn", "a container (systemd-nspawn)", ""),
        ("run/systemd/container", "wsl", "", "lspci"),
        ("dev/dxg", "", "WSL", "wsl.exe"),
        ("proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2", "WSL", "wsl.exe"),
        ("proc/sys/kernel/osrelease", "6.1.0-amd64", "", "lspci"),
        ("snap/x/1/meta/snap.yaml", "name: x\n", "Snap", "snap connect"),
        ("snap/x/1/meta/snap.yaml", "name: x\nconfinement: classic\n", "", "lspci"),
    ],
)
def test_a_container_or_sandbox_is_detected_by_its_mark(
    tmp_path: Path, mark: str, text: str, name: str, command: str
) -> None:
    """Each has its own command that gives it access to a GPU, or none where the manager's is not known.

    A variable that a process inherited is no mark.
    """
    (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mark).write_text(text)
    found = place({"SNAP": "/snap/x/1"}, tmp_path)
    assert found.name == name
    assert found.devices.startswith(command)
    assert bool(found.devices) == bool(command)


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian\n", "apt-get install mesa-vulkan-drivers"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "apt-get install mesa-vulkan-drivers"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install mesa-vulkan-drivers"),
        ("ID=arch\n", "pacman -S vulkan-radeon"),
        ("#ID=debian\nNAME=x\nID=alpine\n", "apk add mesa-vulkan-ati"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper install libvulkan_radeon"),
        ("ID=gentoo\n", "emerge media-libs/mesa"),
        ("ID=unheard-of\n", ""),
        ("", ""),
    ],
)
def test_drivers_are_installed_by_the_distributions_own_command(tmp_path: Path, release: str, command: str) -> None:
    """There is no command where the distribution is not known; its relatives are asked in order."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text(release)
    assert command in place({}, tmp_path).drivers
    assert bool(install_drivers(tmp_path)) == bool(command)


_MESA = "sudo apt-get install mesa-vulkan-drivers"


@pytest.mark.parametrize(
    ("path", "where", "words", "command"),
    [
        ("/dev/dxg", Place("WSL", drivers=_MESA), "dzn", _MESA),
        ("/dev/nvidia0", DOCKER, "a capability of its own", "docker run --gpus all"),
        ("/dev/nvidia0", PODMAN, "a capability of its own", "podman run --device nvidia.com/gpu=all"),
        ("/dev/nvidia0", Place("a container (lxc)"), "a capability of its own", ""),
        ("/dev/nvidia0", Place(), "NVIDIA's Vulkan driver", "ls /usr/share/vulkan/icd.d"),
        ("/dev/dri/renderD128", Place(drivers=_MESA), "no driver for this GPU", _MESA),
    ],
)
def test_the_missing_driver_depends_on_the_vendor_and_the_place(
    path: str, where: Place, words: str, command: str
) -> None:
    """If a node opens and Vulkan lists software devices only, Mesa is not the right driver for every node."""
    found = nodes_finding([replace(RENDER, path=path)], replace(SOFTWARE_ONLY, place=where)).children[-1]
    assert (found.id, found.outcome) == ("access.no-driver", Outcome.WARN)
    assert words in found.cause
    assert found.command.startswith(command)
    assert bool(found.command) == bool(command)


def test_nodes_are_really_opened(tmp_path: Path) -> None:
    """A device opens, a plain file does not count as one, and a dangling link is skipped."""
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").symlink_to("/dev/null")
    (tmp_path / "dri" / "renderD129").write_text("")
    (tmp_path / "dri" / "card0").symlink_to("/nonexistent")
    (tmp_path / "nvidiactl").symlink_to("nvidiactl")
    (tmp_path / "nvidia0").symlink_to("/dev/null")
    found = {Path(node.path).name: node for node in NodeTrial(5, tmp_path).nodes()}
    assert {name: node.opens for name, node in found.items()} == {
        "renderD128": True,
        "renderD129": False,
        "nvidia0": True,
    }
    assert found["renderD128"].owner == "root"
    assert NodeTrial(5, tmp_path / "absent").nodes() == ()


def test_each_service_that_is_not_routed_is_told_with_its_shard(tmp_path: Path) -> None:
    """Without the loader's service there is no driver; one of the two allocators suffices."""
    found = routes_finding(tmp_path / "absent")
    assert [child.outcome for child in found.children] == [Outcome.FAIL] * 3 + [Outcome.WARN] * 2
    assert all("client.shard.cml" in child.cause or "use.shard.cml" in child.cause for child in found.children)
    assert ["vulkan/offer.shard.cml" in child.cause for child in found.children] == [True] * 3 + [False] * 2
    for protocol in ("fuchsia.vulkan.loader.Loader", "fuchsia.sysmem2.Allocator"):
        (tmp_path / protocol).touch()
    outcomes = [child.outcome for child in routes_finding(tmp_path).children]
    assert outcomes == [Outcome.PASS, Outcome.PASS, Outcome.INFO, Outcome.WARN, Outcome.WARN]
    for protocol in ("fuchsia.sysmem.Allocator", "fuchsia.tracing.provider.Registry", "fuchsia.logger.LogSink"):
        (tmp_path / protocol).touch()
    assert routes_finding(tmp_path).outcome is Outcome.PASS
