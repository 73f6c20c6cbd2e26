# SPDX-License-Identifier: Apache-2.0
"""What the pictures of the HTML page show, and that no report makes them too large to be looked at."""

from dataclasses import replace

from html_reports import crashed, report_named
from hypothesis import given
from hypothesis import strategies as st
from reports import device, good_report, memory, without_extension

from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.vmo import HandleProperties
from vkzircon_cli.render.pictures import Timeline, matrix, paths, timeline
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.fold import StepTime

_MOST_LANES = 37


def _timed(*steps: StepTime) -> Timeline:
    report = good_report()
    drawn = timeline(replace(report, run=replace(report.run, steps=steps, duration_ms=0.0)))
    assert drawn is not None
    return drawn


def test_hundreds_of_steps_share_few_lanes() -> None:
    """Steps of one kind are one lane, which says how many they are and what they took."""
    drawn = timeline(report_named("largest"))
    assert drawn is not None
    assert [(lane.name, lane.words) for lane in drawn.lanes] == [("device 0: import", "400 steps, 200 ms")]


def test_many_devices_get_a_lane_each() -> None:
    """Where lanes by kind were too many to look at, a device's steps are one lane."""
    drawn = timeline(report_named("crowd"))
    assert drawn is not None
    assert [lane.name for lane in drawn.lanes] == [f"device {n}" for n in range(12)]


def test_a_step_that_never_ended_lasts_to_the_end() -> None:
    """It is marked, and said to have gone wrong."""
    drawn = timeline(crashed())
    assert drawn is not None
    (moment,) = drawn.lanes[1].moments
    assert moment.is_bad
    assert moment.x + moment.width == 100
    assert drawn.lanes[1].words.endswith("1 did not end well")


def test_nothing_asked_gives_no_timeline() -> None:
    """A run without steps has none to draw."""
    report = good_report()
    assert timeline(replace(report, run=replace(report.run, steps=()))) is None


_names = st.from_regex(r"device\d{1,5}/(type\d{1,3}/)?(export|import|buffer|x)[.a-z]{0,5}(/trip)?", fullmatch=True)
_steps = st.builds(
    StepTime,
    st.text(max_size=20) | _names,
    st.floats(-1e12, 1e300),
    st.none() | st.floats(-1e12, 1e300),
)


@given(st.lists(_steps, min_size=1, max_size=80))
def test_every_step_stays_inside_the_picture(steps: list[StepTime]) -> None:
    """With any names and times there are few lanes, and no mark lies outside of them."""
    drawn = _timed(*steps)
    assert len(drawn.lanes) <= _MOST_LANES
    for moment in (moment for lane in drawn.lanes for moment in lane.moments):
        assert 0 <= moment.x <= 100
        assert 0 <= moment.width <= 100.001 - moment.x


def test_ways_that_came_to_the_same_are_drawn_once() -> None:
    """A good device of three types takes one picture a way of writing; what was not asked is not among its types."""
    drawn, more = paths(device().data)
    assert [path.title for path in drawn] == ["GPU fill, types 0-2", "Host write, types 1-2"]
    assert more == 0
    assert [mark.word for _, mark in drawn[0].readers] == ["64 KiB"] * 4


def test_too_many_different_ways_are_counted() -> None:
    """A dozen pictures are enough; how many are left out is told."""
    (one,) = report_named("largest").devices
    drawn, more = paths(one.data)
    assert (len(drawn), more) == (12, 20)


def _with_bits(bits: int) -> Report:
    made = device(has=memory((1, 7, 15)))
    found = HandleProperties(bits, (), True, True, Answer(True), Answer(bits))
    rows = tuple(replace(row, properties=Answer(found)) for row in made.properties)
    return replace(good_report(), devices=(replace(made, properties=rows),))


def test_bits_that_name_no_type_are_told() -> None:
    """They have no column, so they stand behind the row."""
    drawn = matrix(_with_bits(0b101001).devices[0])
    assert drawn is not None
    assert [row.named for row in drawn.rows] == [(0,)] * 3
    assert {row.past for row in drawn.rows} == {"bits 3, 5"}
    assert drawn.rows[0].words.startswith("Type 0: export ok, its VMO names type 0")


def test_without_the_extension_there_is_no_matrix() -> None:
    """Nothing was exported, so there is nothing to draw."""
    assert matrix(without_extension(device())) is None
