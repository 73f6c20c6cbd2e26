# SPDX-License-Identifier: Apache-2.0
"""How long the probe waits for a handle count to settle."""

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from vkzircon_cli.probe import imports


def test_a_slow_line_to_an_agent_leaves_a_few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that changes late is not a driver's fault, even if each query takes longer than the whole wait."""
    seen = iter((3, 3, 3, 2, 2))
    kernel: Any = SimpleNamespace(handle_count=lambda _handle: next(seen))
    ticks = count(step=10)
    slow = SimpleNamespace(monotonic=lambda: next(ticks), sleep=lambda _: None)
    monkeypatch.setattr(imports, "time", slow)
    assert imports._settled(kernel, 7, wanted=2) == (2, True)
