# SPDX-License-Identifier: Apache-2.0
"""What a command line asks of the probe."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_TIMEOUT_S = 15.0


class Depth(StrEnum):
    """How much is asked of each device."""

    IDENTITY = "identity"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Request:
    """One probing. *device* is the selector as typed, or None for all; *timeout_s* is a step's limit in seconds."""

    depth: Depth = Depth.EVERYTHING
    device: str | None = None
    emulate: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S
