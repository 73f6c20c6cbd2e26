# SPDX-License-Identifier: Apache-2.0
"""The real program as tests run it: its console script, with only the test's own variables set."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("vkzircon")
_OURS = ("VK_", "VKZIRCON_", "_VKZIRCON", "XDG_", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "PYTHON")


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


Run = Callable[..., Ran]


def environment(env: Mapping[str, str | None]) -> dict[str, str]:
    """Make a clean environment with *env* on top; None takes a variable away."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    merged: dict[str, str | None] = {**base, "TERM": "xterm-256color", **env}
    return {name: value for name, value in merged.items() if value is not None}
