# SPDX-License-Identifier: Apache-2.0
"""What is not a difference: a report and itself, values that vary by chance, and what was not asked."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import (
    altered,
    device,
    emulated,
    good_report,
    handle,
    identity,
    result,
    round_trip,
    stopped,
    with_devices,
    without_extension,
)

from vkzircon_cli.checks import Outcome
from vkzircon_cli.diff import compare
from vkzircon_cli.model.base import Answer, not_asked
from vkzircon_cli.model.vmo import Export, Form, Stress, Stressed
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.fold import StepTime

CAPTURES = sorted((Path(__file__).parents[1] / "golden" / "captures").glob("*.json"))
GOOD = good_report()
DEVICE = GOOD.devices[0]


_SAME = [
    GOOD,
    emulated(GOOD),
    stopped(GOOD, "No driver.", "Install one."),
    with_devices(GOOD, without_extension(DEVICE)),
    with_devices(GOOD, DEVICE, replace(DEVICE, index=1)),
    with_devices(GOOD, DEVICE, replace(device(1, identity("")), selected=False)),
    with_devices(GOOD),
    *(decode(Report, json.loads(path.read_text())) for path in CAPTURES),
]


@pytest.mark.parametrize("report", _SAME)
def test_a_report_does_not_differ_from_itself(report: Report) -> None:
    """No change of any kind, not even a lesser one."""
    difference = compare(report, report)
    assert not difference.differs
    assert (difference.verdicts, difference.facts, difference.timings.steps) == ((), (), ())


def _volatile(koid: int, value: int, ms: float, resident: int) -> Report:
    """Return a report that differs from others made like it in what varies from run to run."""

    def changed(index: int) -> Export:
        made = handle(index)
        basic, info = made.basic.value, made.info.value
        assert basic is not None
        assert info is not None
        return Export(
            Form.PLAIN,
            index,
            65536,
            Answer(
                replace(
                    made,
                    value=f"{value << 2 | 3:#010x}",
                    basic=Answer(replace(basic, koid=str(koid + index))),
                    info=Answer(replace(info, parent_koid=str(koid), committed_bytes=resident)),
                )
            ),
        )

    stress = Stress("imports", 0, Answer(Stressed(4096, koid, koid, resident, resident * 2)))
    report = altered(exports=tuple(map(changed, range(3))), stress=(stress,))
    run = replace(GOOD.run, started=str(koid), duration_ms=ms, steps=(StepTime("loader", ms, ms),))
    checks = (*GOOD.checks, result(Outcome.INFO, "stress.memory", f"{resident} KiB more are resident."))
    return replace(report, run=run, checks=checks)


_numbers = st.integers(1, 1 << 29)

_chance = st.builds(_volatile, _numbers, _numbers, st.floats(0, 1e300), _numbers)


@settings(deadline=None)
@given(_chance, _chance)
def test_chance_is_no_difference(before: Report, after: Report) -> None:
    """Koids, handle values, times and resident memory may be anything."""
    difference = compare(before, after)
    assert not difference.differs
    assert (difference.verdicts, difference.facts) == ((), ())


def _trip(wrong: int) -> Report:
    return altered(data=tuple(replace(row, round_trip=Answer(round_trip(wrong))) for row in DEVICE.data))


@pytest.mark.parametrize(
    ("was", "now", "is_same"), [(60000, 60001, True), (5, 7, True), (0, 1, False), (1, 65536, False)]
)
def test_how_many_bytes_are_wrong_is_chance_but_whether_is_not(was: int, now: int, is_same: bool) -> None:
    """Two garbled buffers are alike; a whole one is not, and few wrong bytes are not most of them."""
    assert compare(_trip(was), _trip(now)).differs is not is_same


def test_what_was_not_asked_is_no_difference() -> None:
    """A question that was left out, for any reason, or a row that is missing says nothing about the machine."""
    first, *rows = DEVICE.data[1:]
    one, other = (replace(first, round_trip=not_asked(reason)) for reason in ("not here", "not there"))
    assert not compare(altered(data=(one, *rows)), altered(data=(other, *rows))).differs
    assert not compare(altered(data=(one, *rows)), altered(data=tuple(rows))).differs
    assert compare(altered(data=(one, *rows)), altered(data=(first, *rows))).differs
    assert compare(altered(data=(first, *rows)), altered(data=tuple(rows))).differs
