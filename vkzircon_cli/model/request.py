# SPDX-License-Identifier: Apache-2.0
"""The request of a command line to the probe, as data."""

from dataclasses import field
from enum import StrEnum

from vkzircon_cli.model.base import record
from vkzircon_cli.model.spec import ZIRCON_VMO

DEFAULT_TIMEOUT_S = 15.0
DEFAULT_SIZE = 65_536
DEFAULT_SECONDS = 10.0
LARGEST_SHARED = 1 << 30
MOST_SECONDS = 3600.0  # of an option that is a time


class Depth(StrEnum):
    """How much the probe asks of each device."""

    IDENTITY = "identity"
    EVERYTHING = "everything"
    MATRIX = "matrix"
    BENCH = "bench"


class Formats(StrEnum):
    """The image formats that a matrix covers."""

    COMMON = "common"
    ALL = "all"


class FailOn(StrEnum):
    """The differences that `diff` fails on."""

    ANY = "any"
    WORSE = "worse"


class Shell(StrEnum):
    """A shell, for the syntax in which variables are set."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class DocumentKind(StrEnum):
    """A document that has a schema; its key ``kind`` names it."""

    REPORT = "report"
    MATRIX = "matrix"
    DIFF = "diff"
    DOCTOR = "doctor"
    BENCH = "bench"
    SURVEY = "survey"


@record
class Emulate:
    """The requested emulation: a persona by name, None for the one in the environment, and additional faults."""

    persona: str | None = None
    faults: tuple[str, ...] = ()


@record
class Judging:
    """The options that change the verdict, as typed: conditions, and ids or groups of checks."""

    require: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


NOTHING_ASKED = Judging()


@record
class Request:
    """The request for one probe.

    *device* is the selector as typed, None for all devices. *emulate* is None without the emulation; *environ* has the
    variables to add to the environment of the probe. *timeout_s* is the limit of one step. *size* is the number of
    bytes in a round trip; *stress* and *negative* add steps. *judging* changes the verdict; *redacts* writes the home
    folder as ``~``. Only a matrix has a *handle_type* and *formats*; a bench has *seconds*, and its
    *size* is the largest buffer that is shared. *agent* is the command that starts an agent, which makes all calls.
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
    environ: dict[str, str] = field(default_factory=dict)
    agent: str | None = None

    @property
    def device_shape(self) -> type:
        """Return the record whose fields are the facts of a device at this depth."""
        # Imported here: facts take 5 ms and these 2 ms more, which a start without a probe should not spend.
        if self.depth is Depth.MATRIX:
            from vkzircon_cli.model.matrix import MatrixDevice

            return MatrixDevice
        if self.depth is Depth.BENCH:
            from vkzircon_cli.model.bench import BenchDevice

            return BenchDevice
        from vkzircon_cli.model.facts import Device

        return Device
