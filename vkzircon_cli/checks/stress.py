# SPDX-License-Identifier: Apache-2.0
"""Does repeating leave anything behind?"""

from collections.abc import Callable
from functools import partial

from vkzircon_cli.checks.registry import PRACTICE, Outcome, check
from vkzircon_cli.checks.rows import Judgement, Row, Rows, each, holds, step
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.vmo import Stress, Stressed

_MOST_GROWTH = 4 << 20  # of resident memory, which an allocator may take for reasons of its own


def _stressed(what: str) -> Callable[[Device], Rows[Stressed]]:
    return lambda device: [_row(device, row, "", Outcome.FAIL) for row in device.stress if row.what == what]


def _row(device: Device, stress: Stress, subject: str, refused: Outcome) -> Row[Stressed]:
    return Row(subject, step(device, f"type{stress.memory_type}/stress.{stress.what}"), stress.stressed, refused)


def _keeps_no_handle(found: Stressed) -> Judgement:
    grown = found.handles_after - found.handles_before
    if not grown:
        return Outcome.PASS, f"{found.rounds} times, and no more handles are open"
    outcome = Outcome.FAIL if abs(grown) >= max(1, found.rounds // 2) else Outcome.INFO
    return outcome, f"{grown:+} handles are open after {found.rounds} times"


_check = partial(check, option="--stress")
_REPEATED = {
    "imports": (
        "A VMO can be imported 4096 times in turn, and no handle stays open.",
        "memory.adoc: a successful import transfers the handle to the implementation",
        "The driver runs out of something, or keeps a handle of every import.",
    ),
    "rounds": (
        "Exporting, importing and freeing again and again leaves no handle open.",
        "memory.adoc, vkFreeMemory",
        "The driver keeps a handle of every export or import.",
    ),
}
for _what, (_meaning, _rule, _advice) in _REPEATED.items():
    _check(f"stress.{_what}", meaning=_meaning, rule=_rule, advice=_advice)(each(_stressed(_what))(_keeps_no_handle))


def _growth(device: Device) -> Rows[Stressed]:
    return [_row(device, row, row.what, Outcome.INFO) for row in device.stress]


@_check("stress.memory", PRACTICE)
@each(_growth)
def memory(found: Stressed) -> Judgement:
    """Repeating does not make the process larger.

    The driver may leak memory; more rounds show whether it grows on, or only fills a cache.
    """
    grown = found.resident_after - found.resident_before
    more = f"{grown >> 10} KiB more are resident"
    return holds(grown <= _MOST_GROWTH, "the process did not grow", more, Outcome.INFO)
