# SPDX-License-Identifier: Apache-2.0
"""A driver whose answers are random, through the real program: they are reported, and not relied on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Run


def _missing(part: Any) -> Iterator[dict[str, str]]:
    """Yield why answers are missing, anywhere in a document."""
    values = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for value in values:
        yield from _missing(value)
    if isinstance(part, dict) and {"kind", "call", "result", "reason"} <= set(part):
        yield part


# A seed's remainder by 9 decides how many answers are random: from every second one to one in 512.
@pytest.mark.parametrize("first", range(0, 40, 8))
def test_random_answers_are_reported(emulated: Run, vkzircon: Run, tmp_path: Path, first: int) -> None:
    """Each report is valid and can be read again. It reports no bug of vkzircon, and no hang of a call that ended."""
    for seed in range(first, first + 8):
        options = ("--negative", "--stress", "--timeout", "2", "--fault", f"random-answers={seed}")
        ran = emulated(*options, "--format", "json")
        assert ran.code in (0, 1, 3, 4, 5), (seed, ran.code, ran.err)
        assert ran.json["summary"]["exit_code"] == ran.code
        assert "Traceback" not in ran.out + ran.err, seed
        waited = {
            why["call"] for why in _missing(ran.json) if why["result"] == "VK_TIMEOUT" and why["kind"] != "refused"
        }
        assert waited <= {"vkWaitForFences"}, seed
        assert "nothing was written" not in ran.out, seed
        assert ran.code in (3, 4) or f"fault=random-answers={seed}" in ran.json["emulation"]["settings"]
        saved = tmp_path / "report.json"
        saved.write_text(ran.out)
        shown = vkzircon("show", str(saved))
        assert (shown.code, shown.err) == (ran.code, ""), seed


@pytest.mark.parametrize("seed", ["", "=", "=-1", "=1e3", "=1234567890"])
def test_a_seed_is_a_number_of_at_most_9_digits(emulated: Run, seed: str) -> None:
    """Anything else is an unknown fault, as a typo is; no seed is seed 0."""
    ran = emulated("devices", "--fault", f"random-answers{seed}")
    assert (ran.code == 2) is bool(seed)
    assert ("random-answers" in ran.err) is bool(seed)
