# SPDX-License-Identifier: Apache-2.0
"""The walk over two records of any type: keys of tables, and facts that are new."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin

from vkzircon_cli.diff.differ import Differ, group_mismatches
from vkzircon_cli.diff.labels import FactPath, table_of
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.spec import (
    RIGHT_BITS,
    Named,
    flags,
)
from vkzircon_cli.model.vmo import HandleBasic, Tiling
from vkzircon_cli.report.report import Report
from vkzircon_cli.stream.events import Message


def _row_types(shape: Any) -> Iterator[type]:
    """Yield the types of all rows of tables in a type."""
    inner = get_args(shape)
    if get_origin(shape) is tuple and is_dataclass(inner[0]):
        yield inner[0]  # type: ignore[misc]
    for each in (*inner, *([f.type for f in fields(shape)] if is_dataclass(shape) else ())):
        yield from _row_types(each)


def test_every_table_has_a_key() -> None:
    """Rows are matched by what they are about, so that one more row is not a change of all that follow."""
    messages = {Message}  # never compared
    assert [row for row in {*_row_types(Report)} - messages if not table_of("rows", row).key] == []


@record
class _Fence:
    """A row of a table that no report has yet."""

    tiling: Tiling
    memory_type: int
    signals: Answer[int]


@record
class _Newer:
    """A record that no report has yet."""

    fences: tuple[_Fence, ...]
    clock: Answer[HandleBasic]
    page_count: int


def _newer(signals: int, page_count: int, koid: str) -> _Newer:
    fences = tuple(_Fence(Tiling.LINEAR, number, Answer(signals)) for number in range(3))
    basic = HandleBasic(koid, Named(page_count, "clock" if page_count else "timer"), flags(0, RIGHT_BITS))
    return _Newer((_Fence(Tiling.OPTIMAL, 0, Answer(7)), *fences), Answer(basic), page_count)


def test_a_new_fact_is_compared_without_a_line_in_the_comparison() -> None:
    """A field is called after itself, a record is looked into, and a table's rows are matched by kind and number."""
    mismatches = Differ(same_version=True).records(_newer(1, 0, "1"), _newer(2, 4, "2"), FactPath("new", 0))
    changes = [(change.what, change.before, change.after) for change in group_mismatches(mismatches)]
    assert changes == [
        ("fence (linear) of memory types 0-2: signals", "1", "2"),
        ("type", "timer", "clock"),
        ("page count", "0", "4"),
    ]
