# SPDX-License-Identifier: Apache-2.0
"""What the loader would see of this process: platform, privileges, environment."""

import os
from collections.abc import Callable, Mapping

from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import VARIABLES, platform


@record
class Surroundings:
    """What the loader would see.

    *environ* has those variables of a fixed list that are set (bytes that are not UTF-8 as surrogate escapes). *lookup*
    reads any variable: an implicit layer's manifest names the one that turns it on or off. In *elevated* processes the
    loader ignores most variables. *timeout_s* is how long a library may take to load.
    """

    platform: str
    elevated: bool
    environ: Mapping[str, str]
    lookup: Callable[[str], str | None]
    timeout_s: float

    @property
    def trusted(self) -> Mapping[str, str]:
        """Return the variables that the loader does not ignore in a process with these privileges."""
        return {} if self.elevated else self.environ


def surroundings(timeout_s: float, changed: Mapping[str, str] | None = None) -> Surroundings:
    """Return the surroundings of this process with the variables that are *changed* for the probe."""
    given = {**os.environ, **(changed or {})}
    return Surroundings(
        platform=platform(),
        elevated=os.getuid() != os.geteuid() or os.getgid() != os.getegid(),
        environ={name: given[name] for name in (*VARIABLES, "HOME") if name in given},
        lookup=given.get,
        timeout_s=timeout_s,
    )
