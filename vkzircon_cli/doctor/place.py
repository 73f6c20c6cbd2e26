# SPDX-License-Identifier: Apache-2.0
"""Detects the container or sandbox of this process by its files and variables, and returns fitting advice."""

from collections.abc import Callable, Mapping
from pathlib import Path

from vkzircon_cli.model.base import record


@record
class Place:
    """A container or sandbox, '' outside of any; the commands that give it a GPU's devices and a driver for them."""

    name: str = ""
    devices: str = "lspci -k | grep -EA3 'VGA|3D|Display'"
    drivers: str = "sudo apt-get install mesa-vulkan-drivers"


NO_PLACE = Place()
_WSL = Place("WSL", "wsl.exe --update")
# Flatpak: /.flatpak-info; Snap: $SNAP; Docker and Podman: their own empty files; systemd-nspawn, LXC: systemd's file.
_MARKS: tuple[tuple[Callable[[Path, Mapping[str, str]], bool], Place], ...] = (
    (
        lambda root, _: (root / ".flatpak-info").exists(),
        Place(
            "Flatpak", "flatpak run --device=dri ...", "flatpak update  # installs the GL runtime of the host's driver"
        ),
    ),
    (
        lambda _, environ: bool(environ.get("SNAP")),
        Place("Snap", "snap connect $SNAP_INSTANCE_NAME:opengl", "snap install mesa-2404"),
    ),
    (lambda root, _: (root / ".dockerenv").exists(), Place("Docker", "docker run --device /dev/dri ...")),
    (lambda root, _: (root / "run/.containerenv").exists(), Place("Podman", "podman run --device /dev/dri ...")),
    (
        lambda root, _: (root / "run/systemd/container").exists(),
        Place("container", "docker run --device /dev/dri ...  # or the like of this container"),
    ),
    (lambda root, _: (root / "proc/sys/fs/binfmt_misc/WSLInterop").exists() or (root / "dev/dxg").exists(), _WSL),
)


def place(environ: Mapping[str, str], root: Path = Path("/")) -> Place:
    """Return where this process runs."""
    return next((found for is_here, found in _MARKS if is_here(root, environ)), NO_PLACE)


def missing_driver(node: str, where: Place) -> tuple[str, str]:
    """Return why a GPU whose *node* opens has no driver here, and the command that installs one."""
    if "dxg" in node:
        return "on WSL only Mesa's dzn drives this GPU, and it is not installed or does not load", where.drivers
    if "nvidia" in node:
        if where.name in ("Docker", "Podman", "container"):
            cause = "the container has NVIDIA's devices, but not its Vulkan driver, which is a capability of its own"
            return (
                cause,
                f"{where.name.lower()} run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility ...",
            )
        return (
            "NVIDIA's Vulkan driver is not installed, or does not load",
            "ls /usr/share/vulkan/icd.d /etc/vulkan/icd.d",
        )
    return "no driver for this GPU is installed, or it does not load: see the driver manifests", where.drivers
