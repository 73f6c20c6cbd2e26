# SPDX-License-Identifier: Apache-2.0
"""Detects the container or sandbox of this process and its distribution, and returns fitting advice.

Marks: systemd, src/basic/virt.c (Podman, Docker, other containers, WSL); GLib, gio/gsandbox.c (Flatpak, Snap). Devices:
docker-run(1), podman-run(1), flatpak-run(1), snapcraft.io/docs/opengl-interface; NVIDIA: its Container Toolkit's guide.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible


@record
class Place:
    """A container or sandbox, '' outside of any, and the commands for it, '' where none is known.

    *devices* gives it a GPU's devices, *drivers* a driver for them, and *nvidia* the driver for NVIDIA's devices.
    """

    name: str = ""
    devices: str = ""
    drivers: str = ""
    nvidia: str = ""


NO_PLACE = Place(devices="lspci -k | grep -EA3 'VGA|3D|Display'", nvidia="ls /usr/share/vulkan/icd.d /etc/vulkan/icd.d")
_FLATPAK = Place("Flatpak", "flatpak run --device=dri ...", "flatpak update")
_SNAP = Place("Snap", "snap connect $SNAP_INSTANCE_NAME:opengl", "snap install mesa-2404  # for snaps with base core24")
_WSL = Place("WSL", "wsl.exe --update")
MANAGERS = {
    "podman": Place("Podman", "podman run --device /dev/dri ...", nvidia="podman run --device nvidia.com/gpu=all ..."),
    "docker": Place(
        "Docker",
        "docker run --device /dev/dri ...",
        nvidia="docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility ...",
    ),
}
_MARKS = (("run/.containerenv", "podman"), (".dockerenv", "docker"))
_MANAGER_FILES = ("run/host/container-manager", "run/systemd/container")
_LONGEST = 40
# The packages of Mesa's Vulkan drivers, by the ID of os-release(5). Sources: the distributions' lists of packages, and
# wiki.gentoo.org/wiki/Vulkan.
_INSTALL = {
    "debian": "sudo apt-get install mesa-vulkan-drivers",
    "ubuntu": "sudo apt-get install mesa-vulkan-drivers",
    "fedora": "sudo dnf install mesa-vulkan-drivers",
    "arch": "sudo pacman -S vulkan-radeon vulkan-intel",
    "alpine": "apk add mesa-vulkan-ati mesa-vulkan-intel",
    "suse": "sudo zypper install libvulkan_radeon libvulkan_intel",
    "gentoo": "sudo emerge media-libs/mesa  # with the USE flag vulkan",
}


def place(environ: Mapping[str, str], root: Path = Path("/")) -> Place:
    """Return where this process runs."""
    found = next(_places(environ, root), NO_PLACE)
    return found if found.drivers else replace(found, drivers=install_drivers(root))


def _places(environ: Mapping[str, str], root: Path) -> Iterator[Place]:
    """Yield each place whose mark is there; a variable alone is no mark, since a child process inherits it."""
    if (root / ".flatpak-info").exists():
        yield _FLATPAK
    yield from (MANAGERS[manager] for mark, manager in _MARKS if (root / mark).exists())
    for mark in _MANAGER_FILES:
        manager = _text(root / mark).strip()
        if manager and manager != "wsl":
            yield MANAGERS.get(manager, Place(f"a container ({visible(manager[:_LONGEST])})"))
    kernel = _text(root / "proc/sys/kernel/osrelease")
    if "Microsoft" in kernel or "WSL" in kernel or (root / "dev/dxg").exists():
        yield _WSL
    snap = environ.get("SNAP")
    yaml = _text(root / snap.lstrip("/") / "meta/snap.yaml") if snap else ""
    if yaml and "confinement: classic" not in yaml.splitlines():
        yield _SNAP


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def install_drivers(root: Path = Path("/")) -> str:
    """Return the command that installs Mesa's Vulkan drivers on this distribution, '' if it is not known."""
    release = _text(root / "etc/os-release") or _text(root / "usr/lib/os-release")
    values = dict(line.split("=", 1) for line in release.splitlines() if "=" in line and not line.startswith("#"))
    known = f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".replace('"', "").replace("'", "").split()
    return next((_INSTALL[each] for each in known if each in _INSTALL), "")


def missing_driver(node: str, where: Place) -> tuple[str, str]:
    """Return why a GPU whose *node* opens has no driver here, and the command that installs one."""
    if "dxg" in node:
        return "on WSL only Mesa's dzn drives this GPU, and it is not installed or does not load", where.drivers
    if "nvidia" not in node:
        return "no driver for this GPU is installed, or it does not load: see the driver manifests", where.drivers
    if where.name in ("", "WSL"):
        return "NVIDIA's Vulkan driver is not installed, or does not load", NO_PLACE.nvidia
    cause = f"{where.name} has NVIDIA's devices, but not its Vulkan driver, which is a capability of its own"
    return cause, where.nvidia
