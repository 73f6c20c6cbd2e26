# SPDX-License-Identifier: Apache-2.0
"""Records are equal, hashed and shown by their values, and have the form that JSON gives them."""

from dataclasses import fields, replace

from vkzircon_cli.model.base import plain, record


@record
class Point:
    """Where something is."""

    x: int
    y: int = 7
    name: str = ""


def test_a_record_takes_values_by_place_by_name_and_by_default() -> None:
    """Equal values make equal records with one hash, however the values were given."""
    made = [Point(1, name="a"), Point(1, 7, "a"), Point(name="a", x=1)]
    assert {(point.x, point.y, point.name) for point in made} == {(1, 7, "a")}
    assert made[0] == made[1] == made[2]
    assert len(set(made)) == 1
    assert made[0] != Point(2)
    assert repr(made[0]) == "Point(x=1, y=7, name='a')"


def test_the_tools_of_dataclasses_work() -> None:
    """Fields are known, a changed copy can be made, and JSON's form has them in order."""
    assert [field.name for field in fields(Point)] == ["x", "y", "name"]
    assert replace(Point(1), y=2) == Point(1, 2)
    assert plain((Point(1), "x")) == [{"x": 1, "y": 7, "name": ""}, "x"]
