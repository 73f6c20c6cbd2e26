# SPDX-License-Identifier: Apache-2.0
"""The surroundings of this process as facts: platform, system, and the variables that change what Vulkan does.

A report has only the variables that are listed here.
"""

import os
import sys
from collections.abc import Mapping
from shlex import quote

from vkzircon_cli.model.base import BadValue, record
from vkzircon_cli.model.text import decode, readable

PLATFORM_VARIABLE = "VKZIRCON_PLATFORM"
EMULATION_VARIABLE = "VKZIRCON_EMULATION"
LIBVULKAN_VARIABLE = "VKZIRCON_LIBVULKAN"
LIBZIRCON_VARIABLE = "VKZIRCON_LIBZIRCON"
_IDS, _MOST_ERRORS = 1 << 32, 4095
FUCHSIA, LINUX = "fuchsia", "linux"


@record
class KnownVariable:
    """An environment variable that changes what Vulkan or vkzircon does.

    *effect* is a sentence without its subject, the variable. *removes*: the loader finds none of these if the variable
    is set but empty. *yields_to* are variables that make the loader ignore this one. *is_secure*: ignored in a process
    with raised privileges. *hides*: "drivers" or "devices", if it may be why none are found. *in_report*: its value is
    written into reports.
    """

    name: str
    effect: str
    removes: str = ""
    yields_to: tuple[str, ...] = ()
    is_secure: bool = True
    hides: str = ""
    in_report: bool = True


_DRIVERS, _LAYERS, _MATCHES = "the driver manifests", "explicit layers", "whose manifest's file name"
# The effects were seen with the loader of Vulkan 1.3.239, also in a process with raised privileges.
_KNOWN = (
    KnownVariable(
        "VK_DRIVER_FILES",
        f"makes the loader read only {_DRIVERS} that it names",
        removes="driver",
        hides="drivers",
    ),
    KnownVariable(
        "VK_ICD_FILENAMES",
        f"makes the loader read only {_DRIVERS} that it names",
        removes="driver",
        yields_to=("VK_DRIVER_FILES",),
        hides="drivers",
    ),
    KnownVariable(
        "VK_ADD_DRIVER_FILES",
        f"adds {_DRIVERS} that it names to the usual ones",
        yields_to=("VK_DRIVER_FILES", "VK_ICD_FILENAMES"),
    ),
    KnownVariable(
        "VK_LAYER_PATH",
        f"makes the loader look for {_LAYERS} only in the folders that it names",
        removes="explicit layer",
    ),
    KnownVariable(
        "VK_ADD_LAYER_PATH",
        f"makes the loader look for {_LAYERS} also in the folders that it names",
        yields_to=("VK_LAYER_PATH",),
    ),
    KnownVariable(
        "VK_IMPLICIT_LAYER_PATH",
        "makes the loader look for implicit layers only in the folders that it names",
        removes="implicit layer",
    ),
    KnownVariable(
        "VK_ADD_IMPLICIT_LAYER_PATH",
        "makes the loader look for implicit layers also in the folders that it names",
        yields_to=("VK_IMPLICIT_LAYER_PATH",),
    ),
    KnownVariable("VK_INSTANCE_LAYERS", "turns on the layers that it names", is_secure=False),
    KnownVariable("VK_LOADER_DEBUG", "makes the loader print what it does", is_secure=False),
    KnownVariable(
        "VK_LOADER_DRIVERS_SELECT",
        f"leaves out every driver {_MATCHES} does not match",
        hides="drivers",
    ),
    KnownVariable(
        "VK_LOADER_DRIVERS_DISABLE",
        f"leaves out the drivers {_MATCHES} matches",
        hides="drivers",
    ),
    KnownVariable("VK_LOADER_LAYERS_ENABLE", "turns on the layers whose name matches"),
    KnownVariable("VK_LOADER_LAYERS_DISABLE", "turns off the layers whose name matches"),
    KnownVariable(
        "VK_LOADER_LAYERS_ALLOW",
        "exempts the layers whose name matches from VK_LOADER_LAYERS_DISABLE",
    ),
    KnownVariable("VK_LOADER_DEVICE_SELECT", "puts the device that it names first", is_secure=False),
    *(
        KnownVariable(
            f"VK_LOADER_{of}_ID_FILTER", f"leaves out every device whose {word} is not in it", hides="devices"
        )
        for of, word in (("VENDOR", "vendorID"), ("DEVICE", "deviceID"), ("DRIVER", "driverID"))
    ),
    # Read by Mesa's device-select layer (docs/envvars.rst of Mesa).
    KnownVariable(
        "MESA_VK_DEVICE_SELECT",
        'puts the device that it names first, and with a "!" at its end leaves out all others',
        is_secure=False,
        hides="devices",
    ),
    KnownVariable(
        "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE",
        "leaves out every device but the first one",
        is_secure=False,
        hides="devices",
    ),
    KnownVariable(EMULATION_VARIABLE, "sets how the emulation behaves where it is on", is_secure=False),
    KnownVariable(PLATFORM_VARIABLE, "sets the platform that vkzircon assumes", is_secure=False),
    KnownVariable(LIBVULKAN_VARIABLE, "makes vkzircon open the library that it names as the loader", is_secure=False),
    KnownVariable(LIBZIRCON_VARIABLE, "makes vkzircon open the library that it names as libzircon", is_secure=False),
    KnownVariable(
        "LD_LIBRARY_PATH", "makes the linker look for libraries in the folders that it names first", in_report=False
    ),
    *(
        KnownVariable(name, f"is searched for manifests instead of {default}", in_report=False)
        for name, default in (
            ("XDG_CONFIG_HOME", "~/.config"),
            ("XDG_CONFIG_DIRS", "/etc/xdg"),
            ("XDG_DATA_HOME", "~/.local/share"),
            ("XDG_DATA_DIRS", "/usr/local/share and /usr/share"),
        )
    ),
)
VARIABLES = {known.name: known for known in _KNOWN}
REPORTED_VARIABLES = tuple(known.name for known in _KNOWN if known.in_report)


