# SPDX-License-Identifier: Apache-2.0
"""The data of a comparison, for renderers and, as JSON, for programs.

*before* and *after* are always the first and the second report.
"""

from dataclasses import KW_ONLY
from enum import StrEnum
from typing import Literal

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import record

DIFFERENCE_SCHEMA_VERSION = "1.4"


class Area(StrEnum):
    """What a change is about, most important first.

    Place is where the driver was called. It counts as a change of place if the agents differ, or if only one report
    was made through an agent.
    """

    VERDICTS = "verdicts"
    EXTENSION = "extension"
    RIGHTS = "rights"
    SHARING = "sharing"
    FIGURES = "figures"
    DEVICE = "device"
    MEMORY = "memory"
    MACHINE = "machine"
    PLACE = "place"


class ChangeKind(StrEnum):
    """How something changed. Only verdicts, cells of a matrix and figures of a bench are worse or better.

    Only verdicts are reworded: the same outcome in another sentence.
    """

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"
    REWORDED = "reworded"


@record
class Side:
    """One of the two reports: its outcome, start (UTC, ISO 8601), version of vkzircon and devices."""

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
    """A device of both reports, or of one: its index in each, or None, and the criterion that it was matched by."""

    name: str
    before: int | None
    after: int | None
    matched_by: str | None


@record
class Said:
    """The outcome and the sentence of a check, or of the whole report."""

    outcome: Outcome
    sentence: str


@record
class VerdictChange:
    """A check whose verdict differs. *device* counts `Difference.devices`; None is the report as a whole.

    *cause* is the check that explains the worse of the two verdicts, '' if no other check explains it.
    """

    id: str
    device: int | None
    kind: ChangeKind
    before: Said | None
    after: Said | None
    cause: str = ""


@record
class FactChange:
    """One fact that differs, in words; rows that differ in the same way are one change with many *paths*.

    *device* counts `Difference.devices`, None is the machine. *before* or *after* is None where that report has no such
    thing. Of a set, such as flags, *removed* and *added* are the members of one side only.
    """

    area: Area
    kind: ChangeKind
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
    """Both total times in milliseconds, and the steps whose time changed most. They make no difference."""

    before_ms: float | None
    after_ms: float | None
    steps: tuple[StepTiming, ...]


@record
class Difference:
    """What differs between two reports, matrices or benches.

    Reworded sentences, the times of steps, and the place are listed, but make no difference.

    *areas* counts for each area the changes that make a difference.
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

    @property
    def is_worse(self) -> bool:
        """Whether a verdict, a cell or a figure got worse, or a device is gone."""
        kinds = [*(change.kind for change in self.verdicts), *(change.kind for change in self.facts)]
        return ChangeKind.WORSE in kinds or any(device.after is None for device in self.devices)
