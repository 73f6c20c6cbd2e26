# SPDX-License-Identifier: Apache-2.0
"""The matrix as a page: signs and widths; and in the other formats."""

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace

import pytest
import reports
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from vkzircon_cli.bindings.formats import all_formats
from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import Answer, Missing, MissingKind
from vkzircon_cli.model.facts import ExternalMemoryProperties
from vkzircon_cli.model.matrix import ImageFormat, MatrixDevice, Support
from vkzircon_cli.model.spec import (
    BUFFER_USAGES,
    FEATURE_BITS,
    HANDLE_TYPE_BITS,
    IMAGE_USAGES,
    ZIRCON_VMO,
    Named,
    flags,
)
from vkzircon_cli.model.vmo import Tiling
from vkzircon_cli.render import RENDERERS, render
from vkzircon_cli.render.csv import render_csv
from vkzircon_cli.render.json import render_json
from vkzircon_cli.render.matrix import render_matrix_terminal
from vkzircon_cli.render.style import Format, Page, Style, View
from vkzircon_cli.report.matrix import MatrixReport
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.document import Summary

SCREEN = Page(80, cuts=True, color=False, ascii=False)
ZIRCON = flags(ZIRCON_VMO, HANDLE_TYPE_BITS)


def _properties(features: int = 6, **changes: object) -> ExternalMemoryProperties:
    made = ExternalMemoryProperties(flags(features, FEATURE_BITS), ZIRCON, ZIRCON, written=True, header_kept=True)
    return replace(made, **changes)  # type: ignore[arg-type]


def _image(name: str, *answers: Support, missing: Missing | None = None) -> ImageFormat:
    number = next(number for number, known in all_formats().items() if known == name)
    return ImageFormat(Named(number, name), Answer(None, missing) if missing else Answer(answers))


def _all(tiling: Tiling | None, result: str | None, properties: ExternalMemoryProperties | None) -> Support:
    return Support(tiling, tuple(IMAGE_USAGES if tiling else BUFFER_USAGES), result, properties)


LONGEST = "G10X6_B10X6_R10X6_3PLANE_420_UNORM_3PACK16"

NOT_SUPPORTED = "VK_ERROR_FORMAT_NOT_SUPPORTED"

CRASH = Missing(MissingKind.CRASHED, "vkX", "SIGSEGV", "killed by SIGSEGV")


def _matrix(name: str = "Verdant X1") -> MatrixReport:
    """Make a matrix with every kind of cell."""
    report = reports.good_report()
    no = [_all(tiling, NOT_SUPPORTED, None) for tiling in Tiling]
    some = (
        Support(Tiling.OPTIMAL, tuple(IMAGE_USAGES)[:3], "VK_SUCCESS", _properties(7)),
        Support(Tiling.OPTIMAL, tuple(IMAGE_USAGES)[3:4], "VK_SUCCESS", _properties(0)),
        Support(Tiling.OPTIMAL, tuple(IMAGE_USAGES)[4:5], "VK_ERROR_UNKNOWN", None),
        Support(Tiling.OPTIMAL, tuple(IMAGE_USAGES)[5:], NOT_SUPPORTED, None),
        Support(Tiling.OPTIMAL, tuple(IMAGE_USAGES)[:1], "VK_SUCCESS", _properties(2), "MUTABLE_FORMAT"),
        Support(Tiling.OPTIMAL, tuple(IMAGE_USAGES)[:1], NOT_SUPPORTED, None, "SPARSE_BINDING"),
        _all(Tiling.LINEAR, "VK_SUCCESS", _properties(written=False)),
    )
    device = MatrixDevice(
        0,
        True,
        Answer(reports.identity(name)),
        Answer((_all(None, None, _properties()),)),
        (
            _image("R8_UNORM", *some),
            _image(LONGEST, *some),
            _image("S8_UINT", *no),
            _image("R8_SNORM", missing=CRASH),
        ),
    )
    return MatrixReport(
        schema_version="1.0",
        tool=report.tool,
        summary=Summary(Outcome.CRASH, "The driver crashed in vkX (SIGSEGV).", 5, {}),
        error=None,
        emulation=report.emulation,
        environment=report.environment,
        run=report.run,
        handle_type=ZIRCON,
        devices=(device, replace(device, index=1, selected=False)),
    )


def _text(page: Page = SCREEN, verbose: bool = False, matrix: MatrixReport | None = None) -> str:
    return render_matrix_terminal(matrix or _matrix(), page, verbose)


def test_every_cell_has_a_sign_and_every_sign_a_meaning() -> None:
    """What is on the page is in the legend, and nothing else."""
    text = _text()
    row = next(line for line in text.splitlines() if line.startswith("  R8_UNORM"))
    assert row.split() == ["R8_UNORM", "EID", "EID", "EID", "0", "!", "-", "-"]
    for words in (
        "E can be exported",
        "D in dedicated memory only",
        "0 success, but neither",
        "? success, but nothing",
    ):
        assert words in " ".join(text.split())
    assert f"!  R8_UNORM, {LONGEST}:" in text
    assert "VK_ERROR_UNKNOWN" in text
    assert "crash  R8_SNORM: the driver crashed in vkX (SIGSEGV)" in text
    good = replace(_matrix(), devices=(replace(_matrix().devices[0], image_formats=()),))
    assert "dedicated memory" not in _text(matrix=good)
    assert "src" not in _text(matrix=good)


def test_formats_with_nothing_to_share_are_counted_and_listed_when_asked_for() -> None:
    """Only --verbose has a row for each: most of the 218 formats would be rows of dashes."""
    assert "S8_UINT" not in _text()
    assert "1 format with nothing to share" in _text()
    assert "S8_UINT" in _text(verbose=True)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    """The table fits 80 columns with the longest name; where it doesn't it becomes a list with the same words."""
    text = _text(replace(SCREEN, width=width), verbose=True)
    assert max(map(cell_len, text.splitlines())) <= width
    assert ("src  dst  smp" in text) == (width == 80)
    assert "EID" in text
    assert LONGEST in "".join(text.split())


def test_color_and_ascii_change_no_word() -> None:
    """Colour decorates; a stream without our glyphs gets the same table."""

    colored = _text(replace(SCREEN, color=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == _text()
    assert "\x1b[" in colored
    assert _text(replace(SCREEN, ascii=True)).isascii()


def test_a_formula_stays_a_name() -> None:
    """A spreadsheet is not made to compute what a driver is called."""
    text = render_csv(_matrix("=1+1"))
    assert {line["name"] for line in csv.DictReader(io.StringIO(text))} == {"'=1+1"}


def test_json_comes_back_as_it_was() -> None:
    """The document is the dataclass, and nothing is lost in it."""
    document = json.loads(render_json(_matrix()))
    assert decode(MatrixReport, document) == _matrix()


@settings(deadline=None, max_examples=50)
@given(st.text(), st.integers(20, 100), st.sampled_from(list(RENDERERS["matrix"])))
def test_no_name_breaks_a_page(name: str, width: int, format: Format) -> None:
    """For any name of a device, nothing raises and no control character gets through."""
    text = render(_matrix(name), Style(View.REPORT, format, verbose=True), replace(SCREEN, width=width))
    assert not {c for c in text if unicodedata.category(c) in ("Cc", "Cf")} - {"\n"}
    if format is Format.TERMINAL:
        assert max(map(cell_len, text.splitlines())) <= width
