# SPDX-License-Identifier: Apache-2.0
"""Where doctor looks: the platform, the rights, and the few variables that lead the loader."""

import os
from collections.abc import Callable, Mapping

from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import VARIABLES, platform

# Where the loader searches, beside the variables of its own (Vulkan-Loader, LoaderDriverInterface.md).
SEARCH_VARIABLES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS")


@record
class Surroundings:
    """What the loader would see.

    *environ* has the variables of a fixed list that are set, as they came (surrogate escapes for what is not UTF-8).
    *lookup* is asked only for the variable that an implicit layer's manifest names as its switch. *elevated* processes
    have the loader's overrides ignored. *timeout_s* is how long a library may take to load.
    """

    platform: str
    elevated: bool
    environ: Mapping[str, str]
    lookup: Callable[[str], str | None]
    timeout_s: float

    @property
    def trusted(self) -> Mapping[str, str]:
        """Give the variables that the loader heeds in a process with these rights."""
        return {} if self.elevated else self.environ


def surroundings(timeout_s: float, changed: Mapping[str, str] | None = None) -> Surroundings:
    """Read the surroundings of this process, with what is *changed* for the probe on top."""
    given = {**os.environ, **(changed or {})}
    return Surroundings(
        platform=platform(),
        elevated=os.getuid() != os.geteuid() or os.getgid() != os.getegid(),
        environ={name: given[name] for name in (*VARIABLES, *SEARCH_VARIABLES) if name in given},
        lookup=given.get,
        timeout_s=timeout_s,
    )
