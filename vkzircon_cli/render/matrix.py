# SPDX-License-Identifier: Apache-2.0
"""The matrix for people: usages of buffers, then a table for each tiling with a row for each format."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from vkzircon_cli.errors import Exit
from vkzircon_cli.model.base import Answer
from vkzircon_cli.model.matrix import ImageFormat, MatrixDevice, Support
from vkzircon_cli.model.quantities import counted, some
from vkzircon_cli.model.spec import DEDICATED_ONLY, EXPORTABLE, IMAGE_USAGES, IMPORTABLE, ZIRCON_VMO
from vkzircon_cli.model.vmo import Tiling
from vkzircon_cli.render.content import Column, reasons, why_missing
from vkzircon_cli.render.fields import title_of
from vkzircon_cli.render.frame import emulating, finished, write_opening
from vkzircon_cli.render.style import ANY_ADVICE, Advice, Page
from vkzircon_cli.render.writer import Sheet, fitted, total
from vkzircon_cli.report.matrix import MatrixReport, name_of

_INDENT = 2
_CELL_WIDTH, _BETWEEN = 3, "  "
# Each image usage in three letters.
_SHORT = dict(zip(IMAGE_USAGES, ("src", "dst", "smp", "sto", "col", "d/s", "inp"), strict=True))
_LETTERS = ((EXPORTABLE, "E"), (IMPORTABLE, "I"), (DEDICATED_ONLY, "D"))
_NONE, _NOTHING, _UNWRITTEN, _OTHER = "-", "0", "?", "!"
_NOT_SUPPORTED = "VK_ERROR_FORMAT_NOT_SUPPORTED"
_LEGEND = {
    "E": "can be exported",
    "I": "can be imported",
    "D": "in dedicated memory only",
    _NONE: "not supported",
    _NOTHING: "success, but neither export nor import",
    _UNWRITTEN: "success, but nothing was written",
    _OTHER: "another result, named below the table",
}
_STYLES = {_NONE: "dim", _NOTHING: "yellow", _UNWRITTEN: "red", _OTHER: "red"}
_MOST_NAMES = 4


def render_matrix_terminal(matrix: MatrixReport, page: Page, verbose: bool, advice: Advice = ANY_ADVICE) -> str:
    """Write the whole matrix; without *verbose* formats that cannot be shared are only counted."""
    sheet = Sheet(page)
    write_opening(sheet, matrix)
    for device in matrix.chosen:
        _write_device(sheet, matrix, device, verbose)
    _write_legend(sheet, matrix, verbose)
    steps = list(emulating(matrix, "vkzircon matrix", advice))
    if matrix.exit_code is Exit.NOT_OFFERED and matrix.handle_type.value == ZIRCON_VMO and advice.probes:
        steps.insert(0, ("vkzircon matrix --handle-type opaque-fd", "what the driver shares by file descriptor"))
    return finished(sheet, matrix, verbose, steps)


def _write_device(sheet: Sheet, matrix: MatrixReport, device: MatrixDevice, verbose: bool) -> None:
    sheet.blank()
    sheet.value(sheet.text(f"{title_of(device)}, {name_of(matrix.handle_type)}", "bold"))
    if device.identity.value is None:
        sheet.field("identity", why_missing(device.identity.missing), prose=True)
    if device.buffers.value:
        sheet.heading("Buffers")
        for support in device.buffers.value:
            sheet.item(sheet.join(_cell(sheet, support), _BETWEEN), " ".join(support.usages), indent=_INDENT)
    for tiling in Tiling:
        _write_tiling(sheet, device, tiling, verbose)
    if any(s.properties and not s.properties.header_kept for _, answer in _answers(device) for s in answer.value or ()):
        sheet.blank()
        sheet.prose("The driver changed sType or pNext of an answer.", indent=_INDENT)
    sheet.reasons(
        "Without an answer", reasons((answer.missing, name) for name, answer in _answers(device)), _MOST_NAMES
    )


def _write_tiling(sheet: Sheet, device: MatrixDevice, tiling: Tiling, verbose: bool) -> None:
    answered = [image for image in device.image_formats if image.answers.value is not None]
    if not answered:
        return
    shown = _shown(answered, tiling, verbose)
    sheet.heading(f"Images, {tiling} tiling")
    if shown:
        # One wide column for seven usages: Rich takes 77 us a cell, which is 100 ms for all formats.
        columns = (Column("format"), Column(_BETWEEN.join(_SHORT.values())))
        rows = []
        for image in shown:
            cells = {usage: _cell(sheet, support) for support in _of(image, tiling) for usage in support.usages}
            rows.append([sheet.text(image.format.name), Text(_BETWEEN).join(cells[usage] for usage in _SHORT)])
        room = sheet.page.width - _INDENT
        if sheet.page.cuts and total(fitted(columns, rows, room)) > room:
            _write_lists(sheet, shown, tiling)
        else:
            sheet.grid(columns, rows, indent=_INDENT)
    if left := len(answered) - len(shown):
        sheet.prose(f"{counted(left, 'format')} with nothing to share: --verbose lists them.", indent=_INDENT)
    _write_flags(sheet, answered, tiling)
    _write_other_results(sheet, answered, tiling)


def _all_of(image: ImageFormat, tiling: Tiling) -> list[Support]:
    return [support for support in image.answers.value or () if support.tiling is tiling]


def _of(image: ImageFormat, tiling: Tiling) -> list[Support]:
    return [support for support in _all_of(image, tiling) if support.create_flag is None]


def _write_flags(sheet: Sheet, images: Sequence[ImageFormat], tiling: Tiling) -> None:
    """Write how many formats have each answer for create flags, because the answers hardly differ by format."""
    flags_of: dict[str, Counter[str]] = {}
    cells: dict[str, Text] = {}
    for support in (support for image in images for support in _all_of(image, tiling)):
        if support.create_flag is not None:
            word = _word(support)
            flags_of.setdefault(word, Counter())[support.create_flag] += 1
            cells[word] = _cell(sheet, support)
    if flags_of:
        sheet.blank()
        sheet.prose("With a create flag, for the first usage that can be shared without it:", indent=_INDENT)
    for word, flags in flags_of.items():
        formats = ", ".join(f"{flag} ({counted(number, 'format')})" for flag, number in flags.items())
        sheet.item(sheet.join(cells[word], _BETWEEN), formats, indent=_INDENT)


def _shown(images: Iterable[ImageFormat], tiling: Tiling, verbose: bool) -> list[ImageFormat]:
    nothing = () if verbose else (_NONE, _NOTHING)
    return [image for image in images if any(_word(support) not in nothing for support in _of(image, tiling))]


def _write_lists(sheet: Sheet, images: Sequence[ImageFormat], tiling: Tiling) -> None:
    """Write the table as lists on a narrow page: usages by their answer."""
    for image in images:
        sheet.value(image.format.name, indent=_INDENT)
        for support in _of(image, tiling):
            usages = " ".join(_SHORT[usage] for usage in support.usages)
            sheet.item(sheet.join(_cell(sheet, support), _BETWEEN), usages, indent=2 * _INDENT)


def _cell(sheet: Sheet, support: Support) -> Text:
    word = _word(support)
    style = _STYLES.get(word) or ("yellow" if "D" in word else "green")
    return sheet.text(word.ljust(_CELL_WIDTH), style)


def _word(support: Support) -> str:
    found = support.properties
    if found is None:
        return _NONE if support.result == _NOT_SUPPORTED else _OTHER
    if not found.written:
        return _UNWRITTEN
    word = "".join(letter for bit, letter in _LETTERS if found.features.value & bit)
    return word or (_NONE if support.result is None else _NOTHING)


def _write_other_results(sheet: Sheet, images: Iterable[ImageFormat], tiling: Tiling) -> None:
    formats_of: dict[str, list[str]] = {}
    for image in images:
        for support in _all_of(image, tiling):
            if _word(support) == _OTHER:
                formats_of.setdefault(support.result or "", []).append(image.format.name)
    for result, formats in formats_of.items():
        label = sheet.text(f"{_OTHER}  ", _STYLES[_OTHER])
        sheet.item(label, f"{some(dict.fromkeys(formats), _MOST_NAMES)}: {result}", indent=_INDENT)


def _answers(device: MatrixDevice) -> Iterator[tuple[str, Answer[tuple[Support, ...]]]]:
    yield "buffers", device.buffers
    yield from ((image.format.name, image.answers) for image in device.image_formats)


def _write_legend(sheet: Sheet, matrix: MatrixReport, verbose: bool) -> None:
    """Write the meaning of the letters that this page uses."""
    of_buffers = [support for device in matrix.chosen for support in device.buffers.value or ()]
    of_images = [
        support
        for device in matrix.chosen
        for tiling in Tiling
        for image in _shown(device.image_formats, tiling, verbose)
        for support in _all_of(image, tiling)
    ]
    used = set("".join(map(_word, [*of_buffers, *of_images])))
    if not used:
        return
    sheet.blank()
    sheet.prose(", ".join(f"{sign} {meaning}" for sign, meaning in _LEGEND.items() if sign in used) + ".")
    if of_images:
        sheet.prose(
            "src transfer source, dst transfer destination, smp sampled, sto storage, col color attachment, "
            "d/s depth or stencil attachment, inp input attachment: each asked for alone, of 2D images."
        )
