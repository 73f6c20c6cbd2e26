# SPDX-License-Identifier: Apache-2.0
"""What page a stream is: width, folding, colour and character set."""

import pytest

from vkzircon_cli.render.style import page_for


@pytest.mark.parametrize(
    ("columns", "width", "cuts"),
    [
        ("40", 40, True),
        ("500", 500, True),
        (" 72 ", 72, True),
        ("1", 20, True),
        ("0", 80, False),
        ("-5", 80, False),
        ("", 80, False),
        ("wide", 80, False),
        ("4e1", 80, False),
        ("\u0664\u0660", 80, False),
        ("9" * 5000, 80, False),
    ],
)
def test_columns_counts_when_it_is_a_positive_number(columns: str, width: int, cuts: bool) -> None:
    """COLUMNS of a pipe sets width and folding; anything that is no number of columns is as if unset."""
    page = page_for(False, "utf-8", {"COLUMNS": columns}, False, None)
    assert (page.width, page.cuts) == (width, cuts)


@pytest.mark.parametrize(("width", "expected"), [(132, 132), (None, 80), (0, 80), (3, 20)])
def test_a_terminal_tells_its_width_and_folds(width: int | None, expected: int) -> None:
    """Without COLUMNS the terminal's own width holds, 80 where it does not tell."""
    page = page_for(True, "utf-8", {"COLUMNS": "junk"}, False, width)
    assert (page.width, page.cuts) == (expected, True)


def test_columns_goes_before_the_terminal_and_a_pipe_has_no_width() -> None:
    """COLUMNS overrules the terminal, and a width that is not stdout's is not taken."""
    assert page_for(True, "utf-8", {"COLUMNS": "60"}, False, 132).width == 60
    assert page_for(False, "utf-8", {}, False, 132).width == 80


@pytest.mark.parametrize(
    ("terminal", "no_color", "environ", "color"),
    [
        (True, False, {}, True),
        (False, False, {}, False),
        (False, False, {"FORCE_COLOR": "1"}, True),
        (True, False, {"FORCE_COLOR": "", "NO_COLOR": ""}, True),
        (False, False, {"FORCE_COLOR": ""}, False),
        (False, False, {"FORCE_COLOR": "1", "TERM": "dumb"}, False),
        (True, False, {"TERM": "dumb"}, False),
        (True, False, {"NO_COLOR": "1"}, False),
        (True, False, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_color_follows_its_order(terminal: bool, no_color: bool, environ: dict[str, str], color: bool) -> None:
    """--no-color, NO_COLOR, TERM=dumb, FORCE_COLOR, terminal, in that order; empty variables count as unset."""
    assert page_for(terminal, "utf-8", environ, no_color, None).color is color


@pytest.mark.parametrize(
    ("encoding", "is_ascii"),
    [("utf-8", False), ("UTF-16", False), ("ascii", True), ("cp1252", True), ("latin-1", True), ("no such", True)],
)
def test_a_stream_without_our_glyphs_gets_ascii(encoding: str, is_ascii: bool) -> None:
    """Glyphs are drawn only where all of them can be written."""
    assert page_for(True, encoding, {}, False, None).ascii is is_ascii
