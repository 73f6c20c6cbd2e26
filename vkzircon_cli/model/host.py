# SPDX-License-Identifier: Apache-2.0
"""The surroundings of this process as facts: platform, system, and the variables that change what Vulkan does.

A report has only the variables that are listed here.
"""

import os
import sys

from vkzircon_cli.model.base import BadValue, record
from vkzircon_cli.model.text import decode

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
    """Where the probe ran. The loader ignores the Vulkan variables of *elevated* processes."""

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
        BadValue: the variable names an unknown platform.
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


def _variable(name: str) -> Variable:
    return Variable(name, *decode(os.fsencode(os.environ[name])))


def environment(*, isolated: bool) -> Environment:
    """Read the surroundings of this process; *isolated* says whether the probe runs in another one."""
    system = os.uname()
    return Environment(
        platform=platform(),
        system=f"{system.sysname} {system.release}",
        machine=system.machine,
        python=".".join(str(part) for part in sys.version_info[:3]),
        elevated=os.getuid() != os.geteuid() or os.getgid() != os.getegid(),
        isolated=isolated,
        variables=tuple(_variable(name) for name in VARIABLES if name in os.environ),
    )