@record
class Variable:
    """One environment variable and its value."""

    name: str
    value: str
    value_hex: str | None = None


@record
class Environment:
    """Where the driver was called. The loader ignores the Vulkan variables of *elevated* processes.

    *agent* is the command of an agent that called it; then all but *python* are the facts of the agent's process.
    """

    platform: str
    system: str
    machine: str
    python: str
    elevated: bool
    isolated: bool
    variables: tuple[Variable, ...]
    agent: str | None = None

    @property
    def options(self) -> str:
        """The option for the same agent, '' without one."""
        return "" if self.agent is None else f" --agent {quote(self.agent)}"


def names() -> os.uname_result:
    """Return the names of system and host; a sandbox may refuse to tell them, and Python is for Linux or Fuchsia."""
    try:
        return os.uname()
    except OSError:
        return os.uname_result(("Linux", "", "unknown", "", "unknown"))


def is_elevated() -> bool:
    """Whether this process has raised privileges: its real and its effective ids differ (set-user-ID, set-group-ID).

    A sandbox may refuse such a call: libc then returns the negative error number as the id, a very high number.
    """
    pairs = ((os.getuid(), os.geteuid()), (os.getgid(), os.getegid()))
    return any(
        real != effective and max(real % _IDS, effective % _IDS) < _IDS - _MOST_ERRORS for real, effective in pairs
    )


def platform() -> str:
    """Return the platform: VKZIRCON_PLATFORM, else the one that the system reports.

    Raises:
        BadValue: the variable names an unknown platform.
    """
    system = "Fuchsia" if sys.platform.startswith("fuchsia") else names().sysname
    return platform_of(os.environ.get(PLATFORM_VARIABLE), system)


def platform_of(chosen: str | None, system: str) -> str:
    """Return the platform of a *system*, by its name, unless its variable has *chosen* one; raises as `platform`."""
    if chosen:
        if chosen not in (FUCHSIA, LINUX):
            raise BadValue(
                f'{PLATFORM_VARIABLE} is "{readable(chosen)}".',
                f"Set it to {FUCHSIA} or {LINUX}, or unset it.",
            )
        return chosen
    return FUCHSIA if system == "Fuchsia" else LINUX


def environment(*, isolated: bool) -> Environment:
    """Read the surroundings of this process; *isolated* says whether the probe runs in another one."""
    system = names()
    return environment_of(
        platform=platform(),
        system=f"{system.sysname} {system.release}",
        machine=system.machine,
        elevated=is_elevated(),
        variables=os.environ,
        isolated=isolated,
    )


def unknown_environment(agent: str) -> Environment:
    """Return the facts of the process of an *agent* that gave no answer."""
    return environment_of(platform="unknown", system="unknown", machine="", elevated=False, variables={}, agent=agent)


def environment_of(
    *,
    platform: str,
    system: str,
    machine: str,
    elevated: bool,
    variables: Mapping[str, str],
    isolated: bool = True,
    agent: str | None = None,
) -> Environment:
    """Return the facts of the process that calls the driver; of *variables*, only those that a report has."""
    told = (Variable(name, *decode(os.fsencode(variables[name]))) for name in REPORTED_VARIABLES if name in variables)
    python = ".".join(str(part) for part in sys.version_info[:3])
    shown = None if agent is None else readable(agent)
    return Environment(platform, system, machine, python, elevated, isolated, tuple(told), shown)
