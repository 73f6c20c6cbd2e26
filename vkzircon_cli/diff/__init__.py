# SPDX-License-Identifier: Apache-2.0
"""What differs between two reports, as data. Pure: no file, no machine, no clock."""

from vkzircon_cli.diff.compare import compare
from vkzircon_cli.diff.model import (
    DIFFERENCE_SCHEMA_VERSION,
    Area,
    Difference,
    FactChange,
    Kind,
    PairedDevice,
    Said,
    Side,
    StepTiming,
    Timings,
    VerdictChange,
)

__all__ = [
    "DIFFERENCE_SCHEMA_VERSION",
    "Area",
    "Difference",
    "FactChange",
    "Kind",
    "PairedDevice",
    "Said",
    "Side",
    "StepTiming",
    "Timings",
    "VerdictChange",
    "compare",
]
