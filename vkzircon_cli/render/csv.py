# SPDX-License-Identifier: Apache-2.0
"""Tables for spreadsheets and scripts.

A matrix has one line for each usage, tiling and format of each device; a line with a create flag has the answer for its
usage with that flag. A survey has one line for each row of its answer.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.matrix import MatrixDevice, Support
from vkzircon_cli.model.spec import BUFFER_USAGES, IMAGE_USAGES
from vkzircon_cli.model.survey import SqlValue
from vkzircon_cli.model.text import visible
from vkzircon_cli.model.vmo import Tiling
from vkzircon_cli.report.matrix import MatrixReport, name_of

Line = tuple[str, ...]
_HEADER = (
    "device,name,handle_type,resource,format,tiling,usage,result,features,export_from_imported_handle_types,"
    "compatible_handle_types,written,header_kept,missing,create_flag\n"
)
_FORMULA = ("=", "+", "-", "@")


def render_csv(matrix: MatrixReport) -> str:
    """Write *matrix* with a line of headers; ``|`` separates the flags of a field, and a missing value is empty.

    Without an answer, the field *missing* has the reason's kind.
    """
    text = StringIO()
    text.write(_HEADER)
    writer = csv.writer(text, lineterminator="\n")
    for device in matrix.chosen:
        name = _words(device.identity.value.name) if device.identity.value else ""
        about = (device.index, name, name_of(matrix.handle_type))
        writer.writerows((*about, *line) for line in _lines(device))
    return text.getvalue()


def render_rows(columns: Sequence[str], rows: Iterable[Sequence[SqlValue]]) -> str:
    """Write rows below a line of headers; a missing value is empty, and true and false are as in JSON."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_words, columns))
    writer.writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def _cell(value: SqlValue) -> str | int | float | None:
    if isinstance(value, bool):
        return str(value).lower()
    return _words(value) if isinstance(value, str) else value


def _words(foreign: str) -> str:
    """Return foreign text, with an apostrophe before what a spreadsheet would evaluate as a formula."""
    shown = visible(foreign)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _lines(device: MatrixDevice) -> Iterator[Line]:
    for cells in _cells(device.buffers, [""], BUFFER_USAGES):
        yield ("buffer", "", *cells)
    for image in device.image_formats:
        for cells in _cells(image.answers, list(Tiling), IMAGE_USAGES):
            yield ("image", image.format.name, *cells)
        for support in image.answers.value or ():
            if support.create_flag is not None:
                about = ("image", image.format.name, str(support.tiling), *support.usages)
                yield (*about, *_answer(support)[:-1], support.create_flag)


def _cells(answer: Answer[tuple[Support, ...]], tilings: Iterable[str], usages: Iterable[str]) -> Iterator[Line]:
    """Yield tiling, usage and answer, in the order of the questions."""
    found = {(s.tiling or "", usage): _answer(s) for s in answer.value or () for usage in s.usages if not s.create_flag}
    nothing = ("",) * 6 + (str(answer.missing.kind), "") if answer.missing else ("",) * 8
    for tiling in tilings:
        for usage in usages:
            yield (tiling, usage, *found.get((tiling, usage), nothing))


def _answer(support: Support) -> Line:
    found = support.properties
    if found is None:
        return (support.result or "", *("",) * 7)
    words = (found.features, found.export_from_imported_handle_types, found.compatible_handle_types)
    kept = (str(yes).lower() for yes in (found.written, found.header_kept))
    return (support.result or "", *("|".join(word.names) for word in words), *kept, "", "")
