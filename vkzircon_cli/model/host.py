# SPDX-License-Identifier: Apache-2.0
"""The process's surroundings as facts: the platform, who we are, and the few variables that change what Vulkan does.

Only the variables listed here are ever read into a report.
"""

import os
import sys

from vkzircon_cli.model.base import BadValue, record
from vkzircon_cli.model.text import decode
from vkzircon_cli.worker import process

PLATFORM_VARIABLE = "VKZIRCON_PLATFORM"
EMULATION_VARIABLE = "VKZIRCON_EMULATION"
LIBVULKAN_VARIABLE = "VKZIRCON_LIBVULKAN"
LIBZIRCON_VARIABLE = "VKZIRCON_LIBZIRCON"
FUCHSIA, LINUX = "fuchsia", "linux"

VARIABLES = (
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "VK_ADD_DRIVER_FILES",
    "VK_LAYER_PATH",
    "VK_ADD_LAYER_PATH",
    "VK_INSTANCE_LAYERS",
    "VK_LOADER_DEBUG",
    "VK_LOADER_DRIVERS_SELECT",
    "VK_LOADER_DRIVERS_DISABLE",
    "VK_LOADER_LAYERS_ENABLE",
    "VK_LOADER_LAYERS_DISABLE",
    "VK_LOADER_LAYERS_ALLOW",
    "VK_LOADER_DEVICE_SELECT",
    EMULATION_VARIABLE,
    PLATFORM_VARIABLE,
    LIBVULKAN_VARIABLE,
    LIBZIRCON_VARIABLE,
)


@record
class Variable:
    """One environment variable, as set."""

    name: str
    value: str
    value_hex: str | None = None


@record
class Environment:
    """Where the probe ran. *elevated* processes have their Vulkan variables ignored by the loader."""

    platform: str
    system: str
    machine: str
    python: str
    elevated: bool
    isolated: bool
    variables: tuple[Variable, ...]


def platform() -> str:
    """Return the platform: VKZIRCON_PLATFORM, else the one that the system reports.

    Raises:
        BadValue: the variable names no platform that is known.
    """
    if chosen := os.environ.get(PLATFORM_VARIABLE):
        if chosen not in (FUCHSIA, LINUX):
            raise BadValue(
                f'{PLATFORM_VARIABLE} is "{decode(os.fsencode(chosen))[0]}".',
                f"Set it to {FUCHSIA} or {LINUX}, or unset it.",
            )
        return chosen
    is_fuchsia = sys.platform.startswith("fuchsia") or os.uname().sysname == "Fuchsia"
    return FUCHSIA if is_fuchsia else LINUX


def can_fork() -> bool:
    """Whether the probe can run in a forked process, as far as is known: `child.start_first` finds out."""
    return hasattr(os, "fork") and platform() != FUCHSIA and not process.refusal()


def _variable(name: str) -> Variable:
    return Variable(name, *decode(os.fsencode(os.environ[name])))


def environment() -> Environment:
    """Read the surroundings of this process."""
    system = os.uname()
    return Environment(
        platform=platform(),
        system=f"{system.sysname} {system.release}",
        machine=system.machine,
        python=".".join(str(part) for part in sys.version_info[:3]),
        elevated=os.getuid() != os.geteuid() or os.getgid() != os.getegid(),
        isolated=can_fork(),
        variables=tuple(_variable(name) for name in VARIABLES if name in os.environ),
    )
