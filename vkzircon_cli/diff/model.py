# SPDX-License-Identifier: Apache-2.0
"""What a difference is made of: frozen data, which renderers show and programs read.

The JSON form is `asdict` of `Difference`. *before* and *after* are always the first and the second report.
"""

from dataclasses import KW_ONLY
from enum import StrEnum
from typing import Literal

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import record

DIFFERENCE_SCHEMA_VERSION = "1.1"


class Area(StrEnum):
    """What a change is about, in the order in which a reader wants to know."""

    VERDICTS = "verdicts"
    EXTENSION = "extension"
    RIGHTS = "rights"
    SHARING = "sharing"
    DEVICE = "device"
    MEMORY = "memory"
    MACHINE = "machine"


class Kind(StrEnum):
    """How something changed. A verdict is worse, better or changed; *reworded* is a sentence alone."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"
    REWORDED = "reworded"


@record
class Side:
    """One of the two reports: what it came to, when (UTC, ISO 8601), by which vkzircon, on which devices."""

    outcome: Outcome
    sentence: str
    exit_code: int
    started: str
    tool_version: str
    schema_version: str
    emulated: bool
    devices: tuple[str, ...]


@record
class PairedDevice:
    """A device of both reports, or of one: its index in each, None where it is not, and what it was known by."""

    name: str
    before: int | None
    after: int | None
    matched_by: str | None


@record
class Said:
    """What a check, or the whole report, said."""

    outcome: Outcome
    sentence: str


@record
class VerdictChange:
    """A check whose verdict differs. *device* counts `Difference.devices`; None is the report as a whole."""

    id: str
    device: int | None
    kind: Kind
    before: Said | None
    after: Said | None


@record
class FactChange:
    """One thing that was seen to differ, in words; rows that differ alike are one change with many *paths*.

    *device* counts `Difference.devices`, None is the machine. *before* or *after* is None where the thing is not there
    at all. Of a set, such as flags, *removed* and *added* are what only one side has.
    """

    area: Area
    kind: Kind
    device: int | None
    what: str
    before: str | None
    after: str | None
    removed: tuple[str, ...]
    added: tuple[str, ...]
    paths: tuple[str, ...]


@record
class StepTiming:
    """One step's time in milliseconds; *ratio* is after over before."""

    step: str
    before_ms: float
    after_ms: float
    ratio: float


@record
class Timings:
    """How long both took in all, in milliseconds, and the steps whose time changed most. Never a difference."""

    before_ms: float | None
    after_ms: float | None
    steps: tuple[StepTiming, ...]


@record
class Difference:
    """What differs between two reports. Reworded sentences and times are told, and make no difference by themselves.

    *areas* has each area, with how many of its changes make a difference.
    """

    _: KW_ONLY
    schema_version: str
    kind: Literal["diff"] = "diff"
    differs: bool
    areas: dict[str, int]
    before: Side
    after: Side
    devices: tuple[PairedDevice, ...]
    verdicts: tuple[VerdictChange, ...]
    facts: tuple[FactChange, ...]
    timings: Timings
