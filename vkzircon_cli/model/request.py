# SPDX-License-Identifier: Apache-2.0
"""What a command line asks of the probe."""

from enum import StrEnum

from vkzircon_cli.model.base import record
from vkzircon_cli.model.spec import ZIRCON_VMO

DEFAULT_TIMEOUT_S = 15.0
DEFAULT_SIZE = 65_536
DEFAULT_SECONDS = 10.0
LARGEST_SHARED = 1 << 30


class Depth(StrEnum):
    """How much is asked of each device."""

    IDENTITY = "identity"
    EVERYTHING = "everything"
    MATRIX = "matrix"
    BENCH = "bench"


class Formats(StrEnum):
    """Which formats a matrix has."""

    COMMON = "common"
    ALL = "all"


class Shell(StrEnum):
    """Whose syntax variables are set in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@record
class Emulate:
    """An emulation asked for: a persona by name, None for the one that the environment names, and more faults."""

    persona: str | None = None
    faults: tuple[str, ...] = ()


@record
class Judging:
    """What decides the verdict beside the checks themselves, as typed: conditions, and ids or groups of checks."""

    require: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


NOTHING_ASKED = Judging()


@record
class Request:
    """One probing.

    *device* is the selector as typed, None for all; *emulate* None is no emulation; *timeout_s* is a step's limit.
    *size* is what the data's round trips move, in bytes; *stress* and *negative* ask more.
    *judging* is what decides the verdict beside the checks; *redacts* writes the home folder as ``~``. Only a matrix
    has a *handle_type* and *formats*; a bench has *seconds*, and its *size* is the largest buffer that is shared.
    """

    depth: Depth = Depth.EVERYTHING
    device: str | None = None
    emulate: Emulate | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    size: int = DEFAULT_SIZE
    stress: bool = False
    negative: bool = False
    handle_type: int = ZIRCON_VMO
    formats: Formats = Formats.COMMON
    seconds: float = DEFAULT_SECONDS
    judging: Judging = NOTHING_ASKED
    redacts: bool = True
