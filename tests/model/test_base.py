# SPDX-License-Identifier: Apache-2.0
"""Records behave as frozen dataclasses do, from the first of a class on."""

from dataclasses import fields, replace

import pytest

from vkzircon_cli.model.base import plain, record


@record
class Point:
    """Where something is."""

    x: int
    y: int = 7
    name: str = ""


def test_a_record_takes_values_by_place_by_name_and_by_default() -> None:
    """The first of a class, which compiles what makes the others, is as the others are."""
    made = [Point(1, name="a"), Point(1, 7, "a"), Point(name="a", x=1)]
    assert {(point.x, point.y, point.name) for point in made} == {(1, 7, "a")}
    assert made[0] == made[1] == made[2]
    assert len(set(made)) == 1
    assert made[0] != Point(2)
    assert repr(made[0]) == "Point(x=1, y=7, name='a')"


@pytest.mark.parametrize(("values", "named"), [((), {}), ((1, 2, "", 3), {}), ((1,), {"z": 2}), ((1,), {"x": 2})])
def test_wrong_arguments_are_refused(values: tuple[int, ...], named: dict[str, int]) -> None:
    """As any function refuses them, also where it is the first of its class."""

    @record
    class Fresh:
        """A class of which nothing was made yet."""

        x: int
        y: int = 0
        name: str = ""

    for cls in (Fresh, Point):
        with pytest.raises(TypeError):
            cls(*values, **named)  # type: ignore[arg-type]


def test_the_tools_of_dataclasses_work() -> None:
    """Fields are known, a changed copy can be made, and JSON's form has them in order."""
    assert [field.name for field in fields(Point)] == ["x", "y", "name"]
    assert replace(Point(1), y=2) == Point(1, 2)
    assert plain((Point(1), "x")) == [{"x": 1, "y": 7, "name": ""}, "x"]
