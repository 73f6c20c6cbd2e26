# SPDX-License-Identifier: Apache-2.0
"""Does repeated work leak handles or memory?"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from vkzircon_cli.checks.registry import PRACTICE, Outcome, check
from vkzircon_cli.checks.rows import Judgement, Row, Rows, each, holds, row_of_type, skipping
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.vmo import Stress, Stressed

_MOST_GROWTH = 4 << 20  # of resident memory, which the allocator may need for itself


def _stressed(what: str) -> Callable[[Device], Rows[Stressed]]:
    return lambda device: [_row(device, row, "", Outcome.FAIL) for row in device.stress if row.what == what]


def _row(device: Device, stress: Stress, subject: str, refused: Outcome) -> Row[Stressed]:
    row = row_of_type(device, stress.memory_type, f"stress.{stress.what}", stress.stressed, refused)
    # A kernel may refuse to describe a handle.
    return skipping(replace(row, subject=subject, kind=""), "zx_object_get_info")


def _keeps_no_handle(found: Stressed) -> Judgement:
    if found.handles_before is None or found.handles_after is None:
        return (
            Outcome.INFO,
            f"repeated {found.rounds} times; the kernel refuses to count handles, so a leak would not be seen",
        )
    grown = found.handles_after - found.handles_before
    if not grown:
        return Outcome.PASS, f"{found.rounds} times, and no more handles are open"
    outcome = Outcome.FAIL if abs(grown) >= max(1, found.rounds // 2) else Outcome.INFO
    return outcome, f"{grown:+} handles are open after {found.rounds} times"


_check = partial(check, option="--stress")
_check("stress.imports", "memory.adoc: a successful import transfers the handle to the implementation")(
    each(_stressed("imports"))(_keeps_no_handle)
)
_check("stress.rounds", "memory.adoc, vkFreeMemory")(each(_stressed("rounds"))(_keeps_no_handle))


def _growth(device: Device) -> Rows[Stressed]:
    return [_row(device, row, row.what, Outcome.INFO) for row in device.stress]


@_check("stress.memory", PRACTICE)
@each(_growth)
def memory(found: Stressed) -> Judgement:
    grown = found.resident_after - found.resident_before
    more = f"{grown >> 10} KiB more are resident"
    return holds(grown <= _MOST_GROWTH, "the process did not grow", more, Outcome.WARN)
