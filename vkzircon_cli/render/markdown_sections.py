# SPDX-License-Identifier: Apache-2.0
"""What stands in a report in Markdown, section by section, the most important first."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model.base import Answer, record
from vkzircon_cli.model.facts import Device
from vkzircon_cli.model.quantities import about
from vkzircon_cli.model.queries import UNNAMED, display_name
from vkzircon_cli.model.spec import Flags
from vkzircon_cli.render.answers import why_missing
from vkzircon_cli.render.device import buffer_answers, driver_lines, entry_point_lines, extension_words, siblings
from vkzircon_cli.render.machine import enabled_layers, kernel_words, loader_words, system_words
from vkzircon_cli.render.markdown_escape import code, fence, folded, prose, table
from vkzircon_cli.render.page import Page
from vkzircon_cli.render.sharing import SHARING_COLUMNS, notes, sharing_cells, ways
from vkzircon_cli.render.style import View
from vkzircon_cli.render.verdicts import counts_of
from vkzircon_cli.render.writer import Sheet
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.summary import CheckResult

T = TypeVar("T")
_MOST_OF_A_CELL = 300
_BAD = (Outcome.CRASH, Outcome.TIMEOUT, Outcome.FAIL, Outcome.WARN)
_PLAIN = Page(100, cuts=False, color=False, ascii=False)


@record
class Section:
    """Lines below a title that may be cut between any two *rows*; *head* and *tail* go with them or not at all."""

    title: str
    head: Sequence[str]
    rows: Sequence[str]
    tail: Sequence[str] = ()
    is_folded: bool = True

    def text(self, count: int) -> str:
        """Write the first *count* rows."""
        body = "\n".join([*self.head, *self.rows[:count], *self.tail]) + "\n"
        if not self.is_folded:
            return f"#### {self.title}\n\n{body}" if self.title else body
        return folded(self.title, body)


def sections_of(report: Report, view: View) -> Iterator[Section]:
    """Give the sections, the most important first."""
    findings = [result for outcome in _BAD for result in report.checks if result.outcome is outcome]
    if findings:
        yield Section(
            "What did not hold", (), [line for each in findings for line in _finding(report, each)], (), False
        )
    yield _table("", ("", ""), list(_key_facts(report)), is_folded=False)
    for device in (device for device in report.devices if device.selected):
        if view is View.REPORT:
            yield from _of_device(report, device)
        if view is not View.DEVICES:
            yield from _checks(report, device)
    yield from _of_the_run(report, view)


def _table(title: str, headers: Sequence[str], rows: list[list[str]], *, is_folded: bool = True) -> Section:
    first, second, *lines = table(headers, rows).splitlines()
    return Section(title, (first, second), lines, (), is_folded)


def _finding(report: Report, result: CheckResult) -> Iterator[str]:
    of = f" (device {result.device})" if len(report.devices) > 1 else ""
    yield f"- **{result.outcome.upper()}** {code(result.id)}{of}: {prose(result.sentence)}"
    if result.advice is not None:
        yield f"  - rule: {prose(result.rule)}"
        yield f"  - advice: {prose(result.advice)}"


def _key_facts(report: Report) -> Iterator[list[str]]:
    """Give what a reader wants to know first, a row each."""
    for device in report.devices:
        name = display_name(device.identity.value) if device.identity.value else UNNAMED
        yield [
            f"device {device.index}",
            f"{_cell(name)}{'' if device.selected else ' (not selected)'}",
        ]
        if device.selected and (who := device.identity.value):
            yield ["driver", _cell(next(driver_lines(who)))]
            yield ["type, Vulkan", f"{prose(who.type.name)}, {prose(who.api_version.text)}"]
            yield ["extension", _cell(extension_words(report, device))]
    yield ["loader", _library(report.loader, loader_words)]
    yield ["libzircon", _library(report.kernel, kernel_words)]
    yield ["system", _cell(system_words(report.environment))]
    yield ["vkzircon", f"{prose(report.tool.version)}, {prose(report.run.started)}"]


def _library(answer: Answer[T], told: Callable[[T], tuple[str, str, str]]) -> str:
    if answer.value is None:
        return _cell(why_missing(answer.missing))
    library, path, words = told(answer.value)
    return ", ".join(part for part in (_value(path or library), prose(words)) if part)


def _of_device(report: Report, device: Device) -> Iterator[Section]:
    suffix = f" of device {device.index}" if len(report.devices) > 1 else ""
    if memory := device.memory.value:
        sheet = Sheet(_PLAIN)
        headers = ("type", "heap", "flags", *(column.header for column in SHARING_COLUMNS))
        types = [
            [str(each.index), str(each.heap_index), _flags(each.flags)]
            + [prose(cell.plain) for cell in sharing_cells(sheet, device, each.index)]
            for each in memory.types
        ]
        yield _table(f"Memory types{suffix}, and what came of sharing each", headers, types)
        heaps = [[str(each.index), about(each.size), str(each.size), _flags(each.flags)] for each in memory.heaps]
        yield _table(f"Heaps{suffix}", ("heap", "size", "bytes", "flags"), heaps)
    details = [[label, _cell(words)] for label, words in _details(report, device)]
    yield _table(f"Details{suffix}", ("", ""), details)


def _flags(flags: Flags) -> str:
    return code(" ".join(flags.names)) or "none"


def _cell(words: str) -> str:
    return prose(words, _MOST_OF_A_CELL)


def _value(words: str) -> str:
    return code(words, _MOST_OF_A_CELL)


def _details(report: Report, device: Device) -> Iterator[tuple[str, str]]:
    if device.memory.missing:
        yield "memory", why_missing(device.memory.missing)
    if uuids := (device.identity.value.uuids.value if device.identity.value else None):
        yield "device UUID", uuids.device_uuid
        yield "driver UUID", uuids.driver_uuid
    if device.identity.value:
        yield from (("driver says", line) for line in list(driver_lines(device.identity.value))[1:])
    yield from (("sibling", line) for line in siblings(report, device))
    if device.opened.value:
        yield from (("entry points", line) for line in entry_point_lines(device.opened.value, verbose=True))
    yield from (("buffers", line) for line in buffer_answers(device.external_buffers))
    yield from notes(device)
    yield from ways(device)


def _checks(report: Report, device: Device) -> Iterator[Section]:
    results = report.of_device(device.index)
    if results:
        of = f" of device {device.index}" if len(report.devices) > 1 else ""
        rows = [[each.outcome.upper(), code(each.id), _cell(each.sentence)] for each in results]
        yield _table(f"All checks{of}: {counts_of(results)}", ("", "check", "what was found"), rows)


def _of_the_run(report: Report, view: View) -> Iterator[Section]:
    """Give what may be long and matters least."""
    variables = [[code(v.name), _value(v.value)] for v in report.environment.variables]
    layers = [["layer", _value(name)] for name in enabled_layers(report)]
    if variables or layers:
        yield _table("Variables and layers", ("", ""), [*layers, *variables])
    said = [f"{message.severity}: {message.text}" for message in report.run.messages]
    yield from _printed("What the loader said", said)
    yield from _printed("What driver and layers printed", report.run.output.text.split("\n"))
    if view is View.REPORT and report.run.steps:
        rows = [[_value(s.step), "-" if s.duration_ms is None else f"{s.duration_ms:.1f}"] for s in report.run.steps]
        yield _table(f"Steps: {report.run.duration_ms:.0f} ms in all", ("step", "ms"), rows)


def _printed(title: str, lines: Sequence[str]) -> Iterator[Section]:
    different = list(dict.fromkeys(line.rstrip() for line in lines if line.strip()))
    if different:
        first, *shown, last = fence(different)
        yield Section(title, (first,), shown, (last,))
